//! Schedules, and the runs that they have claimed.

use chrono::{DateTime, Utc};

use super::{Database, Write, from_json, millis, parse, row, time, to_json};
use crate::model::{HookId, HookPath, Page, RunId, Schedule, ScheduleId, UserId};
use crate::store::{Result, StoreError};

/// What a schedule that is due comes to.
#[derive(Debug)]
pub struct Claim<'a> {
    pub schedule: &'a Schedule,
    pub next_at: Option<DateTime<Utc>>,
    /// The run to be, or why there is none.
    pub run: Result<RunId, &'a str>,
    pub now: DateTime<Utc>,
}

/// A run that was claimed and is not on record yet.
#[derive(Debug, Clone)]
pub struct Firing {
    pub run: RunId,
    pub schedule: ScheduleId,
    pub at: DateTime<Utc>,
}

row! {
    struct ScheduleRow {
        id: String,
        hook_id: String,
        owner_id: String,
        owner_name: String,
        path: String,
        cron: String,
        tz: String,
        params: String,
        overlap: String,
        missed: String,
        enabled: i64,
        next_at: Option<i64>,
        last_at: Option<i64>,
        last_run: Option<String>,
        problem: Option<String>,
        created_at: i64,
        updated_at: i64,
    }
}

impl TryFrom<ScheduleRow> for Schedule {
    type Error = StoreError;

    fn try_from(row: ScheduleRow) -> Result<Self> {
        Ok(Self {
            id: parse(&row.id)?,
            hook: parse(&row.hook_id)?,
            owner: parse(&row.owner_id)?,
            owner_name: parse(&row.owner_name)?,
            path: HookPath::parse(&row.path).map_err(|error| StoreError::Corrupt(error.to_string()))?,
            cron: row.cron,
            tz: row.tz,
            params: from_json(&row.params)?,
            overlap: parse(&row.overlap)?,
            missed: parse(&row.missed)?,
            enabled: row.enabled != 0,
            next_at: row.next_at.map(time).transpose()?,
            last_at: row.last_at.map(time).transpose()?,
            last_run: row.last_run.as_deref().map(parse).transpose()?,
            problem: row.problem,
            created_at: time(row.created_at)?,
            updated_at: time(row.updated_at)?,
        })
    }
}

const SELECT: &str = "SELECT s.*, h.path, u.name AS owner_name FROM schedules s
    JOIN hooks h ON h.id = s.hook_id JOIN users u ON u.id = s.owner_id";

/// Removes a hook's schedule, with the hook.
pub(super) async fn remove_of(tx: &mut Write, hook: HookId) -> Result<()> {
    sqlx::query("DELETE FROM schedules WHERE hook_id = $1").bind(hook.to_string()).execute(&mut **tx).await?;
    Ok(())
}

/// Notes that the run of a firing is on record.
pub(super) async fn begun(tx: &mut Write, run: RunId) -> Result<()> {
    sqlx::query(
        "UPDATE schedules SET last_run = $1, problem = NULL
         WHERE id = (SELECT schedule_id FROM firings WHERE run_id = $1)",
    )
    .bind(run.to_string())
    .execute(&mut **tx)
    .await?;
    sqlx::query("DELETE FROM firings WHERE run_id = $1").bind(run.to_string()).execute(&mut **tx).await?;
    Ok(())
}

