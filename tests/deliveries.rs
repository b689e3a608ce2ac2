//! Deliveries: events on their way to real receivers, attempt by attempt.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, allow_local, eventually, ok, run_python};
use crate::receiver::Receiver;

fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// A statement that the server's database carries out, with what stands for its question marks.
fn sql(app: &TestApp, statement: &str, values: &Value) -> Value {
    let program = "import json, sqlite3, sys\n\
                   db = sqlite3.connect(sys.argv[1], timeout=30)\n\
                   rows = db.execute(sys.argv[2], json.loads(sys.argv[3])).fetchall()\n\
                   db.commit()\n\
                   print(json.dumps(rows))";
    let file = app.data.path().join(".nbhook/nbhook.db");
    let told = run_python(&["-c", program, file.to_str().unwrap(), statement, &values.to_string()], "");
    serde_json::from_str(&told).unwrap()
}

fn subscribe(app: &TestApp, url: &str, mode: &str) -> String {
    let id = uuid::Uuid::now_v7().to_string();
    sql(
        app,
        "INSERT INTO subscriptions (id, owner_id, kind, mode, status, callback_url, secrets, tags, filters, created_at)
         SELECT ?, id, 'events', ?, 'active', ?, 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', '[]', '[]', 0 FROM users",
        &json!([id, mode, url]),
    );
    id
}

async fn inbox(app: &TestApp) -> String {
    let inbox =
        ok(app.api(Method::POST, "/v1/inboxes").json(&json!({"auto_delete": false})).send().await.unwrap()).await;
    inbox["url"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_tried_again_until_it_is_taken() {
    let app = TestApp::start_at(noon(), allow_local).await;
    let receiver = Receiver::start().await;
    receiver.answers([500, 302, 204]);
    let clock = app.clock.clone().unwrap();
    subscribe(&app, &format!("{}/a?b=c", receiver.url()), "continuous");
    let inbox = inbox(&app).await;
    ok(app.http.post(&inbox).json(&json!({"n": 1})).send().await.unwrap()).await;
    let state = || sql(&app, "SELECT status, attempts FROM deliveries", &json!([]));
    let first = receiver.wait_for(1).await.remove(0);
    for (turn, retried) in [(7, 1), (400, 2)] {
        eventually("it is to be tried again", async || state() == json!([["retrying", retried]])).await;
        clock.advance(TimeDelta::seconds(turn));
        receiver.wait_for(retried + 1).await;
    }
    eventually("it is delivered", async || state() == json!([["delivered", 3]])).await;
    for again in receiver.received().await {
        assert_eq!((again.id(), &again.body), (first.id(), &first.body));
    }
}
