//! Events: their list, and one with whom it was sent to.

use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::deliveries::rows;
use super::page::Page;
use super::part::{Part, pretty};
use crate::http::error::ApiError;
use crate::http::hooks::Id;
use crate::model::{self, Event, EventId, EventType};
use crate::service::{DeliveryQuery, EventQuery};

/// Deliveries that an event's page shows.
const MOST: model::Page = model::Page { limit: 100, offset: 0 };

pub(super) async fn list(page: Page, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let part = Part::of(&request)?;
    let query = EventQuery {
        kind: part.field::<EventType>("type", "must be a type of events")?,
        tag: part.field::<String>("tag", "must be a tag")?,
        since: part.time("since")?,
    };
    let found = page.service.happened(&page.caller, query, part.page()).await?;
    let (shown, list) = part.shown(found);
    let events: Vec<_> = shown.iter().map(Event::view).collect();
    page.render("events", json!({"events": events, "list": list, "types": EventType::ALL.map(EventType::as_str)}))
}

pub(super) async fn show(page: Page, id: Id<EventId>) -> Result<HttpResponse, ApiError> {
    let event = page.service.event(&page.caller, id.0).await?;
    let query = DeliveryQuery { event: Some(id.0), ..DeliveryQuery::default() };
    let deliveries = page.service.deliveries(&page.caller, query, MOST).await?;
    let context = json!({
        "event": event.view(),
        "data": pretty(&event.data),
        "deliveries": rows(&page, &deliveries).await?,
    });
    page.render("event", context)
}
