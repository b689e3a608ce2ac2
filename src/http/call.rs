//! `/hooks/{token}`: calling a notebook.

use actix_web::http::header::ACCEPT;
use actix_web::{HttpRequest, HttpResponse, web};

use super::error::ApiError;
use super::{auth, body, reply};
use crate::model::{Histo, HookToken};
use crate::service::{Accept, Call, Service};

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
    let token: HookToken = token.parse().map_err(|_| ApiError::not_found("hook"))?;
    // Before the body is read: who is turned away need not send it.
    let target = service.target(&token, histo.as_ref()).await?;
    let call = Call {
        method: request.method().to_string(),
        query: body::query(request),
        headers: headers(request),
        body: body::of_call(request, payload, &service).await?,
        accept: Accept::parse(&header(request, ACCEPT.as_str())),
        caller: auth::caller(request).await?,
    };
    let answer = service.into_inner().call(target, call).await?;
    Ok(reply::write(request, answer))
}

/// The values of a header, joined as RFC 9110, section 5.3 allows.
fn header(request: &HttpRequest, name: &str) -> String {
    let values: Vec<_> =
        request.headers().get_all(name).map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    values.join(", ")
}

/// All headers, by their lowercase names.
fn headers(request: &HttpRequest) -> Vec<(String, String)> {
    let mut names: Vec<_> = request.headers().keys().map(ToString::to_string).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| (name.clone(), header(request, &name))).collect()
}
