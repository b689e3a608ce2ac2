//! The HOOK argument: a path as deployed, or a hook's id.

use std::path::Path;

use clap::Args;
use serde_json::Value;

use super::api::Api;
use super::error::CliError;
use super::wire::{self, Hook};
use crate::model::{HookId, HookPath};

/// Names one hook.
#[derive(Debug, Clone, Args)]
pub(super) struct HookArg {
    /// Path of the hook as it was deployed, e.g. reports/sales.ipynb, or the hook's id
    #[arg(value_name = "HOOK")]
    pub(super) hook: String,
    /// Whose hook, if several users deployed one with this path (admins only)
    #[arg(long, value_name = "USER")]
    pub(super) owner: Option<String>,
}

impl HookArg {
    /// The hook, and the server's JSON for it.
    ///
    /// # Errors
    /// When there is none, or when the path names hooks of several owners.
    pub(super) async fn find(&self, api: &Api) -> Result<(Hook, Value), CliError> {
        let value = if let Ok(id) = self.hook.parse::<HookId>() {
            api.get(&["hooks", &id.to_string()]).await?
        } else {
            let folder = std::env::current_dir().unwrap_or_default();
            self.by_path(api, &hook_path(Path::new(&self.hook), &folder)?).await?
        };
        Ok((wire::read(&value)?, value))
    }

    async fn by_path(&self, api: &Api, path: &HookPath) -> Result<Value, CliError> {
        let mut filters = vec![("path", path.as_str())];
        filters.extend(self.owner.as_deref().map(|owner| ("owner", owner)));
        let mut found = api.list(&["hooks"], &filters, None).await?;
        found.retain(|hook| hook.get("path").and_then(Value::as_str) == Some(path.as_str()));
        match (found.pop(), found.as_slice()) {
            (None, _) => {
                Err(CliError::NotFound(format!("there is no hook {path}; `nbhook list` shows what is deployed")))
            }
            (Some(only), []) => Ok(only),
            (Some(last), others) => {
                let hooks: Vec<Hook> = wire::read_all(others)?.into_iter().chain([wire::read(&last)?]).collect();
                let owners: Vec<&str> = hooks.iter().map(|hook| hook.owner.as_str()).collect();
                Err(CliError::Usage(format!("{path} is a hook of {}: choose one with --owner", owners.join(", "))))
            }
        }
    }
}

/// The path that a local notebook is deployed under: relative to `folder` if it lies in there, else its bare name.
///
/// # Errors
/// When it is no name of a notebook.
pub(super) fn hook_path(file: &Path, folder: &Path) -> Result<HookPath, CliError> {
    let within = if file.is_absolute() { file.strip_prefix(folder).ok() } else { Some(file) };
    let text = |path: &Path| path.to_str().map(str::to_owned);
    let parsed = within.and_then(text).and_then(|path| HookPath::parse(&path).ok());
    let bare = || text(Path::new(file.file_name().unwrap_or_default()));
    match parsed {
        Some(path) => Ok(path),
        None => HookPath::parse(&bare().unwrap_or_default())
            .map_err(|error| CliError::Usage(format!("{}: {error}", file.display()))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::testing::{TestServer, hook};

    #[test]
    fn a_local_notebook_is_named_from_the_working_folder() {
        for (file, expected) in [
            ("sales.ipynb", "sales.ipynb"),
            ("./reports//sales.ipynb", "reports/sales.ipynb"),
            ("/home/bob/reports/sales.ipynb", "reports/sales.ipynb"),
            ("/elsewhere/sales.ipynb", "sales.ipynb"),
            ("../other/Zahlen & Fakten.ipynb", "Zahlen & Fakten.ipynb"),
        ] {
            let path = hook_path(Path::new(file), Path::new("/home/bob")).unwrap();
            assert_eq!(path.as_str(), expected, "{file}");
        }
        for file in ["", "sales.py", "..", "/", "reports/"] {
            assert!(hook_path(Path::new(file), Path::new("/home/bob")).is_err(), "{file:?} was accepted");
        }
    }

    #[tokio::test]
    async fn a_hook_is_found_by_path_and_by_id() {
        let server = TestServer::start().await;
        let id = "0198c5f0-0000-7000-8000-000000000001";
        server.list("/v1/hooks", &[("path", "reports/sales.ipynb")], &[hook(id, "reports/sales.ipynb", "bob")]).await;
        server.json("GET", &format!("/v1/hooks/{id}"), 200, hook(id, "reports/sales.ipynb", "bob")).await;
        for name in ["reports/sales.ipynb", "./reports/sales.ipynb", id] {
            let ran = server.run(&["find", name]).await;
            assert_eq!((ran.code, ran.out.as_str()), (0, "http://hooks.test/hooks/t-bob\n"), "{name}: {}", ran.err);
        }
    }

    #[tokio::test]
    async fn no_hook_is_not_found_and_two_are_a_question() {
        let server = TestServer::start().await;
        let (bob, eve) = (hook("1", "a.ipynb", "bob"), hook("2", "a.ipynb", "eve"));
        server.list("/v1/hooks", &[("path", "a.ipynb"), ("owner", "eve")], std::slice::from_ref(&eve)).await;
        server.list("/v1/hooks", &[("path", "a.ipynb")], &[bob, eve]).await;
        server.list("/v1/hooks", &[("path", "b.ipynb")], &[]).await;
        server
            .json("GET", "/v1/hooks/0198c5f0-0000-7000-8000-000000000009", 404, json!({"detail": "no such hook"}))
            .await;

        let none = server.run(&["find", "b.ipynb"]).await;
        assert_eq!(none.code, 3);
        assert!(none.err.starts_with("failed to find the URL: there is no hook b.ipynb"), "{}", none.err);
        assert_eq!(server.run(&["find", "0198c5f0-0000-7000-8000-000000000009"]).await.code, 3);

        let two = server.run(&["find", "a.ipynb"]).await;
        assert_eq!(two.code, 2);
        assert!(two.err.contains("a.ipynb is a hook of bob, eve: choose one with --owner"), "{}", two.err);
        let one = server.run(&["find", "a.ipynb", "--owner", "eve"]).await;
        assert_eq!(one.out, "http://hooks.test/hooks/t-eve\n", "{}", one.err);
    }
}
