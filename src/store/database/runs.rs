//! Runs: what is on record of every execution. Their outputs are in `outputs.rs`.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::events::{self, NewDeclared, NewEvent};
use super::notices::NewNotice;
use super::{Database, Write, calls, firings, from_json, millis, parse, row, subscriptions, time, to_json};
use crate::model::{
    CellTiming, Event, EventType, Histo, HookId, HookPath, Mode, Page, Run, RunError, RunId, RunState, ScheduleId,
    Subscription, Trigger, UserId, event,
};
use crate::store::{Result, StoreError};

/// A run that was admitted.
#[derive(Debug)]
pub struct NewRun<'a> {
    pub id: RunId,
    pub hook: HookId,
    pub owner: UserId,
    pub version: &'a Histo,
    pub trigger: Trigger,
    pub mode: Mode,
    pub rerun_of: Option<RunId>,
    pub schedule: Option<ScheduleId>,
    pub method: &'a str,
    pub cells_total: usize,
    /// What it was asked, to be kept.
    pub request: &'a str,
    /// What tells its caller of its end.
    pub subscription: Option<&'a Subscription>,
    /// How many deliveries led to it.
    pub hops: u32,
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
    pub cells: Vec<CellTiming>,
    /// HTTP status and media type of what was answered.
    pub status: Option<u16>,
    pub media_type: Option<String>,
    /// What is kept from now on of what it was asked; none: what is kept already.
    pub request: Option<String>,
    /// A mail to write in the same transaction.
    pub notice: Option<NewNotice>,
    /// What it answered, for those who wait for its end.
    pub result: Option<Value>,
    /// Declared callbacks that are called with its end.
    pub declared: Vec<NewDeclared>,
}

/// Which runs a list shows.
#[derive(Debug, Default, Clone)]
pub struct RunFilter {
    pub owner: Option<UserId>,
    pub hook: Option<HookId>,
    pub state: Option<RunState>,
    pub since: Option<DateTime<Utc>>,
    pub mode: Option<Mode>,
    pub schedule: Option<ScheduleId>,
}

/// A run that its server did not live to end.
#[derive(Debug, Clone)]
pub struct Unfinished {
    pub id: RunId,
    pub hook: HookId,
    pub state: RunState,
    pub mode: Mode,
    pub attempts: u32,
}

row! {
    pub(super) struct RunRow {
        id: String,
        hook_id: String,
        owner_id: String,
        version: String,
        histo: String,
        state: String,
        origin: String,
        mode: String,
        rerun_of: Option<String>,
        schedule_id: Option<String>,
        method: String,
        attempts: i64,
        created_at: i64,
        started_at: Option<i64>,
        finished_at: Option<i64>,
        duration_ms: Option<i64>,
        cells_total: i64,
        cells_done: i64,
        error: Option<String>,
        warnings: String,
        status: Option<i64>,
        media_type: Option<String>,
        cells: String,
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
            trigger: trigger(&row.origin),
            mode: mode(&row.mode),
            rerun_of: row.rerun_of.as_deref().map(parse).transpose()?,
            schedule: row.schedule_id.as_deref().map(parse).transpose()?,
            method: row.method,
            attempts: u32::try_from(row.attempts).unwrap_or_default(),
            created_at: time(row.created_at)?,
            started_at: row.started_at.map(time).transpose()?,
            finished_at: row.finished_at.map(time).transpose()?,
            duration_ms: row.duration_ms,
            cells_total: row.cells_total,
            cells_done: row.cells_done,
            error: row.error.as_deref().map(from_json).transpose()?,
            warnings: from_json(&row.warnings)?,
            status: row.status.and_then(|status| u16::try_from(status).ok()),
            media_type: row.media_type,
            cells: from_json(&row.cells)?,
        })
    }
}

fn mode(text: &str) -> Mode {
    if text == "async" { Mode::Async } else { Mode::Sync }
}

