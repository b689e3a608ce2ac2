//! Subscriptions: what binds events to a callback, a URL or a topic.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{QueryBuilder, SqliteConnection};

use super::{Database, Write, from_json, millis, parse, parse_secret, row, time, to_json};
use crate::model::{
    CallbackId, Page, RunId, SigningSecret, Subscription, SubscriptionId, SubscriptionKind, SubscriptionStatus, Target,
    TopicName, UserId,
};
use crate::store::{Result, StoreError};

row! {
    struct SubscriptionRow {
        id: String,
        owner_id: String,
        kind: String,
        mode: String,
        status: String,
        callback_url: Option<String>,
        callback_id: Option<i64>,
        topic: Option<String>,
        run_id: Option<String>,
        tags: String,
        filters: String,
        matched: i64,
        secrets: Option<String>,
        expires_at: Option<i64>,
        created_at: i64,
        ended_at: Option<i64>,
    }
}

/// All its columns that a subscription is made of.
pub(super) const COLUMNS: &str = "id, owner_id, kind, mode, status, callback_url, callback_id, topic, run_id, tags, filters, \
                                  matched, secrets, expires_at, created_at, ended_at";

impl TryFrom<SubscriptionRow> for Subscription {
    type Error = StoreError;

    fn try_from(row: SubscriptionRow) -> Result<Self> {
        let target = match (row.callback_url, row.callback_id, row.topic) {
            (Some(url), ..) => Target::Url { url, secrets: secrets(row.secrets.as_deref().unwrap_or_default())? },
            (None, Some(callback), _) => Target::Callback(CallbackId::from_number(callback)),
            (None, None, Some(topic)) => Target::Topic(parse(&topic)?),
            (None, None, None) => Target::Gone,
        };
        Ok(Self {
            id: parse(&row.id)?,
            owner: parse(&row.owner_id)?,
            kind: parse(&row.kind)?,
            mode: parse(&row.mode)?,
            status: parse(&row.status)?,
            target,
            run: row.run_id.as_deref().map(parse).transpose()?,
            tags: from_json(&row.tags)?,
            filters: from_json(&row.filters)?,
            matched: row.matched.unsigned_abs(),
            expires_at: row.expires_at.map(time).transpose()?,
            created_at: time(row.created_at)?,
            ended_at: row.ended_at.map(time).transpose()?,
        })
    }
}

/// Reads secrets with blanks between.
pub(super) fn secrets(text: &str) -> Result<Vec<SigningSecret>> {
    text.split_whitespace().map(parse_secret).collect()
}

/// Writes a subscription.
pub(super) async fn insert(tx: &mut Write, new: &Subscription) -> Result<()> {
    let (url, secrets, callback, topic) = match &new.target {
        Target::Url { url, secrets } => {
            let secrets: Vec<String> = secrets.iter().map(SigningSecret::expose).collect();
            (Some(url), Some(secrets.join(" ")), None, None)
        }
        Target::Callback(callback) => (None, None, Some(callback.number()), None),
        Target::Topic(topic) => (None, None, None, Some(topic.as_str())),
        Target::Gone => (None, None, None, None),
    };
    sqlx::query(
        "INSERT INTO subscriptions (id, owner_id, kind, mode, status, callback_url, callback_id, topic, run_id, tags, filters,
             matched, secrets, expires_at, created_at, ended_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    )
    .bind(new.id.to_string())
    .bind(new.owner.to_string())
    .bind(new.kind.as_str())
    .bind(new.mode.as_str())
    .bind(new.status.as_str())
    .bind(url)
    .bind(callback)
    .bind(topic)
    .bind(new.run.map(|run| run.to_string()))
    .bind(to_json(&new.tags)?)
    .bind(to_json(&new.filters)?)
    .bind(i64::try_from(new.matched).unwrap_or(i64::MAX))
    .bind(secrets)
    .bind(new.expires_at.map(millis))
    .bind(millis(new.created_at))
    .bind(new.ended_at.map(millis))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Those of an owner's that may want an event, in the order in which they were made.
pub(super) async fn open(tx: &mut Write, owner: UserId, now: DateTime<Utc>) -> Result<Vec<Subscription>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM subscriptions WHERE owner_id = $1 AND kind = 'events' AND status = 'active'
         AND (expires_at IS NULL OR expires_at > $2) AND (mode = 'continuous' OR matched = 0) ORDER BY id"
    );
    let rows: Vec<SubscriptionRow> =
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(owner.to_string()).bind(millis(now)).fetch_all(&mut **tx).await?;
    rows.into_iter().map(Subscription::try_from).collect()
}

