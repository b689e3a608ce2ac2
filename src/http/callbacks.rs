//! `/v1/callbacks`: make, list, show, change, delete, and a new secret.

mod wanted;

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::auth::Authenticated;
use super::error::ApiError;
use super::fields::Fields;
use super::hooks::Id;
use super::list::ListQuery;
use super::reply;
use crate::model::{Callback, CallbackHeader, CallbackId, Caller, Owner, ProfileId, Role};
use crate::service::{CallbackQuery, NewCallback, Service};

/// What a change may have as it was read, and not otherwise.
const READ_ONLY: &[&str] = &["id", "disabled_reason", "created_at", "updated_at", "user"];

/// A header; the value of one that is named like a secret does not show.
fn header(header: &CallbackHeader) -> Value {
    let value = if header.is_secret() { json!(true) } else { json!(header.value) };
    json!({"name": header.name, "value": value})
}

/// A callback without its secret; admins, who see everyone's, are told whose it is.
pub(super) fn view(caller: &Caller, (callback, user): &(Callback, Owner)) -> Value {
    let config = &callback.config;
    let headers = config.headers.as_ref().map(|headers| headers.iter().map(header).collect::<Vec<_>>());
    let mut view = json!({
        "id": callback.id,
        "name": callback.name,
        "profile_id": callback.profile,
        "fallback_callback_id": callback.fallback,
        "enabled": callback.enabled,
        "disabled_reason": callback.disabled_reason,
        "mode": callback.mode,
        "config": {
            "url": config.url,
            "method": config.method,
            "headers": headers,
            "timeout": config.timeout,
            "rate_limit": config.rate_limit,
        },
        "created_at": reply::time(callback.created_at),
        "updated_at": reply::time(callback.updated_at),
    });
    if caller.role == Role::Admin {
        view["user"] = json!(user);
    }
    view
}

/// With its secret, which is told when it was made.
fn whole(caller: &Caller, callback: &(Callback, Owner)) -> Value {
    let mut view = view(caller, callback);
    view["secret"] = callback.0.keys.secret.expose().into();
    view
}

pub(super) async fn create(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let mut fields = Fields::of_body(payload, &service).await?;
    let user = fields.user()?;
    let (setup, verify) = wanted::read(fields)?;
    let made = service.create_callback(&caller, NewCallback { setup, user, verify }).await?;
    let location = format!("/v1/callbacks/{}", made.0.id);
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(whole(&caller, &made)))
}

pub(super) async fn list(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let mut query = ListQuery::of(&request)?;
    let wanted = CallbackQuery {
        user: query.filter::<Owner>("user", "must be the name of a user")?,
        name: query.filter::<String>("filters[name]", "must be text")?,
        profile: query.filter::<ProfileId>("filters[profile_id]", "must be the id of a profile")?,
        fallback: query.filter::<CallbackId>("filters[fallback_callback_id]", "must be the id of a callback")?,
    };
    let callbacks = service.callbacks(&caller, wanted, query.page).await?;
    let items: Vec<_> = callbacks.iter().map(|callback| view(&caller, callback)).collect();
    query.answer("id", &items)
}

pub(super) async fn show(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<CallbackId>,
) -> Result<HttpResponse, ApiError> {
    let found = service.callback(&caller, id.0).await?;
    Ok(HttpResponse::Ok().json(view(&caller, &found)))
}

pub(super) async fn change(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<CallbackId>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let mut fields = Fields::of_body(payload, &service).await?;
    fields.pass_over(READ_ONLY, &view(&caller, &service.callback(&caller, id.0).await?))?;
    let (change, verify) = wanted::read(fields)?;
    let changed = service.change_callback(&caller, id.0, &change, verify).await?;
    Ok(HttpResponse::Ok().json(view(&caller, &changed)))
}

pub(super) async fn rotate_secret(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<CallbackId>,
) -> Result<HttpResponse, ApiError> {
    let rotated = service.rotate_secret(&caller, id.0).await?;
    Ok(HttpResponse::Ok().json(whole(&caller, &rotated)))
}

pub(super) async fn delete(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<CallbackId>,
) -> Result<HttpResponse, ApiError> {
    service.delete_callback(&caller, id.0).await?;
    Ok(HttpResponse::Ok().json(json!({"success": true})))
}
