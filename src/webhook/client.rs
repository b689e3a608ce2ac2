//! The HTTP client, and one request for it.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::{Client, ClientBuilder, Method, Request};

use super::resolver::Gate;
use super::target::Target;
use super::{Outgoing, headers, signature};
use crate::model::{CallbackMethod, HOPS_HEADER};

/// Shared by the addresses of a name, so that one that does not answer leaves time for the next.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const AGENT: &str = concat!("nbhook/", env!("CARGO_PKG_VERSION"));

/// Why nothing can be sent at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up TLS for outgoing requests: {0}")]
pub struct SetupError(#[from] reqwest::Error);

/// A client that follows no redirect, asks no proxy, keeps neither cookies nor connections, tries nothing twice, and finds
/// names through `gate`.
pub(super) fn build(gate: &Gate) -> Result<Client, SetupError> {
    let _ = rustls::crypto::ring::default_provider().install_default(); // an error: it was before
    let builder = || bare().dns_resolver(Arc::new(gate.clone()));
    builder().build().or_else(|error| {
        // Whoever sends nothing, or only plain HTTP, needs none.
        tracing::warn!(%error, "no request can be sent over https: are certificates of authorities installed (ca-certificates)?");
        Ok(builder().tls_certs_only([]).build()?)
    })
}

pub(super) fn bare() -> ClientBuilder {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .pool_max_idle_per_host(0)
        .connect_timeout(CONNECT_TIMEOUT)
}

/// The request, signed; or what cannot be sent, in words.
pub(super) fn request(client: &Client, target: Target, outgoing: &Outgoing<'_>) -> Result<Request, String> {
    let mut request = client.request(method(outgoing.method), target.into_url()).build().map_err(|_| unfit("URL"))?;
    *request.headers_mut() = header_map(outgoing)?;
    if !outgoing.body.is_empty() {
        *request.body_mut() = Some(outgoing.body.to_vec().into());
    } else if !matches!(outgoing.method, CallbackMethod::Get | CallbackMethod::Delete) {
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    Ok(request)
}

fn header_map(outgoing: &Outgoing<'_>) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    map.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    if let Some(content_type) = outgoing.content_type {
        map.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).map_err(|_| unfit("content type"))?);
    }
    let custom = headers::read(outgoing.headers);
    // A user's own take the place of ours, and may come several times.
    for name in custom.keys() {
        map.remove(name);
    }
    for (name, value) in &custom {
        map.append(name, value.clone());
    }
    map.insert(CONNECTION, HeaderValue::from_static("close"));
    let mut insert = |name, text: &str| {
        map.insert(HeaderName::from_static(name), HeaderValue::from_str(text).map_err(|_| unfit(name))?);
        Ok::<_, String>(())
    };
    insert("webhook-id", outgoing.id)?;
    insert(HOPS_HEADER, &outgoing.hops.to_string())?;
    insert("webhook-timestamp", &outgoing.timestamp.to_string())?;
    if !outgoing.secrets.is_empty() {
        let signature = signature::header(outgoing.id, outgoing.timestamp, outgoing.body, outgoing.secrets);
        insert("webhook-signature", &signature)?;
    }
    Ok(map)
}

fn unfit(what: &str) -> String {
    format!("the {what} cannot be sent over HTTP")
}

fn method(method: CallbackMethod) -> Method {
    match method {
        CallbackMethod::Get => Method::GET,
        CallbackMethod::Post => Method::POST,
        CallbackMethod::Put => Method::PUT,
        CallbackMethod::Patch => Method::PATCH,
        CallbackMethod::Delete => Method::DELETE,
    }
}
