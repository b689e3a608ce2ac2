//! `Idempotency-Key`: a call that is made twice is carried out once.

use chrono::{DateTime, Duration, TimeZone as _, Utc};
use futures_util::future::join_all;
use nbhook::config::Settings;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::app::{ADMIN, TestApp, header, notebook, ok, problem, run_of, url};
use crate::responses::answer_with;
use crate::tasks::{Signs, WAITS, accepted, ended, result};

/// Leaves a line behind each time it runs, and answers with something that no other run answers.
const COUNTS: &str = "import uuid\nwith open(effects, 'a') as file: file.write('ran\\n')";

fn counts() -> Value {
    let answer = "respond_json({'n': n, 'unique': str(uuid.uuid4())}, status=201, headers={'X-A': 'b'})";
    let mut counts = notebook(&["n = 0", COUNTS, &answer_with(answer)]);
    counts["cells"][0]["metadata"]["tags"] = json!(["parameters"]);
    counts
}

fn post(app: &TestApp, hook: &Value, key: &str, body: &Value) -> RequestBuilder {
    app.http.post(url(hook)).header("idempotency-key", key).json(body)
}

async fn send(app: &TestApp, hook: &Value, key: &str, body: &Value) -> Response {
    post(app, hook, key, body).send().await.unwrap()
}

fn is_replayed(response: &Response) -> bool {
    match response.headers().get("idempotent-replayed") {
        None => false,
        Some(value) => value == "true" || panic!("{value:?}"),
    }
}

/// Everything of an answer that must be the same when it is sent again.
async fn whole(response: Response) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let changing = ["date", "idempotent-replayed", "etag", "last-modified"];
    let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers().iter().filter(|(name, _)| !changing.contains(&name.as_str()));
    let mut headers: Vec<_> = headers.map(|(name, value)| (name.to_string(), text(value))).collect();
    headers.sort();
    let (status, body) = (response.status().as_u16(), response.bytes().await.unwrap());
    (status, headers, body.to_vec())
}

/// The same call twice; both are answered alike, and only the second is a replay.
async fn same_twice(app: &TestApp, hook: &Value, key: &str, body: &Value) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let first = send(app, hook, key, body).await;
    assert!(!is_replayed(&first));
    let first = whole(first).await;
    let second = send(app, hook, key, body).await;
    assert!(is_replayed(&second));
    assert_eq!(header(&second, "idempotent-replayed"), "true");
    let second = whole(second).await;
    assert_eq!((first.0, &first.1), (second.0, &second.1));
    assert!(first.2 == second.2, "{:?}", String::from_utf8_lossy(&second.2));
    first
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_with_the_same_key_has_the_same_answer_and_runs_once() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    let hook = app.deploy("counts.ipynb", &counts(), json!({"inline": true})).await;
    let body = json!({"effects": signs.text("effects"), "n": 5});
    let (status, headers, answer) = same_twice(&app, &hook, "order-1", &body).await;
    assert_eq!((status, headers.contains(&("x-a".to_owned(), "b".to_owned()))), (201, true));
    assert_eq!(serde_json::from_slice::<Value>(&answer).unwrap()["n"], 5);
    assert_eq!(signs.lines("effects").len(), 1);

    let other = send(&app, &hook, "order-1", &json!({"effects": signs.text("effects"), "n": 6})).await;
    assert!(other.headers().get("idempotent-replayed").is_none());
    assert_eq!(problem(other, 422).await["type"], "urn:nbhook:problem:idempotency-key-reused");
    let query = post(&app, &hook, "order-1", &body).query(&[("m", "1")]).send().await.unwrap();
    assert_eq!(problem(query, 422).await["type"], "urn:nbhook:problem:idempotency-key-reused");
    assert_eq!(signs.lines("effects").len(), 1);

    let (_, _, fresh) = same_twice(&app, &hook, "order-2", &body).await;
    assert!(fresh != answer);
    assert_eq!(signs.lines("effects").len(), 2);
    let runs = app.get("/v1/runs").await;
    assert_eq!(runs["items"].as_array().unwrap().len(), 2);

    // The same key for another hook is another key.
    let twin = app.deploy("twin.ipynb", &counts(), json!({})).await;
    let (_, _, theirs) = same_twice(&app, &twin, "order-1", &body).await;
    assert!(theirs != answer);
    assert_eq!(signs.lines("effects").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_while_it_runs_is_told_to_come_again() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    let hook = app.deploy("waits.ipynb", &notebook(&[WAITS, &answer_with("respond_text('once')")]), json!({})).await;
    let body = json!({"started": signs.text("started"), "gate": signs.text("gate")});
    let first = tokio::spawn(post(&app, &hook, "key", &body).send());
    signs.seen("started").await;
    let second = send(&app, &hook, "key", &body).await;
    let pause: u64 = header(&second, "retry-after").parse().unwrap();
    assert!((1..=60).contains(&pause));
    assert_eq!(problem(second, 409).await["type"], "urn:nbhook:problem:idempotency-in-progress");
    let other = send(&app, &hook, "key", &json!({"started": "x", "gate": "y"})).await;
    assert_eq!(problem(other, 422).await["type"], "urn:nbhook:problem:idempotency-key-reused");
    signs.give("gate");
    let first = whole(first.await.unwrap().unwrap()).await;
    assert_eq!((first.0, first.2.as_slice()), (200, b"once".as_slice()));
    let again = send(&app, &hook, "key", &body).await;
    assert!(is_replayed(&again));
    assert!(whole(again).await == first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_calls_at_once_with_one_key_run_one_kernel() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    let hook = app.deploy("counts.ipynb", &counts(), json!({})).await;
    let body = json!({"effects": signs.text("effects")});
    let answers = join_all((0..100).map(|_| post(&app, &hook, "key", &body).send())).await;
    let mut good = Vec::new();
    for answer in answers {
        let answer = answer.unwrap();
        if answer.status() == 201 {
            good.push((is_replayed(&answer), run_of(&answer), answer.bytes().await.unwrap()));
        } else {
            let told = problem(answer, 409).await;
            assert_eq!(told["type"], "urn:nbhook:problem:idempotency-in-progress", "{told}");
        }
    }
    assert_eq!(good.iter().filter(|(replayed, ..)| !replayed).count(), 1);
    assert!(good.iter().all(|(_, run, body)| (run, body) == (&good[0].1, &good[0].2)));
    app.quiet().await;
    assert_eq!(signs.lines("effects").len(), 1);
    assert_eq!(app.get("/v1/runs").await["items"].as_array().unwrap().len(), 1);
    let late = send(&app, &hook, "key", &body).await;
    assert!(is_replayed(&late));
    assert!(late.bytes().await.unwrap() == good[0].2);
}

fn morning() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 1, 8, 0, 0).unwrap()
}

