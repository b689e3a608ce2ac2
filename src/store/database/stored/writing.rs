//! Which version of a dependency or an asset is live: a new one, or another that is there.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use super::{LIVE, STORED, StoredRow};
use crate::model::{AssetToken, Histo, RelativePath, Stored, StoredId, StoredKind, UserId};
use crate::store::Result;
use crate::store::database::{Database, Write, millis, parse, unique};

/// A content about to become a version.
#[derive(Debug)]
pub struct NewStored<'a> {
    pub kind: StoredKind,
    pub owner: UserId,
    pub path: &'a RelativePath,
    /// Becomes an asset's, if it has none yet or `renew` is set.
    pub token: Option<&'a AssetToken>,
    pub renew: bool,
    pub inline: bool,
    pub size: u64,
    pub files: u64,
    pub digest: &'a str,
    /// How many versions are kept, this one included; 0: all.
    pub keep: u32,
    pub now: DateTime<Utc>,
}

/// A dependency in a folder of another one of its owner, or in whose folder that one is: some runs get both.
#[derive(Debug)]
pub struct Neighbour {
    pub id: StoredId,
    pub histo: Histo,
    pub path: RelativePath,
}

impl Database {
    /// Makes a new version of what an owner has at a path, and the file if there is none. `place` puts the content where the
    /// id and the histo say, inside the transaction, or refuses one that cannot be beside its neighbours. Also gives the versions
    /// that are too many, which are off the record.
    pub async fn store<F>(
        &self,
        new: &NewStored<'_>,
        place: impl FnOnce(StoredId, Histo, Vec<Neighbour>) -> F + Send,
    ) -> Result<(Stored, bool, Vec<Histo>)>
    where
        F: Future<Output = Result<()>> + Send,
    {
        let mut tx = self.write().await?;
        // The last version, which is not the live one when an older one was promoted.
        let before: Option<(String, String)> = sqlx::query_as(
            "SELECT f.id, MAX(v.histo) FROM stored_files f JOIN stored_versions v ON v.file_id = f.id
             WHERE f.owner_id = $1 AND f.kind = $2 AND f.path = $3 GROUP BY f.id",
        )
        .bind(new.owner.to_string())
        .bind(new.kind.as_str())
        .bind(new.path.as_str())
        .fetch_optional(&mut *tx)
        .await?;
        let is_new = before.is_none();
        let (id, last) = match before {
            Some((id, histo)) => (parse(&id)?, Some(parse(&histo)?)),
            None => (StoredId::new(), None),
        };
        let histo = Histo::next(new.now, last.as_ref());
        write_file(&mut tx, id, &histo, new, is_new).await?;
        let old = write_version(&mut tx, id, &histo, new).await?;
        let neighbours = neighbours(&mut tx, (new.kind, new.owner, id), new.path).await?;
        place(id, histo, neighbours).await?;
        let stored = live(&mut tx, id).await?;
        tx.commit().await?;
        Ok((stored, is_new, old))
    }

    /// Makes another version the live one, if there is such a version. `check` refuses one that cannot be beside its neighbours.
    pub async fn promote_stored<F>(
        &self,
        stored: &Stored,
        histo: &Histo,
        now: DateTime<Utc>,
        check: impl FnOnce(Vec<Neighbour>) -> F + Send,
    ) -> Result<Option<Stored>>
    where
        F: Future<Output = Result<()>> + Send,
    {
        let mut tx = self.write().await?;
        let done = sqlx::query(
            "UPDATE stored_files SET histo = $2, updated_at = $3 WHERE id = $1
             AND EXISTS (SELECT 1 FROM stored_versions WHERE file_id = $1 AND histo = $2)",
        )
        .bind(stored.id.to_string())
        .bind(histo.as_str())
        .bind(millis(now))
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(None);
        }
        check(neighbours(&mut tx, (stored.kind, stored.owner, stored.id), &stored.path).await?).await?;
        let stored = live(&mut tx, stored.id).await?;
        tx.commit().await?;
        Ok(Some(stored))
    }

    /// Says whether browsers show an asset; gives it, if it is (still) there.
    pub async fn set_inline(&self, id: StoredId, inline: bool, now: DateTime<Utc>) -> Result<Option<Stored>> {
        let mut tx = self.write().await?;
        let done = sqlx::query("UPDATE stored_files SET inline = $2, updated_at = $3 WHERE id = $1")
            .bind(id.to_string())
            .bind(inline)
            .bind(millis(now))
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(None);
        }
        let stored = live(&mut tx, id).await?;
        tx.commit().await?;
        Ok(Some(stored))
    }
}

