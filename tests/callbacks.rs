//! Callbacks and profiles: made, verified, listed, changed, removed. What is sent to them is seen in `deliveries`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, Mac as _};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::app::{ADMIN, TestApp, allow_local, eventually, header, ok, problem};
use crate::cli::User;
use crate::receiver::{Received, Receiver};
use crate::retention::sql;

/// A server that may send to receivers of the test.
pub(crate) async fn start() -> TestApp {
    TestApp::start_with(allow_local).await
}

pub(crate) async fn send(app: &TestApp, token: &str, method: Method, path: &str, body: &Value) -> Response {
    let request = app.api_as(token, method, path);
    let request = if body.is_null() { request } else { request.json(body) };
    request.send().await.unwrap()
}

/// Makes a callback as the admin, of a URL that is not tried out.
pub(crate) async fn make(app: &TestApp, more: Value) -> Value {
    let mut body = json!({"config": {"url": "https://1.1.1.1/"}, "verify": false});
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    ok(send(app, ADMIN, Method::POST, "/v1/callbacks", &body).await).await
}

async fn patch(app: &TestApp, id: &Value, body: &Value) -> Response {
    send(app, ADMIN, Method::PATCH, &format!("/v1/callbacks/{id}"), body).await
}

async fn delete(app: &TestApp, path: &str, id: &Value) -> Response {
    send(app, ADMIN, Method::DELETE, &format!("{path}/{id}"), &Value::Null).await
}

