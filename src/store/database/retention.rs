//! What there is to keep, and its removal from the record.
//!
//! What goes was decided before, so every removal looks once more whether it still may.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use super::notices::QUIET;
use super::{Database, millis, parse, row, time};
use crate::model::{Histo, HookId, HookPath, Kept, KeptRun, KeptVersion, RunId, UserId};
use crate::store::Result;

/// A run's record that is gone; what it left on disk is to follow.
#[derive(Debug)]
pub struct RemovedRun {
    pub id: RunId,
    pub histo: Histo,
    /// Bytes of its output.
    pub output: Option<u64>,
}

/// The versions and outputs that the record has of all the hooks that a path ever had.
#[derive(Debug, Default)]
pub struct OnRecord {
    /// One of those hooks can be called.
    pub live: bool,
    pub versions: HashSet<Histo>,
    /// Those of runs that have not ended yet included.
    pub outputs: HashSet<Histo>,
}

row! {
    struct RunRow {
        hook_id: String,
        histo: String,
        state: String,
        at: i64,
        output_size: Option<i64>,
        mailing: bool,
        answering: bool,
    }
}

impl RunRow {
    fn read(self) -> Result<(HookId, KeptRun)> {
        let run = KeptRun {
            histo: parse(&self.histo)?,
            state: parse(&self.state)?,
            at: time(self.at)?,
            output: self.output_size.map(i64::unsigned_abs),
            mailing: self.mailing,
            answering: self.answering,
        };
        Ok((parse(&self.hook_id)?, run))
    }
}

row! {
    struct VersionRow {
        histo: String,
        size: i64,
        created_at: i64,
        needed: bool,
    }
}

row! {
    struct Sums {
        count: i64,
        bytes: i64,
        oldest: Option<i64>,
        outputs: i64,
        oldest_output: Option<i64>,
    }
}

/// $1: now; $2: how long ago a mail was sent that the next one still waits for.
const RUN: &str = "r.hook_id, r.histo, r.state, COALESCE(r.finished_at, r.created_at) AS at, r.output_size,
     EXISTS (SELECT 1 FROM notices n WHERE n.run_id = r.id AND (n.finished_at IS NULL OR n.claimed_at > $2)) AS mailing,
     EXISTS (SELECT 1 FROM answers a WHERE a.run_id = r.id AND a.expires_at > $1)
     OR EXISTS (SELECT 1 FROM idempotency_keys k WHERE k.run_id = r.id AND k.expires_at > $1) AS answering";

/// Whether a run may go: as [`RUN`] has it.
const MAY_GO: &str = "r.state NOT IN ('queued', 'running')
     AND NOT EXISTS (SELECT 1 FROM notices n WHERE n.run_id = r.id AND (n.finished_at IS NULL OR n.claimed_at > $2))
     AND NOT EXISTS (SELECT 1 FROM answers a WHERE a.run_id = r.id AND a.expires_at > $1)
     AND NOT EXISTS (SELECT 1 FROM idempotency_keys k WHERE k.run_id = r.id AND k.expires_at > $1)";

/// Whether a run that has not ended is of the version $2 of the hook $1.
const IN_USE: &str =
    "EXISTS (SELECT 1 FROM runs r WHERE r.hook_id = $1 AND r.version = $2 AND r.state IN ('queued', 'running'))";

fn bytes(number: i64) -> u64 {
    number.unsigned_abs()
}

impl Database {
    /// How much of a hook there is.
    pub async fn kept(&self, hook: HookId) -> Result<Kept> {
        let of = async |sql: &'static str| -> Result<Sums> {
            Ok(sqlx::query_as(sql).bind(hook.to_string()).fetch_one(&self.pool).await?)
        };
        let versions = of("SELECT COUNT(*) AS count, COALESCE(SUM(size), 0) AS bytes, MIN(created_at) AS oldest,
                           0 AS outputs, NULL AS oldest_output FROM versions WHERE hook_id = $1");
        let versions = versions.await?;
        let runs = of("SELECT COUNT(*) AS count, COALESCE(SUM(output_size), 0) AS bytes,
                       MIN(COALESCE(finished_at, created_at)) AS oldest, COUNT(output_size) AS outputs,
                       MIN(CASE WHEN output_size IS NOT NULL THEN COALESCE(finished_at, created_at) END) AS oldest_output
                       FROM runs WHERE hook_id = $1");
        let runs = runs.await?;
        Ok(Kept {
            versions: bytes(versions.count),
            version_bytes: bytes(versions.bytes),
            oldest_version: versions.oldest.map(time).transpose()?,
            runs: bytes(runs.count),
            oldest_run: runs.oldest.map(time).transpose()?,
            outputs: bytes(runs.outputs),
            output_bytes: bytes(runs.bytes),
            oldest_output: runs.oldest_output.map(time).transpose()?,
        })
    }

    pub async fn kept_versions(&self, hook: HookId) -> Result<Vec<KeptVersion>> {
        let rows: Vec<VersionRow> = sqlx::query_as(
            "SELECT v.histo, v.size, v.created_at, v.histo = h.histo OR EXISTS (SELECT 1 FROM runs r
             WHERE r.hook_id = v.hook_id AND r.version = v.histo AND r.state IN ('queued', 'running')) AS needed
             FROM versions v JOIN hooks h ON h.id = v.hook_id WHERE v.hook_id = $1",
        )
        .bind(hook.to_string())
        .fetch_all(&self.pool)
        .await?;
        let read = |row: VersionRow| {
            let (histo, created_at) = (parse(&row.histo)?, time(row.created_at)?);
            Ok(KeptVersion { histo, size: bytes(row.size), created_at, needed: row.needed })
        };
        rows.into_iter().map(read).collect()
    }

