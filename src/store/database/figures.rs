//! Figures of many runs and deliveries. Each is bounded, and read from an index alone, however much there is on record.

use chrono::{DateTime, Duration, Utc};
use sqlx::{AssertSqlSafe, QueryBuilder};

use super::runs::{RUN, RunRow};
use super::{Database, millis, parse, row, time};
use crate::model::{DeliveryFigures, FailingHook, HookId, HookPath, Run, RunFigures, UserId};
use crate::store::{Result, StoreError};

/// Figures are of the newest so many runs.
const MOST_RUNS: u32 = 200_000;
/// Deliveries are counted up to this number.
const MOST_DELIVERIES: u32 = 10_000;

/// Of which runs figures are wished for: those that ended from a time on, of one owner or of all.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub owner: Option<UserId>,
    pub since: DateTime<Utc>,
}

/// What the record says is on disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    pub outputs: u64,
    /// The same of hooks that were deleted.
    pub left_outputs: u64,
    /// Notebooks of versions, without the files that were deployed with them.
    pub versions: u64,
    /// Dependencies of owners, and assets.
    pub files: u64,
}

/// $1: since when, $2: whose, $3: how many.
const RECENT: &str = "recent AS (
     SELECT finished_at, state, duration_ms, hook_id FROM runs
     WHERE finished_at IS NOT NULL AND finished_at >= $1 AND ($2 IS NULL OR owner_id = $2)
     ORDER BY finished_at DESC LIMIT $3
 )";

const FAILED: &str = "state IN ('failed', 'timed_out', 'interrupted')";

row! {
    struct FiguresRow {
        slot: i64,
        succeeded: i64,
        failed: i64,
        cancelled: i64,
        p50: Option<i64>,
        p95: Option<i64>,
        p99: Option<i64>,
    }
}

row! {
    struct FailingRow {
        id: String,
        path: String,
        ended: i64,
        failed: i64,
        last: i64,
    }
}

fn count(number: i64) -> u64 {
    number.unsigned_abs()
}

