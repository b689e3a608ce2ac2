//! Assets and dependencies: their lists, and one with its versions.

use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::page::Page;
use super::part::Part;
use crate::http::error::ApiError;
use crate::http::hooks::Id;
use crate::http::stored::{version_view, view};
use crate::model::{StoredId, StoredKind};

/// How many names of files in a folder are shown.
const NAMES: usize = 100;

/// What the pages say of one of the two.
fn words(kind: StoredKind) -> Value {
    match kind {
        StoredKind::Asset => json!({
            "resource": "assets",
            "title": "Assets",
            "one": "asset",
            "what": "a file",
            "what_one": "an asset",
            "it": "it",
            "takes_folders": false,
            "example": "chart.html",
            "about": "Files with a public URL: whoever has the URL may read the file.",
            "hint": "How it is called here; folders are welcome, as in reports/chart.html.",
        }),
        StoredKind::Dependency => json!({
            "resource": "dependencies",
            "title": "Dependencies",
            "one": "dependency",
            "what": "files or a folder",
            "what_one": "a dependency",
            "it": "them",
            "takes_folders": true,
            "example": "reports/data",
            "about": "Files and folders that every run of your notebooks in their folder, or above it, finds at the same place.",
            "hint": "Where notebooks find it: reports/data.csv is data.csv for reports/sales.ipynb.",
        }),
    }
}

pub(super) async fn assets(page: Page, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    list(page, &request, StoredKind::Asset).await
}

pub(super) async fn dependencies(page: Page, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    list(page, &request, StoredKind::Dependency).await
}

pub(super) async fn asset(page: Page, id: Id<StoredId>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    show(page, &request, (StoredKind::Asset, id.0)).await
}

pub(super) async fn dependency(page: Page, id: Id<StoredId>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    show(page, &request, (StoredKind::Dependency, id.0)).await
}

async fn list(page: Page, request: &HttpRequest, kind: StoredKind) -> Result<HttpResponse, ApiError> {
    let part = Part::of(request)?;
    let found = page.service.all_stored(&page.caller, kind, (None, None), part.page()).await?;
    let (files, list) = part.shown(found);
    let files: Vec<_> = files.iter().map(|stored| view(stored, &page.service)).collect();
    page.render("files", json!({"kind": words(kind), "files": files, "list": list}))
}

async fn show(page: Page, request: &HttpRequest, of: (StoredKind, StoredId)) -> Result<HttpResponse, ApiError> {
    let part = Part::of(request)?;
    let (stored, found) = page.service.stored_versions(&page.caller, of, part.page()).await?;
    let (versions, list) = part.shown(found);
    let folders = page.service.stored_folders(of.1, &versions).await?;
    let names = page.service.stored_names(&stored, NAMES).await?;
    let versions = versions.iter().zip(folders).map(|(version, is_folder)| {
        let mut view = version_view(&stored, version);
        view["is_file"] = json!(!is_folder);
        view
    });
    let path = stored.path.as_str();
    page.render(
        "file",
        json!({
            "kind": words(of.0),
            "file": view(&stored, &page.service),
            "name": stored.path.file_name(),
            "folder": path.rsplit_once('/').map(|(folder, _)| folder),
            "names": names,
            "versions": versions.collect::<Vec<_>>(),
            "list": list,
        }),
    )
}
