//! Calls of a hook, whose URL is on the same test server but outside `/v1`.

use serde_json::{Value, json};
use wiremock::matchers::{body_json, body_string_contains, method, path, query_param};
use wiremock::{Mock, MockBuilder, Request, ResponseTemplate};

use super::*;
use crate::cli::context::Terminals;
use crate::cli::testing::{HOOK, Ran, TestServer, hook};

const RUN: &str = "0198c5f0-0000-7000-8000-00000000000a";

async fn server() -> TestServer {
    let server = TestServer::start().await;
    let mut deployed = hook(HOOK, "a.ipynb", "bob");
    deployed["url"] = json!(format!("{}/hooks/secret", server.http.uri()));
    server.json("GET", &format!("/v1/hooks/{HOOK}"), 200, deployed).await;
    server
}

async fn on(server: &TestServer, request: MockBuilder, answer: ResponseTemplate) {
    let untrusted = |request: &Request| !request.headers.contains_key("authorization");
    request.and(untrusted).respond_with(answer.insert_header(RUN_HEADER, RUN)).mount(&server.http).await;
}

fn call(verb: &str) -> MockBuilder {
    Mock::given(method(verb)).and(path("/hooks/secret"))
}

fn text(body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body.to_owned(), "text/plain; charset=utf-8")
}

async fn run(server: &TestServer, options: &[&str]) -> Ran {
    let ran = server.run(&[&["call", HOOK], options].concat()).await;
    assert!(!ran.err.contains("/hooks/secret"), "the hook's URL was shown: {}", ran.err);
    ran
}

#[tokio::test]
async fn parameters_go_where_the_method_wants_them() {
    let server = server().await;
    on(&server, call("POST").and(body_json(json!({"n": 5, "tag": ["a", "b"]}))), text("json")).await;
    on(&server, call("GET").and(query_param("n", "5")).and(query_param("name", "x & y")), text("query")).await;
    let plain = |request: &Request| request.url.query().is_none() && request.body.is_empty();
    on(&server, call("GET").and(plain), text("plain")).await;
    on(&server, call("DELETE").and(plain), text("deleted")).await;
    let versions = Mock::given(method("GET")).and(path("/hooks/secret/versions/20260101000000000000"));
    on(&server, versions, text("old")).await;
    for (options, expected) in [
        (&["-p", "n=5", "-p", "tag=a", "-p", "tag=b"][..], "json"),
        (&["-p", "n=5", "-p", "name=x & y", "--method", "GET"], "query"),
        (&[], "plain"),
        (&["-X", "delete"], "deleted"),
        (&["--histo", "20260101000000000000"], "old"),
    ] {
        let ran = run(&server, options).await;
        assert_eq!((ran.code, ran.out.as_str()), (0, expected), "{options:?}: {}", ran.err);
    }
}

#[tokio::test]
async fn files_go_as_a_form_with_the_parameters_beside_them() {
    let server = server().await;
    let file = server.write("prices ü.csv", b"a,b\n1,2\n");
    let form = call("POST")
        .and(body_string_contains("name=\"prices\"; filename=\"prices ü.csv\"\r\nContent-Type: text/csv"))
        .and(body_string_contains("a,b\n1,2\n"))
        .and(body_string_contains("name=\"n\"\r\n\r\n5\r\n"));
    on(&server, form, text("got it")).await;
    let ran = run(&server, &["-f", &format!("prices={file}"), "-p", "n=5"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "got it"), "{}", ran.err);
    assert_eq!(run(&server, &["-f", &file, "--method", "GET"]).await.code, 2);
    assert_eq!(run(&server, &["-f", &server.path("gone.csv")]).await.code, 1);
}

#[tokio::test]
async fn the_answer_is_kept_to_the_byte() {
    let server = server().await;
    let png: Vec<u8> = (0..=255).chain([0, 10, 13]).collect();
    on(&server, call("GET"), ResponseTemplate::new(200).set_body_raw(png.clone(), "image/png")).await;
    assert_eq!(run(&server, &[]).await.bytes, png);
    let target = server.path("plot.png");
    let ran = run(&server, &["-o", &target]).await;
    assert_eq!((ran.code, ran.out.trim()), (0, target.as_str()), "{}", ran.err);
    assert_eq!(std::fs::read(&target).unwrap(), png);
    let calls = || async { server.http.received_requests().await.unwrap().len() };
    let before = calls().await;
    assert_eq!(run(&server, &["-o", &target]).await.code, 1, "never overwritten");
    assert_eq!(calls().await, before, "and the notebook does not run for nothing");
}

