//! Events: what happened is written in the transaction that made it so, together with all that comes of it.
//!
//! [`emit`] is the one place where an event finds its consumers: subscriptions (a delivery, or a place in a topic) and the mail that
//! a hook's owner wished for.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::notices::{self, NewNotice};
use super::{Database, Write, from_json, millis, parse, row, runs, subscriptions, time, to_json};
use crate::model::{
    CallbackId, CallbackMethod, DeliveryId, Event, EventId, EventType, Page, RunId, SigningSecret, Subscription,
    SubscriptionId, SubscriptionKind, SubscriptionMode, SubscriptionStatus, Target, TopicName, UserId, delivery, event,
    notification,
};
use crate::store::{Result, StoreError};

/// Something that happens.
#[derive(Debug)]
pub(super) struct NewEvent {
    pub(super) owner: UserId,
    pub(super) kind: EventType,
    pub(super) at: DateTime<Utc>,
    /// Tags that say what it is about.
    pub(super) about: Vec<String>,
    pub(super) data: Value,
    /// How many deliveries, one behind another, led to it.
    pub(super) hops: u32,
}

/// A call of a callback that a hook declared.
#[derive(Debug, Clone)]
pub struct NewDeclared {
    pub name: String,
    pub url: String,
    pub method: CallbackMethod,
    pub body: Value,
    /// JSON Schema of what the receiver should answer.
    pub expects: Option<Value>,
    pub secrets: Vec<SigningSecret>,
}

/// Which events a list shows.
#[derive(Debug, Default, Clone)]
pub struct EventFilter {
    pub owner: Option<UserId>,
    pub kind: Option<EventType>,
    pub since: Option<DateTime<Utc>>,
    pub tag: Option<String>,
}

/// The open subscriptions of the owners whose events a transaction writes. Nobody else changes them meanwhile.
pub(super) type Subscribers = HashMap<UserId, Vec<Subscription>>;

/// A delivery that is to be made.
#[derive(Debug)]
pub(super) struct NewDelivery {
    pub(super) owner: UserId,
    pub(super) event: EventId,
    pub(super) subscription: SubscriptionId,
    pub(super) callback: Option<CallbackId>,
    /// See [`delivery::receiver_of_url`].
    pub(super) receiver: String,
    pub(super) fallback_of: Option<DeliveryId>,
    pub(super) method: Option<CallbackMethod>,
    /// JSON; none: made of the event.
    pub(super) body: Option<String>,
    pub(super) expects: Option<String>,
    pub(super) at: DateTime<Utc>,
}

row! {
    pub(super) struct EventRow {
        id: String,
        owner_id: String,
        kind: String,
        at: i64,
        tags: String,
        data: String,
    }
}

impl TryFrom<EventRow> for Event {
    type Error = StoreError;

    fn try_from(row: EventRow) -> Result<Self> {
        Ok(Self {
            id: parse(&row.id)?,
            owner: parse(&row.owner_id)?,
            kind: parse(&row.kind)?,
            at: time(row.at)?,
            tags: from_json(&row.tags)?,
            data: from_json(&row.data)?,
        })
    }
}

/// Writes an event and what comes of it.
pub(super) async fn emit(tx: &mut Write, new: NewEvent, mail: Option<(&NewNotice, RunId)>) -> Result<Event> {
    let event = write(tx, new).await?;
    if let Some((notice, run)) = mail {
        notices::add(tx, notice, run, event.at).await?;
    }
    let mut subscribers = match tx.subscribers.remove(&event.owner) {
        Some(subscribers) => subscribers,
        None => subscriptions::open(tx, event.owner, event.at).await?,
    };
    if !subscribers.is_empty() {
        let view = event.view();
        for subscriber in subscribers.iter_mut().filter(|subscriber| subscriber.wants(&event, &view)) {
            notify(tx, subscriber, &event, None).await?;
            subscriber.matched += 1;
        }
    }
    tx.subscribers.insert(event.owner, subscribers);
    Ok(event)
}

async fn write(tx: &mut Write, new: NewEvent) -> Result<Event> {
    let NewEvent { owner, kind, at, about, data, hops } = new;
    let event = Event { id: EventId::new(), owner, kind, at, tags: event::tags(kind, about), data };
    sqlx::query(
        "INSERT INTO events (id, owner_id, type, at, tags, data_type, data, hops, run_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(event.id.to_string())
    .bind(owner.to_string())
    .bind(kind.as_str())
    .bind(millis(at))
    .bind(to_json(&event.tags)?)
    .bind(kind.parts().0)
    .bind(to_json(&event.data)?)
    .bind(hops)
    .bind(event.data["run"].as_str())
    .execute(&mut **tx)
    .await?;
    Ok(event)
}

/// Sends an event on its way to a subscription. `body`: instead of what is made of the event.
async fn notify(tx: &mut Write, to: &Subscription, event: &Event, body: Option<String>) -> Result<()> {
    let is_topic = matches!(to.target, Target::Topic(_));
    let has_ended = is_topic && to.mode == SubscriptionMode::Once;
    subscriptions::note_match(tx, to, event.at, has_ended).await?;
    let (callback, receiver) = match &to.target {
        Target::Topic(topic) => return publish(tx, topic, event).await,
        Target::Callback(callback) => (Some(*callback), delivery::receiver_of_callback(*callback)),
        Target::Url { url, .. } => (None, delivery::receiver_of_url(url)),
        Target::Gone => return Ok(()), // it has ended, so it wants nothing
    };
    let delivery = NewDelivery {
        owner: to.owner,
        event: event.id,
        subscription: to.id,
        callback,
        receiver,
        fallback_of: None,
        method: None,
        body,
        expects: None,
        at: event.at,
    };
    deliver(tx, &delivery).await.map(drop)
}

async fn publish(tx: &mut Write, topic: &TopicName, event: &Event) -> Result<()> {
    sqlx::query("INSERT INTO topic_events (owner_id, topic, event_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
        .bind(event.owner.to_string())
        .bind(topic.as_str())
        .bind(event.id.to_string())
        .execute(&mut **tx)
        .await?;
    tx.news.topics = true;
    Ok(())
}

/// Queues a delivery, due at once.
pub(super) async fn deliver(tx: &mut Write, new: &NewDelivery) -> Result<DeliveryId> {
    let id = DeliveryId::new();
    sqlx::query(
        "INSERT INTO deliveries (id, owner_id, event_id, subscription_id, callback_id, fallback_of, method, body, expects,
             status, next_attempt_at, created_at, receiver)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'pending', $10, $10, $11)",
    )
    .bind(id.to_string())
    .bind(new.owner.to_string())
    .bind(new.event.to_string())
    .bind(new.subscription.to_string())
    .bind(new.callback.map(CallbackId::number))
    .bind(new.fallback_of.map(|delivery| delivery.to_string()))
    .bind(new.method.map(CallbackMethod::as_str))
    .bind(&new.body)
    .bind(&new.expects)
    .bind(millis(new.at))
    .bind(&new.receiver)
    .execute(&mut **tx)
    .await?;
    tx.news.deliveries = true;
    Ok(id)
}

