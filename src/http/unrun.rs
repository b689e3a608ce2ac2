//! `OPTIONS` and `HEAD` of a hook: answered without running it.

use actix_web::body::None as NoBody;
use actix_web::http::header::{ALLOW, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};

use super::call::called;
use super::error::ApiError;
use super::{cors, reply};
use crate::model::{Histo, Hook};
use crate::service::Service;

/// What a hook's URL can be asked with.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// What may be done, and, to a browser that asks before it lets a script call, whether that script may.
pub(super) async fn options(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let (hook, histo) = named(&service, &request).await?;
    service.known_media_type(&hook, histo.as_ref()).await?; // there is such a version
    let mut response = HttpResponse::NoContent().insert_header((ALLOW, METHODS)).finish();
    cors::preflight(&hook.params.cors, &request, METHODS, &mut response);
    Ok(response)
}

/// What is known of an answer before there is one. How long it will be is not.
pub(super) async fn head(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let (hook, histo) = named(&service, &request).await?;
    let media_type = service.known_media_type(&hook, histo.as_ref()).await?;
    let mut response = HttpResponse::Ok();
    if let Some(media_type) = media_type {
        response.insert_header((CONTENT_TYPE, media_type));
    }
    let mut response = response.body(NoBody::new());
    reply::protect(response.headers_mut());
    Ok(cors::open(&hook.params.cors, &request, response))
}

/// The hook of a URL, and the version, if it is one's. What cannot be read does not exist.
async fn named(service: &Service, request: &HttpRequest) -> Result<(Hook, Option<Histo>), ApiError> {
    let part = |name| request.match_info().get(name);
    let histo = part("histo").map(|histo| histo.parse().map_err(|_| ApiError::not_found("hook"))).transpose()?;
    Ok((called(service, part("token").unwrap_or_default()).await?, histo))
}