/// The setting, whose other values keep.
fn keep_for(settings: &mut Settings, hours: u64) {
    let admin = settings.admin_token.clone();
    let mut shown = serde_json::to_value(&*settings).unwrap();
    shown["idempotency_hours"] = json!(hours);
    shown["admin_token"] = Value::Null;
    *settings = serde_json::from_value(shown).unwrap();
    settings.admin_token = admin;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_kept_for_a_day_or_as_long_as_is_set() {
    for (hours, change) in [(24, None), (2, Some(2))] {
        let signs = Signs::new();
        let app =
            TestApp::start_at(morning(), |settings| change.iter().for_each(|hours| keep_for(settings, *hours))).await;
        let clock = app.clock.clone().unwrap();
        let hook = app.deploy("counts.ipynb", &counts(), json!({})).await;
        let body = json!({"effects": signs.text("effects")});
        let first = send(&app, &hook, "key", &body).await.bytes().await.unwrap();
        clock.advance(Duration::hours(hours) - Duration::minutes(1));
        let kept = send(&app, &hook, "key", &body).await;
        assert!(is_replayed(&kept));
        assert!(kept.bytes().await.unwrap() == first);
        clock.advance(Duration::minutes(2));
        let gone = send(&app, &hook, "key", &body).await;
        assert!(!is_replayed(&gone), "the first call counts, not the last replay");
        assert!(gone.bytes().await.unwrap() != first);
        assert_eq!(signs.lines("effects").len(), 2);
        let other = send(&app, &hook, "key", &json!({"effects": signs.text("effects"), "n": 1})).await;
        assert_eq!(
            problem(other, 422).await["type"],
            "urn:nbhook:problem:idempotency-key-reused",
            "and is new from then on"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_refused_has_not_used_its_key() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    let hook = app.deploy("counts.ipynb", &counts(), json!({})).await;
    let broken = app.http.post(url(&hook)).header("idempotency-key", "key");
    let broken = broken.header("content-type", "application/json").body("{\"a\": 1,}");
    problem(broken.send().await.unwrap(), 422).await;
    let body = json!({"effects": signs.text("effects")});
    same_twice(&app, &hook, "key", &body).await;
    assert_eq!(signs.lines("effects").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_answer_is_replayed() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    let file = "import os\nopen('a ü.bin', 'wb').write(os.urandom(100_000))";
    let answers = [
        ("fails", notebook(&[COUNTS, "raise ValueError(str(uuid.uuid4()))"]), json!({}), 500),
        ("file", notebook(&[COUNTS, file, &answer_with("respond_file('a ü.bin')")]), json!({}), 200),
        ("html", notebook(&[COUNTS, &answer_with("respond_html(str(uuid.uuid4()))")]), json!({"inline": true}), 200),
        ("done", notebook(&[COUNTS]), json!({}), 200),
        ("next", notebook(&[COUNTS]), json!({"next_url": "https://example.org/thanks"}), 303),
        ("no", notebook(&[COUNTS, &answer_with("respond_error(404, str(uuid.uuid4()))")]), json!({}), 404),
    ];
    for (name, notebook, params, status) in answers {
        let hook = app.deploy(&format!("{name}.ipynb"), &notebook, params).await;
        let body = json!({"effects": signs.text(name)});
        let (got, headers, _) = same_twice(&app, &hook, "key", &body).await;
        assert_eq!(got, status, "{name}");
        assert!(headers.iter().any(|(name, _)| name == "x-nbhook-run"));
        assert_eq!(signs.lines(name).len(), 1, "{name}");
    }
    app.quiet().await;
    assert!(app.scratch().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_owner_was_told_is_replayed_to_the_owner_only() {
    let app = TestApp::start().await;
    let hook = app.deploy("fails.ipynb", &notebook(&["raise ValueError()"]), json!({})).await;
    for prefer in ["wait=60", ""] {
        let call = |key: &str| post(&app, &hook, &format!("{key}{prefer}"), &json!({})).header("prefer", prefer);
        for _ in 0..2 {
            let told = call("owner's").bearer_auth(ADMIN).send().await.unwrap();
            assert!(told.status() != 422, "{prefer}");
        }
        problem(call("owner's").send().await.unwrap(), 422).await;
        let first = whole(call("anyone's").send().await.unwrap()).await;
        assert!(!String::from_utf8_lossy(&first.2).contains("traceback"));
        problem(call("anyone's").bearer_auth(ADMIN).send().await.unwrap(), 422).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_replayed_as_that_task() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    let hook = app.deploy("waits.ipynb", &notebook(&[WAITS, &answer_with("respond_text('once')")]), json!({})).await;
    let body = json!({"started": signs.text("started"), "gate": signs.text("gate")});
    let asked = async || post(&app, &hook, "key", &body).header("prefer", "respond-async").send().await.unwrap();
    let first = asked().await;
    assert!(!is_replayed(&first));
    let first = accepted(first).await;
    signs.seen("started").await;
    let second = asked().await;
    assert!(is_replayed(&second), "also while it runs");
    let second = accepted(second).await;
    assert_eq!(second.id, first.id);
    signs.give("gate");
    for task in [&first, &second] {
        assert_eq!(ended(&app, task).await.status(), 303, "each address works");
        assert_eq!(result(&app, task).await.text().await.unwrap(), "once");
    }
    assert_eq!(app.get("/v1/runs").await["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_some_time_gets_the_same_answer_again() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    let hook = app.deploy("counts.ipynb", &counts(), json!({})).await;
    let body = json!({"effects": signs.text("effects"), "n": 5});
    let asked = async || post(&app, &hook, "key", &body).header("prefer", "wait=60").send().await.unwrap();
    let (first, second) = (asked().await, asked().await);
    assert!(!is_replayed(&first) && is_replayed(&second));
    assert_eq!(header(&second, "preference-applied"), "wait=60");
    let first = whole(first).await;
    assert_eq!(first.0, 201);
    assert_eq!(first, whole(second).await);
    assert_eq!(signs.lines("effects").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_bounded_and_for_post_alone() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    let hook = app.deploy("counts.ipynb", &counts(), json!({})).await;
    let body = json!({"effects": signs.text("effects")});
    for key in [String::new(), "k".repeat(256)] {
        problem(send(&app, &hook, &key, &body).await, 422).await;
    }
    assert_eq!(signs.lines("effects").len(), 0);
    same_twice(&app, &hook, &"k".repeat(255), &body).await;
    assert_eq!(signs.lines("effects").len(), 1);
    for expected in [2, 3] {
        let get = app.http.request(Method::GET, url(&hook)).header("idempotency-key", "key");
        let response = get.query(&[("effects", signs.text("effects"))]).send().await.unwrap();
        assert!(!is_replayed(&response));
        ok(response).await;
        assert_eq!(signs.lines("effects").len(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_outlive_their_server() {
    let signs = Signs::new();
    let app = TestApp::start_at(morning(), |_| {}).await;
    let mut hook = app.deploy("counts.ipynb", &counts(), json!({})).await;
    let body = json!({"effects": signs.text("effects")});
    let first = send(&app, &hook, "key", &body).await;
    let (run, first) = (run_of(&first), first.bytes().await.unwrap());
    let data: TempDir = app.stop().await;
    let app = TestApp::start_again(data, morning() + Duration::hours(1), |_| {}).await;
    hook = app.get(&format!("/v1/hooks/{}", hook["id"].as_str().unwrap())).await;
    let again = send(&app, &hook, "key", &body).await;
    assert!(is_replayed(&again));
    assert_eq!((run_of(&again), again.bytes().await.unwrap()), (run, first));
    assert_eq!(signs.lines("effects").len(), 1);
}
