//! The versions of hooks.

use std::path::PathBuf;

use super::hooks::NewDeploy;
use super::{Database, Write, from_json, millis, parse, row, time, to_json};
use crate::model::{DeclaredCallbacks, Histo, HookId, Page, Version};
use crate::store::{Result, StoreError};

row! {
    struct VersionRow {
        histo: String,
        size: i64,
        python: Option<String>,
        imports: Option<String>,
        contract: Option<String>,
        callbacks: Option<String>,
        created_at: i64,
        live: bool,
    }
}

impl TryFrom<VersionRow> for Version {
    type Error = StoreError;

    fn try_from(row: VersionRow) -> Result<Self> {
        Ok(Self {
            histo: parse(&row.histo)?,
            size: row.size.unsigned_abs(),
            python: row.python.map(PathBuf::from),
            imports: row.imports.as_deref().map(from_json).transpose()?,
            contract: row.contract.as_deref().map(from_json).transpose()?,
            callbacks: row.callbacks.as_deref().map(read_callbacks).transpose()?.flatten(),
            live: row.live,
            created_at: time(row.created_at)?,
        })
    }
}

fn read_callbacks(text: &str) -> Result<Option<DeclaredCallbacks>> {
    DeclaredCallbacks::parse(from_json(text)?).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// The histo of a new version: behind those of every hook this path has had, as a deleted one may have left its files.
pub(super) async fn next_histo(tx: &mut Write, new: &NewDeploy<'_>) -> Result<Histo> {
    let last: Option<String> = sqlx::query_scalar(
        "SELECT MAX(v.histo) FROM versions v JOIN hooks h ON h.id = v.hook_id WHERE h.owner_id = $1 AND h.path = $2",
    )
    .bind(new.owner.to_string())
    .bind(new.path.as_str())
    .fetch_one(&mut **tx)
    .await?;
    let last = last.as_deref().map(parse).transpose()?;
    Ok(Histo::next(new.now, last.as_ref()))
}

/// Writes a new version.
pub(super) async fn insert(tx: &mut Write, id: HookId, histo: &Histo, new: &NewDeploy<'_>) -> Result<()> {
    sqlx::query(
        "INSERT INTO versions (hook_id, histo, size, python, imports, created_at, contract, callbacks)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id.to_string())
    .bind(histo.as_str())
    .bind(i64::try_from(new.size).unwrap_or(i64::MAX))
    .bind(new.python.map(|path| path.to_string_lossy().into_owned()))
    .bind(new.imports.map(to_json).transpose()?)
    .bind(millis(new.now))
    .bind(new.contract.map(to_json).transpose()?)
    .bind(new.callbacks.map(to_json).transpose()?)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

impl Database {
    pub async fn version(&self, id: HookId, histo: &Histo) -> Result<Option<Version>> {
        let row: Option<VersionRow> = sqlx::query_as(
            "SELECT v.histo, v.size, v.python, v.imports, v.contract, v.callbacks, v.created_at, v.histo = h.histo AS live
             FROM versions v JOIN hooks h ON h.id = v.hook_id WHERE v.hook_id = $1 AND v.histo = $2",
        )
        .bind(id.to_string())
        .bind(histo.as_str())
        .fetch_optional(&self.pool)
        .await?;
        row.map(Version::try_from).transpose()
    }

    /// Versions of a hook, newest first; without their callbacks, which may be large.
    pub async fn versions(&self, id: HookId, page: Page) -> Result<Vec<Version>> {
        let rows: Vec<VersionRow> = sqlx::query_as(
            "SELECT v.histo, v.size, v.python, v.imports, v.contract, NULL AS callbacks, v.created_at, v.histo = h.histo AS live
             FROM versions v JOIN hooks h ON h.id = v.hook_id WHERE v.hook_id = $1
             ORDER BY v.histo DESC LIMIT $2 OFFSET $3",
        )
        .bind(id.to_string())
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(Version::try_from).collect()
    }

    /// Removes one previous version (or all of them) from the record, never the live one; gives what was removed.
    pub async fn clear_versions(&self, id: HookId, histo: Option<&Histo>) -> Result<Vec<Histo>> {
        let _turn = self.turn().await?;
        let removed: Vec<String> = sqlx::query_scalar(
            "DELETE FROM versions WHERE hook_id = $1 AND ($2 IS NULL OR histo = $2)
             AND histo <> (SELECT histo FROM hooks WHERE id = $1) RETURNING histo",
        )
        .bind(id.to_string())
        .bind(histo.map(Histo::as_str))
        .fetch_all(&self.pool)
        .await?;
        removed.iter().map(|histo| parse(histo)).collect()
    }
}
