//! The list of hooks as people look through it: by a part of their name, and with how their last runs went.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, QueryBuilder};

use super::hooks::{HookRow, SELECT};
use super::{Database, parse, row, time};
use crate::model::{Hook, HookId, Page, RunId, RunState, UserId};
use crate::store::Result;

/// What a list tells of a run.
#[derive(Debug, Clone)]
pub struct RecentRun {
    pub id: RunId,
    pub state: RunState,
    pub created_at: DateTime<Utc>,
    pub duration_ms: Option<i64>,
}

row! {
    struct RecentRow {
        hook_id: String,
        id: String,
        state: String,
        created_at: i64,
        duration_ms: Option<i64>,
    }
}

impl Database {
    /// Hooks of one owner or of all whose path (or whose owner's name) has `text` in it, newest first.
    pub async fn hooks_named(&self, owner: Option<UserId>, text: &str, page: Page) -> Result<Vec<Hook>> {
        let rows: Vec<HookRow> = sqlx::query_as(AssertSqlSafe(format!(
            "{SELECT} WHERE h.deleted_at IS NULL AND ($1 IS NULL OR h.owner_id = $1)
             AND (LOWER(h.path) LIKE LOWER($2) ESCAPE '\\' OR LOWER(u.name) LIKE LOWER($2) ESCAPE '\\')
             ORDER BY h.id DESC LIMIT $3 OFFSET $4"
        )))
        .bind(owner.map(|owner| owner.to_string()))
        .bind(pattern(text))
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(Hook::try_from).collect()
    }

    /// The last runs of hooks, so many of each at most, the oldest first. Each hook's are read from an index, from the end.
    pub async fn recent_runs(&self, hooks: &[HookId], most: u32) -> Result<HashMap<HookId, Vec<RecentRun>>> {
        if hooks.is_empty() || most == 0 {
            return Ok(HashMap::new());
        }
        let mut query = QueryBuilder::new(
            "SELECT r.hook_id, r.id, r.state, r.created_at, r.duration_ms FROM hooks h JOIN runs r ON r.hook_id = h.id
             WHERE r.histo >= COALESCE((SELECT histo FROM runs WHERE hook_id = h.id ORDER BY histo DESC LIMIT 1 OFFSET ",
        );
        query.push_bind(i64::from(most) - 1).push("), '') AND h.id IN (");
        let mut list = query.separated(", ");
        for hook in hooks {
            list.push_bind(hook.to_string());
        }
        list.push_unseparated(") ORDER BY r.hook_id, r.histo");
        let rows: Vec<RecentRow> = query.build_query_as().fetch_all(&self.pool).await?;
        let mut runs: HashMap<HookId, Vec<RecentRun>> = HashMap::new();
        for row in rows {
            let run = RecentRun {
                id: parse(&row.id)?,
                state: parse(&row.state)?,
                created_at: time(row.created_at)?,
                duration_ms: row.duration_ms,
            };
            runs.entry(parse(&row.hook_id)?).or_default().push(run);
        }
        Ok(runs)
    }
}

/// What LIKE finds a text with wherever it stands; nothing in the text means anything else than itself.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_text_is_found_as_it_is() {
        assert_eq!(super::pattern("100%_a\\b"), "%100\\%\\_a\\\\b%");
    }
}
