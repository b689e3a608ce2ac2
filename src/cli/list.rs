//! `nbhook list`: what is deployed.

use clap::Args;
use serde_json::Value;

use super::context::Context;
use super::error::CliError;
use super::table::Table;
use super::text;
use super::wire::{self, Hook};

/// List the hooks with their live versions and URLs
#[derive(Debug, Args)]
pub(super) struct List {
    /// Only this user's hooks (admins only)
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let filters: Vec<_> = self.owner.iter().map(|owner| ("owner", owner.as_str())).collect();
        let hooks = ctx.api().await?.list(&["hooks"], &filters, None).await?;
        if self.json {
            return ctx.json(&Value::Array(hooks));
        }
        let mut table = Table::new(&["PATH", "OWNER", "VERSION", "UPDATED", "URL"]);
        for hook in wire::read_all::<Hook>(&hooks)? {
            let url = hook.url.expose().to_owned();
            table.row(vec![hook.path, hook.owner, hook.histo, text::time(&hook.updated_at), url]);
        }
        ctx.table(&table)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::cli::testing::{TestServer, hook};

    #[tokio::test]
    async fn hooks_are_listed_as_lines_and_as_json() {
        let server = TestServer::start().await;
        let hooks = [hook("1", "a.ipynb", "bob"), hook("2", "b c.ipynb", "bob")];
        server.list("/v1/hooks", &[("owner", "bob")], &hooks).await;
        let ran = server.run(&["list", "--owner", "bob"]).await;
        let row = "b c.ipynb\tbob\t20260102030405678901\t2026-01-02 03:04:06\thttp://hooks.test/hooks/t-bob";
        assert_eq!(ran.out.lines().nth(2), Some(row), "{}", ran.err);
        let ran = server.run(&["list", "--owner", "bob", "--json"]).await;
        assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), json!(hooks));
    }

    #[tokio::test]
    async fn a_refused_token_has_its_own_exit_code() {
        let server = TestServer::start().await;
        server.json("GET", "/v1/hooks", 401, json!({"detail": "the API token is not valid"})).await;
        let ran = server.run(&["list"]).await;
        assert_eq!(ran.code, 4);
        assert!(ran.err.starts_with("failed to list the hooks: the API token is not valid (log in"), "{}", ran.err);
    }
}
