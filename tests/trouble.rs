//! Callbacks that do not work: their fallbacks, who is told, and when they are disabled.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, eventually, ok, run_python};
use crate::binary::files;
use crate::deliveries::{Scene, while_nothing_comes};
use crate::receiver::{Answer, Receiver};

/// The texts of the mails that were sent to somebody.
fn mails(app: &TestApp, to: &str) -> Vec<String> {
    let read = "import email, email.policy, sys\n\
                mail = email.message_from_binary_file(open(sys.argv[1], 'rb'), policy=email.policy.default)\n\
                print(mail['to'], mail['subject'], mail.get_body(('plain',)).get_content(), sep='\\n')";
    let all = files(&app.data.path().join(".nbhook/mail")).into_iter();
    let eml = all.filter(|file| file.extension().is_some_and(|extension| extension == "eml"));
    let mut mails: Vec<_> = eml.collect();
    mails.sort();
    let told = mails.iter().map(|file| run_python(&["-c", read, file.to_str().unwrap()], ""));
    told.filter(|mail| mail.starts_with(to)).collect()
}

async fn mailed(app: &TestApp, to: &str, number: usize) -> Vec<String> {
    eventually("the mails", async || mails(app, to).len() >= number).await;
    let mails = mails(app, to);
    assert_eq!(mails.len(), number, "{mails:?}");
    mails
}

async fn profile(scene: &Scene, address: &str) -> Value {
    scene.post("/v1/profiles", &json!({"name": "ops", "support_email": address})).await["id"].clone()
}

async fn shown(scene: &Scene, callback: &Value) -> Value {
    scene.app.get(&format!("/v1/callbacks/{}", callback["id"])).await
}

