//! The runs: their list.

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::page::Page;
use crate::http::error::ApiError;
use crate::http::runs::view;
use crate::model::{self, HookId, Invalid, Run, RunState, ScheduleId};
use crate::service::RunQuery;

const PER_PAGE: u32 = 50;

/// What the form above the list sends; a field that is empty does not filter.
#[derive(Deserialize)]
pub(super) struct Filters {
    #[serde(default)]
    hook: String,
    #[serde(default)]
    state: String,
    /// `1h`, `24h`, `7d` or `30d`.
    #[serde(default)]
    since: String,
    /// From a link beside the schedule.
    #[serde(default)]
    schedule: String,
    #[serde(default)]
    offset: u32,
}

impl Filters {
    fn query(&self, now: DateTime<Utc>) -> Result<RunQuery, Invalid> {
        let hook = (!self.hook.is_empty()).then(|| self.hook.parse::<HookId>()).transpose();
        let schedule = (!self.schedule.is_empty()).then(|| self.schedule.parse::<ScheduleId>()).transpose();
        let state = (!self.state.is_empty()).then(|| self.state.parse::<RunState>()).transpose()?;
        let hours = match self.since.as_str() {
            "" => None,
            "1h" => Some(1),
            "24h" => Some(24),
            "7d" => Some(7 * 24),
            "30d" => Some(30 * 24),
            _ => return Err(Invalid::new("since", "must be 1h, 24h, 7d or 30d")),
        };
        Ok(RunQuery {
            hook: hook.map_err(|_| Invalid::new("hook", "must be the id of a hook"))?,
            state,
            since: hours.map(|hours| now - Duration::hours(hours)),
            schedule: schedule.map_err(|_| Invalid::new("schedule", "must be the id of a schedule"))?,
        })
    }

    fn is_any(&self) -> bool {
        [&self.hook, &self.state, &self.since, &self.schedule].iter().any(|filter| !filter.is_empty())
    }

    /// The address of another part of the list.
    fn at(&self, offset: u32) -> String {
        let offset = offset.to_string();
        let filters =
            [("hook", &self.hook), ("state", &self.state), ("since", &self.since), ("schedule", &self.schedule)];
        let pairs = filters.into_iter().chain([("offset", &offset)]);
        let pairs: Vec<_> = pairs.filter(|(_, value)| !value.is_empty() && *value != "0").collect();
        format!("?{}", serde_urlencoded::to_string(pairs).unwrap_or_default())
    }
}

pub(super) async fn list(page: Page, filters: web::Query<Filters>) -> Result<HttpResponse, ApiError> {
    let query = filters.query(page.service.now())?;
    let part = model::Page { limit: PER_PAGE + 1, offset: filters.offset };
    let mut runs = page.service.runs(&page.caller, query, part).await?;
    let older = runs.len() > PER_PAGE as usize;
    runs.truncate(PER_PAGE as usize);
    let paths = page.service.hook_paths(&runs).await?;
    let shown = |run: &Run| -> Value {
        let mut shown = view(run, &page.service);
        shown["path"] = json!(paths.get(&run.hook));
        shown
    };
    let hooks = page.service.hooks(&page.caller, None, None, model::Page { limit: 250, offset: 0 }).await?;
    let hooks: Vec<_> = hooks.iter().map(|hook| json!({"id": hook.id, "path": hook.path})).collect();
    let newer = filters.offset.checked_sub(PER_PAGE).or((filters.offset > 0).then_some(0));
    page.render(
        "runs",
        json!({
            "runs": runs.iter().map(shown).collect::<Vec<_>>(),
            "hooks": hooks,
            "states": RunState::ALL,
            "hook": filters.hook,
            "state": filters.state,
            "since": filters.since,
            "schedule": filters.schedule,
            "is_filtered": filters.is_any(),
            "newer": newer.map(|offset| filters.at(offset)),
            "older": older.then(|| filters.at(filters.offset.saturating_add(PER_PAGE))),
        }),
    )
}
