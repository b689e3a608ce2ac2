//! `/v1/runs/{id}/events`: what happens in a run, as server-sent events (WHATWG HTML, section 9.2).

use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::Bytes;
use futures_util::stream;
use tokio::time::timeout;

use super::error::ApiError;
use super::hooks::Id;
use super::tasks;
use crate::model::{RunEvent, RunId};
use crate::service::{Events, Service};

/// After how much silence a comment is sent, so that proxies keep the connection and a reader that is gone is noticed.
pub(super) const SILENCE: Duration = Duration::from_secs(15);
pub(super) const STILL_THERE: Bytes = Bytes::from_static(b": still there\n\n");
pub(super) const MEDIA_TYPE: &str = "text/event-stream";

/// How an answer begins whose events are still to come.
pub(super) fn head() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, MEDIA_TYPE))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_ENCODING, "identity")) // compressed, events would wait for one another
        .insert_header((HeaderName::from_static("x-accel-buffering"), "no"));
    response
}

pub(super) async fn of_run(
    service: web::Data<Service>,
    request: HttpRequest,
    id: Id<RunId>,
) -> Result<HttpResponse, ApiError> {
    let asker = tasks::asker(&request).await?;
    let seen = request.headers().get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok()).unwrap_or(0);
    let mut response = head();
    let events = match service.events(&asker, id.0, seen).await? {
        Events::Past(events) => return Ok(response.body(text(&events))),
        Events::Live(watching) => watching,
    };
    let stream = stream::unfold(events, async |mut events| {
        let piece = match timeout(SILENCE, events.next()).await {
            Err(_) => STILL_THERE,
            Ok(Some(news)) => Bytes::from(text(&news)),
            Ok(None) => return None,
        };
        Some((Ok::<_, std::convert::Infallible>(piece), events))
    });
    Ok(response.streaming(stream))
}

fn text(events: &[(u64, RunEvent)]) -> String {
    let one = |(number, event): &(u64, RunEvent)| {
        let data = serde_json::to_string(event).unwrap_or_default(); // has no line breaks
        format!("id: {number}\nevent: {}\ndata: {data}\n\n", event.name())
    };
    events.iter().map(one).collect()
}
