//! Deliveries: events on their way to real receivers, attempt by attempt. Callbacks that do not work are in `trouble.rs`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use nbhook::clock::Clock as _;
use nbhook::config::Settings;
use nbhook::webhook::Resolve;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, World, allow_local, eventually, ok, problem, url};
use crate::receiver::{Answer, Received, Receiver};

pub(crate) fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// A server whose clock is turned, and an inbox: what is sent to it is the event that is delivered.
pub(crate) struct Scene {
    pub(crate) app: TestApp,
    inbox: String,
}

impl Scene {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With other settings, beside those that let it send to this machine.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_in(World { clock: Some(noon()), ..World::default() }, change).await
    }

    /// With the machine's own clock.
    pub(crate) async fn start_now() -> Self {
        Self::start_in(World::default(), |_| {}).await
    }

    async fn start_in(world: World, change: impl FnOnce(&mut Settings)) -> Self {
        let app = TestApp::start_in(world, |settings| {
            allow_local(settings);
            change(settings);
        });
        let app = app.await;
        let inbox = app.api(Method::POST, "/v1/inboxes").json(&json!({"auto_delete": false}));
        let inbox = url(&ok(inbox.send().await.unwrap()).await).to_owned();
        Self { app, inbox }
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        ok(self.app.api(Method::POST, path).json(body).send().await.unwrap()).await
    }

    /// A callback that is not tried out.
    pub(crate) async fn callback(&self, url: &str, mut setup: Value) -> Value {
        setup["verify"] = json!(false);
        setup["mode"] = json!("HTTP");
        setup["config"]["url"] = json!(url);
        self.post("/v1/callbacks", &setup).await
    }

    /// Subscribes to what is sent to the inbox, for all times.
    pub(crate) async fn subscribe(&self, to: Value) -> Value {
        let mut wish = json!({"mode": "continuous", "tags": [["inbox", "received"]]});
        wish.as_object_mut().unwrap().extend(to.as_object().unwrap().clone());
        self.post("/v1/subscriptions", &wish).await
    }

    /// Lets an event happen.
    pub(crate) async fn happen(&self, number: u64) {
        ok(self.app.http.post(&self.inbox).json(&json!({"n": number})).send().await.unwrap()).await;
    }

    /// Newest first.
    pub(crate) async fn deliveries(&self, query: &str) -> Vec<Value> {
        self.app.get(&format!("/v1/deliveries?{query}")).await["items"].as_array().unwrap().clone()
    }

    /// The last delivery, once it is of this status and has as many attempts.
    pub(crate) async fn becomes(&self, status: &str, attempts: usize) -> Value {
        let is_so = |delivery: &Value| {
            delivery["status"] == status && delivery["attempts"].as_array().unwrap().len() == attempts
        };
        let last = async || self.deliveries("limit=1").await.into_iter().next();
        let so = format!("the last delivery is {status} with {attempts} attempts");
        eventually(&so, async || last().await.is_some_and(|delivery| is_so(&delivery))).await;
        let id = last().await.unwrap()["id"].as_str().unwrap().to_owned();
        self.app.get(&format!("/v1/deliveries/{id}")).await
    }

    pub(crate) fn turn(&self, by: TimeDelta) {
        self.app.clock.as_ref().unwrap().advance(by);
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.app.clock.as_ref().unwrap().now()
    }

    /// In how many seconds a delivery is due.
    fn wait_of(&self, delivery: &Value) -> f64 {
        let due: DateTime<Utc> = delivery["next_attempt_at"].as_str().unwrap().parse().unwrap();
        (due - self.now()).as_seconds_f64()
    }
}

