//! `nbhook runs`: what was executed, and how it ended.

use std::collections::HashMap;

use clap::Args;
use serde_json::Value;

use super::api::Api;
use super::context::Context;
use super::error::CliError;
use super::hook_arg::HookArg;
use super::listing::Listing;
use super::since::{self, Since};
use super::table::Table;
use super::text;
use super::wire::{self, Hook, Run};
use crate::model::RunState;

/// From how many columns of a terminal on there is room for what is seldom asked for.
const WIDE: u16 = 140;

/// List runs, newest first
#[derive(Debug, Args)]
pub(super) struct Runs {
    /// Only runs of this hook: its path or id
    #[arg(value_name = "HOOK")]
    hook: Option<String>,
    /// Whose hook, if several users deployed one with this path (admins only)
    #[arg(long, value_name = "USER", requires = "hook")]
    owner: Option<String>,
    /// Only runs in this state: queued, running, succeeded, failed, `timed_out`, cancelled or interrupted
    #[arg(long)]
    state: Option<RunState>,
    /// Only runs since this time, as RFC 3339 or an age like 30m, 2h or 7d
    #[arg(long, value_name = "TIME", value_parser = since::parse)]
    since: Option<Since>,
    #[command(flatten)]
    listing: Listing,
}

impl Runs {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let api = ctx.api().await?;
        let hook = match self.hook.clone() {
            Some(hook) => Some(HookArg { hook, owner: self.owner.clone() }.find(&api).await?.0),
            None => None,
        };
        let since = self.since.map(|since| since.rfc3339(ctx));
        let mut filters = Vec::new();
        filters.extend(hook.as_ref().map(|hook| ("hook", hook.id.as_str())));
        filters.extend(self.state.map(|state| ("state", state.as_str())));
        filters.extend(since.as_deref().map(|since| ("since", since)));
        let runs = api.list(&["runs"], &filters, self.listing.most()).await?;
        if self.listing.json {
            return ctx.json(&Value::Array(runs));
        }
        let paths = match hook {
            Some(hook) => HashMap::from([(hook.id, hook.path)]),
            None => paths(&api).await?,
        };
        table(ctx, &wire::read_all(&runs)?, &paths)
    }
}

/// The path of every hook by its id.
async fn paths(api: &Api) -> Result<HashMap<String, String>, CliError> {
    let hooks = api.list(&["hooks"], &[], None).await?;
    Ok(wire::read_all::<Hook>(&hooks)?.into_iter().map(|hook| (hook.id, hook.path)).collect())
}

fn table(ctx: &Context, runs: &[Run], paths: &HashMap<String, String>) -> Result<(), CliError> {
    // What scripts read has always the same columns.
    let wide = ctx.terminals.output && ctx.terminals.width.is_some_and(|columns| columns >= WIDE);
    let mut header = vec!["RUN", "STATE", "HOOK", "CREATED", "TOOK", "CELLS"];
    header.extend(wide.then_some(["MODE", "ATTEMPTS"]).iter().flatten());
    header.push("ERROR");
    let mut table = Table::new(&header);
    for run in runs {
        let mut row = vec![
            run.id.clone(),
            run.state.clone(),
            paths.get(&run.hook).unwrap_or(&run.hook).clone(),
            text::time(&run.created_at),
            run.duration_ms.map(text::duration).unwrap_or_default(),
            format!("{}/{}", run.cells_done, run.cells_total),
        ];
        if wide {
            row.push(run.mode.clone().unwrap_or_default());
            row.push(run.attempts.map(|attempts| attempts.to_string()).unwrap_or_default());
        }
        row.push(run.error.as_ref().map(wire::RunError::summary).unwrap_or_default());
        table.row(row);
    }
    ctx.table(&table)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::context::Terminals;
    use crate::cli::testing::{HOOK, TestServer, hook};

    fn run(id: &str, hook: &str, error: &Value) -> Value {
        json!({"id": id, "hook": hook, "version": "v", "histo": "h", "state": "failed", "trigger": "http", "method": "GET",
            "created_at": "2026-01-02T03:04:05Z", "started_at": null, "finished_at": null, "duration_ms": 1234,
            "cells_total": 4, "cells_done": 3, "error": error, "warnings": []})
    }

    #[tokio::test]
    async fn runs_are_listed_with_the_paths_of_their_hooks() {
        let server = TestServer::start().await;
        let error = json!({"kind": "cell-error", "ename": "KeyError", "evalue": "'a'\nline two"});
        let runs = [run("r2", HOOK, &error), run("r1", "gone", &Value::Null)];
        server.list("/v1/runs", &[], &runs).await;
        server.list("/v1/hooks", &[], &[hook(HOOK, "a.ipynb", "bob")]).await;
        let ran = server.run(&["runs"]).await;
        let lines: Vec<&str> = ran.out.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "r2\tfailed\ta.ipynb\t2026-01-02 03:04:05\t1.2 s\t3/4\tKeyError: 'a' line two",
                "r1\tfailed\tgone\t2026-01-02 03:04:05\t1.2 s\t3/4\t"
            ],
            "{}",
            ran.err
        );
        let ran = server.run(&["runs", "--json"]).await;
        assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), json!(runs));
    }

    #[tokio::test]
    async fn a_wide_terminal_shows_more() {
        let server = TestServer::start().await;
        let mut retried = run("r1", HOOK, &Value::Null);
        retried["mode"] = json!("async");
        retried["attempts"] = json!(3);
        server.list("/v1/runs", &[], &[retried, run("r0", HOOK, &Value::Null)]).await;
        server.list("/v1/hooks", &[], &[hook(HOOK, "a.ipynb", "bob")]).await;
        let words = async |width| {
            let terminals = Terminals { output: true, width, ..Terminals::default() };
            let ran = server.run_as(&["runs"], "", terminals).await;
            let lines: Vec<Vec<String>> =
                ran.out.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect();
            lines
        };
        let shown = words(Some(WIDE)).await;
        assert_eq!(shown[0][6..], ["MODE", "ATTEMPTS", "ERROR"], "{shown:?}");
        assert_eq!(shown[1][6..], ["3/4", "async", "3"], "{shown:?}");
        assert_eq!(shown[2][6..], ["3/4"], "a server of before does not tell: {shown:?}");
        for width in [None, Some(WIDE - 1)] {
            assert_eq!(words(width).await[1][6..], ["3/4"]);
        }
    }

    #[tokio::test]
    async fn filters_reach_the_server() {
        let server = TestServer::start().await;
        server.json("GET", &format!("/v1/hooks/{HOOK}"), 200, hook(HOOK, "a.ipynb", "bob")).await;
        let filters = [("hook", HOOK), ("state", "timed_out"), ("since", "2026-01-02T02:04:05.000Z"), ("limit", "7")];
        server.list("/v1/runs", &filters, &[]).await;
        let options = ["--state", "timed_out", "--since", "2026-01-02T03:04:05+01:00", "--limit", "7"];
        let ran = server.run(&[&["runs", HOOK], &options[..]].concat()).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
    }
}
