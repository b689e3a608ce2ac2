//! `/v1/hooks/{id}/versions`: what was deployed.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::json;

use super::auth::Authenticated;
use super::error::ApiError;
use super::hooks::{HookView, Id, notebook_response};
use super::list::ListQuery;
use crate::model::{Histo, HookId, Version};
use crate::service::Service;

#[derive(Serialize)]
pub(super) struct VersionView<'a> {
    histo: &'a Histo,
    size: u64,
    live: bool,
    created_at: String,
}

impl<'a> VersionView<'a> {
    pub(super) fn new(version: &'a Version) -> Self {
        Self {
            histo: &version.histo,
            size: version.size,
            live: version.live,
            created_at: super::reply::time(version.created_at),
        }
    }
}

/// The histo id in a path. One that cannot be read is one that does not exist.
pub(super) fn histo(request: &HttpRequest) -> Result<Histo, ApiError> {
    let histo = request.match_info().get("histo").and_then(|histo| histo.parse().ok());
    histo.ok_or_else(|| ApiError::not_found("resource"))
}

pub(super) async fn list(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<HookId>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = ListQuery::of(&request)?;
    let versions = service.versions(&caller, id.0, query.page).await?;
    query.answer("histo", &versions.iter().map(VersionView::new).collect::<Vec<_>>())
}

pub(super) async fn show(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<HookId>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let version = service.version(&caller, id.0, &histo(&request)?).await?;
    let mut view = serde_json::to_value(VersionView::new(&version)).unwrap_or_default();
    view["contract"] = json!(version.contract); // of one version only: in a list it would be much
    view["callbacks"] = json!(version.callbacks);
    Ok(HttpResponse::Ok().json(view))
}

pub(super) async fn notebook(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<HookId>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    Ok(notebook_response(service.version_notebook(&caller, id.0, histo(&request)?).await?))
}

pub(super) async fn promote(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<HookId>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (hook, breaking) = service.promote(&caller, id.0, &histo(&request)?).await?;
    let mut view = serde_json::to_value(HookView::new(&hook, &service)).unwrap_or_default();
    view["breaking"] = json!(breaking);
    Ok(HttpResponse::Ok().json(view))
}

pub(super) async fn clear(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<HookId>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let removed = service.clear_versions(&caller, id.0, Some(&histo(&request)?)).await?;
    Ok(HttpResponse::Ok().json(json!({"removed": removed})))
}

pub(super) async fn clear_previous(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<HookId>,
) -> Result<HttpResponse, ApiError> {
    let removed = service.clear_versions(&caller, id.0, None).await?;
    Ok(HttpResponse::Ok().json(json!({"removed": removed})))
}
