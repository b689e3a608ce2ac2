//! Whoever does not work: since when, until it is disabled, and who is told.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::super::events::{self, NewEvent};
use super::super::notices::{self, NoticeEvent};
use super::super::{Write, from_json, millis};
use super::ending::Ending;
use crate::model::{CallbackConfig, CallbackTrouble, EmailAddress, EventType, delivery};
use crate::store::{Result, StoreError};

/// Whom a delivery goes to works.
pub(super) async fn note_success(tx: &mut Write, delivery: &Ending) -> Result<()> {
    let query = match delivery.callback {
        Some(callback) => {
            sqlx::query("UPDATE callbacks SET failing_since = NULL WHERE id = $1 AND failing_since IS NOT NULL")
                .bind(callback.number())
        }
        None => {
            sqlx::query("UPDATE subscriptions SET failing_since = NULL WHERE id = $1 AND failing_since IS NOT NULL")
                .bind(delivery.subscription.to_string())
        }
    };
    query.execute(&mut **tx).await?;
    Ok(())
}

/// Whom a delivery goes to does not work; gives since when.
pub(super) async fn note_failure(tx: &mut Write, delivery: &Ending, now: DateTime<Utc>) -> Result<Option<i64>> {
    let query = match delivery.callback {
        Some(callback) => sqlx::query_scalar(
            "UPDATE callbacks SET failing_since = COALESCE(failing_since, $2) WHERE id = $1 RETURNING failing_since",
        )
        .bind(callback.number()),
        None => sqlx::query_scalar(
            "UPDATE subscriptions SET failing_since = COALESCE(failing_since, $2) WHERE id = $1 RETURNING failing_since",
        )
        .bind(delivery.subscription.to_string()),
    };
    Ok(query.bind(millis(now)).fetch_optional(&mut **tx).await?)
}

/// Sends nothing more to whom a delivery goes to, and tells of it; says whether by mail.
pub(super) async fn disable(tx: &mut Write, delivery: &Ending, reason: &str, now: DateTime<Utc>) -> Result<bool> {
    let query = match delivery.callback {
        Some(callback) => sqlx::query(
            "UPDATE callbacks SET enabled = FALSE, updated_at = $2, disabled_reason = $3 WHERE id = $1 AND enabled",
        )
        .bind(callback.number())
        .bind(millis(now))
        .bind(reason),
        None => sqlx::query(
            "UPDATE subscriptions SET status = 'disabled', ended_at = $2
             WHERE id = $1 AND status IN ('active', 'completed')",
        )
        .bind(delivery.subscription.to_string())
        .bind(millis(now)),
    };
    let disabled = query.execute(&mut **tx).await?;
    if disabled.rows_affected() == 0 {
        return Ok(false);
    }
    let data = json!({
        "callback": delivery.callback,
        "subscription": delivery.subscription,
        "delivery": delivery.id,
        "reason": reason,
    });
    let kind = EventType::CallbackDisabled;
    let hops = delivery.hops;
    let event = NewEvent { owner: delivery.owner, kind, at: now, about: delivery.about(), data, hops };
    events::emit(tx, event, None).await?;
    mail(tx, delivery, NoticeEvent::CallbackDisabled, reason, now).await
}

/// Tells whoever looks after the callback of a delivery, if somebody does.
pub(super) async fn mail(
    tx: &mut Write,
    delivery: &Ending,
    event: NoticeEvent,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let Some(callback) = delivery.callback else { return Ok(false) };
    let found: Option<(Option<String>, String, String)> = sqlx::query_as(
        "SELECT c.name, c.config, p.support_email FROM callbacks c JOIN profiles p ON p.id = c.profile_id WHERE c.id = $1",
    )
    .bind(callback.number())
    .fetch_optional(&mut **tx)
    .await?;
    let Some((name, config, support)) = found else { return Ok(false) };
    let config: CallbackConfig = from_json(&config)?;
    let receiver = delivery::receiver_of_url(&config.url);
    let trouble =
        CallbackTrouble { callback, name, receiver, reason: reason.to_owned(), delivery: delivery.id, at: now };
    let support = EmailAddress::try_from(support).map_err(StoreError::Corrupt)?;
    notices::add_trouble(tx, event, &trouble, &support).await?;
    Ok(true)
}