/// Those that wait for the end of a run.
pub(super) async fn of_run(tx: &mut Write, run: RunId) -> Result<Vec<Subscription>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM subscriptions WHERE run_id = $1 AND kind = 'task' AND status = 'active' AND matched = 0"
    );
    let rows: Vec<SubscriptionRow> =
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(run.to_string()).fetch_all(&mut **tx).await?;
    rows.into_iter().map(Subscription::try_from).collect()
}

/// Notes that an event went to it. One for a single event has ended with that if nothing has to be sent.
pub(super) async fn note_match(
    tx: &mut Write,
    matched: &Subscription,
    at: DateTime<Utc>,
    has_ended: bool,
) -> Result<()> {
    sqlx::query(
        "UPDATE subscriptions SET matched = matched + 1, status = CASE WHEN $2 THEN 'completed' ELSE status END,
             ended_at = CASE WHEN $2 THEN $3 ELSE ended_at END WHERE id = $1",
    )
    .bind(matched.id.to_string())
    .bind(has_ended)
    .bind(millis(at))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What became of the wish for a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subscribed {
    Done,
    /// Its owner has too many that are open.
    TooMany,
    /// Its owner has no such callback.
    NoCallback,
}

/// Which subscriptions a list shows.
#[derive(Debug, Default, Clone)]
pub struct SubscriptionFilter {
    pub owner: Option<UserId>,
    pub status: Option<SubscriptionStatus>,
    pub kind: Option<SubscriptionKind>,
    pub topic: Option<TopicName>,
}

/// How a subscription is at the time `$1`: see [`Subscription::status_at`].
pub(super) const STATUS_NOW: &str =
    "CASE WHEN status = 'active' AND expires_at <= $1 AND NOT (mode = 'once' AND matched > 0)
                          THEN 'expired' ELSE status END";

async fn find(tx: &mut SqliteConnection, id: SubscriptionId) -> Result<Option<Subscription>> {
    let sql = format!("SELECT {COLUMNS} FROM subscriptions WHERE id = $1");
    let row: Option<SubscriptionRow> =
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id.to_string()).fetch_optional(&mut *tx).await?;
    row.map(Subscription::try_from).transpose()
}

async fn has_callback(tx: &mut Write, owner: UserId, callback: CallbackId) -> Result<bool> {
    let has = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM callbacks WHERE id = $1 AND owner_id = $2)");
    Ok(has.bind(callback.number()).bind(owner.to_string()).fetch_one(&mut **tx).await?)
}

