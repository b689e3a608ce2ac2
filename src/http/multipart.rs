//! Multipart forms, bounded: read into memory, or with their files on disk.

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::error::PayloadError;
use actix_web::{HttpRequest, web};
use futures_util::{Stream, StreamExt as _};
use tokio::io::AsyncWriteExt as _;

use super::body::{bounded, refuse_large, unreadable};
use super::error::ApiError;
use crate::model::{Invalid, RelativePath};
use crate::service::{Body, BodyPart, Error, Service, Upload};

/// Most parts of a form. Every file of a call is one on disk, and open until the run starts.
const MOST_PARTS: usize = 1_000;
/// Largest field of an upload that is no file, in bytes.
const LARGEST_FIELD: usize = 64 << 10;
/// A part of a `multipart/form-data` body.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) filename: Option<String>,
    pub(super) content: Vec<u8>,
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
        to_disk(&mut field, upload.reopen().map_err(Error::from)?, limit).await?;
        parts.push(Uploaded::File(name, filename, upload));
    }
    Ok(parts)
}

/// Reads the form that a hook is called with; its files go to disk as they come.
pub(super) async fn form(
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
            to_disk(&mut field, upload.open().map_err(Error::from)?, limit).await?;
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

/// Writes the content of a field to a file as it comes.
async fn to_disk(field: &mut Field, file: std::fs::File, limit: usize) -> Result<(), ApiError> {
    let mut file = tokio::fs::File::from_std(file);
    while let Some(chunk) = next_chunk(field, limit).await? {
        file.write_all(&chunk).await.map_err(Error::from)?;
    }
    file.flush().await.map_err(Error::from)?;
    Ok(())
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
