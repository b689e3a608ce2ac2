//! Request bodies, bounded: read, and parsed by their media type. Multipart forms are in `multipart.rs`.

use std::io;
use std::pin::pin;

use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING, UPGRADE};
use actix_web::{HttpRequest, web};
use futures_util::{Stream, StreamExt as _, stream};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use super::error::ApiError;
use super::{json, multipart};
use crate::model::{Invalid, is_json};
use crate::service::{Body, BodyPart, Service};

/// How long a whole body may take, as a multiple of the longest pause in it.
const WHOLE_BODY: u32 = 20;
/// How much of the memory for bodies a piece of JSON or of a form takes when it is parsed, as a multiple of its size: `[1,1,…]` takes as
/// much.
const PARSED: usize = 26;

/// The URL's query as pairs; keys may repeat.
pub(super) fn query(request: &HttpRequest) -> Vec<(String, String)> {
    serde_urlencoded::from_str(request.query_string()).unwrap_or_default()
}

/// A field of the query that says yes or no.
pub(super) fn flag(request: &HttpRequest, name: &str, otherwise: bool) -> Result<bool, Invalid> {
    match query(request).into_iter().find(|(key, _)| key == name) {
        None => Ok(otherwise),
        Some((_, value)) => match value.as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(Invalid::new(name, "must be true or false")),
        },
    }
}

