//! What runs were asked and what they answered, where either may be needed again; and the keys by which a caller asks again.

use chrono::{DateTime, Utc};

use super::{Database, Write, millis, parse, time};
use crate::model::{HookId, RunId};
use crate::store::Result;

/// What came of the wish to use an `Idempotency-Key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyClaim {
    /// Nobody has used it: it is the caller's now.
    New,
    /// It stands for this run; `same` says whether the same was sent then.
    Used { run: RunId, same: bool },
}

/// A key and what was sent with it.
#[derive(Debug, Clone)]
pub struct KeyUse {
    pub hook: HookId,
    pub key: String,
    /// Tells one payload from another.
    pub fingerprint: String,
}

/// Writes what a run was asked, over what is there.
pub(super) async fn keep(tx: &mut Write, run: RunId, request: &str) -> Result<()> {
    sqlx::query(
        "INSERT INTO calls (run_id, request) VALUES ($1, $2) ON CONFLICT (run_id) DO UPDATE SET request = excluded.request",
    )
    .bind(run.to_string())
    .bind(request)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

impl Database {
    /// What a run was asked.
    pub async fn request(&self, run: RunId) -> Result<Option<String>> {
        let request = sqlx::query_scalar("SELECT request FROM calls WHERE run_id = $1").bind(run.to_string());
        Ok(request.fetch_optional(&self.pool).await?)
    }

    pub async fn keep_answer(&self, run: RunId, reply: &str, now: DateTime<Utc>, expires: DateTime<Utc>) -> Result<()> {
        let _turn = self.turn().await?;
        sqlx::query(
            "INSERT INTO answers (run_id, reply, created_at, expires_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (run_id) DO NOTHING",
        )
        .bind(run.to_string())
        .bind(reply)
        .bind(millis(now))
        .bind(millis(expires))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// What a run answered and when, if that is still kept.
    pub async fn answer(&self, run: RunId, now: DateTime<Utc>) -> Result<Option<(String, DateTime<Utc>)>> {
        let kept: Option<(String, i64)> =
            sqlx::query_as("SELECT reply, created_at FROM answers WHERE run_id = $1 AND expires_at > $2")
                .bind(run.to_string())
                .bind(millis(now))
                .fetch_optional(&self.pool)
                .await?;
        kept.map(|(reply, at)| Ok((reply, time(at)?))).transpose()
    }

    /// Until when what a run answered is kept.
    pub async fn answer_expires(&self, run: RunId, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
        let expires: Option<i64> =
            sqlx::query_scalar("SELECT expires_at FROM answers WHERE run_id = $1 AND expires_at > $2")
                .bind(run.to_string())
                .bind(millis(now))
                .fetch_optional(&self.pool)
                .await?;
        expires.map(time).transpose()
    }

    /// Takes a key for `run`, unless it is taken.
    pub async fn claim_key(
        &self,
        wish: &KeyUse,
        run: RunId,
        now: DateTime<Utc>,
        expires: DateTime<Utc>,
    ) -> Result<KeyClaim> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM idempotency_keys WHERE hook_id = $1 AND key = $2 AND expires_at <= $3")
            .bind(wish.hook.to_string())
            .bind(&wish.key)
            .bind(millis(now))
            .execute(&mut *tx)
            .await?;
        let used: Option<(String, String)> =
            sqlx::query_as("SELECT run_id, fingerprint FROM idempotency_keys WHERE hook_id = $1 AND key = $2")
                .bind(wish.hook.to_string())
                .bind(&wish.key)
                .fetch_optional(&mut *tx)
                .await?;
        if let Some((run, fingerprint)) = used {
            return Ok(KeyClaim::Used { run: parse(&run)?, same: fingerprint == wish.fingerprint });
        }
        sqlx::query(
            "INSERT INTO idempotency_keys (hook_id, key, fingerprint, run_id, expires_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(wish.hook.to_string())
        .bind(&wish.key)
        .bind(&wish.fingerprint)
        .bind(run.to_string())
        .bind(millis(expires))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(KeyClaim::New)
    }

    /// Gives a key back whose call came to no run.
    pub async fn release_key(&self, run: RunId) -> Result<()> {
        let _turn = self.turn().await?;
        sqlx::query("DELETE FROM idempotency_keys WHERE run_id = $1").bind(run.to_string()).execute(&self.pool).await?;
        Ok(())
    }

    /// Gives back the keys of calls that a killed server had not yet put on record.
    pub async fn release_lost_keys(&self) -> Result<()> {
        let _turn = self.turn().await?;
        sqlx::query("DELETE FROM idempotency_keys WHERE run_id NOT IN (SELECT id FROM runs)")
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
