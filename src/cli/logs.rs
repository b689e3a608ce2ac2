//! `nbhook logs`: what a run's cells printed and raised, from its executed notebook.

use std::fmt::Write;

use clap::Args;
use serde_json::Value;

use super::context::Context;
use super::error::CliError;
use super::text;
use super::wire::{self, Run};
use crate::model::RunId;

/// Print what a run wrote to its streams, and its errors
#[derive(Debug, Args)]
pub(super) struct Logs {
    /// The run's id, as `nbhook runs` shows it
    run: RunId,
}

impl Logs {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let api = ctx.api().await?;
        let id = self.run.to_string();
        let run: Run = wire::read(&api.get(&["runs", &id]).await?)?;
        if matches!(run.state.as_str(), "queued" | "running") {
            return Err(CliError::Failed(format!("it is still {}: its output comes when it ends", run.state)));
        }
        let log = match api.get(&["runs", &id, "output"]).await {
            Ok(notebook) => log(&notebook),
            // A run that was interrupted, or failed before its kernel started, has an error but no output.
            Err(error) if error.exit_code() == 3 && run.error.is_some() => String::new(),
            Err(error) => return Err(error),
        };
        let shown = if ctx.terminals.output { text::coloured(&log) } else { text::plain(&log) };
        ctx.bytes(shown.as_bytes())?;
        match run.error {
            // The exception of a cell stands in the notebook; that a run timed out, or its kernel died, does not.
            Some(error) if error.kind != "cell-error" => ctx.line(&format!("run {}: {}", run.state, error.summary())),
            _ => Ok(()),
        }
    }
}

/// The streams and errors of a notebook's cells (nbformat 4), each under a header with the cell's execution count.
fn log(notebook: &Value) -> String {
    let mut log = String::new();
    for cell in array(notebook, "cells") {
        let texts: Vec<String> = array(cell, "outputs").iter().filter_map(printed).collect();
        if texts.is_empty() {
            continue;
        }
        let count =
            cell.get("execution_count").and_then(Value::as_u64).map_or_else(|| " ".to_owned(), |n| n.to_string());
        // Writing to a string cannot fail.
        let _ = writeln!(log, "--- [{count}]");
        for text in texts {
            log.push_str(&text);
            if !text.ends_with('\n') {
                log.push('\n');
            }
        }
    }
    log
}

fn printed(output: &Value) -> Option<String> {
    let text = |name: &str| output.get(name).map(multiline).filter(|text| !text.is_empty());
    match output.get("output_type")?.as_str()? {
        "stream" => text("text"),
        "error" => {
            let lines: Vec<&str> = array(output, "traceback").iter().filter_map(Value::as_str).collect();
            if lines.is_empty() {
                Some(format!("{}: {}", text("ename")?, text("evalue")?))
            } else {
                Some(lines.join("\n"))
            }
        }
        _ => None,
    }
}

fn array<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// nbformat's `multiline_string`: a string, or a list of its lines with their line feeds.
fn multiline(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::context::Terminals;
    use crate::cli::testing::{HOOK, TestServer};

    const RUN: &str = "0198c5f0-0000-7000-8000-00000000000a";

    async fn server(state: &str, error: Value) -> TestServer {
        let server = TestServer::start().await;
        let run = json!({"id": RUN, "hook": HOOK, "version": "v", "histo": "h", "state": state, "trigger": "http",
            "method": "GET", "created_at": "2026-01-02T03:04:05Z", "started_at": null, "finished_at": null,
            "duration_ms": null, "cells_total": 4, "cells_done": 3, "warnings": [], "error": error});
        server.json("GET", &format!("/v1/runs/{RUN}"), 200, run).await;
        server
    }

    fn notebook() -> Value {
        json!({"cells": [
            {"cell_type": "markdown", "source": "# hi"},
            {"cell_type": "code", "execution_count": 1, "outputs": [
                {"output_type": "stream", "name": "stdout", "text": ["one\n", "two"]},
                {"output_type": "display_data", "data": {"text/plain": "not shown"}},
                {"output_type": "stream", "name": "stderr", "text": "careful\u{1b}[2J\n"}]},
            {"cell_type": "code", "execution_count": 2, "outputs": []},
            {"cell_type": "code", "execution_count": null, "outputs": [
                {"output_type": "error", "ename": "KeyError", "evalue": "'a'", "traceback": ["\u{1b}[31mKeyError\u{1b}[0m", "'a'"]}]}
        ]})
    }

    #[tokio::test]
    async fn streams_and_errors_are_printed_in_order() {
        let server = server("failed", json!({"kind": "cell-error", "ename": "KeyError", "evalue": "'a'"})).await;
        server.json("GET", &format!("/v1/runs/{RUN}/output"), 200, notebook()).await;
        let ran = server.run(&["logs", RUN]).await;
        assert_eq!(ran.out, "--- [1]\none\ntwo\ncareful\n--- [ ]\nKeyError\n'a'\n", "{}", ran.err);
        let terminal = Terminals { output: true, ..Terminals::default() };
        let ran = server.run_as(&["logs", RUN], "", terminal).await;
        assert!(ran.out.contains("\u{1b}[31mKeyError\u{1b}[0m") && !ran.out.contains("\u{1b}[2J"), "{}", ran.out);
    }

    #[tokio::test]
    async fn what_no_cell_says_comes_last() {
        let server = server("timed_out", json!({"kind": "timeout", "detail": "took more than 5 s"})).await;
        server.json("GET", &format!("/v1/runs/{RUN}/output"), 200, notebook()).await;
        let ran = server.run(&["logs", RUN]).await;
        assert!(ran.out.ends_with("'a'\nrun timed_out: timeout: took more than 5 s\n"), "{}", ran.out);
    }

    #[tokio::test]
    async fn a_run_without_output_tells_its_error_or_that_there_is_none() {
        let died = server("failed", json!({"kind": "internal", "detail": "no kernel could be started"})).await;
        died.json("GET", &format!("/v1/runs/{RUN}/output"), 404, json!({"detail": "no such output"})).await;
        let ran = died.run(&["logs", RUN]).await;
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (0, "run failed: internal: no kernel could be started\n"),
            "{}",
            ran.err
        );
        let cleared = server("succeeded", Value::Null).await;
        cleared.json("GET", &format!("/v1/runs/{RUN}/output"), 404, json!({"detail": "no such output"})).await;
        assert_eq!(cleared.run(&["logs", RUN]).await.code, 3);
        let running = server("running", Value::Null).await;
        let ran = running.run(&["logs", RUN]).await;
        assert_eq!(ran.code, 1);
        assert!(ran.err.contains("it is still running"), "{}", ran.err);
    }
}
