//! Inboxes: their list, one with what it keeps, and the form for a new one.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::page::Page;
use super::part::{Part, pretty};
use super::users;
use crate::http::error::ApiError;
use crate::http::inboxes;

pub(super) async fn list(page: Page, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let part = Part::of(&request)?;
    let found = page.service.inboxes(&page.caller, None, part.page()).await?;
    let (shown, list) = part.shown(found);
    let shown: Vec<_> = shown.iter().map(|inbox| inboxes::listed(inbox, &page.service)).collect();
    page.render("inboxes", json!({"inboxes": shown, "list": list}))
}

/// What an inbox keeps; looking at it does not take it away.
pub(super) async fn show(page: Page, id: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let inbox = page.service.look_into_inbox(&page.caller, &inboxes::named(&id)?).await?;
    let view = inboxes::whole(&inbox, &page.service);
    let kept = ["result", "result_query", "result_headers", "default_result", "response", "response_headers"];
    let kept: serde_json::Map<_, _> = kept
        .into_iter()
        .map(|name| (name.to_owned(), if view[name].is_null() { json!(null) } else { pretty(&view[name]) }))
        .collect();
    page.render("inbox", json!({"inbox": view, "kept": kept, "has_capture": inbox.received > 0}))
}

pub(super) async fn form(page: Page) -> Result<HttpResponse, ApiError> {
    page.render("inbox_new", json!({"users": users::names(&page).await?}))
}
