//! `nbhook get-output`: an executed notebook.

use std::path::PathBuf;

use clap::Args;

use super::api::Api;
use super::context::Context;
use super::download::Target;
use super::error::CliError;
use super::get::{stem, tell};
use super::hook_arg::HookArg;
use super::wire::{self, Hook, Output};
use crate::model::Histo;

/// Save the executed notebook of a run; a local file is never overwritten
#[derive(Debug, Args)]
pub(super) struct GetOutput {
    #[command(flatten)]
    hook: HookArg,
    /// Which output, as `nbhook outputs` shows it [default: the newest]
    #[arg(long)]
    histo: Option<Histo>,
    /// File or folder to save to, or - for standard output [default: NAME.HISTO.output.ipynb]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl GetOutput {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let api = ctx.api().await?;
        let (hook, _) = self.hook.find(&api).await?;
        let histo = match self.histo {
            Some(histo) => histo,
            None => newest(&api, &hook).await?,
        };
        let name = format!("{}.{histo}.output.ipynb", stem(&hook)?);
        let target = Target::new(&self.output.unwrap_or_else(|| PathBuf::from(&name)), &name)?;
        let output = api.download(&["hooks", &hook.id, "outputs", histo.as_str()]).await?;
        target.save(output, ctx).await?;
        tell(ctx, &target)
    }
}

async fn newest(api: &Api, hook: &Hook) -> Result<Histo, CliError> {
    let outputs = api.list(&["hooks", &hook.id, "outputs"], &[], Some(1)).await?;
    let newest = outputs.first().ok_or_else(|| CliError::NotFound(format!("{} has no outputs yet", hook.path)))?;
    wire::read::<Output>(newest)?.histo.parse().map_err(|error| CliError::Answer(format!("{error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wiremock::ResponseTemplate;

    use crate::cli::testing::{HOOK, TestServer, hook};

    const HISTO: &str = "20260103000000000000";

    async fn server(outputs: &[serde_json::Value]) -> TestServer {
        let server = TestServer::start().await;
        let at = format!("/v1/hooks/{HOOK}");
        server.json("GET", &at, 200, hook(HOOK, "a.ipynb", "bob")).await;
        server.list(&format!("{at}/outputs"), &[], outputs).await;
        let body = ResponseTemplate::new(200).set_body_bytes(b"{\"cells\": [1]}".to_vec());
        server.mock("GET", &format!("{at}/outputs/{HISTO}")).respond_with(body).mount(&server.http).await;
        server
    }

    #[tokio::test]
    async fn the_newest_output_is_saved() {
        let output =
            json!({"histo": HISTO, "size": 14, "run": "r1", "state": "failed", "created_at": "2026-01-03T00:00:00Z"});
        let server = server(std::slice::from_ref(&output)).await;
        let ran = server.run(&["get-output", HOOK, "-o", &server.path("")]).await;
        let saved = server.path(&format!("a.{HISTO}.output.ipynb"));
        assert_eq!((ran.code, ran.out.trim()), (0, saved.as_str()), "{}", ran.err);
        assert_eq!(std::fs::read(&saved).unwrap(), b"{\"cells\": [1]}");
        let ran = server.run(&["get-output", HOOK, "--histo", HISTO, "-o", &saved]).await;
        assert_eq!(ran.code, 1, "never overwritten");
        let ran = server.run(&["outputs", HOOK]).await;
        assert_eq!(ran.out.lines().nth(1), Some(format!("{HISTO}\tfailed\t14 B\t2026-01-03 00:00:00\tr1").as_str()));
        let ran = server.run(&["outputs", HOOK, "--json"]).await;
        assert_eq!(serde_json::from_str::<serde_json::Value>(&ran.out).unwrap(), json!([output]));
    }

    #[tokio::test]
    async fn without_outputs_there_is_none() {
        let server = server(&[]).await;
        let ran = server.run(&["get-output", HOOK, "-o", "-"]).await;
        assert_eq!((ran.code, ran.err.as_str()), (3, "failed to get the output: a.ipynb has no outputs yet\n"));
    }
}
