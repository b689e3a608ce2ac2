//! What the declared callbacks of hooks are signed with.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Database, Write, from_json, millis, parse_secret, row, time};
use crate::model::{HookId, RunId, SigningKeys, SigningSecret};
use crate::store::Result;

row! {
    struct KeysRow {
        secret: Option<String>,
        previous: Option<String>,
        until: Option<i64>,
    }
}

/// Gives a hook a secret if it has none.
pub(super) async fn give_secret(tx: &mut Write, id: HookId, secret: &SigningSecret) -> Result<()> {
    sqlx::query("UPDATE hooks SET callback_secret = $2 WHERE id = $1 AND callback_secret IS NULL")
        .bind(id.to_string())
        .bind(secret.expose())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

impl Database {
    /// How often each declared callback was called in a run, by name.
    pub async fn declared_sent(&self, run: RunId) -> Result<HashMap<String, usize>> {
        // What a callback is called is in its events; one call of a name may go to several URLs.
        let calls: Vec<(String, Option<String>)> = sqlx::query_as(
            "SELECT e.data, s.callback_url FROM subscriptions s JOIN deliveries d ON d.subscription_id = s.id
             JOIN events e ON e.id = d.event_id WHERE s.run_id = $1 AND s.kind = 'declared' AND d.fallback_of IS NULL",
        )
        .bind(run.to_string())
        .fetch_all(&self.pool)
        .await?;
        let mut of_url: HashMap<(String, Option<String>), usize> = HashMap::new();
        for (data, url) in calls {
            let data: Value = from_json(&data)?;
            *of_url.entry((data["callback"].as_str().unwrap_or_default().to_owned(), url)).or_default() += 1;
        }
        let mut times = HashMap::new();
        for ((name, _), count) in of_url {
            let most: &mut usize = times.entry(name).or_default();
            *most = count.max(*most);
        }
        Ok(times)
    }

    /// None: the hook has never declared a callback.
    pub async fn callback_keys(&self, id: HookId) -> Result<Option<SigningKeys>> {
        let row: Option<KeysRow> = sqlx::query_as(
            "SELECT callback_secret AS secret, callback_secret_before AS previous, callback_secret_until AS until
             FROM hooks WHERE id = $1",
        )
        .bind(id.to_string())
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let Some(secret) = row.secret else { return Ok(None) };
        let before = match (row.previous, row.until) {
            (Some(secret), Some(until)) => Some((parse_secret(&secret)?, time(until)?)),
            _ => None,
        };
        Ok(Some(SigningKeys { secret: parse_secret(&secret)?, before }))
    }

    /// Replaces the secret, which signs on until some time; says whether there was one.
    pub async fn rotate_callback_secret(&self, id: HookId, new: &SigningSecret, until: DateTime<Utc>) -> Result<bool> {
        let _turn = self.turn().await?;
        let done = sqlx::query(
            "UPDATE hooks SET callback_secret_before = callback_secret, callback_secret_until = $3, callback_secret = $2
             WHERE id = $1 AND deleted_at IS NULL AND callback_secret IS NOT NULL",
        )
        .bind(id.to_string())
        .bind(new.expose())
        .bind(millis(until))
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() > 0)
    }
}
