//! `/v1/deliveries`: list, show, send again; and what failed of a callback.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::auth::Authenticated;
use super::error::ApiError;
use super::fields::Fields;
use super::hooks::Id;
use super::list::ListQuery;
use super::reply;
use crate::model::{
    CallbackId, Change, Delivery, DeliveryAttempt, DeliveryId, DeliveryStatus, EventId, Invalid, SubscriptionId,
};
use crate::service::{DeliveryQuery, Service};

fn attempt(attempt: &DeliveryAttempt) -> Value {
    json!({
        "at": reply::time(attempt.at),
        "status_code": attempt.status_code,
        "duration_ms": attempt.duration_ms,
        "error": attempt.error,
        "response_valid": attempt.response_valid,
    })
}

/// A delivery without what was answered, as lists have it.
pub(super) fn listed(delivery: &Delivery) -> Value {
    json!({
        "id": delivery.id,
        "event": delivery.event,
        "type": delivery.kind.as_str(),
        "subscription": delivery.subscription,
        "callback_id": delivery.callback,
        "fallback_of": delivery.fallback_of,
        "status": delivery.status,
        "next_attempt_at": delivery.next_attempt_at.map(reply::time),
        "created_at": reply::time(delivery.created_at),
        "finished_at": delivery.finished_at.map(reply::time),
        "attempts": delivery.attempts.iter().map(attempt).collect::<Vec<_>>(),
    })
}

pub(super) fn whole(delivery: &Delivery) -> Value {
    let mut view = listed(delivery);
    for (number, attempt) in delivery.attempts.iter().enumerate() {
        view["attempts"][number]["response"] = attempt.response.as_str().into();
    }
    view
}

pub(super) async fn list(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let mut list = ListQuery::of(&request)?;
    let statuses = format!("must be one of {}", DeliveryStatus::ALL.map(DeliveryStatus::as_str).join(", "));
    let query = DeliveryQuery {
        status: list.filter::<DeliveryStatus>("status", &statuses)?,
        callback: list.filter::<CallbackId>("callback", "must be the id of a callback")?,
        subscription: list.filter::<SubscriptionId>("subscription", "must be the id of a subscription")?,
        event: list.filter::<EventId>("event", "must be the id of an event")?,
        since: list.time("since")?,
    };
    let deliveries = service.deliveries(&caller, query, list.page).await?;
    list.answer("id", &deliveries.iter().map(listed).collect::<Vec<_>>())
}

pub(super) async fn show(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<DeliveryId>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(whole(&service.delivery(&caller, id.0).await?)))
}

pub(super) async fn retry(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<DeliveryId>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(whole(&service.retry_delivery(&caller, id.0).await?)))
}

pub(super) async fn recover(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<CallbackId>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let fields = Fields::of_body(payload, &service).await;
    // An unknown callback is a 404, whatever is asked of it.
    service.callback(&caller, id.0).await?;
    let mut fields = fields?;
    let expected = "must be a time as RFC 3339 has it, e.g. 2026-01-31T08:00:00Z";
    let since = fields.take("since", expected, |value| value.as_str()?.parse::<DateTime<Utc>>().ok())?;
    fields.end()?;
    let Change::Set(since) = since else { return Err(Invalid::new("since", expected).into()) };
    let recovered = service.recover_callback(&caller, id.0, since).await?;
    Ok(HttpResponse::Ok().json(json!({"recovered": recovered})))
}
