//! `/openapi.json`, `/asyncapi.json` and `/docs`: the documents, and Swagger UI to read them with.
//!
//! The pages need nothing from elsewhere and have no inline script, so a strict policy keeps them to this server.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ContentType, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;
use utoipa_swagger_ui::Config;

use super::auth;
use super::embedded::Embedded;
use super::error::ApiError;
use crate::model::HookToken;
use crate::service::Service;

const PAGE: &str = include_str!("page.html");

/// Only the scripts and styles that the page names, as what hooks answer is of the same origin. Images in answers are shown, from
/// `blob:` URLs that the page makes of them.
fn policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self' data: blob:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// What the pages are made of.
const ASSETS: [&str; 5] = ["initializer.js", "page.css", "swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"];

/// The API; with the caller's own hooks, if it is known who calls.
pub(super) async fn of_api(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let caller = auth::caller(&request).await?;
    Ok(document(&service.api_document(caller.as_ref()).await?))
}

/// The types of events (`AsyncAPI`).
pub(super) async fn of_events(service: web::Data<Service>) -> HttpResponse {
    document(&service.events_document())
}

pub(super) async fn of_hook(service: web::Data<Service>, token: web::Path<String>) -> Result<HttpResponse, ApiError> {
    Ok(document(&service.hook_document(&parse(&token)?).await?))
}

pub(super) async fn page_of_api(service: web::Data<Service>) -> Result<HttpResponse, ApiError> {
    page(&service)
}

pub(super) async fn page_of_hook(
    service: web::Data<Service>,
    token: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    service.called(&parse(&token)?).await?;
    page(&service)
}

fn parse(token: &str) -> Result<HookToken, ApiError> {
    token.parse().map_err(|_| ApiError::not_found("hook"))
}

/// A document changes with each deploy, and with what hooks answer.
fn document(document: &Value) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "private, no-cache"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .json(document)
}

/// The same page everywhere: its script finds the document beside it.
fn page(service: &Service) -> Result<HttpResponse, ApiError> {
    let assets = format!("\"{}/docs/assets/", service.public_path());
    let nonce = service.nonce()?;
    Ok(HttpResponse::Ok()
        .insert_header(ContentType::html())
        .insert_header((CONTENT_SECURITY_POLICY, policy(&nonce)))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, "no-referrer")) // a hook's URL is a secret
        .insert_header((CACHE_CONTROL, "private, no-cache"))
        .body(PAGE.replace("\"/docs/assets/", &assets).replace("{nonce}", &nonce)))
}

/// A file of the pages.
pub(super) async fn asset(request: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let known = assets().iter().find(|asset| asset.name == *name).ok_or_else(|| ApiError::not_found("resource"))?;
    Ok(known.answer(&request))
}

/// Swagger UI's files as its makers released them, and our own.
fn assets() -> &'static [Embedded] {
    static ASSETS_READ: OnceLock<Vec<Embedded>> = OnceLock::new();
    ASSETS_READ.get_or_init(|| {
        let read = |name: &'static str| {
            let bytes = match name {
                "initializer.js" => web::Bytes::from_static(include_bytes!("initializer.js")),
                "page.css" => web::Bytes::from_static(include_bytes!("page.css")),
                name => vendored(name)?,
            };
            Some(Embedded::new(name, bytes))
        };
        ASSETS.into_iter().filter_map(read).collect()
    })
}

fn vendored(name: &str) -> Option<web::Bytes> {
    let file = utoipa_swagger_ui::serve(name, Arc::new(Config::default())).ok()??;
    Some(match file.bytes {
        Cow::Borrowed(bytes) => web::Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    })
}