/// Tells those who wait for the end of a run. `result` is what it answered, if that is to be sent along.
pub(super) async fn end_task(tx: &mut Write, run: RunId, event: &Event, result: Option<&Value>) -> Result<()> {
    let waiting = subscriptions::of_run(tx, run).await?;
    if waiting.is_empty() {
        return Ok(());
    }
    let (run, _) = runs::read(tx, run).await?;
    for subscription in waiting {
        let body = notification::of_task(subscription.id, event, &run, result);
        notify(tx, &subscription, event, Some(body.to_string())).await?;
    }
    Ok(())
}

/// Calls a declared callback of a run's hook.
pub(super) async fn call_back(tx: &mut Write, run: RunId, new: &NewDeclared, at: DateTime<Utc>) -> Result<()> {
    let (run, path) = runs::read(tx, run).await?;
    let data = json!({"run": run.id, "hook": run.hook, "path": path, "callback": new.name, "body": new.body});
    let about = vec![event::hook_tag(run.hook), event::run_tag(run.id)];
    let (kind, hops) = (EventType::RunCallback, runs::hops(tx, run.id).await?);
    let event = emit(tx, NewEvent { owner: run.owner, kind, at, about, data, hops }, None).await?;
    let subscription = Subscription {
        id: SubscriptionId::new(),
        owner: run.owner,
        kind: SubscriptionKind::Declared,
        mode: SubscriptionMode::Once,
        status: SubscriptionStatus::Active,
        target: Target::Url { url: new.url.clone(), secrets: new.secrets.clone() },
        run: Some(run.id),
        tags: Vec::new(),
        filters: Vec::new(),
        matched: 1,
        expires_at: None,
        created_at: at,
        ended_at: None,
    };
    subscriptions::insert(tx, &subscription).await?;
    let delivery = NewDelivery {
        owner: run.owner,
        event: event.id,
        subscription: subscription.id,
        callback: None,
        receiver: delivery::receiver_of_url(&new.url),
        fallback_of: None,
        method: Some(new.method),
        body: Some(new.body.to_string()),
        expects: new.expects.as_ref().map(ToString::to_string),
        at,
    };
    deliver(tx, &delivery).await.map(drop)
}

impl Database {
    /// Calls declared callbacks of a run's hook.
    pub async fn call_back(&self, run: RunId, all: &[NewDeclared], now: DateTime<Utc>) -> Result<()> {
        let mut tx = self.write().await?;
        for new in all {
            call_back(&mut tx, run, new, now).await?;
        }
        tx.commit().await
    }

    pub async fn event(&self, id: EventId) -> Result<Option<Event>> {
        let row: Option<EventRow> =
            sqlx::query_as("SELECT id, owner_id, type AS kind, at, tags, data FROM events WHERE id = $1")
                .bind(id.to_string())
                .fetch_optional(&self.pool)
                .await?;
        row.map(Event::try_from).transpose()
    }

    /// The first events that tell of a run, the oldest first.
    pub async fn events_of_run(&self, run: RunId, most: u32) -> Result<Vec<Event>> {
        let rows: Vec<EventRow> = sqlx::query_as(
            "SELECT id, owner_id, type AS kind, at, tags, data FROM events WHERE run_id = $1 ORDER BY id LIMIT $2",
        )
        .bind(run.to_string())
        .bind(most)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(Event::try_from).collect()
    }

    /// Events, newest first.
    pub async fn events(&self, filter: &EventFilter, page: Page) -> Result<Vec<Event>> {
        // A tag as it stands among others; `LIKE` would make no difference between upper and lower case.
        let rows: Vec<EventRow> = sqlx::query_as(
            "SELECT id, owner_id, type AS kind, at, tags, data FROM events WHERE ($1 IS NULL OR owner_id = $1)
             AND ($2 IS NULL OR type = $2) AND ($3 IS NULL OR at >= $3) AND ($4 IS NULL OR REPLACE(tags, $4, '') <> tags)
             ORDER BY id DESC LIMIT $5 OFFSET $6",
        )
        .bind(filter.owner.map(|owner| owner.to_string()))
        .bind(filter.kind.map(EventType::as_str))
        .bind(filter.since.map(millis))
        .bind(filter.tag.as_ref().map(to_json).transpose()?)
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(Event::try_from).collect()
    }
}
