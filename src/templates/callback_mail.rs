//! What the mails about callbacks tell.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::run_mail::moment;
use crate::model::{CallbackId, CallbackTrouble};

/// What the mails `callback_failed` and `callback_disabled` tell: the context of their templates.
#[derive(Debug, Clone, Serialize)]
pub struct CallbackMail {
    /// What it is called.
    callback: String,
    id: CallbackId,
    /// Where its URL leads, without the rest, which may hold secrets.
    receiver: String,
    reason: String,
    delivery: String,
    /// How often it happened, the time shown included.
    count: u64,
    /// When it happened first.
    since: String,
    at: String,
    /// The callback in the API.
    url: String,
}

impl CallbackMail {
    /// `trouble` is the latest of `count` times since `since`.
    #[must_use]
    pub fn new(trouble: &CallbackTrouble, public_url: &str, count: u64, since: DateTime<Utc>) -> Self {
        let id = trouble.callback;
        Self {
            callback: trouble.name.clone().unwrap_or_else(|| format!("Callback {id}")),
            id,
            receiver: trouble.receiver.clone(),
            reason: trouble.reason.clone(),
            delivery: trouble.delivery.to_string(),
            count: count.max(1),
            since: moment(since),
            at: moment(trouble.at),
            url: format!("{}/v1/callbacks/{id}", public_url.trim_end_matches('/')),
        }
    }
}
