//! `nbhook dependency`: files and folders that runs find.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::context::Context;
use super::error::CliError;
use super::files::{Add, Common, DEPENDENCY};

/// Add, list, fetch and delete dependencies: files and folders that every run of your notebooks beside them finds
#[derive(Debug, Args)]
pub(super) struct DependencyCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Give files and folders to all runs of your notebooks in their folder or above it
    ///
    /// Of a folder, hidden files and `__pycache__` are left out. What is added again under the same path gets a new version, which new
    /// runs find at once.
    Add {
        /// Files or folders
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Path to add a single one under [default: its path from your home folder]
        #[arg(long)]
        path: Option<String>,
        /// Whom to add it for (admins only)
        #[arg(long, value_name = "USER")]
        owner: Option<String>,
        /// Print the server's JSON
        #[arg(long)]
        json: bool,
    },
    #[command(flatten)]
    Common(Common),
}

impl DependencyCommand {
    pub(super) fn purpose(&self) -> &'static str {
        match &self.action {
            Action::Add { .. } => "add the dependency",
            Action::Common(common) => common.purpose(),
        }
    }

    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        match self.action {
            Action::Add { files, path, owner, json } => {
                let add = Add { files, path, inline: false, new_url: false, owner, json };
                add.run(&DEPENDENCY, ctx).await
            }
            Action::Common(common) => common.run(&DEPENDENCY, ctx).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::cli::testing::TestServer;

    #[tokio::test]
    async fn a_folder_goes_up_without_what_is_hidden_and_nothing_outside_of_it() {
        let server = TestServer::start().await;
        let answer = json!({"id": "1", "path": "r/lib", "owner": "bob", "histo": "20260102030405678901", "size": 2, "files": 2,
            "sha256": "ab", "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z"});
        server.json("POST", "/v1/dependencies", 201, answer).await;
        for name in ["b.py", "sub/a.py", ".hidden", ".git/x", "__pycache__/a.pyc", "sub/.b"] {
            server.write(&format!("lib/{name}"), name.as_bytes());
        }
        let lib = server.path("lib");
        let ran = server.run(&["dependency", "add", &lib, "--path", "r/lib"]).await;
        assert_eq!(ran.out, "added r/lib as version 20260102030405678901: 2 files, 2 B\n", "{}", ran.err);
        let body = String::from_utf8(server.http.received_requests().await.unwrap()[0].body.clone()).unwrap();
        let names: Vec<_> = body.split("filename=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(names, ["./b.py", "./sub/a.py"]);
        assert!(body.contains(r#"{"path":"r/lib"}"#), "{body}");

        let secret = server.write("secret", b"s");
        std::os::unix::fs::symlink(&secret, server.home.path().join("lib/out")).unwrap();
        let ran = server.run(&["dependency", "add", &lib]).await;
        assert!(ran.code == 1 && ran.err.contains("lib/out is a link that leaves the folder"), "{}", ran.err);
        let ran = server.run(&["dependency", "add", &server.path("none")]).await;
        assert!(ran.code == 1 && ran.err.contains("No such file"), "{}", ran.err);
        std::fs::create_dir(server.home.path().join("empty")).unwrap();
        let ran = server.run(&["dependency", "add", &server.path("empty")]).await;
        assert!(ran.code == 1 && ran.err.contains("there is no file in it"), "{}", ran.err);
    }
}
