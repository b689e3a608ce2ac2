//! `nbhook rerun`: runs a notebook again with the parameters of an earlier run.

use std::path::PathBuf;

use clap::Args;

use super::call::target;
use super::context::Context;
use super::error::CliError;
use super::polling;
use super::wire::{self, Task};
use crate::model::RunId;

/// Run a notebook again, with the parameters of an earlier run
///
/// Prints the URL of the task to standard output, or with --wait what the notebook answers. Runs that had sensitive parameters
/// or files cannot be repeated: neither is kept.
#[derive(Debug, Args)]
pub(super) struct Rerun {
    /// The run's id, as `nbhook runs` shows it
    run: RunId,
    /// Wait until it has ended, and print its answer
    #[arg(long)]
    wait: bool,
    /// File to save the answer to; it must not exist
    #[arg(short, long, value_name = "FILE", requires = "wait")]
    output: Option<PathBuf>,
}

impl Rerun {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let target = target(self.output.as_deref())?;
        let api = ctx.api().await?;
        let task: Task = wire::read(&api.act(&["runs", &self.run.to_string(), "rerun"]).await?)?;
        let url = api.resolve(task.href().expose())?;
        if self.wait { polling::result(ctx, &api, &url, &target).await } else { polling::started(ctx, &task, &url) }
    }
}
