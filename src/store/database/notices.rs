//! Mails about runs and callbacks that are to be sent: an outbox, written in the transaction of what they tell of.
//!
//! The first of a burst is told of at once; those that follow within [`QUIET`] add to the count of one further mail.

use std::str::FromStr;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use super::{Database, Write, from_json, millis, parse, row, time, to_json};
use crate::model::{CallbackTrouble, EmailAddress, HookId, RunId};
use crate::store::{Result, StoreError};

/// Shortest time between two mails of one hook or callback about the same kind of event.
pub(super) const QUIET: Duration = Duration::minutes(5);

/// What a mail tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeEvent {
    RunFailed,
    RunSucceeded,
    /// It did not answer in time.
    CallbackFailed,
    CallbackDisabled,
}

impl NoticeEvent {
    /// Also the name of its templates' folder.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunFailed => "run_failed",
            Self::RunSucceeded => "run_succeeded",
            Self::CallbackFailed => "callback_failed",
            Self::CallbackDisabled => "callback_disabled",
        }
    }
}

impl FromStr for NoticeEvent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::RunFailed, Self::RunSucceeded, Self::CallbackFailed, Self::CallbackDisabled];
        all.into_iter().find(|event| event.as_str() == text).ok_or_else(|| format!("mail about `{text}`"))
    }
}

/// What a mail is about.
#[derive(Debug, Clone)]
pub enum NoticeSubject {
    /// The latest of the runs that it stands for.
    Run(RunId),
    /// The latest trouble.
    Callback(CallbackTrouble),
}

/// A run that someone wants to be told of.
#[derive(Debug, Clone)]
pub struct NewNotice {
    pub hook: HookId,
    pub event: NoticeEvent,
    pub recipients: Vec<EmailAddress>,
}

/// A mail that is due.
#[derive(Debug, Clone)]
pub struct Notice {
    pub id: String,
    pub event: NoticeEvent,
    pub recipients: Vec<EmailAddress>,
    pub subject: NoticeSubject,
    /// How many times it stands for.
    pub count: i64,
    /// When the first of them was.
    pub first_at: DateTime<Utc>,
    /// How often sending was tried, this time included.
    pub attempts: i64,
}

row! {
    struct NoticeRow {
        id: String,
        event: String,
        recipients: String,
        run_id: Option<String>,
        trouble: Option<String>,
        count: i64,
        first_at: i64,
        attempts: i64,
    }
}

impl TryFrom<NoticeRow> for Notice {
    type Error = StoreError;

    fn try_from(row: NoticeRow) -> Result<Self> {
        let addresses: Vec<String> = from_json(&row.recipients)?;
        let subject = match (row.run_id, row.trouble) {
            (Some(run), _) => NoticeSubject::Run(parse(&run)?),
            (None, Some(trouble)) => NoticeSubject::Callback(from_json(&trouble)?),
            (None, None) => return Err(StoreError::Corrupt(format!("mail {} is about nothing", row.id))),
        };
        Ok(Self {
            id: row.id,
            event: parse(&row.event)?,
            recipients: addresses
                .into_iter()
                .map(|address| EmailAddress::try_from(address).map_err(StoreError::Corrupt))
                .collect::<Result<_>>()?,
            subject,
            count: row.count,
            first_at: time(row.first_at)?,
            attempts: row.attempts,
        })
    }
}

/// What a mail tells of.
struct Told {
    /// What it is about, for coalescing.
    subject: String,
    event: NoticeEvent,
    recipients: String,
    run: Option<String>,
    trouble: Option<String>,
}

/// A run has ended that someone wants to be told of.
pub(super) async fn add(tx: &mut Write, notice: &NewNotice, run: RunId, now: DateTime<Utc>) -> Result<()> {
    let told = Told {
        subject: format!("hook:{}", notice.hook),
        event: notice.event,
        recipients: to_json(&notice.recipients)?,
        run: Some(run.to_string()),
        trouble: None,
    };
    queue(tx, &told, now).await
}

