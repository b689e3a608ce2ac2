//! `/v1/subscriptions`: what binds events to a URL, a callback or a topic (`application/hal+json`).

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use serde_json::{Map, Value, json};

use super::accept::{self, HAL, JSON};
use super::auth::Authenticated;
use super::error::ApiError;
use super::hooks::Id;
use super::list::ListQuery;
use super::{body, json, reply, subscribe, tasks};
use crate::model::{
    Invalid, SigningSecret, Subscription, SubscriptionId, SubscriptionKind, SubscriptionStatus, Target, TopicName,
    delivery, notification,
};
use crate::service::{Asker, Service, SubscriptionQuery};

/// Largest body, in bytes.
const LARGEST: usize = 64 << 10;

fn message(status: SubscriptionStatus) -> &'static str {
    match status {
        SubscriptionStatus::Pending => "Your subscription is not active yet.",
        SubscriptionStatus::Active => "Your subscription is active.",
        SubscriptionStatus::Completed => "Your subscription is completed.",
        SubscriptionStatus::Cancelled => "Your subscription is cancelled.",
        SubscriptionStatus::Expired => "Your subscription has expired.",
        SubscriptionStatus::Disabled => "Your subscription is disabled: its receiver did not want it any more.",
    }
}

/// Without its secret. `query`: what its links need.
pub(super) fn view(subscription: &Subscription, query: &str) -> Value {
    let mut links = json!({"self": {"href": format!("{}{query}", notification::link(subscription.id))}});
    if let Some(run) = subscription.run.filter(|_| subscription.kind == SubscriptionKind::Task) {
        links["task"] = json!({"href": format!("/v1/tasks/{run}{query}")});
    }
    let (mut url, mut callback, mut topic) = (None, None, None);
    match &subscription.target {
        // That of a declared callback has parameters in it, which may be sensitive, and is its caller's.
        Target::Url { url: at, .. } if subscription.kind == SubscriptionKind::Declared => {
            url = Some(delivery::receiver_of_url(at));
        }
        Target::Url { url: at, .. } => url = Some(at.clone()),
        Target::Callback(id) => callback = Some(id),
        Target::Topic(name) => {
            links["events"] = json!({"href": format!("/v1/topics/{name}/events")});
            topic = Some(name);
        }
        Target::Gone => {}
    }
    json!({
        "_links": links,
        "UUID": subscription.id,
        "kind": subscription.kind,
        "mode": subscription.mode,
        "status": subscription.status,
        "callbackUrl": url,
        "callback_id": callback,
        "topic": topic,
        "run": subscription.run,
        "tags": subscription.tags,
        "filters": subscription.filters,
        "matched": subscription.matched,
        "expires_at": subscription.expires_at.map(reply::time),
        "created_at": reply::time(subscription.created_at),
        "ended_at": subscription.ended_at.map(reply::time),
        "message": message(subscription.status),
    })
}

/// Whoever has a task's key needs it in the links, too.
fn query(asker: &Asker) -> String {
    match asker {
        Asker::User(_) => String::new(),
        Asker::Key(key) => format!("?key={key}"), // it was found to be right, and has letters and digits only
    }
}

fn hal(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response.insert_header((CONTENT_TYPE, HAL));
    response
}

pub(super) async fn create(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    accept::chosen(&request, &[HAL, JSON])?;
    let body = body::up_to(&request, payload, &service, LARGEST).await?;
    let object: Map<String, Value> = json::parse("body", &body)?;
    let subscription = service.subscribe(&caller, subscribe::read(object)?).await?;
    let mut view = view(&subscription, "");
    view["message"] = "Your request to subscribe to events has been accepted.".into();
    if let Target::Url { secrets, .. } = &subscription.target {
        view["secret"] = json!(secrets.first().map(SigningSecret::expose));
    }
    let location = (LOCATION, notification::link(subscription.id));
    Ok(hal(StatusCode::CREATED).insert_header(location).body(view.to_string()))
}

pub(super) async fn list(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let media_type = accept::chosen(&request, &[JSON, HAL])?;
    let mut list = ListQuery::of(&request)?;
    let statuses = SubscriptionStatus::ALL.map(SubscriptionStatus::as_str).join(", ");
    let query = SubscriptionQuery {
        status: list.filter::<SubscriptionStatus>("status", &format!("must be one of {statuses}"))?,
        kind: list.filter::<SubscriptionKind>("kind", "must be events, task or declared")?,
        topic: list.filter::<TopicName>("topic", "must be the name of a topic")?,
    };
    let found = service.subscriptions(&caller, query, list.page).await?;
    let views: Vec<_> = found.iter().map(|subscription| view(subscription, "")).collect();
    list.answer_as(media_type, "UUID", &views)
}

pub(super) async fn show(
    service: web::Data<Service>,
    request: HttpRequest,
    id: Id<SubscriptionId>,
) -> Result<HttpResponse, ApiError> {
    let asker = tasks::asker(&request).await?;
    accept::chosen(&request, &[HAL, JSON])?;
    let subscription = service.subscription(&asker, id.0).await?;
    Ok(hal(StatusCode::OK).body(view(&subscription, &query(&asker)).to_string()))
}

/// The one change that can be made: to cancel it.
pub(super) async fn cancel(
    service: web::Data<Service>,
    request: HttpRequest,
    id: Id<SubscriptionId>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let asker = tasks::asker(&request).await?;
    accept::chosen(&request, &[HAL, JSON])?;
    let body = body::up_to(&request, payload, &service, LARGEST).await?;
    if !body.is_empty() {
        wish_to_cancel(&json::parse("body", &body)?)?;
    }
    let subscription = service.cancel_subscription(&asker, id.0).await?;
    Ok(hal(StatusCode::ACCEPTED).body(view(&subscription, &query(&asker)).to_string()))
}

fn wish_to_cancel(body: &Map<String, Value>) -> Result<(), Invalid> {
    if let Some(other) = body.keys().find(|name| *name != "status") {
        return Err(Invalid::new(other, "cannot be changed: make a new subscription"));
    }
    match body.get("status") {
        Some(status) if status == "cancelled" => Ok(()),
        Some(_) => Err(Invalid::new("status", "must be cancelled")),
        None => Err(Invalid::new("status", "is missing: send {\"status\":\"cancelled\"}, or nothing")),
    }
}
