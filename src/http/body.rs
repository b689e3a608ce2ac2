//! Request bodies, bounded: read, and parsed by their media type.

use actix_multipart::{Field, Multipart};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, web};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use tokio::io::AsyncWriteExt as _;

use super::error::ApiError;
use crate::model::{Invalid, RelativePath};
use crate::service::{Body, Error, Service, Upload};

/// A part of a `multipart/form-data` body.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) filename: Option<String>,
    pub(super) content: Vec<u8>,
}

/// The URL's query as pairs; keys may repeat.
pub(super) fn query(request: &HttpRequest) -> Vec<(String, String)> {
    serde_urlencoded::from_str(request.query_string()).unwrap_or_default()
}

/// The body's media type without parameters, lowercase; empty if none is given.
pub(super) fn media_type(request: &HttpRequest) -> String {
    content_type(request).split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn content_type(request: &HttpRequest) -> &str {
    request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Reads a whole body.
async fn read(mut payload: web::Payload, limit: usize) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| Invalid::new("body", error.to_string()))?;
        if body.len() + chunk.len() > limit {
            return Err(ApiError::too_large(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

pub(super) fn parse_json<T: DeserializeOwned>(field: &str, bytes: &[u8]) -> Result<T, Invalid> {
    serde_json::from_slice(bytes).map_err(|error| Invalid::new(field, format!("is not what is expected here: {error}")))
}

/// Reads a JSON body.
pub(super) async fn json<T: DeserializeOwned>(payload: web::Payload, service: &Service) -> Result<T, ApiError> {
    Ok(parse_json("body", &read(payload, service.body_limit()).await?)?)
}

/// Reads a multipart body into memory.
pub(super) async fn parts(
    request: &HttpRequest,
    payload: web::Payload,
    service: &Service,
) -> Result<Vec<Part>, ApiError> {
    let mut form = Multipart::new(request.headers(), payload);
    let (mut parts, mut left) = (Vec::new(), service.body_limit());
    while let Some(field) = form.next().await {
        let mut field = field.map_err(bad_form)?;
        let (name, filename) = names(&field);
        let mut content = Vec::new();
        while let Some(chunk) = next_chunk(&mut field, &mut left, service).await? {
            content.extend_from_slice(&chunk);
        }
        parts.push(Part { name, filename, content });
    }
    Ok(parts)
}

/// Parses the body of a call of a hook.
pub(super) async fn of_call(request: &HttpRequest, payload: web::Payload, service: &Service) -> Result<Body, ApiError> {
    let media_type = media_type(request);
    if media_type == "multipart/form-data" {
        return form(request, payload, service).await;
    }
    let bytes = read(payload, service.body_limit()).await?;
    if bytes.is_empty() {
        return Ok(Body::Empty);
    }
    if media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json")) {
        return Ok(Body::Json(parse_json("body", &bytes)?));
    }
    if media_type == "application/x-www-form-urlencoded" {
        let pairs = serde_urlencoded::from_bytes(&bytes).map_err(|error| Invalid::new("body", error.to_string()))?;
        return Ok(Body::Form(pairs));
    }
    Ok(if media_type.starts_with("text/") { text(bytes, content_type(request)) } else { Body::Bytes(bytes) })
}

/// Text in UTF-8 or, if it says so, Latin-1; what is neither stays bytes.
fn text(bytes: Vec<u8>, content_type: &str) -> Body {
    let lower = content_type.to_ascii_lowercase();
    if lower.contains("iso-8859-1") || lower.contains("latin1") {
        return Body::Text(bytes.into_iter().map(char::from).collect());
    }
    String::from_utf8(bytes).map_or_else(|error| Body::Bytes(error.into_bytes()), Body::Text)
}

/// Reads a form; its files go to disk as they come.
async fn form(request: &HttpRequest, payload: web::Payload, service: &Service) -> Result<Body, ApiError> {
    let mut form = Multipart::new(request.headers(), payload);
    let (mut fields, mut files, mut left) = (Vec::new(), Vec::new(), service.body_limit());
    while let Some(field) = form.next().await {
        let mut field = field.map_err(bad_form)?;
        let (name, filename) = names(&field);
        if let Some(filename) = filename {
            let upload = Upload { field: name, name: bare(&filename)?, file: service.upload().await? };
            let mut file = tokio::fs::File::from_std(upload.file.reopen().map_err(Error::from)?);
            while let Some(chunk) = next_chunk(&mut field, &mut left, service).await? {
                file.write_all(&chunk).await.map_err(Error::from)?;
            }
            file.flush().await.map_err(Error::from)?;
            files.push(upload);
        } else {
            let mut value = Vec::new();
            while let Some(chunk) = next_chunk(&mut field, &mut left, service).await? {
                value.extend_from_slice(&chunk);
            }
            let value = String::from_utf8(value).map_err(|_| Invalid::new(name.as_str(), "is not UTF-8 text"))?;
            fields.push((name, value));
        }
    }
    Ok(Body::Multipart { fields, files })
}

async fn next_chunk(field: &mut Field, left: &mut usize, service: &Service) -> Result<Option<web::Bytes>, ApiError> {
    let Some(chunk) = field.next().await else { return Ok(None) };
    let chunk = chunk.map_err(bad_form)?;
    *left = left.checked_sub(chunk.len()).ok_or_else(|| ApiError::too_large(service.body_limit()))?;
    Ok(Some(chunk))
}

fn names(field: &Field) -> (String, Option<String>) {
    let filename = field.content_disposition().and_then(|disposition| disposition.get_filename());
    (field.name().unwrap_or_default().to_owned(), filename.map(str::to_owned))
}

/// The last component of a file name: some clients send a whole path, with either slash.
fn bare(filename: &str) -> Result<String, Invalid> {
    let name = filename.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = if name.is_empty() { "file" } else { name };
    Ok(RelativePath::parse("filename", name)?.file_name().to_owned())
}

#[expect(clippy::needless_pass_by_value, reason = "fits map_err")]
fn bad_form(error: actix_multipart::MultipartError) -> ApiError {
    Invalid::new("body", format!("is not a multipart form: {error}")).into()
}
