//! `nbhook versions`: the deployed notebooks of one hook.

use clap::Args;
use serde_json::Value;

use super::context::Context;
use super::error::CliError;
use super::hook_arg::HookArg;
use super::table::Table;
use super::text;
use super::wire::{self, Version};

/// List the versions of a hook, newest first
#[derive(Debug, Args)]
pub(super) struct Versions {
    #[command(flatten)]
    hook: HookArg,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

impl Versions {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let api = ctx.api().await?;
        let (hook, _) = self.hook.find(&api).await?;
        let versions = api.list(&["hooks", &hook.id, "versions"], &[], None).await?;
        if self.json {
            return ctx.json(&Value::Array(versions));
        }
        let mut table = Table::new(&["VERSION", "LIVE", "SIZE", "CREATED"]);
        for version in wire::read_all::<Version>(&versions)? {
            let live = if version.live { "live" } else { "" };
            let (size, created) = (text::size(version.size), text::time(&version.created_at));
            table.row(vec![version.histo, live.to_owned(), size, created]);
        }
        ctx.table(&table)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::cli::testing::{HOOK, TestServer, hook};

    #[tokio::test]
    async fn versions_say_which_one_is_live() {
        let server = TestServer::start().await;
        server.json("GET", &format!("/v1/hooks/{HOOK}"), 200, hook(HOOK, "a.ipynb", "bob")).await;
        let version = |histo: &str, live| json!({"histo": histo, "size": 2048, "live": live, "created_at": "2026-01-02T03:04:05Z"});
        let versions = [version("20260102030405678902", true), version("20260102030405678901", false)];
        server.list(&format!("/v1/hooks/{HOOK}/versions"), &[], &versions).await;
        let ran = server.run(&["versions", HOOK]).await;
        assert_eq!(
            ran.out,
            "VERSION\tLIVE\tSIZE\tCREATED\n20260102030405678902\tlive\t2.0 KiB\t2026-01-02 03:04:05\n\
            20260102030405678901\t\t2.0 KiB\t2026-01-02 03:04:05\n",
            "{}",
            ran.err
        );
        let ran = server.run(&["versions", HOOK, "--json"]).await;
        assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), json!(versions));
    }
}
