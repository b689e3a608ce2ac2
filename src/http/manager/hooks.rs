//! The list of hooks, where notebooks are dropped to be deployed.

use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::page::Page;
use super::spark;
use crate::http::body;
use crate::http::error::ApiError;
use crate::http::hooks::HookView;
use crate::model;

/// Hooks on one page.
const SIZE: u32 = 50;

pub(super) async fn list(page: Page, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let query = body::query(&request);
    let field = |name: &str| query.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.trim());
    let (search, offset) = (field("q"), field("offset").parse::<u32>().unwrap_or(0));
    let asked = model::Page { limit: SIZE + 1, offset }; // one more tells whether there are more
    let mut found = page.service.hooks_with_runs(&page.caller, search, asked).await?;
    let has_more = found.len() > SIZE as usize;
    found.truncate(SIZE as usize);
    let view = |(hook, runs): &(model::Hook, Vec<_>)| {
        let mut view = serde_json::to_value(HookView::new(hook, &page.service)).unwrap_or_default();
        view["runs"] = spark::of(runs);
        view
    };
    let hooks: Vec<Value> = found.iter().map(view).collect();
    let link = |offset: u32| {
        let query = [("q", search.to_owned()), ("offset", offset.to_string())];
        format!("?{}", serde_urlencoded::to_string(query).unwrap_or_default())
    };
    let before = (offset > 0).then(|| link(offset.saturating_sub(SIZE)));
    let after = has_more.then(|| link(offset.saturating_add(SIZE)));
    page.render("hooks", json!({"hooks": hooks, "search": search, "before": before, "after": after}))
}
