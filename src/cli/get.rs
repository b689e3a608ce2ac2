//! `nbhook get`: a version of a notebook as it was deployed.

use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::download::Target;
use super::error::CliError;
use super::hook_arg::HookArg;
use super::wire::Hook;
use crate::model::{Histo, HookPath};

/// Save a deployed notebook; a local file is never overwritten
#[derive(Debug, Args)]
pub(super) struct Get {
    #[command(flatten)]
    hook: HookArg,
    /// Which version [default: the live one]
    #[arg(long)]
    histo: Option<Histo>,
    /// File or folder to save to, or - for standard output [default: NAME.HISTO.ipynb]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Get {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let api = ctx.api().await?;
        let (hook, _) = self.hook.find(&api).await?;
        let histo = self.histo.as_ref().map_or(hook.histo.as_str(), Histo::as_str);
        let name = format!("{}.{histo}.ipynb", stem(&hook)?);
        let target = Target::new(&self.output.unwrap_or_else(|| PathBuf::from(&name)), &name)?;
        let notebook = api.download(&["hooks", &hook.id, "versions", histo, "notebook"]).await?;
        target.save(notebook, ctx).await?;
        tell(ctx, &target)
    }
}

/// The bare name of the hook's notebook. It is parsed as the server's own paths are, so it names no other folder.
pub(super) fn stem(hook: &Hook) -> Result<String, CliError> {
    let path = HookPath::parse(&hook.path).map_err(|error| CliError::Answer(error.to_string()))?;
    Ok(path.stem().to_owned())
}

/// Prints the name of a file that was saved.
pub(super) fn tell(ctx: &Context, target: &Target) -> Result<(), CliError> {
    match target {
        Target::Stdout => Ok(()),
        Target::New(path) => ctx.line(&path.display().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use wiremock::ResponseTemplate;

    use crate::cli::testing::{HOOK, TestServer, hook};

    const LIVE: &str = "20260102030405678901";
    const OLD: &str = "20260101000000000000";

    async fn server() -> TestServer {
        let server = TestServer::start().await;
        server.json("GET", &format!("/v1/hooks/{HOOK}"), 200, hook(HOOK, "r/a.ipynb", "bob")).await;
        for histo in [LIVE, OLD] {
            let notebook = ResponseTemplate::new(200).set_body_bytes(format!("{{\"v\": {histo}}}\r\n\0").into_bytes());
            let at = format!("/v1/hooks/{HOOK}/versions/{histo}/notebook");
            server.mock("GET", &at).respond_with(notebook).mount(&server.http).await;
        }
        server
    }

    #[tokio::test]
    async fn a_notebook_is_saved_byte_for_byte_under_a_name_with_its_version() {
        let server = server().await;
        let folder = server.path("");
        let ran = server.run(&["get", HOOK, "-o", &folder]).await;
        let saved = server.path(&format!("a.{LIVE}.ipynb"));
        assert_eq!((ran.code, ran.out.trim()), (0, saved.as_str()), "{}", ran.err);
        assert_eq!(std::fs::read(&saved).unwrap(), format!("{{\"v\": {LIVE}}}\r\n\0").into_bytes());
        let ran = server.run(&["get", HOOK, "--histo", OLD, "-o", "-"]).await;
        assert_eq!(ran.bytes, format!("{{\"v\": {OLD}}}\r\n\0").into_bytes());
    }

    #[tokio::test]
    async fn a_local_file_is_never_overwritten() {
        let server = server().await;
        let mine = server.write("mine.ipynb", b"my work");
        let ran = server.run(&["get", HOOK, "-o", &mine]).await;
        assert_eq!(ran.code, 1);
        assert!(ran.err.contains("mine.ipynb exists and is never overwritten"), "{}", ran.err);
        assert_eq!(std::fs::read(&mine).unwrap(), b"my work");
        let folder = server.path("");
        assert_eq!(server.run(&["get", HOOK, "-o", &folder]).await.code, 0);
        assert_eq!(server.run(&["get", HOOK, "-o", &folder]).await.code, 1, "a second get has the same name");
    }

    #[tokio::test]
    async fn a_missing_version_leaves_no_file() {
        let server = server().await;
        let path = server.path("new.ipynb");
        let ran = server.run(&["get", HOOK, "--histo", "20250101000000000000", "-o", &path]).await;
        assert_eq!(ran.code, 3);
        let left: Vec<_> = std::fs::read_dir(server.home.path()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
