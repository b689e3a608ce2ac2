//! Tasks: how they are, waiting for them, and the commands that start them.

use clap::Parser as _;
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockBuilder, Request, ResponseTemplate};

use super::*;
use crate::cli::context::Terminals;
use crate::cli::testing::{HOOK, Ran, TOKEN, TestServer, hook};

const RUN: &str = "0198c5f0-0000-7000-8000-00000000000a";
const KEY: &str = "capability";

#[expect(clippy::needless_pass_by_value, reason = "called with json!(…)")]
fn told(status: u16, state: &str, progress: Value) -> ResponseTemplate {
    let href = format!("/v1/tasks/{RUN}?key={KEY}");
    let task = json!({"_links": {"self": {"href": href}}, "UUID": RUN, "state": state, "message": "…",
        "progress": progress, "retryAfter": 0});
    ResponseTemplate::new(status).set_body_raw(task.to_string(), "application/hal+json")
}

fn task(state: &str, progress: Value) -> ResponseTemplate {
    told(200, state, progress)
}

fn accepted() -> ResponseTemplate {
    let task = told(202, "queued", Value::Null);
    task.insert_header("location", format!("/v1/tasks/{RUN}?key={KEY}")).insert_header("retry-after", "2")
}

fn succeeded() -> ResponseTemplate {
    ResponseTemplate::new(303).insert_header("location", format!("/v1/runs/{RUN}/result?key={KEY}"))
}

fn failed(kind: &str) -> ResponseTemplate {
    let problem =
        json!({"type": format!("urn:nbhook:problem:{kind}"), "title": kind, "status": 500, "detail": "it went wrong"});
    ResponseTemplate::new(200).set_body_raw(problem.to_string(), "application/problem+json")
}

/// The task's own address gives these answers, one after the other, and from then on the last.
async fn polls(server: &TestServer, answers: Vec<ResponseTemplate>) {
    let last = answers.len() - 1;
    for (number, answer) in answers.into_iter().enumerate() {
        let mock = server.mock("GET", &format!("/v1/tasks/{RUN}")).respond_with(answer);
        if number < last { mock.up_to_n_times(1).mount(&server.http).await } else { mock.mount(&server.http).await }
    }
}

fn result() -> MockBuilder {
    Mock::given(method("GET")).and(path(format!("/v1/runs/{RUN}/result"))).and(query_param("key", KEY))
}

fn text(body: &str) -> ResponseTemplate {
    let answer = ResponseTemplate::new(200).set_body_raw(body.to_owned(), "text/plain; charset=utf-8");
    answer.insert_header("x-nbhook-run", RUN)
}

fn url(server: &TestServer) -> String {
    format!("{}/v1/tasks/{RUN}?key={KEY}", server.http.uri())
}

#[tokio::test]
async fn a_task_says_how_it_is() {
    let progress = json!({"done": 3, "total": 9, "message": "loading"});
    let result = |server: &TestServer| format!("{}/v1/runs/{RUN}/result?key={KEY}", server.http.uri());
    for (answer, expected) in [
        (task("queued", Value::Null), "state      queued\n".to_owned()),
        (task("running", progress), "state      running\nprogress   3/9 loading\n".to_owned()),
        (succeeded(), "state      succeeded\nresult     RESULT\n".to_owned()),
        (failed("cell-error"), "state      failed\nerror      it went wrong\n".to_owned()),
        (failed("timeout"), "state      timed_out\nerror      it went wrong\n".to_owned()),
        (failed("cancelled"), "state      cancelled\nerror      it went wrong\n".to_owned()),
    ] {
        let server = TestServer::start().await;
        polls(&server, vec![answer]).await;
        for name in [RUN.to_owned(), url(&server)] {
            let ran = server.run(&["task", &name]).await;
            assert_eq!((ran.code, ran.out), (0, expected.replace("RESULT", &result(&server))), "{}", ran.err);
        }
    }
}

#[tokio::test]
async fn waiting_ends_with_the_answer() {
    let server = TestServer::start().await;
    let running = || task("running", json!({"done": 1, "total": 2}));
    polls(&server, vec![task("queued", Value::Null), running(), running(), succeeded()]).await;
    result().respond_with(text("in the end")).mount(&server.http).await;
    let ran = server.run(&["task", RUN, "--wait"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "in the end"), "{}", ran.err);
    let asked = server
        .http
        .received_requests()
        .await
        .unwrap()
        .iter()
        .filter(|asked| asked.url.path().contains("tasks"))
        .count();
    assert_eq!(asked, 4);
    let file = server.path("answer.txt");
    let ran = server.run(&["task", &url(&server), "--wait", "-o", &file]).await;
    assert_eq!((ran.code, std::fs::read(&file).unwrap()), (0, b"in the end".to_vec()), "{}", ran.err);
    assert_eq!(server.run(&["task", RUN, "--wait", "-o", &file]).await.code, 1, "never overwritten");
}

#[tokio::test]
async fn a_terminal_sees_a_bar_and_then_the_answer() {
    let server = TestServer::start().await;
    polls(&server, vec![task("running", json!({"done": 1, "total": 2, "message": "\u{1b}[2J"})), succeeded()]).await;
    result().respond_with(text("in the end")).mount(&server.http).await;
    let terminals = Terminals { output: true, errors: true, ..Terminals::default() };
    let ran = server.run_as(&["task", RUN, "--wait"], "", terminals).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "in the end\n"), "{}", ran.err);
}