fn trigger(text: &str) -> Trigger {
    let known = [Trigger::Rerun, Trigger::Schedule].into_iter().find(|one| one.as_str() == text);
    known.unwrap_or(Trigger::Http)
}

fn mode_text(mode: Mode) -> &'static str {
    match mode {
        Mode::Sync => "sync",
        Mode::Async => "async",
    }
}

pub(super) const RUN: &str = "id, hook_id, owner_id, version, histo, state, origin, mode, rerun_of, schedule_id, method, attempts, \
                   created_at, started_at, finished_at, duration_ms, cells_total, cells_done, error, warnings, status, media_type, cells";

/// A run and the path of its hook.
pub(super) async fn read(tx: &mut Write, id: RunId) -> Result<(Run, HookPath)> {
    let sql = format!("SELECT {RUN} FROM runs WHERE id = $1");
    let row: RunRow = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id.to_string()).fetch_one(&mut **tx).await?;
    let path: String =
        sqlx::query_scalar("SELECT path FROM hooks WHERE id = $1").bind(&row.hook_id).fetch_one(&mut **tx).await?;
    let path = HookPath::parse(&path).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok((row.try_into()?, path))
}

/// How many deliveries led to a run.
pub(super) async fn hops(tx: &mut Write, id: RunId) -> Result<u32> {
    let hops: i64 =
        sqlx::query_scalar("SELECT hops FROM runs WHERE id = $1").bind(id.to_string()).fetch_one(&mut **tx).await?;
    Ok(u32::try_from(hops).unwrap_or(u32::MAX))
}