/// A callback is in trouble, of which `support` is to be told.
pub(super) async fn add_trouble(
    tx: &mut Write,
    event: NoticeEvent,
    trouble: &CallbackTrouble,
    support: &EmailAddress,
) -> Result<()> {
    let told = Told {
        subject: format!("callback:{}", trouble.callback),
        event,
        recipients: to_json(&[support])?,
        run: None,
        trouble: Some(to_json(trouble)?),
    };
    queue(tx, &told, trouble.at).await
}

async fn queue(tx: &mut Write, told: &Told, now: DateTime<Utc>) -> Result<()> {
    let added = sqlx::query(
        "UPDATE notices SET count = count + 1, recipients = $3, run_id = $4, trouble = $5
         WHERE subject = $1 AND event = $2 AND claimed_at IS NULL",
    )
    .bind(&told.subject)
    .bind(told.event.as_str())
    .bind(&told.recipients)
    .bind(&told.run)
    .bind(&told.trouble)
    .execute(&mut **tx)
    .await?;
    if added.rows_affected() > 0 {
        return Ok(());
    }
    let last: Option<i64> = sqlx::query_scalar("SELECT MAX(claimed_at) FROM notices WHERE subject = $1 AND event = $2")
        .bind(&told.subject)
        .bind(told.event.as_str())
        .fetch_one(&mut **tx)
        .await?;
    let due = last.map_or(millis(now), |last| millis(now).max(last + QUIET.num_milliseconds()));
    sqlx::query(
        "INSERT INTO notices (id, subject, event, recipients, run_id, trouble, count, first_at, due_at)
         VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8)",
    )
    .bind(uuid::Uuid::now_v7().to_string())
    .bind(&told.subject)
    .bind(told.event.as_str())
    .bind(&told.recipients)
    .bind(&told.run)
    .bind(&told.trouble)
    .bind(millis(now))
    .bind(due)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

impl Database {
    /// Takes the next mail that is due. Nothing is added to it any more, so what is sent tells the whole count.
    ///
    /// There is one sender per data folder, so a claim needs no lease: a mail whose sender was killed is due again.
    pub async fn claim_notice(&self, now: DateTime<Utc>) -> Result<Option<Notice>> {
        let _turn = self.turn().await?;
        let row: Option<NoticeRow> = sqlx::query_as(
            "UPDATE notices SET attempts = attempts + 1, claimed_at = COALESCE(claimed_at, $1)
             WHERE id = (SELECT id FROM notices WHERE finished_at IS NULL AND due_at <= $1 ORDER BY due_at LIMIT 1)
             RETURNING id, event, recipients, run_id, trouble, count, first_at, attempts",
        )
        .bind(millis(now))
        .fetch_optional(&self.pool)
        .await?;
        row.map(Notice::try_from).transpose()
    }

    /// When the next mail is due.
    pub async fn next_notice_due(&self) -> Result<Option<DateTime<Utc>>> {
        let due: Option<i64> = sqlx::query_scalar("SELECT MIN(due_at) FROM notices WHERE finished_at IS NULL")
            .fetch_one(&self.pool)
            .await?;
        due.map(time).transpose()
    }

    /// The mail was sent, or given up because of `failure`.
    pub async fn finish_notice(&self, id: &str, failure: Option<&str>, now: DateTime<Utc>) -> Result<()> {
        let _turn = self.turn().await?;
        sqlx::query("UPDATE notices SET finished_at = $2, failure = $3 WHERE id = $1")
            .bind(id)
            .bind(millis(now))
            .bind(failure)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    pub async fn retry_notice(&self, id: &str, due: DateTime<Utc>) -> Result<()> {
        let _turn = self.turn().await?;
        sqlx::query("UPDATE notices SET due_at = $2 WHERE id = $1")
            .bind(id)
            .bind(millis(due))
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
