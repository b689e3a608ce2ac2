//! `nbhook clear-output`: removes executed notebooks.

use clap::Args;

use super::clear::remove;
use super::context::Context;
use super::error::CliError;
use super::hook_arg::HookArg;
use crate::model::Histo;

/// Remove the executed notebooks of a hook, or one of them
#[derive(Debug, Args)]
pub(super) struct ClearOutput {
    #[command(flatten)]
    hook: HookArg,
    /// Only this output
    #[arg(long)]
    histo: Option<Histo>,
}

impl ClearOutput {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        remove(ctx, &self.hook, "outputs", self.histo.as_ref()).await
    }
}
