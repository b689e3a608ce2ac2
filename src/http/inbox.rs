//! `/inbox/{uuid}`: whatever is sent there is kept, by whatever method.

use actix_web::http::Method;
use actix_web::http::header::{
    self, ACCESS_CONTROL_REQUEST_METHOD, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, ORIGIN, TRANSFER_ENCODING,
};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};

use super::error::ApiError;
use super::{body, captured};
use crate::model::InboxId;
use crate::service::{InboxReply, Service};

/// Larger bodies, in bytes, are read only if there is such an inbox. For smaller ones the writer finds out soon enough.
const SMALL: usize = 64 << 10;
/// Answers are no pages of this server's.
const SANDBOX: &str = "sandbox";
/// What is told of the methods, which are any but TRACE.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
const DEFAULT: &str = r#"{"status":"ok"}"#;

/// Keeps what was sent, and answers when it is on disk.
pub(super) async fn capture(
    service: web::Data<Service>,
    request: HttpRequest,
    payload: web::Payload,
    id: web::Path<String>,
) -> HttpResponse {
    let mut response = if is_preflight(&request) {
        // A browser that asks whether a page's script may send something. It may not, and the question is nothing to keep.
        HttpResponse::NoContent().finish()
    } else if *request.method() == Method::TRACE {
        // It asks what arrives, and brings nothing (RFC 9110, section 9.3.8).
        let mut refusal = ApiError::method_not_allowed(request.method()).error_response();
        refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static(METHODS));
        refusal
    } else {
        match keep(&service, &request, payload, &id).await {
            Ok(reply) => answer(reply),
            Err(error) => error.error_response(),
        }
    };
    protect(response.headers_mut());
    response
}

fn is_preflight(request: &HttpRequest) -> bool {
    let headers = request.headers();
    request.method() == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

async fn keep(
    service: &Service,
    request: &HttpRequest,
    payload: web::Payload,
    id: &str,
) -> Result<InboxReply, ApiError> {
    let id: InboxId = id.parse().map_err(|_| ApiError::not_found("inbox"))?;
    if !is_small(request) && !service.has_inbox(&id).await? {
        return Err(ApiError::not_found("inbox"));
    }
    let body = body::up_to(request, payload, service, service.inbox_body_limit()).await?;
    Ok(service.capture(id, &captured::of(request, body).await).await?)
}

fn is_small(request: &HttpRequest) -> bool {
    let length = request.headers().get(CONTENT_LENGTH);
    match length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok()) {
        Some(length) => length <= SMALL,
        None => length.is_none() && !request.headers().contains_key(TRANSFER_ENCODING),
    }
}

fn answer(reply: InboxReply) -> HttpResponse {
    let mut response = HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(reply.body.unwrap_or_else(|| DEFAULT.to_owned()));
    for (name, value) in &reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn protect(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}
