//! The HTTP client for `/v1`: adds the bearer token, follows pages, turns problem answers into errors.
//!
//! It knows addresses and status codes, not what the answers mean ([`super::wire`] does). It never follows a redirect and
//! never goes through a proxy, so the token reaches only the server that it was given for.

use std::error::Error;
use std::time::Duration;

use reqwest::multipart::Form;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url, redirect};
use serde_json::Value;

use super::error::CliError;
use crate::model::ApiToken;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For requests whose body and answer are small.
const TIMEOUT: Duration = Duration::from_mins(1);
/// For requests that carry a notebook or files, or take long.
const TRANSFER_TIMEOUT: Duration = Duration::from_mins(15);
/// For what goes on until the server ends it, which it does after an hour.
const STREAM_TIMEOUT: Duration = Duration::from_hours(2);
/// The largest page that the server gives.
const PAGE: usize = 250;
/// Largest answer that is read into memory, in bytes.
const LARGEST_ANSWER: usize = 256 << 20;
/// How much of an error answer is read, in bytes.
const LARGEST_PROBLEM: usize = 64 << 10;

/// A server, as one user.
#[derive(Debug)]
pub(super) struct Api {
    http: Client,
    base: Url,
    token: ApiToken,
}

/// A client for `url` that waits `timeout` at most for a whole answer.
///
/// # Errors
/// When TLS is needed and the machine has no usable root certificates.
pub(super) fn http_client(url: &Url, timeout: Duration) -> Result<Client, CliError> {
    // Fails only if a provider was installed before, which is then used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("nbhook/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout);
    // Without TLS no root certificates are loaded: that takes time, and fails on a machine that has none.
    let builder = if url.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
    builder.build().map_err(|error| CliError::Failed(format!("cannot set up HTTP: {}", root_cause(&error))))
}

impl Api {
    pub(super) fn new(base: Url, token: ApiToken) -> Result<Self, CliError> {
        Ok(Self { http: http_client(&base, TIMEOUT)?, base, token })
    }

