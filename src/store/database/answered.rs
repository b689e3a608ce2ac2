//! What hooks were seen to answer.

use super::Database;
use crate::model::{Answered, HookId};
use crate::store::{Result, StoreError};

impl Database {
    /// What the successful ones among a hook's last runs answered, each kind of answer once.
    pub async fn answered(&self, hook: HookId) -> Result<Vec<Answered>> {
        // The index `runs_by_hook` has the last ones.
        let rows: Vec<(i64, Option<String>)> = sqlx::query_as(
            "SELECT DISTINCT status, media_type FROM
             (SELECT state, status, media_type FROM runs WHERE hook_id = $1 ORDER BY histo DESC LIMIT 200) AS latest
             WHERE state = 'succeeded' AND status IS NOT NULL ORDER BY status, media_type",
        )
        .bind(hook.to_string())
        .fetch_all(&self.pool)
        .await?;
        let status = |status: i64| u16::try_from(status).map_err(|error| StoreError::Corrupt(error.to_string()));
        rows.into_iter().map(|(code, media_type)| Ok(Answered { status: status(code)?, media_type })).collect()
    }
}
