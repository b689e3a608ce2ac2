//! Deliveries on record: finding them, and having them sent again.

use chrono::{DateTime, Utc};

use serde_json::Value;

use super::{Error, Result, Service};
use crate::model::{
    CallbackId, Caller, Delivery, DeliveryId, DeliveryStatus, EventId, Page, SubscriptionId, notification,
};
use crate::store::DeliveryFilter;

/// Which deliveries a caller asks for.
#[derive(Debug, Default)]
pub struct DeliveryQuery {
    pub status: Option<DeliveryStatus>,
    pub callback: Option<CallbackId>,
    pub subscription: Option<SubscriptionId>,
    pub event: Option<EventId>,
    pub since: Option<DateTime<Utc>>,
}

impl Service {
    /// Deliveries that the caller may see, newest first.
    pub async fn deliveries(&self, caller: &Caller, query: DeliveryQuery, page: Page) -> Result<Vec<Delivery>> {
        let owner = self.scope(caller, "owner", None).await?;
        let DeliveryQuery { status, callback, subscription, event, since } = query;
        let filter = DeliveryFilter { owner, status, callback, subscription, event, since };
        Ok(self.db.deliveries(&filter, page).await?)
    }

    pub async fn delivery(&self, caller: &Caller, id: DeliveryId) -> Result<Delivery> {
        let delivery = self.db.delivery(id).await?;
        delivery.filter(|delivery| caller.may_touch(delivery.owner)).ok_or(Error::NotFound("delivery"))
    }

    /// What a delivery sends.
    pub async fn delivery_body(&self, caller: &Caller, delivery: &Delivery) -> Result<Value> {
        match self.db.delivery_body(delivery.id).await? {
            Some(body) => Ok(serde_json::from_str(&body).unwrap_or(Value::String(body))),
            None => Ok(notification::of_event(delivery.subscription, &self.event(caller, delivery.event).await?)),
        }
    }

    /// Sends again what has ended, however it did.
    ///
    /// # Errors
    /// `Conflict` when it has not ended, or nobody wants it any more.
    pub async fn retry_delivery(&self, caller: &Caller, id: DeliveryId) -> Result<Delivery> {
        let delivery = self.delivery(caller, id).await?;
        let refused = match delivery.status {
            DeliveryStatus::Cancelled => Some("the delivery was cancelled with its subscription"),
            status if !status.is_final() => Some("the delivery has not ended: it is still tried"),
            _ => None,
        };
        if let Some(refused) = refused {
            return Err(Error::Conflict(refused.to_owned()));
        }
        if self.db.retry_delivery(id, self.clock.now()).await? {
            return self.delivery(caller, id).await;
        }
        let closed = "nothing is sent there any more: the callback is disabled or gone, or the subscription is";
        Err(Error::Conflict(closed.to_owned()))
    }

    /// Sends again all that failed of a callback since a time; says how many that is.
    ///
    /// # Errors
    /// `Conflict` when the callback is disabled.
    pub async fn recover_callback(&self, caller: &Caller, id: CallbackId, since: DateTime<Utc>) -> Result<u64> {
        let (callback, _) = self.callback(caller, id).await?;
        if !callback.enabled {
            return Err(Error::Conflict("the callback is disabled: enable it first".to_owned()));
        }
        Ok(self.db.recover_deliveries(id, since, self.clock.now()).await?)
    }
}
