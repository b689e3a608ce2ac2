//! Hooks. Their versions are in `versions.rs`.

use std::path::Path;

use chrono::{DateTime, Utc};

use super::declared;
use super::events::{self, NewEvent};
use super::{Database, Write, from_json, millis, parse, row, schedules, time, versions};
use crate::model::{
    Contract, DeclaredCallbacks, EventType, Histo, Hook, HookId, HookParams, HookPath, HookToken, Imports, Owner, Page,
    SigningSecret, UserId, event,
};
use crate::store::{Result, StoreError};

/// A notebook about to become a version.
#[derive(Debug)]
pub struct NewDeploy<'a> {
    pub owner: UserId,
    pub owner_name: &'a Owner,
    pub path: &'a HookPath,
    /// Used if the path has no hook yet.
    pub token: HookToken,
    pub params: &'a HookParams,
    /// Size of the notebook in bytes.
    pub size: u64,
    pub python: Option<&'a Path>,
    pub imports: Option<&'a Imports>,
    pub contract: Option<&'a Contract>,
    pub callbacks: Option<&'a DeclaredCallbacks>,
    /// Signs its callbacks, if the hook has no secret for that yet.
    pub callback_secret: &'a SigningSecret,
    pub now: DateTime<Utc>,
}

/// What a deploy did.
#[derive(Debug)]
pub struct Deployed {
    pub hook: Hook,
    pub is_new: bool,
}

row! {
    pub(super) struct HookRow {
        id: String,
        owner_id: String,
        owner_name: String,
        path: String,
        token: String,
        histo: String,
        params: String,
        created_at: i64,
        updated_at: i64,
        deleted_at: Option<i64>,
    }
}

impl TryFrom<HookRow> for Hook {
    type Error = StoreError;

    fn try_from(row: HookRow) -> Result<Self> {
        Ok(Self {
            id: parse(&row.id)?,
            owner: parse(&row.owner_id)?,
            owner_name: parse(&row.owner_name)?,
            path: HookPath::parse(&row.path).map_err(|error| StoreError::Corrupt(error.to_string()))?,
            token: parse(&row.token)?,
            histo: parse(&row.histo)?,
            params: read_params(&row.params)?,
            created_at: time(row.created_at)?,
            updated_at: time(row.updated_at)?,
        })
    }
}

