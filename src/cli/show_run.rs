//! `nbhook show-run`: one run with its error.

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::text;
use super::wire::{self, Run};
use crate::model::RunId;

/// Show one run with its error and traceback
#[derive(Debug, Args)]
pub(super) struct ShowRun {
    /// The run's id, as `nbhook runs` shows it
    run: RunId,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

impl ShowRun {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let value = ctx.api().await?.get(&["runs", &self.run.to_string()]).await?;
        if self.json { ctx.json(&value) } else { print(ctx, wire::read(&value)?) }
    }
}

fn print(ctx: &Context, run: Run) -> Result<(), CliError> {
    let time = |time: Option<String>| time.as_deref().map(text::time).unwrap_or_default();
    let fields = [
        ("run", run.id),
        ("state", run.state),
        ("hook", run.hook),
        ("version", run.version),
        ("output", run.histo),
        ("trigger", format!("{} {}", run.trigger, run.method)),
        ("created", text::time(&run.created_at)),
        ("started", time(run.started_at)),
        ("finished", time(run.finished_at)),
        ("took", run.duration_ms.map(text::duration).unwrap_or_default()),
        ("cells", format!("{} of {}", run.cells_done, run.cells_total)),
        ("mode", run.mode.unwrap_or_default()),
        ("attempts", run.attempts.map(|attempts| attempts.to_string()).unwrap_or_default()),
    ];
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        ctx.line(&format!("{name:<10} {value}"))?;
    }
    for warning in &run.warnings {
        ctx.line(&format!("{:<10} {warning}", "warning"))?;
    }
    let Some(error) = run.error else { return Ok(()) };
    // People count cells from one, and so does the server's own sentence.
    let cell = error.cell.map(|cell| format!(" in cell {}", cell + 1)).unwrap_or_default();
    ctx.line(&format!("{:<10} {}{cell}", "error", error.summary()))?;
    let traceback = error.traceback.unwrap_or_default().join("\n");
    let shown = if ctx.terminals.output { text::coloured(&traceback) } else { text::plain(&traceback) };
    if shown.is_empty() { Ok(()) } else { ctx.bytes(format!("\n{}\n", shown.trim_end()).as_bytes()) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::cli::testing::{HOOK, TestServer};

    const RUN: &str = "0198c5f0-0000-7000-8000-00000000000a";

    #[tokio::test]
    async fn a_run_is_shown_with_its_traceback() {
        let server = TestServer::start().await;
        let run = json!({"id": RUN, "hook": HOOK, "version": "20260101000000000000", "histo": "20260102000000000000",
            "state": "failed", "trigger": "http", "method": "POST", "created_at": "2026-01-02T03:04:05Z",
            "started_at": "2026-01-02T03:04:06Z", "finished_at": null, "duration_ms": 48, "cells_total": 4, "cells_done": 3,
            "warnings": ["a second response"], "error": {"kind": "cell-error", "detail": "d", "cell": 2, "ename": "ValueError",
            "evalue": "no", "traceback": ["\u{1b}[0;31mValueError\u{1b}[0m", "no"]}});
        server.json("GET", &format!("/v1/runs/{RUN}"), 200, run.clone()).await;
        let ran = server.run(&["show-run", RUN]).await;
        assert!(
            ran.out.contains("trigger    http POST\n") && ran.out.contains("took       48 ms\n"),
            "{}{}",
            ran.out,
            ran.err
        );
        assert!(!ran.out.contains("finished"), "{}", ran.out);
        assert!(ran.out.ends_with("error      ValueError: no in cell 3\n\nValueError\nno\n"), "{}", ran.out);
        let ran = server.run(&["show-run", RUN, "--json"]).await;
        assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), run);
    }
}