/// Tells that a run has come to the state it is in.
async fn tell(tx: &mut Write, id: RunId, at: DateTime<Utc>, mail: Option<&NewNotice>) -> Result<Event> {
    let (run, path) = read(tx, id).await?;
    let about = vec![event::hook_tag(run.hook), event::run_tag(id)];
    let kind = EventType::Run(run.state);
    let hops = hops(tx, id).await?;
    let new = NewEvent { owner: run.owner, kind, at, about, data: event::run_data(&run, &path), hops };
    events::emit(tx, new, mail.map(|notice| (notice, id))).await
}

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
            "INSERT INTO runs (id, hook_id, owner_id, version, histo, state, origin, mode, rerun_of, schedule_id, method,
             created_at, cells_total, cells_done, warnings, hops)
             VALUES ($1, $2, $3, $4, $5, 'queued', $6, $7, $8, $9, $10, $11, $12, 0, '[]', $13)",
        )
        .bind(new.id.to_string())
        .bind(new.hook.to_string())
        .bind(new.owner.to_string())
        .bind(new.version.as_str())
        .bind(histo.as_str())
        .bind(new.trigger.as_str())
        .bind(mode_text(new.mode))
        .bind(new.rerun_of.map(|run| run.to_string()))
        .bind(new.schedule.map(|schedule| schedule.to_string()))
        .bind(new.method)
        .bind(millis(new.now))
        .bind(i64::try_from(new.cells_total).unwrap_or(i64::MAX))
        .bind(new.hops)
        .execute(&mut *tx)
        .await?;
        calls::keep(&mut tx, new.id, new.request).await?;
        if let Some(schedule) = new.schedule {
            firings::begun(&mut tx, new.id, schedule, new.now).await?;
        }
        if let Some(subscription) = new.subscription {
            subscriptions::insert(&mut tx, subscription).await?;
        }
        tell(&mut tx, new.id, new.now, None).await?;
        tx.commit().await?;
        Ok(histo)
    }

    /// An attempt begins.
    pub async fn start_run(&self, id: RunId, now: DateTime<Utc>) -> Result<()> {
        let mut tx = self.write().await?;
        let started = sqlx::query(
            "UPDATE runs SET state = 'running', started_at = $2, attempts = attempts + 1
             WHERE id = $1 AND state = 'queued'",
        )
        .bind(id.to_string())
        .bind(millis(now))
        .execute(&mut *tx)
        .await?;
        if started.rows_affected() > 0 {
            tell(&mut tx, id, now, None).await?;
        }
        tx.commit().await
    }

    /// A further attempt is to be made.
    pub async fn requeue_run(&self, id: RunId) -> Result<()> {
        let _turn = self.turn().await?;
        sqlx::query("UPDATE runs SET state = 'queued' WHERE id = $1 AND state = 'running'")
            .bind(id.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Writes the end of a run and all that comes of it in one transaction: the event, what is to be delivered, the mail.
    pub async fn finish_run(&self, end: &FinishedRun) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query(
            "UPDATE runs SET state = $2, finished_at = $3, duration_ms = $3 - started_at, cells_done = $4, error = $5,
             warnings = $6, output_size = $7, cells = $8, status = $9, media_type = $10 WHERE id = $1",
        )
        .bind(end.id.to_string())
        .bind(end.state.as_str())
        .bind(millis(end.finished_at))
        .bind(i64::try_from(end.cells_done).unwrap_or(i64::MAX))
        .bind(end.error.as_ref().map(to_json).transpose()?)
        .bind(to_json(&end.warnings)?)
        .bind(end.output_size.map(|size| i64::try_from(size).unwrap_or(i64::MAX)))
        .bind(to_json(&end.cells)?)
        .bind(end.status.map(i64::from))
        .bind(&end.media_type)
        .execute(&mut *tx)
        .await?;
        if let Some(request) = &end.request {
            calls::keep(&mut tx, end.id, request).await?;
        }
        let event = tell(&mut tx, end.id, end.finished_at, end.notice.as_ref()).await?;
        events::end_task(&mut tx, end.id, &event, end.result.as_ref()).await?;
        for declared in &end.declared {
            events::call_back(&mut tx, end.id, declared, end.finished_at).await?;
        }
        tx.commit().await
    }

    /// Every run that has not ended, the oldest first.
    pub async fn unfinished_runs(&self) -> Result<Vec<Unfinished>> {
        let rows: Vec<(String, String, String, String, i64)> = sqlx::query_as(
            "SELECT id, hook_id, state, mode, attempts FROM runs WHERE state IN ('queued', 'running') ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|(run, hook, state, mode_name, attempts)| {
                Ok(Unfinished {
                    id: parse(run)?,
                    hook: parse(hook)?,
                    state: parse(state)?,
                    mode: mode(mode_name),
                    attempts: u32::try_from(*attempts).unwrap_or(u32::MAX),
                })
            })
            .collect()
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
             AND ($3 IS NULL OR state = $3) AND ($4 IS NULL OR created_at >= $4) AND ($5 IS NULL OR mode = $5)
             AND ($6 IS NULL OR schedule_id = $6) ORDER BY id DESC LIMIT $7 OFFSET $8"
        )))
        .bind(filter.owner.map(|owner| owner.to_string()))
        .bind(filter.hook.map(|hook| hook.to_string()))
        .bind(filter.state.map(RunState::as_str))
        .bind(filter.since.map(millis))
        .bind(filter.mode.map(mode_text))
        .bind(filter.schedule.map(|schedule| schedule.to_string()))
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(Run::try_from).collect()
    }

    /// The media type that the last run that succeeded answered with, of any version or of one.
    pub async fn last_media_type(&self, hook: HookId, version: Option<&Histo>) -> Result<Option<String>> {
        let found: Option<String> = sqlx::query_scalar(
            "SELECT media_type FROM runs WHERE hook_id = $1 AND ($2 IS NULL OR version = $2) AND state = 'succeeded'
             AND media_type IS NOT NULL ORDER BY histo DESC LIMIT 1",
        )
        .bind(hook.to_string())
        .bind(version.map(Histo::as_str))
        .fetch_optional(&self.pool)
        .await?;
        Ok(found)
    }
}
