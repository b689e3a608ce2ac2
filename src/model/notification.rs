//! What a subscriber is sent.

use serde_json::{Value, json};

use super::{Event, Run, SubscriptionId, event};

/// An event for a subscription: what the API shows of it, and which subscription it is for.
#[must_use]
pub fn of_event(subscription: SubscriptionId, event: &Event) -> Value {
    json!({
        "_links": {"self": {"href": link(subscription)}},
        "UUID": subscription,
        "type": event.kind.as_str(),
        "timestamp": event::timestamp(event.at),
        "tags": event.tags,
        "data_type": event.kind.parts().0,
        "data": event.data,
    })
}

/// The end of a run for whoever started it: no more than its task tells, and its answer if that is JSON and not large.
#[must_use]
pub fn of_task(subscription: SubscriptionId, event: &Event, run: &Run, result: Option<&Value>) -> Value {
    json!({
        "_links": {
            "self": {"href": link(subscription)},
            "task": {"href": format!("/v1/tasks/{}", run.id)},
            "result": {"href": format!("/v1/runs/{}/result", run.id)},
        },
        "UUID": subscription,
        "type": event.kind.as_str(),
        "timestamp": event::timestamp(event.at),
        "data_type": "run",
        "data": {
            "run": run.id,
            "state": run.state,
            "status": run.status,
            "media_type": run.media_type,
            "error": event.data["error"],
            "result": result,
        },
    })
}

/// Where a subscription is.
#[must_use]
pub fn link(subscription: SubscriptionId) -> String {
    format!("/v1/subscriptions/{subscription}")
}