impl Database {
    /// Makes a subscription to events, unless its owner has `most` that are open.
    pub async fn subscribe(&self, new: &Subscription, most: i64) -> Result<Subscribed> {
        let mut tx = self.write().await?;
        if let Target::Callback(callback) = &new.target
            && !has_callback(&mut tx, new.owner, *callback).await?
        {
            return Ok(Subscribed::NoCallback);
        }
        let open: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM subscriptions WHERE owner_id = $1 AND kind = 'events' AND status = 'active'
             AND (expires_at IS NULL OR expires_at > $2)",
        )
        .bind(new.owner.to_string())
        .bind(millis(new.created_at))
        .fetch_one(&mut *tx)
        .await?;
        if open >= most {
            return Ok(Subscribed::TooMany);
        }
        insert(&mut tx, new).await?;
        tx.commit().await?;
        Ok(Subscribed::Done)
    }

    pub async fn subscription(&self, id: SubscriptionId) -> Result<Option<Subscription>> {
        find(&mut *self.pool.acquire().await?, id).await
    }

    /// Subscriptions as they are `now`, newest first.
    pub async fn subscriptions(
        &self,
        filter: &SubscriptionFilter,
        now: DateTime<Utc>,
        page: Page,
    ) -> Result<Vec<Subscription>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM subscriptions WHERE ($2 IS NULL OR owner_id = $2) AND ($3 IS NULL OR {STATUS_NOW} = $3)
             AND ($4 IS NULL OR kind = $4) AND ($5 IS NULL OR topic = $5) ORDER BY id DESC LIMIT $6 OFFSET $7"
        );
        let rows: Vec<SubscriptionRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(millis(now))
            .bind(filter.owner.map(|owner| owner.to_string()))
            .bind(filter.status.map(SubscriptionStatus::as_str))
            .bind(filter.kind.map(SubscriptionKind::as_str))
            .bind(filter.topic.as_ref().map(TopicName::as_str))
            .bind(page.limit)
            .bind(page.offset)
            .fetch_all(&self.pool)
            .await?;
        rows.into_iter().map(Subscription::try_from).collect()
    }

    /// What tells the caller of a run of its end.
    pub async fn task_subscription(&self, run: RunId) -> Result<Option<Subscription>> {
        let sql = format!("SELECT {COLUMNS} FROM subscriptions WHERE run_id = $1 AND kind = 'task'");
        let row: Option<SubscriptionRow> =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(run.to_string()).fetch_optional(&self.pool).await?;
        row.map(Subscription::try_from).transpose()
    }

    /// The same of several runs.
    pub async fn task_subscriptions(&self, runs: &[RunId]) -> Result<HashMap<RunId, SubscriptionId>> {
        if runs.is_empty() {
            return Ok(HashMap::new());
        }
        let mut query = QueryBuilder::new("SELECT run_id, id FROM subscriptions WHERE kind = 'task' AND run_id IN (");
        let mut list = query.separated(", ");
        for run in runs {
            list.push_bind(run.to_string());
        }
        list.push_unseparated(")");
        let rows: Vec<(String, String)> = query.build_query_as().fetch_all(&self.pool).await?;
        rows.iter().map(|(run, id)| Ok((parse(run)?, parse(id)?))).collect()
    }

    /// Cancels a subscription that has not ended, and what is on its way to it. Says whether it did.
    pub async fn cancel_subscription(&self, id: SubscriptionId, now: DateTime<Utc>) -> Result<bool> {
        let mut tx = self.write().await?;
        let open = find(&mut tx, id).await?.map(|found| found.status_at(now));
        if !matches!(open, Some(SubscriptionStatus::Pending | SubscriptionStatus::Active)) {
            return Ok(false);
        }
        sqlx::query("UPDATE subscriptions SET status = 'cancelled', ended_at = $2 WHERE id = $1")
            .bind(id.to_string())
            .bind(millis(now))
            .execute(&mut *tx)
            .await?;
        // An attempt that goes on is let go on; whoever makes it finds its subscription cancelled.
        sqlx::query(
            "UPDATE deliveries SET status = 'cancelled', next_attempt_at = NULL, lease_until = NULL, finished_at = $2
             WHERE subscription_id = $1 AND status IN ('pending', 'retrying')",
        )
        .bind(id.to_string())
        .bind(millis(now))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Ends those whose time has passed.
    pub async fn expire_subscriptions(&self, now: DateTime<Utc>) -> Result<()> {
        let _turn = self.turn().await?;
        let sql = format!(
            "UPDATE subscriptions SET status = 'expired', ended_at = expires_at
             WHERE status = 'active' AND {STATUS_NOW} = 'expired'"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(millis(now)).execute(&self.pool).await?;
        Ok(())
    }

    /// Removes some of those that ended before `then` and that nothing needs any more: no delivery, and no event of a topic.
    /// Says how many.
    pub async fn remove_ended_subscriptions(&self, then: DateTime<Utc>, most: u32) -> Result<u64> {
        let _turn = self.turn().await?;
        let done = sqlx::query(
            "DELETE FROM subscriptions WHERE id IN (
                 SELECT s.id FROM subscriptions s WHERE s.ended_at <= $1
                 AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.subscription_id = s.id)
                 AND NOT EXISTS (SELECT 1 FROM topic_events t WHERE t.owner_id = s.owner_id AND t.topic = s.topic)
                 LIMIT $2)",
        )
        .bind(millis(then))
        .bind(most)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }
}