    pub async fn kept_runs(&self, hook: HookId, now: DateTime<Utc>) -> Result<Vec<KeptRun>> {
        let sql = AssertSqlSafe(format!("SELECT {RUN} FROM runs r WHERE r.hook_id = $3"));
        let rows: Vec<RunRow> = sqlx::query_as(sql)
            .bind(millis(now))
            .bind(millis(now - QUIET))
            .bind(hook.to_string())
            .fetch_all(&self.pool)
            .await?;
        rows.into_iter().map(|row| Ok(row.read()?.1)).collect()
    }

    /// Bytes of all outputs together, those of deleted hooks left out.
    pub async fn output_bytes(&self) -> Result<u64> {
        let sum: i64 = sqlx::query_scalar(
            "SELECT COALESCE(SUM(r.output_size), 0) FROM runs r JOIN hooks h ON h.id = r.hook_id
             WHERE r.output_size IS NOT NULL AND h.deleted_at IS NULL",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(bytes(sum))
    }

    /// All runs that have one of those outputs, with their hooks.
    pub async fn runs_with_output(&self, now: DateTime<Utc>) -> Result<Vec<(HookId, KeptRun)>> {
        let sql = AssertSqlSafe(format!(
            "SELECT {RUN} FROM runs r JOIN hooks h ON h.id = r.hook_id
             WHERE r.output_size IS NOT NULL AND h.deleted_at IS NULL"
        ));
        let rows: Vec<RunRow> =
            sqlx::query_as(sql).bind(millis(now)).bind(millis(now - QUIET)).fetch_all(&self.pool).await?;
        rows.into_iter().map(RunRow::read).collect()
    }

    /// Takes a version off the record, if it is neither live nor needed by a run; says whether it did.
    pub async fn remove_version(&self, hook: HookId, histo: &Histo) -> Result<bool> {
        let _turn = self.turn().await?;
        let sql = format!(
            "DELETE FROM versions WHERE hook_id = $1 AND histo = $2
             AND histo <> (SELECT histo FROM hooks WHERE id = $1) AND NOT {IN_USE}"
        );
        let done =
            sqlx::query(AssertSqlSafe(sql)).bind(hook.to_string()).bind(histo.as_str()).execute(&self.pool).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Takes runs of a hook off the record, with all that refers to them: what they were asked and answered, and the mails
    /// about them that were sent.
    pub async fn remove_runs(&self, hook: HookId, histos: &[Histo], now: DateTime<Utc>) -> Result<Vec<RemovedRun>> {
        let sql = format!(
            "SELECT r.id, r.output_size FROM runs r
             WHERE {MAY_GO} AND r.hook_id = $3 AND r.histo = $4"
        );
        let mut removed = Vec::new();
        let mut tx = self.write().await?;
        for histo in histos {
            let run: Option<(String, Option<i64>)> = sqlx::query_as(AssertSqlSafe(sql.clone()))
                .bind(millis(now))
                .bind(millis(now - QUIET))
                .bind(hook.to_string())
                .bind(histo.as_str())
                .fetch_optional(&mut *tx)
                .await?;
            let Some((id, output)) = run else { continue };
            for delete in [
                "DELETE FROM calls WHERE run_id = $1",
                "DELETE FROM answers WHERE run_id = $1",
                "DELETE FROM idempotency_keys WHERE run_id = $1",
                "DELETE FROM notices WHERE run_id = $1",
                "DELETE FROM runs WHERE id = $1",
            ] {
                sqlx::query(delete).bind(&id).execute(&mut *tx).await?;
            }
            removed.push(RemovedRun { id: parse(&id)?, histo: histo.clone(), output: output.map(bytes) });
        }
        tx.commit().await?;
        Ok(removed)
    }

    /// Takes outputs of a hook off the record; gives their histo ids and sizes.
    pub async fn remove_outputs(&self, hook: HookId, histos: &[Histo]) -> Result<Vec<(Histo, u64)>> {
        let mut removed = Vec::new();
        let mut tx = self.write().await?;
        for histo in histos {
            let size: Option<i64> =
                sqlx::query_scalar("SELECT output_size FROM runs WHERE hook_id = $1 AND histo = $2")
                    .bind(hook.to_string())
                    .bind(histo.as_str())
                    .fetch_optional(&mut *tx)
                    .await?
                    .flatten();
            let Some(size) = size else { continue };
            sqlx::query("UPDATE runs SET output_size = NULL WHERE hook_id = $1 AND histo = $2")
                .bind(hook.to_string())
                .bind(histo.as_str())
                .execute(&mut *tx)
                .await?;
            removed.push((histo.clone(), bytes(size)));
        }
        tx.commit().await?;
        Ok(removed)
    }

    /// How many answers and `Idempotency-Key`s have expired.
    pub async fn expired(&self, now: DateTime<Utc>) -> Result<(u64, u64)> {
        let count = async |sql: &'static str| -> Result<u64> {
            let count: i64 = sqlx::query_scalar(sql).bind(millis(now)).fetch_one(&self.pool).await?;
            Ok(bytes(count))
        };
        let answers = count("SELECT COUNT(*) FROM answers WHERE expires_at <= $1").await?;
        Ok((answers, count("SELECT COUNT(*) FROM idempotency_keys WHERE expires_at <= $1").await?))
    }

    /// Takes some of the answers that have expired off the record; gives their runs, none when there are no more.
    pub async fn expire_answers(&self, now: DateTime<Utc>, most: u32) -> Result<Vec<RunId>> {
        let _turn = self.turn().await?;
        let runs: Vec<String> = sqlx::query_scalar(
            "DELETE FROM answers WHERE run_id IN
             (SELECT run_id FROM answers WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2) RETURNING run_id",
        )
        .bind(millis(now))
        .bind(most)
        .fetch_all(&self.pool)
        .await?;
        runs.iter().map(|run| parse(run)).collect()
    }

    /// Removes some of the `Idempotency-Key`s that have expired; says how many.
    pub async fn expire_keys(&self, now: DateTime<Utc>, most: u32) -> Result<u64> {
        let _turn = self.turn().await?;
        let done = sqlx::query(
            "DELETE FROM idempotency_keys WHERE (hook_id, key) IN
             (SELECT hook_id, key FROM idempotency_keys WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
        )
        .bind(millis(now))
        .bind(most)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }

    /// Whether the body of a run's answer may be needed: it is on record, or its run has not ended and may yet put it there.
    pub async fn has_answer(&self, run: RunId) -> Result<bool> {
        let has = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM answers WHERE run_id = $1)
             OR EXISTS (SELECT 1 FROM runs WHERE id = $1 AND state IN ('queued', 'running'))",
        );
        Ok(has.bind(run.to_string()).fetch_one(&self.pool).await?)
    }

    /// What is on record of all the hooks that `path` ever had.
    pub async fn on_record(&self, owner: UserId, path: &HookPath) -> Result<OnRecord> {
        let (owner, path) = (owner.to_string(), path.as_str());
        let hooks: Vec<(String, bool)> =
            sqlx::query_as("SELECT id, deleted_at IS NULL FROM hooks WHERE owner_id = $1 AND path = $2")
                .bind(&owner)
                .bind(path)
                .fetch_all(&self.pool)
                .await?;
        let mut found = OnRecord::default();
        for (hook, live) in hooks {
            found.live |= live;
            let histos = async |sql: &'static str| -> Result<HashSet<Histo>> {
                let histos: Vec<String> = sqlx::query_scalar(sql).bind(&hook).fetch_all(&self.pool).await?;
                histos.iter().map(|histo| parse(histo)).collect()
            };
            found.versions.extend(histos("SELECT histo FROM versions WHERE hook_id = $1").await?);
            let outputs = "SELECT histo FROM runs WHERE hook_id = $1
                           AND (output_size IS NOT NULL OR state IN ('queued', 'running'))";
            found.outputs.extend(histos(outputs).await?);
        }
        Ok(found)
    }
}
