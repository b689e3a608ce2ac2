//! Callbacks: URLs that are called when something happens.

use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;

use super::profiles::next_number;
use super::{Database, Write, from_json, millis, parse, row, subscriptions, time, to_json};
use crate::model::{
    Callback, CallbackChange, CallbackId, CallbackSetup, Invalid, Owner, Page, ProfileId, SigningKeys, SigningSecret,
    UserId,
};
use crate::store::{Result, StoreError};

row! {
    struct CallbackRow {
        id: i64,
        owner_id: String,
        owner_name: String,
        name: Option<String>,
        profile_id: Option<i64>,
        fallback_id: Option<i64>,
        enabled: bool,
        mode: String,
        config: String,
        secret: String,
        secret_before: Option<String>,
        secret_until: Option<i64>,
        disabled_reason: Option<String>,
        created_at: i64,
        updated_at: i64,
    }
}

/// Which callbacks a list has; none: all of them.
#[derive(Debug, Clone, Default)]
pub struct CallbackFilter {
    pub owner: Option<UserId>,
    pub name: Option<String>,
    pub profile: Option<ProfileId>,
    pub fallback: Option<CallbackId>,
}

impl TryFrom<CallbackRow> for (Callback, Owner) {
    type Error = StoreError;

    fn try_from(row: CallbackRow) -> Result<Self> {
        let before = match (row.secret_before, row.secret_until) {
            (Some(secret), Some(until)) => Some((signing_secret(&secret)?, time(until)?)),
            _ => None,
        };
        let callback = Callback {
            id: CallbackId::from_number(row.id),
            owner: parse(&row.owner_id)?,
            name: row.name,
            profile: row.profile_id.map(ProfileId::from_number),
            fallback: row.fallback_id.map(CallbackId::from_number),
            enabled: row.enabled,
            mode: parse(&row.mode)?,
            config: from_json(&row.config)?,
            keys: SigningKeys { secret: signing_secret(&row.secret)?, before },
            disabled_reason: row.disabled_reason,
            created_at: time(row.created_at)?,
            updated_at: time(row.updated_at)?,
        };
        Ok((callback, parse(&row.owner_name)?))
    }
}

/// Says nothing of what it could not read.
fn signing_secret(text: &str) -> Result<SigningSecret> {
    text.parse().map_err(|_| StoreError::Corrupt("a signing secret".to_owned()))
}

const SELECT: &str =
    "SELECT c.id, c.owner_id, u.name AS owner_name, c.name, c.profile_id, c.fallback_id, c.enabled, c.mode,
    c.config, c.secret, c.secret_before, c.secret_until, c.disabled_reason, c.created_at, c.updated_at
    FROM callbacks c JOIN users u ON u.id = c.owner_id";

/// A callback, and whose it is.
pub(super) async fn read(connection: &mut SqliteConnection, id: CallbackId) -> Result<Option<(Callback, Owner)>> {
    let sql = sqlx::AssertSqlSafe(format!("{SELECT} WHERE c.id = $1"));
    let row: Option<CallbackRow> = sqlx::query_as(sql).bind(id.number()).fetch_optional(connection).await?;
    row.map(TryInto::try_into).transpose()
}

/// Refuses a profile or a fallback that is not there or is somebody else's, and fallbacks that lead back to the callback.
async fn check_references(
    connection: &mut SqliteConnection,
    owner: UserId,
    callback: Option<CallbackId>,
    setup: &CallbackSetup,
) -> Result<()> {
    let refuse = |field: &str, message: &str| Err(StoreError::Refused(Invalid::new(field, message)));
    let owner = owner.to_string();
    if let Some(profile) = setup.profile {
        let known = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM profiles WHERE id = $1 AND owner_id = $2)");
        if !known.bind(profile.number()).bind(&owner).fetch_one(&mut *connection).await? {
            return refuse("profile_id", "must be the id of a profile of the callback's owner");
        }
    }
    let Some(fallback) = setup.fallback else { return Ok(()) };
    let known = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM callbacks WHERE id = $1 AND owner_id = $2)");
    if !known.bind(fallback.number()).bind(&owner).fetch_one(&mut *connection).await? {
        return refuse("fallback_callback_id", "must be the id of a callback of the same owner");
    }
    let Some(callback) = callback else { return Ok(()) };
    let leads_back = sqlx::query_scalar(
        "WITH RECURSIVE chain (id) AS (
             SELECT CAST($1 AS BIGINT)
             UNION SELECT c.fallback_id FROM callbacks c JOIN chain ON chain.id = c.id WHERE c.fallback_id IS NOT NULL
         ) SELECT EXISTS (SELECT 1 FROM chain WHERE id = $2)",
    );
    if leads_back.bind(fallback.number()).bind(callback.number()).fetch_one(connection).await? {
        return refuse("fallback_callback_id", "must not lead back to this callback, nor through others");
    }
    Ok(())
}

/// Refuses to remove what others need.
async fn check_unused(tx: &mut Write, id: CallbackId, now: DateTime<Utc>) -> Result<()> {
    let user: Option<i64> = sqlx::query_scalar("SELECT MIN(id) FROM callbacks WHERE fallback_id = $1")
        .bind(id.number())
        .fetch_one(&mut **tx)
        .await?;
    if let Some(user) = user {
        return Err(StoreError::Needed(format!("the callback is in use: it is the fallback of callback {user}")));
    }
    let sql = format!(
        "SELECT MIN(id) FROM subscriptions WHERE callback_id = $2 AND {} IN ('pending', 'active')",
        subscriptions::STATUS_NOW
    );
    let user: Option<String> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(millis(now)).bind(id.number()).fetch_one(&mut **tx).await?;
    match user {
        Some(user) => Err(StoreError::Needed(format!("the callback is in use: subscription {user} goes there"))),
        None => Ok(()),
    }
}

