//! Subscriptions: which events go where, and for how long.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CallbackId, Event, Filter, Invalid, RunId, SigningSecret, SubscriptionId, TopicName, UserId};

/// How many events it is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubscriptionMode {
    /// One.
    #[default]
    Once,
    /// All, until it is cancelled.
    Continuous,
}

/// What it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubscriptionKind {
    /// Its owner's events that its tags and filters name.
    Events,
    /// The end of one run.
    Task,
    /// One call of a hook's declared callback.
    Declared,
}

/// pending → active → one of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubscriptionStatus {
    Pending,
    Active,
    Completed,
    Cancelled,
    Expired,
    /// Its URL does not want to be called any more, or nothing but failed.
    Disabled,
}

/// Where the events of a subscription go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Signed with these secrets.
    Url {
        url: String,
        secrets: Vec<SigningSecret>,
    },
    Callback(CallbackId),
    /// To whoever reads it.
    Topic(TopicName),
    /// It has ended, and the callback that it had is gone.
    Gone,
}

/// See the module's documentation.
#[derive(Debug, Clone)]
pub struct Subscription {
    pub id: SubscriptionId,
    pub owner: UserId,
    pub kind: SubscriptionKind,
    pub mode: SubscriptionMode,
    pub status: SubscriptionStatus,
    pub target: Target,
    /// The run whose end it waits for.
    pub run: Option<RunId>,
    /// Sets of tags: an event has to have all of one of them. None: every event, but those about callbacks.
    pub tags: Vec<Vec<String>>,
    /// All of them have to be met.
    pub filters: Vec<Filter>,
    /// How many events it has had.
    pub matched: u64,
    pub expires_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

impl Subscription {
    /// Whether it is for an event of its owner.
    #[must_use]
    pub fn wants(&self, event: &Event, view: &Value) -> bool {
        let is_open = self.status == SubscriptionStatus::Active
            && !self.is_over(event.at)
            && (self.mode == SubscriptionMode::Continuous || self.matched == 0);
        is_open && self.names(event) && self.filters.iter().all(|filter| filter.accepts(view))
    }

    /// Whether its time has passed.
    fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
    }

    /// How it is, also before that is on record: its time may have passed since the last look. What it has had by then is
    /// still sent.
    #[must_use]
    pub fn status_at(&self, now: DateTime<Utc>) -> SubscriptionStatus {
        let is_sending = self.mode == SubscriptionMode::Once && self.matched > 0;
        if self.status == SubscriptionStatus::Active && self.is_over(now) && !is_sending {
            SubscriptionStatus::Expired
        } else {
            self.status
        }
    }

    fn names(&self, event: &Event) -> bool {
        if self.tags.is_empty() {
            return !event.kind.is_about_callbacks();
        }
        let has = |tag: &String| event.tags.contains(tag);
        // Those about callbacks have to be asked for by what they are, and not by a hook's tag alone.
        let asks =
            |set: &Vec<String>| !event.kind.is_about_callbacks() || set.iter().any(|tag| tag == event.kind.parts().0);
        self.tags.iter().any(|set| set.iter().all(has) && asks(set))
    }
}

impl SubscriptionMode {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Continuous => "continuous",
        }
    }
}

impl SubscriptionKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Task => "task",
            Self::Declared => "declared",
        }
    }
}

impl SubscriptionStatus {
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Active, Self::Completed, Self::Cancelled, Self::Expired, Self::Disabled];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Disabled => "disabled",
        }
    }
}

impl fmt::Display for SubscriptionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for SubscriptionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SubscriptionStatus {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            Invalid::new("status", format!("must be one of {names}"))
        })
    }
}

impl FromStr for SubscriptionMode {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let modes = [Self::Once, Self::Continuous];
        let mode = modes.into_iter().find(|mode| mode.as_str() == text);
        mode.ok_or_else(|| Invalid::new("mode", "must be once or continuous"))
    }
}

