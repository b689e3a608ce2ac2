//! Which server to talk to, as whom: options and environment, then the file that `nbhook login` writes.
//!
//! The file is `~/.config/nbhook/credentials.json`, `{"url": …, "token": …}`, readable by its user alone; the Python client
//! reads the same one.

use std::fmt;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::error::CliError;
use crate::model::ApiToken;

const DEFAULT_SERVER: &str = "http://127.0.0.1:8000";

/// The options that every command takes to find its server.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Server")]
pub(super) struct ConnectionArgs {
    /// URL of the nbhook server [default: the one you logged in to, else `http://127.0.0.1:8000`]
    #[arg(long, global = true, env = "NBHOOK_URL", hide_env_values = true, value_name = "URL")]
    pub(super) server: Option<String>,
    /// API token; other users of this machine can see it here, so prefer the environment or `nbhook login`
    #[arg(long, global = true, env = "NBHOOK_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub(super) token: Option<TokenArg>,
}

/// A token as it was typed. It is checked only when used, because clap would repeat a refused value in its message.
#[derive(Clone)]
pub(super) struct TokenArg(String);

impl FromStr for TokenArg {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.trim().to_owned()))
    }
}

impl fmt::Debug for TokenArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenArg(***)")
    }
}

impl TokenArg {
    /// # Errors
    /// When it cannot be a token; the message does not repeat it.
    pub(super) fn token(&self) -> Result<ApiToken, CliError> {
        self.0.parse().map_err(|_| CliError::Usage("the token must be 16 to 200 visible ASCII characters".to_owned()))
    }
}

/// A server and the token to use there.
#[derive(Debug, Clone)]
pub(super) struct Credentials {
    pub(super) url: Url,
    pub(super) token: ApiToken,
}

/// How the file holds them.
#[derive(Serialize, Deserialize)]
struct Stored {
    url: String,
    token: String,
}

/// Reads a server's URL: absolute, http or https, without a user, query or fragment; a path is kept as a prefix.
///
/// # Errors
/// Says what the URL must be.
pub(super) fn server_url(text: &str) -> Result<Url, CliError> {
    let wrong = || CliError::Usage("the server must be an http or https URL like http://127.0.0.1:8000".to_owned());
    let mut url = Url::parse(text).map_err(|_| wrong())?;
    let secret = !url.username().is_empty() || url.password().is_some();
    if !matches!(url.scheme(), "http" | "https") || secret || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// `~/.config/nbhook/credentials.json`.
pub(super) fn default_path() -> Option<PathBuf> {
    std::env::home_dir().map(|home| home.join(".config/nbhook/credentials.json"))
}

/// The server and token to use. A stored token goes only to the server that it was stored for.
pub(super) async fn resolve(args: &ConnectionArgs, file: Option<&Path>) -> Result<Credentials, CliError> {
    let stored = match file {
        Some(path) => load(path).await?,
        None => None,
    };
    // An empty variable of the environment counts as none.
    let server = args.server.as_deref().filter(|server| !server.is_empty());
    let token = args.token.as_ref().filter(|token| !token.0.is_empty());
    let url = match (server, &stored) {
        (Some(server), _) => server_url(server)?,
        (None, Some(stored)) => stored.url.clone(),
        (None, None) => server_url(DEFAULT_SERVER)?,
    };
    let token = match (token, stored) {
        (Some(token), _) => token.token()?,
        (None, Some(stored)) if stored.url == url => stored.token,
        _ => return Err(CliError::NoToken { server: url.as_str().trim_end_matches('/').to_owned() }),
    };
    Ok(Credentials { url, token })
}

async fn load(path: &Path) -> Result<Option<Credentials>, CliError> {
    let text = match tokio::fs::read_to_string(path).await {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CliError::file(path, error)),
    };
    // The parser's own message could repeat a part of the token.
    let broken = || CliError::Failed(format!("{}: not a credentials file; run `nbhook login` again", path.display()));
    let stored: Stored = serde_json::from_str(&text).map_err(|_| broken())?;
    let url = server_url(&stored.url).map_err(|_| broken())?;
    let token = stored.token.parse().map_err(|_| broken())?;
    Ok(Some(Credentials { url, token }))
}

