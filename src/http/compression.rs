//! Which answers are compressed by actix's `Compress`, and what else has to be right about those that are.
//!
//! `Compress` stands between [`spare`] and [`tidy`]. It leaves alone what has a `Content-Encoding`, so an answer is spared by
//! giving it one, `identity`, which is not sent.

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCEPT_ENCODING, AcceptEncoding, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, ETAG, Encoding,
    HeaderMap, HeaderValue, IF_NONE_MATCH,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _};

use super::cors::vary;

/// Smaller answers, in bytes, would not arrive any sooner.
const SMALLEST: u64 = 1024;
/// On an answer that is sent as it is: a `Content-Encoding` that it may have is its notebook's.
struct Spared;

const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// Media types, besides pictures, sound and films, that are compressed by themselves.
const COMPRESSED: [&str; 14] = [
    "application/zip",
    "application/gzip",
    "application/x-gzip",
    "application/x-bzip2",
    "application/x-xz",
    "application/zstd",
    "application/x-7z-compressed",
    "application/vnd.rar",
    "application/pdf",
    "application/epub+zip",
    "application/java-archive",
    "application/vnd.apache.parquet",
    "font/woff",
    "font/woff2",
];

/// Marks the answers that are sent as they are, and tells caches of the others that they come in several forms.
pub(super) async fn spare(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let is_head = request.method() == Method::HEAD;
    let mut response = next.call(request).await?;
    let size = response.response().body().size();
    let status = response.status();
    let headers = response.headers_mut();
    if is_head || status == StatusCode::PARTIAL_CONTENT || !is_worth_it(size, headers) {
        if !headers.contains_key(CONTENT_ENCODING) {
            headers.insert(CONTENT_ENCODING, IDENTITY);
        }
        response.response_mut().extensions_mut().insert(Spared);
    } else {
        vary(headers, "Accept-Encoding");
    }
    Ok(response)
}

/// Makes right what `Compress` leaves behind: a compressed answer is not the same bytes, so its `ETag` is weak (RFC 9110,
/// section 8.8.3), and it does not answer 406: who accepts nothing that we have gets the plain answer (section 12.5.3).
pub(super) async fn tidy(
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let known = [Encoding::identity(), Encoding::brotli(), Encoding::gzip(), Encoding::deflate()];
    if request.get_header::<AcceptEncoding>().is_some_and(|accepted| accepted.negotiate(known.iter()).is_none()) {
        request.headers_mut().remove(ACCEPT_ENCODING);
    }
    let known = request.headers().get(IF_NONE_MATCH).cloned();
    let mut response = next.call(request).await?;
    let status = response.status();
    let is_spared = response.response().extensions().get::<Spared>().is_some();
    let headers = response.headers_mut();
    if headers.get(CONTENT_ENCODING) == Some(&IDENTITY) {
        headers.remove(CONTENT_ENCODING);
    } else if !is_spared && headers.contains_key(CONTENT_ENCODING) {
        vary(headers, "Accept-Encoding"); // once
        weaken(headers);
    }
    // "Not modified" has the tag of what the client has, and that may have been compressed.
    if status == StatusCode::NOT_MODIFIED && known.is_some_and(|known| known.as_bytes().starts_with(b"W/")) {
        weaken(headers);
    }
    Ok(response)
}

fn is_worth_it(size: BodySize, headers: &HeaderMap) -> bool {
    let is_small = match size {
        BodySize::None => true,
        BodySize::Sized(bytes) => bytes < SMALLEST,
        BodySize::Stream => false,
    };
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    !is_small
        && !headers.contains_key(CONTENT_ENCODING)
        && !headers.contains_key(CONTENT_RANGE)
        && !text(CACHE_CONTROL).to_ascii_lowercase().contains("no-transform")
        && is_compressible(text(CONTENT_TYPE))
}

/// Whether content of this media type gets smaller, and may wait until it does: events may not.
fn is_compressible(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let begins = |kind: &str| media_type.starts_with(kind);
    let is_picture = begins("image/") && !media_type.ends_with("+xml") && media_type != "image/bmp";
    let is_office = begins("application/vnd.openxmlformats-") || begins("application/vnd.oasis.opendocument.");
    !is_picture
        && !is_office
        && !begins("audio/")
        && !begins("video/")
        && media_type != "text/event-stream"
        && !COMPRESSED.contains(&media_type.as_str())
}

fn weaken(headers: &mut HeaderMap) {
    let tag = headers.get(ETAG).and_then(|tag| tag.to_str().ok()).filter(|tag| !tag.starts_with("W/"));
    if let Some(Ok(weak)) = tag.map(|tag| HeaderValue::from_str(&format!("W/{tag}"))) {
        headers.insert(ETAG, weak);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_already_and_what_must_not_wait_is_left_alone() {
        for (media_type, worth_it) in [
            ("text/html; charset=utf-8", true),
            ("application/json", true),
            ("application/problem+json", true),
            ("application/x-ipynb+json", true),
            ("image/svg+xml", true),
            ("application/octet-stream", true),
            ("", true),
            ("image/png", false),
            ("IMAGE/JPEG", false),
            ("application/zip", false),
            ("application/gzip", false),
            ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", false),
            ("audio/mpeg", false),
            ("video/mp4", false),
            ("text/event-stream", false),
            ("text/event-stream; charset=utf-8", false),
        ] {
            assert_eq!(is_compressible(media_type), worth_it, "{media_type}");
        }
    }
}
