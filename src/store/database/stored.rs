//! Dependencies and assets, and their versions; what makes one live is in a file of its own.

mod writing;

use std::collections::HashSet;

use sqlx::AssertSqlSafe;

use super::{Database, parse, row, time};
use crate::model::{AssetToken, Histo, Owner, Page, RelativePath, Stored, StoredId, StoredKind, StoredVersion, UserId};
use crate::store::Result;

pub use writing::{Neighbour, NewStored};

row! {
    struct StoredRow {
        id: String,
        kind: String,
        owner_id: String,
        owner_name: String,
        path: String,
        token: Option<String>,
        inline: bool,
        created_at: i64,
        updated_at: i64,
        histo: String,
        size: i64,
        files: i64,
        digest: String,
        version_at: i64,
    }
}

row! {
    struct VersionRow {
        histo: String,
        size: i64,
        files: i64,
        digest: String,
        created_at: i64,
    }
}

impl VersionRow {
    fn read(self) -> Result<StoredVersion> {
        Ok(StoredVersion {
            histo: parse(&self.histo)?,
            size: self.size.unsigned_abs(),
            files: self.files.unsigned_abs(),
            digest: self.digest,
            created_at: time(self.created_at)?,
        })
    }
}

impl StoredRow {
    fn read(self) -> Result<Stored> {
        let Self { histo, size, files, digest, version_at, .. } = self;
        Ok(Stored {
            id: parse(&self.id)?,
            kind: parse(&self.kind)?,
            owner: parse(&self.owner_id)?,
            owner_name: parse::<Owner>(&self.owner_name)?,
            path: parse(&self.path)?,
            token: self.token.as_deref().map(parse).transpose()?,
            inline: self.inline,
            live: VersionRow { histo, size, files, digest, created_at: version_at }.read()?,
            created_at: time(self.created_at)?,
            updated_at: time(self.updated_at)?,
        })
    }
}

const STORED: &str = "SELECT f.id, f.kind, f.owner_id, u.name AS owner_name, f.path, f.token, f.inline, f.created_at,
    f.updated_at, v.histo, v.size, v.files, v.digest, v.created_at AS version_at
    FROM stored_files f JOIN users u ON u.id = f.owner_id";
/// Joins the live version.
const LIVE: &str = "JOIN stored_versions v ON v.file_id = f.id AND v.histo = f.histo";

impl Database {
    pub async fn stored(&self, kind: StoredKind, id: StoredId) -> Result<Option<Stored>> {
        let row: Option<StoredRow> =
            sqlx::query_as(AssertSqlSafe(format!("{STORED} {LIVE} WHERE f.id = $1 AND f.kind = $2")))
                .bind(id.to_string())
                .bind(kind.as_str())
                .fetch_optional(&self.pool)
                .await?;
        row.map(StoredRow::read).transpose()
    }

    /// An asset, with the version that is named as if it were the live one.
    pub async fn asset(&self, token: &AssetToken, histo: Option<&Histo>) -> Result<Option<Stored>> {
        let join = "JOIN stored_versions v ON v.file_id = f.id AND v.histo = COALESCE($2, f.histo)";
        let row: Option<StoredRow> = sqlx::query_as(AssertSqlSafe(format!("{STORED} {join} WHERE f.token = $1")))
            .bind(token.expose())
            .bind(histo.map(Histo::as_str))
            .fetch_optional(&self.pool)
            .await?;
        row.map(StoredRow::read).transpose()
    }

    /// Those of one owner or of all, newest first; only the one at `path` if given.
    pub async fn all_stored(
        &self,
        kind: StoredKind,
        owner: Option<UserId>,
        path: Option<&RelativePath>,
        page: Page,
    ) -> Result<Vec<Stored>> {
        let sql = format!(
            "{STORED} {LIVE} WHERE f.kind = $1 AND ($2 IS NULL OR f.owner_id = $2) AND ($3 IS NULL OR f.path = $3)
             ORDER BY f.id DESC LIMIT $4 OFFSET $5"
        );
        let rows: Vec<StoredRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(kind.as_str())
            .bind(owner.map(|owner| owner.to_string()))
            .bind(path.map(RelativePath::as_str))
            .bind(page.limit)
            .bind(page.offset)
            .fetch_all(&self.pool)
            .await?;
        rows.into_iter().map(StoredRow::read).collect()
    }

    pub async fn stored_versions(&self, id: StoredId, histo: Option<&Histo>, page: Page) -> Result<Vec<StoredVersion>> {
        let rows: Vec<VersionRow> = sqlx::query_as(
            "SELECT histo, size, files, digest, created_at FROM stored_versions WHERE file_id = $1
             AND ($2 IS NULL OR histo = $2) ORDER BY histo DESC LIMIT $3 OFFSET $4",
        )
        .bind(id.to_string())
        .bind(histo.map(Histo::as_str))
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(VersionRow::read).collect()
    }

    /// The versions that are on record.
    pub async fn stored_histos(&self, id: StoredId) -> Result<HashSet<Histo>> {
        let all: Vec<String> = sqlx::query_scalar("SELECT histo FROM stored_versions WHERE file_id = $1")
            .bind(id.to_string())
            .fetch_all(&self.pool)
            .await?;
        all.iter().map(|histo| parse(histo)).collect()
    }

    /// Removes one previous version (or all of them) from the record, never the live one; gives what was removed.
    pub async fn clear_stored(&self, id: StoredId, histo: Option<&Histo>) -> Result<Vec<Histo>> {
        let _turn = self.turn().await?;
        let removed: Vec<String> = sqlx::query_scalar(
            "DELETE FROM stored_versions WHERE file_id = $1 AND ($2 IS NULL OR histo = $2)
             AND histo <> (SELECT histo FROM stored_files WHERE id = $1) RETURNING histo",
        )
        .bind(id.to_string())
        .bind(histo.map(Histo::as_str))
        .fetch_all(&self.pool)
        .await?;
        removed.iter().map(|histo| parse(histo)).collect()
    }

    /// Removes it with its versions from the record; says whether it was there.
    pub async fn delete_stored(&self, id: StoredId) -> Result<bool> {
        let _turn = self.turn().await?;
        let done =
            sqlx::query("DELETE FROM stored_files WHERE id = $1").bind(id.to_string()).execute(&self.pool).await?;
        Ok(done.rows_affected() > 0)
    }

    /// How many an owner has.
    pub async fn count_stored(&self, kind: StoredKind, owner: UserId) -> Result<u64> {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM stored_files WHERE kind = $1 AND owner_id = $2")
            .bind(kind.as_str())
            .bind(owner.to_string())
            .fetch_one(&self.pool)
            .await?;
        Ok(count.unsigned_abs())
    }
}
