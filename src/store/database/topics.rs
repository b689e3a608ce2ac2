//! What the readers of topics see.

use super::Database;
use super::events::EventRow;
use crate::model::{Event, EventId, TopicName, UserId};
use crate::store::Result;

/// A page of events has no more once it has so many bytes: readers who do not read hold one each.
const LARGEST_PAGE: i64 = 256 << 10;

impl Database {
    /// Whether an owner has, or had, a subscription that publishes there.
    pub async fn has_topic(&self, owner: UserId, topic: &TopicName) -> Result<bool> {
        let has = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM subscriptions WHERE owner_id = $1 AND topic = $2)");
        Ok(has.bind(owner.to_string()).bind(topic.as_str()).fetch_one(&self.pool).await?)
    }

    /// The newest event of a topic.
    pub async fn last_of_topic(&self, owner: UserId, topic: &TopicName) -> Result<Option<EventId>> {
        let last: Option<String> =
            sqlx::query_scalar("SELECT MAX(event_id) FROM topic_events WHERE owner_id = $1 AND topic = $2")
                .bind(owner.to_string())
                .bind(topic.as_str())
                .fetch_one(&self.pool)
                .await?;
        last.as_deref().map(super::parse).transpose()
    }

    /// Some of the next events of a topic after one that need not be there any more, or the oldest that are kept.
    pub async fn topic_events(
        &self,
        owner: UserId,
        topic: &TopicName,
        after: Option<EventId>,
        most: u32,
    ) -> Result<Vec<Event>> {
        let rows: Vec<EventRow> = sqlx::query_as(
            "SELECT id, owner_id, kind, at, tags, data FROM (
                 SELECT id, owner_id, kind, at, tags, data, SUM(LENGTH(data)) OVER (ORDER BY id) - LENGTH(data) AS before
                 FROM (SELECT e.id, e.owner_id, e.type AS kind, e.at, e.tags, e.data
                     FROM topic_events t JOIN events e ON e.id = t.event_id
                     WHERE t.owner_id = $1 AND t.topic = $2 AND t.event_id > $3 ORDER BY t.event_id LIMIT $4) AS next
             ) AS page WHERE before < $5 ORDER BY id",
        )
        .bind(owner.to_string())
        .bind(topic.as_str())
        .bind(after.map(|event| event.to_string()).unwrap_or_default())
        .bind(most)
        .bind(LARGEST_PAGE)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(Event::try_from).collect()
    }
}
