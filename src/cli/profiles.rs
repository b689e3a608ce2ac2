//! `nbhook profiles`: those who are told when a callback is in trouble.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::context::Context;
use super::error::CliError;
use super::table::Table;
use super::text;
use super::wire::{self, Profile};

/// Make, list, change and delete profiles: who is told when a callback is in trouble
#[derive(Debug, Args)]
pub(super) struct ProfilesCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List profiles; admins see everyone's
    List {
        /// Only this user's
        #[arg(long)]
        user: Option<String>,
        /// Print the server's JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one profile
    Show {
        /// Its id, as `nbhook profiles list` shows it
        id: u32,
        /// Print the server's JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a profile and print its id
    Create {
        /// What you call it
        name: String,
        /// Who is told, by e-mail
        support_email: String,
        /// Whose it is to be [default: yours] (admins only)
        #[arg(long)]
        user: Option<String>,
        /// Print the server's JSON
        #[arg(long)]
        json: bool,
    },
    /// Change a profile
    Set {
        /// Its id, as `nbhook profiles list` shows it
        id: u32,
        /// What you call it
        #[arg(long)]
        name: Option<String>,
        /// Who is told, by e-mail
        #[arg(long)]
        support_email: Option<String>,
        /// Print the server's JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete a profile that no callback has
    Delete {
        /// Its id, as `nbhook profiles list` shows it
        id: u32,
    },
}

impl ProfilesCommand {
    pub(super) fn purpose(&self) -> &'static str {
        match self.action {
            Action::List { .. } => "list the profiles",
            Action::Show { .. } => "show the profile",
            Action::Create { .. } => "create the profile",
            Action::Set { .. } => "change the profile",
            Action::Delete { .. } => "delete the profile",
        }
    }

    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let api = ctx.api().await?;
        match self.action {
            Action::List { user, json } => list(ctx, user.as_deref(), json).await,
            Action::Show { id, json } => print(ctx, &api.get(&["profiles", &id.to_string()]).await?, json),
            Action::Create { name, support_email, user, json } => {
                let mut body = json!({"name": name, "support_email": support_email});
                if let Some(user) = user {
                    body["user"] = user.into();
                }
                let answer = api.post(&["profiles"], &body).await?;
                let made: Profile = wire::read(&answer)?;
                if json { ctx.json(&answer) } else { ctx.line(&made.id.to_string()) }
            }
            Action::Set { id, name, support_email, json } => {
                let fields = [("name", name), ("support_email", support_email)].into_iter();
                let body: Map<String, Value> =
                    fields.filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect();
                print(ctx, &api.patch(&["profiles", &id.to_string()], &body.into()).await?, json)
            }
            Action::Delete { id } => {
                api.delete(&["profiles", &id.to_string()], &[]).await?;
                ctx.line(&format!("deleted {id}"))
            }
        }
    }
}

fn print(ctx: &Context, answer: &Value, json: bool) -> Result<(), CliError> {
    if json {
        return ctx.json(answer);
    }
    let profile: Profile = wire::read(answer)?;
    let fields = [
        ("id", profile.id.to_string()),
        ("name", profile.name),
        ("email", profile.support_email),
        ("created", text::time(&profile.created_at)),
    ];
    fields.into_iter().try_for_each(|(name, value)| ctx.line(&format!("{name:<10} {value}")))
}

async fn list(ctx: &Context, user: Option<&str>, json: bool) -> Result<(), CliError> {
    let filters: Vec<_> = user.map(|user| ("user", user)).into_iter().collect();
    let profiles = ctx.api().await?.list(&["profiles"], &filters, None).await?;
    if json {
        return ctx.json(&Value::Array(profiles));
    }
    let mut table = Table::new(&["ID", "USER", "NAME", "EMAIL", "CREATED"]);
    for profile in wire::read_all::<Profile>(&profiles)? {
        let user = profile.user.unwrap_or_default();
        let created = text::time(&profile.created_at);
        table.row(vec![profile.id.to_string(), user, profile.name, profile.support_email, created]);
    }
    ctx.table(&table)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wiremock::ResponseTemplate;
    use wiremock::matchers::body_json;

    use crate::cli::testing::TestServer;

    #[tokio::test]
    async fn profiles_are_made_listed_changed_and_deleted() {
        let server = TestServer::start().await;
        let profile =
            json!({"id": 3, "name": "ops", "support_email": "ops@x.org", "created_at": "2026-01-02T03:04:05Z"});
        let create = server.mock("POST", "/v1/profiles");
        let create = create.and(body_json(json!({"name": "ops", "support_email": "ops@x.org", "user": "bob"})));
        create.respond_with(ResponseTemplate::new(201).set_body_json(&profile)).expect(1).mount(&server.http).await;
        let ran = server.run(&["profiles", "create", "ops", "ops@x.org", "--user", "bob"]).await;
        assert_eq!((ran.code, ran.out.as_str()), (0, "3\n"), "{}", ran.err);
        server.list("/v1/profiles", &[("user", "bob")], std::slice::from_ref(&profile)).await;
        let ran = server.run(&["profiles", "list", "--user", "bob"]).await;
        let row = "3\t\tops\tops@x.org\t2026-01-02 03:04:05\n";
        assert_eq!(ran.out, format!("ID\tUSER\tNAME\tEMAIL\tCREATED\n{row}"), "{}", ran.err);
        let change = server.mock("PATCH", "/v1/profiles/3").and(body_json(json!({"support_email": "a@x.org"})));
        change.respond_with(ResponseTemplate::new(200).set_body_json(&profile)).expect(1).mount(&server.http).await;
        let ran = server.run(&["profiles", "set", "3", "--support-email", "a@x.org"]).await;
        assert!(ran.out.contains("email      ops@x.org"), "{}{}", ran.out, ran.err);
        server.json("DELETE", "/v1/profiles/3", 409, json!({"detail": "callback 7 has it"})).await;
        let ran = server.run(&["profiles", "delete", "3"]).await;
        assert_eq!((ran.code, ran.err.as_str()), (1, "failed to delete the profile: callback 7 has it\n"));
    }
}
