//! Asking for a task until it has ended, and giving its result. Shared by the commands that start or show one.

use std::time::Duration;

use reqwest::{Response, StatusCode, Url, header};
use serde_json::Value;

use super::api::{self, Api, problem_message, read_body, read_problem};
use super::call::{answer, media_type, run_failed};
use super::context::{Context, measure};
use super::download::Target;
use super::error::CliError;
use super::wire::{self, Task};

/// How long to wait for the next question, if the server does not say; and between which bounds when it does.
const PAUSE: Duration = Duration::from_secs(2);
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_mins(1);

/// What a task came to so far.
#[derive(Debug)]
pub(super) enum Asked {
    GoesOn(Task),
    /// Its answer is here.
    Succeeded(Url),
    Failed(Failure),
}

/// Why a task has no answer: the problem document it ended with.
#[derive(Debug)]
pub(super) struct Failure(Value);

impl Failure {
    /// The state of the run, told by the kind of its problem.
    pub(super) fn state(&self) -> &'static str {
        let kind = self.0.get("type").and_then(Value::as_str).unwrap_or_default();
        match kind.rsplit(':').next().unwrap_or_default() {
            "timeout" => "timed_out",
            "cancelled" => "cancelled",
            "interrupted" => "interrupted",
            _ => "failed",
        }
    }

    pub(super) fn message(&self) -> String {
        problem_message(StatusCode::OK, Some(&self.0))
    }
}

/// Asks once.
pub(super) async fn ask(api: &Api, url: &Url) -> Result<Asked, CliError> {
    let response = api.fetch(url).await?;
    match response.status() {
        StatusCode::SEE_OTHER => Ok(Asked::Succeeded(location(&response)?)),
        StatusCode::OK if media_type(&response) == "application/problem+json" => {
            let problem = read_problem(response).await;
            problem.map(|problem| Asked::Failed(Failure(problem))).ok_or_else(|| not_understood("it is no problem"))
        }
        StatusCode::OK => {
            let body = read_body(response, url).await?;
            let task: Value = serde_json::from_slice(&body).map_err(|_| not_understood("it is not JSON"))?;
            Ok(Asked::GoesOn(wire::read(&task)?))
        }
        _ => Err(api::problem(response).await),
    }
}

/// Where an answer sends to, which may be relative to where it came from.
pub(super) fn location(response: &Response) -> Result<Url, CliError> {
    let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
    let url = location.and_then(|location| response.url().join(location).ok());
    url.ok_or_else(|| not_understood("it names no address"))
}

fn not_understood(why: &str) -> CliError {
    CliError::Answer(why.to_owned())
}

/// Says that a run was started: its URL goes to standard output, the rest is for people.
pub(super) fn started(ctx: &Context, task: &Task, url: &Url) -> Result<(), CliError> {
    ctx.note(&format!("run {} is {}; `nbhook task {} --wait` waits for it", task.id, task.state, task.id));
    ctx.line(url.as_str())
}

/// Waits until a task has ended, and prints or saves what it answered. The server ends every run, by its timeout at last.
pub(super) async fn result(ctx: &Context, api: &Api, url: &Url, target: &Target) -> Result<(), CliError> {
    let bar = ctx.progress(1, "waiting for the run");
    let ended = loop {
        match ask(api, url).await {
            Ok(Asked::GoesOn(task)) => {
                match &task.progress {
                    Some(progress) => measure(&bar, progress),
                    None => bar.set_message(format!("the run is {}", super::text::plain(&task.state))),
                }
                tokio::time::sleep(pause(task.retry_after)).await;
            }
            ended => break ended,
        }
    };
    bar.finish_and_clear();
    match ended? {
        Asked::Succeeded(result) => answer(ctx, api, target, api.fetch(&result).await?).await,
        Asked::Failed(Failure(problem)) => {
            let run = url.path_segments().and_then(|mut segments| segments.next_back()).unwrap_or_default().to_owned();
            Err(run_failed(ctx, api, StatusCode::OK, Some(problem), &run).await)
        }
        Asked::GoesOn(_) => Err(not_understood("the run has not ended")),
    }
}

fn pause(retry_after: Option<u64>) -> Duration {
    retry_after.map_or(PAUSE, Duration::from_secs).clamp(SHORTEST, LONGEST)
}
