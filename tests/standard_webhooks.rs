//! What is sent is what receivers expect who use the package of Standard Webhooks.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{eventually, ok, python};
use crate::deliveries::Scene;
use crate::receiver::Receiver;

/// `tests/support/verifies_webhooks.py`, killed when it is dropped.
struct Verifier {
    child: Child,
    url: String,
}

impl Verifier {
    #[expect(clippy::disallowed_methods, reason = "a test's own server, killed when it is dropped")]
    fn start(secret: &Value) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/verifies_webhooks.py");
        let secret = secret.as_str().unwrap();
        let mut child = Command::new(python()).args([script, secret]).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { child, url: format!("http://127.0.0.1:{}", port.trim()) }
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_of_its_own_package_finds_what_is_sent_right() {
    let scene = Scene::start_now().await; // receivers look at the time
    let callback = scene.callback("http://127.0.0.1:9", json!({})).await;
    scene.subscribe(json!({"callback_id": callback["id"]})).await;
    let path = format!("/v1/callbacks/{}", callback["id"]);
    let lead = async |verifier: &Verifier| {
        let change = json!({"config": {"url": verifier.url}, "verify": false});
        ok(scene.app.api(Method::PATCH, &path).json(&change).send().await.unwrap()).await
    };
    let own = Verifier::start(&callback["secret"]);
    lead(&own).await;
    scene.happen(1).await;
    assert_eq!(scene.becomes("delivered", 1).await["attempts"][0]["status_code"], 204);

    // For a day receivers of either secret find it right.
    let rotated = scene.post(&format!("{path}/rotate-secret"), &Value::Null).await;
    scene.happen(2).await;
    eventually("the old secret will do", async || scene.deliveries("status=delivered").await.len() == 2).await;
    let new = Verifier::start(&rotated["secret"]);
    lead(&new).await;
    scene.happen(3).await;
    eventually("the new one will too", async || scene.deliveries("status=delivered").await.len() == 3).await;

    let wrong = Verifier::start(&json!("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    lead(&wrong).await;
    scene.happen(4).await;
    assert_eq!(scene.becomes("retrying", 1).await["attempts"][0]["status_code"], 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_secret_signs_for_a_day() {
    let (scene, receiver) = (Scene::start().await, Receiver::start().await);
    let callback = scene.callback(&receiver.url(), json!({})).await;
    scene.subscribe(json!({"callback_id": callback["id"]})).await;
    let mut signatures = Vec::new();
    for (number, hours) in [(1, 0), (2, 0), (3, 23), (4, 1)] {
        if number == 2 {
            scene.post(&format!("/v1/callbacks/{}/rotate-secret", callback["id"]), &Value::Null).await;
        }
        scene.turn(chrono::TimeDelta::hours(hours));
        scene.happen(number).await;
        let sent = receiver.wait_for(usize::try_from(number).unwrap()).await.pop().unwrap();
        signatures.push(sent.header("webhook-signature").unwrap().split(' ').count());
    }
    assert_eq!(signatures, [1, 2, 2, 1]);
}
