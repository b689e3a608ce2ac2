//! `nbhook secret`: keeps, lists, reads and deletes what notebooks need and nobody else may read.

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};

use super::context::Context;
use super::error::CliError;
use super::table::Table;
use super::text;
use super::wire;
use crate::model::SecretName;

/// Keep, list, read and delete secrets: what your notebooks read with nbhook.secret.get
#[derive(Debug, Args)]
pub(super) struct SecretCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Keep a secret, in the place of the one that has its name
    ///
    /// The value is asked for without being shown, or read from standard input, e.g. `nbhook secret add key < FILE`, without the line
    /// feed at its end. It is no argument, as others on this machine can see those.
    Add {
        /// Letters, digits and _.- that begin with a letter or _
        name: SecretName,
    },
    /// List the names of your secrets
    List {
        /// Print the server's JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the value of a secret
    Get {
        /// Its name, as `nbhook secret list` shows it
        name: SecretName,
        /// Print the server's JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete a secret
    Delete {
        /// Its name, as `nbhook secret list` shows it
        name: SecretName,
    },
}

/// A secret in a list.
#[derive(Deserialize)]
struct Listed {
    name: String,
    created_at: String,
    updated_at: String,
}

/// A secret with its value.
#[derive(Deserialize)]
struct Read {
    value: String,
}

impl SecretCommand {
    pub(super) fn purpose(&self) -> &'static str {
        match self.action {
            Action::Add { .. } => "keep the secret",
            Action::List { .. } => "list the secrets",
            Action::Get { .. } => "read the secret",
            Action::Delete { .. } => "delete the secret",
        }
    }

    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        match self.action {
            Action::Add { name } => {
                let api = ctx.api().await?; // before anything is asked for
                let value = ctx.ask_hidden(&format!("value of {name} (not shown): ")).await?;
                api.put(&["secrets", name.as_str()], &json!({"value": value})).await?;
                ctx.line(&format!("kept {name}"))
            }
            Action::List { json } => list(ctx, json).await,
            Action::Get { name, json } => {
                let answer = ctx.api().await?.get(&["secrets", name.as_str()]).await?;
                if json {
                    return ctx.json(&answer);
                }
                let Read { value } = wire::read(&answer)?;
                // To a program byte for byte; a terminal is told no control characters.
                if ctx.terminals.output { ctx.line(&value) } else { ctx.bytes(format!("{value}\n").as_bytes()) }
            }
            Action::Delete { name } => {
                ctx.api().await?.delete(&["secrets", name.as_str()], &[]).await?;
                ctx.line(&format!("deleted {name}"))
            }
        }
    }
}

async fn list(ctx: &Context, json: bool) -> Result<(), CliError> {
    let secrets = ctx.api().await?.list(&["secrets"], &[], None).await?;
    if json {
        return ctx.json(&Value::Array(secrets));
    }
    let mut table = Table::new(&["NAME", "CREATED", "CHANGED"]);
    for secret in wire::read_all::<Listed>(&secrets)? {
        table.row(vec![secret.name, text::time(&secret.created_at), text::time(&secret.updated_at)]);
    }
    ctx.table(&table)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wiremock::ResponseTemplate;
    use wiremock::matchers::body_json;

    use crate::cli::context::Terminals;
    use crate::cli::testing::TestServer;

    #[tokio::test]
    async fn a_value_comes_from_standard_input_and_is_printed_only_when_asked_for() {
        let server = TestServer::start().await;
        let info = json!({"name": "key", "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-03T03:04:05Z"});
        let put = server.mock("PUT", "/v1/secrets/key").and(body_json(json!({"value": " hush\nhush"})));
        put.respond_with(ResponseTemplate::new(201).set_body_json(&info)).expect(1).mount(&server.http).await;
        let ran = server.run_as(&["secret", "add", "key"], " hush\nhush\n", Terminals::default()).await;
        assert_eq!((ran.code, ran.out.as_str()), (0, "kept key\n"), "{}", ran.err);

        server.list("/v1/secrets", &[], std::slice::from_ref(&info)).await;
        let ran = server.run(&["secret", "list"]).await;
        assert_eq!(ran.out, "NAME\tCREATED\tCHANGED\nkey\t2026-01-02 03:04:05\t2026-01-03 03:04:05\n", "{}", ran.err);
        let mut whole = info;
        whole["value"] = " hush\nhush".into();
        server.json("GET", "/v1/secrets/key", 200, whole).await;
        assert_eq!(server.run(&["secret", "get", "key"]).await.out, " hush\nhush\n");
        server.json("DELETE", "/v1/secrets/key", 200, json!({"success": true})).await;
        assert_eq!(server.run(&["secret", "delete", "key"]).await.out, "deleted key\n");
        assert_eq!(server.run(&["secret", "get", "none"]).await.code, 3);
    }
}
