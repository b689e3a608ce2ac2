//! Signing in and out, and who is signed in.
//!
//! The session is a cookie that scripts cannot read, that goes to `/manager` only and that other sites' pages do not send along
//! with what changes something (`SameSite=Lax`). Whatever changes something also needs the session's CSRF token in a header, and
//! browsers' own word (`Sec-Fetch-Site`) that it comes from a page of this server.

use actix_web::body::MessageBody;
use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Uri;
use actix_web::http::header::{CACHE_CONTROL, HOST, HeaderValue, LOCATION, ORIGIN, REFERER};
use actix_web::http::uri::PathAndQuery;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq as _;

use super::page;
use crate::http::error::ApiError;
use crate::model::{ApiToken, Caller, SessionToken};
use crate::service::{Error as ServiceError, SESSION_LIFE, Service};

/// The name of the cookie that signs in.
pub(in crate::http) const COOKIE: &str = "nbhook_session";
const CSRF_HEADER: &str = "x-csrf-token";
const API: &str = "/manager/v1/";

/// That a request came to the API by way of the manager.
#[derive(Clone, Copy)]
struct ViaManager;

/// The session of a request to the API, if it came by way of the manager and from a page of it.
pub(in crate::http) struct SessionCookie(SessionToken);

impl SessionCookie {
    pub(in crate::http) fn of(request: &HttpRequest) -> Option<Self> {
        request.extensions().get::<ViaManager>()?;
        let session = cookie(request)?;
        let may_read = || request.method().is_safe() && is_told_whence(request);
        let may = is_from_here(request) && (may_read() || has_csrf_token(request, &session));
        may.then_some(Self(session))
    }

    pub(in crate::http) async fn caller(&self, service: &Service) -> Result<Caller, ServiceError> {
        service.signed_in(&self.0).await
    }
}

/// Hands what is asked of `/manager/v1/…` to the API.
pub(in crate::http) async fn to_api(
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let path_and_query = request.uri().path_and_query().map(PathAndQuery::as_str).unwrap_or_default();
    if path_and_query.starts_with(API) {
        let rest = path_and_query["/manager".len()..].parse::<PathAndQuery>();
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(rest.map_err(|_| ApiError::not_found("resource"))?);
        let uri = Uri::from_parts(parts).map_err(|_| ApiError::not_found("resource"))?;
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
        request.extensions_mut().insert(ViaManager);
        let mut response = next.call(request).await?;
        if !response.headers().contains_key(CACHE_CONTROL) {
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        return Ok(response);
    }
    next.call(request).await
}

pub(super) fn cookie(request: &HttpRequest) -> Option<SessionToken> {
    request.cookie(COOKIE)?.value().parse().ok()
}

/// Whether a request was sent by a page of this server, or by a person: browsers say so (W3C Fetch Metadata). Those that do not
/// name the origin.
fn is_from_here(request: &HttpRequest) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    match (header("sec-fetch-site"), header(ORIGIN.as_str())) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin.split_once("://").map(|(_, host)| host) == header(HOST.as_str()),
        (None, None) => true,
    }
}

/// Whether it is told where a request comes from. Browsers do not by plain HTTP, when they follow another site's link, and to read may be to take
/// away (inboxes); so there the page has to be named that has the link.
fn is_told_whence(request: &HttpRequest) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let referrer = || header(REFERER.as_str())?.split_once("://")?.1.split(['/', '?', '#']).next();
    header("sec-fetch-site").or(header(ORIGIN.as_str())).is_some()
        || referrer().is_some_and(|host| Some(host) == header(HOST.as_str()))
}

fn has_csrf_token(request: &HttpRequest, session: &SessionToken) -> bool {
    let sent = request.headers().get(CSRF_HEADER).map_or(&b""[..], |value| value.as_bytes());
    sent.ct_eq(Service::csrf_token(session).as_bytes()).into()
}

#[derive(Deserialize)]
pub(super) struct Query {
    #[serde(default)]
    next: String,
}

pub(super) async fn form(service: web::Data<Service>, query: web::Query<Query>) -> Result<HttpResponse, ApiError> {
    page::unsigned(&service, "login", json!({"next": query.next, "wrong": false}))
}

