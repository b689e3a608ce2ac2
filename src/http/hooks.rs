//! `/v1/hooks`: deploy, list, show, change, delete.

use std::path::PathBuf;

use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::auth::Authenticated;
use super::body;
use super::error::ApiError;
use super::list::ListQuery;
use super::multipart::{self, Part};
use crate::model::{
    Caller, DeclaredCallbacks, Hook, HookId, HookParams, HookParamsPatch, HookPath, Invalid, Owner, RelativePath,
};
use crate::service::{Deploy, Service};

/// A hook as its owner sees it. The URL holds the token; it stands nowhere else.
#[derive(Serialize)]
pub(super) struct HookView<'a> {
    id: HookId,
    path: &'a HookPath,
    url: String,
    histo: &'a str,
    owner: &'a Owner,
    params: &'a HookParams,
    created_at: String,
    updated_at: String,
}

impl<'a> HookView<'a> {
    pub(super) fn new(hook: &'a Hook, service: &Service) -> Self {
        Self {
            id: hook.id,
            path: &hook.path,
            url: service.url(hook),
            histo: hook.histo.as_str(),
            owner: &hook.owner_name,
            params: &hook.params,
            created_at: super::reply::time(hook.created_at),
            updated_at: super::reply::time(hook.updated_at),
        }
    }
}

/// A hook by itself: also what its live version takes, and which modules its kernels have imported before their run.
async fn whole(caller: &Caller, hook: &Hook, service: &Service) -> Result<Value, ApiError> {
    let mut view = serde_json::to_value(HookView::new(hook, service)).unwrap_or_default();
    view["contract"] = json!(service.contract(caller, hook).await?);
    view["warm"] = json!(service.warmth(hook).await?);
    Ok(view)
}

/// `meta` of a multipart deploy, or a whole JSON deploy.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Meta {
    path: String,
    #[serde(default)]
    params: Value,
    #[serde(default)]
    callbacks: Value,
    owner: Option<String>,
    python: Option<PathBuf>,
    notebook: Option<Value>,
}

pub(super) async fn deploy(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let content_type = body::media_type(&request);
    let deploy = if content_type == "multipart/form-data" {
        from_parts(multipart::parts(&request, payload, &service).await?)?
    } else {
        let mut meta: Meta = body::json(payload, &service).await?;
        let notebook = meta.notebook.take().ok_or_else(|| Invalid::new("notebook", "is missing"))?;
        meta.into_deploy(notebook.to_string().into_bytes(), Vec::new())?
    };
    let service = service.into_inner();
    let done = service.deploy(&caller, deploy).await?;
    let mut view = whole(&caller, &done.hook, &service).await?;
    view["python"] = json!(done.python);
    view["warnings"] = json!(done.warnings);
    view["breaking"] = json!(done.breaking);
    let mut response = if done.is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    response.insert_header((LOCATION, format!("/v1/hooks/{}", done.hook.id)));
    Ok(response.json(view))
}

fn from_parts(parts: Vec<Part>) -> Result<Deploy, Invalid> {
    let (mut meta, mut notebook, mut dependencies) = (None, None, Vec::new());
    for part in parts {
        match part.name.as_str() {
            "meta" if meta.is_none() => meta = Some(super::json::parse::<Meta>("meta", &part.content)?),
            "notebook" if notebook.is_none() => notebook = Some(part.content),
            name @ ("meta" | "notebook") => return Err(Invalid::new(name, "is there twice")),
            "dependency" => {
                let name = part.filename.unwrap_or_default();
                dependencies.push((RelativePath::parse("dependency", &name)?, part.content));
            }
            other => return Err(Invalid::new(other, "is not a part of a deploy: send meta, notebook and dependency")),
        }
    }
    let meta: Meta = meta.ok_or_else(|| Invalid::new("meta", "is missing"))?;
    if meta.notebook.is_some() {
        return Err(Invalid::new("meta.notebook", "belongs in a part of its own"));
    }
    meta.into_deploy(notebook.ok_or_else(|| Invalid::new("notebook", "is missing"))?, dependencies)
}

impl Meta {
    fn into_deploy(self, notebook: Vec<u8>, dependencies: Vec<(RelativePath, Vec<u8>)>) -> Result<Deploy, Invalid> {
        let owner = self.owner.map(|owner| owner.parse::<Owner>()).transpose();
        Ok(Deploy {
            path: HookPath::parse(&self.path)?,
            owner: owner.map_err(|error| Invalid::new("owner", error.message))?,
            params: HookParamsPatch::parse(self.params)?,
            callbacks: DeclaredCallbacks::parse(self.callbacks)?,
            python: self.python,
            notebook,
            dependencies,
        })
    }
}

pub(super) async fn list(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let mut query = ListQuery::of(&request)?;
    let owner = query.filter::<Owner>("owner", "must be the name of a user")?;
    let path = query.filter::<HookPath>("path", "must be the path of a notebook, as it was deployed")?;
    let hooks = service.hooks(&caller, owner.as_ref(), path.as_ref(), query.page).await?;
    let items: Vec<_> = hooks.iter().map(|hook| HookView::new(hook, &service)).collect();
    query.answer("id", &items)
}

pub(super) async fn show(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<HookId>,
) -> Result<HttpResponse, ApiError> {
    let hook = service.hook(&caller, id.0).await?;
    let mut view = whole(&caller, &hook, &service).await?;
    let kept = service.kept(&hook).await?;
    view["kept"] = json!({
        "versions": kept.versions,
        "runs": kept.runs,
        "outputs": kept.outputs,
        "bytes": kept.version_bytes + kept.output_bytes,
    });
    Ok(HttpResponse::Ok().json(view))
}

/// A PATCH: what is absent stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(default)]
    params: Value,
}

pub(super) async fn change(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<HookId>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let change: Change = body::json(payload, &service).await?;
    let hook = service.set_params(&caller, id.0, HookParamsPatch::parse(change.params)?).await?;
    Ok(HttpResponse::Ok().json(whole(&caller, &hook, &service).await?))
}

pub(super) async fn delete(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<HookId>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let all = body::flag(&request, "all", true)?;
    service.into_inner().delete_hook(&caller, id.0, all).await?;
    Ok(HttpResponse::Ok().json(json!({"success": true})))
}

/// An id in a path. One that cannot be read is one that does not exist.
pub(super) struct Id<T>(pub(super) T);

impl<T: std::str::FromStr> actix_web::FromRequest for Id<T> {
    type Error = ApiError;
    type Future = std::future::Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        let id = request.match_info().get("id").and_then(|id| id.parse().ok());
        std::future::ready(id.map(Self).ok_or_else(|| ApiError::not_found("resource")))
    }
}

/// The media type that notebooks are sent as.
pub(super) fn notebook_response(bytes: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/x-ipynb+json")).body(bytes)
}
