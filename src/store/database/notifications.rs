//! Mails that users have the server send: an outbox, and for some time a record of what came of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Duration, Utc};

use super::{Database, Write, from_json, millis, parse, row, time, to_json};
use crate::model::{Attachment, EmailAddress, MailRecord, MailState, NotificationId, Page, RunId, UserId, UserMail};
use crate::store::{Result, StoreError};

/// A mail that is wished for.
#[derive(Debug)]
pub struct NewMail<'a> {
    pub id: NotificationId,
    pub owner: UserId,
    pub run: Option<RunId>,
    pub mail: &'a UserMail,
    pub now: DateTime<Utc>,
}

/// How many mails one user may send.
#[derive(Debug, Clone, Copy)]
pub struct MailLimits {
    pub count: i64,
    /// So many within this time.
    pub within: Duration,
    /// How much of them may wait to be sent, in bytes.
    pub waiting: i64,
}

/// What came of wishing for a mail.
#[derive(Debug, PartialEq, Eq)]
pub enum QueuedMail {
    Queued,
    /// One may be sent again at this time.
    TooMany {
        until: DateTime<Utc>,
    },
    /// Too much waits to be sent.
    TooMuch,
}

/// A mail that is due.
#[derive(Debug)]
pub struct DueMail {
    pub id: NotificationId,
    pub mail: UserMail,
    /// How often sending was tried, this time included.
    pub attempts: i64,
}

row! {
    struct RecordRow {
        id: String,
        owner_id: String,
        owner_name: String,
        run_id: Option<String>,
        state: String,
        recipients: String,
        subject: String,
        files: i64,
        size: i64,
        attempts: i64,
        error: Option<String>,
        created_at: i64,
        finished_at: Option<i64>,
    }
}

impl TryFrom<RecordRow> for MailRecord {
    type Error = StoreError;

    fn try_from(row: RecordRow) -> Result<Self> {
        let number = |number: i64| u64::try_from(number).unwrap_or_default();
        Ok(Self {
            id: parse(&row.id)?,
            owner: parse(&row.owner_id)?,
            owner_name: parse(&row.owner_name)?,
            run: row.run_id.as_deref().map(parse).transpose()?,
            state: parse(&row.state)?,
            to: from_json(&row.recipients)?,
            subject: row.subject,
            files: number(row.files),
            size: number(row.size),
            attempts: number(row.attempts),
            error: row.error,
            created_at: time(row.created_at)?,
            finished_at: row.finished_at.map(time).transpose()?,
        })
    }
}

row! {
    struct DueRow {
        id: String,
        recipients: String,
        subject: String,
        reply_to: Option<String>,
        body_text: Option<String>,
        body_html: Option<String>,
        attempts: i64,
    }
}

row! {
    struct FileRow {
        name: String,
        media_type: String,
        content: String,
    }
}

const SELECT: &str =
    "SELECT n.id, n.owner_id, u.name AS owner_name, n.run_id, n.state, n.recipients, n.subject, n.files, n.size,
    n.attempts, n.error, n.created_at, n.finished_at FROM notifications n JOIN users u ON u.id = n.owner_id";

fn address(text: String) -> Result<EmailAddress> {
    EmailAddress::try_from(text).map_err(StoreError::Corrupt)
}

impl Database {
    /// Queues a mail, unless its owner sends too many.
    pub async fn queue_mail(&self, new: &NewMail<'_>, limits: MailLimits) -> Result<QueuedMail> {
        let mut tx = self.write().await?;
        if let Some(until) = too_many(&mut tx, new, limits).await? {
            return Ok(QueuedMail::TooMany { until });
        }
        let waiting: i64 = sqlx::query_scalar(
            "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM notifications WHERE owner_id = $1 AND finished_at IS NULL",
        )
        .bind(new.owner.to_string())
        .fetch_one(&mut *tx)
        .await?;
        if waiting > limits.waiting {
            return Ok(QueuedMail::TooMuch);
        }
        insert(&mut tx, new).await?;
        tx.commit().await?;
        Ok(QueuedMail::Queued)
    }

    /// Takes the next mail that is due. As [`Self::claim_notice`], it needs no lease.
    pub async fn claim_mail(&self, now: DateTime<Utc>) -> Result<Option<DueMail>> {
        let _turn = self.turn().await?;
        let row: Option<DueRow> = sqlx::query_as(
            "UPDATE notifications SET attempts = attempts + 1
             WHERE id = (SELECT id FROM notifications WHERE finished_at IS NULL AND due_at <= $1 ORDER BY due_at LIMIT 1)
             RETURNING id, recipients, subject, reply_to, body_text, body_html, attempts",
        )
        .bind(millis(now))
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let files: Vec<FileRow> = sqlx::query_as(
            "SELECT name, media_type, content FROM notification_files WHERE notification_id = $1 ORDER BY position",
        )
        .bind(&row.id)
        .fetch_all(&self.pool)
        .await?;
        let file = |file: FileRow| {
            let content = STANDARD.decode(file.content).map_err(|_| StoreError::Corrupt("an attachment".to_owned()))?;
            Ok(Attachment { name: file.name, media_type: file.media_type, content })
        };
        let to: Vec<String> = from_json(&row.recipients)?;
        let mail = UserMail {
            to: to.into_iter().map(address).collect::<Result<_>>()?,
            subject: row.subject,
            text: row.body_text.unwrap_or_default(),
            html: row.body_html.unwrap_or_default(),
            reply_to: row.reply_to.map(address).transpose()?,
            files: files.into_iter().map(file).collect::<Result<_>>()?,
        };
        Ok(Some(DueMail { id: parse(&row.id)?, mail, attempts: row.attempts }))
    }

