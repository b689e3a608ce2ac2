//! What the server's answers mean: the fields of `/v1` that commands use. Pure.
//!
//! Listings with `--json` print the server's own JSON instead, so these types may leave out what no command shows.

use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::CliError;
use super::text;
use crate::model::Contract;

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

/// Where a run is watched. Whoever knows it may see what the run answers, so it is printed only where it was asked for.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct TaskHref(String);

impl TaskHref {
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TaskHref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskHref(***)")
    }
}

/// A run that nobody waits for.
#[derive(Debug, Deserialize)]
pub(super) struct Task {
    #[serde(rename = "UUID")]
    pub(super) id: String,
    pub(super) state: String,
    #[serde(default)]
    pub(super) progress: Option<Progress>,
    /// When to ask again, in seconds.
    #[serde(default, rename = "retryAfter")]
    pub(super) retry_after: Option<u64>,
    #[serde(rename = "_links")]
    links: Links,
}

#[derive(Debug, Deserialize)]
struct Links {
    #[serde(rename = "self")]
    this: Link,
}

#[derive(Debug, Deserialize)]
struct Link {
    href: TaskHref,
}

impl Task {
    pub(super) fn href(&self) -> &TaskHref {
        &self.links.this.href
    }
}

/// Something that happened.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    pub(super) uuid: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) timestamp: String,
    pub(super) tags: Vec<String>,
}

/// What binds events to a URL, a callback or a topic.
#[derive(Debug, Deserialize)]
pub(super) struct Subscription {
    #[serde(rename = "UUID")]
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) mode: String,
    pub(super) status: String,
    pub(super) matched: u64,
    pub(super) created_at: String,
    #[serde(rename = "callbackUrl")]
    url: Option<String>,
    callback_id: Option<u64>,
    topic: Option<String>,
}

impl Subscription {
    /// Where its events go.
    pub(super) fn to(&self) -> String {
        let callback = || self.callback_id.map(|id| format!("callback {id}"));
        let topic = || self.topic.as_ref().map(|topic| format!("topic {topic}"));
        self.url.clone().or_else(callback).or_else(topic).unwrap_or_default()
    }
}

/// How far a run says it is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Progress {
    done: f64,
    #[serde(default)]
    total: Option<f64>,
    #[serde(default)]
    message: Option<String>,
}

impl Progress {
    /// The part that is done, from 0 to 1; none when the whole is not known.
    pub(super) fn part(&self) -> Option<f64> {
        self.total.filter(|total| *total > 0.0).map(|total| (self.done / total).clamp(0.0, 1.0))
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.done)?;
        self.total.iter().try_for_each(|total| write!(f, "/{total}"))?;
        self.message.iter().try_for_each(|message| write!(f, " {message}"))
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
pub(super) struct Run {
    pub(super) id: String,
    pub(super) hook: String,
    pub(super) version: String,
    pub(super) histo: String,
    pub(super) state: String,
    pub(super) trigger: String,
    pub(super) method: String,
    pub(super) created_at: String,
    pub(super) started_at: Option<String>,
    pub(super) finished_at: Option<String>,
    pub(super) duration_ms: Option<u64>,
    pub(super) cells_total: u64,
    pub(super) cells_done: u64,
    /// Whether its caller waits for it.
    #[serde(default)]
    pub(super) mode: Option<String>,
    /// How often it was tried.
    #[serde(default)]
    pub(super) attempts: Option<u64>,
    pub(super) error: Option<RunError>,
    #[serde(default)]
    pub(super) warnings: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RunError {
    pub(super) kind: String,
    #[serde(default)]
    pub(super) detail: Option<String>,
    /// Index of the cell in the deployed notebook, from 0.
    #[serde(default)]
    pub(super) cell: Option<u64>,
    #[serde(default)]
    pub(super) ename: Option<String>,
    #[serde(default)]
    pub(super) evalue: Option<String>,
    #[serde(default)]
    pub(super) traceback: Option<Vec<String>>,
}

impl RunError {
    /// The error in one line: the exception if there is one, else the server's sentence, else the kind.
    pub(super) fn summary(&self) -> String {
        match (&self.ename, &self.evalue, &self.detail) {
            (Some(ename), Some(evalue), _) if !evalue.is_empty() => format!("{ename}: {evalue}"),
            (Some(ename), _, _) => ename.clone(),
            (None, _, Some(detail)) => format!("{}: {detail}", self.kind),
            (None, ..) => self.kind.clone(),
        }
    }
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
    fn an_error_in_one_line() {
        let summary = |value: Value| read::<RunError>(&value).unwrap().summary();
        let raised = json!({"kind": "cell-error", "cell": 3, "ename": "KeyError", "evalue": "'a'", "traceback": []});
        assert_eq!(summary(raised), "KeyError: 'a'");
        assert_eq!(
            summary(json!({"kind": "cell-error", "ename": "KeyboardInterrupt", "evalue": ""})),
            "KeyboardInterrupt"
        );
        assert_eq!(
            summary(json!({"kind": "timeout", "detail": "took more than 5 s", "ename": null})),
            "timeout: took more than 5 s"
        );
        assert_eq!(summary(json!({"kind": "kernel-died"})), "kernel-died");
    }

    #[test]
    fn progress_in_one_line_and_as_a_part() {
        let progress = |value: Value| {
            let progress: Progress = read(&value).unwrap();
            (progress.to_string(), progress.part())
        };
        assert_eq!(progress(json!({"done": 3, "total": 4, "message": "on it"})), ("3/4 on it".to_owned(), Some(0.75)));
        assert_eq!(progress(json!({"done": 0.5})), ("0.5".to_owned(), None));
        assert_eq!(progress(json!({"done": 9, "total": 4, "message": null})).1, Some(1.0));
        assert_eq!(progress(json!({"done": 0, "total": 0})).1, None);
    }

    #[test]
    fn debug_shows_no_secret() {
        let token = json!({"id": "1", "name": "ci", "user": "bob", "token": "nbh_secret", "created_at": ""});
        let url: HookUrl = read(&json!("http://x/hooks/secret")).unwrap();
        let task = json!({"UUID": "1", "state": "queued", "_links": {"self": {"href": "/v1/tasks/1?key=secret"}}});
        let shown = format!("{:?} {url:?} {:?}", read::<NewToken>(&token).unwrap(), read::<Task>(&task).unwrap());
        assert!(!shown.contains("secret"), "{shown}");
    }
}
