//! What is sent to callbacks: where to, how often, and how long it is remembered: `[outbound]`.

use serde::{Deserialize, Serialize};

use super::list::comma_separated;
use crate::model::Network;

/// Longest wait before an attempt that can be set, in seconds: 30 days.
const LONGEST_WAIT: u64 = 30 * 24 * 60 * 60;
/// A year, in hours.
const LONGEST_ROTATION: u32 = 365 * 24;
/// A hundred years.
const MOST_DAYS: u32 = 36_500;
const MOST_RETRIES: usize = 50;

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutboundSettings {
    /// Networks that are not public, and may be sent to nevertheless; in the environment comma-separated.
    #[serde(deserialize_with = "comma_separated")]
    pub allow: Vec<Network>,
    /// Whether plain http will do.
    pub allow_http: bool,
    /// The waits before a delivery is tried again, in seconds; then it is dead. In the environment comma-separated.
    #[serde(deserialize_with = "comma_separated")]
    pub retry_schedule: Vec<u64>,
    /// For one attempt of a callback that sets none itself, in seconds.
    pub timeout: u64,
    /// Longest wait that a receiver may ask for (`Retry-After`), in seconds.
    pub longest_retry_after: u64,
    /// How long a callback's old secret signs beside its new one.
    pub rotation_hours: u32,
    /// A callback that only failed for so many days is disabled; 0: never.
    pub disable_after_days: u32,
    /// Deliveries at once.
    pub concurrency: usize,
    /// Deliveries a minute to a callback that sets none itself; none: no limit.
    pub rate_limit: Option<u32>,
    /// How long events and ended deliveries are kept; 0: for good.
    pub keep_days: u32,
    /// How many events are kept; 0: all.
    pub keep_events: u64,
}

impl Default for OutboundSettings {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            allow_http: false,
            retry_schedule: vec![5, 300, 1_800, 7_200, 18_000, 36_000, 36_000],
            timeout: 15,
            longest_retry_after: 86_400,
            rotation_hours: 24,
            disable_after_days: 5,
            concurrency: 8,
            rate_limit: None,
            keep_days: 30,
            keep_events: 100_000,
        }
    }
}

impl OutboundSettings {
    /// The first setting that cannot work, and what it has to be.
    pub(super) fn problem(&self) -> Option<(&'static str, String)> {
        let fits = |seconds: &u64| (1..=LONGEST_WAIT).contains(seconds);
        if self.retry_schedule.len() > MOST_RETRIES || !self.retry_schedule.iter().all(fits) {
            let message = format!("must be up to {MOST_RETRIES} waits of 1 to {LONGEST_WAIT} (seconds)");
            return Some(("outbound.retry_schedule", message));
        }
        if !(1..=60).contains(&self.timeout) {
            return Some(("outbound.timeout", "must be 1 to 60 (seconds)".to_owned()));
        }
        if self.longest_retry_after > LONGEST_WAIT {
            return Some(("outbound.longest_retry_after", format!("must be at most {LONGEST_WAIT} (seconds)")));
        }
        if !(1..=1_000).contains(&self.concurrency) {
            return Some(("outbound.concurrency", "must be 1 to 1000".to_owned()));
        }
        for (name, value, most) in [
            ("outbound.rotation_hours", self.rotation_hours, LONGEST_ROTATION),
            ("outbound.disable_after_days", self.disable_after_days, MOST_DAYS),
            ("outbound.keep_days", self.keep_days, MOST_DAYS),
        ] {
            if value > most {
                return Some((name, format!("must be at most {most}")));
            }
        }
        if self.rate_limit == Some(0) {
            return Some(("outbound.rate_limit", "must be at least 1 (a minute), or left out".to_owned()));
        }
        None
    }
}
