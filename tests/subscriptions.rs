//! Subscriptions: which events go where, for how long, and how they are cancelled. What is sent is seen by real receivers.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::app::{TestApp, allow_local, eventually, header, notebook, ok, problem, run_of, run_python, url};
use crate::receiver::{Received, Receiver};
use crate::responses::answer_with;

const UNKNOWN: &str = "0198c5f0-0000-7000-8000-000000000001";

fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn wish(app: &TestApp, body: &Value) -> RequestBuilder {
    app.api(Method::POST, "/v1/subscriptions").json(body)
}

/// Subscribes as the admin.
async fn subscribe(app: &TestApp, body: &Value) -> Value {
    ok(wish(app, body).send().await.unwrap()).await
}

fn at(subscription: &Value) -> String {
    subscription["_links"]["self"]["href"].as_str().unwrap().to_owned()
}

async fn cancel(app: &TestApp, subscription: &Value) -> Response {
    app.api(Method::PUT, &at(subscription)).send().await.unwrap()
}

async fn status(app: &TestApp, subscription: &Value) -> String {
    app.get(&at(subscription)).await["status"].as_str().unwrap().to_owned()
}

async fn becomes(app: &TestApp, subscription: &Value, wanted: &str) {
    eventually(wanted, async || status(app, subscription).await == wanted).await;
}

/// The URL of an inbox of the admin's.
async fn inbox(app: &TestApp) -> String {
    let made = app.api(Method::POST, "/v1/inboxes").json(&json!({"auto_delete": false}));
    url(&ok(made.send().await.unwrap()).await).to_owned()
}

async fn capture(app: &TestApp, inbox: &str, number: u64) {
    ok(app.http.post(inbox).json(&json!({"n": number})).send().await.unwrap()).await;
}