async fn live(tx: &mut Write, id: StoredId) -> Result<Stored> {
    let row: StoredRow = sqlx::query_as(AssertSqlSafe(format!("{STORED} {LIVE} WHERE f.id = $1")))
        .bind(id.to_string())
        .fetch_one(&mut **tx)
        .await?;
    row.read()
}

/// The neighbours of a dependency; an asset has none, as no run gets it.
async fn neighbours(
    tx: &mut Write,
    (kind, owner, id): (StoredKind, UserId, StoredId),
    path: &RelativePath,
) -> Result<Vec<Neighbour>> {
    if kind == StoredKind::Asset {
        return Ok(Vec::new());
    }
    let rows: Vec<(String, String, String)> =
        sqlx::query_as("SELECT id, histo, path FROM stored_files WHERE owner_id = $1 AND kind = $2 AND id <> $3")
            .bind(owner.to_string())
            .bind(kind.as_str())
            .bind(id.to_string())
            .fetch_all(&mut **tx)
            .await?;
    let all =
        rows.iter().map(|(id, histo, path)| Ok(Neighbour { id: parse(id)?, histo: parse(histo)?, path: parse(path)? }));
    let is_near =
        |it: &Result<Neighbour>| it.as_ref().map_or(true, |it| it.path.is_below(path) || path.is_below(&it.path));
    all.filter(is_near).collect()
}

async fn write_file(tx: &mut Write, id: StoredId, histo: &Histo, new: &NewStored<'_>, is_new: bool) -> Result<()> {
    let sql = if is_new {
        "INSERT INTO stored_files (id, histo, inline, updated_at, token, owner_id, kind, path, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $4)"
    } else {
        "UPDATE stored_files SET histo = $2, inline = $3, updated_at = $4,
         token = CASE WHEN $6 OR token IS NULL THEN $5 ELSE token END WHERE id = $1"
    };
    let query = sqlx::query(sql)
        .bind(id.to_string())
        .bind(histo.as_str())
        .bind(new.inline)
        .bind(millis(new.now))
        .bind(new.token.map(AssetToken::expose));
    let query = if is_new {
        query.bind(new.owner.to_string()).bind(new.kind.as_str()).bind(new.path.as_str())
    } else {
        query.bind(new.renew)
    };
    query.execute(&mut **tx).await.map_err(unique("a file at this path"))?;
    Ok(())
}

/// Writes the version, and gives those that are too many now.
async fn write_version(tx: &mut Write, id: StoredId, histo: &Histo, new: &NewStored<'_>) -> Result<Vec<Histo>> {
    sqlx::query(
        "INSERT INTO stored_versions (file_id, histo, size, files, digest, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id.to_string())
    .bind(histo.as_str())
    .bind(i64::try_from(new.size).unwrap_or(i64::MAX))
    .bind(i64::try_from(new.files).unwrap_or(i64::MAX))
    .bind(new.digest)
    .bind(millis(new.now))
    .execute(&mut **tx)
    .await?;
    if new.keep == 0 {
        return Ok(Vec::new());
    }
    let old: Vec<String> = sqlx::query_scalar(
        "DELETE FROM stored_versions WHERE file_id = $1 AND histo NOT IN
         (SELECT histo FROM stored_versions WHERE file_id = $1 ORDER BY histo DESC LIMIT $2) RETURNING histo",
    )
    .bind(id.to_string())
    .bind(new.keep)
    .fetch_all(&mut **tx)
    .await?;
    old.iter().map(|histo| parse(histo)).collect()
}
