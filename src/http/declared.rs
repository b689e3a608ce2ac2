//! `/v1/hooks/{id}/callbacks`: what a hook sends to URLs that its callers name, and what that is signed with.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::auth::Authenticated;
use super::error::ApiError;
use super::hooks::Id;
use crate::model::{HookId, SigningKeys};
use crate::service::Service;

pub(super) async fn show(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<HookId>,
) -> Result<HttpResponse, ApiError> {
    let (callbacks, keys) = service.declared(&caller, id.0).await?;
    let mut view = keys.as_ref().map_or_else(|| json!({"secret": null}), secret);
    view["callbacks"] = callbacks.map_or_else(|| json!({}), |callbacks| json!(callbacks));
    Ok(HttpResponse::Ok().json(view))
}

pub(super) async fn rotate_secret(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<HookId>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(secret(&service.rotate_callback_secret(&caller, id.0).await?)))
}

/// For the hook's owner, who hands it to receivers; and until when the one before signs too.
fn secret(keys: &SigningKeys) -> Value {
    let until = keys.before.as_ref().map(|(_, until)| super::reply::time(*until));
    json!({"secret": keys.secret.expose(), "secret_before_until": until})
}
