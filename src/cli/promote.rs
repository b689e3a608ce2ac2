//! `nbhook promote`: rolls back, or forward, to another version.

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::hook_arg::HookArg;
use super::wire::{self, Hook};
use crate::model::Histo;

/// Make another version of a hook the live one
#[derive(Debug, Args)]
pub(super) struct Promote {
    #[command(flatten)]
    hook: HookArg,
    /// The version, as `nbhook versions` shows it
    histo: Histo,
}

impl Promote {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let api = ctx.api().await?;
        let (hook, _) = self.hook.find(&api).await?;
        let promoted = api.act(&["hooks", &hook.id, "versions", self.histo.as_str(), "promote"]).await?;
        let hook: Hook = wire::read(&promoted)?;
        for lost in &hook.breaking {
            ctx.note(&format!("warning: {lost}"));
        }
        ctx.line(&format!("{} now runs version {}", hook.path, hook.histo))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use crate::cli::Cli;
    use crate::cli::testing::{HOOK, TestServer, hook};

    #[tokio::test]
    async fn an_older_version_becomes_live() {
        let server = TestServer::start().await;
        let at = format!("/v1/hooks/{HOOK}");
        server.json("GET", &at, 200, hook(HOOK, "a.ipynb", "bob")).await;
        let mut promoted = hook(HOOK, "a.ipynb", "bob");
        promoted["histo"] = json!("20260101000000000000");
        promoted["breaking"] = json!(["the parameter `n` is gone"]);
        server.json("POST", &format!("{at}/versions/20260101000000000000/promote"), 200, promoted).await;
        let ran = server.run(&["promote", HOOK, "20260101000000000000"]).await;
        assert_eq!(ran.out, "a.ipynb now runs version 20260101000000000000\n", "{}", ran.err);
        assert_eq!(ran.err, "warning: the parameter `n` is gone\n");
        let gone = server.run(&["promote", HOOK, "20250101000000000000"]).await;
        assert_eq!(gone.code, 3);
    }

    #[test]
    fn a_histo_that_is_none_is_a_wrong_command_line() {
        let error = Cli::try_parse_from(["nbhook", "promote", "a.ipynb", "latest"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }
}
