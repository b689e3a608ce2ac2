//! What the server's answers mean: the fields of `/v1` that commands use, those of runs and tasks in a file of their own. Pure.
//!
//! Listings with `--json` print the server's own JSON instead, so these types may leave out what no command shows.

mod events;
mod files;
mod runs;

use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::CliError;
use super::text;
use crate::model::Contract;

pub(super) use events::{Event, Subscription};
pub(super) use files::{FileVersion, StoredFile};
pub(super) use runs::{Progress, Run, RunError, Task};

/// Reads one object of the API.
///
/// # Errors
/// When it has not the shape that the contract gives it.
pub(super) fn read<T: DeserializeOwned>(value: &Value) -> Result<T, CliError> {
    T::deserialize(value).map_err(|error| CliError::Answer(error.to_string()))
}

/// Reads the items of a list.
pub(super) fn read_all<T: DeserializeOwned>(items: &[Value]) -> Result<Vec<T>, CliError> {
    items.iter().map(read).collect()
}

/// A hook's URL. Whoever knows it may call the hook, so it is printed only where it was asked for.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct HookUrl(String);

impl HookUrl {
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for HookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookUrl(***)")
    }
}

/// Which modules kernels have imported before their run.
#[derive(Debug, Deserialize)]
pub(super) struct Warm {
    state: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    modules: Vec<String>,
    #[serde(default)]
    left_out: Vec<LeftOut>,
}

#[derive(Debug, Deserialize)]
struct LeftOut {
    module: String,
    reason: String,
}

impl fmt::Display for Warm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = if self.state == "off" { self.reason.clone() } else { self.modules.join(", ") };
        write!(f, "{}: {about}", self.state)?;
        self.left_out.iter().try_for_each(|left| write!(f, "; without {} ({})", left.module, left.reason))
    }
}

/// Times are RFC 3339, in UTC, here and below.
#[derive(Debug, Deserialize)]
pub(super) struct Hook {
    pub(super) id: String,
    pub(super) path: String,
    pub(super) url: HookUrl,
    pub(super) histo: String,
    pub(super) owner: String,
    #[serde(default)]
    pub(super) params: Map<String, Value>,
    #[serde(default)]
    pub(super) python: Option<String>,
    #[serde(default)]
    pub(super) warm: Option<Warm>,
    #[serde(default)]
    pub(super) kept: Option<Kept>,
    #[serde(default)]
    pub(super) warnings: Vec<String>,
    /// What callers lost when another version was made the live one.
    #[serde(default)]
    pub(super) breaking: Vec<String>,
    #[serde(default)]
    pub(super) contract: Option<Contract>,
    pub(super) created_at: String,
    pub(super) updated_at: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Version {
    pub(super) histo: String,
    /// In bytes.
    pub(super) size: u64,
    pub(super) live: bool,
    pub(super) created_at: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Output {
    pub(super) histo: String,
    /// In bytes.
    pub(super) size: u64,
    pub(super) run: String,
    pub(super) state: String,
    pub(super) created_at: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Me {
    pub(super) name: String,
    pub(super) role: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) role: String,
    #[serde(default)]
    pub(super) created_at: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Token {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) user: String,
    pub(super) created_at: String,
}

/// An API token that was just made: the only time its value is known.
#[derive(Deserialize)]
pub(super) struct NewToken {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) user: String,
    pub(super) token: String,
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewToken").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A public URL that keeps what is sent to it.
#[derive(Debug, Deserialize)]
pub(super) struct Inbox {
    pub(super) uuid: String,
    pub(super) url: String,
    pub(super) user: String,
    pub(super) received: u64,
    #[serde(default)]
    pub(super) received_at: Option<String>,
    pub(super) created_at: String,
    #[serde(default)]
    pub(super) result: Value,
}

/// A URL that is called when something happens.
#[derive(Debug, Deserialize)]
pub(super) struct Callback {
    pub(super) id: u64,
    /// Whose it is; only admins are told.
    #[serde(default)]
    pub(super) user: Option<String>,
    pub(super) name: Option<String>,
    pub(super) profile_id: Option<u64>,
    pub(super) fallback_callback_id: Option<u64>,
    pub(super) enabled: bool,
    #[serde(default)]
    pub(super) disabled_reason: Option<String>,
    pub(super) config: CallbackConfig,
    pub(super) created_at: String,
    pub(super) updated_at: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct CallbackConfig {
    pub(super) url: String,
    pub(super) method: String,
    pub(super) headers: Option<Vec<CallbackHeader>>,
    pub(super) timeout: Option<u64>,
    pub(super) rate_limit: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CallbackHeader {
    pub(super) name: String,
    value: Value,
}

impl fmt::Display for CallbackHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.value.as_str().unwrap_or("(secret)"))
    }
}

/// The secret that a callback's requests are signed with from now on: the only time it is known.
#[derive(Deserialize)]
pub(super) struct NewSecret {
    secret: String,
}

impl NewSecret {
    pub(super) fn expose(&self) -> &str {
        &self.secret
    }
}

/// Who is told when a callback is in trouble.
#[derive(Debug, Deserialize)]
pub(super) struct Profile {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) user: Option<String>,
    pub(super) name: String,
    pub(super) support_email: String,
    pub(super) created_at: String,
}

/// When a hook runs by itself.
#[derive(Debug, Deserialize)]
pub(super) struct Schedule {
    pub(super) id: String,
    pub(super) path: String,
    pub(super) owner: String,
    pub(super) cron: String,
    pub(super) tz: String,
    pub(super) params: Value,
    pub(super) overlap: String,
    pub(super) missed: String,
    pub(super) enabled: bool,
    pub(super) next: Vec<String>,
    #[serde(default)]
    pub(super) last_at: Option<String>,
    #[serde(default)]
    pub(super) problem: Option<String>,
}

/// Which versions or outputs were removed.
#[derive(Debug, Deserialize)]
pub(super) struct Removed {
    pub(super) removed: Vec<String>,
}

/// How much was removed, or would be.
#[derive(Debug, Deserialize)]
pub(super) struct Tally {
    pub(super) versions: u64,
    pub(super) runs: u64,
    pub(super) outputs: u64,
    pub(super) bytes: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct PrunedHook {
    pub(super) path: String,
    pub(super) owner: String,
    #[serde(flatten)]
    pub(super) tally: Tally,
}

#[derive(Debug, Deserialize)]
pub(super) struct Pruned {
    pub(super) dry_run: bool,
    pub(super) hooks: Vec<PrunedHook>,
    pub(super) total: Tally,
    #[serde(default)]
    pub(super) answers: u64,
    #[serde(default)]
    pub(super) idempotency_keys: u64,
    #[serde(default)]
    pub(super) inboxes: u64,
    #[serde(default)]
    pub(super) leftovers: u64,
}

/// How much there is of a hook.
#[derive(Debug, Deserialize)]
pub(super) struct Kept {
    versions: u64,
    runs: u64,
    outputs: u64,
    bytes: u64,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { versions, runs, outputs, bytes } = self;
        write!(f, "versions: {versions}, runs: {runs}, outputs: {outputs}, {}", text::size(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn debug_shows_no_secret() {
        let token = json!({"id": "1", "name": "ci", "user": "bob", "token": "nbh_secret", "created_at": ""});
        let url: HookUrl = read(&json!("http://x/hooks/secret")).unwrap();
        let shown = format!("{:?} {url:?}", read::<NewToken>(&token).unwrap());
        assert!(!shown.contains("secret"), "{shown}");
    }
}
