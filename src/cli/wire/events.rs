//! Events and subscriptions.

use serde::Deserialize;

/// Something that happened.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Event {
    pub(in crate::cli) uuid: String,
    #[serde(rename = "type")]
    pub(in crate::cli) kind: String,
    pub(in crate::cli) timestamp: String,
    pub(in crate::cli) tags: Vec<String>,
}

/// What binds events to a URL, a callback or a topic.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Subscription {
    #[serde(rename = "UUID")]
    pub(in crate::cli) id: String,
    pub(in crate::cli) kind: String,
    pub(in crate::cli) mode: String,
    pub(in crate::cli) status: String,
    pub(in crate::cli) matched: u64,
    pub(in crate::cli) created_at: String,
    #[serde(rename = "callbackUrl")]
    url: Option<String>,
    callback_id: Option<u64>,
    topic: Option<String>,
}

impl Subscription {
    /// Where its events go.
    pub(in crate::cli) fn to(&self) -> String {
        let callback = || self.callback_id.map(|id| format!("callback {id}"));
        let topic = || self.topic.as_ref().map(|topic| format!("topic {topic}"));
        self.url.clone().or_else(callback).or_else(topic).unwrap_or_default()
    }
}
