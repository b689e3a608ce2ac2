//! Deliveries: an event on its way to a callback, attempt by attempt.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{CallbackId, DeliveryId, EventId, EventType, Invalid, SubscriptionId, UserId};

/// pending → attempting ⇄ retrying → one of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    Pending,
    Attempting,
    Retrying,
    Delivered,
    /// The receiver does not want it (403).
    Rejected,
    /// Given up; it may be begun again.
    Dead,
    /// Its subscription was cancelled before it was delivered.
    Cancelled,
}

impl DeliveryStatus {
    pub const ALL: [Self; 7] =
        [Self::Pending, Self::Attempting, Self::Retrying, Self::Delivered, Self::Rejected, Self::Dead, Self::Cancelled];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Attempting => "attempting",
            Self::Retrying => "retrying",
            Self::Delivered => "delivered",
            Self::Rejected => "rejected",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more is sent.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Attempting | Self::Retrying)
    }
}

impl fmt::Display for DeliveryStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DeliveryStatus {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            Invalid::new("status", format!("must be one of {names}"))
        })
    }
}

/// One request that was sent, or could not be.
#[derive(Debug, Clone)]
pub struct DeliveryAttempt {
    pub at: DateTime<Utc>,
    pub status_code: Option<u16>,
    pub duration_ms: i64,
    pub error: Option<String>,
    /// The beginning of the answer.
    pub response: String,
    /// Whether the answer is what was declared, if something was.
    pub response_valid: Option<bool>,
}

/// What comes of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    Delivered,
    /// The receiver does not want it.
    Rejected,
    /// The receiver wants nothing any more.
    Gone,
    Retry(DateTime<Utc>),
    /// It was tried often enough.
    Dead,
}

/// What names a callback among those who get deliveries, of whom none is to hold up the others.
#[must_use]
pub fn receiver_of_callback(callback: CallbackId) -> String {
    format!("callback:{callback}")
}

/// What names where a URL leads: its scheme, host and port.
#[must_use]
pub fn receiver_of_url(url: &str) -> String {
    let begin = url.find("://").map_or(0, |scheme| scheme + 3);
    let end = url[begin..].find(['/', '?', '#']).map_or(url.len(), |length| begin + length);
    url[..end].to_ascii_lowercase()
}

/// See the module's documentation.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub id: DeliveryId,
    pub owner: UserId,
    pub event: EventId,
    pub kind: EventType,
    pub subscription: SubscriptionId,
    /// Where it goes; none: to the subscription's URL.
    pub callback: Option<CallbackId>,
    /// The delivery that it stands in for.
    pub fallback_of: Option<DeliveryId>,
    pub status: DeliveryStatus,
    pub attempts: Vec<DeliveryAttempt>,
    pub next_attempt_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_where_a_url_leads() {
        for (url, receiver) in [
            ("https://Example.org/a/b?c=//d", "https://example.org"),
            ("http://10.0.0.1:8080?a=/", "http://10.0.0.1:8080"),
            ("https://[::1]:1/", "https://[::1]:1"),
            ("https://example.org#/a", "https://example.org"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(receiver_of_url(url), receiver);
        }
    }
}
