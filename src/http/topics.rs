//! `/v1/topics/{name}/events`: the events of a topic, as server-sent events (WHATWG HTML, section 9.2).

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use tokio::time::timeout;

use super::auth::Authenticated;
use super::error::ApiError;
use super::events::{self, SILENCE};
use super::{accept, body};
use crate::model::{Event, EventId, Invalid, Owner, TopicName};
use crate::service::{Service, TopicFrom};

/// What a reader is told at once, so that it knows that it misses nothing from here on.
const OPEN: Bytes = Bytes::from_static(b": reading\n\n");

pub(super) async fn read(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
    name: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let topic: TopicName = name.parse().map_err(|_| ApiError::not_found("topic"))?;
    accept::chosen(&request, &[events::MEDIA_TYPE])?;
    let query = body::query(&request);
    let field = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let user = field("user").map(str::parse::<Owner>).transpose();
    let user = user.map_err(|_| Invalid::new("user", "must be the name of a user"))?;
    let from = from(&request, field("from"))?;
    let reader = service.read_topic(&caller, user.as_ref(), topic, from).await?;
    let first = stream::once(async { Ok::<_, std::convert::Infallible>(OPEN) });
    let rest = stream::unfold(reader, async |mut reader| {
        let piece = match timeout(SILENCE, reader.next()).await {
            Err(_) => events::STILL_THERE,
            Ok(Some(news)) => Bytes::from(news.iter().map(text).collect::<String>()),
            Ok(None) => return None,
        };
        Some((Ok(piece), reader))
    });
    Ok(events::head().streaming(futures_util::StreamExt::chain(first, rest)))
}

/// A reader that comes again says what it saw last; that goes before what its URL says.
fn from(request: &HttpRequest, from: Option<&str>) -> Result<TopicFrom, Invalid> {
    let after = |name: &str, id: &str| {
        let position = EventId::from_position(id).map(TopicFrom::After);
        position.ok_or_else(|| Invalid::new(name, "must be the id of an event"))
    };
    match request.headers().get("last-event-id").map(|id| id.to_str().unwrap_or("?")) {
        None | Some("") => {}
        Some(id) => return after("Last-Event-ID", id),
    }
    match from {
        // What came between the subscription and its first reader is not lost.
        None | Some("start") => Ok(TopicFrom::Start),
        Some("now") => Ok(TopicFrom::Now),
        Some(id) => after("from", id).map_err(|_| Invalid::new("from", "must be start, now, or the id of an event")),
    }
}

fn text(event: &Event) -> String {
    // JSON has no line breaks.
    format!("id: {}\nevent: {}\ndata: {}\n\n", event.id, event.kind, event.view())
}
