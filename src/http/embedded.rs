//! Files that are part of the binary: the scripts and styles of pages.

use actix_web::http::header::{CACHE_CONTROL, ContentType, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS};
use actix_web::{HttpRequest, HttpResponse, web};
use sha2::{Digest as _, Sha256};

pub(super) struct Embedded {
    pub(super) name: &'static str,
    bytes: web::Bytes,
    /// A strong validator (RFC 9110, section 8.8.3).
    tag: String,
}

impl Embedded {
    pub(super) fn new(name: &'static str, bytes: web::Bytes) -> Self {
        let tag = format!("\"{:x}\"", Sha256::digest(&bytes));
        Self { name, bytes, tag }
    }

    pub(super) fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let has = request.headers().get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
        let is_same = has.is_some_and(|tags| tags.contains(&self.tag));
        let mut response = if is_same { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            .insert_header((ETAG, self.tag.as_str()))
            .insert_header((CACHE_CONTROL, "public, max-age=3600"))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
        if is_same {
            return response.finish();
        }
        let media_type = mime_guess::from_path(self.name).first_or_octet_stream();
        response.insert_header(ContentType(media_type)).body(self.bytes.clone())
    }
}
