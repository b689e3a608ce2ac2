//! What is around every page: the headers that bind it to this server, and errors as pages.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse, web};
use serde_json::json;

use super::page;
use crate::http::error::ApiError;
use crate::service::Service;

/// Of what is no page: it shows nothing. A page has a policy of its own (`page.rs`).
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) async fn around(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let service = request.app_data::<web::Data<Service>>().cloned();
    let response = next.call(request).await?.map_into_boxed_body();
    let told = response.response().error().and_then(|error| error.as_error::<ApiError>());
    let mut response = match (told.map(ApiError::told), service) {
        (Some((status, detail)), Some(service)) => {
            let request = response.request().clone();
            let instead = instead(&service, &request, status, &detail);
            ServiceResponse::new(request, instead)
        }
        _ => response,
    };
    protect(response.headers_mut());
    Ok(response)
}

fn protect(headers: &mut HeaderMap) {
    if !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    let opener = HeaderName::from_static("cross-origin-opener-policy");
    headers.insert(opener, HeaderValue::from_static("same-origin"));
}

/// Who is not signed in is asked to; all else is told on a page.
fn instead(service: &Service, request: &HttpRequest, status: StatusCode, detail: &str) -> HttpResponse {
    if status == StatusCode::UNAUTHORIZED {
        let asked = format!("{}{}", service.public_path(), request.uri());
        let query = serde_urlencoded::to_string([("next", asked)]).unwrap_or_default();
        let login = format!("{}/login?{query}", page::base(service));
        return HttpResponse::SeeOther().insert_header((LOCATION, login)).finish();
    }
    let context = json!({"status": status.as_u16(), "reason": status.canonical_reason(), "detail": detail});
    match page::unsigned(service, "error", context) {
        Ok(mut response) => {
            *response.status_mut() = status;
            response
        }
        Err(_) => HttpResponse::new(status),
    }
}
