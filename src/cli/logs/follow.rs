//! Watching runs while they go on, over connections that break.

use std::collections::HashSet;
use std::time::Duration;

use indicatif::ProgressBar;
use serde::Deserialize;
use tokio::time::{sleep, timeout};

use super::super::api::Api;
use super::super::context::{Context, measure};
use super::super::error::CliError;
use super::super::sse::{Parser, Told};
use super::super::text as shown;
use super::super::wire::{self, Progress, Run};
use super::{has_ended, print, runs};

/// The server says something every 15 seconds; after so much silence it is gone.
const SILENCE: Duration = Duration::from_secs(45);
/// How long to wait before the next try, at first and at most.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often to look for a hook's next run.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// How many runs are looked at then.
const AT_ONCE: usize = 100;
/// How many tries in a row may fail.
const MOST_TRIES: u32 = 30;

/// What happens in a run, as `/v1/runs/{id}/events` tells it.
enum News {
    State(State),
    Cell(Cell),
    Stream(Stream),
    Progress(Progress),
}

#[derive(Deserialize)]
struct State {
    state: String,
    attempt: u32,
}

#[derive(Deserialize)]
struct Cell {
    cell: Option<usize>,
    status: String,
}

#[derive(Deserialize)]
struct Stream {
    text: String,
}

impl News {
    /// None of what a newer server may tell besides.
    fn of(told: &Told) -> Option<Self> {
        let data = &told.data;
        match told.name.as_str() {
            "state" => serde_json::from_str(data).map(Self::State).ok(),
            "cell" => serde_json::from_str(data).map(Self::Cell).ok(),
            "stream" => serde_json::from_str(data).map(Self::Stream).ok(),
            "progress" => serde_json::from_str(data).map(Self::Progress).ok(),
            _ => None,
        }
    }
}