/// Whether a request has a signature with this secret.
fn is_signed(received: &Received, secret: &Value) -> bool {
    let key = STANDARD.decode(secret.as_str().unwrap().strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{}.{}.", received.id(), received.header("webhook-timestamp").unwrap()).as_bytes());
    mac.update(&received.body);
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    received.header("webhook-signature").unwrap().split(' ').any(|signature| signature == expected)
}

fn ids(list: &Value) -> Vec<u64> {
    list["items"].as_array().unwrap().iter().map(|item| item["id"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_is_made_once_its_url_has_taken_a_test() {
    let (app, receiver) = (start().await, Receiver::start().await);
    receiver.answers([201, 200]);
    let alice = app.member("alice").await;
    let headers = json!([{"name": "X-Kind", "value": "k"}, {"name": "X-Api-Key", "value": "hush"}]);
    let config = json!({"url": format!("{}/a?b=c", receiver.url()), "method": "PUT", "headers": headers, "timeout": 60,
        "rate_limit": 6000});
    let body = json!({"mode": "HTTP", "config": config, "name": "ä", "enabled": false});
    let response = send(&app, &alice, Method::POST, "/v1/callbacks", &body).await;
    assert_eq!((response.status().as_u16(), header(&response, "location")), (201, "/v1/callbacks/1"));
    let made = ok(response).await;
    let times = (&made["created_at"], &made["updated_at"]);
    let mut expected = json!({"id": 1, "name": "ä", "profile_id": null, "fallback_callback_id": null, "enabled": false,
        "disabled_reason": null, "mode": "HTTP", "config": config, "created_at": times.0, "updated_at": times.1,
        "secret": made["secret"]});
    expected["config"]["headers"][1]["value"] = json!(true);
    assert_eq!(made, expected);
    let test = receiver.received().await.remove(0);
    assert_eq!((test.method.as_str(), test.path.as_str(), test.query.as_str()), ("POST", "/a", "b=c"));
    assert_eq!((test.body.as_slice(), test.header("content-type")), (&b"{\"test\":1}"[..], Some("application/json")));
    assert_eq!((test.header("x-kind"), test.header("x-api-key")), (Some("k"), Some("hush")));
    assert!(is_signed(&test, &made["secret"]));

    // From now on nobody is told the secret, and only an admin whose callback it is.
    expected.as_object_mut().unwrap().remove("secret");
    assert_eq!(ok(send(&app, &alice, Method::GET, "/v1/callbacks/1", &Value::Null).await).await, expected);
    let listed = ok(send(&app, &alice, Method::GET, "/v1/callbacks", &Value::Null).await).await;
    assert_eq!(listed, json!({"filters": {}, "sort": {"id": "desc"}, "limit": 25, "offset": 0, "items": [expected]}));
    expected["user"] = json!("alice");
    assert_eq!(app.get("/v1/callbacks/1").await, expected);

    let least = json!({"config": {"url": receiver.url()}});
    let least = ok(send(&app, ADMIN, Method::POST, "/v1/callbacks", &least).await).await;
    let usual = json!({"url": receiver.url(), "method": "POST", "headers": null, "timeout": null, "rate_limit": null});
    assert_eq!(
        (&least["id"], &least["enabled"], &least["mode"], &least["config"]),
        (&json!(2), &json!(true), &json!("HTTP"), &usual)
    );
    let tests = receiver.received().await;
    assert_ne!(tests[0].id(), tests[1].id());
    // A number is not given twice.
    ok(delete(&app, "/v1/callbacks", &json!(2)).await).await;
    assert_eq!(make(&app, json!({})).await["id"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_rows_paged_and_filtered() {
    let app = start().await;
    let profile = json!({"name": "ops", "support_email": "ops@example.org"});
    assert_eq!(ok(send(&app, ADMIN, Method::POST, "/v1/profiles", &profile).await).await["id"], 1);
    for number in 1..=30 {
        let more = match number % 10 {
            0 => json!({"name": "tenth & more"}),
            5 => json!({"profile_id": 1, "fallback_callback_id": 1}),
            _ => json!({}),
        };
        assert_eq!(make(&app, more).await["id"], number);
    }
    let page = async |query: &str| app.get(&format!("/v1/callbacks?{query}")).await;
    let usual = page("").await;
    assert_eq!(ids(&usual), (6..=30).rev().collect::<Vec<_>>());
    assert_eq!(
        json!([usual["filters"], usual["sort"], usual["limit"], usual["offset"]]),
        json!([{}, {"id": "desc"}, 25, 0])
    );
    assert_eq!(ids(&page("offset=25").await), [5, 4, 3, 2, 1]);
    assert_eq!(ids(&page("limit=2&offset=3").await), [27, 26]);
    assert_eq!(ids(&page("limit=250").await).len(), 30);
    assert_eq!(ids(&page("offset=30").await).len(), 0);

    let named = page("filters[name]=tenth+%26+more&limit=2").await;
    assert_eq!((ids(&named), &named["filters"]), (vec![30, 20], &json!({"name": "tenth & more"})));
    let both = page("filters%5Bprofile_id%5D=1&filters[fallback_callback_id]=1").await;
    let filters = json!({"profile_id": "1", "fallback_callback_id": "1"});
    assert_eq!((ids(&both), &both["filters"]), (vec![25, 15, 5], &filters));
    assert_eq!(ids(&page("filters[profile_id]=2").await).len(), 0);
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=251", "limit"),
        ("limit=x", "limit"),
        ("offset=-1", "offset"),
        ("filters[profile_id]=x", "filters[profile_id]"),
        ("filters[fallback_callback_id]=1.5", "filters[fallback_callback_id]"),
        ("filters[profile]=1", "filters[profile]"),
        ("user=nobody", "user"),
    ] {
        let refused = app.api(Method::GET, &format!("/v1/callbacks?{query}")).send().await.unwrap();
        assert_eq!(problem(refused, 422).await["field"], field, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn header_secrets_after_get_patch_round_trip() {
    let (app, receiver) = (start().await, Receiver::start().await);
    let pairs = [("X-Kind", "k"), ("Authorization", "Bearer hush"), ("x-my-TOKEN", "hush-2"), ("Cookie", "a=hush-3")];
    let headers: Vec<_> = pairs.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let body = json!({"mode": "HTTP", "config": {"url": receiver.url(), "headers": headers}});
    let made = ok(send(&app, ADMIN, Method::POST, "/v1/callbacks", &body).await).await;
    assert!(!made.to_string().contains("hush"), "{made}");
    let shown = app.get("/v1/callbacks/1").await;
    let values: Vec<_> = shown["config"]["headers"].as_array().unwrap().iter().map(|header| &header["value"]).collect();
    assert_eq!(values, [&json!("k"), &json!(true), &json!(true), &json!(true)]);

    // Sent back as it was read, all of it; but what nobody can change cannot be changed.
    let same = ok(patch(&app, &json!(1), &shown).await).await;
    assert_eq!((&same["config"], &same["created_at"]), (&shown["config"], &shown["created_at"]));
    for field in ["id", "created_at", "disabled_reason", "user"] {
        let refused = problem(patch(&app, &json!(1), &json!({field: "other"})).await, 422).await;
        assert_eq!((&refused["field"], &refused["errors"][0]["message"]), (&json!(field), &json!("cannot be changed")));
    }

    // With another URL, which is tried out with all headers.
    let mut config = shown["config"].clone();
    config["url"] = format!("{}/new", receiver.url()).into();
    let changed = ok(patch(&app, &json!(1), &json!({ "config": config })).await).await;
    assert_eq!(changed["config"], config);
    let test = receiver.wait_for(2).await.remove(1);
    assert_eq!(test.path, "/new");
    for (name, value) in pairs {
        assert_eq!(test.header(&name.to_ascii_lowercase()), Some(value));
    }

    // By name, in any order; what is new has no value to keep.
    let kept = json!([{"name": "X-MY-TOKEN", "value": true}, {"name": "Authorization", "value": "Bearer other"}]);
    ok(patch(&app, &json!(1), &json!({"config": {"headers": kept, "url": receiver.url()}})).await).await;
    let test = receiver.wait_for(3).await.remove(2);
    let [token, authorization, cookie] = ["x-my-token", "authorization", "cookie"].map(|name| test.header(name));
    assert_eq!((token, authorization, cookie), (Some("hush-2"), Some("Bearer other"), None));
    let gone =
        json!({"config": {"headers": [{"name": "X-My-Token", "value": true}, {"name": "Cookie", "value": true}]}});
    assert_eq!(problem(patch(&app, &json!(1), &gone).await, 422).await["field"], "config.headers[1].value");
    let new =
        json!({"config": {"url": "https://1.1.1.1/", "headers": [{"name": "a", "value": true}]}, "verify": false});
    let refused = problem(send(&app, ADMIN, Method::POST, "/v1/callbacks", &new).await, 422).await;
    assert_eq!(refused["field"], "config.headers[0].value");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_partial_and_another_url_is_tried_out() {
    let (app, receiver) = (start().await, Receiver::start().await);
    let config =
        json!({"url": receiver.url(), "method": "PUT", "headers": [{"name": "a", "value": "b"}], "timeout": 5});
    let body = json!({"mode": "HTTP", "config": config, "name": "n"});
    let made = ok(send(&app, ADMIN, Method::POST, "/v1/callbacks", &body).await).await;
    let mut expected = app.get("/v1/callbacks/1").await;
    let mut check = async |change: Value, pointer: &str, now: Value| {
        let changed = ok(patch(&app, &made["id"], &change).await).await;
        *expected.pointer_mut(pointer).unwrap() = now;
        expected["updated_at"] = changed["updated_at"].clone();
        assert_eq!(changed, expected, "{change}");
        assert_eq!(app.get("/v1/callbacks/1").await, expected, "{change}");
    };
    check(json!({}), "/name", json!("n")).await;
    check(json!({"name": "m"}), "/name", json!("m")).await;
    check(json!({"config": {}}), "/name", json!("m")).await;
    check(json!({"config": {"timeout": 60}}), "/config/timeout", json!(60)).await;
    check(json!({"config": {"timeout": null}}), "/config/timeout", json!(null)).await;
    check(json!({"config": {"rate_limit": 1}}), "/config/rate_limit", json!(1)).await;
    check(json!({"config": {"headers": []}}), "/config/headers", json!([])).await;
    check(json!({"config": {"headers": null}}), "/config/headers", json!(null)).await;
    check(json!({"config": {"method": null}}), "/config/method", json!("POST")).await;
    check(json!({"enabled": false}), "/enabled", json!(false)).await;
    check(json!({"enabled": null}), "/enabled", json!(true)).await;
    check(json!({"name": null}), "/name", json!(null)).await;
    check(json!({"config": {"url": receiver.url()}}), "/config/url", json!(receiver.url())).await;
    assert_eq!(receiver.received().await.len(), 1, "nothing has to be tried out again");
    let next = format!("{}/next", receiver.url());
    check(json!({"config": {"url": next}}), "/config/url", json!(next)).await;
    let tests = receiver.received().await;
    assert!(tests.len() == 2 && tests[1].path == "/next" && is_signed(&tests[1], &made["secret"]), "{tests:?}");

    receiver.answers([500]);
    let before = app.get("/v1/callbacks/1").await;
    let elsewhere = json!({"name": "x", "config": {"url": format!("{}/bad", receiver.url())}});
    assert_eq!(problem(patch(&app, &made["id"], &elsewhere).await, 422).await["field"], "config.url");
    assert_eq!(app.get("/v1/callbacks/1").await, before, "nothing was changed");
    let unverified = json!({"verify": false, "config": {"url": format!("{}/bad", receiver.url())}});
    check(unverified, "/config/url", json!(format!("{}/bad", receiver.url()))).await;
    assert_eq!(receiver.received().await.len(), 3);

    // Two who change different things at once both do.
    for number in 1..=20 {
        let timeout = json!({"config": {"timeout": number}});
        let name = json!({"name": number.to_string()});
        let both = tokio::join!(patch(&app, &made["id"], &timeout), patch(&app, &made["id"], &name));
        ok(both.0).await;
        ok(both.1).await;
        let now = app.get("/v1/callbacks/1").await;
        assert_eq!((&now["config"]["timeout"], &now["name"]), (&json!(number), &json!(number.to_string())));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn enabling_again_forgets_why_the_server_disabled_it() {
    let app = start().await;
    make(&app, json!({})).await;
    let disable = "UPDATE callbacks SET enabled = 0, disabled_reason = 'it answered 410', failing_since = 1000";
    let failing = || sql(app.data.path(), "SELECT COALESCE(failing_since, 0) || '' FROM callbacks").trim().to_owned();
    for (change, reason, since) in [
        (json!({"name": "n"}), json!("it answered 410"), "1000"),
        (json!({"enabled": false}), json!("it answered 410"), "1000"),
        (json!({"config": {"url": "https://1.0.0.1/"}, "verify": false}), json!("it answered 410"), "0"),
        (json!({"enabled": true}), json!(null), "0"),
    ] {
        sql(app.data.path(), disable);
        let changed = ok(patch(&app, &json!(1), &change).await).await;
        assert_eq!((&changed["disabled_reason"], failing().as_str()), (&reason, since), "{change}");
        assert_eq!(changed["enabled"], change["enabled"] == true, "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_use_is_not_deleted() {
    let app = start().await;
    let profile = json!({"name": "ops", "support_email": "ops@example.org"});
    ok(send(&app, ADMIN, Method::POST, "/v1/profiles", &profile).await).await;
    make(&app, json!({"profile_id": 1})).await;
    make(&app, json!({"fallback_callback_id": 1})).await;
    let refused = problem(delete(&app, "/v1/callbacks", &json!(1)).await, 409).await;
    assert!(refused["@error"]["@message"].as_str().unwrap().contains("callback 2"), "{refused}");
    assert_eq!(refused["@error"]["@httpStatusCode"], 409);
    let refused = problem(delete(&app, "/v1/profiles", &json!(1)).await, 409).await;
    assert!(refused["detail"].as_str().unwrap().contains("callback 1"), "{refused}");
    ok(patch(&app, &json!(2), &json!({"fallback_callback_id": null})).await).await;

    let deleted = ok(delete(&app, "/v1/callbacks", &json!(1)).await).await;
    assert_eq!(deleted, json!({"success": true}));
    problem(delete(&app, "/v1/callbacks", &json!(1)).await, 404).await;
    assert_eq!(ok(delete(&app, "/v1/profiles", &json!(1)).await).await, json!({"success": true}));
    assert_eq!(ids(&app.get("/v1/callbacks").await), [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_that_have_ended_are_not_in_the_way() {
    let noon: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
    let (app, receiver) = (TestApp::start_at(noon, allow_local).await, Receiver::start().await);
    let body = json!({"mode": "HTTP", "config": {"url": receiver.url()}});
    ok(send(&app, ADMIN, Method::POST, "/v1/callbacks", &body).await).await;
    let subscribe = async |more: Value| {
        let mut body = json!({"callback_id": 1, "tags": [["inbox"]]});
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        let made = ok(send(&app, ADMIN, Method::POST, "/v1/subscriptions", &body).await).await;
        format!("/v1/subscriptions/{}", made["UUID"].as_str().unwrap())
    };
    let once = subscribe(json!({"mode": "once"})).await;
    let inbox = ok(send(&app, ADMIN, Method::POST, "/v1/inboxes", &json!({})).await).await;
    ok(app.http.post(inbox["url"].as_str().unwrap()).send().await.unwrap()).await;
    assert_eq!(receiver.wait_for(2).await[1].json()["type"], "inbox.received");
    let cancelled = subscribe(json!({"mode": "continuous"})).await;
    let expired = subscribe(json!({"mode": "continuous", "expires_at": "2026-03-01T13:00:00Z"})).await;
    for (open, end) in [(&cancelled, "cancel"), (&expired, "expire")] {
        let refused = problem(delete(&app, "/v1/callbacks", &json!(1)).await, 409).await;
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains(open.rsplit('/').next().unwrap()), "{detail}");
        if end == "cancel" {
            assert_eq!(send(&app, ADMIN, Method::PUT, &cancelled, &Value::Null).await.status(), 202);
        }
    }
    app.clock.as_ref().unwrap().advance(TimeDelta::hours(2));
    let is_completed = async || app.get(&once).await["status"] == "completed";
    eventually("the delivery has ended", is_completed).await;
    ok(delete(&app, "/v1/callbacks", &json!(1)).await).await;
    for (subscription, status) in [(once, "completed"), (cancelled, "cancelled"), (expired, "expired")] {
        let shown = app.get(&subscription).await;
        assert_eq!((&shown["status"], &shown["callback_id"]), (&json!(status), &Value::Null), "{shown}");
    }
    assert_eq!(app.get("/v1/subscriptions").await["items"].as_array().unwrap().len(), 3);
    // Nothing that happens from now on finds what is gone.
    ok(app.http.post(inbox["url"].as_str().unwrap()).send().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_secret_is_shown_once_and_signs_beside_the_old_one() {
    let (app, receiver) = (start().await, Receiver::start().await);
    let body = json!({"mode": "HTTP", "config": {"url": receiver.url()}});
    let made = ok(send(&app, ADMIN, Method::POST, "/v1/callbacks", &body).await).await;
    let rotated = ok(send(&app, ADMIN, Method::POST, "/v1/callbacks/1/rotate-secret", &Value::Null).await).await;
    assert!(rotated["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_ne!(rotated["secret"], made["secret"]);
    assert_eq!(app.get("/v1/callbacks/1").await["secret"], Value::Null);
    ok(patch(&app, &json!(1), &json!({"config": {"url": format!("{}/b", receiver.url())}})).await).await;
    let test = receiver.wait_for(2).await.remove(1);
    assert!(is_signed(&test, &made["secret"]) && is_signed(&test, &rotated["secret"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_are_made_changed_and_listed() {
    let app = start().await;
    let alice = app.member("alice").await;
    let body = json!({"name": "ops", "support_email": "ops@example.org"});
    let response = send(&app, &alice, Method::POST, "/v1/profiles", &body).await;
    assert_eq!((response.status().as_u16(), header(&response, "location")), (201, "/v1/profiles/1"));
    let mut made = ok(response).await;
    let expected =
        json!({"id": 1, "name": "ops", "support_email": "ops@example.org", "created_at": made["created_at"]});
    assert_eq!(made, expected);
    let change = json!({"support_email": "new@example.org"});
    made["support_email"] = change["support_email"].clone();
    assert_eq!(ok(send(&app, &alice, Method::PATCH, "/v1/profiles/1", &change).await).await, made);
    assert_eq!(ok(send(&app, &alice, Method::PATCH, "/v1/profiles/1", &made).await).await, made);
    assert_eq!(ok(send(&app, &alice, Method::GET, "/v1/profiles/1", &Value::Null).await).await, made);
    let other = json!({"name": "dev", "support_email": "dev@example.org", "user": "alice"});
    assert_eq!(ok(send(&app, ADMIN, Method::POST, "/v1/profiles", &other).await).await["user"], "alice");
    let listed = ok(send(&app, &alice, Method::GET, "/v1/profiles", &Value::Null).await).await;
    assert_eq!((ids(&listed), &listed["sort"]), (vec![2, 1], &json!({"id": "desc"})));
    let named = app.get("/v1/profiles?filters[name]=dev&user=alice").await;
    assert_eq!((ids(&named), &named["filters"]), (vec![2], &json!({"user": "alice", "name": "dev"})));

    for (body, field) in [
        (json!({"support_email": "a@example.org"}), "name"),
        (json!({"name": "ops"}), "support_email"),
        (json!({"name": "ops", "support_email": "nobody"}), "support_email"),
        (json!({"name": "ops", "support_email": "a@b.org\r\nBcc: c@d.org"}), "support_email"),
        (json!({"name": "ops", "support_email": ["a@b.org"]}), "support_email"),
        (json!({"name": "", "support_email": "a@b.org"}), "name"),
        (json!({"name": "x".repeat(201), "support_email": "a@b.org"}), "name"),
        (json!({"name": "ops", "support_email": "a@b.org", "e-mail": "a@b.org"}), "e-mail"),
        (json!({"name": "ops", "support_email": "a@b.org", "user": "nobody"}), "user"),
        (json!([]), "body"),
    ] {
        let refused = send(&app, ADMIN, Method::POST, "/v1/profiles", &body).await;
        assert_eq!(problem(refused, 422).await["field"], field, "{body}");
    }
    for (body, field) in [(json!({"name": null}), "name"), (json!({"support_email": "x"}), "support_email")] {
        let refused = send(&app, ADMIN, Method::PATCH, "/v1/profiles/1", &body).await;
        assert_eq!(problem(refused, 422).await["field"], field, "{body}");
    }
    assert_eq!(ids(&app.get("/v1/profiles").await), [2, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_makes_and_changes_them() {
    let (app, receiver, user) = (start().await, Receiver::start().await, User::new());
    user.log_in(&app, ADMIN).await;
    let run = async |args: &[&str]| user.run(args).await.good();
    assert_eq!(run(&["profiles", "create", "ops", "ops@example.org"]).await, "1\n");
    let header = "X-Api-Key: hush";
    let secret = run(&["callbacks", "create", &receiver.url(), "--header", header, "--profile", "1"]).await;
    assert!(secret.starts_with("whsec_") && secret.lines().count() == 1, "{secret}");
    let url = format!("{}/b", receiver.url());
    let shown = run(&["callbacks", "set", "1", "--url", &url, "--header", "X-Kind: k", "--name", "n"]).await;
    assert!(shown.contains("X-Api-Key: (secret)") && shown.contains("X-Kind: k") && !shown.contains("hush"), "{shown}");
    let test = receiver.wait_for(2).await.remove(1);
    assert_eq!((test.header("x-api-key"), test.header("x-kind")), (Some("hush"), Some("k")));
    assert!(run(&["callbacks", "list"]).await.contains(&url));
    assert_ne!(run(&["callbacks", "rotate-secret", "1"]).await, secret);
    assert_eq!(run(&["callbacks", "delete", "1"]).await, "deleted 1\n");
    assert_eq!(run(&["profiles", "delete", "1"]).await, "deleted 1\n");
}
