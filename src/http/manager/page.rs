//! What all pages have in common: who reads them, and the frame that they are rendered in.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ContentType};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};

use super::session;
use crate::http::error::ApiError;
use crate::model::{Caller, Role};
use crate::service::{Error, Service};

/// A page that somebody who is signed in asks for.
pub(super) struct Page {
    pub(super) caller: Caller,
    pub(super) service: web::Data<Service>,
    csrf: String,
    path: String,
}

impl FromRequest for Page {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let service = request.app_data::<web::Data<Service>>().cloned();
            let session = session::cookie(&request).ok_or(Error::Unauthorized)?;
            let service = service.ok_or(Error::Unauthorized)?;
            let caller = service.signed_in(&session).await?;
            Ok(Self { caller, service, csrf: Service::csrf_token(&session), path: request.path().to_owned() })
        })
    }
}

impl Page {
    /// Renders `templates/manager/<name>.html` with the names of `context`, an object, and those that the frame needs.
    pub(super) fn render(&self, name: &str, context: impl Serialize) -> Result<HttpResponse, ApiError> {
        let user = json!({"name": self.caller.name, "is_admin": self.caller.role == Role::Admin});
        let more = json!({"user": user, "csrf": self.csrf, "path": self.path});
        respond(&self.service, name, &[more, json(context)?])
    }
}

/// A page that is for everybody.
pub(super) fn unsigned(service: &Service, name: &str, context: impl Serialize) -> Result<HttpResponse, ApiError> {
    respond(service, name, &[json!({"user": null, "csrf": "", "path": ""}), json(context)?])
}

/// What the paths of all pages begin with, as browsers see them.
pub(super) fn base(service: &Service) -> String {
    format!("{}/manager", service.public_path())
}

/// Nothing from elsewhere, no script or style but those that the templates name (what hooks answer is of the same origin), and none in the page
/// itself. What notebooks made is shown in frames of an origin of their own.
fn policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self' data:; connect-src 'self'; \
         frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}

fn json(context: impl Serialize) -> Result<Value, ApiError> {
    serde_json::to_value(context).map_err(|error| Error::Internal(error.to_string()).into())
}

fn respond(service: &Service, name: &str, contexts: &[Value]) -> Result<HttpResponse, ApiError> {
    let mut context = serde_json::Map::new();
    context.insert("base".to_owned(), base(service).into());
    context.insert("root".to_owned(), service.public_path().into());
    context.insert("version".to_owned(), env!("CARGO_PKG_VERSION").into());
    for names in contexts.iter().filter_map(Value::as_object) {
        context.extend(names.clone());
    }
    let nonce = service.nonce()?;
    context.insert("nonce".to_owned(), nonce.as_str().into());
    let html = service.page(name, context)?;
    Ok(HttpResponse::Ok()
        .insert_header(ContentType::html())
        .insert_header((CONTENT_SECURITY_POLICY, policy(&nonce)))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(html))
}
