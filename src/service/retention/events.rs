//! Events that nobody needs any more, with their deliveries.

use chrono::{DateTime, Duration, Utc};

use super::MANY;
use crate::service::{Result, Service};

impl Service {
    /// Removes events that are too old, or beyond the number that is kept, unless they are still on their way to somebody;
    /// says how many.
    pub(super) async fn remove_old_events(&self, now: DateTime<Utc>) -> Result<u64> {
        let (days, keep) = (self.settings.outbound.keep_days, self.settings.outbound.keep_events);
        let mut removed = 0;
        if days > 0 {
            let then = now - Duration::days(days.into());
            removed += self.until_none(|| self.db.remove_events(then, MANY)).await?;
            self.until_none(|| self.db.remove_old_notices(then, MANY)).await?;
        }
        if keep > 0 {
            removed += self.until_none(|| self.db.remove_events_beyond(keep, MANY)).await?;
        }
        metrics::counter!("nbhook_pruned_total", "what" => "events").increment(removed);
        if removed > 0 {
            tracing::info!(events = removed, "pruned");
        }
        Ok(removed)
    }

    /// Removes some again and again, until there are none.
    async fn until_none<F>(&self, remove: impl Fn() -> F) -> Result<u64>
    where
        F: Future<Output = crate::store::Result<u64>>,
    {
        let mut all = 0;
        loop {
            match self.with_reserve(&remove).await? {
                0 => return Ok(all),
                some => all += some,
            }
        }
    }
}
