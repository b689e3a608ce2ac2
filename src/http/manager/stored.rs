//! Assets and dependencies: their lists.

use actix_web::HttpResponse;
use serde_json::json;

use super::page::Page;
use crate::http::error::ApiError;
use crate::http::stored::view;
use crate::model::{self, StoredKind};

pub(super) async fn assets(page: Page) -> Result<HttpResponse, ApiError> {
    list(page, StoredKind::Asset, "Assets", "assets", "Run asset.add(\"chart.svg\") in a notebook.").await
}

pub(super) async fn dependencies(page: Page) -> Result<HttpResponse, ApiError> {
    let next = "Run dependency.add(\"data\") in a notebook.";
    list(page, StoredKind::Dependency, "Dependencies", "dependencies", next).await
}

async fn list(page: Page, kind: StoredKind, title: &str, resource: &str, next: &str) -> Result<HttpResponse, ApiError> {
    let most = model::Page { limit: 250, offset: 0 };
    let files = page.service.all_stored(&page.caller, kind, (None, None), most).await?;
    let files: Vec<_> = files.iter().map(|stored| view(stored, &page.service)).collect();
    page.render("files", json!({"title": title, "resource": resource, "next": next, "files": files}))
}