/// Lets the server do what it is not to do.
pub(crate) async fn while_nothing_comes() {
    tokio::time::sleep(Duration::from_millis(600)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_tried_again_until_it_is_taken() {
    let (scene, receiver) = (Scene::start().await, Receiver::start().await);
    let endless = Answer::from(404).body(&"x".repeat(1_000_000));
    receiver.answers([Answer::from(500).body("oops"), endless, 204.into()]);
    scene.subscribe(json!({"callbackUrl": format!("{}/a?b=c", receiver.url())})).await;
    scene.happen(7).await;
    let first = scene.becomes("retrying", 1).await;
    assert!((4.0..=6.0).contains(&scene.wait_of(&first)), "{first}");
    scene.turn(TimeDelta::seconds(3));
    while_nothing_comes().await;
    assert_eq!(receiver.received().await.len(), 1, "not before its time");
    scene.turn(TimeDelta::seconds(4));
    let second = scene.becomes("retrying", 2).await;
    assert!((240.0..=360.0).contains(&scene.wait_of(&second)), "{second}");
    scene.turn(TimeDelta::seconds(361));
    let delivered = scene.becomes("delivered", 3).await;
    assert_eq!((&delivered["next_attempt_at"], &delivered["callback_id"]), (&Value::Null, &Value::Null));
    let told: Vec<_> = delivered["attempts"].as_array().unwrap().iter().map(|a| a["status_code"].clone()).collect();
    assert_eq!(told, [500, 404, 204]);
    assert_eq!(delivered["attempts"][0]["response"], "oops");
    assert_eq!(delivered["attempts"][1]["response"], "x".repeat(20_000), "the first 20 kB, and no more");
    assert_eq!(delivered["attempts"][0]["at"], "2026-03-01T12:00:00.000Z");

    let sent = receiver.wait_for(3).await;
    let first_body = &sent[0].body;
    for (sent, seconds) in sent.iter().zip([0, 7, 368]) {
        assert_eq!((sent.method.as_str(), sent.path.as_str(), sent.query.as_str()), ("POST", "/a", "b=c"));
        assert_eq!((sent.id(), &sent.body), (delivered["event"].as_str().unwrap(), first_body));
        let at = (noon() + TimeDelta::seconds(seconds)).timestamp().to_string();
        assert_eq!(sent.header("webhook-timestamp"), Some(at.as_str()), "the timestamp is the attempt's");
        assert_eq!(sent.json()["data"]["result"], json!({"n": 7}));
    }
    let listed = scene.deliveries("status=delivered").await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["attempts"][0].get("response"), None, "what was answered is for who asks for the delivery");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_receiver_answers_is_what_comes_of_it() {
    let (scene, receiver, elsewhere) = (Scene::start().await, Receiver::start().await, Receiver::start().await);
    scene.subscribe(json!({"callbackUrl": receiver.url()})).await;
    let redirect = Answer::from(307).header("location", &elsewhere.url());
    let later = |wish: &str| Answer::from(429).header("retry-after", wish);
    for (number, answer, status, error, wait) in [
        (1, redirect, "retrying", json!("redirects are not followed"), Some(5.0)),
        (2, 403.into(), "rejected", Value::Null, None),
        (3, later("120"), "retrying", Value::Null, Some(120.0)),
        (4, later("1"), "retrying", Value::Null, Some(5.0)),
        (5, later("Sun, 01 Mar 2026 13:00:00 GMT"), "retrying", Value::Null, Some(3600.0)),
        (6, later("99999999"), "retrying", Value::Null, Some(86_400.0)),
    ] {
        receiver.answers([answer]);
        scene.happen(number).await;
        receiver.wait_for(usize::try_from(number).unwrap()).await;
        let delivery = scene.becomes(status, 1).await;
        assert_eq!(delivery["attempts"][0]["error"], error, "{number}");
        match wait {
            None => assert_eq!(delivery["next_attempt_at"], Value::Null),
            Some(wait) => {
                let waits = scene.wait_of(&delivery);
                assert!((wait * 0.79..=wait * 1.21).contains(&waits), "{number}: {waits}");
            }
        }
    }
    assert_eq!(elsewhere.received().await.len(), 0);
    receiver.answers([200]);
    scene.turn(TimeDelta::days(2));
    eventually("all others are delivered", async || scene.deliveries("status=delivered").await.len() == 5).await;
    assert_eq!(receiver.received().await.len(), 11, "what was rejected is not sent again");
    assert_eq!(scene.deliveries("status=rejected").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_receiver_holds_nobody_up() {
    let (scene, slow, quick) = (Scene::start().await, Receiver::start().await, Receiver::start().await);
    slow.answers([Answer::from(200).after(Duration::from_secs(20))]);
    let callback = scene.callback(&slow.url(), json!({"config": {"timeout": 3}})).await;
    scene.subscribe(json!({"callback_id": callback["id"]})).await;
    for number in 0..12 {
        scene.happen(number).await;
    }
    slow.wait_for(4).await;
    scene.subscribe(json!({"callbackUrl": quick.url()})).await;
    for number in 12..15 {
        scene.happen(number).await;
    }
    let sent = quick.wait_for(3).await;
    assert_eq!(slow.received().await.len(), 4, "four at a time, of which none has ended");
    let mut numbers: Vec<_> = sent.iter().map(|one| one.json()["data"]["result"]["n"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [12, 13, 14]);
    let retrying = format!("status=retrying&callback={}", callback["id"]);
    eventually("the first have timed out", async || scene.deliveries(&retrying).await.len() >= 4).await;
    let timed_out = scene.deliveries(&retrying).await.remove(0);
    assert_eq!(timed_out["attempts"][0]["error"], "no answer within 3 s");
    assert!((2_900..6_000).contains(&timed_out["attempts"][0]["duration_ms"].as_u64().unwrap()), "{timed_out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_delays_and_drops_nothing() {
    let (scene, receiver) = (Scene::start().await, Receiver::start().await);
    receiver.answers([200, 500, 200]);
    let callback = scene.callback(&receiver.url(), json!({"config": {"rate_limit": 2}})).await;
    scene.subscribe(json!({"callback_id": callback["id"]})).await;
    for number in 0..3 {
        scene.happen(number).await;
    }
    // Every half minute one; the one that fails is due again after five seconds, and waits behind the third.
    for expected in [1, 2, 3, 4] {
        receiver.wait_for(expected).await;
        while_nothing_comes().await;
        assert_eq!(receiver.received().await.len(), expected);
        scene.turn(TimeDelta::seconds(29));
        while_nothing_comes().await;
        assert_eq!(receiver.received().await.len(), expected);
        scene.turn(TimeDelta::seconds(1));
    }
    let sent = receiver.received().await;
    let order: Vec<_> = sent.iter().map(|sent| sent.json()["data"]["result"]["n"].clone()).collect();
    assert_eq!(order, [0, 1, 2, 1]);
    eventually("all are delivered", async || scene.deliveries("status=delivered").await.len() == 3).await;
    let attempts =
        scene.deliveries("").await.iter().map(|one| one["attempts"].as_array().unwrap().len()).sum::<usize>();
    assert_eq!(attempts, 4, "to wait is no attempt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_does_not_make_a_rate_limit_last() {
    let (scene, receiver) = (Scene::start().await, Receiver::start().await);
    let callback = scene.callback(&receiver.url(), json!({"config": {"rate_limit": 1}})).await;
    scene.subscribe(json!({"callback_id": callback["id"]})).await;
    scene.happen(1).await;
    scene.becomes("delivered", 1).await;
    scene.turn(TimeDelta::days(-1));
    scene.happen(2).await;
    receiver.wait_for(2).await;
}

/// Gives the name another address from some time on.
#[derive(Debug)]
struct Rebinding {
    to: SocketAddr,
    then: SocketAddr,
    turned: AtomicBool,
}

#[async_trait::async_trait]
impl Resolve for Rebinding {
    async fn resolve(&self, host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        assert_eq!(host, "rebinding.example");
        Ok(vec![if self.turned.load(Ordering::SeqCst) { self.then } else { self.to }])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_comes_to_lead_inside_is_not_followed_there() {
    let receiver = Receiver::start().await;
    let inside: SocketAddr = ([10, 0, 0, 1], receiver.port()).into();
    let resolver = Arc::new(Rebinding {
        to: ([127, 0, 0, 1], receiver.port()).into(),
        then: inside,
        turned: AtomicBool::new(false),
    });
    let world = World { clock: Some(noon()), resolver: resolver.clone(), ..World::default() };
    let scene = Scene::start_in(world, |settings| settings.outbound.retry_schedule = vec![5, 5]).await;
    let to = format!("http://rebinding.example:{}/", receiver.port());
    scene.subscribe(json!({"callbackUrl": to})).await;
    scene.happen(1).await;
    scene.becomes("delivered", 1).await;
    resolver.turned.store(true, Ordering::SeqCst);
    scene.happen(2).await;
    for (status, attempts) in [("retrying", 1), ("retrying", 2), ("dead", 3)] {
        let refused = scene.becomes(status, attempts).await;
        let error = refused["attempts"][attempts - 1]["error"].as_str().unwrap();
        assert!(error.contains("outbound.allow") && !error.contains("10.0.0.1"), "{error}");
        scene.turn(TimeDelta::seconds(7));
    }
    assert_eq!(receiver.received().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_policy_let_in_once_is_not_sent_once_it_does_not() {
    let scene = Scene::start_with(|settings| {
        for inside in ["10.0.0.0/8", "169.254.0.0/16"] {
            settings.outbound.allow.push(inside.parse().unwrap());
        }
    });
    let scene = scene.await;
    for host in ["[::ffff:10.0.0.1]", "169.254.169.254", "10.0.0.1"] {
        scene.subscribe(json!({"callbackUrl": format!("http://{host}/latest/meta-data")})).await;
    }
    let Scene { app, inbox } = scene;
    let data = app.stop().await;
    let app = TestApp::start_again(data, noon(), allow_local).await;
    let inbox = format!("{}/inbox/{}", app.url, inbox.rsplit('/').next().unwrap());
    let scene = Scene { app, inbox };
    scene.happen(1).await;
    let retrying = async || scene.deliveries("status=retrying").await;
    eventually("all are refused", async || retrying().await.len() == 3).await;
    for refused in retrying().await {
        let error = refused["attempts"][0]["error"].as_str().unwrap();
        assert!(error.contains("outbound.allow") && !error.contains("meta-data"), "{error}");
        assert!(refused["attempts"][0]["duration_ms"].as_u64().unwrap() < 500, "nobody was asked: {refused}");
    }
    for host in ["[::ffff:10.0.0.1]", "169.254.169.254"] {
        let wish = json!({"callbackUrl": format!("http://{host}/")});
        let refused = scene.app.api(Method::POST, "/v1/subscriptions").json(&wish).send().await.unwrap();
        problem(refused, 403).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_is_called_as_it_is_set_up() {
    let (scene, receiver) = (Scene::start().await, Receiver::start().await);
    let headers = json!([{"name": "X-Api-Key", "value": "hush"}, {"name": "X-Kind", "value": "k"}]);
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        let config = json!({"config": {"method": method, "headers": headers}});
        let callback = scene.callback(&format!("{}/{method}", receiver.url()), config).await;
        scene.subscribe(json!({"callback_id": callback["id"]})).await;
    }
    scene.happen(1).await;
    let sent = receiver.wait_for(5).await;
    for one in &sent {
        assert_eq!(one.path, format!("/{}", one.method));
        assert_eq!((one.header("x-api-key"), one.header("x-kind")), (Some("hush"), Some("k")));
        let is_get = one.method == "GET";
        assert_eq!((one.body.is_empty(), one.header("content-type").is_none()), (is_get, is_get), "{one:?}");
    }
    let ids: std::collections::BTreeSet<_> = sent.iter().map(Received::id).collect();
    assert_eq!(ids.len(), 1, "one event");
    assert!(!scene.app.get("/v1/deliveries").await.to_string().contains("hush"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_is_sent_again_when_it_is_asked_for() {
    let scene = Scene::start_with(|settings| settings.outbound.retry_schedule = vec![5]).await;
    let receiver = Receiver::start().await;
    let callback = scene.callback(&receiver.url(), json!({})).await;
    let subscription = scene.subscribe(json!({"callback_id": callback["id"]})).await;
    receiver.answers([500]);
    scene.happen(1).await;
    let waiting = scene.becomes("retrying", 1).await;
    let retry = |delivery: &Value| format!("/v1/deliveries/{}/retry", delivery["id"].as_str().unwrap());
    let refused = scene.app.api(Method::POST, &retry(&waiting)).send().await.unwrap();
    assert!(problem(refused, 409).await["detail"].as_str().unwrap().contains("not ended"));
    scene.turn(TimeDelta::seconds(7));
    let dead = scene.becomes("dead", 2).await;
    receiver.answers([500, 200]);
    let begun = ok(scene.app.api(Method::POST, &retry(&dead)).send().await.unwrap()).await;
    assert!(
        begun["status"] != "dead" && begun["finished_at"].is_null(),
        "it goes on, and may be under way already: {begun}"
    );
    scene.becomes("retrying", 3).await;
    scene.turn(TimeDelta::seconds(7));
    scene.becomes("delivered", 4).await;

    // All that failed since a time, and nothing else.
    receiver.answers([403]);
    scene.happen(2).await;
    scene.becomes("rejected", 1).await;
    scene.turn(TimeDelta::minutes(1));
    let since = scene.now();
    for number in [3, 4] {
        scene.happen(number).await;
        scene.becomes("rejected", 1).await;
    }
    receiver.answers([200]);
    let path = format!("/v1/callbacks/{}/recover", callback["id"]);
    let recovered = scene.post(&path, &json!({"since": since.to_rfc3339()})).await;
    assert_eq!(recovered, json!({"recovered": 2}));
    eventually("they are delivered", async || scene.deliveries("status=delivered").await.len() == 3).await;
    assert_eq!(scene.deliveries("status=rejected").await.len(), 1);
    assert_eq!(scene.post(&path, &json!({"since": since.to_rfc3339()})).await, json!({"recovered": 0}));
    for (body, field) in [(json!({}), "since"), (json!({"since": "soon"}), "since"), (json!({"until": 1}), "until")] {
        let refused = scene.app.api(Method::POST, &path).json(&body).send().await.unwrap();
        let field_of = problem(refused, 422).await["field"].clone();
        assert!(field_of == field || body == json!({"until": 1}), "{body}: {field_of}");
    }

    // Nobody wants it any more.
    let rejected = scene.deliveries("status=rejected").await.remove(0);
    ok(scene
        .app
        .api(Method::PUT, &format!("/v1/subscriptions/{}", subscription["UUID"].as_str().unwrap()))
        .send()
        .await
        .unwrap())
    .await;
    problem(scene.app.api(Method::POST, &retry(&rejected)).send().await.unwrap(), 409).await;
    assert_eq!(scene.post(&path, &json!({"since": noon().to_rfc3339()})).await, json!({"recovered": 0}));
}
