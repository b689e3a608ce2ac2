//! Users, tokens and who may touch what: every route of the API, as its owner, a stranger and nobody.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{ADMIN, TestApp, allow_local, form, notebook, ok, problem, timeless, url};

/// An id that was never given out.
const UNKNOWN: &str = "0198c5f0-0000-7000-8000-000000000001";
const UNKNOWN_NUMBER: &str = "4294967295";
const HISTO: &str = "20200101000000000000";

/// A route of the API. `ids` says what its id is of; none when it has none.
struct Route {
    method: Method,
    pattern: &'static str,
    body: Value,
    id: Option<&'static str>,
}

fn route(method: Method, pattern: &'static str, body: Value, id: impl Into<Option<&'static str>>) -> Route {
    Route { method, pattern, body, id: id.into() }
}

/// Every route below /v1, with a body that would be taken.
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn routes() -> Vec<Route> {
    let (hook, run, token, inbox) = ("hook", "run", "token", "inbox");
    let (callback, profile, delivery) = ("callback", "profile", "delivery");
    let new_callback = json!({"config": {"url": "https://1.1.1.1/"}, "verify": false});
    let new_profile = json!({"name": "ops", "support_email": "ops@example.org"});
    let (event, subscription, topic) = ("event", "subscription", "topic");
    let mail = json!({"email_to": "a@example.org", "subject": "s", "text": "t"});
    let deploy = json!({"path": "new.ipynb", "notebook": notebook(&["1"])});
    vec![
        route(Method::GET, "/v1/hooks", Value::Null, None),
        route(Method::POST, "/v1/hooks", deploy, None),
        route(Method::GET, "/v1/hooks/{id}", Value::Null, hook),
        route(Method::PATCH, "/v1/hooks/{id}", json!({"params": {"inline": true}}), hook),
        route(Method::DELETE, "/v1/hooks/{id}", Value::Null, hook),
        route(Method::GET, "/v1/hooks/{id}/callbacks", Value::Null, hook),
        route(Method::POST, "/v1/hooks/{id}/callbacks/rotate-secret", Value::Null, hook),
        route(Method::GET, "/v1/hooks/{id}/versions", Value::Null, hook),
        route(Method::DELETE, "/v1/hooks/{id}/versions", Value::Null, hook),
        route(Method::GET, "/v1/hooks/{id}/versions/{histo}", Value::Null, hook),
        route(Method::DELETE, "/v1/hooks/{id}/versions/{histo}", Value::Null, hook),
        route(Method::GET, "/v1/hooks/{id}/versions/{histo}/notebook", Value::Null, hook),
        route(Method::POST, "/v1/hooks/{id}/versions/{histo}/promote", Value::Null, hook),
        route(Method::GET, "/v1/hooks/{id}/outputs", Value::Null, hook),
        route(Method::DELETE, "/v1/hooks/{id}/outputs", Value::Null, hook),
        route(Method::GET, "/v1/hooks/{id}/outputs/{histo}", Value::Null, hook),
        route(Method::DELETE, "/v1/hooks/{id}/outputs/{histo}", Value::Null, hook),
        route(Method::GET, "/v1/runs", Value::Null, None),
        route(Method::GET, "/v1/runs/{id}", Value::Null, run),
        route(Method::GET, "/v1/runs/{id}/output", Value::Null, run),
        route(Method::GET, "/v1/runs/{id}/events", Value::Null, run),
        route(Method::GET, "/v1/runs/{id}/result", Value::Null, run),
        route(Method::POST, "/v1/runs/{id}/cancel", Value::Null, run),
        route(Method::POST, "/v1/runs/{id}/rerun", Value::Null, run),
        route(Method::GET, "/v1/tasks", Value::Null, None),
        route(Method::GET, "/v1/tasks/{id}", Value::Null, run),
        route(Method::GET, "/v1/subscriptions", Value::Null, None),
        route(Method::POST, "/v1/subscriptions", json!({"topic": "other"}), None),
        route(Method::GET, "/v1/subscriptions/{id}", Value::Null, subscription),
        route(Method::PUT, "/v1/subscriptions/{id}", Value::Null, subscription),
        route(Method::GET, "/v1/events", Value::Null, None),
        route(Method::GET, "/v1/events/{id}", Value::Null, event),
        route(Method::GET, "/v1/topics/{name}/events", Value::Null, topic),
        route(Method::GET, "/v1/inboxes", Value::Null, None),
        route(Method::POST, "/v1/inboxes", json!({"no_override": true}), None),
        route(Method::GET, "/v1/inboxes/{uuid}", Value::Null, inbox),
        route(Method::DELETE, "/v1/inboxes/{uuid}", Value::Null, inbox),
        route(Method::GET, "/v1/callbacks", Value::Null, None),
        route(Method::POST, "/v1/callbacks", new_callback, None),
        route(Method::GET, "/v1/callbacks/{id}", Value::Null, callback),
        route(Method::PATCH, "/v1/callbacks/{id}", json!({"name": "new", "enabled": false}), callback),
        route(Method::DELETE, "/v1/callbacks/{id}", Value::Null, callback),
        route(Method::POST, "/v1/callbacks/{id}/rotate-secret", Value::Null, callback),
        route(Method::POST, "/v1/callbacks/{id}/recover", json!({"since": "2026-01-01T00:00:00Z"}), callback),
        route(Method::GET, "/v1/deliveries", Value::Null, None),
        route(Method::GET, "/v1/deliveries/{id}", Value::Null, delivery),
        route(Method::POST, "/v1/deliveries/{id}/retry", Value::Null, delivery),
        route(Method::GET, "/v1/profiles", Value::Null, None),
        route(Method::POST, "/v1/profiles", new_profile, None),
        route(Method::GET, "/v1/profiles/{id}", Value::Null, profile),
        route(Method::PATCH, "/v1/profiles/{id}", json!({"name": "new"}), profile),
        route(Method::DELETE, "/v1/profiles/{id}", Value::Null, profile),
        route(Method::GET, "/v1/hooks/{id}/callbacks", Value::Null, hook),
        route(Method::POST, "/v1/hooks/{id}/callbacks/rotate-secret", Value::Null, hook),
        route(Method::GET, "/v1/schedules", Value::Null, None),
        route(Method::POST, "/v1/schedules", json!({"path": "a.ipynb", "cron": "@daily"}), None),
        route(Method::GET, "/v1/schedules/{id}", Value::Null, "schedule"),
        route(Method::PATCH, "/v1/schedules/{id}", json!({"enabled": false}), "schedule"),
        route(Method::DELETE, "/v1/schedules/{id}", Value::Null, "schedule"),
        route(Method::POST, "/v1/schedules/{id}/run", Value::Null, "schedule"),
        route(Method::GET, "/v1/secrets", Value::Null, None),
        route(Method::GET, "/v1/secrets/{name}", Value::Null, "secret"),
        route(Method::PUT, "/v1/secrets/{name}", json!({"value": "hush-hush"}), None), // a name of one's own
        route(Method::DELETE, "/v1/secrets/{name}", Value::Null, "secret"),
        route(Method::GET, "/v1/notifications", Value::Null, None),
        route(Method::POST, "/v1/notifications", mail, None),
        route(Method::GET, "/v1/notifications/{id}", Value::Null, "notification"),
        route(Method::GET, "/v1/assets", Value::Null, None),
        route(Method::POST, "/v1/assets", Value::Null, None),
        route(Method::GET, "/v1/assets/{id}", Value::Null, "asset"),
        route(Method::PATCH, "/v1/assets/{id}", json!({"params": {"inline": true}}), "asset"),
        route(Method::DELETE, "/v1/assets/{id}", Value::Null, "asset"),
        route(Method::GET, "/v1/assets/{id}/versions", Value::Null, "asset"),
        route(Method::DELETE, "/v1/assets/{id}/versions", Value::Null, "asset"),
        route(Method::GET, "/v1/assets/{id}/versions/{histo}", Value::Null, "asset"),
        route(Method::DELETE, "/v1/assets/{id}/versions/{histo}", Value::Null, "asset"),
        route(Method::GET, "/v1/assets/{id}/versions/{histo}/content", Value::Null, "asset"),
        route(Method::POST, "/v1/assets/{id}/versions/{histo}/promote", Value::Null, "asset"),
        route(Method::GET, "/v1/dependencies", Value::Null, None),
        route(Method::POST, "/v1/dependencies", Value::Null, None),
        route(Method::GET, "/v1/dependencies/{id}", Value::Null, "dependency"),
        route(Method::DELETE, "/v1/dependencies/{id}", Value::Null, "dependency"),
        route(Method::GET, "/v1/dependencies/{id}/versions", Value::Null, "dependency"),
        route(Method::DELETE, "/v1/dependencies/{id}/versions", Value::Null, "dependency"),
        route(Method::GET, "/v1/dependencies/{id}/versions/{histo}", Value::Null, "dependency"),
        route(Method::DELETE, "/v1/dependencies/{id}/versions/{histo}", Value::Null, "dependency"),
        route(Method::GET, "/v1/dependencies/{id}/versions/{histo}/content", Value::Null, "dependency"),
        route(Method::POST, "/v1/dependencies/{id}/versions/{histo}/promote", Value::Null, "dependency"),
        route(Method::POST, "/v1/prune", Value::Null, None),
        route(Method::GET, "/v1/users", Value::Null, None),
        route(Method::POST, "/v1/users", json!({"name": "carol", "role": "member"}), None),
        route(Method::GET, "/v1/users/me", Value::Null, None),
        route(Method::GET, "/v1/tokens", Value::Null, None),
        route(Method::POST, "/v1/tokens", json!({"name": "more"}), None),
        route(Method::DELETE, "/v1/tokens/{id}", Value::Null, token),
    ]
}

