//! Requests to a real HTTP server: pages, addresses, refusals, broken connections.

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
    let message = |status: u16, problem: Value| problem_message(StatusCode::from_u16(status).unwrap(), Some(&problem));
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
