//! Subscriptions: making, finding and cancelling what binds events to a URL, a callback or a topic.

use chrono::{DateTime, Utc};

use super::tasks::Asker;
use super::{Error, Result, Service};
use crate::model::{
    CallbackId, Caller, Filter, Invalid, Page, SigningSecret, Subscription, SubscriptionId, SubscriptionKind,
    SubscriptionMode, SubscriptionStatus, Target, TopicName,
};
use crate::store::{Subscribed, SubscriptionFilter};
use crate::webhook::Refused;

/// Most open subscriptions of a user: each of them is held against every event of theirs.
const MOST_OPEN: i64 = 1_000;
/// Ended subscriptions that go in one transaction.
const MANY: u32 = 500;

/// Where the events of a wished-for subscription are to go.
#[derive(Debug)]
pub enum Aim {
    Url(String),
    Callback(CallbackId),
    Topic(TopicName),
}

/// A subscription that is wished for.
#[derive(Debug)]
pub struct NewSubscription {
    pub aim: Aim,
    /// None: all events for a topic, one for anything else.
    pub mode: Option<SubscriptionMode>,
    pub tags: Vec<Vec<String>>,
    pub filters: Vec<Filter>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// Which subscriptions a caller asks for.
#[derive(Debug, Default)]
pub struct SubscriptionQuery {
    pub status: Option<SubscriptionStatus>,
    pub kind: Option<SubscriptionKind>,
    pub topic: Option<TopicName>,
}

impl Service {
    /// Makes a subscription to events of the caller. If it goes to a URL, it has the secret that its receiver is to be told.
    pub async fn subscribe(&self, caller: &Caller, new: NewSubscription) -> Result<Subscription> {
        let now = self.clock.now();
        if new.expires_at.is_some_and(|end| end <= now) {
            return Err(Invalid::new("expires_at", "must be in the future").into());
        }
        let otherwise = match new.aim {
            Aim::Topic(_) => SubscriptionMode::Continuous, // one event alone would need no topic
            Aim::Url(_) | Aim::Callback(_) => SubscriptionMode::Once,
        };
        let subscription = Subscription {
            id: SubscriptionId::new(),
            owner: caller.user,
            kind: SubscriptionKind::Events,
            mode: new.mode.unwrap_or(otherwise),
            status: SubscriptionStatus::Active,
            target: match new.aim {
                Aim::Url(url) => self.receiver(url).await?,
                Aim::Callback(callback) => Target::Callback(callback),
                Aim::Topic(topic) => Target::Topic(topic),
            },
            run: None,
            tags: new.tags,
            filters: new.filters,
            matched: 0,
            expires_at: new.expires_at,
            created_at: now,
            ended_at: None,
        };
        match self.db.subscribe(&subscription, MOST_OPEN).await? {
            Subscribed::Done => Ok(subscription),
            Subscribed::NoCallback => Err(Invalid::new("callback_id", "is the id of no callback of yours").into()),
            Subscribed::TooMany => Err(Error::Forbidden(format!(
                "a user may have {MOST_OPEN} open subscriptions at most: cancel some of them"
            ))),
        }
    }

    /// A URL that may be sent to, with a secret of its own.
    pub(super) async fn receiver(&self, url: String) -> Result<Target> {
        self.webhooks.check(&url).await.map_err(|refused| match refused {
            Refused::Forbidden(why) => Error::Forbidden(format!("callbackUrl: {why}")),
            Refused::Malformed(why) | Refused::Unresolvable(why) => Invalid::new("callbackUrl", why).into(),
        })?;
        let secret = SigningSecret::from_random(self.random.bits256()?);
        Ok(Target::Url { url, secrets: vec![secret] })
    }

    /// Subscriptions that the caller may see, newest first.
    pub async fn subscriptions(
        &self,
        caller: &Caller,
        query: SubscriptionQuery,
        page: Page,
    ) -> Result<Vec<Subscription>> {
        let owner = self.scope(caller, "owner", None).await?;
        self.unsaved.settled().await;
        let now = self.clock.now();
        let filter = SubscriptionFilter { owner, status: query.status, kind: query.kind, topic: query.topic };
        let found = self.db.subscriptions(&filter, now, page).await?;
        Ok(found.into_iter().map(|subscription| as_it_is(subscription, now)).collect())
    }

    /// A subscription, for its owner, or for the caller of the run whose end it tells.
    pub async fn subscription(&self, asker: &Asker, id: SubscriptionId) -> Result<Subscription> {
        self.unsaved.settled().await;
        let found = self.db.subscription(id).await?.filter(|subscription| match asker {
            Asker::User(caller) => caller.may_touch(subscription.owner),
            Asker::Key(key) => {
                let run = subscription.run.filter(|_| subscription.kind == SubscriptionKind::Task);
                run.is_some_and(|run| self.is_key_of(run, key))
            }
        });
        found.map(|found| as_it_is(found, self.clock.now())).ok_or(Error::NotFound("subscription"))
    }

    /// From now on nothing is sent, also nothing that was tried before.
    ///
    /// # Errors
    /// `Forbidden` when it has ended already.
    pub async fn cancel_subscription(&self, asker: &Asker, id: SubscriptionId) -> Result<Subscription> {
        let before = self.subscription(asker, id).await?;
        if self.with_reserve(|| self.db.cancel_subscription(id, self.clock.now())).await? {
            return self.subscription(asker, id).await;
        }
        let now = self.db.subscription(id).await?.map_or(before.status, |found| found.status_at(self.clock.now()));
        Err(Error::Forbidden(format!("the subscription is {now}: it cannot be cancelled")))
    }

    /// Puts on record whose time has passed, and removes what ended long ago and nothing refers to.
    pub(super) async fn sweep_subscriptions(&self, now: DateTime<Utc>) -> Result<()> {
        self.with_reserve(|| self.db.expire_subscriptions(now)).await?;
        let days = self.settings.outbound.keep_days;
        if days == 0 {
            return Ok(());
        }
        let then = now - chrono::Duration::days(days.into());
        while self.with_reserve(|| self.db.remove_ended_subscriptions(then, MANY)).await? == u64::from(MANY) {}
        Ok(())
    }
}

fn as_it_is(subscription: Subscription, now: DateTime<Utc>) -> Subscription {
    let status = subscription.status_at(now);
    let ended_at = subscription.ended_at.or(subscription.expires_at.filter(|_| status == SubscriptionStatus::Expired));
    Subscription { status, ended_at, ..subscription }
}
