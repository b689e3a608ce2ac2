//! From a request to what an inbox keeps of it.
//!
//! Whoever sends something does not know who reads it, and will not send it again: what cannot be parsed is kept as it is.

use actix_multipart::Multipart;
use actix_web::{HttpRequest, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt as _, stream};
use serde_json::{Map, Value, json};

use super::{auth, body, call, json};
use crate::model::{Capture, is_too_deep, object_of};
use crate::service::Body;

/// Most parts of a form that are looked at one by one.
const MOST_PARTS: usize = 1_000;
/// Media types that are text, besides `text/*` and `*+xml`.
const TEXTS: [&str; 3] = ["", "application/xml", "application/yaml"];

/// What is kept of a request with this body.
pub(super) async fn of(request: &HttpRequest, bytes: Vec<u8>) -> Capture {
    let texts = |pairs: Vec<(String, String)>| pairs.into_iter().map(|(name, text)| (name, text.into())).collect();
    let is_token = auth::caller(request).await.map_or(true, |caller| caller.is_some());
    let headers: Map<String, Value> = texts(call::headers(request, is_token));
    Capture::new(parsed(request, bytes).await, object(body::query(request)), headers)
}

fn object(pairs: Vec<(String, String)>) -> Map<String, Value> {
    object_of(pairs.into_iter().map(|(name, text)| (name, text.into())).collect())
}

/// A body by its media type; none if it is empty.
async fn parsed(request: &HttpRequest, bytes: Vec<u8>) -> Option<Value> {
    if bytes.is_empty() {
        return None;
    }
    let media_type = body::media_type(request);
    let is_json = media_type == "application/json" || media_type.ends_with("+json");
    let understood = match media_type.as_str() {
        // What is nested too deep is kept as text: those who read it, or an event of it, could not parse it.
        _ if is_json => json::parse("body", &bytes).ok().filter(|body| !is_too_deep(body)),
        "application/x-www-form-urlencoded" => form(&bytes),
        "multipart/form-data" => multipart(request, &bytes).await,
        _ => None,
    };
    Some(match understood {
        Some(value) => value,
        None if is_json || is_text(&media_type) => text(bytes, request),
        None => binary(&bytes, &media_type),
    })
}

fn is_text(media_type: &str) -> bool {
    media_type.starts_with("text/")
        || media_type.ends_with("+xml")
        || media_type == "application/x-www-form-urlencoded"
        || TEXTS.contains(&media_type)
}

fn form(bytes: &[u8]) -> Option<Value> {
    Some(object(serde_urlencoded::from_bytes(bytes).ok()?).into())
}

fn text(bytes: Vec<u8>, request: &HttpRequest) -> Value {
    match body::text(bytes, body::content_type(request)) {
        Body::Text(text) => text.into(),
        Body::Bytes(bytes) => binary(&bytes, &body::media_type(request)),
        _ => Value::Null,
    }
}

/// Bytes as base64, and what they are.
fn binary(bytes: &[u8], media_type: &str) -> Value {
    let media_type = if media_type.is_empty() { "application/octet-stream" } else { media_type };
    json!({"data": STANDARD.encode(bytes), "encoding": "base64", "media_type": media_type})
}

/// The fields of a form as texts, its files as objects. None if it is not well formed.
async fn multipart(request: &HttpRequest, bytes: &[u8]) -> Option<Value> {
    let whole = web::Bytes::copy_from_slice(bytes);
    let mut form = Multipart::new(request.headers(), stream::iter([Ok(whole)]));
    let mut pairs = Vec::new();
    while let Some(field) = form.next().await {
        let mut field = field.ok().filter(|_| pairs.len() < MOST_PARTS)?;
        let mut content = Vec::new();
        while let Some(chunk) = field.next().await {
            content.extend_from_slice(&chunk.ok()?);
        }
        let (name, filename) = super::multipart::names(&field);
        let media_type = field.content_type().map(ToString::to_string).unwrap_or_default();
        let value = match (filename, String::from_utf8(content)) {
            (None, Ok(text)) => text.into(),
            (filename, content) => {
                let content = content.map_or_else(std::string::FromUtf8Error::into_bytes, String::into_bytes);
                let mut file = binary(&content, &media_type);
                file["filename"] = filename.into();
                file
            }
        };
        pairs.push((name, value));
    }
    Some(object_of(pairs).into())
}
