//! Writing what a call came to.

use actix_web::http::StatusCode;
use actix_web::http::header::{
    self, ContentDisposition, DispositionParam, DispositionType, ExtendedValue, HeaderMap, HeaderName, HeaderValue,
    TryIntoHeaderValue as _,
};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::{error, send_file};
use crate::service::{AnswerContent, Error, OpenFile, Reply, ReplyBody};

/// Keeps notebook-made pages from acting with the manager's session: they run in an origin of their own.
const SANDBOX: &str = "sandbox allow-scripts allow-forms allow-popups";

pub(super) fn write(request: &HttpRequest, reply: Reply) -> HttpResponse {
    let run = reply.run;
    let mut response = match reply.body {
        ReplyBody::Failed(error) => error::of_run(run, &error).told_at(reply.at).response(),
        ReplyBody::SeeOther(url) => HttpResponse::SeeOther().insert_header((header::LOCATION, url)).finish(),
        ReplyBody::Done { time: at } => HttpResponse::Ok().json(json!({"id": run, "status": "Done", "time": time(at)})),
        ReplyBody::Reported { status, headers, detail } => {
            let mut response = error::reported(run, status, &detail).told_at(reply.at).response();
            add(response.headers_mut(), &headers);
            response
        }
        ReplyBody::Answer { status, headers, media_type, file_name, inline, content } => {
            let disposition = disposition(inline, &file_name);
            let mut response = match content {
                AnswerContent::Bytes(bytes) => {
                    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
                    let mut response = HttpResponse::build(status);
                    response.insert_header((header::CONTENT_TYPE, media_type)).insert_header(disposition);
                    response.body(bytes)
                }
                AnswerContent::File(open) => stream(request, open, status, &media_type, disposition),
            };
            add(response.headers_mut(), &headers);
            response
        }
    };
    protect(response.headers_mut());
    if reply.replayed {
        response.headers_mut().insert(HeaderName::from_static("idempotent-replayed"), HeaderValue::from_static("true"));
    }
    if let Ok(run) = HeaderValue::from_str(&run.to_string()) {
        response.headers_mut().insert(HeaderName::from_static("x-nbhook-run"), run);
    }
    response
}

/// A file in pieces, with `Range` and `ETag`.
fn stream(
    request: &HttpRequest,
    open: OpenFile,
    status: u16,
    media_type: &str,
    disposition: ContentDisposition,
) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    match send_file::send(request, open.file, &open.digest, status) {
        Ok(mut response) => {
            let media_type =
                media_type.parse::<mime_guess::Mime>().unwrap_or(mime_guess::mime::APPLICATION_OCTET_STREAM);
            let headers = response.headers_mut();
            if let Ok(media_type) = HeaderValue::from_str(media_type.as_ref()) {
                headers.insert(header::CONTENT_TYPE, media_type);
            }
            if let Ok(disposition) = disposition.try_into_value() {
                headers.insert(header::CONTENT_DISPOSITION, disposition);
            }
            response
        }
        Err(error) => error::ApiError::from(Error::from(error)).error_response(),
    }
}

/// The notebook's headers, over ours where it names the same.
fn add(headers: &mut HeaderMap, more: &[(String, String)]) {
    for (name, value) in more {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
}

pub(super) fn protect(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        // Every call is a run of its own.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
}

/// Says whether a file is shown or saved, and under which name.
pub(super) fn dispose(headers: &mut HeaderMap, inline: bool, file_name: &str) {
    if let Ok(value) = disposition(inline, file_name).try_into_value() {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
}

/// RFC 6266: a plain name for old clients, the true one for the others.
fn disposition(inline: bool, file_name: &str) -> ContentDisposition {
    let plain: String = file_name
        .chars()
        .map(|c| if c.is_ascii() && !c.is_ascii_control() && !"\"\\%".contains(c) { c } else { '_' })
        .collect();
    let mut parameters = vec![DispositionParam::Filename(plain.clone())];
    if plain != file_name {
        parameters.push(DispositionParam::FilenameExt(ExtendedValue {
            charset: header::Charset::Ext("UTF-8".to_owned()),
            language_tag: None,
            value: file_name.as_bytes().to_vec(),
        }));
    }
    let disposition = if inline { DispositionType::Inline } else { DispositionType::Attachment };
    ContentDisposition { disposition, parameters }
}

/// RFC 3339 in UTC, to the millisecond.
pub(super) fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
