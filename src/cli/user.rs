//! `nbhook user`: makes and lists users; for admins.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::context::Context;
use super::error::CliError;
use super::table::Table;
use super::text;
use super::wire::{self, User};
use crate::model::Owner;

/// Make and list users (admins only)
#[derive(Debug, Args)]
pub(super) struct UserCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a user
    Create {
        /// Name of the user, and of their folder on the server
        name: Owner,
        /// What the user may touch: a member what is theirs, an admin everything
        #[arg(long, default_value = "member")]
        role: RoleArg,
    },
    /// List the users
    List {
        /// Print the server's JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleArg {
    Admin,
    Member,
}

impl UserCommand {
    pub(super) fn purpose(&self) -> &'static str {
        match self.action {
            Action::Create { .. } => "create the user",
            Action::List { .. } => "list the users",
        }
    }

    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        match self.action {
            Action::Create { name, role } => create(ctx, &name, role).await,
            Action::List { json } => list(ctx, json).await,
        }
    }
}

async fn create(ctx: &Context, name: &Owner, role: RoleArg) -> Result<(), CliError> {
    let role = match role {
        RoleArg::Admin => "admin",
        RoleArg::Member => "member",
    };
    let answer = ctx.api().await?.post(&["users"], &json!({"name": name.as_str(), "role": role})).await?;
    let user: User = wire::read(&answer)?;
    ctx.line(&format!("made {} ({})", user.name, user.role))?;
    ctx.note(&format!("make a token for them with `nbhook token create NAME --user {}`", user.name));
    Ok(())
}

async fn list(ctx: &Context, json: bool) -> Result<(), CliError> {
    let users = ctx.api().await?.list(&["users"], &[], None).await?;
    if json {
        return ctx.json(&Value::Array(users));
    }
    let mut table = Table::new(&["NAME", "ROLE", "CREATED"]);
    for user in wire::read_all::<User>(&users)? {
        table.row(vec![user.name, user.role, text::time(&user.created_at)]);
    }
    ctx.table(&table)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;
    use wiremock::ResponseTemplate;
    use wiremock::matchers::body_json;

    use crate::cli::Cli;
    use crate::cli::testing::TestServer;

    #[tokio::test]
    async fn users_are_made_and_listed() {
        let server = TestServer::start().await;
        let bob = json!({"id": "u1", "name": "bob", "role": "member", "created_at": "2026-01-02T03:04:05Z"});
        let create = server.mock("POST", "/v1/users").and(body_json(json!({"name": "bob", "role": "member"})));
        create.respond_with(ResponseTemplate::new(201).set_body_json(&bob)).expect(1).mount(&server.http).await;
        server.list("/v1/users", &[], std::slice::from_ref(&bob)).await;
        let ran = server.run(&["user", "create", "bob"]).await;
        assert_eq!((ran.code, ran.out.as_str()), (0, "made bob (member)\n"), "{}", ran.err);
        let ran = server.run(&["user", "list"]).await;
        assert_eq!(ran.out, "NAME\tROLE\tCREATED\nbob\tmember\t2026-01-02 03:04:05\n", "{}", ran.err);
        let ran = server.run(&["user", "list", "--json"]).await;
        assert_eq!(serde_json::from_str::<serde_json::Value>(&ran.out).unwrap(), json!([bob]));
    }

    #[tokio::test]
    async fn a_member_may_not() {
        let server = TestServer::start().await;
        server.json("GET", "/v1/users", 403, json!({"detail": "only admins may see the users"})).await;
        let ran = server.run(&["user", "list"]).await;
        assert_eq!((ran.code, ran.err.as_str()), (4, "failed to list the users: only admins may see the users\n"));
    }

    #[test]
    fn a_name_that_is_no_folder_is_a_wrong_command_line() {
        assert!(Cli::try_parse_from(["nbhook", "user", "create", "../bob"]).is_err());
        assert!(Cli::try_parse_from(["nbhook", "user", "create", "bob", "--role", "king"]).is_err());
    }
}