/// Of one status, with where they go.
async fn going(scene: &Scene, status: &str) -> Vec<Value> {
    let deliveries = scene.deliveries(&format!("status={status}")).await;
    deliveries.into_iter().map(|delivery| delivery["callback_id"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_delivery_goes_to_the_fallback_once() {
    let scene = Scene::start_with(|settings| settings.outbound.retry_schedule = vec![5]).await;
    let (main, second, third) = (Receiver::start().await, Receiver::start().await, Receiver::start().await);
    let (dead, all) = (Receiver::start().await, Receiver::start().await);
    for failing in [&main, &second] {
        failing.answers([500]);
    }
    let last = scene.callback(&third.url(), json!({})).await;
    let middle = scene.callback(&second.url(), json!({"fallback_callback_id": last["id"]})).await;
    let first = scene.callback(&main.url(), json!({"fallback_callback_id": middle["id"]})).await;
    scene.subscribe(json!({"callback_id": first["id"]})).await;
    let tags = json!([["delivery", "dead"]]);
    scene.subscribe(json!({"callbackUrl": dead.url(), "tags": tags})).await;
    let callback = format!("callback:{}", middle["id"]);
    let of_middle = scene.subscribe(json!({"callbackUrl": all.url(), "tags": [["delivery", callback]]})).await;
    scene.happen(1).await;
    scene.becomes("retrying", 1).await;
    assert_eq!(second.received().await.len(), 0, "not as long as the main one may take it");
    scene.turn(TimeDelta::seconds(7));
    second.wait_for(1).await;
    eventually("the fallback is tried", async || going(&scene, "retrying").await == [middle["id"].clone()]).await;
    scene.turn(TimeDelta::seconds(7));
    third.wait_for(1).await;
    let delivered = async || scene.deliveries(&format!("status=delivered&callback={}", last["id"])).await;
    eventually("the last one takes it", async || delivered().await.len() == 1).await;
    while_nothing_comes().await;

    let (main, second, third) = (main.received().await, second.received().await, third.received().await);
    assert_eq!((main.len(), second.len(), third.len()), (2, 2, 1));
    for one in second.iter().chain(&third) {
        assert_eq!((one.id(), &one.body), (main[0].id(), &main[0].body), "the same message");
    }
    let taken = delivered().await.remove(0);
    let of = scene.app.get(&format!("/v1/deliveries/{}", taken["fallback_of"].as_str().unwrap())).await;
    assert_eq!((&of["callback_id"], &of["status"]), (&middle["id"], &json!("dead")));

    let told = dead.wait_for(2).await;
    let data: Vec<_> = told.iter().map(|told| told.json()["data"].clone()).collect();
    for callback in [&first, &middle] {
        let one = data.iter().find(|data| data["callback"] == callback["id"]).unwrap();
        assert_eq!(
            (&one["attempts"], &one["status_code"], &one["event"]),
            (&json!(2), &json!(500), &json!(main[0].id()))
        );
    }
    assert_eq!(all.wait_for(1).await[0].json()["UUID"], of_middle["UUID"], "filtered by tags as all events are");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_to_a_disabled_callback_goes_to_its_fallback_at_once() {
    let scene = Scene::start_with(|settings| settings.outbound.retry_schedule = vec![5, 5]).await;
    let (main, other, dead) = (Receiver::start().await, Receiver::start().await, Receiver::start().await);
    let fallback = scene.callback(&other.url(), json!({})).await;
    let callback = scene.callback(&main.url(), json!({"fallback_callback_id": fallback["id"]})).await;
    scene.subscribe(json!({"callback_id": callback["id"]})).await;
    scene.subscribe(json!({"callbackUrl": dead.url(), "tags": [["delivery", "dead"]]})).await;
    main.answers([500]);
    scene.happen(1).await;
    scene.becomes("retrying", 1).await;
    let path = format!("/v1/callbacks/{}", callback["id"]);
    ok(scene.app.api(Method::PATCH, &path).json(&json!({"enabled": false})).send().await.unwrap()).await;
    scene.happen(2).await;
    other.wait_for(1).await;
    scene.turn(TimeDelta::seconds(7));
    other.wait_for(2).await;
    eventually("both are delivered", async || {
        going(&scene, "delivered").await.iter().filter(|to| **to == fallback["id"]).count() == 2
    })
    .await;
    assert_eq!(going(&scene, "dead").await, [callback["id"].clone(), callback["id"].clone()]);
    assert_eq!(main.received().await.len(), 1, "nothing is sent to what is disabled");
    let told = dead.wait_for(1).await;
    assert_eq!(told[0].json()["data"]["attempts"], 1, "what was never attempted is no news");
    while_nothing_comes().await;
    assert_eq!(dead.received().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn news_of_dead_deliveries_makes_no_further_news() {
    let scene = Scene::start_with(|settings| settings.outbound.retry_schedule = Vec::new()).await;
    let (failing, gone) = (Receiver::start().await, Receiver::start().await);
    failing.answers([500]);
    gone.answers([410]);
    scene.subscribe(json!({"callbackUrl": failing.url()})).await;
    scene.subscribe(json!({"callbackUrl": failing.url(), "tags": [["delivery"], ["callback"]]})).await;
    scene.subscribe(json!({"callbackUrl": gone.url(), "tags": [["delivery"], ["callback"]]})).await;
    scene.happen(1).await;
    // The event, the news of it to both, and to the one that is left that the other is gone.
    eventually("all are dead", async || scene.deliveries("status=dead").await.len() == 4).await;
    while_nothing_comes().await;
    assert_eq!((failing.received().await.len(), gone.received().await.len()), (3, 1));
    for (kind, number) in [("delivery.dead", 1), ("callback.disabled", 1)] {
        let events = scene.app.get(&format!("/v1/events?type={kind}")).await;
        assert_eq!(events["items"].as_array().unwrap().len(), number, "{kind}: {events}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_gone_gets_nothing_more() {
    let scene = Scene::start().await;
    let (gone, watcher) = (Receiver::start().await, Receiver::start().await);
    gone.answers([410]);
    let setup = json!({"profile_id": profile(&scene, "ops@example.org").await, "name": "billing"});
    let callback = scene.callback(&gone.url(), setup).await;
    scene.subscribe(json!({"callback_id": callback["id"]})).await;
    scene.subscribe(json!({"callbackUrl": watcher.url(), "tags": [["callback", "disabled"]]})).await;
    scene.happen(1).await;
    scene.becomes("delivered", 1).await; // of the event about it
    let told = watcher.wait_for(1).await[0].json();
    assert_eq!((&told["type"], &told["data"]["callback"]), (&json!("callback.disabled"), &callback["id"]));
    let shown = shown(&scene, &callback).await;
    assert_eq!((&shown["enabled"], &shown["disabled_reason"]), (&json!(false), &json!("it answered 410 (gone)")));
    scene.happen(2).await;
    eventually("both are dead", async || going(&scene, "dead").await.len() == 2).await;
    assert_eq!(gone.received().await.len(), 1);
    let mail = mailed(&scene.app, "ops@example.org", 1).await.remove(0);
    assert!(mail.contains("billing was disabled") && mail.contains("it answered 410 (gone)"), "{mail}");
    assert!(mail.contains(&gone.url()), "{mail}");

    // A subscription's own URL ends with it; once it is enabled again, a callback is called again.
    let subscription = scene.subscribe(json!({"callbackUrl": gone.url()})).await;
    scene.happen(3).await;
    let path = format!("/v1/subscriptions/{}", subscription["UUID"].as_str().unwrap());
    eventually("it is disabled", async || scene.app.get(&path).await["status"] == "disabled").await;
    assert_eq!(watcher.wait_for(2).await[1].json()["data"]["subscription"], subscription["UUID"]);
    gone.answers([200]);
    let path = format!("/v1/callbacks/{}", callback["id"]);
    ok(scene.app.api(Method::PATCH, &path).json(&json!({"enabled": true})).send().await.unwrap()).await;
    let since = json!({"since": "2026-03-01T00:00:00Z"});
    assert_eq!(scene.post(&format!("{path}/recover"), &since).await, json!({"recovered": 3}));
    gone.wait_for(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_fails_for_five_days_is_disabled_and_its_support_is_told() {
    let day = 86_400;
    let scene = Scene::start_with(|settings| settings.outbound.retry_schedule = vec![day; 12]).await;
    let receiver = Receiver::start().await;
    // A success in between, and it begins anew.
    receiver.answers([500, 500, 200, 500]);
    let callback =
        scene.callback(&receiver.url(), json!({"profile_id": profile(&scene, "ops@example.org").await})).await;
    scene.subscribe(json!({"callback_id": callback["id"]})).await;
    scene.happen(1).await;
    for attempts in 1..=2 {
        scene.becomes("retrying", attempts).await;
        scene.turn(TimeDelta::hours(40));
    }
    scene.becomes("delivered", 3).await;
    scene.happen(2).await;
    let mut since = scene.now();
    for attempts in 1..=3 {
        scene.becomes("retrying", attempts).await;
        since = since.min(scene.now());
        scene.turn(TimeDelta::hours(39));
        assert_eq!(shown(&scene, &callback).await["enabled"], true);
    }
    scene.becomes("retrying", 4).await;
    assert_eq!(shown(&scene, &callback).await["enabled"], true, "four days and 21 hours");
    scene.turn(TimeDelta::hours(39));
    let dead = scene.becomes("dead", 5).await;
    assert_eq!(dead["next_attempt_at"], Value::Null, "nothing is tried any more");
    let shown = shown(&scene, &callback).await;
    assert_eq!(shown["enabled"], false);
    let reason = shown["disabled_reason"].as_str().unwrap();
    assert_eq!(
        reason,
        format!("it has done nothing but fail since {}", since.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
    );
    let mail = mailed(&scene.app, "ops@example.org", 1).await.remove(0);
    assert!(mail.contains(&format!("Callback {} was disabled", callback["id"])) && mail.contains(reason), "{mail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn timeouts_are_mailed_in_few_mails() {
    let scene = Scene::start_with(|settings| settings.outbound.timeout = 1).await;
    let receiver = Receiver::start().await;
    receiver.answers([Answer::from(200).after(std::time::Duration::from_secs(20))]);
    let setup = json!({"name": "slow & co", "profile_id": profile(&scene, "ops@example.org").await});
    let url = format!("{}/hush?token=hush", receiver.url());
    let callback = scene.callback(&url, setup).await;
    scene.subscribe(json!({"callback_id": callback["id"]})).await;
    scene.happen(1).await;
    let delivery = scene.becomes("retrying", 1).await;
    let first = mailed(&scene.app, "ops@example.org", 1).await.remove(0);
    for part in
        ["slow & co did not answer in time", "no answer within 1 s", &receiver.url(), delivery["id"].as_str().unwrap()]
    {
        assert!(first.contains(part), "{part} is missing in {first}");
    }
    assert!(!first.contains("hush"), "{first}");
    for number in 2..5 {
        scene.happen(number).await;
        scene.becomes("retrying", 1).await;
    }
    assert_eq!(mails(&scene.app, "ops@example.org").len(), 1, "not within five minutes");
    receiver.answers([200]);
    scene.turn(TimeDelta::minutes(6));
    let second = mailed(&scene.app, "ops@example.org", 2).await;
    assert!(second.iter().any(|mail| mail.contains("slow & co: 3 attempts timed out")), "{second:?}");
    eventually("all are delivered", async || going(&scene, "delivered").await.len() == 4).await;
}