impl Database {
    /// Makes the hook's schedule, or changes it to this; says whether it had none. None: the hook is gone.
    pub async fn set_schedule(&self, new: &Schedule) -> Result<Option<bool>> {
        let mut tx = self.write().await?;
        let hook: Option<String> = sqlx::query_scalar("SELECT id FROM hooks WHERE id = $1 AND deleted_at IS NULL")
            .bind(new.hook.to_string())
            .fetch_optional(&mut *tx)
            .await?;
        if hook.is_none() {
            return Ok(None);
        }
        let id: String = sqlx::query_scalar(
            "INSERT INTO schedules (id, hook_id, owner_id, cron, tz, params, overlap, missed, enabled, next_at, created_at,
             updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
             ON CONFLICT (hook_id) DO UPDATE SET cron = excluded.cron, tz = excluded.tz, params = excluded.params,
             overlap = excluded.overlap, missed = excluded.missed, enabled = excluded.enabled, next_at = excluded.next_at,
             problem = NULL, updated_at = excluded.updated_at RETURNING id",
        )
        .bind(new.id.to_string())
        .bind(new.hook.to_string())
        .bind(new.owner.to_string())
        .bind(&new.cron)
        .bind(&new.tz)
        .bind(to_json(&new.params)?)
        .bind(new.overlap.as_str())
        .bind(new.missed.as_str())
        .bind(i64::from(new.enabled))
        .bind(new.next_at.map(millis))
        .bind(millis(new.updated_at))
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Some(id == new.id.to_string()))
    }

    pub async fn schedule(&self, id: ScheduleId) -> Result<Option<Schedule>> {
        self.one_schedule("s.id = $1", id.to_string()).await
    }

    pub async fn schedule_of_hook(&self, hook: HookId) -> Result<Option<Schedule>> {
        self.one_schedule("s.hook_id = $1", hook.to_string()).await
    }

    async fn one_schedule(&self, of: &str, id: String) -> Result<Option<Schedule>> {
        let sql = sqlx::AssertSqlSafe(format!("{SELECT} WHERE {of}"));
        let row: Option<ScheduleRow> = sqlx::query_as(sql).bind(id).fetch_optional(&self.pool).await?;
        row.map(Schedule::try_from).transpose()
    }

    /// Schedules of one user or of all, of one hook or of all; newest first.
    pub async fn schedules(
        &self,
        owner: Option<UserId>,
        hook: Option<HookId>,
        path: Option<&HookPath>,
        page: Page,
    ) -> Result<Vec<Schedule>> {
        let sql = format!(
            "{SELECT} WHERE ($1 IS NULL OR s.owner_id = $1) AND ($2 IS NULL OR s.hook_id = $2)
             AND ($3 IS NULL OR h.path = $3) ORDER BY s.id DESC LIMIT $4 OFFSET $5"
        );
        let rows: Vec<ScheduleRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(owner.map(|owner| owner.to_string()))
            .bind(hook.map(|hook| hook.to_string()))
            .bind(path.map(HookPath::as_str))
            .bind(page.limit)
            .bind(page.offset)
            .fetch_all(&self.pool)
            .await?;
        rows.into_iter().map(Schedule::try_from).collect()
    }

    pub async fn delete_schedule(&self, id: ScheduleId) -> Result<bool> {
        let _turn = self.turn().await?;
        let done = sqlx::query("DELETE FROM schedules WHERE id = $1").bind(id.to_string()).execute(&self.pool).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Those that are due, the longest waiting first.
    pub async fn due_schedules(&self, now: DateTime<Utc>, most: u32) -> Result<Vec<Schedule>> {
        let sql = format!("{SELECT} WHERE s.next_at <= $1 ORDER BY s.next_at LIMIT $2");
        let rows: Vec<ScheduleRow> =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(millis(now)).bind(most).fetch_all(&self.pool).await?;
        rows.into_iter().map(Schedule::try_from).collect()
    }

    /// Takes a firing that is due, once, whoever else looks at it; says whether it was still there to be taken.
    pub async fn claim_firing(&self, claim: &Claim<'_>) -> Result<bool> {
        let mut tx = self.write().await?;
        let (id, due) = (claim.schedule.id.to_string(), claim.schedule.next_at.map(millis));
        let problem = claim.run.as_ref().err();
        let done = sqlx::query(
            "UPDATE schedules SET next_at = $3, last_at = $2, problem = $4 WHERE id = $1 AND next_at = $2 AND enabled = 1",
        )
        .bind(&id)
        .bind(due)
        .bind(claim.next_at.map(millis))
        .bind(problem)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        if let Ok(run) = &claim.run {
            sqlx::query("INSERT INTO firings (run_id, schedule_id, at, retry_at) VALUES ($1, $2, $3, $4)")
                .bind(run.to_string())
                .bind(&id)
                .bind(due)
                .bind(millis(claim.now))
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Whether the last run of a schedule goes on, or one that it has claimed is still to begin.
    pub async fn is_schedule_running(&self, id: ScheduleId) -> Result<bool> {
        let count: i64 = sqlx::query_scalar(
            "SELECT (SELECT COUNT(*) FROM firings WHERE schedule_id = $1) + (SELECT COUNT(*) FROM runs r
             JOIN schedules s ON s.last_run = r.id WHERE s.id = $1 AND r.state IN ('queued', 'running'))",
        )
        .bind(id.to_string())
        .fetch_one(&self.pool)
        .await?;
        Ok(count > 0)
    }

    /// The claimed runs that are to be begun now.
    pub async fn due_firings(&self, now: DateTime<Utc>, most: u32) -> Result<Vec<Firing>> {
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT run_id, schedule_id, at FROM firings WHERE retry_at <= $1 ORDER BY retry_at, run_id LIMIT $2",
        )
        .bind(millis(now))
        .bind(most)
        .fetch_all(&self.pool)
        .await?;
        let firing = |(run, schedule, at): &(String, String, i64)| {
            Ok(Firing { run: parse(run)?, schedule: parse(schedule)?, at: time(*at)? })
        };
        rows.iter().map(firing).collect()
    }

    /// Leaves a firing for later.
    pub async fn postpone_firing(&self, run: RunId, until: DateTime<Utc>) -> Result<()> {
        let _turn = self.turn().await?;
        sqlx::query("UPDATE firings SET retry_at = $2 WHERE run_id = $1")
            .bind(run.to_string())
            .bind(millis(until))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Gives a firing up, and says why.
    pub async fn give_up_firing(&self, firing: &Firing, problem: &str) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query("UPDATE schedules SET problem = $2 WHERE id = $1")
            .bind(firing.schedule.to_string())
            .bind(problem)
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM firings WHERE run_id = $1").bind(firing.run.to_string()).execute(&mut *tx).await?;
        tx.commit().await
    }

    /// When something is due next.
    pub async fn next_firing(&self) -> Result<Option<DateTime<Utc>>> {
        let next: Option<i64> = sqlx::query_scalar(
            "SELECT MIN(at) FROM (SELECT MIN(next_at) AS at FROM schedules UNION ALL SELECT MIN(retry_at) FROM firings) AS due",
        )
        .fetch_one(&self.pool)
        .await?;
        next.map(time).transpose()
    }
}
