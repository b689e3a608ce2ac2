//! Schedules. What they fire is in `firings.rs`.

use chrono::{DateTime, Utc};

use super::{Database, Write, firings, from_json, millis, parse, row, time, to_json};
use crate::model::{HookId, HookPath, Page, Schedule, ScheduleId, UserId};
use crate::store::{Result, StoreError};

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

impl Database {
    /// Makes the hook's schedule, or changes it to this; says whether it had none. None: the hook is gone. If it is not to fire, then
    /// neither what waits.
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
        if !new.enabled {
            firings::remove_of(&mut tx, &id).await?;
        }
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
}
