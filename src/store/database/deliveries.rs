//! Deliveries: the queue of what is to be sent. What comes of an attempt is in `ending.rs`.
//!
//! A delivery is claimed before it is attempted, for as long as its lease. One server has a data folder to itself, so a lease
//! ends early only when the next server starts.

mod ending;
mod expired;
mod listed;
mod loading;
mod trouble;

use chrono::{DateTime, Duration, Utc};

pub use ending::AttemptEnd;
pub use listed::DeliveryFilter;
pub use loading::{DueDelivery, Recipient};
use loading::{Loaded, Open};

use super::{Database, Write, millis, parse, time};
use crate::model::{CallbackId, DeliveryId, DeliveryStatus};
use crate::store::{Result, StoreError};

/// What may be claimed.
#[derive(Debug, Clone, Copy)]
pub struct ClaimLimits {
    pub lease: Duration,
    /// Deliveries in all.
    pub most: u32,
    /// Attempts at once at one receiver.
    pub per_receiver: u32,
    /// Attempts a minute of a callback that does not say so itself.
    pub rate_limit: Option<u32>,
}

/// The longest wait for a rate limit. What is behind that was written before the clock was set back.
const LONGEST_TURN: Duration = Duration::minutes(1);

/// What a claim took.
#[derive(Debug, Default)]
pub struct Claimed {
    /// What has to be sent.
    pub due: Vec<DueDelivery>,
    /// How many were dealt with, those included that are not to be sent.
    pub taken: usize,
}

/// $1: now; $2: until when the lease is; $3: how many at one receiver; $4: how many in all; $5: until when a rate
/// limit may reach.
///
/// Whose receiver has the fewest attempts going on comes first, then who waits longest: a receiver that is slow, or has much to
/// get, takes what the others leave. However much waits for it, it is not looked through: from each receiver to the next, the
/// index gives the first few.
const CLAIM: &str = "UPDATE deliveries SET status = 'attempting', lease_until = $2 WHERE id IN (
     WITH RECURSIVE receivers (receiver) AS (
         SELECT MIN(receiver) FROM deliveries WHERE next_attempt_at IS NOT NULL
         UNION ALL
         SELECT (SELECT MIN(d.receiver) FROM deliveries d WHERE d.next_attempt_at IS NOT NULL AND d.receiver > r.receiver)
         FROM receivers r WHERE r.receiver IS NOT NULL
     ),
     busy (receiver, attempts) AS (
         SELECT receiver, COUNT(*) FROM deliveries WHERE lease_until > $1 GROUP BY receiver
     ),
     limited (receiver) AS (SELECT 'callback:' || id FROM callbacks WHERE free_at > $1 AND free_at <= $5),
     placed (id, next_attempt_at, place) AS (
         SELECT d.id, d.next_attempt_at, COALESCE(b.attempts, 0)
             + ROW_NUMBER() OVER (PARTITION BY d.receiver ORDER BY d.next_attempt_at, d.id)
         FROM receivers r LEFT JOIN busy b ON b.receiver = r.receiver
         JOIN deliveries d ON d.id IN (
             SELECT w.id FROM deliveries w WHERE w.receiver = r.receiver AND w.next_attempt_at <= $1
             AND (w.lease_until IS NULL OR w.lease_until <= $1) ORDER BY w.next_attempt_at, w.id LIMIT $3
         )
         WHERE COALESCE(b.attempts, 0) < $3 AND r.receiver NOT IN (SELECT receiver FROM limited)
     )
     SELECT id FROM placed WHERE place <= $3 ORDER BY place, next_attempt_at, id LIMIT $4
 ) RETURNING id, next_attempt_at";

impl Database {
    /// Takes deliveries that are due, in their order. Those that are not to be sent any more end here.
    pub async fn claim_deliveries(&self, limits: &ClaimLimits, now: DateTime<Utc>) -> Result<Claimed> {
        let mut tx = self.write().await?;
        let mut rows: Vec<(String, i64)> = sqlx::query_as(CLAIM)
            .bind(millis(now))
            .bind(millis(now + limits.lease))
            .bind(limits.per_receiver)
            .bind(limits.most)
            .bind(millis(now + LONGEST_TURN))
            .fetch_all(&mut *tx)
            .await?;
        rows.sort_unstable_by(|(id, due), (other, its_due)| (due, id).cmp(&(its_due, other)));
        let mut claimed = Claimed { due: Vec::new(), taken: rows.len() };
        for (id, _) in rows {
            claimed.due.extend(take(&mut tx, parse(&id)?, limits, now).await?);
        }
        tx.commit().await?;
        Ok(claimed)
    }

