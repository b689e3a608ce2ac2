//! `/v1/secrets`: keep, list, read, delete. Runs may list and read those of their owner.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::auth::{Authenticated, OrRun};
use super::error::ApiError;
use super::fields::Fields;
use super::list::ListQuery;
use super::reply;
use crate::model::{Invalid, SecretInfo, SecretName, SecretValue};
use crate::service::Service;

/// A secret without its value.
pub(super) fn view(secret: &SecretInfo) -> Value {
    json!({
        "name": secret.name,
        "created_at": reply::time(secret.created_at),
        "updated_at": reply::time(secret.updated_at),
    })
}

/// The name in the path.
fn name(request: &HttpRequest) -> Result<SecretName, Invalid> {
    request.match_info().query("name").parse()
}

/// One that cannot be a name is one that nothing has.
fn known(request: &HttpRequest) -> Result<SecretName, ApiError> {
    name(request).map_err(|_| ApiError::not_found("secret"))
}

pub(super) async fn list(
    OrRun(caller, _): OrRun,
    service: web::Data<Service>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = ListQuery::of(&request)?;
    let secrets = service.secrets(&caller, query.page).await?;
    let items: Vec<_> = secrets.iter().map(view).collect();
    query.answer_in("name", "asc", &items)
}

pub(super) async fn put(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let name = name(&request)?;
    let mut fields = Fields::of_body(payload, &service).await?;
    let value = fields.take("value", "must be text", |value| value.as_str().map(str::to_owned))?.given();
    fields.end()?;
    let value = SecretValue::try_from(value.ok_or_else(|| Invalid::new("value", "is missing"))?)?;
    let (secret, is_new) = service.put_secret(&caller, &name, &value).await?;
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.json(view(&secret)))
}

pub(super) async fn show(
    OrRun(caller, run): OrRun,
    service: web::Data<Service>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (secret, value) = service.secret(&caller, run, &known(&request)?).await?;
    let mut view = view(&secret);
    view["value"] = value.expose().into();
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(view))
}

pub(super) async fn delete(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    service.delete_secret(&caller, &known(&request)?).await?;
    Ok(HttpResponse::Ok().json(json!({"success": true})))
}
