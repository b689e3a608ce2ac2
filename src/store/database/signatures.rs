//! Signed calls that were let in.

use chrono::{DateTime, Utc};

use super::{Database, millis};
use crate::model::HookId;
use crate::store::Result;

impl Database {
    /// Notes a signed call; says whether it was not there yet. What has expired, of any hook, goes.
    pub async fn remember_signature(
        &self,
        hook: HookId,
        digest: &str,
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM signatures WHERE expires_at <= $1").bind(millis(now)).execute(&mut *tx).await?;
        let done = sqlx::query(
            "INSERT INTO signatures (hook_id, digest, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(hook.to_string())
        .bind(digest)
        .bind(millis(expires_at))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// The call may come again.
    pub async fn forget_signature(&self, hook: HookId, digest: &str) -> Result<()> {
        let _turn = self.turn().await?;
        sqlx::query("DELETE FROM signatures WHERE hook_id = $1 AND digest = $2")
            .bind(hook.to_string())
            .bind(digest)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
