//! `/hooks/{token}`: calling a notebook.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};

use super::error::ApiError;
use super::manager::SESSION_COOKIE;
use super::received::{Received, receive};
use super::{auth, body, cors, prefer, reply, tasks};
use crate::model::{Histo, Hook, HookToken, Invalid};
use crate::service::{Call, CallWish, Called, Service};

/// Longest `Idempotency-Key`, in characters.
const LONGEST_KEY: usize = 255;

/// Runs the live version.
pub(super) async fn live(
    service: web::Data<Service>,
    request: HttpRequest,
    payload: web::Payload,
    token: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    run(service, &request, payload, &token, None).await
}

/// Runs one version, live or not.
pub(super) async fn pinned(
    service: web::Data<Service>,
    request: HttpRequest,
    payload: web::Payload,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (token, histo) = path.into_inner();
    let histo: Histo = histo.parse().map_err(|_| ApiError::not_found("hook"))?;
    run(service, &request, payload, &token, Some(histo)).await
}

async fn run(
    service: web::Data<Service>,
    request: &HttpRequest,
    payload: web::Payload,
    token: &str,
    histo: Option<Histo>,
) -> Result<HttpResponse, ApiError> {
    let hook = called(&service, token).await?;
    let cors = hook.params.cors.clone();
    let answer = answer(service.into_inner(), request, payload, hook, histo).await;
    Ok(cors::open(&cors, request, answer.unwrap_or_else(|error| error.error_response())))
}

/// The hook that a URL names.
pub(super) async fn called(service: &Service, token: &str) -> Result<Hook, ApiError> {
    let token: HookToken = token.parse().map_err(|_| ApiError::not_found("hook"))?;
    Ok(service.called(&token).await?)
}

async fn answer(
    service: Arc<Service>,
    request: &HttpRequest,
    payload: web::Payload,
    hook: Hook,
    histo: Option<Histo>,
) -> Result<HttpResponse, ApiError> {
    // Before the body is read: who is turned away need not send it.
    let target = service.target(hook, histo.as_ref()).await?;
    let prefer = prefer::of(&header(request, "prefer"))?;
    let key = idempotency_key(request)?;
    let caller = auth::caller(request).await?;
    let headers = headers(request, caller.is_some());
    let Received { body, raw_body, room, pass } =
        receive(&service, request, payload, target.hook(), caller.as_ref(), &headers).await?;
    let call = Call {
        method: request.method().to_string(),
        query: body::query(request),
        headers,
        body,
        raw_body,
        room: Some(room),
    };
    let wish = CallWish { prefer, key, caller };
    let work = async move { service.call(target, call, wish).await };
    let mut response = match pass.carry_out(work, Called::is_server_error).await? {
        Called::Answered(answer) => reply::write(request, answer),
        Called::Accepted(task) => tasks::accepted(&task),
    };
    if let Some(applied) = prefer::applied(prefer, response.status()) {
        response.headers_mut().insert(HeaderName::from_static("preference-applied"), applied);
    }
    Ok(response)
}

/// The `Idempotency-Key` of a POST: 1 to 255 printable characters, in quotes or not
/// (draft-ietf-httpapi-idempotency-key-header, section 2.1, wants them; most senders leave them out).
fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, Invalid> {
    let values: Vec<&HeaderValue> = request.headers().get_all("idempotency-key").collect();
    let [value] = values[..] else {
        return if values.is_empty() || request.method() != Method::POST {
            Ok(None)
        } else {
            Err(Invalid::new("Idempotency-Key", "must be there once"))
        };
    };
    if request.method() != Method::POST {
        return Ok(None); // the other methods say by themselves whether they may be repeated
    }
    let text = value.to_str().unwrap_or_default().trim();
    let key = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        Ok(Some(key.to_owned()))
    } else {
        Err(Invalid::new("Idempotency-Key", format!("must be 1 to {LONGEST_KEY} printable ASCII characters")))
    }
}

/// The values of a header, joined as RFC 9110, section 5.3 allows.
fn header(request: &HttpRequest, name: &str) -> String {
    let values: Vec<_> =
        request.headers().get_all(name).map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    values.join(", ")
}

/// All headers, by their lowercase names, but none that would let who reads them act as who sent them: an API token (which is said to be
/// `valid`, or looks like one), a run's token, what signs in to the manager.
pub(super) fn headers(request: &HttpRequest, valid: bool) -> Vec<(String, String)> {
    let mut names: Vec<_> = request.headers().keys().map(ToString::to_string).collect();
    names.sort_unstable();
    names.dedup();
    let shown = |name: String| {
        let value = header(request, &name);
        let value = match name.as_str() {
            "authorization" if valid || auth::has_token(&value) => return None,
            "x-csrf-token" => return None,
            "cookie" => Some(without_session(&value)).filter(|rest| !rest.is_empty())?,
            _ => value,
        };
        Some((name, value))
    };
    names.into_iter().filter_map(shown).collect()
}

/// The cookies without the manager's.
fn without_session(cookies: &str) -> String {
    if !cookies.contains(SESSION_COOKIE) {
        return cookies.to_owned();
    }
    let is_session = |cookie: &&str| cookie.split('=').next().is_some_and(|name| name.trim() == SESSION_COOKIE);
    let others = cookies.split([';', ',']).map(str::trim).filter(|cookie| !is_session(cookie));
    others.collect::<Vec<_>>().join("; ")
}
