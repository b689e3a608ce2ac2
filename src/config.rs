//! Settings: defaults < `nbhook.toml` < environment `NBHOOK_*` < flags, read once and checked at start.
//!
//! Nested settings are written with `__` in the environment: `NBHOOK_KERNEL__PYTHON`.

mod files;
mod keep;
mod kernel;
mod list;
mod outbound;
mod taken;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use config::{Config, Environment, File, FileFormat};
use serde::{Deserialize, Serialize};

pub use files::FileSettings;
pub use keep::{InboxSettings, KeepSettings};
pub use kernel::{ExecutorChoice, KernelSettings};
pub use outbound::OutboundSettings;
pub use taken::take_secrets;

use crate::model::{ApiToken, SecretKey};

/// Everything that can be set.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The data folder.
    pub data: PathBuf,
    /// How callers reach this server, e.g. `https://hooks.example.org`; hook URLs begin with it.
    pub public_url: Option<String>,
    /// The admin's API token, instead of the generated one in `<data>/admin.token`.
    pub admin_token: Option<Secret>,
    /// What users' secrets are encrypted with, 32 bytes in base64 or hexadecimal, instead of the generated one in
    /// `<data>/.nbhook/secret.key`.
    pub secret_key: Option<Secret>,
    /// A reverse proxy in front ends TLS.
    pub behind_proxy: bool,
    /// Largest request body, in bytes.
    pub body_limit: usize,
    /// What the bodies of all calls that go on may take in memory together, in bytes. A JSON body takes some 26 times its size.
    pub body_memory: usize,
    /// How long a request body may pause, in seconds; a whole one may take 20 times as long.
    pub body_timeout: u64,
    /// How long running runs may go on after SIGTERM, in seconds.
    pub grace: u64,
    /// How long answers are kept that may be asked for again: those of asynchronous runs, and of calls with an
    /// `Idempotency-Key`.
    pub idempotency_hours: u32,
    /// Wait before a failed run is tried again, in seconds; it doubles with each attempt, up to a minute.
    pub retry_delay: u64,
    pub kernel: KernelSettings,
    pub keep: KeepSettings,
    pub files: FileSettings,
    pub inbox: InboxSettings,
    pub outbound: OutboundSettings,
    pub smtp: SmtpSettings,
    pub log: LogSettings,
}

#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmtpSettings {
    /// `smtp://user:password@host:port` or `smtps://…`; without it mails are written to `<data>/.nbhook/mail`.
    pub url: Option<Secret>,
    /// The sender's address.
    pub from: Option<String>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// Which events are logged, as tracing's `EnvFilter` has it, e.g. `info,nbhook=debug`.
    pub filter: String,
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// A value that shows nowhere.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8000)),
            data: PathBuf::from("production"),
            public_url: None,
            admin_token: None,
            secret_key: None,
            behind_proxy: false,
            body_limit: 100 << 20,
            body_memory: 4 << 30,
            body_timeout: 30,
            grace: 30,
            idempotency_hours: 24,
            retry_delay: 1,
            kernel: KernelSettings::default(),
            keep: KeepSettings::default(),
            files: FileSettings::default(),
            inbox: InboxSettings::default(),
            outbound: OutboundSettings::default(),
            smtp: SmtpSettings::default(),
            log: LogSettings::default(),
        }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { filter: "info,actix_server=warn,actix_http=off".to_owned(), format: LogFormat::Text }
    }
}

/// Why the settings cannot be used; says which one and what it expects.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the settings: {0}")]
    Read(#[from] config::ConfigError),
    #[error("setting `{name}` {message}")]
    Invalid { name: &'static str, message: String },
}

impl Settings {
    /// Reads the settings file (if there is one) and the environment.
    ///
    /// # Errors
    /// Names the file or variable that cannot be used.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::read(file, taken::variables().collect())
    }

    fn read(file: Option<&Path>, variables: std::collections::HashMap<String, String>) -> Result<Self, ConfigError> {
        let source = match file {
            Some(path) => File::from(path).format(FileFormat::Toml),
            None => File::new("nbhook.toml", FileFormat::Toml).required(false),
        };
        // The client's variables and those of runs share the prefix, so only the server's are looked at.
        let variables = variables.into_iter().filter(|(name, _)| is_setting(name)).collect();
        // Without `try_parsing`: it would read a token of digits as a number and round it.
        let environment =
            Environment::with_prefix("NBHOOK").prefix_separator("_").separator("__").source(Some(variables));
        Ok(Config::builder().add_source(source).add_source(environment).build()?.try_deserialize()?)
    }

    /// # Errors
    /// Names the first setting with a value that cannot work.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let refuse = |name, message: &str| Err(ConfigError::Invalid { name, message: message.to_owned() });
        if let Some(url) = &self.public_url
            && crate::model::NextUrl::try_from(url.clone()).is_err()
        {
            return refuse("public_url", "must be an absolute http or https URL");
        }
        if let Some(token) = &self.admin_token
            && token.expose().parse::<ApiToken>().is_err()
        {
            return refuse("admin_token", "must have 16 to 200 visible ASCII characters");
        }
        if let Some(key) = &self.secret_key
            && let Err(message) = key.expose().parse::<SecretKey>()
        {
            return refuse("secret_key", message);
        }
        if self.body_timeout == 0 {
            return refuse("body_timeout", "must be at least 1 (second)");
        }
        if self.kernel.limit == 0 {
            return refuse("kernel.limit", "must be at least 1");
        }
        if self.kernel.output == 0 {
            return refuse("kernel.output", "must be at least 1 (MiB)");
        }
        if self.keep.failed == 0 {
            return refuse("keep.failed", "must be at least 1");
        }
        if self.inbox.body_limit == 0 {
            return refuse("inbox.body_limit", "must be at least 1 (byte)");
        }
        if self.kernel.start_timeout == 0 {
            return refuse("kernel.start_timeout", "must be at least 1 (second)");
        }
        match self.outbound.problem() {
            Some((name, message)) => refuse(name, &message),
            None => Ok(()),
        }
    }

    /// Whether others than this machine can reach the server in plain text.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        !self.listen.ip().is_loopback() && !self.behind_proxy
    }
}

fn is_setting(variable: &str) -> bool {
    const TOP: [&str; 12] = [
        "listen",
        "data",
        "public_url",
        "admin_token",
        "secret_key",
        "behind_proxy",
        "body_limit",
        "body_memory",
        "body_timeout",
        "grace",
        "idempotency_hours",
        "retry_delay",
    ];
    const GROUPS: [&str; 7] = ["kernel__", "keep__", "files__", "inbox__", "outbound__", "smtp__", "log__"];
    let Some(name) = variable.strip_prefix("NBHOOK_").map(str::to_ascii_lowercase) else { return false };
    TOP.contains(&name.as_str()) || GROUPS.iter().any(|group| name.starts_with(group))
}

#[cfg(test)]
mod tests;