    /// `{base}/v1/{segments}`, each segment escaped.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("v1").extend(segments);
        }
        url
    }

    /// The address that the server gave as `href`.
    pub(super) fn resolve(&self, href: &str) -> Result<Url, CliError> {
        self.base.join(href).map_err(|_| CliError::Answer("an address is no URL".to_owned()))
    }

    fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        self.http.request(method, self.url(segments)).bearer_auth(self.token.expose())
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, CliError> {
        let response = request.send().await.map_err(|error| connection_error(&self.base, error))?;
        if response.status().is_success() { Ok(response) } else { Err(problem(response).await) }
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Value, CliError> {
        let body = read_body(self.send(request).await?, &self.base).await?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|_| CliError::Answer("it is not JSON".to_owned()))
    }

    pub(super) async fn get(&self, segments: &[&str]) -> Result<Value, CliError> {
        self.answer(self.request(Method::GET, segments)).await
    }

    /// One object, for which the server may wait so long.
    pub(super) async fn get_with(
        &self,
        segments: &[&str],
        query: &[(&str, &str)],
        patience: Duration,
    ) -> Result<Value, CliError> {
        self.answer(self.request(Method::GET, segments).query(query).timeout(TIMEOUT + patience)).await
    }

    /// All items of a list, or the first `most`, over as many pages as it takes.
    pub(super) async fn list(
        &self,
        segments: &[&str],
        filters: &[(&str, &str)],
        most: Option<usize>,
    ) -> Result<Vec<Value>, CliError> {
        let most = most.unwrap_or(usize::MAX);
        let mut items = Vec::new();
        while items.len() < most {
            let limit = PAGE.min(most - items.len());
            let window = [("limit", limit), ("offset", items.len())];
            let page = self.answer(self.request(Method::GET, segments).query(filters).query(&window)).await?;
            let Value::Object(mut page) = page else { return Err(CliError::Answer("a list is no object".to_owned())) };
            // A server may give smaller pages than it was asked for; it then says so.
            let limit = page.get("limit").and_then(Value::as_u64).map_or(limit, |size| limit.min(saturating(size)));
            let Some(Value::Array(found)) = page.remove("items") else {
                return Err(CliError::Answer("a list has no items".to_owned()));
            };
            let last = found.is_empty() || found.len() < limit;
            items.extend(found);
            if last {
                break;
            }
        }
        items.truncate(most);
        Ok(items)
    }

    pub(super) async fn post(&self, segments: &[&str], body: &Value) -> Result<Value, CliError> {
        self.answer(self.request(Method::POST, segments).json(body)).await
    }

    /// Posts what the server may take so many seconds over.
    pub(super) async fn post_with(&self, segments: &[&str], body: &Value, patience: u64) -> Result<Value, CliError> {
        let timeout = TIMEOUT + Duration::from_secs(patience);
        self.answer(self.request(Method::POST, segments).json(body).timeout(timeout)).await
    }

    /// As [`Self::post_with`], with PATCH.
    pub(super) async fn patch_with(&self, segments: &[&str], body: &Value, patience: u64) -> Result<Value, CliError> {
        let timeout = TIMEOUT + Duration::from_secs(patience);
        self.answer(self.request(Method::PATCH, segments).json(body).timeout(timeout)).await
    }

    /// Posts without a body.
    pub(super) async fn act(&self, segments: &[&str]) -> Result<Value, CliError> {
        self.answer(self.request(Method::POST, segments)).await
    }

    /// Posts without a body, with a query; for what may take long.
    pub(super) async fn act_with(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<Value, CliError> {
        self.answer(self.request(Method::POST, segments).query(query).timeout(TRANSFER_TIMEOUT)).await
    }

    pub(super) async fn upload(&self, segments: &[&str], form: Form) -> Result<Value, CliError> {
        self.answer(self.request(Method::POST, segments).multipart(form).timeout(TRANSFER_TIMEOUT)).await
    }

    pub(super) async fn patch(&self, segments: &[&str], body: &Value) -> Result<Value, CliError> {
        self.answer(self.request(Method::PATCH, segments).json(body)).await
    }

    pub(super) async fn put(&self, segments: &[&str], body: &Value) -> Result<Value, CliError> {
        self.answer(self.request(Method::PUT, segments).json(body)).await
    }

    /// What comes piece by piece, as long as the server goes on.
    pub(super) async fn stream(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<Response, CliError> {
        self.send(self.request(Method::GET, segments).query(query).timeout(STREAM_TIMEOUT)).await
    }

    /// As [`Self::stream`], after the event of this id.
    pub(super) async fn resume(&self, segments: &[&str], last: Option<&str>) -> Result<Response, CliError> {
        let request = self.request(Method::GET, segments).timeout(STREAM_TIMEOUT);
        self.send(last.into_iter().fold(request, |request, last| request.header("last-event-id", last))).await
    }

    pub(super) async fn delete(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<Value, CliError> {
        self.answer(self.request(Method::DELETE, segments).query(query)).await
    }

    /// What there is at an address, whatever the answer's status. The token goes along only if it is this server's.
    pub(super) async fn fetch(&self, url: &Url) -> Result<Response, CliError> {
        let request = self.http.get(url.clone()).timeout(TRANSFER_TIMEOUT);
        let ours = url.origin() == self.base.origin();
        let request = if ours { request.bearer_auth(self.token.expose()) } else { request };
        request.send().await.map_err(|error| connection_error(url, error))
    }

    /// A file, whose body is still to be read.
    pub(super) async fn download(&self, segments: &[&str]) -> Result<Response, CliError> {
        self.send(self.request(Method::GET, segments).timeout(TRANSFER_TIMEOUT)).await
    }
}

fn saturating(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The whole body of an answer.
///
/// # Errors
/// When the connection breaks or the body has more than 256 MiB.
pub(super) async fn read_body(mut response: Response, server: &Url) -> Result<Vec<u8>, CliError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| connection_error(server, error))? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(CliError::Failed("the answer is larger than 256 MiB; save it with --output".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A connection that failed, without the URL: a hook's URL holds its token.
pub(super) fn connection_error(server: &Url, error: reqwest::Error) -> CliError {
    let error = error.without_url();
    let cause = if error.is_timeout() { "no answer in time".to_owned() } else { root_cause(&error) };
    CliError::Unreachable { server: server.origin().ascii_serialization(), cause }
}

fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// The start of an error answer, as JSON if it is an object (RFC 9457 problem details).
pub(super) async fn read_problem(mut response: Response) -> Option<Value> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST_PROBLEM {
            return None;
        }
    }
    serde_json::from_slice(&body).ok().filter(Value::is_object)
}

/// An error answer as an error.
pub(super) async fn problem(response: Response) -> CliError {
    let status = response.status();
    let problem = read_problem(response).await;
    CliError::Refused { status: status.as_u16(), message: problem_message(status, problem.as_ref()) }
}

/// What an error answer says: the bad field, then `detail`, else `title`, else the status alone.
pub(super) fn problem_message(status: StatusCode, problem: Option<&Value>) -> String {
    let text = |name: &str| problem.and_then(|problem| problem.get(name)).and_then(Value::as_str);
    let said = text("detail").or_else(|| text("title"));
    let message = match (said, text("field")) {
        (Some(said), Some(field)) if !said.contains(field) => format!("{field}: {said}"),
        (Some(said), _) => said.to_owned(),
        (None, _) => format!("the server answered {status}"),
    };
    match status {
        StatusCode::UNAUTHORIZED => format!("{message} (log in with `nbhook login`, or set NBHOOK_TOKEN)"),
        status if status.is_redirection() => format!("{message}, a redirect: give the server's own URL"),
        _ => message,
    }
}

#[cfg(test)]
#[path = "api_tests.rs"]
mod tests;
