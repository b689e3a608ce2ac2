//! `/v1/dependencies` and `/v1/assets`: the same behind two names. Runs may do with assets most of what their owner may; of
//! dependencies they only read.

use std::future::Future;
use std::pin::Pin;

use actix_web::http::header::LOCATION;
use actix_web::http::{Method, StatusCode};
use actix_web::{FromRequest, HttpRequest, HttpResponse, dev, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::{Authenticated, OrRun};
use super::body;
use super::error::ApiError;
use super::hooks::Id;
use super::list::ListQuery;
use super::multipart::{self, Uploaded};
use super::reply::time;
use super::{assets, json, send_file, versions};
use crate::model::{Caller, Histo, Invalid, Owner, RelativePath, Stored, StoredId, StoredKind, StoredVersion};
use crate::service::{Error, FileContent, NewFile, Service};

/// Which of the two a request is about: its route says so.
pub(super) struct Kind(StoredKind);

impl Kind {
    fn of(request: &HttpRequest) -> Self {
        let is_asset = request.match_pattern().is_some_and(|pattern| pattern.starts_with("/v1/assets"));
        Self(if is_asset { StoredKind::Asset } else { StoredKind::Dependency })
    }

    fn folder(&self) -> &'static str {
        match self.0 {
            StoredKind::Asset => "/v1/assets",
            StoredKind::Dependency => "/v1/dependencies",
        }
    }
}

impl FromRequest for Kind {
    type Error = ApiError;
    type Future = std::future::Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        std::future::ready(Ok(Self::of(request)))
    }
}

/// Who asks: users, and runs as far as they may. A dependency that its own run could add anew would be set back by every run that began
/// before its last version.
pub(super) struct Asking(Caller);

impl FromRequest for Asking {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let for_runs = request.method() == Method::GET || Kind::of(request).0 == StoredKind::Asset;
        let (any, user) = (OrRun::from_request(request, payload), Authenticated::from_request(request, payload));
        Box::pin(async move { if for_runs { Ok(Self(any.await?.0)) } else { Ok(Self(user.await?.0)) } })
    }
}

/// A stored file as its owner sees it. The URL holds the token; it stands nowhere else.
pub(super) fn view(stored: &Stored, service: &Service) -> Value {
    let mut view = json!({
        "id": stored.id,
        "path": stored.path,
        "owner": stored.owner_name,
        "histo": stored.live.histo,
        "size": stored.live.size,
        "files": stored.live.files,
        "sha256": stored.live.digest,
        "created_at": time(stored.created_at),
        "updated_at": time(stored.updated_at),
    });
    if let Some(token) = &stored.token {
        view["url"] = service.asset_url(token).into();
        view["params"] = json!({"inline": stored.inline});
    }
    view
}

pub(super) fn version_view(stored: &Stored, version: &StoredVersion) -> Value {
    json!({
        "histo": version.histo,
        "size": version.size,
        "files": version.files,
        "sha256": version.digest,
        "live": version.histo == stored.live.histo,
        "created_at": time(version.created_at),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Meta {
    path: String,
    owner: Option<String>,
    #[serde(default)]
    params: Params,
    #[serde(default)]
    force: bool,
}

/// How an asset is served.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    inline: bool,
}

/// What can be changed of an asset without a new version.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    params: Changed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changed {
    inline: bool,
}

pub(super) async fn add(
    Asking(caller): Asking,
    kind: Kind,
    service: web::Data<Service>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    if body::media_type(&request) != "multipart/form-data" {
        return Err(Invalid::new("body", "must be a multipart form with meta and file").into());
    }
    let parts = multipart::upload(&request, payload, &service, service.file_limit()).await?;
    let new = from_parts(kind.0, parts)?;
    let service = service.into_inner();
    let (stored, is_new) = service.add_file(&caller, new).await?;
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    response.insert_header((LOCATION, format!("{}/{}", kind.folder(), stored.id)));
    Ok(response.json(view(&stored, &service)))
}

fn from_parts(kind: StoredKind, parts: Vec<Uploaded>) -> Result<NewFile, Invalid> {
    let (mut meta, mut files) = (None, Vec::new());
    for part in parts {
        match part {
            Uploaded::Field(name, content) if name == "meta" && meta.is_none() => {
                meta = Some(json::parse::<Meta>("meta", &content)?);
            }
            Uploaded::File(name, filename, file) if name == "file" => files.push((filename, file)),
            Uploaded::Field(name, _) | Uploaded::File(name, ..) => {
                return Err(Invalid::new(name, "is not expected here: send meta once, and file"));
            }
        }
    }
    let meta = meta.ok_or_else(|| Invalid::new("meta", "is missing"))?;
    if kind == StoredKind::Dependency && (meta.params.inline || meta.force) {
        return Err(Invalid::new("meta", "has what only an asset has: params or force"));
    }
    let owner = meta.owner.map(|owner| owner.parse::<Owner>()).transpose();
    Ok(NewFile {
        kind,
        path: RelativePath::parse("path", &meta.path)?,
        owner: owner.map_err(|error| Invalid::new("owner", error.message))?,
        inline: meta.params.inline,
        renew: meta.force,
        content: content(kind, files)?,
    })
}

/// A single file whose name has no slash is the file itself; others are those of a folder, by their paths in it.
fn content(kind: StoredKind, mut files: Vec<(String, tempfile::NamedTempFile)>) -> Result<FileContent, Invalid> {
    match files.as_slice() {
        [] => return Err(Invalid::new("file", "is missing")),
        [(name, _)] if !name.contains('/') => {
            return files
                .pop()
                .map(|(_, file)| FileContent::File(file))
                .ok_or_else(|| Invalid::new("file", "is missing"));
        }
        _ if kind == StoredKind::Asset => return Err(Invalid::new("file", "must be one file: a folder has no URL")),
        _ => {}
    }
    let mut entries = Vec::new();
    for (name, file) in files {
        let name = name.strip_prefix("./").unwrap_or(&name);
        entries.push((RelativePath::parse("file", name)?, file));
    }
    crate::service::check_places("file", entries.iter().map(|(path, _)| path))?;
    Ok(FileContent::Folder(entries))
}

pub(super) async fn list(
    Asking(caller): Asking,
    kind: Kind,
    service: web::Data<Service>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let mut query = ListQuery::of(&request)?;
    let owner = query.filter::<Owner>("owner", "must be the name of a user")?;
    let path = query.filter::<RelativePath>("path", "must be a path as it was added")?;
    let found = service.all_stored(&caller, kind.0, (owner.as_ref(), path.as_ref()), query.page).await?;
    query.answer("id", &found.iter().map(|stored| view(stored, &service)).collect::<Vec<_>>())
}

pub(super) async fn show(
    Asking(caller): Asking,
    kind: Kind,
    service: web::Data<Service>,
    id: Id<StoredId>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(view(&service.stored(&caller, kind.0, id.0).await?, &service)))
}

