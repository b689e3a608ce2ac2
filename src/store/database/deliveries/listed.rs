//! Deliveries on record, and sending them again.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use super::super::{Database, millis, parse, row, time};
use crate::model::{
    CallbackId, Delivery, DeliveryAttempt, DeliveryId, DeliveryStatus, EventId, Page, RunId, SubscriptionId, UserId,
};
use crate::store::{Result, StoreError};

/// Which deliveries a list shows.
#[derive(Debug, Default, Clone)]
pub struct DeliveryFilter {
    pub owner: Option<UserId>,
    pub status: Option<DeliveryStatus>,
    pub callback: Option<CallbackId>,
    pub subscription: Option<SubscriptionId>,
    pub event: Option<EventId>,
    /// Made then or later.
    pub since: Option<DateTime<Utc>>,
}

row! {
    struct DeliveryRow {
        id: String,
        owner_id: String,
        event_id: String,
        kind: String,
        subscription_id: String,
        callback_id: Option<i64>,
        fallback_of: Option<String>,
        status: String,
        next_attempt_at: Option<i64>,
        created_at: i64,
        finished_at: Option<i64>,
    }
}

row! {
    struct AttemptRow {
        delivery_id: String,
        at: i64,
        status_code: Option<i64>,
        duration_ms: i64,
        error: Option<String>,
        response: String,
        response_valid: Option<bool>,
    }
}

const SELECT: &str =
    "SELECT d.id, d.owner_id, d.event_id, e.type AS kind, d.subscription_id, d.callback_id, d.fallback_of,
     d.status, d.next_attempt_at, d.created_at, d.finished_at
     FROM deliveries d JOIN events e ON e.id = d.event_id";

/// Whether whoever a delivery goes to wants it.
const WANTED: &str = "EXISTS (SELECT 1 FROM subscriptions s WHERE s.id = deliveries.subscription_id
         AND (s.status <> 'cancelled' AND (deliveries.callback_id IS NOT NULL OR s.status <> 'disabled')))
     AND (callback_id IS NULL OR EXISTS (SELECT 1 FROM callbacks c WHERE c.id = deliveries.callback_id AND c.enabled))";

impl TryFrom<DeliveryRow> for Delivery {
    type Error = StoreError;

    fn try_from(row: DeliveryRow) -> Result<Self> {
        Ok(Self {
            id: parse(&row.id)?,
            owner: parse(&row.owner_id)?,
            event: parse(&row.event_id)?,
            kind: parse(&row.kind)?,
            subscription: parse(&row.subscription_id)?,
            callback: row.callback_id.map(CallbackId::from_number),
            fallback_of: row.fallback_of.as_deref().map(parse).transpose()?,
            status: parse(&row.status)?,
            attempts: Vec::new(),
            next_attempt_at: row.next_attempt_at.map(time).transpose()?,
            created_at: time(row.created_at)?,
            finished_at: row.finished_at.map(time).transpose()?,
        })
    }
}

impl TryFrom<AttemptRow> for DeliveryAttempt {
    type Error = StoreError;

    fn try_from(row: AttemptRow) -> Result<Self> {
        Ok(Self {
            at: time(row.at)?,
            status_code: row.status_code.and_then(|status| u16::try_from(status).ok()),
            duration_ms: row.duration_ms,
            error: row.error,
            response: row.response,
            response_valid: row.response_valid,
        })
    }
}

impl Database {
    /// Deliveries with their attempts, newest first. What was answered is left out, as that may be much.
    pub async fn deliveries(&self, filter: &DeliveryFilter, page: Page) -> Result<Vec<Delivery>> {
        let sql = format!(
            "{SELECT} WHERE ($1 IS NULL OR d.owner_id = $1) AND ($2 IS NULL OR d.status = $2)
             AND ($3 IS NULL OR d.callback_id = $3) AND ($4 IS NULL OR d.subscription_id = $4)
             AND ($5 IS NULL OR d.event_id = $5) AND ($6 IS NULL OR d.created_at >= $6)
             ORDER BY d.id DESC LIMIT $7 OFFSET $8"
        );
        let rows: Vec<DeliveryRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(filter.owner.map(|owner| owner.to_string()))
            .bind(filter.status.map(DeliveryStatus::as_str))
            .bind(filter.callback.map(CallbackId::number))
            .bind(filter.subscription.map(|subscription| subscription.to_string()))
            .bind(filter.event.map(|event| event.to_string()))
            .bind(filter.since.map(millis))
            .bind(page.limit)
            .bind(page.offset)
            .fetch_all(&self.pool)
            .await?;
        self.with_attempts(rows, "''").await
    }

