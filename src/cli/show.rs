//! `nbhook show`: one hook, how it behaves, and the parameters of its notebook.

use clap::Args;
use serde_json::Value;

use super::context::Context;
use super::contract;
use super::error::CliError;
use super::hook_arg::HookArg;
use super::text;
use super::wire::{self, Hook};

/// Show one hook with its parameters
#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    hook: HookArg,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let api = ctx.api().await?;
        let (hook, _) = self.hook.find(&api).await?;
        let value = api.get(&["hooks", &hook.id]).await?; // says more than the list
        if self.json { ctx.json(&value) } else { print(ctx, &value) }
    }
}

/// Prints a hook as `name value` lines.
pub(super) fn print(ctx: &Context, value: &Value) -> Result<(), CliError> {
    let hook: Hook = wire::read(value)?;
    let (created, updated) = (text::time(&hook.created_at), text::time(&hook.updated_at));
    let warm = hook.warm.as_ref().map(ToString::to_string);
    let kept = hook.kept.as_ref().map(ToString::to_string);
    let mut fields = vec![
        ("path", hook.path.as_str()),
        ("id", &hook.id),
        ("owner", &hook.owner),
        ("url", hook.url.expose()),
        ("version", &hook.histo),
        ("created", &created),
        ("updated", &updated),
    ];
    fields.extend(hook.python.as_deref().map(|python| ("python", python)));
    fields.extend(warm.as_deref().map(|warm| ("warm", warm)));
    fields.extend(kept.as_deref().map(|kept| ("kept", kept)));
    fields.extend(hook.warnings.iter().map(|warning| ("warning", warning.as_str())));
    for (name, value) in fields {
        ctx.line(&format!("{name:<10} {value}"))?;
    }
    for (name, value) in &hook.params {
        ctx.line(&format!("{:<10} {name}={value}", "param"))?;
    }
    match hook.contract.as_ref().and_then(contract::table) {
        Some(table) => ctx.line("").and_then(|()| ctx.table(&table)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::cli::testing::{HOOK, TestServer, hook};

    #[tokio::test]
    async fn a_hook_is_shown_with_its_parameters() {
        let server = TestServer::start().await;
        let mut shown = hook(HOOK, "a.ipynb", "bob");
        shown["contract"] = json!({"properties": {"when": {"type": "string", "format": "date"}}, "required": ["when"]});
        server.json("GET", &format!("/v1/hooks/{HOOK}"), 200, shown.clone()).await;
        let ran = server.run(&["show", HOOK]).await;
        for line in [
            "path       a.ipynb",
            "url        http://hooks.test/hooks/t-bob",
            "param      inline=true",
            "when\tdate (YYYY-MM-DD)\t(required)\t",
        ] {
            assert!(ran.out.lines().any(|shown| shown == line), "{}{}", ran.out, ran.err);
        }
        let ran = server.run(&["show", HOOK, "--json"]).await;
        assert_eq!(serde_json::from_str::<serde_json::Value>(&ran.out).unwrap(), shown);
    }
}
