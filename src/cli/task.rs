//! `nbhook task`: how a run is that nobody waits for, and what it answered.

use std::path::PathBuf;

use clap::Args;
use reqwest::Url;

use super::call::target;
use super::context::Context;
use super::error::CliError;
use super::polling::{self, Asked};
use crate::model::RunId;

/// Show how an asynchronous run is, or wait for its answer
#[derive(Debug, Args)]
pub(super) struct Task {
    /// The run's id, or the URL that `nbhook call --async` printed
    #[arg(value_name = "ID|URL", value_parser = parse_place)]
    place: Place,
    /// Wait until it has ended, and print its answer
    #[arg(long)]
    wait: bool,
    /// File to save the answer to; it must not exist
    #[arg(short, long, value_name = "FILE", requires = "wait")]
    output: Option<PathBuf>,
}

/// What a task is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Id(RunId),
    Url(Url),
}

fn parse_place(text: &str) -> Result<Place, String> {
    if let Ok(id) = text.parse() {
        return Ok(Place::Id(id));
    }
    let url = Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
    url.map(Place::Url).ok_or_else(|| "expected the id of a run, or the URL of a task".to_owned())
}

impl Task {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let target = target(self.output.as_deref())?;
        let api = ctx.api().await?;
        let url = match self.place {
            Place::Id(id) => api.url(&["tasks", &id.to_string()]),
            Place::Url(url) => url,
        };
        if self.wait {
            return polling::result(ctx, &api, &url, &target).await;
        }
        let line = |name: &str, value: &str| ctx.line(&format!("{name:<10} {value}"));
        match polling::ask(&api, &url).await? {
            Asked::GoesOn(task) => {
                line("state", &task.state)?;
                task.progress.iter().try_for_each(|progress| line("progress", &progress.to_string()))
            }
            Asked::Succeeded(result) => {
                line("state", "succeeded")?;
                line("result", result.as_str())
            }
            Asked::Failed(failure) => {
                line("state", failure.state())?;
                line("error", &failure.message())
            }
        }
    }
}

#[cfg(test)]
#[path = "task_tests.rs"]
mod tests;
