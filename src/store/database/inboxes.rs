//! Inboxes and what was sent to them.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::events::{self, NewEvent};
use super::{Database, Write, from_json, millis, parse, row, time, to_json};
use crate::model::{Capture, EventType, Inbox, InboxId, InboxSetup, Page, UserId, event};
use crate::store::{Result, StoreError};

/// What was sent to an inbox, ready to be written.
#[derive(Debug)]
pub struct NewCapture {
    inbox: InboxId,
    at: DateTime<Utc>,
    /// How many deliveries led to it.
    hops: u32,
    // JSON
    result: String,
    query: String,
    headers: String,
}

impl NewCapture {
    pub fn new(inbox: InboxId, capture: &Capture, hops: u32, at: DateTime<Utc>) -> Result<Self> {
        let [result, query, headers] = [&capture.result, &capture.query, &capture.headers].map(to_json);
        Ok(Self { inbox, at, hops, result: result?, query: query?, headers: headers? })
    }

    pub fn inbox(&self) -> &InboxId {
        &self.inbox
    }

    /// In bytes.
    pub fn size(&self) -> usize {
        self.result.len() + self.query.len() + self.headers.len()
    }
}

/// What whoever sent something is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxReply {
    /// JSON.
    pub body: Option<String>,
    pub headers: Vec<(String, String)>,
}

/// What an inbox held when it was taken away.
#[derive(Debug)]
pub struct Received {
    pub received: u64,
    pub capture: Option<Capture>,
    pub received_at: Option<DateTime<Utc>>,
}

row! {
    struct InboxRow {
        id: String,
        owner_id: String,
        owner_name: String,
        auto_delete: bool,
        no_override: bool,
        received: i64,
        created_at: i64,
        used_at: i64,
        received_at: Option<i64>,
        response_headers: Option<String>,
        response: Option<String>,
        default_result: Option<String>,
    }
}

row! {
    struct CaptureRow {
        received: i64,
        received_at: Option<i64>,
        result_query: Option<String>,
        result_headers: Option<String>,
        result: Option<String>,
    }
}

row! {
    struct ReplyRow {
        owner_id: String,
        received: i64,
        response: Option<String>,
        response_headers: Option<String>,
    }
}

fn optional<T: serde::de::DeserializeOwned>(text: Option<&String>) -> Result<Option<T>> {
    text.map(|text| from_json(text)).transpose()
}

fn optional_json<T: serde::Serialize>(value: Option<&T>) -> Result<Option<String>> {
    value.map(to_json).transpose()
}

impl TryFrom<InboxRow> for Inbox {
    type Error = StoreError;

    fn try_from(row: InboxRow) -> Result<Self> {
        Ok(Self {
            id: parse(&row.id)?,
            owner: parse(&row.owner_id)?,
            owner_name: parse(&row.owner_name)?,
            setup: InboxSetup {
                response: optional(row.response.as_ref())?,
                response_headers: optional(row.response_headers.as_ref())?,
                auto_delete: row.auto_delete,
                no_override: row.no_override,
                default_result: optional(row.default_result.as_ref())?,
            },
            received: row.received.unsigned_abs(),
            capture: None,
            received_at: row.received_at.map(time).transpose()?,
            created_at: time(row.created_at)?,
            used_at: time(row.used_at)?,
        })
    }
}

impl TryFrom<CaptureRow> for Received {
    type Error = StoreError;

    fn try_from(row: CaptureRow) -> Result<Self> {
        let capture = match (&row.result, &row.result_query, &row.result_headers) {
            (Some(result), Some(query), Some(headers)) => {
                Some(Capture { result: from_json(result)?, query: from_json(query)?, headers: from_json(headers)? })
            }
            _ => None,
        };
        let received_at = row.received_at.map(time).transpose()?;
        Ok(Self { received: row.received.unsigned_abs(), capture, received_at })
    }
}

impl TryFrom<ReplyRow> for InboxReply {
    type Error = StoreError;

