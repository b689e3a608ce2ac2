//! `/v1/events`: what happened.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};

use super::auth::Authenticated;
use super::error::ApiError;
use super::hooks::Id;
use super::list::ListQuery;
use crate::model::{Event, EventId, EventType};
use crate::service::{EventQuery, Service};

pub(super) async fn list(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let mut list = ListQuery::of(&request)?;
    let types = EventType::ALL.map(EventType::as_str).join(", ");
    let query = EventQuery {
        kind: list.filter::<EventType>("type", &format!("must be one of {types}"))?,
        since: list.filter::<DateTime<Utc>>("since", "must be a time as RFC 3339 has it, e.g. 2026-01-31T08:00:00Z")?,
        tag: list.filter::<String>("tag", "must be a tag")?,
    };
    let events = service.happened(&caller, query, list.page).await?;
    list.answer("uuid", &events.iter().map(Event::view).collect::<Vec<_>>())
}

pub(super) async fn show(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<EventId>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(service.event(&caller, id.0).await?.view()))
}
