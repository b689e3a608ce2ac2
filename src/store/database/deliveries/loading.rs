//! What there is to know of a delivery before it is sent.

use chrono::{DateTime, Utc};

use super::super::{Write, from_json, parse, parse_secret, row, subscriptions, time};
use super::ending::Ending;
use crate::model::{
    CallbackConfig, CallbackId, CallbackMethod, DeliveryId, Event, EventId, SigningKeys, SigningSecret, SubscriptionId,
    notification,
};
use crate::store::{Result, StoreError};

/// A delivery that has to be sent.
#[derive(Debug, Clone)]
pub struct DueDelivery {
    pub id: DeliveryId,
    pub event: EventId,
    pub callback: Option<CallbackId>,
    pub recipient: Recipient,
    /// JSON.
    pub body: String,
    /// JSON Schema of the answer.
    pub expects: Option<String>,
    /// How many attempts there were.
    pub attempts: u32,
    /// How many deliveries led to the event.
    pub hops: u32,
}

/// Where a delivery goes, and how.
#[derive(Clone)]
pub struct Recipient {
    pub url: String,
    pub method: CallbackMethod,
    pub headers: Vec<(String, String)>,
    /// In seconds; none: the server's.
    pub timeout: Option<u32>,
    /// What signs now.
    pub secrets: Vec<SigningSecret>,
}

impl std::fmt::Debug for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL's query and the headers may hold secrets.
        f.debug_struct("Recipient").field("method", &self.method).finish_non_exhaustive()
    }
}

/// A delivery that can be sent as far as its subscription and its callback go.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) due: DueDelivery,
    /// The callback's own.
    pub(super) rate_limit: Option<u32>,
    pub(super) free_at: Option<DateTime<Utc>>,
}

#[derive(Debug)]
pub(super) enum Loaded {
    Open(Box<Open>),
    /// Its subscription was cancelled.
    Cancelled(Ending),
    /// Whoever it goes to is disabled or gone.
    Closed(Ending),
}

row! {
    struct DueRow {
        event_id: String,
        owner_id: String,
        kind: String,
        at: i64,
        tags: String,
        data: String,
        subscription_id: String,
        subscription_status: String,
        callback_url: Option<String>,
        secrets: Option<String>,
        callback_id: Option<i64>,
        method: Option<String>,
        body: Option<String>,
        expects: Option<String>,
        attempts: i64,
        hops: i64,
        enabled: Option<bool>,
        config: Option<String>,
        secret: Option<String>,
        secret_before: Option<String>,
        secret_until: Option<i64>,
        free_at: Option<i64>,
    }
}

const DUE: &str = "SELECT d.event_id, d.owner_id, e.type AS kind, e.at, e.tags, e.data, d.subscription_id,
         s.status AS subscription_status, s.callback_url, s.secrets, d.callback_id, d.method, d.body, d.expects, d.attempts, e.hops,
         c.enabled, c.config, c.secret, c.secret_before, c.secret_until, c.free_at
     FROM deliveries d JOIN events e ON e.id = d.event_id JOIN subscriptions s ON s.id = d.subscription_id
     LEFT JOIN callbacks c ON c.id = d.callback_id WHERE d.id = $1";

pub(super) async fn load(tx: &mut Write, id: DeliveryId, now: DateTime<Utc>) -> Result<Loaded> {
    let row: DueRow = sqlx::query_as(DUE).bind(id.to_string()).fetch_one(&mut **tx).await?;
    let status = row.subscription_status.as_str();
    let is_closed = match row.callback_id {
        Some(_) => row.enabled != Some(true),
        None => status == "disabled",
    };
    if status == "cancelled" {
        Ok(Loaded::Cancelled(Ending::read(tx, id).await?))
    } else if is_closed {
        Ok(Loaded::Closed(Ending::read(tx, id).await?))
    } else {
        row.open(id, now).map(Box::new).map(Loaded::Open)
    }
}

impl DueRow {
    fn open(self, id: DeliveryId, now: DateTime<Utc>) -> Result<Open> {
        let method = self.method.as_deref().map(parse::<CallbackMethod>).transpose()?;
        let subscription: SubscriptionId = parse(&self.subscription_id)?;
        let config: Option<CallbackConfig> = self.config.as_deref().map(from_json).transpose()?;
        let rate_limit = config.as_ref().and_then(|config| config.rate_limit);
        let recipient = match config {
            Some(config) => self.callback(config, method, now)?,
            None => self.url(method)?,
        };
        let event = self.event()?;
        let due = DueDelivery {
            id,
            event: event.id,
            callback: self.callback_id.map(CallbackId::from_number),
            recipient,
            body: self.body.unwrap_or_else(|| notification::of_event(subscription, &event).to_string()),
            expects: self.expects,
            attempts: u32::try_from(self.attempts).unwrap_or(u32::MAX),
            hops: u32::try_from(self.hops).unwrap_or(u32::MAX),
        };
        Ok(Open { due, rate_limit, free_at: self.free_at.map(time).transpose()? })
    }

    fn event(&self) -> Result<Event> {
        Ok(Event {
            id: parse(&self.event_id)?,
            owner: parse(&self.owner_id)?,
            kind: parse(&self.kind)?,
            at: time(self.at)?,
            tags: from_json(&self.tags)?,
            data: from_json(&self.data)?,
        })
    }

    fn callback(
        &self,
        config: CallbackConfig,
        method: Option<CallbackMethod>,
        now: DateTime<Utc>,
    ) -> Result<Recipient> {
        let keys = SigningKeys {
            secret: parse_secret(self.secret.as_deref().unwrap_or_default())?,
            before: match (&self.secret_before, self.secret_until) {
                (Some(before), Some(until)) => Some((parse_secret(before)?, time(until)?)),
                _ => None,
            },
        };
        Ok(Recipient {
            url: config.url,
            method: method.unwrap_or(config.method),
            headers: config.headers.into_iter().flatten().map(|header| (header.name, header.value)).collect(),
            timeout: config.timeout,
            secrets: keys.at(now).into_iter().cloned().collect(),
        })
    }

    fn url(&self, method: Option<CallbackMethod>) -> Result<Recipient> {
        let nowhere = || StoreError::Corrupt(format!("subscription {} has no URL", self.subscription_id));
        Ok(Recipient {
            url: self.callback_url.clone().ok_or_else(nowhere)?,
            method: method.unwrap_or_default(),
            headers: Vec::new(),
            timeout: None,
            secrets: subscriptions::secrets(self.secrets.as_deref().unwrap_or_default())?,
        })
    }
}