/// A hook's parameters with their secrets, which the API never gives.
fn read_params(text: &str) -> Result<HookParams> {
    HookParams::from_stored(from_json(text)?).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn write_params(params: &HookParams) -> Result<String> {
    let stored = params.to_stored().map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(stored.to_string())
}

pub(super) const SELECT: &str = "SELECT h.*, u.name AS owner_name FROM hooks h JOIN users u ON u.id = h.owner_id";

impl Database {
    /// Makes a new version of the hook at `path`, and the hook if there is none.
    ///
    /// `place` puts the files of the version where its histo says; it is called inside the transaction, so that a version is
    /// seen exactly when its files are there.
    pub async fn deploy<F>(&self, new: NewDeploy<'_>, place: impl FnOnce(Histo) -> F + Send) -> Result<Deployed>
    where
        F: Future<Output = Result<()>> + Send,
    {
        let mut tx = self.write().await?;
        let existing: Option<String> =
            sqlx::query_scalar("SELECT id FROM hooks WHERE owner_id = $1 AND path = $2 AND deleted_at IS NULL")
                .bind(new.owner.to_string())
                .bind(new.path.as_str())
                .fetch_optional(&mut *tx)
                .await?;
        let (id, is_new) = match &existing {
            Some(id) => (parse(id)?, false),
            None => (HookId::new(), true),
        };
        let histo = versions::next_histo(&mut tx, &new).await?;
        write_hook(&mut tx, id, &histo, &new, is_new).await?;
        versions::insert(&mut tx, id, &histo, &new).await?;
        if new.callbacks.is_some() {
            declared::give_secret(&mut tx, id, new.callback_secret).await?;
        }
        place(histo).await?;
        // Read before others can write: after the commit the next deploy's histo could be there.
        let hook = read(&mut tx, id).await?;
        tell(&mut tx, EventType::HookDeployed, &hook, new.now).await?;
        tx.commit().await?;
        Ok(Deployed { hook, is_new })
    }

    pub async fn hook(&self, id: HookId) -> Result<Option<Hook>> {
        self.one_hook("h.id = $1", &id.to_string()).await
    }

    async fn one_hook(&self, of: &str, which: &str) -> Result<Option<Hook>> {
        let sql = sqlx::AssertSqlSafe(format!("{SELECT} WHERE {of} AND h.deleted_at IS NULL"));
        let row: Option<HookRow> = sqlx::query_as(sql).bind(which).fetch_optional(&self.pool).await?;
        row.map(Hook::try_from).transpose()
    }

    /// The hook that an owner has at a path.
    pub async fn hook_at(&self, owner: UserId, path: &HookPath) -> Result<Option<Hook>> {
        let one = Page { limit: 1, offset: 0 };
        Ok(self.hooks(Some(owner), Some(path), one).await?.pop())
    }

    /// The path of a hook, deleted or not.
    pub async fn hook_path(&self, id: HookId) -> Result<Option<HookPath>> {
        let path: Option<String> = sqlx::query_scalar("SELECT path FROM hooks WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await?;
        path.map(|path| HookPath::parse(&path).map_err(|error| StoreError::Corrupt(error.to_string()))).transpose()
    }

    pub async fn hook_by_token(&self, token: &HookToken) -> Result<Option<Hook>> {
        self.one_hook("h.token = $1", token.expose()).await
    }

    /// Hooks of one owner or of all, newest first; only the one at `path` if given.
    pub async fn hooks(&self, owner: Option<UserId>, path: Option<&HookPath>, page: Page) -> Result<Vec<Hook>> {
        let rows: Vec<HookRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{SELECT} WHERE h.deleted_at IS NULL AND ($1 IS NULL OR h.owner_id = $1) AND ($2 IS NULL OR h.path = $2)
             ORDER BY h.id DESC LIMIT $3 OFFSET $4"
        )))
        .bind(owner.map(|owner| owner.to_string()))
        .bind(path.map(HookPath::as_str))
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(Hook::try_from).collect()
    }

    /// Hooks of one owner or of all, the deleted ones (`true`) too, in the order of their ids from behind `after` on.
    pub async fn hooks_behind(
        &self,
        after: Option<HookId>,
        owner: Option<UserId>,
        most: u32,
    ) -> Result<Vec<(Hook, bool)>> {
        let rows: Vec<HookRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{SELECT} WHERE ($1 IS NULL OR h.id > $1) AND ($2 IS NULL OR h.owner_id = $2) ORDER BY h.id LIMIT $3"
        )))
        .bind(after.map(|after| after.to_string()))
        .bind(owner.map(|owner| owner.to_string()))
        .bind(most)
        .fetch_all(&self.pool)
        .await?;
        let read = |row: HookRow| {
            let deleted = row.deleted_at.is_some();
            Ok((row.try_into()?, deleted))
        };
        rows.into_iter().map(read).collect()
    }

    pub async fn set_hook_params(&self, id: HookId, params: &HookParams, now: DateTime<Utc>) -> Result<()> {
        let _turn = self.turn().await?;
        sqlx::query("UPDATE hooks SET params = $2, updated_at = $3 WHERE id = $1 AND deleted_at IS NULL")
            .bind(id.to_string())
            .bind(write_params(params)?)
            .bind(millis(now))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Makes an existing version the live one; says whether there is such a version.
    pub async fn promote(&self, id: HookId, histo: &Histo, now: DateTime<Utc>) -> Result<bool> {
        let _turn = self.turn().await?;
        let done = sqlx::query(
            "UPDATE hooks SET histo = $2, updated_at = $3 WHERE id = $1 AND deleted_at IS NULL
             AND EXISTS (SELECT 1 FROM versions WHERE hook_id = $1 AND histo = $2)",
        )
        .bind(id.to_string())
        .bind(histo.as_str())
        .bind(millis(now))
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Takes the hook's URL away at once. Its versions go too; its runs stay on record, without output if `outputs` go.
    pub async fn delete_hook(&self, id: HookId, outputs: bool, now: DateTime<Utc>) -> Result<bool> {
        let mut tx = self.write().await?;
        let done = sqlx::query("UPDATE hooks SET deleted_at = $2 WHERE id = $1 AND deleted_at IS NULL")
            .bind(id.to_string())
            .bind(millis(now))
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        let hook = read(&mut tx, id).await?;
        tell(&mut tx, EventType::HookDeleted, &hook, now).await?;
        schedules::remove_of(&mut tx, id).await?;
        if outputs {
            sqlx::query("UPDATE runs SET output_size = NULL WHERE hook_id = $1")
                .bind(id.to_string())
                .execute(&mut *tx)
                .await?;
            sqlx::query("DELETE FROM versions WHERE hook_id = $1").bind(id.to_string()).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}

/// A hook, deleted or not.
async fn read(tx: &mut Write, id: HookId) -> Result<Hook> {
    let sql = sqlx::AssertSqlSafe(format!("{SELECT} WHERE h.id = $1"));
    let row: HookRow = sqlx::query_as(sql).bind(id.to_string()).fetch_one(&mut **tx).await?;
    row.try_into()
}

async fn tell(tx: &mut Write, kind: EventType, hook: &Hook, at: DateTime<Utc>) -> Result<()> {
    let about = vec![event::hook_tag(hook.id)];
    let new = NewEvent { owner: hook.owner, kind, at, about, data: event::hook_data(hook), hops: 0 };
    events::emit(tx, new, None).await.map(drop)
}

async fn write_hook(tx: &mut Write, id: HookId, histo: &Histo, new: &NewDeploy<'_>, is_new: bool) -> Result<()> {
    let params = write_params(new.params)?;
    let query = if is_new {
        sqlx::query(
            "INSERT INTO hooks (id, histo, params, updated_at, owner_id, path, token, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $4)",
        )
    } else {
        sqlx::query("UPDATE hooks SET histo = $2, params = $3, updated_at = $4 WHERE id = $1")
    };
    let query = query.bind(id.to_string()).bind(histo.as_str()).bind(params).bind(millis(new.now));
    let query = if is_new {
        query.bind(new.owner.to_string()).bind(new.path.as_str()).bind(new.token.expose().to_owned())
    } else {
        query
    };
    query.execute(&mut **tx).await?;
    Ok(())
}
