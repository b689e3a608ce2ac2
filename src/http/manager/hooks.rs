//! The hooks: their list, and one of them.

use actix_web::HttpResponse;
use serde_json::json;

use super::page::Page;
use crate::http::error::ApiError;
use crate::http::hooks::HookView;
use crate::model;

pub(super) async fn list(page: Page) -> Result<HttpResponse, ApiError> {
    let hooks = page.service.hooks(&page.caller, None, None, model::Page { limit: 250, offset: 0 }).await?;
    let hooks: Vec<_> = hooks.iter().map(|hook| HookView::new(hook, &page.service)).collect();
    page.render("hooks", json!({"hooks": hooks}))
}
