//! Sending a file in pieces, with a strong `ETag` of its content, `Range` and `If-Range` (RFC 9110, sections 13 and 14).

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::time::SystemTime;

use actix_files::HttpRange;
use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    self, ACCEPT_RANGES, CONTENT_RANGE, ETAG, HeaderName, HttpDate, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use futures_util::stream;

/// How much is read at once, in bytes.
const PIECE: u64 = 128 << 10;

/// Answers with a file, or what the caller asked for of it. `status` is that of the whole file.
pub(super) fn send(request: &HttpRequest, file: File, digest: &str, status: StatusCode) -> io::Result<HttpResponse> {
    let metadata = file.metadata()?;
    let (size, modified) = (metadata.len(), metadata.modified()?);
    let tag = format!("\"{digest}\"");
    let condition = condition(request, &tag, modified);
    let mut response = HttpResponse::build(condition.unwrap_or(status));
    response.insert_header((ETAG, tag.clone())).insert_header((LAST_MODIFIED, HttpDate::from(modified)));
    response.insert_header((ACCEPT_RANGES, "bytes"));
    if condition.is_some() {
        return Ok(response.finish());
    }
    let (start, length) = match wanted(request, &tag, modified, size) {
        Wanted::Whole => (0, size),
        Wanted::Part(start, length) => {
            response.status(StatusCode::PARTIAL_CONTENT);
            response.insert_header((CONTENT_RANGE, format!("bytes {start}-{}/{size}", start + length - 1)));
            (start, length)
        }
        Wanted::Nothing => {
            response.status(StatusCode::RANGE_NOT_SATISFIABLE);
            return Ok(response.insert_header((CONTENT_RANGE, format!("bytes */{size}"))).finish());
        }
    };
    Ok(pieces(&mut response, file, start, length))
}

fn pieces(response: &mut HttpResponseBuilder, file: File, start: u64, length: u64) -> HttpResponse {
    let read = stream::try_unfold((file, start, length), |(mut file, start, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let read = web::block(move || {
            let mut piece = Vec::new();
            file.seek(SeekFrom::Start(start))?;
            (&mut file).take(left.min(PIECE)).read_to_end(&mut piece)?;
            if piece.is_empty() {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            Ok((file, piece))
        });
        let (file, piece) = read.await.map_err(io::Error::other)??;
        let length = piece.len() as u64;
        Ok::<_, io::Error>(Some((web::Bytes::from(piece), (file, start + length, left - length))))
    });
    response.body(SizedStream::new(length, Box::pin(read)))
}

fn text(request: &HttpRequest, name: HeaderName) -> Option<&str> {
    request.headers().get(name)?.to_str().ok()
}

fn date(request: &HttpRequest, name: HeaderName) -> Option<SystemTime> {
    Some(text(request, name)?.parse::<HttpDate>().ok()?.into())
}

/// Whether something that was changed then is newer than a date, which has whole seconds.
fn is_newer(modified: SystemTime, than: SystemTime) -> bool {
    let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs());
    seconds(modified) > seconds(than)
}

fn names(list: &str, tag: &str, weakly: bool) -> bool {
    let same = |one: &str| one == tag || (weakly && one.strip_prefix("W/") == Some(tag));
    list.trim() == "*" || list.split(',').any(|one| same(one.trim()))
}

/// The status that a precondition brings about.
fn condition(request: &HttpRequest, tag: &str, modified: SystemTime) -> Option<StatusCode> {
    let failed = match (text(request, IF_MATCH), date(request, IF_UNMODIFIED_SINCE)) {
        (Some(list), _) => !names(list, tag, false),
        (None, Some(date)) => is_newer(modified, date),
        (None, None) => false,
    };
    let known = || match (text(request, IF_NONE_MATCH), date(request, IF_MODIFIED_SINCE)) {
        (Some(list), _) => names(list, tag, true),
        (None, Some(date)) => !is_newer(modified, date),
        (None, None) => false,
    };
    if failed { Some(StatusCode::PRECONDITION_FAILED) } else { known().then_some(StatusCode::NOT_MODIFIED) }
}

enum Wanted {
    Whole,
    Part(u64, u64),
    Nothing,
}

/// The part that is asked for. Several at once, or what is no range, gets the whole.
fn wanted(request: &HttpRequest, tag: &str, modified: SystemTime, size: u64) -> Wanted {
    let Some(range) = text(request, RANGE) else { return Wanted::Whole };
    let same = text(request, IF_RANGE).is_none_or(|of| {
        if of.starts_with('"') {
            of == tag
        } else {
            date(request, header::IF_RANGE).is_some_and(|of| !is_newer(modified, of))
        }
    });
    if !same || !range.starts_with("bytes=") {
        return Wanted::Whole;
    }
    match HttpRange::parse(range, size).as_deref() {
        Ok([one]) if one.length > 0 => Wanted::Part(one.start, one.length),
        Ok([_, _, ..]) => Wanted::Whole,
        _ => Wanted::Nothing,
    }
}
