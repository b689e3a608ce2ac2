//! Profiles: who is told when a callback is in trouble.

use chrono::{DateTime, Utc};

use super::{Database, Write, millis, parse, row, time};
use crate::model::{EmailAddress, Owner, Page, Profile, ProfileId, UserId};
use crate::store::{Result, StoreError};

row! {
    struct ProfileRow {
        id: i64,
        owner_id: String,
        owner_name: String,
        name: String,
        support_email: String,
        created_at: i64,
    }
}

impl TryFrom<ProfileRow> for (Profile, Owner) {
    type Error = StoreError;

    fn try_from(row: ProfileRow) -> Result<Self> {
        let profile = Profile {
            id: ProfileId::from_number(row.id),
            owner: parse(&row.owner_id)?,
            name: row.name,
            support_email: EmailAddress::try_from(row.support_email).map_err(StoreError::Corrupt)?,
            created_at: time(row.created_at)?,
        };
        Ok((profile, parse(&row.owner_name)?))
    }
}

const SELECT: &str = "SELECT p.id, p.owner_id, u.name AS owner_name, p.name, p.support_email, p.created_at
    FROM profiles p JOIN users u ON u.id = p.owner_id";

/// The next number of what is counted by `name`; none is given twice.
pub(super) async fn next_number(tx: &mut Write, name: &str) -> Result<i64> {
    let next = sqlx::query_scalar(
        "INSERT INTO counters (name, last) VALUES ($1, 1)
         ON CONFLICT (name) DO UPDATE SET last = counters.last + 1 RETURNING last",
    );
    Ok(next.bind(name).fetch_one(&mut **tx).await?)
}

impl Database {
    pub async fn create_profile(
        &self,
        owner: UserId,
        name: &str,
        support_email: &EmailAddress,
        now: DateTime<Utc>,
    ) -> Result<ProfileId> {
        let mut tx = self.write().await?;
        let id = next_number(&mut tx, "profiles").await?;
        sqlx::query("INSERT INTO profiles (id, owner_id, name, support_email, created_at) VALUES ($1, $2, $3, $4, $5)")
            .bind(id)
            .bind(owner.to_string())
            .bind(name)
            .bind(support_email.as_str())
            .bind(millis(now))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(ProfileId::from_number(id))
    }

    /// A profile, and whose it is.
    pub async fn profile(&self, id: ProfileId) -> Result<Option<(Profile, Owner)>> {
        let sql = sqlx::AssertSqlSafe(format!("{SELECT} WHERE p.id = $1"));
        let row: Option<ProfileRow> = sqlx::query_as(sql).bind(id.number()).fetch_optional(&self.pool).await?;
        row.map(TryInto::try_into).transpose()
    }

    /// Profiles of one user, or of all; newest first.
    pub async fn profiles(
        &self,
        owner: Option<UserId>,
        name: Option<&str>,
        page: Page,
    ) -> Result<Vec<(Profile, Owner)>> {
        let sql = format!(
            "{SELECT} WHERE ($1 IS NULL OR p.owner_id = $1) AND ($2 IS NULL OR p.name = $2)
             ORDER BY p.id DESC LIMIT $3 OFFSET $4"
        );
        let rows: Vec<ProfileRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(owner.map(|owner| owner.to_string()))
            .bind(name)
            .bind(page.limit)
            .bind(page.offset)
            .fetch_all(&self.pool)
            .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Changes a profile, where something is given; says whether there is one.
    pub async fn change_profile(
        &self,
        id: ProfileId,
        name: Option<&str>,
        support_email: Option<&EmailAddress>,
    ) -> Result<bool> {
        let _turn = self.turn().await?;
        let done = sqlx::query(
            "UPDATE profiles SET name = COALESCE($2, name), support_email = COALESCE($3, support_email) WHERE id = $1",
        )
        .bind(id.number())
        .bind(name)
        .bind(support_email.map(EmailAddress::as_str))
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Removes a profile; says whether there was one.
    ///
    /// # Errors
    /// `Needed` while a callback has it.
    pub async fn delete_profile(&self, id: ProfileId) -> Result<bool> {
        let mut tx = self.write().await?;
        let user: Option<i64> = sqlx::query_scalar("SELECT MIN(id) FROM callbacks WHERE profile_id = $1")
            .bind(id.number())
            .fetch_one(&mut *tx)
            .await?;
        if let Some(callback) = user {
            return Err(StoreError::Needed(format!("the profile is in use: callback {callback} has it")));
        }
        let done = sqlx::query("DELETE FROM profiles WHERE id = $1").bind(id.number()).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }
}
