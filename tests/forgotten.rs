//! Events and deliveries are kept for some time, or some number, and for as long as somebody waits for them.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, eventually, ok};
use crate::deliveries::Scene;
use crate::receiver::Receiver;
use crate::retention::sql;

async fn prune(app: &TestApp) {
    ok(app.api(Method::POST, "/v1/prune").send().await.unwrap()).await;
}

/// What each event was told as, the newest first.
async fn numbers(app: &TestApp) -> Vec<Value> {
    let events = app.get("/v1/events?limit=250").await["items"].as_array().unwrap().clone();
    events.iter().map(|event| event["data"]["result"]["n"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_goes_by_its_age_and_what_has_not_stays() {
    let scene = Scene::start_with(|settings| {
        settings.outbound.keep_days = 2;
        settings.outbound.retry_schedule = vec![5 * 86_400];
    });
    let (scene, receiver) = (scene.await, Receiver::start().await);
    scene.subscribe(json!({"callbackUrl": receiver.url()})).await;
    scene.subscribe(json!({"topic": "all"})).await;
    scene.happen(1).await;
    scene.becomes("delivered", 1).await;
    receiver.answers([500]);
    scene.happen(2).await;
    scene.becomes("retrying", 1).await;
    prune(&scene.app).await;
    assert_eq!(numbers(&scene.app).await, [2, 1]);
    scene.turn(TimeDelta::days(3));
    prune(&scene.app).await;
    assert_eq!(numbers(&scene.app).await, [2], "it is still on its way");
    receiver.answers([200]);
    scene.turn(TimeDelta::days(3));
    scene.becomes("delivered", 2).await;
    prune(&scene.app).await;
    assert_eq!(numbers(&scene.app).await, [2], "it has only just ended");
    scene.turn(TimeDelta::days(2));
    prune(&scene.app).await;
    assert_eq!(numbers(&scene.app).await, [0; 0]);
    assert_eq!(scene.deliveries("").await, [Value::Null; 0]);
    for table in ["events", "deliveries", "attempts", "topic_events"] {
        assert_eq!(
            sql(scene.app.data.path(), &format!("SELECT CAST(COUNT(*) AS TEXT) FROM {table}")).trim(),
            "0",
            "{table}"
        );
    }
    receiver.wait_for(3).await;
    scene.happen(3).await;
    scene.becomes("delivered", 1).await; // and all goes on
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_events_the_newest_are_kept() {
    let scene =
        Scene::start_with(|settings| (settings.outbound.keep_days, settings.outbound.keep_events) = (0, 3)).await;
    let receiver = Receiver::start().await;
    receiver.answers([500, 200]);
    scene.subscribe(json!({"callbackUrl": receiver.url()})).await;
    scene.happen(0).await;
    scene.becomes("retrying", 1).await;
    for number in 1..6 {
        scene.happen(number).await;
    }
    eventually("all others are delivered", async || scene.deliveries("status=delivered").await.len() == 5).await;
    scene.turn(TimeDelta::seconds(1));
    prune(&scene.app).await;
    assert_eq!(numbers(&scene.app).await, [5, 4, 3, 0]);
    assert_eq!(scene.deliveries("").await.len(), 4);
}
