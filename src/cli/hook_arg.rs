//! The HOOK argument: a path as deployed, or a hook's id.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::api::Api;
use super::error::CliError;
use super::wire::{self, Hook};
use crate::model::{HookId, HookPath, RelativePath};

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
            self.by_path(api, &typed_path(&self.hook)?).await?
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

/// The path that a local notebook is deployed under.
///
/// # Errors
/// When it is no name of a notebook.
pub(super) fn hook_path(file: &Path) -> Result<HookPath, CliError> {
    HookPath::parse(&path_on_server(file)?).map_err(|error| CliError::Usage(format!("{}: {error}", file.display())))
}

/// The path that a local file is added under.
pub(super) fn server_path(file: &Path) -> Result<RelativePath, CliError> {
    let wrong = |error| CliError::Usage(format!("{}: {error}", file.display()));
    RelativePath::parse("path", &path_on_server(file)?).map_err(wrong)
}

/// From the user's home folder, or whole for a file outside of it.
///
/// The Python client has the same rule, so a notebook is one hook however it is deployed.
fn path_on_server(file: &Path) -> Result<String, CliError> {
    let absolute = std::path::absolute(file).map_err(|error| CliError::file(file, error))?;
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let path = home.as_deref().and_then(|home| below(&absolute, home)).unwrap_or(absolute);
    Ok(path.to_str().unwrap_or_default().trim_start_matches('/').to_owned())
}

/// The rest of `path` behind `home`, links followed if need be.
fn below(path: &Path, home: &Path) -> Option<PathBuf> {
    let rest = path.strip_prefix(home).map(Path::to_owned).ok();
    rest.or_else(|| Some(path.canonicalize().ok()?.strip_prefix(home.canonicalize().ok()?).ok()?.to_owned()))
}

/// The path of a hook as it was typed: of a notebook that is there, what it is deployed under; else the hook's own.
fn typed_path(typed: &str) -> Result<HookPath, CliError> {
    let file = Path::new(typed);
    if file.is_absolute() || file.is_file() {
        return hook_path(file);
    }
    HookPath::parse(typed).map_err(|error| CliError::Usage(format!("{typed}: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::testing::{TestServer, hook};

    #[test]
    fn a_local_notebook_is_named_from_home_or_by_its_whole_path() {
        let home = tempfile::tempdir().unwrap();
        let link = home.path().join("link");
        std::fs::create_dir(home.path().join("bob")).unwrap();
        std::fs::File::create_new(home.path().join("bob/a.ipynb")).unwrap();
        std::os::unix::fs::symlink(home.path().join("bob"), &link).unwrap();
        assert_eq!(
            below(Path::new("/home/bob/reports/a.ipynb"), Path::new("/home/bob")),
            Some("reports/a.ipynb".into())
        );
        assert_eq!(below(&link.join("a.ipynb"), &home.path().join("bob")), Some("a.ipynb".into()));
        assert_eq!(below(Path::new("/srv/a.ipynb"), Path::new("/home/bob")), None);
        assert_eq!(
            hook_path(Path::new("/srv/x/Zahlen & Fakten.ipynb")).unwrap().as_str(),
            "srv/x/Zahlen & Fakten.ipynb"
        );
        assert_eq!(typed_path("./reports//sales.ipynb").unwrap().as_str(), "reports/sales.ipynb");
        for file in ["", "sales.py", "..", "/", "reports/"] {
            assert!(typed_path(file).is_err(), "{file:?} was accepted");
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
