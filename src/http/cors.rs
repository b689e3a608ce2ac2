//! CORS: what lets the scripts of other origins' pages call a hook and read its answers (WHATWG Fetch, "CORS protocol").
//!
//! Off unless the hook names origins; then the hook's word counts and not its notebook's. Never with credentials: a hook's URL
//! is all that a page has.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse, web};

use super::error::ApiError;
use crate::model::{Cors, RunId};
use crate::service::Service;

/// What a script may read beside what browsers always let it read.
const EXPOSED: &str =
    "X-Nbhook-Run, Location, Retry-After, Preference-Applied, Idempotent-Replayed, Content-Disposition";
/// How long a browser need not ask again, in seconds: the most that all of them go along with.
const MAX_AGE: &str = "600";

/// Opens an answer of a hook, also one that is an error, to the pages that may read it.
pub(super) fn open(cors: &Cors, request: &HttpRequest, mut response: HttpResponse) -> HttpResponse {
    open_headers(cors, request, response.headers_mut());
    response
}

/// Opens what those who called a hook ask about their run later, as the hook's own answers are. To nobody else: who may not ask
/// is not told whether there is such a run.
pub(super) async fn of_run(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let service = request.app_data::<web::Data<Service>>().filter(|_| request.headers().contains_key(ORIGIN)).cloned();
    let run: Option<RunId> = request.match_info().get("id").and_then(|id| id.parse().ok());
    let mut response = next.call(request).await?;
    if let (Some(service), Some(run)) = (service, run)
        && !matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND)
        && let Some(cors) = service.cors_of_run(run).await.map_err(ApiError::from)?
    {
        let request = response.request().clone();
        open_headers(&cors, &request, response.headers_mut());
    }
    Ok(response)
}

fn open_headers(cors: &Cors, request: &HttpRequest, headers: &mut HeaderMap) {
    if cors.is_off() {
        return; // a notebook may have headers of its own
    }
    headers.remove(ACCESS_CONTROL_ALLOW_CREDENTIALS);
    let exposed = joined(headers, &ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    headers.remove(ACCESS_CONTROL_EXPOSE_HEADERS);
    if allow(cors, request, headers) {
        set(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &exposed);
    }
}

/// Opens the answer to a preflight, if the request is one.
pub(super) fn preflight(cors: &Cors, request: &HttpRequest, methods: &'static str, response: &mut HttpResponse) {
    if cors.is_off() {
        return;
    }
    let headers = response.headers_mut();
    let asked = request.headers();
    let is_preflight = asked.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if allow(cors, request, headers) && is_preflight {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        if let Some(names) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            // As they were asked for: a wildcard would not cover `Authorization`.
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
        }
    }
    vary(headers, "Access-Control-Request-Method");
    vary(headers, "Access-Control-Request-Headers");
}

/// Says whose pages may read; gives whether those of this request may.
fn allow(cors: &Cors, request: &HttpRequest, headers: &mut HeaderMap) -> bool {
    headers.remove(ACCESS_CONTROL_ALLOW_ORIGIN);
    if *cors == Cors::Any {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        return true;
    }
    vary(headers, "Origin");
    let origin = request.headers().get(ORIGIN);
    match origin.filter(|origin| origin.to_str().is_ok_and(|origin| cors.allows(origin))) {
        Some(origin) => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            true
        }
        None => false,
    }
}

/// Adds a name to `Vary`, unless it is there.
pub(super) fn vary(headers: &mut HeaderMap, name: &str) {
    let all = joined(headers, &VARY, name);
    set(headers, VARY, &all);
}

/// The names that a header lists, with more of them in front, each once.
fn joined(headers: &HeaderMap, name: &HeaderName, more: &str) -> String {
    let listed = headers.get_all(name).filter_map(|value| value.to_str().ok());
    let mut names: Vec<&str> = Vec::new();
    for name in more.split(',').chain(listed.flat_map(|list| list.split(','))).map(str::trim) {
        if !name.is_empty() && !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name);
        }
    }
    names.join(", ")
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
