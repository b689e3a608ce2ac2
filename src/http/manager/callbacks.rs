//! Callbacks: their list with the profiles of those who look after them, one, and the form that makes or changes one.

use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::deliveries::brief;
use super::page::Page;
use super::part::Part;
use crate::http::callbacks::view;
use crate::http::error::ApiError;
use crate::http::hooks::Id;
use crate::http::profiles;
use crate::model::{self, CallbackId, CallbackMethod};
use crate::service::{CallbackQuery, DeliveryQuery};

/// As many as a form offers.
const ALL: model::Page = model::Page { limit: 250, offset: 0 };
/// Deliveries that a callback's page shows.
const LAST: model::Page = model::Page { limit: 10, offset: 0 };

const ANY: CallbackQuery = CallbackQuery { user: None, name: None, profile: None, fallback: None };

/// The callbacks that a form offers.
pub(super) async fn offered(page: &Page) -> Result<Vec<Value>, ApiError> {
    let found = page.service.callbacks(&page.caller, ANY, ALL).await?;
    Ok(found.iter().map(|callback| view(&page.caller, callback)).collect())
}

async fn profiles(page: &Page) -> Result<Vec<Value>, ApiError> {
    let found = page.service.profiles(&page.caller, None, None, ALL).await?;
    Ok(found.iter().map(|profile| profiles::view(&page.caller, profile)).collect())
}

/// What was sent to a callback last.
async fn last(page: &Page, callback: CallbackId, many: model::Page) -> Result<Vec<Value>, ApiError> {
    let query = DeliveryQuery { callback: Some(callback), ..DeliveryQuery::default() };
    let found = page.service.deliveries(&page.caller, query, many).await?;
    Ok(found.iter().map(brief).collect())
}

pub(super) async fn list(page: Page, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let part = Part::of(&request)?;
    let found = page.service.callbacks(&page.caller, ANY, part.page()).await?;
    let (found, list) = part.shown(found);
    let mut shown = Vec::with_capacity(found.len());
    for callback in &found {
        let mut view = view(&page.caller, callback);
        let one = model::Page { limit: 1, offset: 0 };
        view["last"] = last(&page, callback.0.id, one).await?.pop().unwrap_or_default();
        shown.push(view);
    }
    page.render("callbacks", json!({"callbacks": shown, "list": list, "profiles": profiles(&page).await?}))
}

pub(super) async fn show(page: Page, id: Id<CallbackId>) -> Result<HttpResponse, ApiError> {
    let found = page.service.callback(&page.caller, id.0).await?;
    let context = json!({
        "callback": view(&page.caller, &found),
        "profile": match found.0.profile {
            Some(profile) => profiles::view(&page.caller, &page.service.profile(&page.caller, profile).await?),
            None => Value::Null,
        },
        "fallback": match found.0.fallback {
            Some(fallback) => view(&page.caller, &page.service.callback(&page.caller, fallback).await?),
            None => Value::Null,
        },
        "deliveries": last(&page, id.0, LAST).await?,
    });
    page.render("callback", context)
}

pub(super) async fn form(page: Page) -> Result<HttpResponse, ApiError> {
    filled_in(&page, Value::Null).await
}

pub(super) async fn edit(page: Page, id: Id<CallbackId>) -> Result<HttpResponse, ApiError> {
    let found = page.service.callback(&page.caller, id.0).await?;
    filled_in(&page, view(&page.caller, &found)).await
}

/// The form, with what is there of a callback, or for a new one.
async fn filled_in(page: &Page, callback: Value) -> Result<HttpResponse, ApiError> {
    let mut others = offered(page).await?;
    others.retain(|other| callback.is_null() || other["id"] != callback["id"]);
    let context = json!({
        "callback": callback,
        "others": others,
        "profiles": profiles(page).await?,
        "methods": CallbackMethod::ALL.map(CallbackMethod::as_str),
    });
    page.render("callback_form", context)
}
