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
/// For requests that carry a notebook or files.
const TRANSFER_TIMEOUT: Duration = Duration::from_mins(15);
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
    fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("v1").extend(segments);
        }
        self.http.request(method, url).bearer_auth(self.token.expose())
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

    /// Posts without a body.
    pub(super) async fn act(&self, segments: &[&str]) -> Result<Value, CliError> {
        self.answer(self.request(Method::POST, segments)).await
    }

    pub(super) async fn upload(&self, segments: &[&str], form: Form) -> Result<Value, CliError> {
        self.answer(self.request(Method::POST, segments).multipart(form).timeout(TRANSFER_TIMEOUT)).await
    }

    pub(super) async fn patch(&self, segments: &[&str], body: &Value) -> Result<Value, CliError> {
        self.answer(self.request(Method::PATCH, segments).json(body)).await
    }

    pub(super) async fn delete(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<Value, CliError> {
        self.answer(self.request(Method::DELETE, segments).query(query)).await
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

async fn problem(response: Response) -> CliError {
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
mod tests {
    use serde_json::json;
    use wiremock::matchers::{header, method, path, query_param};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    const TOKEN: &str = "nbh_0123456789abcdefghijklmnopq";

    fn api(server: &MockServer) -> Api {
        Api::new(Url::parse(&server.uri()).unwrap(), TOKEN.parse().unwrap()).unwrap()
    }

    async fn page(server: &MockServer, offset: usize, limit: usize, count: usize, effective: usize) {
        let items: Vec<Value> = (offset..offset + count).map(|n| json!({ "n": n })).collect();
        Mock::given(method("GET"))
            .and(path("/v1/hooks"))
            .and(header("authorization", format!("Bearer {TOKEN}")))
            .and(query_param("owner", "bob"))
            .and(query_param("offset", offset.to_string()))
            .and(query_param("limit", limit.to_string()))
            .respond_with(ResponseTemplate::new(200).set_body_json(
                json!({"filters": {}, "sort": "path", "limit": effective, "offset": offset, "items": items}),
            ))
            .expect(1)
            .mount(server)
            .await;
    }

    fn numbers(items: &[Value]) -> Vec<u64> {
        items.iter().map(|item| item["n"].as_u64().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_list_is_read_to_its_last_page() {
        let server = MockServer::start().await;
        page(&server, 0, 250, 250, 250).await;
        page(&server, 250, 250, 250, 250).await;
        page(&server, 500, 250, 7, 250).await;
        let items = api(&server).list(&["hooks"], &[("owner", "bob")], None).await.unwrap();
        assert_eq!(numbers(&items), (0..507).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_last_page_that_is_full_is_followed_by_an_empty_one() {
        let server = MockServer::start().await;
        page(&server, 0, 250, 250, 250).await;
        page(&server, 250, 250, 0, 250).await;
        assert_eq!(api(&server).list(&["hooks"], &[("owner", "bob")], None).await.unwrap().len(), 250);
    }

    #[tokio::test]
    async fn a_server_with_smaller_pages_is_read_to_the_end() {
        let server = MockServer::start().await;
        page(&server, 0, 250, 100, 100).await;
        page(&server, 100, 250, 30, 100).await;
        assert_eq!(api(&server).list(&["hooks"], &[("owner", "bob")], None).await.unwrap().len(), 130);
    }

    #[tokio::test]
    async fn no_more_is_asked_for_than_is_wanted() {
        let server = MockServer::start().await;
        page(&server, 0, 250, 250, 250).await;
        page(&server, 250, 50, 50, 50).await;
        assert_eq!(api(&server).list(&["hooks"], &[("owner", "bob")], Some(300)).await.unwrap().len(), 300);
    }

    #[tokio::test]
    async fn segments_are_escaped_behind_the_servers_prefix() {
        let server = MockServer::start().await;
        Mock::given(path("/nb/v1/hooks/a%2Fb%20c%3F"))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({"ok": true})))
            .expect(1)
            .mount(&server)
            .await;
        let base = Url::parse(&format!("{}/nb", server.uri())).unwrap();
        let api = Api::new(base, TOKEN.parse().unwrap()).unwrap();
        assert_eq!(api.get(&["hooks", "a/b c?"]).await.unwrap(), json!({"ok": true}));
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let server = MockServer::start().await;
        let elsewhere = format!("{}/elsewhere", server.uri());
        Mock::given(path("/elsewhere")).respond_with(ResponseTemplate::new(200)).expect(0).mount(&server).await;
        Mock::given(path("/v1/users/me"))
            .respond_with(ResponseTemplate::new(307).insert_header("location", elsewhere))
            .mount(&server)
            .await;
        let error = api(&server).get(&["users", "me"]).await.unwrap_err();
        assert!(error.to_string().contains("307") && error.to_string().contains("redirect"), "{error}");
    }

    #[tokio::test]
    async fn nobody_listening_is_unreachable_and_names_no_token() {
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let base = Url::parse(&format!("http://{free}/hooks/secret")).unwrap();
        let api = Api::new(base, TOKEN.parse().unwrap()).unwrap();
        let error = api.get(&["hooks"]).await.unwrap_err();
        assert_eq!(error.exit_code(), 5);
        let shown = format!("{error} {error:?} {api:?}");
        assert!(shown.contains(&free.to_string()) && shown.contains("refused"), "{shown}");
        assert!(!shown.contains(TOKEN) && !error.to_string().contains("secret"), "{shown}");
    }

    #[tokio::test]
    async fn something_else_than_nbhook_is_said_to_be_so() {
        let server = MockServer::start().await;
        Mock::given(path("/v1/hooks/x"))
            .respond_with(ResponseTemplate::new(200).set_body_string("<html>"))
            .mount(&server)
            .await;
        let error = api(&server).get(&["hooks", "x"]).await.unwrap_err();
        assert!(matches!(error, CliError::Answer(_)), "{error:?}");
        let error = api(&server).get(&["hooks", "y"]).await.unwrap_err();
        assert_eq!((error.exit_code(), error.to_string().as_str()), (3, "the server answered 404 Not Found"));
    }

    #[test]
    fn a_problem_names_its_field_once() {
        let message =
            |status: u16, problem: Value| problem_message(StatusCode::from_u16(status).unwrap(), Some(&problem));
        assert_eq!(
            message(422, json!({"detail": "must be positive", "field": "params.timeout"})),
            "params.timeout: must be positive"
        );
        assert_eq!(
            message(422, json!({"detail": "path: must name a notebook", "field": "path"})),
            "path: must name a notebook"
        );
        assert_eq!(message(409, json!({"title": "Conflict"})), "Conflict");
        assert!(message(401, json!({"detail": "no token"})).starts_with("no token (log in"));
        assert_eq!(problem_message(StatusCode::BAD_GATEWAY, None), "the server answered 502 Bad Gateway");
    }
}
