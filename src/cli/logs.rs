//! `nbhook logs`: what a run's cells printed and raised; with `-f` while it goes on.

mod follow;
mod text;

use clap::Args;

use super::api::Api;
use super::context::Context;
use super::error::CliError;
use super::hook_arg::HookArg;
use super::text as shown;
use super::wire::{self, Run};
use crate::model::{RunId, RunState};

/// Print what a run wrote to its streams, and its errors
///
/// Of a hook, or of all hooks if none is named, it is the last run. With --follow the run is watched until it ends, and the exit
/// code is 6 if it did not succeed; a hook's runs are watched one after another until Ctrl-C.
#[derive(Debug, Args)]
pub(super) struct Logs {
    /// A run's id, as `nbhook runs` shows it, or a hook's path or id [default: the last run of any hook]
    #[arg(value_name = "RUN|HOOK")]
    of: Option<String>,
    /// Whose hook, if several users deployed one with this path (admins only)
    #[arg(long, value_name = "USER", requires = "of")]
    owner: Option<String>,
    /// Go on while the run does: its cells, progress and output as they come
    #[arg(short, long)]
    follow: bool,
    /// Of a hook that is followed: stop after so many runs
    #[arg(short = 'n', long, value_name = "NUMBER", requires = "follow")]
    count: Option<usize>,
}

/// Whose logs are wanted.
enum Of {
    Run(Box<Run>),
    /// The hook's id; none for all hooks.
    Hook(Option<String>),
}

impl Logs {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let api = ctx.api().await?;
        match self.of(&api).await? {
            Of::Run(run) if self.follow => follow::run(ctx, &api, *run).await,
            Of::Run(run) => print(ctx, &api, &run).await,
            Of::Hook(hook) if self.follow => follow::hook(ctx, &api, hook.as_deref(), self.count).await,
            Of::Hook(hook) => match runs(&api, hook.as_deref(), Some(1)).await?.first() {
                Some(run) => print(ctx, &api, run).await,
                None => Err(CliError::NotFound("there was no run yet".to_owned())),
            },
        }
    }

    async fn of(&self, api: &Api) -> Result<Of, CliError> {
        let Some(of) = &self.of else { return Ok(Of::Hook(None)) };
        // The ids of runs and hooks look alike.
        let id = of.parse::<RunId>().ok().map(|id| id.to_string());
        if let Some(id) = &id {
            match api.get(&["runs", id]).await {
                Ok(run) => return Ok(Of::Run(wire::read(&run)?)),
                Err(error) if error.exit_code() != 3 => return Err(error),
                Err(_) => {}
            }
        }
        let found = HookArg { hook: of.clone(), owner: self.owner.clone() }.find(api).await;
        match found {
            Ok((hook, _)) => Ok(Of::Hook(Some(hook.id))),
            Err(error) if id.is_some() && error.exit_code() == 3 => {
                Err(CliError::NotFound(format!("there is no run or hook {of}")))
            }
            Err(error) => Err(error),
        }
    }
}

/// The last runs, newest first.
async fn runs(api: &Api, hook: Option<&str>, most: Option<usize>) -> Result<Vec<Run>, CliError> {
    let filters: Vec<_> = hook.map(|hook| ("hook", hook)).into_iter().collect();
    wire::read_all(&api.list(&["runs"], &filters, most).await?)
}

/// Whether a run is over.
fn has_ended(state: &str) -> bool {
    state.parse::<RunState>().is_ok_and(RunState::is_final)
}

/// Prints the log of a run that has ended.
async fn print(ctx: &Context, api: &Api, run: &Run) -> Result<(), CliError> {
    if !has_ended(&run.state) {
        let id = &run.id;
        let why = format!("run {id} is still {}: follow it with `nbhook logs {id} --follow`", run.state);
        return Err(CliError::Failed(why));
    }
    let log = match api.get(&["runs", &run.id, "output"]).await {
        Ok(notebook) => text::log(&notebook),
        // A run that was interrupted, or failed before its kernel started, has an error but no output.
        Err(error) if error.exit_code() == 3 && run.error.is_some() => String::new(),
        Err(error) => return Err(error),
    };
    let log = if ctx.terminals.output { shown::coloured(&log) } else { shown::plain(&log) };
    ctx.bytes(log.as_bytes())?;
    match &run.error {
        // The exception of a cell stands in the notebook; that a run timed out, or its kernel died, does not.
        Some(error) if error.kind != "cell-error" => ctx.line(&format!("run {}: {}", run.state, error.summary())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

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
        assert!(ran.err.contains("is still running"), "{}", ran.err);
    }
}
