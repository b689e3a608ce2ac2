//! The outputs that runs leave: executed notebooks, kept as files; which there are is on the runs' record.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Database, parse, row, time};
use crate::model::{Histo, HookId, Page, RunId, RunState};
use crate::store::Result;

/// An output in a list.
#[derive(Debug, Serialize)]
pub struct ListedOutput {
    pub histo: Histo,
    /// Bytes.
    pub size: u64,
    pub run: RunId,
    pub state: RunState,
    pub created_at: DateTime<Utc>,
}

row! {
    struct OutputRow {
        histo: String,
        output_size: i64,
        id: String,
        state: String,
        created_at: i64,
    }
}

impl Database {
    /// The outputs of a hook, newest first.
    pub async fn outputs(&self, hook: HookId, page: Page) -> Result<Vec<ListedOutput>> {
        let rows: Vec<OutputRow> = sqlx::query_as(
            "SELECT histo, output_size, id, state, created_at FROM runs WHERE hook_id = $1 AND output_size IS NOT NULL
             ORDER BY histo DESC LIMIT $2 OFFSET $3",
        )
        .bind(hook.to_string())
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(ListedOutput {
                    histo: parse(&row.histo)?,
                    size: row.output_size.unsigned_abs(),
                    run: parse(&row.id)?,
                    state: parse(&row.state)?,
                    created_at: time(row.created_at)?,
                })
            })
            .collect()
    }

    /// Takes one output (or all of a hook's) off the record; gives their histo ids.
    pub async fn clear_outputs(&self, hook: HookId, histo: Option<&Histo>) -> Result<Vec<Histo>> {
        let _turn = self.turn().await?;
        let removed: Vec<String> = sqlx::query_scalar(
            "UPDATE runs SET output_size = NULL WHERE hook_id = $1 AND ($2 IS NULL OR histo = $2)
             AND output_size IS NOT NULL RETURNING histo",
        )
        .bind(hook.to_string())
        .bind(histo.map(Histo::as_str))
        .fetch_all(&self.pool)
        .await?;
        removed.iter().map(|histo| parse(histo)).collect()
    }
}
