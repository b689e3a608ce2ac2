//! `/v1/inboxes`: make, list, read, delete.

use std::time::Duration;

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::auth::Authenticated;
use super::error::ApiError;
use super::fields::Fields;
use super::list::ListQuery;
use super::{body, json, reply};
use crate::model::{Capture, Inbox, InboxId, InboxSetup, Invalid, Owner};
use crate::service::{NewInbox, Service};

/// How long a reader may wait, in seconds.
const LONGEST_WAIT: u64 = 300;

/// An inbox without what it keeps, as lists have it.
pub(super) fn listed(inbox: &Inbox, service: &Service) -> Value {
    let setup = &inbox.setup;
    json!({
        "uuid": inbox.id,
        "url": service.inbox_url(&inbox.id),
        "user": inbox.owner_name,
        "auto_delete": setup.auto_delete,
        "no_override": setup.no_override,
        "response": setup.response,
        "response_headers": setup.response_headers,
        "default_result": setup.default_result,
        "received": inbox.received,
        "received_at": inbox.received_at.map(reply::time),
        "created_at": reply::time(inbox.created_at),
    })
}

/// An inbox with what it keeps, or its default.
pub(super) fn whole(inbox: &Inbox, service: &Service) -> Value {
    let mut view = listed(inbox, service);
    let capture = inbox.capture.as_ref();
    view["result"] = match capture {
        Some(capture) => json!(capture.result),
        None => json!(inbox.setup.default_result),
    };
    view["result_query"] = json!(capture.map(|Capture { query, .. }| query));
    view["result_headers"] = json!(capture.map(|Capture { headers, .. }| headers));
    view
}

/// What an inbox is to be like; whatever is null is as usual.
fn wanted(mut fields: Fields) -> Result<NewInbox, Invalid> {
    let headers =
        fields.take("response_headers", "must be an object of names and values", |value| value.as_object().cloned())?;
    let id = fields.take("uuid", "must be text", |value| value.as_str().map(str::to_owned))?.given();
    let wanted = NewInbox {
        setup: InboxSetup {
            response: fields.raw("response").given(),
            response_headers: headers.given().filter(|headers| !headers.is_empty()),
            auto_delete: fields.flag("auto_delete")?.given().unwrap_or(true),
            no_override: fields.flag("no_override")?.given().unwrap_or(false),
            default_result: fields.raw("default_result").given(),
        },
        user: fields.user()?,
        id: id.map(|id| id.parse()).transpose()?,
    };
    fields.end()?;
    Ok(wanted)
}

pub(super) async fn create(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let body = body::up_to(&request, payload, &service, service.inbox_body_limit()).await?;
    let body = if body.is_empty() { b"{}".as_slice() } else { &body };
    let wanted = wanted(Fields::of_map(json::parse("body", body)?))?;
    let inbox = service.create_inbox(&caller, wanted).await?;
    let location = format!("/v1/inboxes/{}", inbox.id.expose());
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(whole(&inbox, &service)))
}

pub(super) async fn list(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let mut query = ListQuery::of(&request)?;
    let user = query.filter::<Owner>("user", "must be the name of a user")?;
    let inboxes = service.inboxes(&caller, user.as_ref(), query.page).await?;
    let items: Vec<_> = inboxes.iter().map(|inbox| listed(inbox, &service)).collect();
    query.answer("created_at", &items)
}

pub(super) async fn show(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let (id, user, wait) = (named(&id)?, user(&request)?, wait(&request)?);
    let inbox = service.read_inbox(&caller, &id, user.as_ref(), wait).await?;
    Ok(HttpResponse::Ok().json(whole(&inbox, &service)))
}

pub(super) async fn delete(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let (id, user) = (named(&id)?, user(&request)?);
    service.delete_inbox(&caller, &id, user.as_ref()).await?;
    Ok(HttpResponse::Ok().json(json!({"success": true})))
}

/// What cannot be read does not exist.
pub(super) fn named(id: &str) -> Result<InboxId, ApiError> {
    id.parse().map_err(|_| ApiError::not_found("inbox"))
}

fn field(request: &HttpRequest, name: &str) -> Option<String> {
    body::query(request).into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn user(request: &HttpRequest) -> Result<Option<Owner>, Invalid> {
    let user = field(request, "user").map(|user| user.parse::<Owner>()).transpose();
    user.map_err(|_| Invalid::new("user", "must be the name of a user"))
}

fn wait(request: &HttpRequest) -> Result<Duration, Invalid> {
    let Some(text) = field(request, "wait") else { return Ok(Duration::ZERO) };
    let seconds = text.parse().ok().filter(|seconds| *seconds <= LONGEST_WAIT);
    let expected = || Invalid::new("wait", format!("must be a whole number of seconds from 0 to {LONGEST_WAIT}"));
    Ok(Duration::from_secs(seconds.ok_or_else(expected)?))
}