#[tokio::test]
async fn waiting_for_what_fails_is_told_as_a_call_that_fails() {
    let server = TestServer::start().await;
    polls(&server, vec![task("running", Value::Null), failed("cell-error")]).await;
    let ran = server.run(&["task", RUN, "--wait"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (6, ""));
    assert_eq!(ran.err, format!("failed to show the task: it went wrong (see `nbhook logs {RUN}`)\n"));

    let server = TestServer::start().await;
    polls(&server, vec![succeeded()]).await;
    let answer = ResponseTemplate::new(418).set_body_raw("{}", "application/json").insert_header("x-nbhook-run", RUN);
    result().respond_with(answer).mount(&server.http).await;
    let ran = server.run(&["task", RUN, "--wait"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (6, "{}"), "{}", ran.err);
}

#[tokio::test]
async fn a_task_that_is_not_there_is_not_found() {
    let server = TestServer::start().await;
    server.json("GET", &format!("/v1/tasks/{RUN}"), 404, json!({"detail": "no such task"})).await;
    let ran = server.run(&["task", RUN]).await;
    assert_eq!((ran.code, ran.err.as_str()), (3, "failed to show the task: no such task\n"));
    let elsewhere = TestServer::start().await;
    let untrusted = |request: &Request| !request.headers.contains_key("authorization");
    let there = Mock::given(method("GET")).and(path(format!("/v1/tasks/{RUN}"))).and(untrusted);
    there.respond_with(task("running", Value::Null)).mount(&elsewhere.http).await;
    let ran = server.run(&["task", &url(&elsewhere)]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "state      running\n"), "without the token: {}", ran.err);
}

#[test]
fn a_task_is_an_id_or_a_url() {
    assert_eq!(parse_place(RUN).unwrap(), Place::Id(RUN.parse().unwrap()));
    assert!(matches!(parse_place("https://example.org/v1/tasks/x"), Ok(Place::Url(_))));
    for text in ["", "r1", "reports/a.ipynb", "ftp://example.org/x", "file:///etc/passwd"] {
        assert!(parse_place(text).is_err(), "{text:?} was accepted");
    }
}

async fn rerun(answer: ResponseTemplate, options: &[&str]) -> (TestServer, Ran) {
    let server = TestServer::start().await;
    server.mock("POST", &format!("/v1/runs/{HOOK}/rerun")).respond_with(answer).mount(&server.http).await;
    polls(&server, vec![task("running", Value::Null), succeeded()]).await;
    result().respond_with(text("again")).mount(&server.http).await;
    let ran = server.run(&[&["rerun", HOOK], options].concat()).await;
    (server, ran)
}

#[tokio::test]
async fn a_run_is_repeated() {
    let (server, ran) = rerun(accepted(), &[]).await;
    assert_eq!((ran.code, ran.out), (0, format!("{}\n", url(&server))));
    assert_eq!(ran.err, format!("run {RUN} is queued; `nbhook task {RUN} --wait` waits for it\n"));
    let (_, ran) = rerun(accepted(), &["--wait"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "again"), "{}", ran.err);
    let no = ResponseTemplate::new(409).set_body_json(json!({"detail": "it had files, which are not kept"}));
    let (_, ran) = rerun(no, &["--wait"]).await;
    assert_eq!((ran.code, ran.err.as_str()), (1, "failed to run it again: it had files, which are not kept\n"));
}

async fn called(
    verb: &str,
    wanted: (&'static str, &'static str),
    answer: ResponseTemplate,
    options: &[&str],
) -> (TestServer, Ran) {
    let server = TestServer::start().await;
    let mut deployed = hook(HOOK, "a.ipynb", "bob");
    deployed["url"] = json!(format!("{}/hooks/secret", server.http.uri()));
    server.json("GET", &format!("/v1/hooks/{HOOK}"), 200, deployed).await;
    let untrusted = |request: &Request| !request.headers.contains_key("authorization");
    let call = Mock::given(method(verb)).and(path("/hooks/secret")).and(header(wanted.0, wanted.1)).and(untrusted);
    call.respond_with(answer).mount(&server.http).await;
    let ran = server.run(&[&["call", HOOK], options].concat()).await;
    (server, ran)
}

#[tokio::test]
async fn a_call_that_is_not_waited_for_gives_the_url_of_its_task() {
    for (prefer, options) in
        [("respond-async", &["--async"][..]), ("wait=5", &["--wait", "5"]), ("wait=0", &["--wait", "0"])]
    {
        let (server, ran) = called("GET", ("prefer", prefer), accepted(), options).await;
        assert_eq!((ran.code, ran.out), (0, format!("{}\n", url(&server))), "{}", ran.err);
        assert!(ran.err.starts_with(&format!("run {RUN} is queued")) && !ran.err.contains(KEY), "{}", ran.err);
    }
    let (_, ran) = called("GET", ("prefer", "wait=600"), text("in time"), &["--wait", "600"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "in time"), "{}", ran.err);
    let own = ResponseTemplate::new(202).set_body_raw("{}", "application/hal+json").insert_header("x-nbhook-run", RUN);
    let (_, ran) = called("GET", ("prefer", "wait=5"), own, &["--wait", "5"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "{}"), "a notebook's own 202: {}", ran.err);
}

#[tokio::test]
async fn a_key_makes_it_a_post() {
    let (_, ran) =
        called("POST", ("idempotency-key", "order-1"), text("once"), &["--idempotency-key", "order-1"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "once"), "{}", ran.err);
    let wrong = ["call", HOOK, "--wait", "601"];
    assert!(crate::cli::Cli::try_parse_from(["nbhook"].iter().chain(&wrong)).is_err());
    let wrong = ["call", HOOK, "--async", "--wait", "5"];
    assert!(crate::cli::Cli::try_parse_from(["nbhook"].iter().chain(&wrong)).is_err());
    assert!(!format!("{ran:?}").contains(TOKEN));
}