#[derive(Deserialize)]
pub(super) struct Credentials {
    #[serde(default)]
    token: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn sign_in(
    service: web::Data<Service>,
    request: HttpRequest,
    form: web::Form<Credentials>,
) -> Result<HttpResponse, ApiError> {
    if !is_from_here(&request) {
        return Err(ServiceError::Forbidden("sign in on the manager's own page".to_owned()).into());
    }
    let session = match form.token.trim().parse::<ApiToken>() {
        Ok(token) => service.sign_in(&token).await,
        Err(_) => Err(ServiceError::Unauthorized),
    };
    match session {
        Ok(session) => {
            let cookie = baked(&service, &request, session.expose(), SESSION_LIFE.as_secs());
            Ok(see(&service, &form.next).cookie(cookie).finish())
        }
        Err(ServiceError::Unauthorized) => {
            let mut again = page::unsigned(&service, "login", json!({"next": form.next, "wrong": true}))?;
            *again.status_mut() = actix_web::http::StatusCode::UNPROCESSABLE_ENTITY;
            Ok(again)
        }
        Err(other) => Err(other.into()),
    }
}

/// Ends the session; its form has the CSRF token in a field, as it works without scripts.
pub(super) async fn sign_out(
    service: web::Data<Service>,
    request: HttpRequest,
    form: web::Form<std::collections::HashMap<String, String>>,
) -> Result<HttpResponse, ApiError> {
    if let Some(session) = cookie(&request) {
        let sent = form.get("csrf").map_or("", String::as_str);
        if !bool::from(sent.as_bytes().ct_eq(Service::csrf_token(&session).as_bytes())) {
            return Err(ServiceError::Forbidden("sign out on the manager's own page".to_owned()).into());
        }
        service.sign_out(&session).await?;
    }
    Ok(see(&service, "").cookie(baked(&service, &request, "", 0)).finish())
}

/// Where to go on: a page of the manager, whatever was asked for.
fn see(service: &Service, next: &str) -> actix_web::HttpResponseBuilder {
    let base = page::base(service);
    let target = if is_page(next, &base) { next } else { &base };
    let mut response = HttpResponse::SeeOther();
    response.insert_header((LOCATION, target));
    response
}

/// Whether this leads to a page of the manager, also once a browser or a proxy has normalised it. No page has anything in its path that would
/// have to be percent-encoded.
fn is_page(next: &str, base: &str) -> bool {
    let is_plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let path = next.split(['?', '#']).next().unwrap_or_default();
    let Some(below) = path.strip_prefix(base).filter(|_| is_plain) else { return false };
    let mut segments = below.split('/');
    let is_below = segments.next() == Some(""); // or it is no more than a word that begins as the manager does
    is_below && segments.all(|segment| !matches!(segment, "" | "." | "..") && !segment.contains('%'))
}

fn baked(service: &Service, request: &HttpRequest, value: &str, seconds: u64) -> Cookie<'static> {
    Cookie::build(COOKIE, value.to_owned())
        .path(page::base(service))
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(is_by_tls(service, request))
        .max_age(time::Duration::seconds(i64::try_from(seconds).unwrap_or(i64::MAX)))
        .finish()
}

/// Whether the browser speaks TLS, and so keeps a cookie that is for TLS only: the public URL says so, or the browser names its page, or the
/// proxy says how it was asked.
fn is_by_tls(service: &Service, request: &HttpRequest) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let forwarded = || header("x-forwarded-proto").split(',').next().unwrap_or_default().trim().to_ascii_lowercase();
    service.is_behind_tls()
        || header(ORIGIN.as_str()).starts_with("https://")
        || (service.is_behind_proxy() && forwarded() == "https")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_the_manager_are_gone_on_to() {
        for base in ["/manager", "/notebooks/manager"] {
            for page in
                ["", "?x=1", "/hooks", "/hooks?path=../a%2F..//b", "/inboxes/+new", "/runs/0198-a_b", "/hooks/a.b#c"]
            {
                assert!(is_page(&format!("{base}{page}"), base), "{page}");
            }
            for elsewhere in [
                "/../hooks/x",
                "/..",
                "/./../x",
                "/%2e%2e/hooks/x",
                "/.%2E/x",
                "/%2E./x",
                "/%2e",
                "/%252e%252e/x",
                "//evil.example",
                "/hooks//x",
                "/hooks/..",
                "/hooks/../../x",
                "/..%2fhooks",
                "/..\\hooks",
                "\\..\\x",
                "/.\t./x",
                "/\t/x",
                "/.\n.",
                "/a b",
                "/hooks/..?x",
                "/hooks/..#x",
                ".evil.example",
                "s",
                "@evil.example",
                "%2f..",
                "/\u{2024}\u{2024}/x",
            ] {
                assert!(!is_page(&format!("{base}{elsewhere}"), base), "{elsewhere:?}");
            }
            for elsewhere in
                ["", "/", "//evil.example", "https://evil.example/manager", "javascript:1", "/x/../manager", "manager"]
            {
                assert!(!is_page(elsewhere, base), "{elsewhere:?}");
            }
        }
    }
}