pub(super) async fn change(
    Asking(caller): Asking,
    service: web::Data<Service>,
    id: Id<StoredId>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let Change { params } = body::json(payload, &service).await?;
    Ok(HttpResponse::Ok().json(view(&service.set_inline(&caller, id.0, params.inline).await?, &service)))
}

pub(super) async fn delete(
    Asking(caller): Asking,
    kind: Kind,
    service: web::Data<Service>,
    id: Id<StoredId>,
) -> Result<HttpResponse, ApiError> {
    service.delete_stored(&caller, kind.0, id.0).await?;
    Ok(HttpResponse::Ok().json(json!({"success": true})))
}

pub(super) async fn versions(
    Asking(caller): Asking,
    kind: Kind,
    service: web::Data<Service>,
    id: Id<StoredId>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = ListQuery::of(&request)?;
    let (stored, found) = service.stored_versions(&caller, (kind.0, id.0), query.page).await?;
    query.answer("histo", &found.iter().map(|version| version_view(&stored, version)).collect::<Vec<_>>())
}

pub(super) async fn version(
    Asking(caller): Asking,
    kind: Kind,
    service: web::Data<Service>,
    id: Id<StoredId>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let histo = versions::histo(&request)?;
    let (stored, version) = service.stored_version(&caller, (kind.0, id.0), &histo).await?;
    Ok(HttpResponse::Ok().json(version_view(&stored, &version)))
}

pub(super) async fn content_of(
    Asking(caller): Asking,
    kind: Kind,
    service: web::Data<Service>,
    id: Id<StoredId>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let histo = versions::histo(&request)?;
    let (stored, open) = service.stored_content(&caller, (kind.0, id.0), histo).await?;
    let mut response = send_file::send(&request, open.file, &open.digest, StatusCode::OK).map_err(Error::from)?;
    assets::describe(&mut response, stored.path.file_name(), false);
    Ok(response)
}

pub(super) async fn promote(
    Authenticated(caller): Authenticated,
    kind: Kind,
    service: web::Data<Service>,
    id: Id<StoredId>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let histo = versions::histo(&request)?;
    let stored = service.promote_stored(&caller, (kind.0, id.0), &histo).await?;
    Ok(HttpResponse::Ok().json(view(&stored, &service)))
}

pub(super) async fn clear(
    caller: Asking,
    kind: Kind,
    service: web::Data<Service>,
    id: Id<StoredId>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let histo = versions::histo(&request)?;
    remove(caller, kind, &service, id, Some(&histo)).await
}

pub(super) async fn clear_previous(
    caller: Asking,
    kind: Kind,
    service: web::Data<Service>,
    id: Id<StoredId>,
) -> Result<HttpResponse, ApiError> {
    remove(caller, kind, &service, id, None).await
}

async fn remove(
    Asking(caller): Asking,
    kind: Kind,
    service: &Service,
    id: Id<StoredId>,
    histo: Option<&Histo>,
) -> Result<HttpResponse, ApiError> {
    let removed = service.clear_stored(&caller, (kind.0, id.0), histo).await?;
    Ok(HttpResponse::Ok().json(json!({"removed": removed})))
}
