//! Deliveries to this very server, which bring about events, which have deliveries.

use reqwest::Method;
use serde_json::json;

use crate::app::{TestApp, allow_local, eventually, notebook, ok, url};

/// Sets off what tells itself of itself, by a call of `url`. Gives how often that happened before the server would not go on.
async fn rounds(app: &TestApp, kind: &str, tags: serde_json::Value, url: &str) -> usize {
    let wish = json!({"mode": "continuous", "tags": [tags], "callbackUrl": url});
    ok(app.api(Method::POST, "/v1/subscriptions").json(&wish).send().await.unwrap()).await;
    ok(app.http.post(url).json(&json!({"n": 1})).send().await.unwrap()).await;
    let refused = async || {
        let all = app.get("/v1/deliveries?limit=250").await["items"].as_array().unwrap().clone();
        all.iter().any(|delivery| delivery["attempts"][0]["status_code"] == 508)
    };
    eventually("a delivery is refused", async || refused().await).await;
    app.get(&format!("/v1/events?limit=250&type={kind}")).await["items"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leads_to_itself_comes_to_an_end() {
    let app = TestApp::start_with(allow_local).await;
    let inbox = app.api(Method::POST, "/v1/inboxes").json(&json!({"auto_delete": false}));
    let inbox = url(&ok(inbox.send().await.unwrap()).await).to_owned();
    assert_eq!(rounds(&app, "inbox.received", json!(["inbox"]), &inbox).await, 6);

    let app = TestApp::start_with(allow_local).await;
    let hook = app.deploy("a.ipynb", &notebook(&["1"]), json!({})).await;
    assert_eq!(rounds(&app, "run.succeeded", json!(["run", "succeeded"]), url(&hook)).await, 6);
}
