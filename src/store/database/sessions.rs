//! Sessions of the manager.

use chrono::{DateTime, Utc};

use super::users::{CALLER, UserRow};
use super::{Database, millis};
use crate::model::{Caller, TokenHash};
use crate::store::Result;

impl Database {
    /// Begins a session for the holder of an API token, and forgets those that are over. Says whether there is such a token.
    pub async fn create_session(
        &self,
        session: &TokenHash,
        token: &TokenHash,
        now: DateTime<Utc>,
        expires: DateTime<Utc>,
    ) -> Result<bool> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM sessions WHERE expires_at <= $1").bind(millis(now)).execute(&mut *tx).await?;
        let done = sqlx::query(
            "INSERT INTO sessions (hash, token_id, created_at, expires_at) SELECT $1, id, $2, $3 FROM tokens WHERE hash = $4",
        )
        .bind(&session.0)
        .bind(millis(now))
        .bind(millis(expires))
        .bind(&token.0)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// The user of a session that is not over.
    pub async fn caller_by_session(&self, session: &TokenHash, now: DateTime<Utc>) -> Result<Option<Caller>> {
        let sql = format!("{CALLER} JOIN sessions s ON s.token_id = t.id WHERE s.hash = $1 AND s.expires_at > $2");
        let row: Option<UserRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(&session.0)
            .bind(millis(now))
            .fetch_optional(&self.pool)
            .await?;
        row.map(UserRow::caller).transpose()
    }

    /// Ends a session, if there is one.
    pub async fn delete_session(&self, session: &TokenHash) -> Result<()> {
        let _turn = self.turn().await?;
        sqlx::query("DELETE FROM sessions WHERE hash = $1").bind(&session.0).execute(&self.pool).await?;
        Ok(())
    }
}
