//! What users keep and send: secrets, without values, and notifications, without what they said.

use actix_web::HttpResponse;
use serde_json::json;

use super::page::Page;
use crate::http::error::ApiError;
use crate::http::{notifications, secrets as secret};
use crate::model;

/// What a page shows at most.
const ALL: model::Page = model::Page { limit: 250, offset: 0 };

pub(super) async fn secrets(page: Page) -> Result<HttpResponse, ApiError> {
    let secrets = page.service.secrets(&page.caller, ALL).await?;
    let secrets: Vec<_> = secrets.iter().map(secret::view).collect();
    page.render("secrets", json!({"secrets": secrets}))
}

pub(super) async fn mails(page: Page) -> Result<HttpResponse, ApiError> {
    let mails = page.service.notifications(&page.caller, None, None, ALL).await?;
    let mails: Vec<_> = mails.iter().map(|mail| notifications::view(&page.caller, mail)).collect();
    page.render("notifications", json!({"mails": mails}))
}
