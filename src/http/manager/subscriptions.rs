//! Subscriptions: their list, one, and the form for a new one.

use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::callbacks;
use super::deliveries::rows;
use super::page::Page;
use super::part::Part;
use crate::http::error::ApiError;
use crate::http::hooks::Id;
use crate::http::subscriptions::view;
use crate::model::{self, EventType, Subscription, SubscriptionId, SubscriptionKind, SubscriptionStatus};
use crate::service::{Asker, DeliveryQuery, SubscriptionQuery};

/// As many hooks as the form offers.
const HOOKS: model::Page = model::Page { limit: 250, offset: 0 };
/// Deliveries that a subscription's page shows.
const LAST: model::Page = model::Page { limit: 10, offset: 0 };

fn shown(subscription: &Subscription) -> Value {
    let mut view = view(subscription, "");
    view["is_open"] = matches!(subscription.status, SubscriptionStatus::Pending | SubscriptionStatus::Active).into();
    view["filters"] = subscription.filters.iter().map(|filter| json!(filter).to_string()).collect();
    view
}

pub(super) async fn list(page: Page, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let part = Part::of(&request)?;
    let query = SubscriptionQuery {
        status: part.field::<SubscriptionStatus>("status", "must be a status of subscriptions")?,
        kind: part.field::<SubscriptionKind>("kind", "must be events, task or declared")?,
        topic: None,
    };
    let found = page.service.subscriptions(&page.caller, query, part.page()).await?;
    let (found, list) = part.shown(found);
    let subscriptions: Vec<_> = found.iter().map(shown).collect();
    let context = json!({"subscriptions": subscriptions, "list": list, "statuses": SubscriptionStatus::ALL});
    page.render("subscriptions", context)
}

pub(super) async fn show(page: Page, id: Id<SubscriptionId>) -> Result<HttpResponse, ApiError> {
    let found = page.service.subscription(&Asker::User(page.caller.clone()), id.0).await?;
    let query = DeliveryQuery { subscription: Some(id.0), ..DeliveryQuery::default() };
    let deliveries = page.service.deliveries(&page.caller, query, LAST).await?;
    let context = json!({"subscription": shown(&found), "deliveries": rows(&page, &deliveries).await?});
    page.render("subscription", context)
}

pub(super) async fn form(page: Page) -> Result<HttpResponse, ApiError> {
    let hooks = page.service.hooks(&page.caller, None, None, HOOKS).await?;
    let hooks: Vec<_> = hooks
        .iter()
        .filter(|hook| hook.owner == page.caller.user) // events are told to their owner
        .map(|hook| json!({"id": hook.id, "path": hook.path}))
        .collect();
    let mut callbacks = callbacks::offered(&page).await?;
    callbacks.retain(|callback| callback["user"].is_null() || callback["user"] == json!(page.caller.name));
    let types: Vec<_> = EventType::ALL
        .map(|kind| {
            let (subject, what) = kind.parts();
            json!({"name": kind.as_str(), "subject": subject, "what": what})
        })
        .into();
    page.render("subscription_new", json!({"hooks": hooks, "callbacks": callbacks, "types": types}))
}
