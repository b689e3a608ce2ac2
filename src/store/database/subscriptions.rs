//! Subscriptions: what binds events to a callback, a URL or a topic.

use chrono::{DateTime, Utc};

use super::{Write, from_json, millis, parse, parse_secret, row, time, to_json};
use crate::model::{CallbackId, RunId, SigningSecret, Subscription, Target, UserId};
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
            (None, None, Some(topic)) => Target::Topic(topic),
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
        Target::Topic(topic) => (None, None, None, Some(topic)),
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