#[tokio::test]
async fn a_terminal_gets_text_with_a_line_of_its_own_and_no_binary() {
    let server = server().await;
    let terminal = Terminals { output: true, ..Terminals::default() };
    on(&server, call("GET"), text("hello")).await;
    on(&server, call("PUT"), ResponseTemplate::new(200).set_body_raw(b"\x89PNG".to_vec(), "image/png")).await;
    assert_eq!(server.run_as(&["call", HOOK], "", terminal).await.out, "hello\n");
    let ran = server.run_as(&["call", HOOK, "-X", "PUT"], "", terminal).await;
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("image/png"), "{}", ran.err);
}

#[tokio::test]
async fn a_failed_run_is_told_with_its_traceback_and_its_own_exit_code() {
    let server = server().await;
    let problem = json!({"type": "urn:nbhook:problem:cell-error", "title": "A cell failed", "status": 500,
        "detail": "cell 3 raised KeyError", "run": RUN, "cell": 3, "ename": "KeyError", "evalue": "'a'"});
    let answer = ResponseTemplate::new(500).set_body_raw(problem.to_string(), "application/problem+json");
    on(&server, call("GET"), answer).await;
    let record = json!({"id": RUN, "hook": HOOK, "version": "v", "histo": "h", "state": "failed", "trigger": "http",
        "method": "GET", "created_at": "2026-01-02T03:04:05Z", "started_at": null, "finished_at": null, "duration_ms": 5,
        "cells_total": 4, "cells_done": 3, "warnings": [], "error": {"kind": "cell-error", "detail": "x", "cell": 3,
        "ename": "KeyError", "evalue": "'a'", "traceback": ["\u{1b}[31mTraceback\u{1b}[0m\u{1b}[2J", "d['a']"]}});
    server.json("GET", &format!("/v1/runs/{RUN}"), 200, record).await;
    let ran = run(&server, &[]).await;
    assert_eq!((ran.code, ran.out.as_str()), (6, ""));
    let said = format!("failed to call the hook: cell 3 raised KeyError: KeyError: 'a' (see `nbhook logs {RUN}`)\n");
    assert_eq!(ran.err, format!("Traceback\nd['a']\n{said}"));
}

#[tokio::test]
async fn an_answer_with_an_error_status_is_printed_and_fails() {
    let server = server().await;
    on(&server, call("GET"), ResponseTemplate::new(418).set_body_raw("{\"tea\": true}", "application/json")).await;
    let ran = run(&server, &[]).await;
    assert_eq!((ran.code, ran.out.as_str()), (6, "{\"tea\": true}"));
    assert!(ran.err.contains("the notebook answered 418"), "{}", ran.err);
}

#[tokio::test]
async fn a_call_that_did_not_run_says_why() {
    let server = server().await;
    let busy = ResponseTemplate::new(429)
        .insert_header("retry-after", "7")
        .set_body_json(json!({"detail": "the queue is full"}));
    call("GET").respond_with(busy).mount(&server.http).await;
    let gone = ResponseTemplate::new(404).set_body_json(json!({"title": "Not Found", "status": 404}));
    call("POST").respond_with(gone).mount(&server.http).await;
    let ran = run(&server, &[]).await;
    assert_eq!((ran.code, ran.err.as_str()), (1, "failed to call the hook: the queue is full; try again in 7 s\n"));
    assert_eq!(run(&server, &["-X", "POST"]).await.code, 3);
}

#[tokio::test]
async fn a_hook_that_sends_its_callers_on_is_done() {
    let server = server().await;
    let next = ResponseTemplate::new(303).insert_header("location", "https://example.org/thanks");
    on(&server, call("GET"), next).await;
    let ran = run(&server, &[]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    assert!(ran.err.contains("https://example.org/thanks"), "{}", ran.err);
}

#[tokio::test]
async fn an_unreachable_hook_is_named_without_its_token() {
    let server = TestServer::start().await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut deployed = hook(HOOK, "a.ipynb", "bob");
    deployed["url"] = Value::String(format!("http://{free}/hooks/secret"));
    server.json("GET", &format!("/v1/hooks/{HOOK}"), 200, deployed).await;
    let ran = run(&server, &[]).await;
    assert_eq!(ran.code, 5);
    assert!(ran.err.contains(&format!("cannot reach http://{free} (")), "{}", ran.err);
}

#[test]
fn a_file_may_have_a_name() {
    let file = |name: &str, path: &str| FileArg { name: name.to_owned(), path: path.into() };
    assert_eq!(parse_file("data=x.csv").unwrap(), file("data", "x.csv"));
    assert_eq!(parse_file("x.csv").unwrap(), file("file", "x.csv"));
    assert_eq!(parse_file("./a=b.csv").unwrap(), file("file", "./a=b.csv"));
}
