//! `nbhook delete`: takes a hook away for good, after asking.

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::hook_arg::HookArg;

/// Delete a hook with its versions and outputs; its URL stops working at once
#[derive(Debug, Args)]
pub(super) struct Delete {
    #[command(flatten)]
    hook: HookArg,
    /// Keep versions and outputs in the server's folder
    #[arg(long)]
    keep_files: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Delete {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        if !self.yes && !ctx.terminals.input {
            return Err(CliError::Usage("there is nobody to ask: confirm with --yes".to_owned()));
        }
        let api = ctx.api().await?;
        let (hook, _) = self.hook.find(&api).await?;
        let files = if self.keep_files { "keeping its files" } else { "with all its versions and outputs" };
        if !self.yes {
            let answer = ctx.ask(&format!("Delete {} of {}, {files}? [y/N] ", hook.path, hook.owner)).await?;
            if !matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes") {
                return Err(CliError::Failed("it was not confirmed; nothing was deleted".to_owned()));
            }
        }
        let query: &[(&str, &str)] = if self.keep_files { &[("all", "false")] } else { &[] };
        api.delete(&["hooks", &hook.id], query).await?;
        ctx.line(&format!("deleted {} of {}, {files}", hook.path, hook.owner))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wiremock::ResponseTemplate;
    use wiremock::matchers::{query_param, query_param_is_missing};

    use crate::cli::context::Terminals;
    use crate::cli::testing::{HOOK, TestServer, hook};

    async fn server(keeping: u64, removing: u64) -> TestServer {
        let server = TestServer::start().await;
        let at = format!("/v1/hooks/{HOOK}");
        server.json("GET", &at, 200, hook(HOOK, "a.ipynb", "bob")).await;
        let success = || ResponseTemplate::new(200).set_body_json(json!({"success": true}));
        let keep = server.mock("DELETE", &at).and(query_param("all", "false"));
        keep.respond_with(success()).expect(keeping).mount(&server.http).await;
        let remove = server.mock("DELETE", &at).and(query_param_is_missing("all"));
        remove.respond_with(success()).expect(removing).mount(&server.http).await;
        server
    }

    const TERMINAL: Terminals = Terminals { input: true, output: false, errors: false, width: None, colours: false };

    #[tokio::test]
    async fn without_a_terminal_it_must_be_confirmed_by_option() {
        let server = server(1, 1).await;
        assert_eq!(server.run_as(&["delete", HOOK], "y\n", Terminals::default()).await.code, 2);
        assert_eq!(server.run(&["delete", HOOK, "--yes"]).await.code, 0);
        let ran = server.run(&["delete", HOOK, "--yes", "--keep-files"]).await;
        assert_eq!(ran.out, "deleted a.ipynb of bob, keeping its files\n", "{}", ran.err);
    }

    #[tokio::test]
    async fn on_a_terminal_only_yes_means_yes() {
        let server = server(0, 2).await;
        for answer in ["", "\n", "n\n", "yep\n"] {
            let ran = server.run_as(&["delete", HOOK], answer, TERMINAL).await;
            assert_eq!(ran.code, 1, "{answer:?}");
            assert!(ran.err.contains("Delete a.ipynb of bob, with all its versions and outputs? [y/N]"), "{}", ran.err);
        }
        for answer in ["y\n", " YES \n"] {
            assert_eq!(server.run_as(&["delete", HOOK], answer, TERMINAL).await.code, 0, "{answer:?}");
        }
    }
}
