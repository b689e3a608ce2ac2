//! Runs and the outputs they leave.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::notices::{self, NewNotice};
use super::{Database, from_json, millis, parse, row, time, to_json};
use crate::model::{Histo, HookId, Page, Run, RunError, RunId, RunState, Trigger, UserId};
use crate::store::{Result, StoreError};

/// A run that was admitted.
#[derive(Debug)]
pub struct NewRun<'a> {
    pub id: RunId,
    pub hook: HookId,
    pub owner: UserId,
    pub version: &'a Histo,
    pub trigger: Trigger,
    pub method: &'a str,
    pub cells_total: usize,
    pub now: DateTime<Utc>,
}

/// How a run ended.
#[derive(Debug)]
pub struct FinishedRun {
    pub id: RunId,
    pub state: RunState,
    pub finished_at: DateTime<Utc>,
    pub cells_done: usize,
    pub error: Option<RunError>,
    pub warnings: Vec<String>,
    /// Bytes of the saved output; none if it could not be saved.
    pub output_size: Option<u64>,
    /// A mail to write in the same transaction.
    pub notice: Option<NewNotice>,
}

/// Which runs a list shows.
#[derive(Debug, Default, Clone)]
pub struct RunFilter {
    pub owner: Option<UserId>,
    pub hook: Option<HookId>,
    pub state: Option<RunState>,
    pub since: Option<DateTime<Utc>>,
}

/// An output in a list.
#[derive(Debug, Serialize)]
pub struct ListedOutput {
    pub histo: Histo,
    /// Bytes.
    pub size: u64,
    pub run: RunId,
    pub state: RunState,
    pub created_at: DateTime<Utc>,
}

row! {
    struct RunRow {
        id: String,
        hook_id: String,
        owner_id: String,
        version: String,
        histo: String,
        state: String,
        method: String,
        created_at: i64,
        started_at: Option<i64>,
        finished_at: Option<i64>,
        duration_ms: Option<i64>,
        cells_total: i64,
        cells_done: i64,
        error: Option<String>,
        warnings: String,
    }
}

impl TryFrom<RunRow> for Run {
    type Error = StoreError;

    fn try_from(row: RunRow) -> Result<Self> {
        Ok(Self {
            id: parse(&row.id)?,
            hook: parse(&row.hook_id)?,
            owner: parse(&row.owner_id)?,
            version: parse(&row.version)?,
            histo: parse(&row.histo)?,
            state: parse(&row.state)?,
            trigger: Trigger::Http,
            method: row.method,
            created_at: time(row.created_at)?,
            started_at: row.started_at.map(time).transpose()?,
            finished_at: row.finished_at.map(time).transpose()?,
            duration_ms: row.duration_ms,
            cells_total: row.cells_total,
            cells_done: row.cells_done,
            error: row.error.as_deref().map(from_json).transpose()?,
            warnings: from_json(&row.warnings)?,
        })
    }
}

row! {
    struct OutputRow {
        histo: String,
        output_size: i64,
        id: String,
        state: String,
        created_at: i64,
    }
}

const RUN: &str = "id, hook_id, owner_id, version, histo, state, method, created_at, started_at, finished_at, duration_ms, \
                   cells_total, cells_done, error, warnings";