    /// Whether a delivery that was claimed is still to be sent.
    pub async fn may_be_sent(&self, id: DeliveryId) -> Result<bool> {
        let may = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM deliveries d JOIN subscriptions s ON s.id = d.subscription_id
             WHERE d.id = $1 AND d.status = 'attempting' AND s.status <> 'cancelled')",
        );
        Ok(may.bind(id.to_string()).fetch_one(&self.pool).await?)
    }

    /// A delivery that was claimed and is not attempted after all: it is due as before.
    pub async fn release_delivery(&self, id: DeliveryId) -> Result<()> {
        let mut tx = self.write().await?;
        release(&mut tx, id).await?;
        tx.commit().await
    }

    /// When something will be due that is not due yet.
    pub async fn next_delivery_due(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
        let due: (Option<i64>, Option<i64>) = sqlx::query_as(
            "SELECT (SELECT MIN(next_attempt_at) FROM deliveries WHERE next_attempt_at > $1 AND lease_until IS NULL),
                    (SELECT MIN(free_at) FROM callbacks WHERE free_at > $1)",
        )
        .bind(millis(now))
        .fetch_one(&self.pool)
        .await?;
        let (waiting, limited) = due;
        waiting.into_iter().chain(limited).min().map(time).transpose()
    }

    /// What a server that is gone was attempting is due again; says how many.
    pub async fn reset_deliveries(&self) -> Result<u64> {
        let _turn = self.turn().await?;
        let done = sqlx::query(
            "UPDATE deliveries SET status = CASE WHEN attempts > 0 THEN 'retrying' ELSE 'pending' END, lease_until = NULL
             WHERE status = 'attempting'",
        );
        Ok(done.execute(&self.pool).await?.rows_affected())
    }
}

/// What has to be sent of a delivery that was just claimed, if it has.
async fn take(tx: &mut Write, id: DeliveryId, limits: &ClaimLimits, now: DateTime<Utc>) -> Result<Option<DueDelivery>> {
    let open = match loading::load(tx, id, now).await {
        Ok(Loaded::Open(open)) => open,
        Ok(Loaded::Cancelled(end)) => {
            return ending::end(tx, &end, DeliveryStatus::Cancelled, now).await.map(|()| None);
        }
        Ok(Loaded::Closed(end)) => return ending::end(tx, &end, DeliveryStatus::Dead, now).await.map(|()| None),
        Err(StoreError::Corrupt(cause)) => {
            // It must not keep the others from being sent.
            tracing::error!(delivery = %id, cause, "a delivery cannot be read; it is given up");
            return ending::give_up(tx, id, now).await.map(|()| None);
        }
        Err(error) => return Err(error),
    };
    let Open { due, rate_limit, free_at } = *open;
    if let Some(callback) = due.callback
        && let Some(rate) = rate_limit.or(limits.rate_limit)
    {
        if free_at.is_some_and(|free_at| now < free_at && free_at <= now + LONGEST_TURN) {
            return release(tx, id).await.map(|()| None);
        }
        take_turn(tx, callback, now + Duration::milliseconds(60_000 / i64::from(rate.max(1)))).await?;
    }
    Ok(Some(due))
}

async fn release(tx: &mut Write, id: DeliveryId) -> Result<()> {
    sqlx::query(
        "UPDATE deliveries SET status = CASE WHEN attempts > 0 THEN 'retrying' ELSE 'pending' END, lease_until = NULL
         WHERE id = $1 AND status = 'attempting'",
    )
    .bind(id.to_string())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn take_turn(tx: &mut Write, callback: CallbackId, next: DateTime<Utc>) -> Result<()> {
    sqlx::query("UPDATE callbacks SET free_at = $2 WHERE id = $1")
        .bind(callback.number())
        .bind(millis(next))
        .execute(&mut **tx)
        .await?;
    Ok(())
}
