//! Figures of many runs and deliveries. Each is bounded, and read from an index alone, however much there is on record.

use chrono::{DateTime, Duration, Utc};
use sqlx::{AssertSqlSafe, QueryBuilder};

use super::runs::{RUN, RunRow};
use super::{Database, millis, parse, row, time};
use crate::model::{DeliveryFigures, FailingHook, HookId, HookPath, Recorded, Run, RunFigures, UserId};
use crate::store::{Result, StoreError};

/// Failures are looked at up to this number, the newest ones.
const MOST_FAILURES: u32 = 50_000;
/// What hooks with failures came to is told of their runs among the newest so many.
const MOST_RUNS: u32 = 200_000;
/// How long runs took is told of about so many of them, if there are more: sorting all of them takes long.
const SAMPLE: u64 = 6_000;
/// Deliveries are counted up to this number.
const MOST_DELIVERIES: u32 = 10_000;

/// Of which runs figures are wished for: those that ended from a time on, of one owner or of all.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub owner: Option<UserId>,
    pub since: DateTime<Utc>,
}

/// $1: since when, $2: whose.
const ENDED: &str = "finished_at >= $1 AND ($2 IS NULL OR owner_id = $2)";

row! {
    struct CountRow {
        slot: i64,
        ended: i64,
        succeeded: i64,
        cancelled: i64,
    }
}

