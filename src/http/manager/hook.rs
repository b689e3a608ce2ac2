//! One hook: how it is called, its runs, versions and settings; and two versions side by side.

use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};

use super::page::Page;
use crate::http::body;
use crate::http::error::ApiError;
use crate::http::hooks::{HookView, Id};
use crate::http::reply;
use crate::http::versions::VersionView;
use crate::model::{self, Histo, Hook, HookId};
use crate::service::{CallGuide, RunQuery};

/// What a page lists at most.
const RUNS: u32 = 20;
const MOST: u32 = 200;

/// The parts of the page, each by its own address.
const TABS: [(&str, &str); 5] = [
    ("call", "Call"),
    ("runs", "Runs and outputs"),
    ("versions", "Versions"),
    ("callbacks", "Declared callbacks"),
    ("settings", "Settings"),
];

fn field(request: &HttpRequest, name: &str) -> Option<String> {
    body::query(request).into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

fn first(limit: u32) -> model::Page {
    model::Page { limit, offset: 0 }
}

pub(super) async fn show(page: Page, id: Id<HookId>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let hook = page.service.hook(&page.caller, id.0).await?;
    let asked = field(&request, "tab").unwrap_or_default();
    let tab = TABS.iter().map(|(name, _)| *name).find(|name| *name == asked).unwrap_or("call");
    let guide = page.service.call_guide(&hook).await?;
    let mut context = head(&page, &hook, &guide);
    let more = match tab {
        "runs" => runs(&page, &hook).await?,
        "versions" => json!({"versions": versions(&page, &hook).await?}),
        "callbacks" => json!({"callbacks": callbacks(&guide)}),
        "settings" => settings(&page, &hook).await?,
        _ => call(&hook, &guide),
    };
    context.insert("tab".to_owned(), tab.into());
    context.extend(more.as_object().cloned().unwrap_or_default());
    page.render("hook", context)
}

/// What stands above every part.
fn head(page: &Page, hook: &Hook, guide: &CallGuide) -> Map<String, Value> {
    let tabs: Vec<Value> = TABS
        .iter()
        .filter(|(name, _)| *name != "callbacks" || guide.callbacks.is_some())
        .map(|(name, label)| json!({"name": name, "label": label}))
        .collect();
    Map::from_iter([
        ("hook".to_owned(), json!(HookView::new(hook, &page.service))),
        ("place".to_owned(), json!(place(page, hook))),
        ("tabs".to_owned(), tabs.into()),
        ("title".to_owned(), json!(guide.title)),
        ("text".to_owned(), json!(guide.text)),
    ])
}

/// Where it is called, by the path alone: a browser may know this server by another name than its public one.
fn place(page: &Page, hook: &Hook) -> String {
    format!("{}/hooks/{}", page.service.public_path(), hook.token.expose())
}

fn call(hook: &Hook, guide: &CallGuide) -> Value {
    let signed = hook.params.signature.as_ref().map(model::Signature::scheme);
    json!({"form": guide.form, "snippets": guide.snippets, "signed": signed})
}

async fn runs(page: &Page, hook: &Hook) -> Result<Value, ApiError> {
    let query = RunQuery { hook: Some(hook.id), ..RunQuery::default() };
    let runs = page.service.runs(&page.caller, query, first(RUNS)).await?;
    let outputs = page.service.outputs(&page.caller, hook.id, first(RUNS)).await?;
    let kept = page.service.kept(hook).await?;
    Ok(json!({"runs": runs, "outputs": outputs, "outputs_in_all": kept.outputs, "output_bytes": kept.output_bytes}))
}

async fn versions(page: &Page, hook: &Hook) -> Result<Vec<Value>, ApiError> {
    let versions = page.service.versions(&page.caller, hook.id, first(MOST)).await?;
    Ok(versions.iter().map(|version| json!(VersionView::new(version))).collect())
}

fn callbacks(guide: &CallGuide) -> Vec<Value> {
    let declared = guide.callbacks.iter().flat_map(model::DeclaredCallbacks::iter);
    declared
        .map(|one| {
            json!({
                "name": one.name,
                "url": one.key,
                "method": one.method,
                "summary": one.summary,
                "body": one.body.as_ref().map(model::describe),
                "response": one.response.as_ref().map(model::describe),
            })
        })
        .collect()
}

async fn settings(page: &Page, hook: &Hook) -> Result<Value, ApiError> {
    let kept = page.service.kept(hook).await?;
    let bytes = kept.version_bytes + kept.output_bytes;
    let env = serde_json::to_string_pretty(&hook.params.env).unwrap_or_default();
    let kept = json!({"versions": kept.versions, "runs": kept.runs, "outputs": kept.outputs, "bytes": bytes});
    Ok(json!({"kept": kept, "env": env}))
}

/// Two versions: those that are asked for, else the live one and the one before it.
pub(super) async fn diff(page: Page, id: Id<HookId>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let hook = page.service.hook(&page.caller, id.0).await?;
    let versions = page.service.versions(&page.caller, hook.id, first(MOST)).await?;
    let asked = |name: &str| -> Result<Option<Histo>, ApiError> {
        let text = field(&request, name).filter(|text| !text.is_empty());
        text.map(|text| text.parse().map_err(|_| ApiError::not_found("version"))).transpose()
    };
    let to = asked("to")?.unwrap_or_else(|| hook.histo.clone());
    let older = versions.iter().map(|version| &version.histo).find(|histo| **histo < to);
    let from = asked("from")?.or_else(|| older.cloned()).unwrap_or_else(|| to.clone());
    let diff = json!(page.service.version_diff(&page.caller, hook.id, from.clone(), to.clone()).await?);
    let views: Vec<Value> = versions.iter().map(|version| json!(VersionView::new(version))).collect();
    let context = json!({
        "hook": HookView::new(&hook, &page.service),
        "versions": views,
        "from": from,
        "to": to,
        "cells": folded(&diff["cells"]),
        "diff": diff,
        "at": reply::time(hook.updated_at),
    });
    page.render("hook_diff", context)
}

/// Cells that did not change, as one: how many there are in a row.
fn folded(cells: &Value) -> Vec<Value> {
    let mut folded: Vec<Value> = Vec::new();
    for cell in cells.as_array().into_iter().flatten() {
        match folded.last_mut() {
            Some(last) if cell["kind"] == "same" && last["kind"] == "same" => {
                last["count"] = json!(last["count"].as_u64().unwrap_or_default() + 1);
            }
            _ if cell["kind"] == "same" => folded.push(json!({"kind": "same", "count": 1})),
            _ => folded.push(cell.clone()),
        }
    }
    folded
}