impl Database {
    /// Records a run as queued and gives it its histo.
    pub async fn create_run(&self, new: NewRun<'_>) -> Result<Histo> {
        let mut tx = self.write().await?;
        // Behind those of every hook this path has had, as a deleted one may have left its outputs.
        let last: Option<String> = sqlx::query_scalar(
            "SELECT MAX(r.histo) FROM hooks this JOIN hooks h ON h.owner_id = this.owner_id AND h.path = this.path
             JOIN runs r ON r.hook_id = h.id WHERE this.id = $1",
        )
        .bind(new.hook.to_string())
        .fetch_one(&mut *tx)
        .await?;
        let last = last.as_deref().map(parse).transpose()?;
        let histo = Histo::next(new.now, last.as_ref());
        sqlx::query(
            "INSERT INTO runs (id, hook_id, owner_id, version, histo, state, origin, method, created_at, cells_total,
             cells_done, warnings) VALUES ($1, $2, $3, $4, $5, 'queued', $6, $7, $8, $9, 0, '[]')",
        )
        .bind(new.id.to_string())
        .bind(new.hook.to_string())
        .bind(new.owner.to_string())
        .bind(new.version.as_str())
        .bind(histo.as_str())
        .bind(match new.trigger {
            Trigger::Http => "http",
        })
        .bind(new.method)
        .bind(millis(new.now))
        .bind(i64::try_from(new.cells_total).unwrap_or(i64::MAX))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(histo)
    }

    pub async fn start_run(&self, id: RunId, now: DateTime<Utc>) -> Result<()> {
        sqlx::query("UPDATE runs SET state = 'running', started_at = $2 WHERE id = $1 AND state = 'queued'")
            .bind(id.to_string())
            .bind(millis(now))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Writes the end of a run, and the mail about it if there is to be one, in one transaction.
    pub async fn finish_run(&self, end: &FinishedRun) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query(
            "UPDATE runs SET state = $2, finished_at = $3, duration_ms = $3 - started_at, cells_done = $4, error = $5,
             warnings = $6, output_size = $7 WHERE id = $1",
        )
        .bind(end.id.to_string())
        .bind(end.state.as_str())
        .bind(millis(end.finished_at))
        .bind(i64::try_from(end.cells_done).unwrap_or(i64::MAX))
        .bind(end.error.as_ref().map(to_json).transpose()?)
        .bind(to_json(&end.warnings)?)
        .bind(end.output_size.map(|size| i64::try_from(size).unwrap_or(i64::MAX)))
        .execute(&mut *tx)
        .await?;
        if let Some(notice) = &end.notice {
            notices::add(&mut tx, notice, end.id, end.finished_at).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Every run that has not ended, and its hook.
    pub async fn unfinished_runs(&self) -> Result<Vec<(RunId, HookId)>> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT id, hook_id FROM runs WHERE state IN ('queued', 'running') ORDER BY id")
                .fetch_all(&self.pool)
                .await?;
        rows.iter().map(|(run, hook)| Ok((parse(run)?, parse(hook)?))).collect()
    }

    pub async fn run(&self, id: RunId) -> Result<Option<Run>> {
        let row: Option<RunRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!("SELECT {RUN} FROM runs WHERE id = $1")))
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await?;
        row.map(Run::try_from).transpose()
    }

    /// Runs, newest first.
    pub async fn runs(&self, filter: &RunFilter, page: Page) -> Result<Vec<Run>> {
        let rows: Vec<RunRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {RUN} FROM runs WHERE ($1 IS NULL OR owner_id = $1) AND ($2 IS NULL OR hook_id = $2)
             AND ($3 IS NULL OR state = $3) AND ($4 IS NULL OR created_at >= $4) ORDER BY id DESC LIMIT $5 OFFSET $6"
        )))
        .bind(filter.owner.map(|owner| owner.to_string()))
        .bind(filter.hook.map(|hook| hook.to_string()))
        .bind(filter.state.map(RunState::as_str))
        .bind(filter.since.map(millis))
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(Run::try_from).collect()
    }

    /// The outputs of a hook, newest first.
    pub async fn outputs(&self, hook: HookId, page: Page) -> Result<Vec<ListedOutput>> {
        let rows: Vec<OutputRow> = sqlx::query_as(
            "SELECT histo, output_size, id, state, created_at FROM runs WHERE hook_id = $1 AND output_size IS NOT NULL
             ORDER BY histo DESC LIMIT $2 OFFSET $3",
        )
        .bind(hook.to_string())
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(ListedOutput {
                    histo: parse(&row.histo)?,
                    size: row.output_size.unsigned_abs(),
                    run: parse(&row.id)?,
                    state: parse(&row.state)?,
                    created_at: time(row.created_at)?,
                })
            })
            .collect()
    }

    /// Takes one output (or all of a hook's) off the record; gives their histo ids.
    pub async fn clear_outputs(&self, hook: HookId, histo: Option<&Histo>) -> Result<Vec<Histo>> {
        let removed: Vec<String> = sqlx::query_scalar(
            "UPDATE runs SET output_size = NULL WHERE hook_id = $1 AND ($2 IS NULL OR histo = $2)
             AND output_size IS NOT NULL RETURNING histo",
        )
        .bind(hook.to_string())
        .bind(histo.map(Histo::as_str))
        .fetch_all(&self.pool)
        .await?;
        removed.iter().map(|histo| parse(histo)).collect()
    }
}