row! {
    struct TimesRow {
        slot: i64,
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
    /// Figures of runs by the time when they ended: of all, and in so many slots of a width, counted from the span's beginning; slots
    /// without a run are left out.
    pub async fn run_figures(
        &self,
        span: Span,
        width: Duration,
        slots: i32,
    ) -> Result<(RunFigures, Vec<(i64, RunFigures)>)> {
        let mut figures = self.run_counts(span, width, slots).await?;
        let mut all = RunFigures::default();
        for (_, of) in &figures {
            all.succeeded += of.succeeded;
            all.failed += of.failed;
            all.cancelled += of.cancelled;
        }
        // At which millisecond a run ends is as good as drawn.
        let every = i64::try_from((all.ended() / SAMPLE).max(1)).unwrap_or(i64::MAX);
        for times in self.run_times(span, width, every).await? {
            if let Some((_, of)) = figures.iter_mut().find(|(slot, _)| *slot == times.slot) {
                (of.p50, of.p95, of.p99) = (times.p50, times.p95, times.p99);
            }
        }
        if let Some(times) = self.run_times(span, width * slots, every).await?.first() {
            (all.p50, all.p95, all.p99) = (times.p50, times.p95, times.p99);
        }
        Ok((all, figures))
    }

    /// How many runs ended in each slot. Counted slot by slot along the index: grouping them would sort them.
    async fn run_counts(&self, span: Span, width: Duration, slots: i32) -> Result<Vec<(i64, RunFigures)>> {
        let count_of = "SELECT COUNT(*) FROM runs WHERE finished_at >= $1 + slot * $3
             AND finished_at < $1 + (slot + 1) * $3 AND ($2 IS NULL OR owner_id = $2)";
        let rows: Vec<CountRow> = sqlx::query_as(AssertSqlSafe(format!(
            "WITH RECURSIVE slots (slot) AS (SELECT 0 UNION ALL SELECT slot + 1 FROM slots WHERE slot + 1 < $4)
             SELECT slot, ({count_of}) AS ended, ({count_of} AND state = 'succeeded') AS succeeded,
                 ({count_of} AND state = 'cancelled') AS cancelled FROM slots"
        )))
        .bind(millis(span.since))
        .bind(span.owner.map(|owner| owner.to_string()))
        .bind(width.num_milliseconds().max(1))
        .bind(slots)
        .fetch_all(&self.pool)
        .await?;
        let figures = |row: &CountRow| RunFigures {
            succeeded: count(row.succeeded),
            failed: count(row.ended - row.succeeded - row.cancelled),
            cancelled: count(row.cancelled),
            ..RunFigures::default()
        };
        Ok(rows.iter().filter(|row| row.ended > 0).map(|row| (row.slot, figures(row))).collect())
    }

    /// How long runs took in each slot, of one in `every` of them.
    async fn run_times(&self, span: Span, width: Duration, every: i64) -> Result<Vec<TimesRow>> {
        let percentile = |share: u32| format!("MIN(CASE WHEN place * 100 >= timed * {share} THEN duration_ms END)");
        let rows = sqlx::query_as(AssertSqlSafe(format!(
            "WITH sample AS (
                 SELECT (finished_at - $1) / $3 AS slot, duration_ms FROM runs
                 WHERE {ENDED} AND duration_ms IS NOT NULL AND finished_at % $4 = 0 ORDER BY finished_at DESC LIMIT $5
             ), placed AS (
                 SELECT slot, duration_ms, COUNT(*) OVER (PARTITION BY slot) AS timed,
                     ROW_NUMBER() OVER (PARTITION BY slot ORDER BY duration_ms) AS place
                 FROM sample
             )
             SELECT slot, {} AS p50, {} AS p95, {} AS p99 FROM placed GROUP BY slot ORDER BY slot",
            percentile(50),
            percentile(95),
            percentile(99),
        )));
        let rows = rows
            .bind(millis(span.since))
            .bind(span.owner.map(|owner| owner.to_string()))
            .bind(width.num_milliseconds().max(1))
            .bind(every)
            .bind(i64::try_from(4 * SAMPLE).unwrap_or(i64::MAX));
        Ok(rows.fetch_all(&self.pool).await?)
    }

    /// Hooks with runs that failed, the latest failure first.
    pub async fn failing_hooks(&self, span: Span, most: u32) -> Result<Vec<FailingHook>> {
        let rows: Vec<FailingRow> = sqlx::query_as(AssertSqlSafe(format!(
            "WITH failures AS (
                 SELECT hook_id, finished_at FROM runs WHERE {ENDED} AND state <> 'succeeded' AND state <> 'cancelled'
                 ORDER BY finished_at DESC LIMIT $3
             ), by_hook AS (
                 SELECT hook_id, COUNT(*) AS failed, MAX(finished_at) AS last FROM failures GROUP BY hook_id
             ), latest AS (
                 SELECT h.id, h.path, b.failed, b.last FROM by_hook b JOIN hooks h ON h.id = b.hook_id
                 WHERE h.deleted_at IS NULL ORDER BY b.last DESC LIMIT $4
             ), recent AS (
                 SELECT hook_id FROM runs WHERE {ENDED} ORDER BY finished_at DESC LIMIT $5
             ), of_these AS (
                 SELECT hook_id, COUNT(*) AS ended FROM recent WHERE hook_id IN (SELECT id FROM latest) GROUP BY hook_id
             )
             SELECT l.id, l.path, l.failed, l.last, o.ended FROM latest l JOIN of_these o ON o.hook_id = l.id
             ORDER BY l.last DESC"
        )))
        .bind(millis(span.since))
        .bind(span.owner.map(|owner| owner.to_string()))
        .bind(MOST_FAILURES)
        .bind(most)
        .bind(MOST_RUNS)
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
                    (SELECT COALESCE(SUM(b.bytes), 0) FROM by_hook b JOIN hooks h ON h.id = b.hook_id
                     WHERE h.deleted_at IS NULL),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs end at the seconds 1, 2, 3 … of the span, each took as many milliseconds, and every tenth failed.
    async fn with_runs(folder: &std::path::Path, runs: i64) -> (Database, Span) {
        let db = Database::open(&folder.join("nbhook.db")).await.unwrap();
        let (user, hook) = (UserId::new(), HookId::new());
        for (sql, runs) in [
            ("INSERT INTO users (id, name, role, created_at) VALUES ($1, 'a', 'member', 0)", 0),
            (
                "INSERT INTO hooks (id, owner_id, path, token, histo, params, created_at, updated_at)
                 VALUES ($2, $1, 'a.ipynb', 't', 'h', '{}', 0, 0)",
                0,
            ),
            (
                "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < $3)
                 INSERT INTO runs (id, hook_id, owner_id, version, histo, state, origin, method, created_at, finished_at,
                     duration_ms, cells_total, cells_done, warnings)
                 SELECT 'r' || n, $2, $1, 'v', 'h' || n, CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'succeeded' END, 'http', 'GET',
                     0, n * 1000 + n % 7, n, 1, 1, '[]' FROM n",
                runs,
            ),
        ] {
            let query = sqlx::query(sql).bind(user.to_string()).bind(hook.to_string());
            query.bind(runs).execute(&db.pool).await.unwrap();
        }
        (db, Span { owner: Some(user), since: DateTime::UNIX_EPOCH })
    }

    #[tokio::test]
    async fn figures_of_few_runs_are_exact_and_of_the_owners_only() {
        let folder = tempfile::tempdir().unwrap();
        let (db, span) = with_runs(folder.path(), 100).await;
        let minute = Duration::seconds(60);
        let (all, slots) = db.run_figures(span, minute, 3).await.unwrap();
        let times = |p50, p95, p99| (Some(p50), Some(p95), Some(p99));
        assert_eq!((all.succeeded, all.failed, all.cancelled), (90, 10, 0));
        assert_eq!((all.p50, all.p95, all.p99), times(50, 95, 99));
        let told: Vec<_> = slots.iter().map(|(slot, of)| (*slot, of.ended(), of.failed, of.p50)).collect();
        assert_eq!(told, [(0, 59, 5, Some(30)), (1, 41, 5, Some(80))]);
        let failing = db.failing_hooks(span, 5).await.unwrap();
        assert_eq!((failing.len(), failing[0].failed, failing[0].ended), (1, 10, 100));
        assert_eq!(millis(failing[0].last_failure), 100_002);
        let other = Span { owner: Some(UserId::new()), ..span };
        assert_eq!(db.run_figures(other, minute, 3).await.unwrap(), (RunFigures::default(), Vec::new()));
        assert!(db.failing_hooks(other, 5).await.unwrap().is_empty());
        let later = Span { since: span.since + Duration::seconds(90), ..span };
        assert_eq!(db.run_figures(later, minute, 1).await.unwrap().0.ended(), 11);
    }

    #[tokio::test]
    async fn of_many_runs_all_are_counted_and_some_are_timed() {
        let folder = tempfile::tempdir().unwrap();
        let (db, span) = with_runs(folder.path(), 20_000).await;
        let (all, slots) = db.run_figures(span, Duration::seconds(10_000), 3).await.unwrap();
        assert_eq!((all.ended(), all.failed), (20_000, 2_000));
        assert_eq!(
            slots.iter().map(|(slot, of)| (*slot, of.ended())).collect::<Vec<_>>(),
            [(0, 9_999), (1, 10_000), (2, 1)]
        );
        for (found, expected) in
            [(all.p50, 10_000), (all.p95, 19_000), (slots[0].1.p50, 5_000), (slots[1].1.p50, 15_000)]
        {
            assert!((found.unwrap() - expected).abs() < 50, "{found:?} is not about {expected}");
        }
    }
}