    fn try_from(row: ReplyRow) -> Result<Self> {
        let headers: Map<String, Value> = optional(row.response_headers.as_ref())?.unwrap_or_default();
        let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Ok(Self { body: row.response, headers: headers.into_iter().map(|(name, value)| (name, text(value))).collect() })
    }
}

/// An inbox without what it keeps.
const COLUMNS: &str =
    "SELECT i.id, i.owner_id, u.name AS owner_name, i.auto_delete, i.no_override, i.received, i.created_at,
    i.used_at, i.received_at, i.response_headers, i.response, i.default_result
    FROM inboxes i JOIN users u ON u.id = i.owner_id";

/// Keeps what was sent; says what to answer, if there is such an inbox.
async fn keep(tx: &mut Write, new: &NewCapture) -> Result<Option<InboxReply>> {
    let row: Option<ReplyRow> = sqlx::query_as(
        "UPDATE inboxes SET received = received + 1,
             received_at = CASE WHEN no_override AND received > 0 THEN received_at ELSE $2 END,
             result = CASE WHEN no_override AND received > 0 THEN result ELSE $3 END,
             result_query = CASE WHEN no_override AND received > 0 THEN result_query ELSE $4 END,
             result_headers = CASE WHEN no_override AND received > 0 THEN result_headers ELSE $5 END
         WHERE id = $1 RETURNING owner_id, received, response, response_headers",
    )
    .bind(new.inbox.expose())
    .bind(millis(new.at))
    .bind(&new.result)
    .bind(&new.query)
    .bind(&new.headers)
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let event = NewEvent {
        owner: parse(&row.owner_id)?,
        kind: EventType::InboxReceived,
        at: new.at,
        about: vec![format!("inbox:{}", new.inbox.expose())],
        data: event::inbox_data(&new.inbox, row.received.unsigned_abs(), &new.result, &new.query),
        hops: new.hops,
    };
    events::emit(tx, event, None).await?;
    row.try_into().map(Some)
}

impl Database {
    /// Writes what was sent to inboxes and that it was received, all of it in one transaction. Gives what each sender is
    /// answered; none if there is no such inbox.
    pub async fn capture(&self, all: &[NewCapture]) -> Result<Vec<Option<InboxReply>>> {
        let mut tx = self.write().await?;
        let mut replies = Vec::with_capacity(all.len());
        for new in all {
            replies.push(keep(&mut tx, new).await?);
        }
        tx.commit().await?;
        Ok(replies)
    }

