//! What comes of an attempt, and of the end of a delivery: all of it in one transaction.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::super::events::{self, NewDelivery, NewEvent};
use super::super::{Database, Write, millis, parse, row};
use crate::model::{
    CallbackId, DeliveryAttempt, DeliveryId, DeliveryStatus, EventId, EventType, NextStep, SubscriptionId, UserId,
    delivery,
};
use crate::store::Result;

/// How an attempt ended.
#[derive(Debug)]
pub struct AttemptEnd<'a> {
    pub delivery: DeliveryId,
    pub attempt: &'a DeliveryAttempt,
    pub next: NextStep,
    /// Who has done nothing but fail since then is disabled.
    pub failing_before: Option<DateTime<Utc>>,
    pub now: DateTime<Utc>,
}

row! {
    struct EndRow {
        owner_id: String,
        event_id: String,
        kind: String,
        subscription_id: String,
        callback_id: Option<i64>,
        method: Option<String>,
        body: Option<String>,
        expects: Option<String>,
        status: String,
        attempts: i64,
    }
}

/// A delivery that comes to its end, and what its fallback needs.
#[derive(Debug)]
pub(super) struct Ending {
    id: DeliveryId,
    owner: UserId,
    event: EventId,
    kind: EventType,
    subscription: SubscriptionId,
    callback: Option<CallbackId>,
    method: Option<String>,
    body: Option<String>,
    expects: Option<String>,
    status: DeliveryStatus,
    attempts: i64,
}

impl Ending {
    pub(super) async fn read(tx: &mut Write, id: DeliveryId) -> Result<Self> {
        let row: EndRow = sqlx::query_as(
            "SELECT d.owner_id, d.event_id, e.type AS kind, d.subscription_id, d.callback_id, d.method, d.body, d.expects,
                 d.status, d.attempts FROM deliveries d JOIN events e ON e.id = d.event_id WHERE d.id = $1",
        )
        .bind(id.to_string())
        .fetch_one(&mut **tx)
        .await?;
        Ok(Self {
            id,
            owner: parse(&row.owner_id)?,
            event: parse(&row.event_id)?,
            kind: parse(&row.kind)?,
            subscription: parse(&row.subscription_id)?,
            callback: row.callback_id.map(CallbackId::from_number),
            method: row.method,
            body: row.body,
            expects: row.expects,
            status: parse(&row.status)?,
            attempts: row.attempts,
        })
    }

    /// The tags of events about it.
    fn about(&self) -> Vec<String> {
        let callback = self.callback.map(|callback| format!("callback:{callback}"));
        callback.into_iter().chain([format!("subscription:{}", self.subscription)]).collect()
    }
}

impl Database {
    /// Writes an attempt and what comes of it. A delivery that was cancelled meanwhile stays so.
    pub async fn finish_attempt(&self, end: &AttemptEnd<'_>) -> Result<()> {
        let mut tx = self.write().await?;
        let mut delivery = Ending::read(&mut tx, end.delivery).await?;
        keep_attempt(&mut tx, end.delivery, end.attempt).await?;
        if delivery.status == DeliveryStatus::Attempting {
            delivery.attempts += 1;
            sqlx::query("UPDATE deliveries SET attempts = attempts + 1, lease_until = NULL WHERE id = $1")
                .bind(end.delivery.to_string())
                .execute(&mut *tx)
                .await?;
            come_of(&mut tx, &delivery, end).await?;
        }
        tx.commit().await
    }
}

