//! One attempt of a delivery.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::flights::Place;
use super::next;
use crate::model::{CallbackId, CallbackMethod, DeliveryAttempt, NextStep, SigningSecret};
use crate::service::{Service, declared};
use crate::store::{AttemptEnd, DueDelivery, StoreError};
use crate::webhook::{Attempt, KEPT_OF_ANSWER, Outcome, Outgoing};

/// Waits between tries to write what cannot be written.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

impl Service {
    /// Begins an attempt, which goes on by itself.
    pub(super) fn begin(self: &Arc<Self>, due: DueDelivery) {
        let Some(place) = self.flights.take(due.id) else { return };
        let service = self.clone();
        let attempt = async move {
            let _place: Place = place;
            let abandoned = service.flights.abandoned.clone();
            tokio::select! {
                () = service.attempt_delivery(&due) => {}
                () = abandoned.cancelled() => {}
            }
        };
        drop(self.flights.tasks.spawn_on(attempt, &self.runtime));
    }

    /// Sends, and writes what came of it.
    async fn attempt_delivery(&self, due: &DueDelivery) {
        if !self.may_be_sent(due).await {
            return;
        }
        let at = self.clock.now();
        let sent = self.send_delivery(due, at).await;
        let now = self.clock.now();
        let rules = &self.settings.outbound;
        let next = next::after(&sent.outcome, sent.retry_after, due.attempts, rules, now, self.chance());
        let attempt = on_record(due, &sent, at, self.timeout(due));
        tell(due, &attempt, next);
        let days = rules.disable_after_days;
        let failing_before = (days > 0).then(|| now - chrono::TimeDelta::days(days.into()));
        let timed_out = sent.outcome == Outcome::TimedOut;
        let end = AttemptEnd { delivery: due.id, attempt: &attempt, next, timed_out, failing_before, now };
        let mut patience = Patience::new();
        loop {
            match self.db.finish_attempt(&end).await {
                Ok(true) => return self.notices.notify_one(),
                Err(error) if patience.is_left_after(&error).await => {}
                Ok(false) | Err(_) => return,
            }
        }
    }

    /// Whether it is still to be sent: it may have been cancelled since it was claimed.
    async fn may_be_sent(&self, due: &DueDelivery) -> bool {
        let mut patience = Patience::new();
        loop {
            let asked = match self.db.may_be_sent(due.id).await {
                Ok(true) => return true,
                // What is cancelled ends when it is claimed next.
                Ok(false) => self.db.release_delivery(due.id).await,
                Err(error) => Err(error),
            };
            match asked {
                Err(error) if patience.is_left_after(&error).await => {}
                Ok(()) | Err(_) => return false,
            }
        }
    }

    async fn send_delivery(&self, due: &DueDelivery, at: DateTime<Utc>) -> Attempt {
        let to = &due.recipient;
        let secrets: Vec<&SigningSecret> = to.secrets.iter().collect();
        let has_body = to.method != CallbackMethod::Get;
        let outgoing = Outgoing {
            url: &to.url,
            method: to.method,
            headers: &to.headers,
            timeout: self.timeout(due),
            id: &due.event.to_string(),
            hops: due.hops.saturating_add(1),
            timestamp: at.timestamp(),
            secrets: &secrets,
            content_type: has_body.then_some("application/json"),
            body: if has_body { due.body.as_bytes() } else { &[] },
        };
        self.webhooks.send(&outgoing).await
    }

    fn timeout(&self, due: &DueDelivery) -> Duration {
        Duration::from_secs(due.recipient.timeout.map_or(self.settings.outbound.timeout, u64::from))
    }

    /// Anything from 0 to 1.
    fn chance(&self) -> f64 {
        let [high, low, ..] = self.random.bits160().unwrap_or([127; 20]);
        f64::from(u16::from_be_bytes([high, low])) / f64::from(u16::MAX)
    }
}

/// How long the database is asked again when it did not answer: an attempt that was made must not be forgotten while there is hope.
struct Patience(Duration);

impl Patience {
    fn new() -> Self {
        Self(FIRST_WAIT)
    }

    /// Waits for a while, a longer one each time. Not if there is no hope.
    async fn is_left_after(&mut self, error: &StoreError) -> bool {
        let is_hopeless = matches!(error, StoreError::Corrupt(_));
        if is_hopeless || self.0 == FIRST_WAIT {
            tracing::error!(%error, "cannot write what came of a delivery");
        }
        if !is_hopeless {
            tokio::time::sleep(self.0).await;
            self.0 = (self.0 * 2).min(LONGEST_WAIT);
        }
        !is_hopeless
    }
}

/// An attempt as it is kept.
fn on_record(due: &DueDelivery, sent: &Attempt, at: DateTime<Utc>, timeout: Duration) -> DeliveryAttempt {
    let (status_code, error) = match &sent.outcome {
        Outcome::Answered(status @ 300..400) => (Some(*status), Some("redirects are not followed".to_owned())),
        Outcome::Answered(status) => (Some(*status), None),
        Outcome::TimedOut => (None, Some(format!("no answer within {} s", timeout.as_secs()))),
        Outcome::Refused(why) | Outcome::Failed(why) => (None, Some(why.clone())),
    };
    let is_success = matches!(sent.outcome, Outcome::Answered(200..300));
    DeliveryAttempt {
        at,
        status_code,
        duration_ms: i64::try_from(sent.duration.as_millis()).unwrap_or(i64::MAX),
        error,
        response: sent.response.clone(),
        response_valid: due.expects.as_deref().filter(|_| is_success).and_then(|schema| fits(schema, &sent.response)),
    }
}

/// Whether an answer is as declared; nothing where that cannot be said, as there is more of it than was read.
fn fits(schema: &str, response: &str) -> Option<bool> {
    let schema: Value = serde_json::from_str(schema).ok()?;
    let fits = declared::fits(&schema, response);
    (fits || response.len() < KEPT_OF_ANSWER).then_some(fits)
}

/// A line in the log, without anything that may be a secret, and the metrics.
fn tell(due: &DueDelivery, attempt: &DeliveryAttempt, next: NextStep) {
    let result = match next {
        NextStep::Delivered => "delivered",
        NextStep::Rejected => "rejected",
        NextStep::Retry(_) => "failed",
        NextStep::Gone | NextStep::Dead => "dead",
    };
    metrics::counter!("nbhook_delivery_attempts_total", "result" => result).increment(1);
    let callback = due.callback.map(CallbackId::number);
    let (delivery, status, duration_ms) = (due.id, attempt.status_code, attempt.duration_ms);
    if result == "delivered" {
        tracing::debug!(%delivery, callback, status, duration_ms, "delivered");
    } else {
        tracing::warn!(%delivery, callback, status, duration_ms, result, "a delivery was not taken");
    }
}
