//! `/v1/inboxes`: make, list, read, delete.

use std::time::Duration;

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::auth::Authenticated;
use super::error::ApiError;
use super::list::ListQuery;
use super::{body, json, reply};
use crate::model::{Capture, Inbox, InboxId, InboxSetup, Invalid, Owner};
use crate::service::{NewInbox, Service};

/// How long a reader may wait, in seconds.
const LONGEST_WAIT: u64 = 300;

/// An inbox without what it keeps, as lists have it.
fn listed(inbox: &Inbox, service: &Service) -> Value {
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
fn whole(inbox: &Inbox, service: &Service) -> Value {
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    response: Option<Value>,
    #[serde(default)]
    response_headers: Option<Map<String, Value>>,
    #[serde(default)]
    auto_delete: Option<bool>,
    #[serde(default)]
    no_override: Option<bool>,
    #[serde(default)]
    default_result: Option<Value>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    uuid: Option<String>,
}

impl TryFrom<Wanted> for NewInbox {
    type Error = Invalid;

    fn try_from(wanted: Wanted) -> Result<Self, Invalid> {
        let user = wanted.user.map(|user| user.parse::<Owner>()).transpose();
        Ok(Self {
            setup: InboxSetup {
                response: wanted.response,
                response_headers: wanted.response_headers.filter(|headers| !headers.is_empty()),
                auto_delete: wanted.auto_delete.unwrap_or(true),
                no_override: wanted.no_override.unwrap_or(false),
                default_result: wanted.default_result,
            },
            user: user.map_err(|error| Invalid::new("user", error.message))?,
            id: wanted.uuid.map(|uuid| uuid.parse()).transpose()?,
        })
    }
}

pub(super) async fn create(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let body = body::up_to(&request, payload, &service, service.inbox_body_limit()).await?;
    let body = if body.is_empty() { b"{}".as_slice() } else { &body };
    let object: Map<String, Value> = json::parse("body", body)?; // serde would take a list of the fields, too
    let wanted = Wanted::deserialize(Value::Object(object)).map_err(|error| Invalid::new("body", error.to_string()))?;
    let inbox = service.create_inbox(&caller, wanted.try_into()?).await?;
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
    Ok(query.answer("created_at", &items))
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
fn named(id: &str) -> Result<InboxId, ApiError> {
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