/// The body's media type without parameters, lowercase; empty if none is given.
pub(super) fn media_type(request: &HttpRequest) -> String {
    content_type(request).split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

pub(super) fn content_type(request: &HttpRequest) -> &str {
    request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The pieces of a body, up to so many bytes; a client that stops sending is not waited for.
pub(super) fn bounded(
    payload: web::Payload,
    service: &Service,
    limit: usize,
) -> impl Stream<Item = Result<web::Bytes, PayloadError>> + use<> {
    let patience = service.body_timeout();
    let end = Instant::now() + patience * WHOLE_BODY;
    stream::unfold(Some((payload, limit)), move |state| async move {
        let (mut payload, left) = state?;
        let next = timeout_at(end.min(Instant::now() + patience), payload.next()).await;
        let piece = match next {
            Err(_) => Err(PayloadError::Io(io::ErrorKind::TimedOut.into())),
            Ok(piece) => piece?,
        };
        Some(match piece.map(|piece| (left.checked_sub(piece.len()), piece)) {
            Ok((Some(left), piece)) => (Ok(piece), Some((payload, left))),
            Ok((None, _)) => (Err(PayloadError::Overflow), None),
            Err(error) => (Err(error), None),
        })
    })
    .fuse() // forms ask again after the end
}

/// Refuses a body that says it is too large before any of it is read.
pub(super) fn refuse_large(request: &HttpRequest, limit: usize) -> Result<(), ApiError> {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    match length {
        Some(length) if length > limit as u64 => Err(ApiError::too_large(limit)),
        _ => Ok(()),
    }
}

/// Whether the client wants to go on as a WebSocket: then actix gives all that follows as a body, which has no end.
fn is_websocket(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let upgrade = headers.get(UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"))
        && !headers.contains_key(CONTENT_LENGTH)
        && !headers.contains_key(TRANSFER_ENCODING)
}

/// Reads a whole body.
async fn read(payload: web::Payload, service: &Service, limit: usize) -> Result<Vec<u8>, ApiError> {
    read_into(payload, service, limit, None).await
}

/// Reads a whole body, in the room for it.
async fn read_into(
    payload: web::Payload,
    service: &Service,
    limit: usize,
    mut room: Option<&mut BodyPart>,
) -> Result<Vec<u8>, ApiError> {
    let mut pieces = pin!(bounded(payload, service, limit));
    let mut body = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| unreadable(&error, limit))?;
        if let Some(room) = &mut room {
            room.grow_to(body.len() + piece.len())?;
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

pub(super) fn unreadable(error: &PayloadError, limit: usize) -> ApiError {
    match error {
        PayloadError::Overflow => ApiError::too_large(limit),
        PayloadError::Io(error) if error.kind() == io::ErrorKind::TimedOut => ApiError::too_slow(),
        error => Invalid::new("body", error.to_string()).into(),
    }
}

/// Reads a JSON body.
pub(super) async fn json<T: DeserializeOwned>(payload: web::Payload, service: &Service) -> Result<T, ApiError> {
    Ok(json::parse("body", &read(payload, service, service.body_limit()).await?)?)
}

/// Reads and parses the body of a call of a hook.
pub(super) async fn of_call(
    request: &HttpRequest,
    payload: web::Payload,
    service: &Service,
    room: &mut BodyPart,
) -> Result<Body, ApiError> {
    if is_websocket(request) {
        return Ok(Body::Empty); // an upgrade that is not taken; what follows is no body
    }
    refuse_large(request, service.body_limit())?;
    if media_type(request) == "multipart/form-data" {
        return multipart::form(request, bounded(payload, service, service.body_limit()), service, room).await;
    }
    parsed(request, read_into(payload, service, service.body_limit(), Some(room)).await?, room)
}

/// Reads the body of a call of a hook as it was sent.
pub(super) async fn raw(
    request: &HttpRequest,
    payload: web::Payload,
    service: &Service,
    room: &mut BodyPart,
) -> Result<Vec<u8>, ApiError> {
    if is_websocket(request) {
        return Ok(Vec::new());
    }
    refuse_large(request, service.body_limit())?;
    read_into(payload, service, service.body_limit(), Some(room)).await
}

/// Reads a body of so many bytes at most.
pub(super) async fn up_to(
    request: &HttpRequest,
    payload: web::Payload,
    service: &Service,
    limit: usize,
) -> Result<Vec<u8>, ApiError> {
    if is_websocket(request) {
        return Ok(Vec::new());
    }
    refuse_large(request, limit)?;
    read(payload, service, limit).await
}

/// Parses the body of a call of a hook that was read before.
pub(super) async fn of_bytes(
    request: &HttpRequest,
    bytes: Vec<u8>,
    service: &Service,
    room: &mut BodyPart,
) -> Result<Body, ApiError> {
    if media_type(request) == "multipart/form-data" && !is_websocket(request) {
        return multipart::form(request, stream::iter([Ok(web::Bytes::from(bytes))]), service, room).await;
    }
    parsed(request, bytes, room)
}

/// Parses a body that is no multipart form.
fn parsed(request: &HttpRequest, bytes: Vec<u8>, room: &mut BodyPart) -> Result<Body, ApiError> {
    let media_type = media_type(request);
    if bytes.is_empty() {
        return Ok(Body::Empty);
    }
    if is_json(&media_type) {
        room.grow_to(bytes.len() * PARSED)?;
        return Ok(Body::Json(json::parse("body", &bytes)?));
    }
    if media_type == "application/x-www-form-urlencoded" {
        room.grow_to(bytes.len() * PARSED)?;
        let pairs = serde_urlencoded::from_bytes(&bytes).map_err(|error| Invalid::new("body", error.to_string()))?;
        return Ok(Body::Form(pairs));
    }
    Ok(if media_type.starts_with("text/") { text(bytes, content_type(request)) } else { Body::Bytes(bytes) })
}

/// Text in UTF-8 or, if it says so, Latin-1; what is neither stays bytes.
pub(super) fn text(bytes: Vec<u8>, content_type: &str) -> Body {
    let lower = content_type.to_ascii_lowercase();
    if lower.contains("iso-8859-1") || lower.contains("latin1") {
        return Body::Text(bytes.into_iter().map(char::from).collect());
    }
    String::from_utf8(bytes).map_or_else(|error| Body::Bytes(error.into_bytes()), Body::Text)
}