    /// The last deliveries of what happened in a run, without what was answered, the newest first.
    pub async fn deliveries_of_run(&self, run: RunId, most: u32) -> Result<Vec<Delivery>> {
        let sql = format!("{SELECT} WHERE e.run_id = $1 ORDER BY d.id DESC LIMIT $2");
        let rows: Vec<DeliveryRow> =
            sqlx::query_as(AssertSqlSafe(sql)).bind(run.to_string()).bind(most).fetch_all(&self.pool).await?;
        self.with_attempts(rows, "''").await
    }

    pub async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>> {
        let sql = AssertSqlSafe(format!("{SELECT} WHERE d.id = $1"));
        let row: Option<DeliveryRow> = sqlx::query_as(sql).bind(id.to_string()).fetch_optional(&self.pool).await?;
        Ok(self.with_attempts(row.into_iter().collect(), "response").await?.pop())
    }

    /// What is sent, if that is not just the event.
    pub async fn delivery_body(&self, id: DeliveryId) -> Result<Option<String>> {
        let body = sqlx::query_scalar("SELECT body FROM deliveries WHERE id = $1");
        Ok(body.bind(id.to_string()).fetch_optional(&self.pool).await?.flatten())
    }

    /// `response`: which column that is.
    async fn with_attempts(&self, rows: Vec<DeliveryRow>, response: &str) -> Result<Vec<Delivery>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<String> = (1..=rows.len()).map(|number| format!("${number}")).collect();
        let sql = format!(
            "SELECT delivery_id, at, status_code, duration_ms, error, {response} AS response, response_valid FROM attempts
             WHERE delivery_id IN ({}) ORDER BY delivery_id, number",
            places.join(", ")
        );
        let mut query = sqlx::query_as(AssertSqlSafe(sql));
        for row in &rows {
            query = query.bind(row.id.clone());
        }
        let found: Vec<AttemptRow> = query.fetch_all(&self.pool).await?;
        let mut attempts: HashMap<String, Vec<DeliveryAttempt>> = HashMap::new();
        for row in found {
            attempts.entry(row.delivery_id.clone()).or_default().push(row.try_into()?);
        }
        let whole = |row: DeliveryRow| {
            let attempts = attempts.remove(&row.id).unwrap_or_default();
            Ok(Delivery { attempts, ..row.try_into()? })
        };
        rows.into_iter().map(whole).collect()
    }

    /// Begins a delivery that has ended again, if whoever it goes to wants it; says whether it did.
    pub async fn retry_delivery(&self, id: DeliveryId, now: DateTime<Utc>) -> Result<bool> {
        let sql = format!(
            "UPDATE deliveries SET status = 'pending', attempts = 0, next_attempt_at = $2, finished_at = NULL
             WHERE id = $1 AND next_attempt_at IS NULL AND status <> 'cancelled' AND {WANTED}"
        );
        let mut tx = self.write().await?;
        let begun = sqlx::query(AssertSqlSafe(sql)).bind(id.to_string()).bind(millis(now)).execute(&mut *tx).await?;
        tx.news.deliveries = true;
        tx.commit().await?;
        Ok(begun.rows_affected() > 0)
    }

    /// Begins again all that failed of a callback since a time; says how many that is.
    pub async fn recover_deliveries(
        &self,
        callback: CallbackId,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<u64> {
        let sql = format!(
            "UPDATE deliveries SET status = 'pending', attempts = 0, next_attempt_at = $3, finished_at = NULL
             WHERE callback_id = $1 AND status IN ('dead', 'rejected') AND finished_at >= $2 AND {WANTED}"
        );
        let mut tx = self.write().await?;
        let begun = sqlx::query(AssertSqlSafe(sql))
            .bind(callback.number())
            .bind(millis(since))
            .bind(millis(now))
            .execute(&mut *tx)
            .await?;
        tx.news.deliveries = true;
        tx.commit().await?;
        Ok(begun.rows_affected())
    }
}