/// Writes the file atomically, readable by its user alone.
pub(super) async fn save(path: &Path, credentials: &Credentials) -> Result<(), CliError> {
    let url = credentials.url.as_str().trim_end_matches('/').to_owned();
    let stored = Stored { url, token: credentials.token.expose().to_owned() };
    let text = serde_json::to_string_pretty(&stored).map_err(|_| CliError::Failed("cannot write JSON".to_owned()))?;
    let target = path.to_owned();
    let write = tokio::task::spawn_blocking(move || replace_private(&target, format!("{text}\n").as_bytes()));
    write.await.map_err(io::Error::other).and_then(|done| done).map_err(|error| CliError::file(path, error))
}

fn replace_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // A temporary file has mode 0600 from the start, and the rename keeps it.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    io::Write::write_all(&mut file, content)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const TOKEN: &str = "nbh_0123456789abcdefghijklmnopq";

    fn args(server: Option<&str>, token: Option<&str>) -> ConnectionArgs {
        ConnectionArgs { server: server.map(str::to_owned), token: token.map(|token| token.parse().unwrap()) }
    }

    async fn stored(folder: &Path) -> PathBuf {
        let path = folder.join(".config/nbhook/credentials.json");
        let url = server_url("https://hooks.example.org/nb/").unwrap();
        save(&path, &Credentials { url, token: TOKEN.parse().unwrap() }).await.unwrap();
        path
    }

    #[tokio::test]
    async fn what_is_saved_is_private_and_comes_back() {
        let home = tempfile::tempdir().unwrap();
        let path = stored(home.path()).await;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let text = std::fs::read_to_string(&path).unwrap();
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(file, serde_json::json!({"url": "https://hooks.example.org/nb", "token": TOKEN}));
        let found = resolve(&args(None, None), Some(&path)).await.unwrap();
        assert_eq!((found.url.as_str(), found.token.expose()), ("https://hooks.example.org/nb", TOKEN));
    }

    #[tokio::test]
    async fn saving_again_replaces_a_file_that_others_could_read() {
        let home = tempfile::tempdir().unwrap();
        let path = stored(home.path()).await;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        stored(home.path()).await;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_stored_token_goes_to_no_other_server() {
        let home = tempfile::tempdir().unwrap();
        let path = stored(home.path()).await;
        let same = resolve(&args(Some("https://hooks.example.org/nb/"), None), Some(&path)).await.unwrap();
        assert_eq!(same.token.expose(), TOKEN);
        for other in ["https://hooks.example.org", "http://hooks.example.org/nb", "https://evil.example.org/nb"] {
            let error = resolve(&args(Some(other), None), Some(&path)).await.unwrap_err();
            assert!(matches!(error, CliError::NoToken { .. }), "{other}: {error}");
        }
    }

    #[tokio::test]
    async fn options_win_over_the_file_and_without_either_the_message_says_what_to_do() {
        let home = tempfile::tempdir().unwrap();
        let path = stored(home.path()).await;
        let given = "another-token-0123456789";
        let found = resolve(&args(None, Some(given)), Some(&path)).await.unwrap();
        assert_eq!((found.url.host_str(), found.token.expose()), (Some("hooks.example.org"), given));
        let found = resolve(&args(Some(""), Some("")), Some(&path)).await.unwrap();
        assert_eq!((found.url.host_str(), found.token.expose()), (Some("hooks.example.org"), TOKEN));
        let error = resolve(&args(None, None), Some(&home.path().join("absent"))).await.unwrap_err();
        assert!(error.to_string().starts_with("no API token for http://127.0.0.1:8000: log in with"), "{error}");
    }

    #[tokio::test]
    async fn no_message_repeats_a_token() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("broken.json");
        for content in ["{\"url\": \"http://x\", \"token\": \"secret secret secret\"}", "secret", "{\"token\": secret}"]
        {
            tempfile::NamedTempFile::new_in(home.path()).unwrap().persist(&path).unwrap();
            let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            io::Write::write_all(&mut file, content.as_bytes()).unwrap();
            let error = resolve(&args(None, None), Some(&path)).await.unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
        let error = resolve(&args(None, Some("short secret")), None).await.unwrap_err();
        assert!(!format!("{error} {error:?} {:?}", args(None, Some("short secret"))).contains("secret"));
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn server_urls_are_plain() {
        assert_eq!(server_url("http://127.0.0.1:8000/").unwrap().as_str(), "http://127.0.0.1:8000/");
        for bad in ["", "localhost:8000", "ftp://x", "http://u:p@x", "http://u@x", "http://x/?a=b", "http://x/#a"] {
            assert!(server_url(bad).is_err(), "{bad}");
        }
    }
}