impl Database {
    /// Refuses a setup that refers to what it may not; for a first look, before anything is sent.
    ///
    /// # Errors
    /// `Refused` names the field.
    pub async fn check_callback(
        &self,
        owner: UserId,
        callback: Option<CallbackId>,
        setup: &CallbackSetup,
    ) -> Result<()> {
        check_references(&mut *self.pool.acquire().await?, owner, callback, setup).await
    }

    /// # Errors
    /// As [`Self::check_callback`].
    pub async fn create_callback(
        &self,
        owner: UserId,
        setup: &CallbackSetup,
        secret: &SigningSecret,
        now: DateTime<Utc>,
    ) -> Result<CallbackId> {
        let mut tx = self.write().await?;
        check_references(&mut tx, owner, None, setup).await?;
        let id = next_number(&mut tx, "callbacks").await?;
        sqlx::query(
            "INSERT INTO callbacks (id, owner_id, name, profile_id, fallback_id, enabled, mode, config, secret, created_at,
                 updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
        )
        .bind(id)
        .bind(owner.to_string())
        .bind(&setup.name)
        .bind(setup.profile.map(ProfileId::number))
        .bind(setup.fallback.map(CallbackId::number))
        .bind(setup.enabled)
        .bind(setup.mode.as_str())
        .bind(to_json(&setup.config)?)
        .bind(secret.expose())
        .bind(millis(now))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(CallbackId::from_number(id))
    }

    /// A callback, and whose it is.
    pub async fn callback(&self, id: CallbackId) -> Result<Option<(Callback, Owner)>> {
        read(&mut *self.pool.acquire().await?, id).await
    }

    /// Newest first.
    pub async fn callbacks(&self, filter: &CallbackFilter, page: Page) -> Result<Vec<(Callback, Owner)>> {
        let sql = format!(
            "{SELECT} WHERE ($1 IS NULL OR c.owner_id = $1) AND ($2 IS NULL OR c.name = $2)
             AND ($3 IS NULL OR c.profile_id = $3) AND ($4 IS NULL OR c.fallback_id = $4)
             ORDER BY c.id DESC LIMIT $5 OFFSET $6"
        );
        let rows: Vec<CallbackRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(filter.owner.map(|owner| owner.to_string()))
            .bind(&filter.name)
            .bind(filter.profile.map(ProfileId::number))
            .bind(filter.fallback.map(CallbackId::number))
            .bind(page.limit)
            .bind(page.offset)
            .fetch_all(&self.pool)
            .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Changes a callback as it is now; none if there is none. Whatever failed at another URL, or before it was enabled again,
    /// does not count any more.
    ///
    /// # Errors
    /// `Refused` names the field that does not fit.
    pub async fn change_callback(
        &self,
        id: CallbackId,
        change: &CallbackChange,
        now: DateTime<Utc>,
    ) -> Result<Option<Callback>> {
        let mut tx = self.write().await?;
        let Some((stored, _)) = read(&mut tx, id).await? else { return Ok(None) };
        let setup = change.onto(Some(&stored.setup())).map_err(StoreError::Refused)?;
        check_references(&mut tx, stored.owner, Some(id), &setup).await?;
        let enabled_again = change.enables();
        let starts_anew = enabled_again || setup.config.url != stored.config.url;
        sqlx::query(
            "UPDATE callbacks SET name = $2, profile_id = $3, fallback_id = $4, enabled = $5, mode = $6, config = $7,
                 disabled_reason = CASE WHEN $8 THEN NULL ELSE disabled_reason END,
                 failing_since = CASE WHEN $9 THEN NULL ELSE failing_since END, updated_at = $10 WHERE id = $1",
        )
        .bind(id.number())
        .bind(&setup.name)
        .bind(setup.profile.map(ProfileId::number))
        .bind(setup.fallback.map(CallbackId::number))
        .bind(setup.enabled)
        .bind(setup.mode.as_str())
        .bind(to_json(&setup.config)?)
        .bind(enabled_again)
        .bind(starts_anew)
        .bind(millis(now))
        .execute(&mut *tx)
        .await?;
        let changed = read(&mut tx, id).await?;
        tx.commit().await?;
        Ok(changed.map(|(callback, _)| callback))
    }

    /// Gives a callback a new secret; the old one signs as well until then. None if there is no such callback.
    pub async fn rotate_secret(
        &self,
        id: CallbackId,
        secret: &SigningSecret,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Option<Callback>> {
        let mut tx = self.write().await?;
        sqlx::query(
            "UPDATE callbacks SET secret_before = secret, secret_until = $3, secret = $2, updated_at = $4 WHERE id = $1",
        )
        .bind(id.number())
        .bind(secret.expose())
        .bind(millis(until))
        .bind(millis(now))
        .execute(&mut *tx)
        .await?;
        let rotated = read(&mut tx, id).await?;
        tx.commit().await?;
        Ok(rotated.map(|(callback, _)| callback))
    }

    /// Removes a callback; says whether there was one. Subscriptions that have ended forget where they went.
    ///
    /// # Errors
    /// `Needed` while it is a fallback, or a subscription that has not ended goes there.
    pub async fn delete_callback(&self, id: CallbackId, now: DateTime<Utc>) -> Result<bool> {
        let mut tx = self.write().await?;
        check_unused(&mut tx, id, now).await?;
        sqlx::query("UPDATE subscriptions SET callback_id = NULL WHERE callback_id = $1")
            .bind(id.number())
            .execute(&mut *tx)
            .await?;
        let done = sqlx::query("DELETE FROM callbacks WHERE id = $1").bind(id.number()).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }
}
