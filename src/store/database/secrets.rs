//! Secrets, as they are sealed: what they say is nothing that this module could tell.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};

use super::{Database, millis, parse, row, time};
use crate::model::{Page, SecretInfo, SecretName, UserId};
use crate::store::{Result, StoreError};

/// A secret on record.
#[derive(Debug)]
pub struct SealedSecret {
    pub info: SecretInfo,
    pub sealed: Vec<u8>,
    pub key_id: String,
}

/// How much one user may keep.
#[derive(Debug, Clone, Copy)]
pub struct SecretLimits {
    pub count: i64,
    /// Sealed, and in base64.
    pub bytes: i64,
}

/// What came of keeping a secret.
#[derive(Debug)]
pub enum KeptSecret {
    New(SecretInfo),
    Changed(SecretInfo),
    /// Its owner has too many, or too much.
    TooMany,
}

row! {
    struct SecretRow {
        name: String,
        sealed: String,
        key_id: String,
        created_at: i64,
        updated_at: i64,
    }
}

impl TryFrom<SecretRow> for SealedSecret {
    type Error = StoreError;

    fn try_from(row: SecretRow) -> Result<Self> {
        let sealed = STANDARD.decode(&row.sealed).map_err(|_| StoreError::Corrupt("a sealed secret".to_owned()))?;
        let info = SecretInfo {
            name: parse(&row.name)?,
            created_at: time(row.created_at)?,
            updated_at: time(row.updated_at)?,
        };
        Ok(Self { info, sealed, key_id: row.key_id })
    }
}

row! {
    struct InfoRow {
        name: String,
        created_at: i64,
        updated_at: i64,
    }
}

impl TryFrom<InfoRow> for SecretInfo {
    type Error = StoreError;

    fn try_from(row: InfoRow) -> Result<Self> {
        Ok(Self { name: parse(&row.name)?, created_at: time(row.created_at)?, updated_at: time(row.updated_at)? })
    }
}

row! {
    struct Sums {
        count: i64,
        bytes: i64,
    }
}

impl Database {
    /// Keeps a secret, in the place of the one that had its name.
    pub async fn put_secret(
        &self,
        owner: UserId,
        name: &SecretName,
        (key_id, sealed): (&str, &[u8]),
        limits: SecretLimits,
        now: DateTime<Utc>,
    ) -> Result<KeptSecret> {
        let sealed = STANDARD.encode(sealed);
        let mut tx = self.write().await?;
        let others: Sums = sqlx::query_as(
            "SELECT COUNT(*) AS count, CAST(COALESCE(SUM(LENGTH(sealed)), 0) AS BIGINT) AS bytes
             FROM secrets WHERE owner_id = $1 AND name <> $2",
        )
        .bind(owner.to_string())
        .bind(name.as_str())
        .fetch_one(&mut *tx)
        .await?;
        let size = i64::try_from(sealed.len()).unwrap_or(i64::MAX);
        if others.count >= limits.count || others.bytes.saturating_add(size) > limits.bytes {
            return Ok(KeptSecret::TooMany);
        }
        let is_new = sqlx::query("SELECT 1 FROM secrets WHERE owner_id = $1 AND name = $2")
            .bind(owner.to_string())
            .bind(name.as_str())
            .fetch_optional(&mut *tx)
            .await?
            .is_none();
        let row: InfoRow = sqlx::query_as(
            "INSERT INTO secrets (owner_id, name, sealed, key_id, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)
             ON CONFLICT (owner_id, name) DO UPDATE SET sealed = $3, key_id = $4, updated_at = $5
             RETURNING name, created_at, updated_at",
        )
        .bind(owner.to_string())
        .bind(name.as_str())
        .bind(sealed)
        .bind(key_id)
        .bind(millis(now))
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        let info = row.try_into()?;
        Ok(if is_new { KeptSecret::New(info) } else { KeptSecret::Changed(info) })
    }

    pub async fn secret(&self, owner: UserId, name: &SecretName) -> Result<Option<SealedSecret>> {
        let row: Option<SecretRow> = sqlx::query_as(
            "SELECT name, sealed, key_id, created_at, updated_at FROM secrets WHERE owner_id = $1 AND name = $2",
        )
        .bind(owner.to_string())
        .bind(name.as_str())
        .fetch_optional(&self.pool)
        .await?;
        row.map(TryInto::try_into).transpose()
    }

    /// A user's secrets, by name.
    pub async fn secrets(&self, owner: UserId, page: Page) -> Result<Vec<SecretInfo>> {
        let rows: Vec<InfoRow> = sqlx::query_as(
            "SELECT name, created_at, updated_at FROM secrets WHERE owner_id = $1 ORDER BY name LIMIT $2 OFFSET $3",
        )
        .bind(owner.to_string())
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Removes a secret; says whether there was one.
    pub async fn delete_secret(&self, owner: UserId, name: &SecretName) -> Result<bool> {
        let _turn = self.turn().await?;
        let done = sqlx::query("DELETE FROM secrets WHERE owner_id = $1 AND name = $2")
            .bind(owner.to_string())
            .bind(name.as_str())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// How many secrets were sealed with another key.
    pub async fn secrets_of_other_keys(&self, key_id: &str) -> Result<i64> {
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM secrets WHERE key_id <> $1");
        Ok(count.bind(key_id).fetch_one(&self.pool).await?)
    }
}