    /// Makes an inbox, unless its owner has `most` of them; says whether it did.
    ///
    /// # Errors
    /// `Exists` when the id is taken.
    pub async fn create_inbox(&self, inbox: &Inbox, most: u32) -> Result<bool> {
        let _turn = self.turn().await?;
        let setup = &inbox.setup;
        let done = sqlx::query(
            "INSERT INTO inboxes (id, owner_id, auto_delete, no_override, created_at, used_at, response_headers, response,
                 default_result)
             SELECT $1, $2, $3, $4, $5, $5, $6, $7, $8 WHERE (SELECT COUNT(*) FROM inboxes WHERE owner_id = $2) < $9",
        )
        .bind(inbox.id.expose())
        .bind(inbox.owner.to_string())
        .bind(setup.auto_delete)
        .bind(setup.no_override)
        .bind(millis(inbox.created_at))
        .bind(optional_json(setup.response_headers.as_ref())?)
        .bind(optional_json(setup.response.as_ref())?)
        .bind(optional_json(setup.default_result.as_ref())?)
        .bind(most)
        .execute(&self.pool)
        .await
        .map_err(super::unique("an inbox of that uuid"))?;
        Ok(done.rows_affected() > 0)
    }

    pub async fn has_inbox(&self, id: &InboxId) -> Result<bool> {
        let has = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM inboxes WHERE id = $1)");
        Ok(has.bind(id.expose()).fetch_one(&self.pool).await?)
    }

    /// An inbox without what it keeps.
    pub async fn inbox(&self, id: &InboxId) -> Result<Option<Inbox>> {
        let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE i.id = $1"));
        let row: Option<InboxRow> = sqlx::query_as(sql).bind(id.expose()).fetch_optional(&self.pool).await?;
        row.map(Inbox::try_from).transpose()
    }

    /// Inboxes of one user, or of all, without what they keep; newest first.
    pub async fn inboxes(&self, owner: Option<UserId>, page: Page) -> Result<Vec<Inbox>> {
        let sql = format!(
            "{COLUMNS} WHERE $1 IS NULL OR i.owner_id = $1 ORDER BY i.created_at DESC, i.rowid DESC LIMIT $2 OFFSET $3"
        );
        let rows: Vec<InboxRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(owner.map(|owner| owner.to_string()))
            .bind(page.limit)
            .bind(page.offset)
            .fetch_all(&self.pool)
            .await?;
        rows.into_iter().map(Inbox::try_from).collect()
    }

    /// Notes that an inbox was read.
    pub async fn use_inbox(&self, id: &InboxId, now: DateTime<Utc>) -> Result<()> {
        let _turn = self.turn().await?;
        sqlx::query("UPDATE inboxes SET used_at = $2 WHERE id = $1")
            .bind(id.expose())
            .bind(millis(now))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// What an inbox keeps.
    pub async fn received(&self, id: &InboxId) -> Result<Option<Received>> {
        let row: Option<CaptureRow> = sqlx::query_as(
            "SELECT received, received_at, result_query, result_headers, result FROM inboxes WHERE id = $1",
        )
        .bind(id.expose())
        .fetch_optional(&self.pool)
        .await?;
        row.map(Received::try_from).transpose()
    }

    /// Takes an inbox to which something was sent away, with what it kept: of several readers one has it.
    pub async fn take_inbox(&self, id: &InboxId) -> Result<Option<Received>> {
        let mut tx = self.write().await?;
        let row: Option<CaptureRow> = sqlx::query_as(
            "DELETE FROM inboxes WHERE id = $1 AND received > 0
             RETURNING received, received_at, result_query, result_headers, result",
        )
        .bind(id.expose())
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        row.map(Received::try_from).transpose()
    }

    /// Removes an inbox; says whether there was one.
    pub async fn delete_inbox(&self, id: &InboxId) -> Result<bool> {
        let _turn = self.turn().await?;
        let done = sqlx::query("DELETE FROM inboxes WHERE id = $1").bind(id.expose()).execute(&self.pool).await?;
        Ok(done.rows_affected() > 0)
    }

    /// How many inboxes, of this user or of all, were not read since `then`.
    pub async fn unread_inboxes(&self, owner: Option<UserId>, then: DateTime<Utc>) -> Result<u64> {
        let count: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM inboxes WHERE used_at <= $1 AND ($2 IS NULL OR owner_id = $2)")
                .bind(millis(then))
                .bind(owner.map(|owner| owner.to_string()))
                .fetch_one(&self.pool)
                .await?;
        Ok(count.unsigned_abs())
    }

    /// Removes some of them; gives their ids, none when there are no more.
    pub async fn remove_unread_inboxes(
        &self,
        owner: Option<UserId>,
        then: DateTime<Utc>,
        most: u32,
    ) -> Result<Vec<InboxId>> {
        let mut tx = self.write().await?;
        let ids: Vec<String> = sqlx::query_scalar(
            "DELETE FROM inboxes WHERE id IN (SELECT id FROM inboxes WHERE used_at <= $1
             AND ($2 IS NULL OR owner_id = $2) ORDER BY used_at LIMIT $3) RETURNING id",
        )
        .bind(millis(then))
        .bind(owner.map(|owner| owner.to_string()))
        .bind(most)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        ids.iter().map(|id| parse(id)).collect()
    }
}
