//! `nbhook prune`: removes what exceeds its bounds, without waiting for the server to do so.

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::table::Table;
use super::text;
use super::wire::{self, Pruned};

/// Remove versions, runs and outputs that exceed the bounds of their hooks or of the server
///
/// The server does so by itself every ten minutes. Admins prune everyone's hooks, members their own.
#[derive(Debug, Args)]
pub(super) struct Prune {
    /// Only show what would go
    #[arg(long)]
    dry_run: bool,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

impl Prune {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let api = ctx.api().await?;
        let query: &[_] = if self.dry_run { &[("dry_run", "true")] } else { &[] };
        let bar = ctx.progress(1, "pruning");
        let answer = api.act_with(&["prune"], query).await;
        bar.finish_and_clear();
        let answer = answer?;
        if self.json {
            return ctx.json(&answer);
        }
        let pruned: Pruned = wire::read(&answer)?;
        let mut table = Table::new(&["VERSIONS", "RUNS", "OUTPUTS", "SIZE", "OWNER", "PATH"]);
        for hook in &pruned.hooks {
            let tally = &hook.tally;
            let numbers = [tally.versions, tally.runs, tally.outputs].map(|number| number.to_string());
            let [versions, runs, outputs] = numbers;
            table.row(vec![versions, runs, outputs, text::size(tally.bytes), hook.owner.clone(), hook.path.clone()]);
        }
        ctx.table(&table)?;
        ctx.note(&summary(&pruned));
        Ok(())
    }
}

fn summary(pruned: &Pruned) -> String {
    let total = &pruned.total;
    let mut parts = vec![
        counted(total.versions, "version"),
        counted(total.runs, "run"),
        counted(total.outputs, "output"),
        counted(pruned.answers, "expired answer"),
        counted(pruned.idempotency_keys, "expired key"),
        counted(pruned.leftovers, "leftover"),
        if pruned.inboxes == 1 { "1 inbox".to_owned() } else { format!("{} inboxes", pruned.inboxes) },
    ];
    parts.retain(|part| !part.starts_with("0 "));
    let what = if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") };
    let did = if pruned.dry_run { "would remove" } else { "removed" };
    format!("{did} {what} ({})", text::size(total.bytes))
}

fn counted(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use wiremock::ResponseTemplate;
    use wiremock::matchers::{query_param, query_param_is_missing};

    use crate::cli::testing::{HOOK, TestServer};

    fn answer(dry_run: bool) -> Value {
        json!({"dry_run": dry_run, "hooks": [{"hook": HOOK, "path": "a.ipynb", "owner": "bob", "versions": 0, "runs": 1,
            "outputs": 3, "bytes": 2048}], "total": {"versions": 0, "runs": 1, "outputs": 3, "bytes": 2048},
            "answers": 2, "idempotency_keys": 0, "leftovers": 1})
    }

    #[tokio::test]
    async fn what_goes_is_shown_as_a_table_and_as_json() {
        let server = TestServer::start().await;
        let reply = |dry_run| ResponseTemplate::new(200).set_body_json(answer(dry_run));
        let dry = server.mock("POST", "/v1/prune").and(query_param("dry_run", "true"));
        dry.respond_with(reply(true)).expect(1).mount(&server.http).await;
        let real = server.mock("POST", "/v1/prune").and(query_param_is_missing("dry_run"));
        real.respond_with(reply(false)).expect(2).mount(&server.http).await;
        let ran = server.run(&["prune", "--dry-run"]).await;
        assert_eq!(ran.out, "VERSIONS\tRUNS\tOUTPUTS\tSIZE\tOWNER\tPATH\n0\t1\t3\t2.0 KiB\tbob\ta.ipynb\n");
        assert_eq!(ran.err, "would remove 1 run, 3 outputs, 2 expired answers, 1 leftover (2.0 KiB)\n");
        let ran = server.run(&["prune"]).await;
        assert!(ran.err.starts_with("removed 1 run, 3 outputs"), "{}", ran.err);
        let ran = server.run(&["prune", "--json"]).await;
        assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), answer(false));
    }

    #[tokio::test]
    async fn nothing_to_do_is_told() {
        let server = TestServer::start().await;
        let nothing =
            json!({"dry_run": false, "hooks": [], "total": {"versions": 0, "runs": 0, "outputs": 0, "bytes": 0}});
        server.json("POST", "/v1/prune", 200, nothing).await;
        assert_eq!(server.run(&["prune"]).await.err, "removed nothing (0 B)\n");
    }
}