impl Database {
    /// Figures of runs by the time when they ended, in slots of a width, counted from the span's beginning; slots without a run
    /// are left out.
    pub async fn run_figures(&self, span: Span, width: Duration) -> Result<Vec<(i64, RunFigures)>> {
        // Runs that never had a kernel come last, so the others' places are 1, 2, 3 …
        let percentile = |share: u32| format!("MIN(CASE WHEN place * 100 >= timed * {share} THEN duration_ms END)");
        let rows: Vec<FiguresRow> = sqlx::query_as(AssertSqlSafe(format!(
            "WITH {RECENT}, placed AS (
                 SELECT (finished_at - $1) / $4 AS slot, state, duration_ms,
                     COUNT(duration_ms) OVER (PARTITION BY (finished_at - $1) / $4) AS timed,
                     ROW_NUMBER() OVER (PARTITION BY (finished_at - $1) / $4
                         ORDER BY CASE WHEN duration_ms IS NULL THEN 1 ELSE 0 END, duration_ms) AS place
                 FROM recent
             )
             SELECT slot, SUM(CASE WHEN state = 'succeeded' THEN 1 ELSE 0 END) AS succeeded,
                 SUM(CASE WHEN {FAILED} THEN 1 ELSE 0 END) AS failed,
                 SUM(CASE WHEN state = 'cancelled' THEN 1 ELSE 0 END) AS cancelled,
                 {} AS p50, {} AS p95, {} AS p99
             FROM placed GROUP BY slot ORDER BY slot",
            percentile(50),
            percentile(95),
            percentile(99),
        )))
        .bind(millis(span.since))
        .bind(span.owner.map(|owner| owner.to_string()))
        .bind(MOST_RUNS)
        .bind(width.num_milliseconds().max(1))
        .fetch_all(&self.pool)
        .await?;
        let figures = |row: &FiguresRow| RunFigures {
            succeeded: count(row.succeeded),
            failed: count(row.failed),
            cancelled: count(row.cancelled),
            p50: row.p50,
            p95: row.p95,
            p99: row.p99,
        };
        Ok(rows.iter().map(|row| (row.slot, figures(row))).collect())
    }

    /// Hooks with runs that failed, the latest failure first.
    pub async fn failing_hooks(&self, span: Span, most: u32) -> Result<Vec<FailingHook>> {
        let rows: Vec<FailingRow> = sqlx::query_as(AssertSqlSafe(format!(
            "WITH {RECENT}, by_hook AS (
                 SELECT hook_id, COUNT(*) AS ended, SUM(CASE WHEN {FAILED} THEN 1 ELSE 0 END) AS failed,
                     MAX(CASE WHEN {FAILED} THEN finished_at END) AS last
                 FROM recent GROUP BY hook_id
             )
             SELECT h.id, h.path, b.ended, b.failed, b.last FROM by_hook b JOIN hooks h ON h.id = b.hook_id
             WHERE b.failed > 0 AND h.deleted_at IS NULL ORDER BY b.last DESC LIMIT $4"
        )))
        .bind(millis(span.since))
        .bind(span.owner.map(|owner| owner.to_string()))
        .bind(MOST_RUNS)
        .bind(most)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(FailingHook {
                    hook: parse(&row.id)?,
                    path: path(&row.path)?,
                    ended: count(row.ended),
                    failed: count(row.failed),
                    last_failure: time(row.last)?,
                })
            })
            .collect()
    }

    /// Deliveries that wait or are sent, and those that were given up in the span.
    pub async fn delivery_figures(&self, span: Span) -> Result<DeliveryFigures> {
        let (pending, dead): (i64, i64) = sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM deliveries WHERE next_attempt_at IS NOT NULL
                         AND ($2 IS NULL OR owner_id = $2) LIMIT $3) AS waiting),
                    (SELECT COUNT(*) FROM (SELECT 1 FROM deliveries WHERE status = 'dead' AND finished_at >= $1
                         AND ($2 IS NULL OR owner_id = $2) LIMIT $3) AS given_up)",
        )
        .bind(millis(span.since))
        .bind(span.owner.map(|owner| owner.to_string()))
        .bind(MOST_DELIVERIES)
        .fetch_one(&self.pool)
        .await?;
        Ok(DeliveryFigures { pending: count(pending), dead: count(dead) })
    }

    /// Runs that have not ended, the newest first, and how many there are.
    pub async fn runs_going_on(&self, owner: Option<UserId>, most: u32) -> Result<(Vec<Run>, u64)> {
        const THESE: &str = "FROM runs WHERE state IN ('queued', 'running') AND ($1 IS NULL OR owner_id = $1)";
        let owner = owner.map(|owner| owner.to_string());
        let rows: Vec<RunRow> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT {RUN} {THESE} ORDER BY state DESC, created_at DESC LIMIT $2"
        )))
        .bind(&owner)
        .bind(most)
        .fetch_all(&self.pool)
        .await?;
        let all: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT COUNT(*) {THESE}")))
            .bind(&owner)
            .fetch_one(&self.pool)
            .await?;
        Ok((rows.into_iter().map(Run::try_from).collect::<Result<_>>()?, count(all)))
    }

    /// What the record says is on disk.
    pub async fn recorded(&self) -> Result<Recorded> {
        let (all, outputs, versions, files): (i64, i64, i64, i64) = sqlx::query_as(
            "WITH by_hook AS (
                 SELECT hook_id, SUM(output_size) AS bytes FROM runs WHERE output_size IS NOT NULL GROUP BY hook_id
             )
             SELECT (SELECT COALESCE(SUM(bytes), 0) FROM by_hook),
                    (SELECT COALESCE(SUM(b.bytes), 0) FROM by_hook b JOIN hooks h ON h.id = b.hook_id WHERE h.deleted_at IS NULL),
                    (SELECT COALESCE(SUM(size), 0) FROM versions), (SELECT COALESCE(SUM(size), 0) FROM stored_versions)",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Recorded {
            outputs: count(outputs),
            left_outputs: count(all - outputs),
            versions: count(versions),
            files: count(files),
        })
    }

    /// The paths of hooks, deleted or not.
    pub async fn hook_paths(&self, hooks: &[HookId]) -> Result<Vec<(HookId, HookPath)>> {
        if hooks.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = QueryBuilder::new("SELECT id, path FROM hooks WHERE id IN (");
        let mut list = query.separated(", ");
        for hook in hooks {
            list.push_bind(hook.to_string());
        }
        list.push_unseparated(")");
        let rows: Vec<(String, String)> = query.build_query_as().fetch_all(&self.pool).await?;
        rows.iter().map(|(id, text)| Ok((parse(id)?, path(text)?))).collect()
    }
}

fn path(text: &str) -> Result<HookPath> {
    HookPath::parse(text).map_err(|error| StoreError::Corrupt(error.to_string()))
}
