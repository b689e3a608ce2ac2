//! One run: its cells and how far they came, what it was given, what it answered, and what came of it elsewhere.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ContentType};
use serde_json::{Value, json};

use super::page::Page;
use super::{cells, deliveries};
use crate::http::error::ApiError;
use crate::http::hooks::Id;
use crate::http::{reply, runs};
use crate::model::{Event, Mode, RunId};
use crate::service::RunView;

/// What a notebook made: no script runs, nothing is fetched, and it has an origin of its own.
const STILL: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:";

pub(super) async fn show(page: Page, id: Id<RunId>) -> Result<HttpResponse, ApiError> {
    let view = page.service.run_view(&page.caller, id.0).await?;
    let mut shown = runs::view(&view.run, &page.service);
    shown["path"] = json!(view.path);
    shown["is_final"] = view.run.state.is_final().into();
    let (cells, parameters) = cells::of(&view);
    let ended = cells.iter().chain(&parameters).filter(|cell| cells::has_ended(cell)).count();
    let events: Vec<_> = view.events.iter().map(Event::view).collect();
    page.render(
        "run",
        json!({
            "run": shown,
            "has_hook": view.has_hook,
            "has_version": view.has_version,
            "has_output": view.has_output,
            "cells": cells,
            "more_cells": view.notebook.more_cells,
            "parameters": parameters,
            "ended": ended,
            "traceback": view.traceback,
            "answer": answer(&view),
            "events": events,
            "deliveries": deliveries::rows(&page, &view.deliveries).await?,
        }),
    )
}

/// Whether the answer can be fetched, and if not, why.
fn answer(view: &RunView) -> Value {
    let why = match (view.run.mode, view.answer_until) {
        (_, Some(_)) => None,
        (Mode::Sync, None) => {
            Some("It is not kept: its caller waited for it and got it, and such answers are not kept.")
        }
        (Mode::Async, None) if !view.run.state.is_final() => None,
        (Mode::Async, None) => Some("It is no longer kept: answers are there for a time."),
    };
    json!({"until": view.answer_until.map(reply::time), "why_not": why})
}

/// The executed notebook, for a frame of the run's page.
pub(super) async fn frame(page: Page, id: Id<RunId>) -> Result<HttpResponse, ApiError> {
    let html = page.service.run_page(&page.caller, id.0).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header(ContentType::html()).insert_header((CONTENT_SECURITY_POLICY, STILL));
    Ok(response.insert_header((CACHE_CONTROL, "private, no-cache")).body(html))
}
