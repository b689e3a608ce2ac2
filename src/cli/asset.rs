//! `nbhook asset`: files that have a public URL.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::context::Context;
use super::error::CliError;
use super::files::{ASSET, Add, Common, FileArg};

/// Add, list, fetch and delete assets: files with a public URL
#[derive(Debug, Args)]
pub(super) struct AssetCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Publish files and print their URLs
    ///
    /// A file that is added again under the same path keeps its URL and gets a new version, which is live at once.
    Add {
        /// Files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Path to add a single file under [default: its path from your home folder]
        #[arg(long)]
        path: Option<String>,
        /// Let browsers show the file instead of saving it
        #[arg(long)]
        inline: bool,
        /// Give it a new URL; the one before ends
        #[arg(long)]
        new_url: bool,
        /// Whom to add it for (admins only)
        #[arg(long, value_name = "USER")]
        owner: Option<String>,
        /// Print the server's JSON
        #[arg(long)]
        json: bool,
    },
    /// Say whether browsers show an asset or save it
    Set {
        #[command(flatten)]
        file: FileArg,
        /// Whether they show it
        #[arg(long, action = clap::ArgAction::Set, value_name = "BOOL")]
        inline: bool,
        /// Print the server's JSON
        #[arg(long)]
        json: bool,
    },
    #[command(flatten)]
    Common(Common),
}

impl AssetCommand {
    pub(super) fn purpose(&self) -> &'static str {
        match &self.action {
            Action::Add { .. } => "add the asset",
            Action::Set { .. } => "set how the asset is served",
            Action::Common(common) => common.purpose(),
        }
    }

    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        match self.action {
            Action::Add { files, path, inline, new_url, owner, json } => {
                Add { files, path, inline, new_url, owner, json }.run(&ASSET, ctx).await
            }
            Action::Set { file, inline, json } => set(ctx, &file, inline, json).await,
            Action::Common(common) => common.run(&ASSET, ctx).await,
        }
    }
}

async fn set(ctx: &Context, file: &FileArg, inline: bool, json: bool) -> Result<(), CliError> {
    let api = ctx.api().await?;
    let (file, _) = ASSET.find(&api, file).await?;
    let answer = api.patch(&["assets", &file.id], &json!({"params": {"inline": inline}})).await?;
    if json {
        return ctx.json(&answer);
    }
    ctx.line(&format!("browsers now {} {}", if inline { "show" } else { "save" }, file.path))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::cli::testing::TestServer;

    const ID: &str = "0198c5f0-0000-7000-8000-000000000001";
    const HISTO: &str = "20260102030405678901";

    fn asset(path: &str) -> Value {
        json!({"id": ID, "path": path, "owner": "bob", "histo": HISTO, "size": 2048, "files": 1, "sha256": "ab".repeat(32),
            "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-03T03:04:05Z", "url": "http://x/assets/t",
            "params": {"inline": true}})
    }

    #[tokio::test]
    async fn a_file_goes_up_and_its_url_is_printed() {
        let server = TestServer::start().await;
        server.json("POST", "/v1/assets", 201, asset("charts/a.html")).await;
        let file = server.write("a.html", b"<p>\r\n");
        let ran = server.run(&["asset", "add", &file, "--path", "charts/a.html", "--inline", "--new-url"]).await;
        assert_eq!((ran.code, ran.out.as_str()), (0, "http://x/assets/t\n"), "{}", ran.err);
        assert_eq!(ran.err, format!("added charts/a.html as version {HISTO}\n"));
        let body = String::from_utf8(server.http.received_requests().await.unwrap()[0].body.clone()).unwrap();
        assert!(body.contains(r#"{"path":"charts/a.html","params":{"inline":true},"force":true}"#), "{body}");
        assert!(
            body.contains("name=\"file\"; filename=\"a.html\"") && body.contains("\r\n\r\n<p>\r\n\r\n--"),
            "{body}"
        );
        let folder = server.path("");
        let ran = server.run(&["asset", "add", &folder]).await;
        assert!(ran.code == 2 && ran.err.contains("is a folder: an asset is one file"), "{}", ran.err);
        assert_eq!(server.run(&["asset", "add", &file, &file, "--path", "x"]).await.code, 2);
    }

    #[tokio::test]
    async fn one_is_named_by_its_path_or_its_id_and_deleted_only_if_that_is_confirmed() {
        let server = TestServer::start().await;
        server.list("/v1/assets", &[("path", "charts/a.html")], &[asset("charts/a.html")]).await;
        server.list("/v1/assets", &[("path", "none")], &[]).await;
        server.json("GET", &format!("/v1/assets/{ID}"), 200, asset("charts/a.html")).await;
        server.json("DELETE", &format!("/v1/assets/{ID}"), 200, json!({"success": true})).await;
        for name in ["charts/a.html", "./charts//a.html", ID] {
            let ran = server.run(&["asset", "show", name]).await;
            assert!(
                ran.out.contains("url        http://x/assets/t\n") && ran.out.contains("inline     yes\n"),
                "{}",
                ran.out
            );
        }
        let ran = server.run(&["asset", "show", "none"]).await;
        assert!(ran.code == 3 && ran.err.contains("`nbhook asset list` shows what there is"), "{}", ran.err);
        assert_eq!(server.run(&["asset", "delete", "charts/a.html"]).await.code, 2, "nobody is there to ask");
        let ran = server.run(&["asset", "delete", "charts/a.html", "--yes"]).await;
        assert_eq!(ran.out, "deleted charts/a.html of bob with all its versions\n", "{}", ran.err);
    }

    #[tokio::test]
    async fn lists_have_urls_and_versions_say_which_is_live() {
        let server = TestServer::start().await;
        server.list("/v1/assets", &[], &[asset("a.html")]).await;
        let ran = server.run(&["asset", "list"]).await;
        assert_eq!(
            ran.out,
            format!(
                "PATH\tOWNER\tVERSION\tSIZE\tUPDATED\tURL\n\
                 a.html\tbob\t{HISTO}\t2.0 KiB\t2026-01-03 03:04:05\thttp://x/assets/t\n"
            ),
            "{}",
            ran.err
        );
        let ran = server.run(&["asset", "list", "--json"]).await;
        assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), json!([asset("a.html")]));
        server.json("GET", &format!("/v1/assets/{ID}"), 200, asset("a.html")).await;
        let version = json!({"histo": HISTO, "size": 2048, "files": 1, "sha256": "ab".repeat(32), "live": true,
            "created_at": "2026-01-02T03:04:05Z"});
        server.list(&format!("/v1/assets/{ID}/versions"), &[], &[version]).await;
        let ran = server.run(&["asset", "versions", ID]).await;
        let line = format!("{HISTO}\tlive\t2.0 KiB\t1\tabababababab\t2026-01-02 03:04:05\n");
        assert_eq!(ran.out, format!("VERSION\tLIVE\tSIZE\tFILES\tSHA256\tCREATED\n{line}"), "{}", ran.err);
    }
}