impl FromStr for SubscriptionKind {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let kinds = [Self::Events, Self::Task, Self::Declared];
        let kind = kinds.into_iter().find(|kind| kind.as_str() == text);
        kind.ok_or_else(|| Invalid::new("kind", "must be events, task or declared"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{EventId, EventType, RunState, event};

    fn subscription(tags: Value, filters: Value) -> Subscription {
        Subscription {
            id: SubscriptionId::new(),
            owner: UserId::new(),
            kind: SubscriptionKind::Events,
            mode: SubscriptionMode::Continuous,
            status: SubscriptionStatus::Active,
            target: Target::Topic("t".parse().unwrap()),
            run: None,
            tags: serde_json::from_value(tags).unwrap(),
            filters: serde_json::from_value(filters).unwrap(),
            matched: 0,
            expires_at: None,
            created_at: DateTime::UNIX_EPOCH,
            ended_at: None,
        }
    }

    fn happened(kind: EventType) -> Event {
        Event {
            id: EventId::new(),
            owner: UserId::new(),
            kind,
            at: DateTime::UNIX_EPOCH,
            tags: event::tags(kind, ["hook:1".to_owned()]),
            data: json!({"hook": "1", "path": "reports/sales.ipynb", "attempts": 2, "error": null, "long": "x".repeat(1_001)}),
        }
    }

    fn wants(subscription: &Subscription, event: &Event) -> bool {
        subscription.wants(event, &event.view())
    }

    #[test]
    fn tags_are_sets_of_which_one_has_to_be_there_completely() {
        let event = happened(EventType::Run(RunState::Failed));
        for (tags, wanted) in [
            (json!([]), true),
            (json!([["run"]]), true),
            (json!([["run", "failed"]]), true),
            (json!([["run", "succeeded"], ["hook:1", "failed"]]), true),
            (json!([["run", "succeeded"]]), false),
            (json!([["run", "failed", "hook:2"]]), false),
            (json!([[]]), true),
        ] {
            assert_eq!(wants(&subscription(tags.clone(), json!([])), &event), wanted, "{tags}");
        }
    }

    #[test]
    fn what_tells_of_callbacks_has_to_be_asked_for() {
        let event = happened(EventType::DeliveryDead);
        for (tags, wanted) in [
            (json!([]), false),
            (json!([["hook:1"]]), false),
            (json!([["delivery"]]), true),
            (json!([["dead"]]), false),
        ] {
            assert_eq!(wants(&subscription(tags.clone(), json!([])), &event), wanted, "{tags}");
        }
    }

    #[test]
    fn every_filter_has_to_be_met() {
        let event = happened(EventType::Run(RunState::Failed));
        for (filters, wanted) in [
            (json!([{"field": "data.hook", "eq": "1"}]), true),
            (json!([{"field": "data.hook", "eq": 1}]), false),
            (json!([{"field": "data.hook", "eq": "1", "not": true}]), false),
            (json!([{"field": "data.attempts", "in": [1, 2]}]), true),
            (json!([{"field": "data.attempts", "in": []}]), false),
            (json!([{"field": "data.path", "match": "reports/*.ipynb"}]), true),
            (json!([{"field": "data.path", "match": "reports/?.ipynb"}]), false),
            (json!([{"field": "data.attempts", "match": "*"}]), false),
            (json!([{"field": "data.long", "match": "x*"}]), false),
            (json!([{"field": "data.error", "eq": null}]), true),
            (json!([{"field": "data.nothing.here", "eq": null}]), true),
            (json!([{"field": "tags.1", "eq": "failed"}]), true),
            (json!([{"field": "type", "eq": "run.failed"}, {"field": "data.hook", "eq": "2"}]), false),
        ] {
            assert_eq!(wants(&subscription(json!([]), filters.clone()), &event), wanted, "{filters}");
        }
    }

    #[test]
    fn it_ends_by_its_mode_its_status_and_its_time() {
        let event = happened(EventType::InboxReceived);
        let open = subscription(json!([]), json!([]));
        assert!(wants(&Subscription { matched: 7, ..open.clone() }, &event));
        let once = Subscription { mode: SubscriptionMode::Once, ..open.clone() };
        assert!(wants(&once, &event));
        assert!(!wants(&Subscription { matched: 1, ..once }, &event));
        assert!(!wants(&Subscription { status: SubscriptionStatus::Cancelled, ..open.clone() }, &event));
        assert!(!wants(&Subscription { expires_at: Some(event.at), ..open }, &event));
    }

    #[test]
    fn its_time_is_over_at_once_but_for_what_is_being_sent() {
        let end = DateTime::UNIX_EPOCH;
        let open = Subscription { expires_at: Some(end), ..subscription(json!([]), json!([])) };
        let before = end - chrono::TimeDelta::milliseconds(1);
        assert_eq!(
            (open.status_at(before), open.status_at(end)),
            (SubscriptionStatus::Active, SubscriptionStatus::Expired)
        );
        let sending = Subscription { mode: SubscriptionMode::Once, matched: 1, ..open.clone() };
        assert_eq!(sending.status_at(end), SubscriptionStatus::Active);
        let cancelled = Subscription { status: SubscriptionStatus::Cancelled, ..open };
        assert_eq!(cancelled.status_at(end), SubscriptionStatus::Cancelled);
    }
}
