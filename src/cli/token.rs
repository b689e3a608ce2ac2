//! `nbhook token`: makes, lists and revokes API tokens.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::context::Context;
use super::error::CliError;
use super::table::Table;
use super::text;
use super::wire::{self, NewToken, Token};

/// Make, list and revoke API tokens
#[derive(Debug, Args)]
pub(super) struct TokenCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make an API token and print it; it is never shown again
    Create {
        /// What the token is for, e.g. laptop
        name: String,
        /// Whose token [default: yours] (admins only)
        #[arg(long)]
        user: Option<String>,
        /// Print the server's JSON
        #[arg(long)]
        json: bool,
    },
    /// List API tokens, without their values
    List {
        /// Print the server's JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke an API token; it stops working at once
    Revoke {
        /// The token's id, as `nbhook token list` shows it
        id: String,
    },
}

impl TokenCommand {
    pub(super) fn purpose(&self) -> &'static str {
        match self.action {
            Action::Create { .. } => "create the token",
            Action::List { .. } => "list the tokens",
            Action::Revoke { .. } => "revoke the token",
        }
    }

    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        match self.action {
            Action::Create { name, user, json } => create(ctx, &name, user.as_deref(), json).await,
            Action::List { json } => list(ctx, json).await,
            Action::Revoke { id } => {
                ctx.api().await?.delete(&["tokens", &id], &[]).await?;
                ctx.line(&format!("revoked {id}"))
            }
        }
    }
}

async fn create(ctx: &Context, name: &str, user: Option<&str>, json: bool) -> Result<(), CliError> {
    let mut body = json!({ "name": name });
    if let Some(user) = user {
        body["user"] = json!(user);
    }
    let answer = ctx.api().await?.post(&["tokens"], &body).await?;
    let made: NewToken = wire::read(&answer)?;
    ctx.note(&format!(
        "made token {} of {} with the id {}; keep it, it is never shown again",
        made.name, made.user, made.id
    ));
    if json { ctx.json(&answer) } else { ctx.line(&made.token) }
}

async fn list(ctx: &Context, json: bool) -> Result<(), CliError> {
    let tokens = ctx.api().await?.list(&["tokens"], &[], None).await?;
    if json {
        return ctx.json(&Value::Array(tokens));
    }
    let mut table = Table::new(&["ID", "NAME", "USER", "CREATED"]);
    for token in wire::read_all::<Token>(&tokens)? {
        table.row(vec![token.id, token.name, token.user, text::time(&token.created_at)]);
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
    async fn a_new_token_alone_goes_to_standard_output() {
        let server = TestServer::start().await;
        let made =
            json!({"id": "t1", "name": "ci", "user": "bob", "token": "nbh_new", "created_at": "2026-01-02T03:04:05Z"});
        let create = server.mock("POST", "/v1/tokens").and(body_json(json!({"name": "ci", "user": "bob"})));
        create.respond_with(ResponseTemplate::new(201).set_body_json(made)).expect(1).mount(&server.http).await;
        let ran = server.run(&["token", "create", "ci", "--user", "bob"]).await;
        assert_eq!((ran.code, ran.out.as_str()), (0, "nbh_new\n"), "{}", ran.err);
        assert!(ran.err.contains("id t1") && !ran.err.contains("nbh_new"), "{}", ran.err);
    }

    #[tokio::test]
    async fn tokens_are_listed_and_revoked() {
        let server = TestServer::start().await;
        let token = json!({"id": "t1", "name": "ci", "user": "bob", "created_at": "2026-01-02T03:04:05Z"});
        server.list("/v1/tokens", &[], std::slice::from_ref(&token)).await;
        server.mock("DELETE", "/v1/tokens/t1").respond_with(ResponseTemplate::new(204)).mount(&server.http).await;
        let ran = server.run(&["token", "list"]).await;
        assert_eq!(ran.out, "ID\tNAME\tUSER\tCREATED\nt1\tci\tbob\t2026-01-02 03:04:05\n", "{}", ran.err);
        let ran = server.run(&["token", "list", "--json"]).await;
        assert_eq!(serde_json::from_str::<serde_json::Value>(&ran.out).unwrap(), json!([token]));
        assert_eq!(server.run(&["token", "revoke", "t1"]).await.out, "revoked t1\n");
        let ran = server.run(&["token", "revoke", "t2"]).await;
        assert_eq!(
            (ran.code, ran.err.as_str()),
            (3, "failed to revoke the token: the server answered 404 Not Found\n")
        );
    }
}
