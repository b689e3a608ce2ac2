//! Schedules: when hooks run by themselves.

use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::page::Page;
use crate::http::error::ApiError;
use crate::http::{body, schedules};
use crate::model::{self, HookId};

/// What a page shows at most.
const ALL: model::Page = model::Page { limit: 250, offset: 0 };

pub(super) async fn list(page: Page, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let query = body::query(&request);
    let chosen: Option<HookId> = query.iter().find(|(name, _)| name == "hook").and_then(|(_, id)| id.parse().ok());
    let mut shown = Vec::new();
    for schedule in page.service.schedules(&page.caller, None, None, None, ALL).await? {
        shown.push(schedules::view(&page.service, &schedule).await?);
    }
    let hooks = page.service.hooks(&page.caller, None, None, ALL).await?;
    let hooks: Vec<_> =
        hooks.iter().map(|hook| json!({"id": hook.id, "path": hook.path, "owner": hook.owner_name})).collect();
    page.render("schedules", json!({"schedules": shown, "hooks": hooks, "chosen": chosen}))
}
