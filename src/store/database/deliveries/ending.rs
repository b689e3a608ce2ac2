//! What comes of an attempt, and of the end of a delivery: all of it in one transaction.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::super::events::{self, NewDelivery, NewEvent};
use super::super::notices::NoticeEvent;
use super::super::{Database, Write, millis, parse, row, time};
use super::trouble;
use crate::model::{
    CallbackId, DeliveryAttempt, DeliveryId, DeliveryStatus, EventId, EventType, NextStep, SubscriptionId, UserId,
    delivery, event,
};
use crate::store::Result;

/// How an attempt ended.
#[derive(Debug)]
pub struct AttemptEnd<'a> {
    pub delivery: DeliveryId,
    pub attempt: &'a DeliveryAttempt,
    pub next: NextStep,
    /// Whoever looks after the callback is told so.
    pub timed_out: bool,
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
        hops: i64,
    }
}

/// A delivery that comes to its end, and what its fallback needs.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) id: DeliveryId,
    pub(super) owner: UserId,
    event: EventId,
    kind: EventType,
    pub(super) subscription: SubscriptionId,
    pub(super) callback: Option<CallbackId>,
    method: Option<String>,
    body: Option<String>,
    expects: Option<String>,
    status: DeliveryStatus,
    attempts: i64,
    /// Of its event.
    pub(super) hops: u32,
}

impl Ending {
    pub(super) async fn read(tx: &mut Write, id: DeliveryId) -> Result<Self> {
        let row: EndRow = sqlx::query_as(
            "SELECT d.owner_id, d.event_id, e.type AS kind, d.subscription_id, d.callback_id, d.method, d.body, d.expects,
                 d.status, d.attempts, e.hops FROM deliveries d JOIN events e ON e.id = d.event_id WHERE d.id = $1",
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
            hops: u32::try_from(row.hops).unwrap_or(u32::MAX),
        })
    }

    /// The tags of events about it.
    pub(super) fn about(&self) -> Vec<String> {
        let callback = self.callback.map(|callback| format!("callback:{callback}"));
        callback.into_iter().chain([format!("subscription:{}", self.subscription)]).collect()
    }
}

impl Database {
    /// Writes an attempt and what comes of it; says whether that is a mail. A delivery that was cancelled meanwhile stays so.
    pub async fn finish_attempt(&self, end: &AttemptEnd<'_>) -> Result<bool> {
        let mut tx = self.write().await?;
        let mut delivery = Ending::read(&mut tx, end.delivery).await?;
        keep_attempt(&mut tx, end.delivery, end.attempt).await?;
        let mut mailed = false;
        if end.timed_out {
            let reason = end.attempt.error.as_deref().unwrap_or("no answer in time");
            mailed |= trouble::mail(&mut tx, &delivery, NoticeEvent::CallbackFailed, reason, end.now).await?;
        }
        if delivery.status == DeliveryStatus::Attempting {
            delivery.attempts += 1;
            sqlx::query("UPDATE deliveries SET attempts = attempts + 1, lease_until = NULL WHERE id = $1")
                .bind(end.delivery.to_string())
                .execute(&mut *tx)
                .await?;
            mailed |= come_of(&mut tx, &delivery, end).await?;
        }
        tx.commit().await?;
        Ok(mailed)
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

/// Says whether that is a mail.
async fn come_of(tx: &mut Write, delivery: &Ending, end: &AttemptEnd<'_>) -> Result<bool> {
    let now = end.now;
    let (mut mailed, mut status) = (false, DeliveryStatus::Dead);
    match end.next {
        NextStep::Delivered => {
            trouble::note_success(tx, delivery).await?;
            status = DeliveryStatus::Delivered;
        }
        NextStep::Rejected => status = DeliveryStatus::Rejected,
        NextStep::Gone => mailed = trouble::disable(tx, delivery, "it answered 410 (gone)", now).await?,
        NextStep::Retry(_) | NextStep::Dead => {
            let since = trouble::note_failure(tx, delivery, now).await?;
            let too_long = end.failing_before.map(millis).zip(since).filter(|(limit, since)| since <= limit);
            if let Some((_, since)) = too_long {
                let reason = format!("it has done nothing but fail since {}", event::timestamp(time(since)?));
                mailed = trouble::disable(tx, delivery, &reason, now).await?;
            } else if let NextStep::Retry(at) = end.next {
                if retry(tx, delivery, at).await? {
                    return Ok(false);
                }
                status = DeliveryStatus::Cancelled;
            }
        }
    }
    self::end(tx, delivery, status, now).await?;
    Ok(mailed)
}

/// Says whether it is to be tried again: not if its subscription was cancelled meanwhile.
async fn retry(tx: &mut Write, delivery: &Ending, at: DateTime<Utc>) -> Result<bool> {
    let retried = sqlx::query(
        "UPDATE deliveries SET status = 'retrying', next_attempt_at = $3
         WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM subscriptions WHERE id = $2 AND status = 'cancelled')",
    )
    .bind(delivery.id.to_string())
    .bind(delivery.subscription.to_string())
    .bind(millis(at))
    .execute(&mut **tx)
    .await?;
    Ok(retried.rows_affected() > 0)
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
    let hops = delivery.hops;
    let event = NewEvent { owner: delivery.owner, kind, at: now, about: delivery.about(), data, hops };
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