async fn keep_attempt(tx: &mut Write, delivery: DeliveryId, attempt: &DeliveryAttempt) -> Result<()> {
    sqlx::query(
        "INSERT INTO attempts (delivery_id, number, at, status_code, duration_ms, error, response, response_valid)
         VALUES ($1, (SELECT COALESCE(MAX(number), 0) + 1 FROM attempts WHERE delivery_id = $1), $2, $3, $4, $5, $6, $7)",
    )
    .bind(delivery.to_string())
    .bind(millis(attempt.at))
    .bind(attempt.status_code.map(i64::from))
    .bind(attempt.duration_ms)
    .bind(&attempt.error)
    .bind(&attempt.response)
    .bind(attempt.response_valid)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn come_of(tx: &mut Write, delivery: &Ending, end: &AttemptEnd<'_>) -> Result<()> {
    let now = end.now;
    let status = match end.next {
        NextStep::Delivered => {
            note_success(tx, delivery).await?;
            DeliveryStatus::Delivered
        }
        NextStep::Rejected => DeliveryStatus::Rejected,
        NextStep::Gone => {
            disable(tx, delivery, "it answered 410 (gone)", now).await?;
            DeliveryStatus::Dead
        }
        NextStep::Retry(_) | NextStep::Dead => {
            let since = note_failure(tx, delivery, now).await?;
            let limit = end.failing_before.map(millis);
            if limit.is_some_and(|limit| since.is_some_and(|since| since <= limit)) {
                disable(tx, delivery, "nothing but failures for days", now).await?;
                DeliveryStatus::Dead
            } else if let NextStep::Retry(at) = end.next {
                return retry(tx, delivery.id, at).await;
            } else {
                DeliveryStatus::Dead
            }
        }
    };
    self::end(tx, delivery, status, now).await
}

async fn retry(tx: &mut Write, id: DeliveryId, at: DateTime<Utc>) -> Result<()> {
    sqlx::query("UPDATE deliveries SET status = 'retrying', next_attempt_at = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(millis(at))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Whom a delivery goes to works.
async fn note_success(tx: &mut Write, delivery: &Ending) -> Result<()> {
    let query = match delivery.callback {
        Some(callback) => {
            sqlx::query("UPDATE callbacks SET failing_since = NULL WHERE id = $1 AND failing_since IS NOT NULL")
                .bind(callback.number())
        }
        None => {
            sqlx::query("UPDATE subscriptions SET failing_since = NULL WHERE id = $1 AND failing_since IS NOT NULL")
                .bind(delivery.subscription.to_string())
        }
    };
    query.execute(&mut **tx).await?;
    Ok(())
}

/// Whom a delivery goes to does not work; gives since when.
async fn note_failure(tx: &mut Write, delivery: &Ending, now: DateTime<Utc>) -> Result<Option<i64>> {
    let query = match delivery.callback {
        Some(callback) => sqlx::query_scalar(
            "UPDATE callbacks SET failing_since = COALESCE(failing_since, $2) WHERE id = $1 RETURNING failing_since",
        )
        .bind(callback.number()),
        None => sqlx::query_scalar(
            "UPDATE subscriptions SET failing_since = COALESCE(failing_since, $2) WHERE id = $1 RETURNING failing_since",
        )
        .bind(delivery.subscription.to_string()),
    };
    Ok(query.bind(millis(now)).fetch_optional(&mut **tx).await?)
}

/// Sends nothing more to whom a delivery goes to, and tells of it.
async fn disable(tx: &mut Write, delivery: &Ending, reason: &str, now: DateTime<Utc>) -> Result<()> {
    let query = match delivery.callback {
        Some(callback) => sqlx::query(
            "UPDATE callbacks SET enabled = FALSE, updated_at = $2, disabled_reason = $3 WHERE id = $1 AND enabled",
        )
        .bind(callback.number())
        .bind(millis(now))
        .bind(reason),
        None => sqlx::query(
            "UPDATE subscriptions SET status = 'disabled', ended_at = $2
             WHERE id = $1 AND status IN ('active', 'completed')",
        )
        .bind(delivery.subscription.to_string())
        .bind(millis(now)),
    };
    let disabled = query.execute(&mut **tx).await?;
    if disabled.rows_affected() == 0 {
        return Ok(());
    }
    let data = json!({
        "callback": delivery.callback,
        "subscription": delivery.subscription,
        "delivery": delivery.id,
        "reason": reason,
    });
    let kind = EventType::CallbackDisabled;
    let event = NewEvent { owner: delivery.owner, kind, at: now, about: delivery.about(), data };
    events::emit(tx, event, None).await.map(drop)
}

/// Ends a delivery with all that comes of it.
pub(super) async fn end(tx: &mut Write, delivery: &Ending, status: DeliveryStatus, now: DateTime<Utc>) -> Result<()> {
    sqlx::query(
        "UPDATE deliveries SET status = $2, next_attempt_at = NULL, lease_until = NULL, finished_at = $3 WHERE id = $1",
    )
    .bind(delivery.id.to_string())
    .bind(status.as_str())
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    if status == DeliveryStatus::Dead {
        fall_back(tx, delivery, now).await?;
        if delivery.attempts > 0 && !delivery.kind.is_about_callbacks() {
            tell_dead(tx, delivery, now).await?;
        }
    }
    complete(tx, delivery.subscription, now).await
}

/// Ends a delivery that cannot be read.
pub(super) async fn give_up(tx: &mut Write, id: DeliveryId, now: DateTime<Utc>) -> Result<()> {
    sqlx::query(
        "UPDATE deliveries SET status = 'dead', next_attempt_at = NULL, lease_until = NULL, finished_at = $2 WHERE id = $1",
    )
    .bind(id.to_string())
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The callback's fallback gets what it did not, unless it had it before.
async fn fall_back(tx: &mut Write, delivery: &Ending, now: DateTime<Utc>) -> Result<()> {
    let Some(callback) = delivery.callback else { return Ok(()) };
    let fallback: Option<i64> = sqlx::query_scalar(
        "SELECT c.fallback_id FROM callbacks c WHERE c.id = $1 AND c.fallback_id IS NOT NULL AND NOT EXISTS
         (SELECT 1 FROM deliveries d WHERE d.event_id = $2 AND d.subscription_id = $3 AND d.callback_id = c.fallback_id)",
    )
    .bind(callback.number())
    .bind(delivery.event.to_string())
    .bind(delivery.subscription.to_string())
    .fetch_optional(&mut **tx)
    .await?;
    let Some(fallback) = fallback.map(CallbackId::from_number) else { return Ok(()) };
    let new = NewDelivery {
        owner: delivery.owner,
        event: delivery.event,
        subscription: delivery.subscription,
        callback: Some(fallback),
        receiver: delivery::receiver_of_callback(fallback),
        fallback_of: Some(delivery.id),
        method: delivery.method.as_deref().map(parse).transpose()?,
        body: delivery.body.clone(),
        expects: delivery.expects.clone(),
        at: now,
    };
    events::deliver(tx, &new).await.map(drop)
}

async fn tell_dead(tx: &mut Write, delivery: &Ending, now: DateTime<Utc>) -> Result<()> {
    let last: Option<(Option<i64>, Option<String>)> =
        sqlx::query_as("SELECT status_code, error FROM attempts WHERE delivery_id = $1 ORDER BY number DESC LIMIT 1")
            .bind(delivery.id.to_string())
            .fetch_optional(&mut **tx)
            .await?;
    let (status_code, error) = last.unwrap_or_default();
    let data = json!({
        "delivery": delivery.id,
        "event": delivery.event,
        "type": delivery.kind.as_str(),
        "subscription": delivery.subscription,
        "callback": delivery.callback,
        "attempts": delivery.attempts,
        "status_code": status_code,
        "error": error,
    });
    let kind = EventType::DeliveryDead;
    let event = NewEvent { owner: delivery.owner, kind, at: now, about: delivery.about(), data };
    events::emit(tx, event, None).await.map(drop)
}

/// A subscription for a single event is done when nothing of it is left to send.
async fn complete(tx: &mut Write, id: SubscriptionId, now: DateTime<Utc>) -> Result<()> {
    sqlx::query(
        "UPDATE subscriptions SET status = 'completed', ended_at = $2
         WHERE id = $1 AND mode = 'once' AND status = 'active' AND matched > 0
         AND NOT EXISTS (SELECT 1 FROM deliveries WHERE subscription_id = $1 AND next_attempt_at IS NOT NULL)",
    )
    .bind(id.to_string())
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}
