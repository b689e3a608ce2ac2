//! `/v1/hooks/{id}/outputs`: the executed notebooks that runs left.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::auth::Authenticated;
use super::error::ApiError;
use super::hooks::{Id, notebook_response};
use super::list::ListQuery;
use super::versions::histo;
use crate::model::HookId;
use crate::service::Service;

pub(super) async fn list(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<HookId>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = ListQuery::of(&request)?;
    let outputs = service.outputs(&caller, id.0, query.page).await?;
    let items: Vec<_> = outputs
        .iter()
        .map(|output| {
            json!({
                "histo": output.histo,
                "size": output.size,
                "run": output.run,
                "state": output.state,
                "created_at": super::reply::time(output.created_at),
            })
        })
        .collect();
    query.answer("histo", &items)
}

pub(super) async fn show(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<HookId>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    Ok(notebook_response(service.output(&caller, id.0, histo(&request)?).await?))
}

pub(super) async fn clear(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<HookId>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let removed = service.clear_outputs(&caller, id.0, Some(&histo(&request)?)).await?;
    Ok(HttpResponse::Ok().json(json!({"removed": removed})))
}

pub(super) async fn clear_all(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<HookId>,
) -> Result<HttpResponse, ApiError> {
    let removed = service.clear_outputs(&caller, id.0, None).await?;
    Ok(HttpResponse::Ok().json(json!({"removed": removed})))
}
