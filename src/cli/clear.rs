//! `nbhook clear`: removes previous versions.

use clap::Args;
use serde_json::Value;

use super::context::Context;
use super::error::CliError;
use super::hook_arg::HookArg;
use super::wire::{self, Removed};
use crate::model::Histo;

/// Remove the previous versions of a hook, or one of them; never the live one
#[derive(Debug, Args)]
pub(super) struct Clear {
    #[command(flatten)]
    hook: HookArg,
    /// Only this version
    #[arg(long)]
    histo: Option<Histo>,
}

impl Clear {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        remove(ctx, &self.hook, "versions", self.histo.as_ref()).await
    }
}

/// Removes one or all of a hook's `versions` or `outputs` and prints the histo of each that is gone.
pub(super) async fn remove(ctx: &Context, hook: &HookArg, what: &str, histo: Option<&Histo>) -> Result<(), CliError> {
    let api = ctx.api().await?;
    let (hook, _) = hook.find(&api).await?;
    let mut segments = vec!["hooks", hook.id.as_str(), what];
    segments.extend(histo.map(Histo::as_str));
    let answer = api.delete(&segments, &[]).await?;
    tell(ctx, &answer, histo, &format!("{} {what}", hook.path))
}

/// Prints the histo of each of `what` that is gone.
pub(super) fn tell(ctx: &Context, answer: &Value, histo: Option<&Histo>, what: &str) -> Result<(), CliError> {
    let removed = match (histo, answer.get("removed")) {
        // An answer without a list of what was removed still says that the one was.
        (Some(histo), None) => vec![histo.to_string()],
        (_, Some(Value::Array(_))) => wire::read::<Removed>(answer)?.removed,
        _ => return Err(CliError::Answer("it does not say what was removed".to_owned())),
    };
    for histo in &removed {
        ctx.line(histo)?;
    }
    ctx.note(&format!("removed {} of {what}", removed.len()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::cli::testing::{HOOK, TestServer, hook};

    const HISTO: &str = "20260101000000000000";

    #[tokio::test]
    async fn what_was_removed_is_printed() {
        let server = TestServer::start().await;
        let at = format!("/v1/hooks/{HOOK}");
        server.json("GET", &at, 200, hook(HOOK, "a.ipynb", "bob")).await;
        server
            .json("DELETE", &format!("{at}/versions"), 200, json!({"removed": [HISTO, "20251231000000000000"]}))
            .await;
        server
            .json("DELETE", &format!("{at}/versions/{HISTO}"), 409, json!({"detail": "the live version stays"}))
            .await;
        server.json("DELETE", &format!("{at}/outputs"), 200, json!({"removed": []})).await;
        server.json("DELETE", &format!("{at}/outputs/{HISTO}"), 200, json!({"removed": [HISTO]})).await;

        let ran = server.run(&["clear", HOOK]).await;
        assert_eq!((ran.code, ran.out), (0, format!("{HISTO}\n20251231000000000000\n")), "{}", ran.err);
        let ran = server.run(&["clear", HOOK, "--histo", HISTO]).await;
        assert_eq!((ran.code, ran.err.as_str()), (1, "failed to clear the versions: the live version stays\n"));
        let ran = server.run(&["clear-output", HOOK]).await;
        assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
        let ran = server.run(&["clear-output", HOOK, "--histo", HISTO]).await;
        assert_eq!((ran.code, ran.out), (0, format!("{HISTO}\n")), "{}", ran.err);
    }
}
