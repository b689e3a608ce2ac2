//! Firings: the runs that schedules have claimed and that are not on record yet.

use chrono::{DateTime, Utc};

use super::{Database, Write, millis, parse, row, time};
use crate::model::{RunId, Schedule, ScheduleId};
use crate::store::{Result, StoreError};

/// What a schedule that is due comes to.
#[derive(Debug)]
pub struct Claim<'a> {
    pub schedule: &'a Schedule,
    /// The time that it fires for.
    pub at: DateTime<Utc>,
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
    /// When it was first tried in vain.
    pub tried_at: Option<DateTime<Utc>>,
}

row! {
    struct FiringRow {
        run_id: String,
        schedule_id: String,
        tried_at: Option<i64>,
    }
}

impl TryFrom<FiringRow> for Firing {
    type Error = StoreError;

    fn try_from(row: FiringRow) -> Result<Self> {
        let tried_at = row.tried_at.map(time).transpose()?;
        Ok(Self { run: parse(&row.run_id)?, schedule: parse(&row.schedule_id)?, tried_at })
    }
}

/// Notes that a run of a schedule is on record; if it had not claimed it, it was begun by hand, for this very time.
pub(super) async fn begun(tx: &mut Write, run: RunId, schedule: ScheduleId, now: DateTime<Utc>) -> Result<()> {
    let claimed = sqlx::query("DELETE FROM firings WHERE run_id = $1").bind(run.to_string()).execute(&mut **tx).await?;
    let by_hand = (claimed.rows_affected() == 0).then_some(now);
    sqlx::query("UPDATE schedules SET last_run = $2, last_at = COALESCE($3, last_at), problem = NULL WHERE id = $1")
        .bind(schedule.to_string())
        .bind(run.to_string())
        .bind(by_hand.map(millis))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Gives up what a schedule has claimed.
pub(super) async fn remove_of(tx: &mut Write, schedule: &str) -> Result<()> {
    sqlx::query("DELETE FROM firings WHERE schedule_id = $1").bind(schedule).execute(&mut **tx).await?;
    Ok(())
}

async fn set_problem(tx: &mut Write, schedule: &str, problem: &str) -> Result<()> {
    sqlx::query("UPDATE schedules SET problem = $2 WHERE id = $1")
        .bind(schedule)
        .bind(problem)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

impl Database {
    /// Takes a firing that is due, once, whoever else looks at it; says whether it was still there to be taken.
    pub async fn claim_firing(&self, claim: &Claim<'_>) -> Result<bool> {
        let mut tx = self.write().await?;
        let id = claim.schedule.id.to_string();
        let done = sqlx::query(
            "UPDATE schedules SET next_at = $3, last_at = $4, problem = $5
             WHERE id = $1 AND next_at = $2 AND enabled = 1",
        )
        .bind(&id)
        .bind(claim.schedule.next_at.map(millis))
        .bind(claim.next_at.map(millis))
        .bind(millis(claim.at))
        .bind(claim.run.as_ref().err())
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        if let Ok(run) = &claim.run {
            sqlx::query("INSERT INTO firings (run_id, schedule_id, at, retry_at) VALUES ($1, $2, $3, $4)")
                .bind(run.to_string())
                .bind(&id)
                .bind(millis(claim.at))
                .bind(millis(claim.now))
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Whether a run of a schedule goes on, or one that it has claimed is still to begin.
    pub async fn is_schedule_running(&self, id: ScheduleId) -> Result<bool> {
        let count: i64 = sqlx::query_scalar(
            "SELECT (SELECT COUNT(*) FROM firings WHERE schedule_id = $1)
             + (SELECT COUNT(*) FROM runs WHERE schedule_id = $1 AND state IN ('queued', 'running'))",
        )
        .bind(id.to_string())
        .fetch_one(&self.pool)
        .await?;
        Ok(count > 0)
    }

    /// The claimed runs that were to be begun before a time, of schedules that make up for nothing missed.
    pub async fn late_firings(&self, before: DateTime<Utc>) -> Result<Vec<Firing>> {
        let rows = sqlx::query_as(
            "SELECT run_id, schedule_id, tried_at FROM firings WHERE retry_at < $1
             AND schedule_id IN (SELECT id FROM schedules WHERE missed = 'skip') ORDER BY retry_at, run_id",
        );
        rows.bind(millis(before)).fetch_all(&self.pool).await?.into_iter().map(FiringRow::try_into).collect()
    }

    /// The claimed runs that are to be begun now.
    pub async fn due_firings(&self, now: DateTime<Utc>, most: u32) -> Result<Vec<Firing>> {
        let rows = sqlx::query_as(
            "SELECT run_id, schedule_id, tried_at FROM firings WHERE retry_at <= $1 ORDER BY retry_at, run_id LIMIT $2",
        );
        rows.bind(millis(now)).bind(most).fetch_all(&self.pool).await?.into_iter().map(FiringRow::try_into).collect()
    }

    /// Leaves a firing that was tried in vain since `since` for later, and says why it waits.
    pub async fn postpone_firing(
        &self,
        firing: &Firing,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
        problem: &str,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        let waits = sqlx::query("UPDATE firings SET retry_at = $2, tried_at = $3 WHERE run_id = $1")
            .bind(firing.run.to_string())
            .bind(millis(until))
            .bind(millis(since))
            .execute(&mut *tx)
            .await?;
        if waits.rows_affected() > 0 {
            set_problem(&mut tx, &firing.schedule.to_string(), problem).await?;
        }
        tx.commit().await
    }

    /// Gives a firing up, and says why; unless its run is on record after all.
    pub async fn give_up_firing(&self, firing: &Firing, problem: &str) -> Result<()> {
        let mut tx = self.write().await?;
        let waited =
            sqlx::query("DELETE FROM firings WHERE run_id = $1").bind(firing.run.to_string()).execute(&mut *tx).await?;
        if waited.rows_affected() > 0 {
            set_problem(&mut tx, &firing.schedule.to_string(), problem).await?;
        }
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

#[cfg(test)]
mod tests {
    use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

    use super::super::migrations;
    use super::*;

    const HOOK: &str = "0198c5f0-0000-7000-8000-000000000001";
    const SCHEDULE: &str = "0198c5f0-0000-7000-8000-000000000002";

    /// A database of before runs told their schedule: one hook with a schedule that was made at 50.
    async fn older(file: &std::path::Path) -> SqlitePool {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true).foreign_keys(false);
        let pool = SqlitePool::connect_with(options).await.unwrap();
        let mut older = migrations();
        older.migrations = older.migrations.iter().filter(|migration| migration.version < 18).cloned().collect();
        older.run(&pool).await.unwrap();
        sqlx::query(
            "INSERT INTO schedules (id, hook_id, owner_id, cron, tz, params, overlap, missed, enabled, created_at, updated_at)
             VALUES ($1, $2, $2, '@daily', 'UTC', '{}', 'skip', 'skip', 1, 50, 50)",
        )
        .bind(SCHEDULE)
        .bind(HOOK)
        .execute(&pool)
        .await
        .unwrap();
        pool
    }

    #[tokio::test]
    async fn runs_of_before_are_told_the_schedule_that_began_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("nbhook.db");
        let pool = older(&file).await;
        let runs = [("http", 60), ("schedule", 40), ("schedule", 60)].map(|run| (RunId::new(), run));
        for (number, (id, (origin, created_at))) in runs.iter().enumerate() {
            sqlx::query(
                "INSERT INTO runs (id, hook_id, owner_id, version, histo, state, origin, method, created_at, cells_total, cells_done,
                 warnings) VALUES ($1, $2, $2, $3, $3, 'running', $4, 'GET', $5, 1, 0, '[]')",
            )
            .bind(id.to_string())
            .bind(HOOK)
            .bind(format!("2026010100000000000{number}"))
            .bind(origin)
            .bind(created_at)
            .execute(&pool)
            .await
            .unwrap();
        }
        pool.close().await;
        let db = Database::open(&file).await.unwrap();
        let schedule: ScheduleId = SCHEDULE.parse().unwrap();
        let mut told = Vec::new();
        for (id, _) in runs {
            told.push(db.run(id).await.unwrap().unwrap().schedule);
        }
        assert_eq!(told, [None, None, Some(schedule)], "neither a call nor what an earlier schedule began");
        assert!(db.is_schedule_running(schedule).await.unwrap());
    }
}
