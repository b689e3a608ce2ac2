//! `nbhook find`: a hook's URL, for scripts.

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::hook_arg::HookArg;

/// Print just the URL of a hook
#[derive(Debug, Args)]
pub(super) struct Find {
    #[command(flatten)]
    hook: HookArg,
}

impl Find {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let (hook, _) = self.hook.find(&ctx.api().await?).await?;
        ctx.line(hook.url.expose())
    }
}