#[test]
fn the_table_of_this_test_is_the_route_table() {
    let table = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/mod.rs")).unwrap();
    let mut expected = BTreeSet::new();
    for resource in table.split("on(\"").skip(1) {
        let (pattern, rest) = resource.split_once('"').unwrap();
        for method in rest.split("web::").skip(1).filter_map(|route| route.split_once("().to(")) {
            if pattern.starts_with("/v1") {
                expected.insert(format!("{} {pattern}", method.0.to_uppercase()));
            }
        }
    }
    let ours: BTreeSet<_> = routes().iter().map(|route| format!("{} {}", route.method, route.pattern)).collect();
    assert_eq!(ours, expected);
}

/// A request of a route with this id and histo in its path.
fn request(app: &TestApp, token: &str, route: &Route, id: &str, histo: &str) -> reqwest::RequestBuilder {
    let path = route.pattern.replace("{id}", id).replace("{uuid}", id).replace("{name}", id).replace("{histo}", histo);
    let request = app.api_as(token, route.method.clone(), &path);
    if route.body.is_null() { request } else { request.json(&route.body) }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "it makes one of everything first")]
async fn what_is_somebody_elses_is_as_unknown_as_what_is_not_there() {
    let app = TestApp::start_with(allow_local).await;
    let (alice, bob) = (app.member("alice").await, app.member("bob").await);
    let hook = app.deploy_as(&alice, "a.ipynb", &notebook(&["1"]), json!({})).await;
    let answer = app.call(&hook, &[]).await;
    let run = answer.headers()["x-nbhook-run"].to_str().unwrap().to_owned();
    let output = app.get(&format!("/v1/runs/{run}")).await["histo"].as_str().unwrap().to_owned();
    let tokens = ok(app.api_as(&alice, Method::GET, "/v1/tokens").send().await.unwrap()).await;
    assert_eq!(tokens["items"].as_array().unwrap().len(), 1, "a member sees their own tokens only");
    let inbox = app.api_as(&alice, Method::POST, "/v1/inboxes").json(&json!({"auto_delete": false}));
    let inbox = ok(inbox.send().await.unwrap()).await;
    for (path, body) in [
        ("/v1/callbacks", json!({"config": {"url": "https://1.1.1.1/"}, "verify": false, "user": "alice"})),
        ("/v1/profiles", json!({"name": "ops", "support_email": "ops@example.org", "user": "alice"})),
    ] {
        assert_eq!(ok(app.api(Method::POST, path).json(&body).send().await.unwrap()).await["id"], 1);
    }
    let subscription = app.api_as(&alice, Method::POST, "/v1/subscriptions").json(&json!({"topic": "hers"}));
    let subscription = ok(subscription.send().await.unwrap()).await;
    // Nobody listens there.
    let wish = json!({"callbackUrl": "http://127.0.0.1:9/", "tags": [["inbox"]]});
    ok(app.api_as(&alice, Method::POST, "/v1/subscriptions").json(&wish).send().await.unwrap()).await;
    ok(app.http.post(url(&inbox)).send().await.unwrap()).await;
    let daily = json!({"path": "a.ipynb", "cron": "0 0 1 1 *"});
    let schedule = ok(app.api_as(&alice, Method::POST, "/v1/schedules").json(&daily).send().await.unwrap()).await;
    let secret = app.api_as(&alice, Method::PUT, "/v1/secrets/hers").json(&json!({"value": "hush-hush"}));
    ok(secret.send().await.unwrap()).await;
    let mail = json!({"email_to": "a@example.org", "subject": "s", "text": "t"});
    let mail = app.api_as(&alice, Method::POST, "/v1/notifications").json(&mail);
    let mail = ok(mail.send().await.unwrap()).await;
    let deliveries = ok(app.api_as(&alice, Method::GET, "/v1/deliveries").send().await.unwrap()).await;
    let events = app.get("/v1/events").await;
    let (media_type, body) = form(&[("meta", None, br#"{"path": "x.txt"}"#), ("file", Some("x.txt"), b"x")]);
    let mut files = Vec::new();
    for kind in ["assets", "dependencies"] {
        let add = app.api_as(&alice, Method::POST, &format!("/v1/{kind}")).header("content-type", &media_type);
        files.push(ok(add.body(body.clone()).send().await.unwrap()).await);
    }
    let all = async |app: &TestApp| {
        let kept = [
            "hooks",
            "runs",
            "tokens",
            "inboxes",
            "callbacks",
            "profiles",
            "subscriptions",
            "events",
            "schedules",
            "assets",
            "dependencies",
        ];
        let mut told = Vec::new();
        for list in kept {
            told.push(app.get(&format!("/v1/{list}")).await);
        }
        (told, app.kept())
    };
    let before = all(&app).await;

    for route in routes() {
        let Some(kind) = route.id else { continue };
        let id = match kind {
            "hook" => hook["id"].as_str(),
            "run" => Some(run.as_str()),
            "inbox" => inbox["uuid"].as_str(),
            "asset" => files[0]["id"].as_str(),
            "dependency" => files[1]["id"].as_str(),
            "callback" | "profile" => Some("1"),
            "delivery" => deliveries["items"][0]["id"].as_str(),
            "event" => events["items"][0]["uuid"].as_str(),
            "subscription" => subscription["UUID"].as_str(),
            "schedule" => schedule["id"].as_str(),
            "topic" => subscription["topic"].as_str(),
            "secret" => Some("hers"),
            "notification" => mail["id"].as_str(),
            _ => tokens["items"][0]["id"].as_str(),
        };
        let histo = match kind {
            "asset" => files[0]["histo"].as_str().unwrap(),
            "dependency" => files[1]["histo"].as_str().unwrap(),
            _ if route.pattern.contains("outputs") => &output,
            _ => hook["histo"].as_str().unwrap(),
        };
        let mut told = Vec::new();
        let unknown = if id == Some("1") { UNKNOWN_NUMBER } else { UNKNOWN };
        for (id, histo) in [(id.unwrap(), histo), (unknown, histo), (id.unwrap(), HISTO)] {
            let response = request(&app, &bob, &route, id, histo).send().await.unwrap();
            let headers: Vec<_> = response.headers().keys().cloned().collect();
            assert_eq!(response.status(), 404, "{} {}", route.method, route.pattern);
            told.push((headers, timeless(response.json().await.unwrap()).to_string()));
        }
        assert!(told.iter().all(|answer| *answer == told[0]), "{} {}: {told:?}", route.method, route.pattern);
        let says_id = id != Some("1") && told[0].1.contains(id.unwrap());
        assert!(!told[0].1.contains(unknown) && !says_id, "{told:?}");
        let garbage = request(&app, &bob, &route, "..%2f..%2fadmin", histo).send().await.unwrap();
        problem(garbage, 404).await;
    }
    assert!(before == all(&app).await, "a stranger changed something");

    let list = async |token: &str, path: &str| ok(app.api_as(token, Method::GET, path).send().await.unwrap()).await;
    for path in ["/v1/hooks", "/v1/hooks?path=a.ipynb", "/v1/runs", "/v1/deliveries"] {
        assert_eq!(list(&bob, path).await["items"], json!([]), "{path}");
        assert_eq!(list(&alice, path).await["items"].as_array().unwrap().len(), 1, "{path}");
        assert_eq!(list(ADMIN, path).await["items"].as_array().unwrap().len(), 1, "an admin sees all: {path}");
    }
    let runs = format!("/v1/runs?hook={}", hook["id"].as_str().unwrap());
    assert_eq!(list(&bob, &runs).await["items"], json!([]));
    // An admin may touch what is not theirs.
    let at = format!("/v1/hooks/{}", hook["id"].as_str().unwrap());
    assert_eq!(app.get(&at).await["owner"], "alice");
    ok(app.api(Method::DELETE, &at).send().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_valid_token_nothing_is_told() {
    let app = TestApp::start().await;
    let hook = app.deploy("a.ipynb", &notebook(&["1"]), json!({})).await;
    let id = hook["id"].as_str().unwrap();
    let hook_token = url(&hook).rsplit('/').next().unwrap();
    let of_a_hook = format!("Bearer {hook_token}");
    let cut = format!("Bearer {}", &ADMIN[1..]);
    let headers: [Option<&str>; 10] = [
        None,
        Some(""),
        Some("Bearer"),
        Some("Bearer "),
        Some("Basic YWRtaW46YWRtaW4="),
        Some(ADMIN),
        Some("Bearer nbh_000000000000000000000000000"),
        Some("Bearer the admins token of this test"),
        Some(&of_a_hook),
        Some(&cut),
    ];
    for route in routes() {
        for header in headers {
            let path = route
                .pattern
                .replace("{id}", if [Some("callback"), Some("profile")].contains(&route.id) { "1" } else { id })
                .replace("{uuid}", id)
                .replace("{name}", id)
                .replace("{histo}", hook["histo"].as_str().unwrap());
            let mut request = app.http.request(route.method.clone(), format!("{}{path}", app.url));
            if let Some(header) = header {
                request = request.header("authorization", header);
            }
            let response = request.json(&route.body).send().await.unwrap();
            assert_eq!(response.headers()["www-authenticate"], "Bearer");
            let problem = problem(response, 401).await;
            assert!(!problem.to_string().contains(hook_token), "{problem}");
        }
    }
    let in_query =
        app.http.get(format!("{}/v1/hooks?token={ADMIN}&access_token={ADMIN}", app.url)).send().await.unwrap();
    assert_eq!(in_query.status(), 401);
    let lower = app.http.get(format!("{}/v1/users/me", app.url)).header("authorization", format!("bearer  {ADMIN}"));
    assert_eq!(ok(lower.send().await.unwrap()).await["name"], "admin", "a scheme has no case (RFC 9110)");
    assert_eq!(app.get("/v1/hooks").await["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_act_for_nobody_else_and_admins_do() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.member("alice").await, app.member("bob").await);
    let says = |word: &str| notebook(&["from nbhook import webhook", &format!("webhook.respond_text('{word}')")]);
    let for_bob = json!({"path": "same.ipynb", "notebook": says("bob"), "owner": "bob"});
    let post = async |token: &str, path: &str, body: &Value| {
        app.api_as(token, Method::POST, path).json(body).send().await.unwrap()
    };

    // Whether that user exists makes no difference.
    for other in ["bob", "admin", "nobody"] {
        let body = json!({"path": "x.ipynb", "notebook": says("x"), "owner": other});
        problem(post(&alice, "/v1/hooks", &body).await, 403).await;
        problem(post(&alice, "/v1/tokens", &json!({"name": "t", "user": other})).await, 403).await;
        for list in [format!("/v1/hooks?owner={other}"), format!("/v1/tokens?user={other}")] {
            problem(app.api_as(&alice, Method::GET, &list).send().await.unwrap(), 403).await;
        }
    }
    problem(app.api_as(&alice, Method::GET, "/v1/users").send().await.unwrap(), 403).await;
    problem(post(&alice, "/v1/users", &json!({"name": "eve", "role": "admin"})).await, 403).await;
    let own = ok(app.api_as(&alice, Method::GET, "/v1/hooks?owner=alice").send().await.unwrap()).await;
    assert_eq!((&own["items"], &own["filters"]), (&json!([]), &json!({"owner": "alice"})));

    let theirs = ok(post(ADMIN, "/v1/hooks", &for_bob).await).await;
    let hers = app.deploy_as(&alice, "same.ipynb", &says("alice"), json!({})).await;
    assert_eq!((&theirs["owner"], &hers["owner"]), (&json!("bob"), &json!("alice")));
    assert_ne!(theirs["id"], hers["id"]);
    for (hook, word) in [(&theirs, "bob"), (&hers, "alice")] {
        assert_eq!(app.call(hook, &[]).await.text().await.unwrap(), word);
        app.quiet().await;
        assert!(app.kept().keys().any(|name| name.starts_with(&format!("{word}/same.ipynb/outputs/"))));
    }
    assert_eq!(app.get("/v1/hooks?owner=bob").await["items"].as_array().unwrap().len(), 1);
    let seen = ok(app.api_as(&bob, Method::GET, "/v1/hooks").send().await.unwrap()).await;
    assert_eq!(seen["items"][0]["url"], theirs["url"]);
    for (path, field) in [("/v1/hooks?owner=nobody", "owner"), ("/v1/tokens?user=nobody", "user")] {
        let refused = app.api(Method::GET, path).send().await.unwrap();
        assert_eq!(problem(refused, 422).await["field"], field);
    }

    for name in [
        "",
        ".",
        "..",
        ".nbhook",
        "../bob",
        "a/b",
        "a\\b",
        "/etc",
        "a b",
        "admin.token",
        "x.TOKEN",
        "a\u{0}",
        "a\nb",
        &"x".repeat(129),
    ] {
        let refused = problem(post(ADMIN, "/v1/users", &json!({"name": name, "role": "member"})).await, 422).await;
        assert_eq!(refused["field"], "name", "{name:?}");
    }
    problem(post(ADMIN, "/v1/users", &json!({"name": "root", "role": "root"})).await, 422).await;
    problem(post(ADMIN, "/v1/users", &json!({"name": "bob", "role": "admin"})).await, 409).await;
    assert_eq!(
        ok(app.api_as(&bob, Method::GET, "/v1/users/me").send().await.unwrap()).await,
        json!({"name": "bob", "role": "member"})
    );
    let names: Vec<_> =
        app.get("/v1/users").await["items"].as_array().unwrap().iter().map(|user| user["name"].clone()).collect();
    assert_eq!(app.get("/v1/users").await["sort"], json!({"name": "asc"}));
    assert_eq!(names, ["admin", "alice", "bob"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_once_and_a_revoked_one_stops_at_once() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.member("alice").await, app.member("bob").await);
    let request = app.api_as(&alice, Method::POST, "/v1/tokens").json(&json!({"name": "laptop ü"}));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let issued = ok(response).await;
    let (id, token) = (issued["id"].as_str().unwrap(), issued["token"].as_str().unwrap());
    assert_eq!((&issued["user"], &issued["name"]), (&json!("alice"), &json!("laptop ü")));
    let me = async || app.api_as(token, Method::GET, "/v1/users/me").send().await.unwrap().status();
    assert_eq!(me().await, 200);
    for body in [json!({"name": ""}), json!({"name": "a\nb"}), json!({"name": "x".repeat(101)}), json!({})] {
        let refused = app.api_as(&alice, Method::POST, "/v1/tokens").json(&body).send().await.unwrap();
        problem(refused, 422).await;
    }

    let listed = app.get("/v1/tokens").await;
    for secret in [token, &alice, &bob, ADMIN] {
        assert!(!listed.to_string().contains(secret));
    }
    let keys: BTreeSet<_> =
        listed["items"].as_array().unwrap().iter().flat_map(|item| item.as_object().unwrap().keys()).collect();
    assert_eq!(
        keys,
        ["created_at", "id", "name", "user"].iter().map(|key| (*key).to_owned()).collect::<Vec<_>>().iter().collect()
    );
    let database = std::fs::read(app.data.path().join(".nbhook/nbhook.db")).unwrap();
    let log = std::fs::read(app.data.path().join(".nbhook/nbhook.db-wal")).unwrap_or_default();
    let holds =
        |text: &str| [&database, &log].iter().any(|file| file.windows(text.len()).any(|part| part == text.as_bytes()));
    assert!(
        holds("laptop ü") && !holds(token) && !holds(&alice) && !holds(ADMIN),
        "a token is stored as its hash only"
    );

    let at = format!("/v1/tokens/{id}");
    problem(app.api_as(&bob, Method::DELETE, &at).send().await.unwrap(), 404).await;
    assert_eq!(me().await, 200, "somebody else's token stays");
    assert_eq!(ok(app.api_as(&alice, Method::DELETE, &at).send().await.unwrap()).await, json!({"success": true}));
    assert_eq!(me().await, 401);
    problem(app.api_as(&alice, Method::DELETE, &at).send().await.unwrap(), 404).await;
    let tokens = app.get("/v1/tokens?user=bob").await;
    let bobs = format!("/v1/tokens/{}", tokens["items"][0]["id"].as_str().unwrap());
    ok(app.api(Method::DELETE, &bobs).send().await.unwrap()).await;
    assert_eq!(app.api_as(&bob, Method::GET, "/v1/hooks").send().await.unwrap().status(), 401);
}