/// What was sent, as the inbox was told it.
fn numbers(received: &[Received]) -> Vec<u64> {
    received.iter().map(|received| received.json()["data"]["result"]["n"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_accepted_and_its_secret_is_shown_once() {
    let app = TestApp::start_with(allow_local).await;
    let receiver = Receiver::start().await;
    let to = format!("{}/call?a=b", receiver.url());
    let response = wish(&app, &json!({"callbackUrl": to, "tags": [["inbox"]]})).send().await.unwrap();
    assert_eq!((response.status().as_u16(), header(&response, "content-type")), (201, "application/hal+json"));
    let location = header(&response, "location").to_owned();
    let made: Value = response.json().await.unwrap();
    let id = made["UUID"].as_str().unwrap();
    assert!(uuid::Uuid::parse_str(id).is_ok());
    assert_eq!((&location, at(&made)), (&format!("/v1/subscriptions/{id}"), location.clone()), "relative");
    assert_eq!(made["message"], "Your request to subscribe to events has been accepted.");
    assert_eq!((&made["mode"], &made["status"], &made["callbackUrl"]), (&json!("once"), &json!("active"), &json!(to)));
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() > 40, "{secret}");

    let shown = app.get(&location).await;
    let mut expected = made.clone();
    expected.as_object_mut().unwrap().remove("secret");
    expected["message"] = json!("Your subscription is active.");
    assert_eq!(shown, expected);
    let topic = subscribe(&app, &json!({"topic": "t"})).await;
    assert_eq!(
        (&topic["topic"], &topic["mode"], &topic["callbackUrl"]),
        (&json!("t"), &json!("continuous"), &Value::Null)
    );
    let list = app.get("/v1/subscriptions").await;
    assert!(!list.to_string().contains("whsec_"), "{list}");
    assert_eq!((&list["items"][0]["UUID"], &list["items"][1]), (&topic["UUID"], &shown), "newest first");
    for (query, number) in [
        ("topic=t", 1),
        ("topic=u", 0),
        ("status=active", 2),
        ("status=expired", 0),
        ("kind=events", 2),
        ("kind=task", 0),
    ] {
        let list = app.get(&format!("/v1/subscriptions?{query}")).await;
        assert_eq!(list["items"].as_array().unwrap().len(), number, "{query}");
        let (name, value) = query.split_once('=').unwrap();
        assert_eq!(list["filters"], json!({name: value}));
    }

    // What is sent is signed with it.
    capture(&app, &inbox(&app).await, 1).await;
    let sent = receiver.wait_for(1).await.remove(0);
    let told = sent.json();
    assert_eq!((sent.method.as_str(), sent.path.as_str(), sent.query.as_str()), ("POST", "/call", "a=b"));
    assert_eq!((&told["_links"]["self"]["href"], &told["UUID"]), (&json!(location), &json!(id)));
    assert_eq!((&told["type"], &told["data"]["result"]), (&json!("inbox.received"), &json!({"n": 1})));
    let program = "import base64, hashlib, hmac, sys\n\
                   key, message = base64.b64decode(sys.argv[1].removeprefix('whsec_')), sys.stdin.buffer.read()\n\
                   print('v1,' + base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode(), end='')";
    let body = String::from_utf8(sent.body.clone()).unwrap();
    let signed = format!("{}.{}.{body}", sent.id(), sent.header("webhook-timestamp").unwrap());
    assert_eq!(sent.header("webhook-signature").unwrap(), run_python(&["-c", program, secret], &signed));
    let log = app.get(&format!("/v1/events/{}", sent.id())).await;
    assert_eq!(log["type"], "inbox.received", "its id is the event's");
}

#[tokio::test(flavor = "multi_thread")]
async fn once_is_one_of_two_runs_and_continuous_is_all_until_it_is_cancelled() {
    let app = TestApp::start_with(allow_local).await;
    let (first, all) = (Receiver::start().await, Receiver::start().await);
    let tags = json!([["run", "succeeded"], ["run", "failed"]]);
    let once = subscribe(&app, &json!({"callbackUrl": first.url(), "mode": "once", "tags": tags})).await;
    let more = json!({"callbackUrl": all.url(), "mode": "continuous", "tags": tags});
    let continuous = subscribe(&app, &more).await;
    let hook = app.deploy("a.ipynb", &notebook(&["1 / n"]), json!({})).await;
    let mut runs = Vec::new();
    for n in ["1", "0"] {
        runs.push(run_of(&app.call(&hook, &[("n", n)]).await));
        app.quiet().await;
    }
    let received = all.wait_for(2).await;
    let told: Vec<_> = received.iter().map(Received::json).collect();
    for (told, run) in told.iter().zip(&runs) {
        assert_eq!((&told["data"]["run"], &told["UUID"]), (&json!(run), &continuous["UUID"]));
    }
    becomes(&app, &once, "completed").await;
    assert_eq!(first.received().await.len(), 1, "its one notification");
    assert_eq!(first.received().await[0].json()["data"]["run"], json!(runs[0]));
    let shown = app.get(&at(&once)).await;
    assert_eq!((&shown["matched"], shown["ended_at"].is_string()), (&json!(1), true));
    problem(cancel(&app, &once).await, 403).await;

    assert_eq!(status(&app, &continuous).await, "active");
    let response = cancel(&app, &continuous).await;
    assert_eq!((response.status().as_u16(), header(&response, "content-type")), (202, "application/hal+json"));
    let cancelled: Value = response.json().await.unwrap();
    assert_eq!((at(&cancelled), &cancelled["status"]), (at(&continuous), &json!("cancelled")));
    assert_eq!(cancelled["message"], "Your subscription is cancelled.");
    let after = subscribe(&app, &json!({"callbackUrl": first.url(), "tags": tags})).await;
    app.call(&hook, &[("n", "1")]).await;
    becomes(&app, &after, "completed").await;
    assert_eq!((first.received().await.len(), all.received().await.len()), (2, 2), "later events are not sent");
    let again = problem(cancel(&app, &continuous).await, 403).await;
    assert!(again["detail"].as_str().unwrap().contains("cancelled"), "{again}");
    problem(cancel(&app, &json!({"_links": {"self": {"href": format!("/v1/subscriptions/{UNKNOWN}")}}})).await, 404)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_in_the_middle_of_retries_nothing_more_is_sent() {
    let app = TestApp::start_at(noon(), allow_local).await;
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    receiver.answers([500]);
    let inbox = inbox(&app).await;
    let subscription = subscribe(&app, &json!({"callbackUrl": receiver.url()})).await;
    capture(&app, &inbox, 1).await;
    receiver.wait_for(1).await;
    let clock = app.clock.clone().unwrap();
    eventually("it is tried again", async || {
        clock.advance(TimeDelta::minutes(1));
        receiver.received().await.len() == 2
    })
    .await;
    assert_eq!(status(&app, &subscription).await, "active", "it has had its event, and is not done");
    let response = app.api(Method::PUT, &at(&subscription)).json(&json!({"status": "cancelled"})).send().await.unwrap();
    assert_eq!(response.status(), 202);
    receiver.answers([200]);
    clock.advance(TimeDelta::days(1));
    let later = subscribe(&app, &json!({"callbackUrl": other.url()})).await;
    capture(&app, &inbox, 2).await;
    becomes(&app, &later, "completed").await;
    assert_eq!(receiver.received().await.len(), 2);
    problem(cancel(&app, &subscription).await, 403).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_badly_is_refused_by_name_and_nothing_is_made() {
    let app = TestApp::start().await; // whose policy lets nothing go to this machine
    let bob = app.member("bob").await;
    for url in [
        "http://example.com/x",
        "https://127.0.0.1/x",
        "https://169.254.169.254/latest",
        "https://[::ffff:10.0.0.1]/",
        "https://localhost/",
    ] {
        let refused = problem(wish(&app, &json!({"callbackUrl": url})).send().await.unwrap(), 403).await;
        assert!(
            refused["title"].is_string() && refused["detail"].as_str().unwrap().contains("callbackUrl"),
            "{refused}"
        );
    }
    for (body, field) in [
        (json!({}), "callbackUrl"),
        (json!({"callbackUrl": null}), "callbackUrl"),
        (json!({"callbackUrl": "events"}), "callbackUrl"),
        (json!({"callbackUrl": "ftp://example.com"}), "callbackUrl"),
        (json!({"callbackUrl": "https://u:p@example.com"}), "callbackUrl"),
        (json!({"callbackUrl": "https://example.com", "topic": "t"}), "callbackUrl"),
        (json!({"callback_id": 1776}), "callback_id"),
        (json!({"topic": "a b"}), "topic"),
        (json!({"topic": "t", "mode": "sometimes"}), "mode"),
        (json!({"topic": "t", "filters": [{"field": "data.hook"}]}), "filters[0]"),
        (json!({"topic": "t", "expires_at": "2020-01-01T00:00:00Z"}), "expires_at"),
        (json!({"topic": "t", "colour": "red"}), "colour"),
        (json!([]), "body"),
        (json!("topic"), "body"),
    ] {
        let refused = problem(wish(&app, &body).send().await.unwrap(), 422).await;
        assert_eq!(refused["field"], field, "{body}");
    }
    assert_eq!(app.get("/v1/subscriptions").await["items"], json!([]));

    let made = subscribe(&app, &json!({"topic": "t"})).await;
    for (body, field) in [
        (json!({"status": "active"}), "status"),
        (json!({}), "status"),
        (json!({"status": "cancelled", "mode": "once"}), "mode"),
        (json!([]), "body"),
    ] {
        let refused = app.api(Method::PUT, &at(&made)).json(&body).send().await.unwrap();
        assert_eq!(problem(refused, 422).await["field"], field, "{body}");
    }
    for (method, path) in [
        (Method::GET, at(&made)),
        (Method::PUT, at(&made)),
        (Method::GET, "/v1/subscriptions".to_owned()),
        (Method::GET, "/v1/tasks".to_owned()),
    ] {
        let refused = app.api(method, &path).header("accept", "text/html").send().await.unwrap();
        problem(refused, 406).await;
    }
    problem(wish(&app, &json!({"topic": "u"})).header("accept", "image/png").send().await.unwrap(), 406).await;
    assert_eq!(status(&app, &made).await, "active");
    let hal = app.api(Method::GET, "/v1/subscriptions").header("accept", "application/hal+json").send().await.unwrap();
    assert_eq!(header(&hal, "content-type"), "application/hal+json");
    let list = ok(hal).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);

    // So many open ones, and no more; somebody else's do not count.
    let file = app.data.path().join(".nbhook/nbhook.db");
    let program = "import sqlite3, sys, uuid\ndb = sqlite3.connect(sys.argv[1], timeout=30)\n\
                   row = db.execute('SELECT * FROM subscriptions').fetchone()\n\
                   marks = ', '.join('?' for _ in row)\n\
                   for _ in range(999): db.execute(f'INSERT INTO subscriptions VALUES ({marks})', [str(uuid.uuid4()), *row[1:]])\n\
                   db.commit()";
    run_python(&["-c", program, file.to_str().unwrap()], "");
    let refused = problem(wish(&app, &json!({"topic": "u"})).send().await.unwrap(), 403).await;
    assert!(refused["detail"].as_str().unwrap().contains("1000"), "{refused}");
    ok(app.api_as(&bob, Method::POST, "/v1/subscriptions").json(&json!({"topic": "u"})).send().await.unwrap()).await;
    assert_eq!(cancel(&app, &made).await.status(), 202);
    subscribe(&app, &json!({"topic": "u"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_filters_and_time_choose_the_events() {
    let app = TestApp::start_at(noon(), allow_local).await;
    let receiver = Receiver::start().await;
    let (first, second) = (inbox(&app).await, inbox(&app).await);
    let tag = format!("inbox:{}", second.rsplit('/').next().unwrap());
    let to = |path: &str| format!("{}/{path}", receiver.url());
    let until = noon() + TimeDelta::hours(1);
    let mut expiring = Value::Null;
    for (path, mut wish) in [
        ("tags", json!({"tags": [["inbox", tag], ["run"]]})),
        (
            "filters",
            json!({"filters": [
                {"field": "data.result.n", "in": [2, 3]}, {"field": "type", "match": "inbox.*"}, {"field": "data.result.n", "eq": 3, "not": true}
            ]}),
        ),
        ("time", json!({"expires_at": until})),
        ("callbacks", json!({"tags": [["delivery"]]})),
    ] {
        wish["callbackUrl"] = json!(to(path));
        wish["mode"] = json!("continuous");
        let made = subscribe(&app, &wish).await;
        if path == "time" {
            expiring = made;
        }
    }
    assert_eq!(expiring["expires_at"], "2026-03-01T13:00:00.000Z");
    for number in 1..=3 {
        capture(&app, &first, number).await;
    }
    capture(&app, &second, 4).await;
    let clock = app.clock.clone().unwrap();
    clock.advance(TimeDelta::hours(1));
    assert_eq!(status(&app, &expiring).await, "expired", "at once");
    capture(&app, &second, 5).await;
    let all = receiver.wait_for(7).await;
    let sent = |path: &str| {
        let mut numbers = numbers(&all.iter().filter(|one| one.path == path).cloned().collect::<Vec<_>>());
        numbers.sort_unstable();
        numbers
    };
    assert_eq!((sent("/tags"), sent("/filters")), (vec![4, 5], vec![2]));
    assert_eq!((sent("/time"), sent("/callbacks")), (vec![1, 2, 3, 4], vec![]));
    problem(cancel(&app, &expiring).await, 403).await;
    let expired = async || app.get("/v1/subscriptions?status=expired").await["items"].clone();
    let before = expired().await;
    assert_eq!((&before[0]["UUID"], &before[0]["ended_at"]), (&expiring["UUID"], &expiring["expires_at"]));
    ok(app.api(Method::POST, "/v1/prune").send().await.unwrap()).await;
    assert_eq!(expired().await, before, "on record as well");
    assert_eq!(app.get("/v1/subscriptions?status=active").await["items"].as_array().unwrap().len(), 3);
    assert_eq!(receiver.received().await.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_long_ago_goes() {
    let app = TestApp::start_at(noon(), |_| {}).await;
    let (gone, open) = (subscribe(&app, &json!({"topic": "a"})).await, subscribe(&app, &json!({"topic": "b"})).await);
    assert_eq!(cancel(&app, &gone).await.status(), 202);
    let prune = async || ok(app.api(Method::POST, "/v1/prune").send().await.unwrap()).await;
    for (days, left) in [(29, json!([open["UUID"], gone["UUID"]])), (1, json!([open["UUID"]]))] {
        app.clock.as_ref().unwrap().advance(TimeDelta::days(days));
        prune().await;
        let list = app.get("/v1/subscriptions").await;
        let ids: Vec<_> = list["items"].as_array().unwrap().iter().map(|item| item["UUID"].clone()).collect();
        assert_eq!(json!(ids), left);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_of_ones_own_may_be_subscribed_with() {
    let app = TestApp::start_with(allow_local).await;
    let (bob, receiver) = (app.member("bob").await, Receiver::start().await);
    let config = json!({"mode": "HTTP", "config": {"url": receiver.url()}, "verify": false});
    let callback = ok(app.api(Method::POST, "/v1/callbacks").json(&config).send().await.unwrap()).await;
    let wanted = json!({"callback_id": callback["id"], "tags": [["inbox"]]});
    let foreign = app.api_as(&bob, Method::POST, "/v1/subscriptions").json(&wanted).send().await.unwrap();
    assert_eq!(problem(foreign, 422).await["field"], "callback_id", "as one that is not there");
    let made = subscribe(&app, &wanted).await;
    assert_eq!((&made["callback_id"], &made["callbackUrl"]), (&callback["id"], &Value::Null));
    assert!(made.get("secret").is_none(), "a callback has its own: {made}");
    capture(&app, &inbox(&app).await, 1).await;
    assert_eq!(receiver.wait_for(1).await[0].json()["UUID"], made["UUID"]);
    becomes(&app, &made, "completed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_work_with_and_without_a_slash_at_the_end() {
    let app = TestApp::start().await;
    let echo = answer_with("respond_json({'params': params, 'body': body})");
    let hook = app.deploy("echo.ipynb", &notebook(&[&echo]), json!({})).await;
    let query = "a=b%2Fc%20d%2520&e=%C3%BC";
    let expected = json!({"params": {"a": "b/c d%20", "e": "ü"}, "body": null});
    for slash in ["", "/"] {
        let called = app.http.get(format!("{}{slash}?{query}", url(&hook))).send().await.unwrap();
        assert_eq!(ok(called).await, expected, "{slash:?}");
        let posted = app.http.post(format!("{}{slash}", url(&hook))).json(&json!({"x": "/"})).send().await.unwrap();
        assert_eq!(ok(posted).await["body"], json!({"x": "/"}), "{slash:?}");
        let pinned = format!("{}/versions/{}{slash}?{query}", url(&hook), hook["histo"].as_str().unwrap());
        assert_eq!(ok(app.http.get(pinned).send().await.unwrap()).await, expected);

        let made = app.api(Method::POST, &format!("/v1/inboxes{slash}")).json(&json!({})).send().await.unwrap();
        assert_eq!(made.status(), 201);
        let inbox = ok(made).await;
        ok(app.http.post(format!("{}{slash}?{query}", url(&inbox))).send().await.unwrap()).await;
        let read = app.get(&format!("/v1/inboxes/{}{slash}", inbox["uuid"].as_str().unwrap())).await;
        assert_eq!(read["result"], expected["params"]);
        let made = app.api(Method::POST, &format!("/v1/subscriptions{slash}")).json(&json!({"topic": "t"}));
        let made = ok(made.send().await.unwrap()).await;
        let cancelled = app.api(Method::PUT, &format!("{}{slash}", at(&made))).send().await.unwrap();
        assert_eq!(cancelled.status(), 202);
        for path in ["hooks", "runs", "tasks", "inboxes", "subscriptions", "events", "users", "users/me", "tokens"] {
            app.get(&format!("/v1/{path}{slash}?limit=1")).await;
        }
    }
}
