//! Request bodies, bounded: read, and parsed by their media type.

use std::io;
use std::pin::pin;

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING, UPGRADE};
use actix_web::{HttpRequest, web};
use futures_util::{Stream, StreamExt as _, stream};
use serde::de::DeserializeOwned;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout_at};

use super::error::ApiError;
use super::json;
use crate::model::{Invalid, RelativePath, is_json};
use crate::service::{Body, BodyPart, Error, Service, Upload};

/// Most parts of a form. Every file of a call is one on disk, and open until the run starts.
const MOST_PARTS: usize = 1_000;
/// Largest field of an upload that is no file, in bytes.
const LARGEST_FIELD: usize = 64 << 10;
/// How long a whole body may take, as a multiple of the longest pause in it.
const WHOLE_BODY: u32 = 20;
/// How much of the memory for bodies a piece of JSON or of a form takes when it is parsed, as a multiple of its size: `[1,1,…]` takes as
/// much.
const PARSED: usize = 26;

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
fn bounded(
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
fn refuse_large(request: &HttpRequest, limit: usize) -> Result<(), ApiError> {
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

fn unreadable(error: &PayloadError, limit: usize) -> ApiError {
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

/// Reads a multipart body into memory.
pub(super) async fn parts(
    request: &HttpRequest,
    payload: web::Payload,
    service: &Service,
) -> Result<Vec<Part>, ApiError> {
    parts_up_to(request, payload, service, service.body_limit()).await
}

/// As [`parts`], of so many bytes at most.
pub(super) async fn parts_up_to(
    request: &HttpRequest,
    payload: web::Payload,
    service: &Service,
    limit: usize,
) -> Result<Vec<Part>, ApiError> {
    refuse_large(request, limit)?;
    let mut form = Multipart::new(request.headers(), bounded(payload, service, limit));
    let mut parts = Vec::new();
    while let Some(mut field) = next_field(&mut form, parts.len(), limit).await? {
        let (name, filename) = names(&field);
        parts.push(Part { name, filename, content: content(&mut field, limit, |_| Ok(())).await? });
    }
    Ok(parts)
}

/// A part of an upload whose files went to disk as they came.
pub(super) enum Uploaded {
    Field(String, Vec<u8>),
    File(String, String, tempfile::NamedTempFile),
}

/// Reads a multipart body of so many bytes at most; its files go to disk.
pub(super) async fn upload(
    request: &HttpRequest,
    payload: web::Payload,
    service: &Service,
    limit: usize,
) -> Result<Vec<Uploaded>, ApiError> {
    refuse_large(request, limit)?;
    let mut form = Multipart::new(request.headers(), bounded(payload, service, limit));
    let mut parts = Vec::new();
    while let Some(mut field) = next_field(&mut form, parts.len(), limit).await? {
        let (name, filename) = names(&field);
        let Some(filename) = filename else {
            let small = |size| match size {
                ..=LARGEST_FIELD => Ok(()),
                _ => Err(Invalid::new("body", "has a field that is too long: send files with a file name").into()),
            };
            let content = content(&mut field, limit, small).await?;
            parts.push(Uploaded::Field(name, content));
            continue;
        };
        let upload = service.upload().await?;
        let mut file = tokio::fs::File::from_std(upload.reopen().map_err(Error::from)?);
        while let Some(chunk) = next_chunk(&mut field, limit).await? {
            file.write_all(&chunk).await.map_err(Error::from)?;
        }
        file.flush().await.map_err(Error::from)?;
        parts.push(Uploaded::File(name, filename, upload));
    }
    Ok(parts)
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
        return form(request, bounded(payload, service, service.body_limit()), service, room).await;
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
        return form(request, stream::iter([Ok(web::Bytes::from(bytes))]), service, room).await;
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

/// Reads a form; its files go to disk as they come.
async fn form(
    request: &HttpRequest,
    pieces: impl Stream<Item = Result<web::Bytes, PayloadError>> + 'static,
    service: &Service,
    room: &mut BodyPart,
) -> Result<Body, ApiError> {
    let limit = service.body_limit();
    let (mut form, mut taken) = (Multipart::new(request.headers(), pieces), 0);
    let (mut fields, mut files) = (Vec::new(), Vec::new());
    while let Some(mut field) = next_field(&mut form, fields.len() + files.len(), limit).await? {
        let (name, filename) = names(&field);
        if let Some(filename) = filename {
            let upload = Upload::new(name, bare(&filename)?, service.upload().await?);
            let mut file = tokio::fs::File::from_std(upload.open().map_err(Error::from)?);
            while let Some(chunk) = next_chunk(&mut field, limit).await? {
                file.write_all(&chunk).await.map_err(Error::from)?;
            }
            file.flush().await.map_err(Error::from)?;
            files.push(upload);
        } else {
            let value = content(&mut field, limit, |size| room.grow_to(taken + size)).await?;
            taken += value.len();
            let value = String::from_utf8(value).map_err(|_| Invalid::new(name.as_str(), "is not UTF-8 text"))?;
            fields.push((name, value));
        }
    }
    Ok(Body::Multipart { fields, files })
}

/// The next part of a form that had `before` so far.
async fn next_field(form: &mut Multipart, before: usize, limit: usize) -> Result<Option<Field>, ApiError> {
    match form.next().await {
        Some(_) if before == MOST_PARTS => {
            Err(Invalid::new("body", format!("has more than {MOST_PARTS} parts; send them as one archive")).into())
        }
        Some(field) => Ok(Some(field.map_err(|error| bad_form(&error, limit))?)),
        None => Ok(None),
    }
}

/// The content of a field; `may` is asked whether it may have so many bytes.
async fn content(
    field: &mut Field,
    limit: usize,
    mut may: impl FnMut(usize) -> Result<(), Error>,
) -> Result<Vec<u8>, ApiError> {
    let mut content = Vec::new();
    while let Some(chunk) = next_chunk(field, limit).await? {
        may(content.len() + chunk.len())?;
        content.extend_from_slice(&chunk);
    }
    Ok(content)
}

async fn next_chunk(field: &mut Field, limit: usize) -> Result<Option<web::Bytes>, ApiError> {
    field.next().await.transpose().map_err(|error| bad_form(&error, limit))
}

/// The name of a field, and of its file. Some clients write a file's name as RFC 5987 has it (`filename*`), which RFC 7578
/// says they must not.
pub(super) fn names(field: &Field) -> (String, Option<String>) {
    let filename = field.content_disposition().and_then(|disposition| {
        let extended = || disposition.get_filename_ext().map(|name| String::from_utf8_lossy(&name.value).into_owned());
        disposition.get_filename().map(str::to_owned).or_else(extended)
    });
    (field.name().unwrap_or_default().to_owned(), filename)
}

/// The last component of a file name: some clients send a whole path, with either slash.
fn bare(filename: &str) -> Result<String, Invalid> {
    let name = filename.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = if name.is_empty() { "file" } else { name };
    Ok(RelativePath::parse("filename", name)?.file_name().to_owned())
}

fn bad_form(error: &MultipartError, limit: usize) -> ApiError {
    match error {
        MultipartError::Payload(error) => unreadable(error, limit),
        error => Invalid::new("body", format!("is not a multipart form: {error}")).into(),
    }
}
