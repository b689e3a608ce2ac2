//! Users and their API tokens.

use chrono::{DateTime, Utc};

use sqlx::AssertSqlSafe;

use super::{Database, millis, parse, row, time, unique};
use crate::model::{Caller, Owner, Role, TokenHash, TokenId, TokenInfo, User, UserId};
use crate::store::Result;

row! {
    pub(super) struct UserRow {
        id: String,
        name: String,
        role: String,
        created_at: i64,
    }
}

impl TryFrom<UserRow> for User {
    type Error = crate::store::StoreError;

    fn try_from(row: UserRow) -> Result<Self> {
        Ok(Self {
            id: parse(&row.id)?,
            name: parse(&row.name)?,
            role: role_from(&row.role),
            created_at: time(row.created_at)?,
        })
    }
}

/// The user that an API token `t` belongs to.
pub(super) const CALLER: &str =
    "SELECT u.id, u.name, u.role, u.created_at FROM tokens t JOIN users u ON u.id = t.user_id";

impl UserRow {
    pub(super) fn caller(self) -> Result<Caller> {
        let user = User::try_from(self)?;
        Ok(Caller { user: user.id, name: user.name, role: user.role })
    }
}

fn role_from(text: &str) -> Role {
    if text == "admin" { Role::Admin } else { Role::Member }
}

fn role_text(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Member => "member",
    }
}

row! {
    struct TokenRow {
        id: String,
        name: String,
        user_name: String,
        created_at: i64,
    }
}

impl Database {
    /// # Errors
    /// `Exists` when the name is taken.
    pub async fn create_user(&self, user: &User) -> Result<()> {
        let _turn = self.turn().await?;
        sqlx::query("INSERT INTO users (id, name, role, created_at) VALUES ($1, $2, $3, $4)")
            .bind(user.id.to_string())
            .bind(user.name.as_str())
            .bind(role_text(user.role))
            .bind(millis(user.created_at))
            .execute(&self.pool)
            .await
            .map_err(unique("a user of that name"))?;
        Ok(())
    }

    pub async fn user_by_name(&self, name: &Owner) -> Result<Option<User>> {
        let row: Option<UserRow> = sqlx::query_as("SELECT id, name, role, created_at FROM users WHERE name = $1")
            .bind(name.as_str())
            .fetch_optional(&self.pool)
            .await?;
        row.map(User::try_from).transpose()
    }

    /// All users, by name.
    pub async fn users(&self) -> Result<Vec<User>> {
        let rows: Vec<UserRow> =
            sqlx::query_as("SELECT id, name, role, created_at FROM users ORDER BY name").fetch_all(&self.pool).await?;
        rows.into_iter().map(User::try_from).collect()
    }

    /// The user that a token belongs to.
    pub async fn caller_by_token(&self, hash: &TokenHash) -> Result<Option<Caller>> {
        let row: Option<UserRow> = sqlx::query_as(AssertSqlSafe(format!("{CALLER} WHERE t.hash = $1")))
            .bind(&hash.0)
            .fetch_optional(&self.pool)
            .await?;
        row.map(UserRow::caller).transpose()
    }

    pub async fn create_token(
        &self,
        id: TokenId,
        user: UserId,
        name: &str,
        hash: &TokenHash,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let _turn = self.turn().await?;
        sqlx::query("INSERT INTO tokens (id, user_id, name, hash, created_at) VALUES ($1, $2, $3, $4, $5)")
            .bind(id.to_string())
            .bind(user.to_string())
            .bind(name)
            .bind(&hash.0)
            .bind(millis(now))
            .execute(&self.pool)
            .await
            .map_err(unique("that token"))?;
        Ok(())
    }

    /// The tokens of one user, or of all; newest first.
    pub async fn tokens(&self, user: Option<UserId>) -> Result<Vec<TokenInfo>> {
        let rows: Vec<TokenRow> = sqlx::query_as(
            "SELECT t.id, t.name, u.name AS user_name, t.created_at FROM tokens t JOIN users u ON u.id = t.user_id
             WHERE $1 IS NULL OR t.user_id = $1 ORDER BY t.id DESC",
        )
        .bind(user.map(|user| user.to_string()))
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(TokenInfo {
                    id: parse(&row.id)?,
                    name: row.name,
                    user: parse(&row.user_name)?,
                    created_at: time(row.created_at)?,
                })
            })
            .collect()
    }

    /// Removes a token (of that user only, if one is given); says whether there was one.
    pub async fn revoke_token(&self, id: TokenId, user: Option<UserId>) -> Result<bool> {
        let _turn = self.turn().await?;
        let done = sqlx::query("DELETE FROM tokens WHERE id = $1 AND ($2 IS NULL OR user_id = $2)")
            .bind(id.to_string())
            .bind(user.map(|user| user.to_string()))
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Makes `hash` the one token of `user` named `name`; the admin's token file and setting may change between starts. If it is
    /// that already it stays as it is, and so do the sessions that were begun with it.
    pub async fn set_named_token(&self, user: UserId, name: &str, hash: &TokenHash, now: DateTime<Utc>) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query(
            "DELETE FROM tokens WHERE ((user_id = $1 AND name = $2) OR hash = $3)
             AND NOT (user_id = $1 AND name = $2 AND hash = $3)",
        )
        .bind(user.to_string())
        .bind(name)
        .bind(&hash.0)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO tokens (id, user_id, name, hash, created_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (hash) DO NOTHING",
        )
        .bind(TokenId::new().to_string())
        .bind(user.to_string())
        .bind(name)
        .bind(&hash.0)
        .bind(millis(now))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }
}
