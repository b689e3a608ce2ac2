//! What happens: the types of events, and what they tell.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{EventId, Hook, HookPath, InboxId, Invalid, Run, RunId, RunState, UserId};

/// The largest result of an inbox or a run that an event tells, in bytes of JSON.
pub const LARGEST_RESULT: usize = 64 << 10;

/// A kind of thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventType {
    HookDeployed,
    HookDeleted,
    Run(RunState),
    /// A hook's declared callback was called.
    RunCallback,
    InboxReceived,
    DeliveryDead,
    CallbackDisabled,
}

impl EventType {
    pub const ALL: [Self; 13] = [
        Self::HookDeployed,
        Self::HookDeleted,
        Self::Run(RunState::Queued),
        Self::Run(RunState::Running),
        Self::Run(RunState::Succeeded),
        Self::Run(RunState::Failed),
        Self::Run(RunState::TimedOut),
        Self::Run(RunState::Cancelled),
        Self::Run(RunState::Interrupted),
        Self::RunCallback,
        Self::InboxReceived,
        Self::DeliveryDead,
        Self::CallbackDisabled,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HookDeployed => "hook.deployed",
            Self::HookDeleted => "hook.deleted",
            Self::Run(RunState::Queued) => "run.queued",
            Self::Run(RunState::Running) => "run.started",
            Self::Run(RunState::Succeeded) => "run.succeeded",
            Self::Run(RunState::Failed) => "run.failed",
            Self::Run(RunState::TimedOut) => "run.timed_out",
            Self::Run(RunState::Cancelled) => "run.cancelled",
            Self::Run(RunState::Interrupted) => "run.interrupted",
            Self::RunCallback => "run.callback",
            Self::InboxReceived => "inbox.received",
            Self::DeliveryDead => "delivery.dead",
            Self::CallbackDisabled => "callback.disabled",
        }
    }

    /// What its data are about, and what happened to it.
    #[must_use]
    pub fn parts(self) -> (&'static str, &'static str) {
        self.as_str().split_once('.').unwrap_or((self.as_str(), ""))
    }

    /// Whether only those who name it are told of it: what tells of failed deliveries should not make further ones by itself.
    #[must_use]
    pub fn is_about_callbacks(self) -> bool {
        matches!(self, Self::DeliveryDead | Self::CallbackDisabled)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EventType {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            Invalid::new("type", format!("must be one of {names}"))
        })
    }
}

/// Something that happened.
#[derive(Debug, Clone)]
pub struct Event {
    pub id: EventId,
    pub owner: UserId,
    pub kind: EventType,
    pub at: DateTime<Utc>,
    /// The parts of its type, and what it is about: `hook:<id>`.
    pub tags: Vec<String>,
    pub data: Value,
}

impl Event {
    /// As the API shows it, and as filters see it.
    #[must_use]
    pub fn view(&self) -> Value {
        json!({
            "uuid": self.id,
            "type": self.kind.as_str(),
            "timestamp": timestamp(self.at),
            "tags": self.tags,
            "data_type": self.kind.parts().0,
            "data": self.data,
        })
    }
}

/// RFC 3339, in UTC.
#[must_use]
pub fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// The tags of an event: the parts of its type, and those that say what it is about.
#[must_use]
pub fn tags(kind: EventType, about: impl IntoIterator<Item = String>) -> Vec<String> {
    let (subject, what) = kind.parts();
    [subject.to_owned(), what.to_owned()].into_iter().chain(about).collect()
}

/// What is told of a hook.
#[must_use]
pub fn hook_data(hook: &Hook) -> Value {
    json!({"hook": hook.id, "path": hook.path, "version": hook.histo, "owner": hook.owner_name})
}

/// What is told of a run. The traceback is not.
#[must_use]
pub fn run_data(run: &Run, path: &HookPath) -> Value {
    let error = run.error.as_ref();
    json!({
        "run": run.id,
        "hook": run.hook,
        "path": path,
        "version": run.version,
        "histo": run.histo,
        "state": run.state,
        "trigger": run.trigger,
        "attempts": run.attempts,
        "created_at": timestamp(run.created_at),
        "started_at": run.started_at.map(timestamp),
        "finished_at": run.finished_at.map(timestamp),
        "duration_ms": run.duration_ms,
        "error": error.map(|error| json!({
            "kind": error.kind,
            "detail": error.detail,
            "cell": error.cell,
            "ename": error.ename,
            "evalue": error.evalue,
        })),
        "status": run.status,
        "media_type": run.media_type,
    })
}

/// What is told of something that was sent to an inbox; what is large has to be read there. Headers may hold secrets.
#[must_use]
pub fn inbox_data(id: &InboxId, received: u64, result: &str, query: &str) -> Value {
    let small = result.len() + query.len() <= LARGEST_RESULT;
    let read = |text: &str| if small { serde_json::from_str(text).unwrap_or_default() } else { Value::Null };
    json!({
        "inbox": id,
        "received": received,
        "result": read(result),
        "query": read(query),
        "complete": small,
    })
}

/// The tag of what is about a run of a hook.
#[must_use]
pub fn hook_tag(hook: super::HookId) -> String {
    format!("hook:{hook}")
}

/// The tag of what is about a run.
#[must_use]
pub fn run_tag(run: RunId) -> String {
    format!("run:{run}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_as_it_is_written_and_has_two_parts() {
        for kind in EventType::ALL {
            assert_eq!(kind.as_str().parse::<EventType>().unwrap(), kind);
            assert!(!kind.parts().1.is_empty());
        }
        assert!("run.exploded".parse::<EventType>().unwrap_err().message.contains("run.timed_out"));
    }
}
