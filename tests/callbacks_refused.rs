//! What is no callback: bad fields, URLs that nothing may be sent to or that do not answer; and what errors look like.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use nbhook::webhook::Resolve;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{ADMIN, TestApp, World, allow_local, ok, problem};
use crate::callbacks::{make, send, start};
use crate::receiver::{Answer, Receiver};

/// Knows one name, which leads to an internal network.
#[derive(Debug)]
struct Names;

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match host {
            "internal.test" => Ok(vec![([10, 0, 0, 1], port).into()]),
            "public.test" => Ok(vec![([1, 1, 1, 1], port).into()]),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

async fn count(app: &TestApp) -> usize {
    app.get("/v1/callbacks").await["items"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_does_not_take_the_test_makes_no_callback() {
    let (app, receiver) = (start().await, Receiver::start().await);
    let alice = app.member("alice").await;
    let create = async |token: &str, more: Value| {
        let mut body = json!({"mode": "HTTP", "config": {"url": receiver.url(), "timeout": 1}});
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        send(&app, token, Method::POST, "/v1/callbacks", &body).await
    };
    for status in [202, 204, 302, 400, 403, 410, 500] {
        let body = format!("<{status}>{}<cut>", "é".repeat(195));
        receiver.answers([Answer::from(status).header("location", &receiver.url()).body(&body)]);
        let refused = problem(create(&alice, json!({})).await, 422).await;
        let detail = refused["detail"].as_str().unwrap();
        assert_eq!(refused["field"], "config.url");
        assert!(detail.contains(&format!("it was with {status}")) && !detail.contains("cut"), "{detail}");
        assert!(status == 204 || detail.contains(&format!("<{status}>é")), "{detail}");
    }
    assert_eq!(receiver.received().await.len(), 7, "no redirect is followed, nothing is tried again");
    receiver.answers([Answer::from(200).after(Duration::from_secs(20))]);
    let slow = problem(create(&alice, json!({})).await, 422).await;
    assert!(slow["detail"].as_str().unwrap().contains("not answered within 1 s"), "{slow}");
    receiver.answers([500]);
    problem(create(&alice, json!({"enabled": false})).await, 422).await;
    problem(create(ADMIN, json!({"verify": true})).await, 422).await;
    problem(create(ADMIN, json!({"verify": null})).await, 422).await;
    problem(create(&alice, json!({"verify": false})).await, 403).await;
    let closed = json!({"config": {"url": format!("http://127.0.0.1:{}/", free_port())}});
    assert_eq!(problem(create(&alice, closed).await, 422).await["field"], "config.url");
    assert_eq!(count(&app).await, 0);

    let before = receiver.received().await.len();
    ok(create(ADMIN, json!({"verify": false})).await).await;
    assert_eq!((count(&app).await, receiver.received().await.len()), (1, before), "an admin may leave it out");
    // Neither may a member change the URL without it.
    let hers = ok(create(ADMIN, json!({"verify": false, "user": "alice"})).await).await;
    let path = format!("/v1/callbacks/{}", hers["id"]);
    let elsewhere = json!({"config": {"url": "http://127.0.0.1:1/"}, "verify": false});
    problem(send(&app, &alice, Method::PATCH, &path, &elsewhere).await, 403).await;
    assert_eq!(app.get(&path).await["config"]["url"], receiver.url());
}

/// One on which nobody listens.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_refuses_with_403_and_what_is_malformed_or_leads_nowhere_is_a_422() {
    let app = TestApp::start_in(World { resolver: Arc::new(Names), ..World::default() }, |_| {}).await;
    make(&app, json!({"config": {"url": "https://public.test/"}})).await;
    let both = async |mode: &str, url: &str, status: u16| {
        for verify in [true, false] {
            let body = json!({"mode": mode, "config": {"url": url}, "verify": verify});
            let made = send(&app, ADMIN, Method::POST, "/v1/callbacks", &body).await;
            let told = problem(made, status).await;
            assert!(status == 403 || told["field"] == "config.url", "{url}: {told}");
            let changed = send(&app, ADMIN, Method::PATCH, "/v1/callbacks/1", &body).await;
            problem(changed, status).await;
        }
    };
    for url in
        ["https://127.0.0.1/", "https://169.254.169.254/latest", "https://[::ffff:10.0.0.1]/", "https://internal.test/"]
    {
        both("HTTPS", url, 403).await;
    }
    both("HTTP", "http://public.test/", 403).await;
    for url in
        ["", "x", "ftp://a/", "https://", "https://a:b@public.test/", "https://pub lic.test/", "https://nowhere.test/"]
    {
        both("HTTPS", url, 422).await;
    }
    assert_eq!(app.get("/v1/callbacks").await["items"][0]["config"]["url"], "https://public.test/");
    assert_eq!(count(&app).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_is_checked_and_named() {
    let app = start().await;
    let alice = app.member("alice").await;
    make(&app, json!({})).await;
    make(&app, json!({"user": "alice"})).await;
    let profile = json!({"name": "ops", "support_email": "ops@example.org", "user": "alice"});
    ok(send(&app, ADMIN, Method::POST, "/v1/profiles", &profile).await).await;
    let before = app.get("/v1/callbacks").await;
    let headers = |headers: Value| json!({"config": {"url": "https://1.1.1.1/", "headers": headers}});
    let header = |name: &str, value: &str| headers(json!([{"name": name, "value": value}]));
    let many: Vec<_> = (0..51).map(|number| json!({"name": format!("a{number}"), "value": "b"})).collect();
    let large: Vec<_> =
        (0..5).map(|number| json!({"name": format!("a{number}"), "value": "b".repeat(7_000)})).collect();
    for (body, field) in [
        (json!([]), "body"),
        (json!({"name": "x".repeat(201)}), "name"),
        (json!({"name": "a\nb"}), "name"),
        (json!({"name": 5}), "name"),
        (json!({"enabled": "yes"}), "enabled"),
        (json!({"mode": "https"}), "mode"),
        (json!({"mode": "HTTP"}), "config.url"),
        (json!({"mode": "HTTPS", "config": {"url": "http://127.0.0.1/"}}), "config.url"),
        (json!({"config": null}), "config"),
        (json!({"config": []}), "config"),
        (json!({"config": {"url": null}}), "config.url"),
        (json!({"config": {"url": 5}}), "config.url"),
        (json!({"config": {"url": "https://1.1.1.1/", "method": "TRACE"}}), "config.method"),
        (json!({"config": {"url": "https://1.1.1.1/", "timeout": 0}}), "config.timeout"),
        (json!({"config": {"url": "https://1.1.1.1/", "timeout": 61}}), "config.timeout"),
        (json!({"config": {"url": "https://1.1.1.1/", "timeout": 1.5}}), "config.timeout"),
        (json!({"config": {"url": "https://1.1.1.1/", "timeout": "5"}}), "config.timeout"),
        (json!({"config": {"url": "https://1.1.1.1/", "rate_limit": 0}}), "config.rate_limit"),
        (json!({"config": {"url": "https://1.1.1.1/", "rate_limit": 6001}}), "config.rate_limit"),
        (json!({"config": {"url": "https://1.1.1.1/", "retries": 1}}), "config.retries"),
        (headers(json!({"a": "b"})), "config.headers"),
        (headers(json!(many)), "config.headers"),
        (headers(json!(large)), "config.headers"),
        (headers(json!(["a: b"])), "config.headers[0]"),
        (headers(json!([{"name": "a", "value": "b"}, {"name": "c"}])), "config.headers[1].value"),
        (headers(json!([{"value": "b"}])), "config.headers[0].name"),
        (headers(json!([{"name": "a", "value": false}])), "config.headers[0].value"),
        (headers(json!([{"name": "a", "value": "b", "secret": true}])), "config.headers[0].secret"),
        (header("a b", "c"), "config.headers[0].name"),
        (header("Host", "c"), "config.headers[0].name"),
        (header("Webhook-Id", "c"), "config.headers[0].name"),
        (header("a", "b\r\nc: d"), "config.headers[0].value"),
        (header("a", "é"), "config.headers[0].value"),
        (json!({"profile_id": "1"}), "profile_id"),
        (json!({"profile_id": 1}), "profile_id"),
        (json!({"profile_id": 99}), "profile_id"),
        (json!({"fallback_callback_id": 2}), "fallback_callback_id"),
        (json!({"fallback_callback_id": 99}), "fallback_callback_id"),
        (json!({"fallback_callback_id": -1}), "fallback_callback_id"),
        (json!({"secret": "whsec_x"}), "secret"),
        (json!({"id": 5}), "id"),
    ] {
        let mut new = json!({"config": {"url": "https://1.1.1.1/"}, "verify": false});
        let changed = problem(send(&app, ADMIN, Method::PATCH, "/v1/callbacks/1", &body).await, 422).await;
        assert_eq!(changed["field"], field, "{body}");
        match body.as_object() {
            Some(fields) => new.as_object_mut().unwrap().extend(fields.clone()),
            None => new = body.clone(),
        }
        let made = problem(send(&app, ADMIN, Method::POST, "/v1/callbacks", &new).await, 422).await;
        assert_eq!(made["field"], field, "{body}");
        assert!(field != "config.headers" || !made.to_string().contains("bbb"), "{made}");
    }
    // Whether it is somebody else's or not there at all makes no difference.
    let told = async |id: u32| {
        let body = json!({"profile_id": id});
        let told = problem(send(&app, ADMIN, Method::PATCH, "/v1/callbacks/1", &body).await, 422).await;
        told["detail"].as_str().unwrap().to_owned()
    };
    assert_eq!(told(1).await, told(99).await);
    for (body, field) in [(json!({}), "config"), (json!({"config": {}}), "config.url")] {
        let refused = send(&app, &alice, Method::POST, "/v1/callbacks", &body).await;
        assert_eq!(problem(refused, 422).await["field"], field);
    }
    for other in ["admin", "nobody"] {
        let body = json!({"config": {"url": "https://1.1.1.1/"}, "user": other});
        problem(send(&app, &alice, Method::POST, "/v1/callbacks", &body).await, 403).await;
        let path = format!("/v1/callbacks?user={other}");
        problem(send(&app, &alice, Method::GET, &path, &Value::Null).await, 403).await;
    }
    assert_eq!(app.get("/v1/callbacks").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn fallbacks_never_lead_back() {
    let app = start().await;
    for _ in 1..=4 {
        make(&app, json!({})).await;
    }
    let set = async |id: u32, fallback: u32| {
        let body = json!({"fallback_callback_id": fallback});
        send(&app, ADMIN, Method::PATCH, &format!("/v1/callbacks/{id}"), &body).await
    };
    for (id, fallback) in [(1, 2), (2, 3), (3, 4), (1, 3), (1, 2)] {
        assert_eq!(ok(set(id, fallback).await).await["fallback_callback_id"], fallback);
    }
    for (id, fallback) in [(1, 1), (2, 1), (3, 1), (4, 1), (4, 2), (4, 4)] {
        let refused = problem(set(id, fallback).await, 422).await;
        assert_eq!(refused["field"], "fallback_callback_id", "{id} {fallback}");
    }
    // Of two who would close the circle together, one may.
    for _ in 0..10 {
        for id in ["1", "2"] {
            let none = json!({"fallback_callback_id": null});
            ok(send(&app, ADMIN, Method::PATCH, &format!("/v1/callbacks/{id}"), &none).await).await;
        }
        let (one, two) = tokio::join!(set(1, 2), set(2, 1));
        let mut statuses = [one.status().as_u16(), two.status().as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 422]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_has_the_one_body() {
    let app = TestApp::start_with(allow_local).await;
    let requests = [
        (404, app.api(Method::GET, "/v1/callbacks/1")),
        (404, app.api(Method::GET, "/nothing")),
        (405, app.api(Method::PUT, "/v1/callbacks/1")),
        (422, app.api(Method::GET, "/v1/runs?limit=0")),
        (422, app.api(Method::POST, "/v1/callbacks").body("{")),
        (401, app.http.get(format!("{}/v1/callbacks", app.url))),
        (404, app.http.post(format!("{}/hooks/x", app.url))),
    ];
    for (status, request) in requests {
        let told = problem(request.send().await.unwrap(), status).await;
        let error = &told["@error"];
        assert_eq!((&error["@message"], &error["@httpStatusCode"]), (&told["detail"], &json!(status)), "{told}");
        assert_eq!(error.as_object().unwrap().len(), 3, "{told}");
        let text = error["@time"].as_str().unwrap();
        let time: DateTime<Utc> = text.parse().unwrap();
        assert!(text.len() == "2020-06-25T17:09:39.323Z".len() && text.ends_with('Z'), "{text}");
        #[expect(clippy::disallowed_methods, reason = "errors tell the machine's own time")]
        let age = Utc::now() - time;
        assert!(age.num_seconds().abs() < 60, "{text}");
    }
}
