//! Events that nobody needs any more go with their deliveries, all of which have ended.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use super::super::{Database, millis};
use crate::store::Result;

/// Which events go.
#[derive(Debug, Clone, Copy)]
enum Which<'a> {
    /// Those that, with the end of their deliveries, were then or before.
    By(i64),
    /// Those of this id and before.
    To(&'a str),
}

impl Database {
    /// Removes some of the events that happened then or before, and whose deliveries have ended as long ago; says how many.
    pub async fn remove_events(&self, then: DateTime<Utc>, most: u32) -> Result<u64> {
        self.remove(Which::By(millis(then)), most).await
    }

    /// Removes some of the events beyond the newest `keep` whose deliveries have ended; says how many.
    pub async fn remove_events_beyond(&self, keep: u64, most: u32) -> Result<u64> {
        let last: Option<String> = sqlx::query_scalar("SELECT id FROM events ORDER BY id DESC LIMIT 1 OFFSET $1")
            .bind(i64::try_from(keep).unwrap_or(i64::MAX))
            .fetch_optional(&self.pool)
            .await?;
        match last {
            Some(last) => self.remove(Which::To(&last), most).await,
            None => Ok(0),
        }
    }

    async fn remove(&self, which: Which<'_>, most: u32) -> Result<u64> {
        let mut tx = self.write().await?;
        let found = match which {
            Which::By(then) => sqlx::query_scalar(
                "SELECT e.id FROM events e WHERE e.at <= $1 AND NOT EXISTS (SELECT 1 FROM deliveries d
                 WHERE d.event_id = e.id AND (d.next_attempt_at IS NOT NULL OR d.finished_at > $1)) ORDER BY e.at LIMIT $2",
            )
            .bind(then),
            Which::To(last) => sqlx::query_scalar(
                "SELECT e.id FROM events e WHERE e.id <= $1 AND NOT EXISTS (SELECT 1 FROM deliveries d
                 WHERE d.event_id = e.id AND d.next_attempt_at IS NOT NULL) ORDER BY e.id LIMIT $2",
            )
            .bind(last),
        };
        let ids: Vec<String> = found.bind(most).fetch_all(&mut *tx).await?;
        if ids.is_empty() {
            return Ok(0);
        }
        let places: Vec<String> = (1..=ids.len()).map(|number| format!("${number}")).collect();
        let places = places.join(", ");
        for delete in [
            format!(
                "DELETE FROM attempts WHERE delivery_id IN (SELECT id FROM deliveries WHERE event_id IN ({places}))"
            ),
            format!("DELETE FROM deliveries WHERE event_id IN ({places})"),
            format!("DELETE FROM topic_events WHERE event_id IN ({places})"),
            format!("DELETE FROM events WHERE id IN ({places})"),
        ] {
            let mut query = sqlx::query(AssertSqlSafe(delete));
            for id in &ids {
                query = query.bind(id);
            }
            query.execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(ids.len() as u64)
    }

    /// Removes some of the mails about callbacks that were sent, or given up, then or before; says how many.
    pub async fn remove_old_notices(&self, then: DateTime<Utc>, most: u32) -> Result<u64> {
        let _turn = self.turn().await?;
        let done = sqlx::query(
            "DELETE FROM notices WHERE id IN (SELECT id FROM notices WHERE run_id IS NULL AND finished_at <= $1 LIMIT $2)",
        );
        Ok(done.bind(millis(then)).bind(most).execute(&self.pool).await?.rows_affected())
    }
}
