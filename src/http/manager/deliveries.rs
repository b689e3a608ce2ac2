//! Deliveries: their list, and one with its attempts and what it sends.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::callbacks;
use super::page::Page;
use super::part::{Part, pretty};
use crate::http::deliveries::{listed, whole};
use crate::http::error::ApiError;
use crate::http::hooks::Id;
use crate::http::reply;
use crate::model::{CallbackId, Delivery, DeliveryId, DeliveryStatus, EventId, SubscriptionId, Target, delivery};
use crate::service::{Asker, DeliveryQuery, Error};

/// A delivery, what came of it last, and whether it is over.
pub(super) fn brief(delivery: &Delivery) -> Value {
    let mut view = listed(delivery);
    let last = delivery.attempts.last();
    view["last"] = match last {
        Some(last) => json!({"at": reply::time(last.at), "status_code": last.status_code, "error": last.error}),
        None => Value::Null,
    };
    view["tries"] = delivery.attempts.len().into();
    view["is_over"] = delivery.status.is_final().into();
    view
}

/// Where deliveries go, as their owner knows it: asked for once per receiver.
struct Receivers<'a> {
    page: &'a Page,
    known: HashMap<String, Value>,
}

impl Receivers<'_> {
    async fn of(&mut self, delivery: &Delivery) -> Result<Value, ApiError> {
        let key = format!("{:?} {}", delivery.callback, delivery.subscription);
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let found = receiver(self.page, delivery).await?;
        self.known.insert(key, found.clone());
        Ok(found)
    }
}

async fn receiver(page: &Page, delivery: &Delivery) -> Result<Value, ApiError> {
    if let Some(id) = delivery.callback {
        return match page.service.callback(&page.caller, id).await {
            Ok((callback, _)) => {
                let host = delivery::receiver_of_url(&callback.config.url);
                Ok(json!({"callback": id, "name": callback.name, "host": host, "is_enabled": callback.enabled}))
            }
            Err(Error::NotFound(_)) => Ok(Value::Null),
            Err(other) => Err(other.into()),
        };
    }
    match page.service.subscription(&Asker::User(page.caller.clone()), delivery.subscription).await {
        Ok(subscription) => match &subscription.target {
            Target::Url { url, .. } => {
                Ok(json!({"callback": null, "name": null, "host": delivery::receiver_of_url(url)}))
            }
            _ => Ok(Value::Null),
        },
        Err(Error::NotFound(_)) => Ok(Value::Null),
        Err(other) => Err(other.into()),
    }
}

/// Deliveries as a list shows them.
pub(super) async fn rows(page: &Page, deliveries: &[Delivery]) -> Result<Vec<Value>, ApiError> {
    let mut receivers = Receivers { page, known: HashMap::new() };
    let mut rows = Vec::with_capacity(deliveries.len());
    for delivery in deliveries {
        let mut row = brief(delivery);
        row["receiver"] = receivers.of(delivery).await?;
        rows.push(row);
    }
    Ok(rows)
}

pub(super) async fn list(page: Page, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let part = Part::of(&request)?;
    let query = DeliveryQuery {
        status: part.field::<DeliveryStatus>("status", "must be a status of deliveries")?,
        callback: part.field::<CallbackId>("callback", "must be the id of a callback")?,
        subscription: part.field::<SubscriptionId>("subscription", "must be the id of a subscription")?,
        event: part.field::<EventId>("event", "must be the id of an event")?,
        since: part.time("since")?,
    };
    let found = page.service.deliveries(&page.caller, query, part.page()).await?;
    let (shown, list) = part.shown(found);
    let context = json!({
        "deliveries": rows(&page, &shown).await?,
        "list": list,
        "statuses": DeliveryStatus::ALL,
        "callbacks": callbacks::offered(&page).await?,
    });
    page.render("deliveries", context)
}

pub(super) async fn show(page: Page, id: Id<DeliveryId>) -> Result<HttpResponse, ApiError> {
    let delivery = page.service.delivery(&page.caller, id.0).await?;
    let mut view = whole(&delivery);
    view["is_over"] = delivery.status.is_final().into();
    let body = page.service.delivery_body(&page.caller, &delivery).await?;
    let receiver = receiver(&page, &delivery).await?;
    page.render("delivery", json!({"delivery": view, "receiver": receiver, "payload": pretty(&body)}))
}
