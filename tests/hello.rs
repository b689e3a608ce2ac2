//! The main job: deploy, call, answer.

use serde_json::json;

use crate::app::{TestApp, notebook, ok};

#[tokio::test(flavor = "multi_thread")]
async fn a_deployed_notebook_answers_at_its_url() {
    let app = TestApp::start().await;
    let cells = ["from nbhook import webhook", "webhook.respond_json({'sum': int(a) + int(b)})"];
    let hook = app.deploy("sum.ipynb", &notebook(&cells), json!({})).await;
    let answer = app.call(&hook, &[("a", "2"), ("b", "40")]).await;
    assert_eq!(ok(answer).await, json!({"sum": 42}));
}
