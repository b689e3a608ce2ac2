//! What happened, for those who ask: the events on record.

use chrono::{DateTime, Utc};

use super::{Error, Result, Service};
use crate::model::{Caller, Event, EventId, EventType, Page};
use crate::store::EventFilter;

/// Which events a caller asks for.
#[derive(Debug, Default)]
pub struct EventQuery {
    pub kind: Option<EventType>,
    pub since: Option<DateTime<Utc>>,
    pub tag: Option<String>,
}

impl Service {
    /// Events that the caller may see, newest first.
    pub async fn happened(&self, caller: &Caller, query: EventQuery, page: Page) -> Result<Vec<Event>> {
        let owner = self.scope(caller, "owner", None).await?;
        self.unsaved.settled().await;
        let filter = EventFilter { owner, kind: query.kind, since: query.since, tag: query.tag };
        Ok(self.db.events(&filter, page).await?)
    }

    pub async fn event(&self, caller: &Caller, id: EventId) -> Result<Event> {
        let event = self.db.event(id).await?;
        event.filter(|event| caller.may_touch(event.owner)).ok_or(Error::NotFound("event"))
    }

    /// The `AsyncAPI` document: every type of event.
    #[must_use]
    pub fn events_document(&self) -> serde_json::Value {
        crate::openapi::of_events(&self.public_url)
    }
}