/// Follows a hook's runs, or those of all hooks, from those that go on now, one after another.
pub(super) async fn hook(ctx: &Context, api: &Api, hook: Option<&str>, most: Option<usize>) -> Result<(), CliError> {
    let mut seen: HashSet<String> = HashSet::new();
    // Those that had ended before are not news.
    let before = runs(api, hook, Some(AT_ONCE)).await?;
    let mut waiting: Vec<Run> = before.into_iter().inspect(|run| _ = seen.insert(run.id.clone())).collect();
    waiting.retain(|run| !has_ended(&run.state));
    let (mut followed, mut failures) = (0, 0);
    ctx.note("waiting for runs; stop with Ctrl-C");
    loop {
        // Newest first in the list.
        while let Some(next) = waiting.pop() {
            ctx.note(&format!("run {} of hook {}", next.id, next.hook));
            match run(ctx, api, next).await {
                Ok(()) => {}
                // That one has failed is what one watches for.
                Err(error @ CliError::RunFailed(_)) => ctx.note(&error.to_string()),
                Err(error) => return Err(error),
            }
            followed += 1;
            if most.is_some_and(|most| followed >= most) {
                return Ok(());
            }
        }
        sleep(BETWEEN_LOOKS).await;
        match runs(api, hook, Some(AT_ONCE)).await {
            Ok(found) => {
                failures = 0;
                waiting = found.into_iter().filter(|run| seen.insert(run.id.clone())).collect();
            }
            Err(error) if error.may_pass() && failures < MOST_TRIES => failures += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Follows a run to its end, and fails if it does.
pub(super) async fn run(ctx: &Context, api: &Api, run: Run) -> Result<(), CliError> {
    if has_ended(&run.state) {
        print(ctx, api, &run).await?;
        return verdict(&run);
    }
    let bar = ctx.progress(1, &format!("run {} is {}", run.id, run.state));
    let mut following = Following { ctx, bar, cells: run.cells_total, last: None, state: run.state, open_line: false };
    let followed = following.until_it_ends(api, &run.id).await;
    following.bar.finish_and_clear();
    followed?;
    let run: Run = wire::read(&api.get(&["runs", &run.id]).await?)?;
    if let Some(traceback) = run.error.as_ref().and_then(|error| error.traceback.as_ref()) {
        ctx.note_coloured(&traceback.join("\n"));
    }
    verdict(&run)
}

fn verdict(run: &Run) -> Result<(), CliError> {
    match (run.state.as_str(), &run.error) {
        ("succeeded", _) => Ok(()),
        (state, Some(error)) => Err(CliError::RunFailed(format!("run {} {state}: {}", run.id, error.summary()))),
        (state, None) => Err(CliError::RunFailed(format!("run {} {state}", run.id))),
    }
}

/// A run that is being followed.
struct Following<'a> {
    ctx: &'a Context,
    bar: ProgressBar,
    cells: u64,
    /// The number of the last event.
    last: Option<String>,
    state: String,
    /// Whether what was printed last did not end its line.
    open_line: bool,
}

impl Following<'_> {
    /// Reads events until the run has ended, over as many connections as it takes.
    async fn until_it_ends(&mut self, api: &Api, id: &str) -> Result<(), CliError> {
        let (mut pause, mut failures) = (PAUSE, 0);
        loop {
            let before = self.last.clone();
            match self.read(api, id).await {
                Ok(()) => failures = 0,
                // The server may be started anew.
                Err(error) if error.may_pass() && failures < MOST_TRIES => failures += 1,
                Err(error) => return Err(error),
            }
            if has_ended(&self.state) {
                return self.close_line();
            }
            pause = if self.last == before { (pause * 2).min(LONGEST_PAUSE) } else { PAUSE };
            self.bar.set_message("the connection broke: trying again");
            sleep(pause).await;
        }
    }

    /// Reads one connection to its end.
    async fn read(&mut self, api: &Api, id: &str) -> Result<(), CliError> {
        let mut response = api.resume(&["runs", id, "events"], self.last.as_deref()).await?;
        let mut parser = Parser::default();
        while let Ok(Ok(Some(chunk))) = timeout(SILENCE, response.chunk()).await {
            for told in parser.read(&chunk)? {
                if let Some(news) = News::of(&told) {
                    self.show(news)?;
                }
                self.last = Some(told.id);
            }
        }
        Ok(())
    }

    fn show(&mut self, news: News) -> Result<(), CliError> {
        match news {
            News::State(State { state, attempt }) => {
                self.close_line()?;
                let again = if attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
                self.note(&format!("{state}{again}"));
                self.bar.set_message(format!("the run is {state}"));
                self.state = state;
            }
            News::Cell(Cell { cell, status }) => {
                let number = cell.map_or_else(|| "the parameters".to_owned(), |cell| format!("cell {}", cell + 1));
                self.bar.set_message(format!("{number} of {} {status}", self.cells));
                if status != "ok" {
                    self.close_line()?;
                    self.note(&format!("{number} {status}"));
                }
            }
            News::Progress(progress) => measure(&self.bar, &progress),
            News::Stream(Stream { text }) => {
                let text = if self.ctx.terminals.output { shown::coloured(&text) } else { shown::plain(&text) };
                self.open_line = !text.ends_with('\n');
                self.bar.suspend(|| self.ctx.bytes(text.as_bytes()))?;
            }
        }
        Ok(())
    }

    fn close_line(&mut self) -> Result<(), CliError> {
        if std::mem::take(&mut self.open_line) { self.ctx.bytes(b"\n") } else { Ok(()) }
    }

    fn note(&self, line: &str) {
        self.bar.suspend(|| self.ctx.note(&format!("--- {line}")));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wiremock::ResponseTemplate;
    use wiremock::matchers::header;

    use crate::cli::testing::{HOOK, TestServer};

    const RUN: &str = "0198c5f0-0000-7000-8000-00000000000a";

    fn events(events: &[(u32, &str, &str)]) -> ResponseTemplate {
        let one = |(id, name, data): &(u32, &str, &str)| format!("id: {id}\nevent: {name}\ndata: {data}\n\n");
        ResponseTemplate::new(200).set_body_raw(events.iter().map(one).collect::<String>(), "text/event-stream")
    }

    #[tokio::test]
    async fn a_broken_connection_is_taken_up_where_it_was() {
        let server = TestServer::start().await;
        let run = |state: &str| {
            json!({"id": RUN, "hook": HOOK, "version": "v", "histo": "h", "state": state, "trigger": "http",
            "method": "GET", "created_at": "2026-01-02T03:04:05Z", "started_at": null, "finished_at": null,
            "duration_ms": null, "cells_total": 4, "cells_done": 3, "warnings": [], "error": null})
        };
        let record = || server.mock("GET", &format!("/v1/runs/{RUN}"));
        let going = ResponseTemplate::new(200).set_body_json(run("running"));
        record().respond_with(going).up_to_n_times(1).mount(&server.http).await;
        record().respond_with(ResponseTemplate::new(200).set_body_json(run("cancelled"))).mount(&server.http).await;
        let path = format!("/v1/runs/{RUN}/events");
        let last = server.mock("GET", &path).and(header("last-event-id", "3"));
        last.respond_with(events(&[
            (4, "stream", r#"{"cell": 1, "name": "stdout", "text": "and this\u001b[2J"}"#),
            (5, "state", r#"{"state": "cancelled", "attempt": 1}"#),
        ]))
        .expect(1)
        .mount(&server.http)
        .await;
        let first = server.mock("GET", &path);
        first
            .respond_with(events(&[
                (1, "state", r#"{"state": "running", "attempt": 1}"#),
                (2, "stream", r#"{"cell": 1, "name": "stdout", "text": "this "}"#),
                (3, "progress", r#"{"done": 1, "total": 2}"#),
            ]))
            .expect(1)
            .mount(&server.http)
            .await;
        let ran = server.run(&["logs", RUN, "-f"]).await;
        assert_eq!((ran.code, ran.out.as_str()), (6, "this and this\n"), "{}", ran.err);
        assert!(ran.err.contains("--- running\n--- cancelled\n"), "{}", ran.err);
    }
}