    /// When the next mail is due.
    pub async fn next_mail_due(&self) -> Result<Option<DateTime<Utc>>> {
        let due = sqlx::query_scalar("SELECT MIN(due_at) FROM notifications WHERE finished_at IS NULL");
        let due: Option<i64> = due.fetch_one(&self.pool).await?;
        due.map(time).transpose()
    }

    /// The mail was sent, or given up because of `error`; what it said goes.
    pub async fn finish_mail(&self, id: NotificationId, error: Option<&str>, now: DateTime<Utc>) -> Result<()> {
        let state = if error.is_none() { MailState::Sent } else { MailState::Failed };
        let mut tx = self.write().await?;
        sqlx::query(
            "UPDATE notifications SET state = $2, error = $3, finished_at = $4, body_text = NULL, body_html = NULL
             WHERE id = $1",
        )
        .bind(id.to_string())
        .bind(state.as_str())
        .bind(error)
        .bind(millis(now))
        .execute(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM notification_files WHERE notification_id = $1")
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    /// The mail is to be tried once more.
    pub async fn retry_mail(&self, id: NotificationId, error: &str, due: DateTime<Utc>) -> Result<()> {
        let _turn = self.turn().await?;
        sqlx::query("UPDATE notifications SET due_at = $2, error = $3 WHERE id = $1")
            .bind(id.to_string())
            .bind(millis(due))
            .bind(error)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// What is on record of a mail.
    pub async fn mail(&self, id: NotificationId) -> Result<Option<MailRecord>> {
        let sql = sqlx::AssertSqlSafe(format!("{SELECT} WHERE n.id = $1"));
        let row: Option<RecordRow> = sqlx::query_as(sql).bind(id.to_string()).fetch_optional(&self.pool).await?;
        row.map(TryInto::try_into).transpose()
    }

    /// Mails of one user, or of all; newest first.
    pub async fn mails(&self, owner: Option<UserId>, state: Option<MailState>, page: Page) -> Result<Vec<MailRecord>> {
        let sql = format!(
            "{SELECT} WHERE ($1 IS NULL OR n.owner_id = $1) AND ($2 IS NULL OR n.state = $2)
             ORDER BY n.id DESC LIMIT $3 OFFSET $4"
        );
        let rows: Vec<RecordRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(owner.map(|owner| owner.to_string()))
            .bind(state.map(MailState::as_str))
            .bind(page.limit)
            .bind(page.offset)
            .fetch_all(&self.pool)
            .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Removes the records of so many mails at most that were done with before `before`; gives their number.
    pub async fn forget_mails(&self, before: DateTime<Utc>, most: u32) -> Result<u64> {
        let _turn = self.turn().await?;
        let done = sqlx::query(
            "DELETE FROM notifications WHERE id IN
             (SELECT id FROM notifications WHERE finished_at IS NOT NULL AND finished_at < $1 LIMIT $2)",
        )
        .bind(millis(before))
        .bind(most)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }
}

/// When the owner may send one again, if not now.
async fn too_many(tx: &mut Write, new: &NewMail<'_>, limits: MailLimits) -> Result<Option<DateTime<Utc>>> {
    let oldest: Option<i64> = sqlx::query_scalar(
        "SELECT created_at FROM notifications WHERE owner_id = $1 AND created_at > $2
         ORDER BY created_at DESC LIMIT 1 OFFSET $3",
    )
    .bind(new.owner.to_string())
    .bind(millis(new.now - limits.within))
    .bind(limits.count - 1)
    .fetch_optional(&mut **tx)
    .await?;
    oldest.map(|at| Ok(time(at)? + limits.within)).transpose()
}

async fn insert(tx: &mut Write, new: &NewMail<'_>) -> Result<()> {
    let mail = new.mail;
    let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    sqlx::query(
        "INSERT INTO notifications
         (id, owner_id, run_id, state, recipients, subject, reply_to, files, size, created_at, due_at, body_text, body_html)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $12)",
    )
    .bind(new.id.to_string())
    .bind(new.owner.to_string())
    .bind(new.run.map(|run| run.to_string()))
    .bind(MailState::Queued.as_str())
    .bind(to_json(&mail.to)?)
    .bind(&mail.subject)
    .bind(mail.reply_to.as_ref().map(EmailAddress::as_str))
    .bind(number(mail.files.len()))
    .bind(number(mail.size()))
    .bind(millis(new.now))
    .bind(&mail.text)
    .bind(&mail.html)
    .execute(&mut **tx)
    .await?;
    for (position, file) in mail.files.iter().enumerate() {
        sqlx::query(
            "INSERT INTO notification_files (notification_id, position, name, media_type, content)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(new.id.to_string())
        .bind(number(position))
        .bind(&file.name)
        .bind(&file.media_type)
        .bind(STANDARD.encode(&file.content))
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}
