//! `nbhook set`: changes parameters of a hook without deploying.

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::error::CliError;
use super::hook_arg::HookArg;
use super::params::{self, Pair};
use super::show;

/// Change parameters of a hook, e.g. `nbhook set a.ipynb --param timeout=60`
#[derive(Debug, Args)]
pub(super) struct Set {
    #[command(flatten)]
    hook: HookArg,
    /// Parameter to change; VALUE is JSON where it parses as such, else text, and null goes back to the default
    #[arg(short, long = "param", value_name = "KEY=VALUE", value_parser = params::parse_pair, required = true)]
    params: Vec<Pair>,
    /// Print the hook as JSON
    #[arg(long)]
    json: bool,
}

impl Set {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let api = ctx.api().await?;
        let (hook, _) = self.hook.find(&api).await?;
        let changed = api.patch(&["hooks", &hook.id], &json!({"params": params::object(self.params)})).await?;
        if self.json { ctx.json(&changed) } else { show::print(ctx, &changed) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wiremock::ResponseTemplate;
    use wiremock::matchers::body_json;

    use crate::cli::testing::{HOOK, TestServer, hook};

    #[tokio::test]
    async fn only_what_is_named_is_changed() {
        let server = TestServer::start().await;
        let at = format!("/v1/hooks/{HOOK}");
        server.json("GET", &at, 200, hook(HOOK, "a.ipynb", "bob")).await;
        let answer = ResponseTemplate::new(200).set_body_json(hook(HOOK, "a.ipynb", "bob"));
        let patch = server.mock("PATCH", &at).and(body_json(json!({"params": {"timeout": 60, "next_url": null}})));
        patch.respond_with(answer).expect(1).mount(&server.http).await;
        let ran = server.run(&["set", HOOK, "--param", "timeout=60", "--param", "next_url=null"]).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.out.contains("path       a.ipynb"), "{}", ran.out);
    }
}
