//! The manager's pages of what happens and whom it is told: what others have sent stands on them as text, and secrets nowhere.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{ADMIN, TestApp, allow_local, eventually, ok};
use crate::manager::Visitor;
use crate::receiver::{Answer, Receiver};

const EVIL: &str = "<script>alert('x')</script>";
const SECRET: &str = "hush-hush-hush";

async fn send(app: &TestApp, token: &str, method: Method, path: &str, body: &Value) -> Value {
    ok(app.api_as(token, method, path).json(body).send().await.unwrap()).await
}

async fn post(app: &TestApp, token: &str, path: &str, body: Value) -> Value {
    send(app, token, Method::POST, path, &body).await
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What an owner has, each of it with names, bodies and answers that are scripts.
struct Scene {
    app: TestApp,
    receiver: Receiver,
    owner: String,
    inbox: Value,
    callback: Value,
    subscription: Value,
    delivery: Value,
}

impl Scene {
    async fn start() -> Self {
        let app = TestApp::start_with(|settings| {
            allow_local(settings);
            settings.outbound.retry_schedule = Vec::new();
        });
        let app = app.await;
        let receiver = Receiver::start().await;
        receiver.answers([Answer::from(500).body(&format!("no {EVIL}"))]);
        let owner = app.member("alice").await;
        let inbox = json!({"auto_delete": true, "response": {"told": EVIL}, "response_headers": {"x-told": EVIL}});
        let inbox = post(&app, &owner, "/v1/inboxes", inbox).await;
        let headers = json!([{"name": "X-Api-Key", "value": SECRET}, {"name": "X-Kind", "value": EVIL}]);
        let config = json!({"url": format!("{}/?q={EVIL}", receiver.url()), "headers": headers});
        let callback = json!({"name": EVIL, "verify": false, "config": config});
        let callback = app.api(Method::POST, "/v1/callbacks").json(&with(callback, "user", "alice"));
        let callback = ok(callback.send().await.unwrap()).await;
        let wish = json!({
            "callback_id": callback["id"],
            "mode": "continuous",
            "tags": [["inbox", "received"], [EVIL]],
            "filters": [{"field": "data.x", "eq": EVIL, "not": true}],
        });
        let subscription = post(&app, &owner, "/v1/subscriptions", wish).await;
        let sent = app.http.post(text(&inbox["url"])).query(&[("q", EVIL)]).header("x-sent", EVIL);
        ok(sent.json(&json!({EVIL: EVIL})).send().await.unwrap()).await;
        receiver.wait_for(1).await;
        let mut delivery = Value::Null;
        eventually("the delivery is given up", async || {
            let dead = app.api_as(&owner, Method::GET, "/v1/deliveries?status=dead").send().await.unwrap();
            delivery = ok(dead).await["items"][0].clone();
            !delivery.is_null()
        })
        .await;
        Self { app, receiver, owner, inbox, callback, subscription, delivery }
    }

    /// Every page that is about what the owner has.
    fn own_pages(&self) -> Vec<String> {
        let (callback, delivery) = (text(&self.callback["id"]), text(&self.delivery["id"]));
        vec![
            format!("/manager/inboxes/{}", text(&self.inbox["uuid"])),
            format!("/manager/callbacks/{callback}"),
            format!("/manager/callbacks/{callback}/edit"),
            format!("/manager/subscriptions/{}", text(&self.subscription["UUID"])),
            format!("/manager/deliveries/{delivery}"),
            format!("/manager/events/{}", text(&self.delivery["event"])),
        ]
    }
}

fn with(mut value: Value, name: &str, more: &str) -> Value {
    value[name] = json!(more);
    value
}

const LISTS: [&str; 10] = [
    "/manager/inboxes",
    "/manager/inboxes/+new",
    "/manager/callbacks",
    "/manager/callbacks/new",
    "/manager/subscriptions",
    "/manager/subscriptions/new",
    "/manager/deliveries",
    "/manager/deliveries?status=dead&callback=&since=2020-01-01",
    "/manager/events",
    "/manager/tokens",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_others_sent_is_text_and_no_secret_shows() {
    let scene = Scene::start().await;
    post(&scene.app, &scene.owner, "/v1/tokens", json!({"name": EVIL})).await;
    let signs = text(&scene.callback["secret"]);
    let visitor = Visitor::sign_in(&scene.app, &scene.owner).await;
    let mut told = 0;
    for path in scene.own_pages().iter().map(String::as_str).chain(LISTS) {
        let page = visitor.page(path).await;
        assert!(!page.contains("<script>") && !page.contains("alert('x')"), "{path}: {page}");
        for secret in [SECRET, &signs, &scene.owner] {
            assert!(!page.contains(secret), "{path} tells a secret");
        }
        told += usize::from(page.contains("&lt;script&gt;"));
    }
    assert!(told >= 11, "only {told} pages show what was sent");

    let delivery = visitor.page(&scene.own_pages()[4]).await;
    for shown in ["<span class=\"tag bad\">500</span>", "no &lt;script&gt;", "POST /v1/deliveries/", ">Retry<"] {
        assert!(delivery.contains(shown), "no {shown}: {delivery}");
    }
    let callback = visitor.page(&scene.own_pages()[1]).await;
    assert!(callback.contains("X-Api-Key: <span title=\"a secret\">••••••"), "{callback}");
    // Looking at an inbox is not reading it.
    assert!(visitor.page(&scene.own_pages()[0]).await.contains("&lt;script&gt;alert"));
    let uuid = text(&scene.inbox["uuid"]);
    let read = scene.app.api_as(&scene.owner, Method::GET, &format!("/v1/inboxes/{uuid}")).send().await.unwrap();
    assert_eq!(ok(read).await["result"], json!({EVIL: EVIL}));
    assert_eq!(visitor.get(&scene.own_pages()[0]).send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_somebody_elses_is_not_there() {
    let scene = Scene::start().await;
    let bob = scene.app.member("bob").await;
    let visitor = Visitor::sign_in(&scene.app, &bob).await;
    for path in scene.own_pages() {
        let answer = visitor.get(&path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(!answer.text().await.unwrap().contains("script&gt;"), "{path}");
    }
    for (path, empty) in [
        ("/manager/inboxes", "There is no inbox."),
        ("/manager/callbacks", "There is no callback."),
        ("/manager/subscriptions", "There is no subscription."),
        ("/manager/deliveries", "Nothing was sent yet."),
        ("/manager/events", "Nothing has happened yet."),
    ] {
        let page = visitor.page(path).await;
        assert!(page.contains(empty) && !page.contains("/manager/users"), "{path}: {page}");
    }
    let tokens = visitor.page("/manager/tokens").await;
    assert!(!tokens.contains("alice") && !tokens.contains("admin"), "{tokens}");
    assert_eq!(visitor.get("/manager/users").send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let admin = Visitor::sign_in(&scene.app, ADMIN).await;
    assert!(admin.page("/manager/users").await.contains("<td>bob</td>"));
    for path in scene.own_pages() {
        admin.page(&path).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_retried_and_a_long_list_is_paged() {
    let scene = Scene::start().await;
    let visitor = Visitor::sign_in(&scene.app, &scene.owner).await;
    scene.receiver.answers([200]);
    let retry = format!("/v1/deliveries/{}/retry", text(&scene.delivery["id"]));
    ok(visitor.api(Method::POST, &retry).send().await.unwrap()).await;
    scene.receiver.wait_for(2).await;
    let path = &scene.own_pages()[4];
    eventually("it is delivered", async || visitor.page(path).await.contains(">delivered</span>")).await;
    assert!(visitor.page(path).await.contains(">Send again<"));
    for _ in 0..30 {
        ok(scene.app.http.post(text(&scene.inbox["url"])).body("{}").send().await.unwrap()).await;
    }
    let links = |page: &str| page.matches("<a href=\"/manager/events/0").count();
    let first = visitor.page("/manager/events?type=inbox.received").await;
    assert!(first.contains("href=\"?type=inbox.received&amp;offset=25\"") && links(&first) == 25, "{first}");
    let second = visitor.page("/manager/events?type=inbox.received&offset=25").await;
    assert_eq!(links(&second), 6, "{second}");
    let wrong = visitor.get("/manager/deliveries?status=lost").send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
}
