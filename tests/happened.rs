//! What happens is told: the events on record (`/v1/events`), and the document that describes them (`/asyncapi.json`).

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{ADMIN, TestApp, notebook, ok, problem, run_of, url};
use crate::tasks::{Signs, WAITS, start};

/// All events, the oldest first.
async fn all(app: &TestApp, query: &str) -> Vec<Value> {
    let list = app.get(&format!("/v1/events?limit=250{query}")).await;
    assert_eq!((&list["sort"], &list["limit"]), (&json!({"uuid": "desc"}), &json!(250)));
    list["items"].as_array().unwrap().iter().rev().cloned().collect()
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

/// A deploy, a run, a failure, a run that is cancelled, a capture, and the end of it all. Gives the hooks, and the runs.
async fn walk(app: &TestApp, signs: &Signs) -> (Value, Value, String) {
    let hook = app.deploy("a.ipynb", &notebook(&["1"]), json!({})).await;
    let run = run_of(&app.call(&hook, &[]).await);
    app.quiet().await;
    let fails = app.deploy("fails.ipynb", &notebook(&["secret = 'x'\nraise ValueError('no')"]), json!({})).await;
    assert_eq!(app.call(&fails, &[]).await.status(), 500);
    app.quiet().await;
    let waits = app.deploy("waits.ipynb", &notebook(&[WAITS]), json!({})).await;
    let task = start(app, &waits, &signs.query("started")).await;
    signs.seen("started").await;
    ok(app.api(Method::POST, &format!("/v1/runs/{}/cancel", task.id)).send().await.unwrap()).await;
    app.quiet().await;
    let inbox =
        ok(app.api(Method::POST, "/v1/inboxes").json(&json!({"auto_delete": false})).send().await.unwrap()).await;
    ok(app.http.post(format!("{}?q=1", url(&inbox))).json(&json!({"n": 1})).send().await.unwrap()).await;
    let large = json!({"text": "x".repeat(100_000)});
    ok(app.http.post(url(&inbox)).json(&large).send().await.unwrap()).await;
    for hook in [&hook, &waits] {
        let at = format!("/v1/hooks/{}", hook["id"].as_str().unwrap());
        ok(app.api(Method::DELETE, &at).send().await.unwrap()).await;
    }
    (hook, inbox, run)
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_happens_is_on_record_in_order_and_as_the_document_says() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    let (hook, inbox, run) = walk(&app, &signs).await;
    let events = all(&app, "").await;
    assert_eq!(
        types(&events),
        [
            "hook.deployed",
            "run.queued",
            "run.started",
            "run.succeeded",
            "hook.deployed",
            "run.queued",
            "run.started",
            "run.failed",
            "hook.deployed",
            "run.queued",
            "run.started",
            "run.cancelled",
            "inbox.received",
            "inbox.received",
            "hook.deleted",
            "hook.deleted",
        ]
    );
    assert!(events.windows(2).all(|pair| pair[0]["uuid"].as_str() < pair[1]["uuid"].as_str()), "ids are in order");
    let failed = &events[7]["data"];
    assert_eq!((&failed["error"]["ename"], &failed["state"]), (&json!("ValueError"), &json!("failed")));
    assert!(!events[7].to_string().contains("Traceback") && !events[7].to_string().contains("secret"), "{failed}");
    assert_eq!((&events[12]["data"]["result"], &events[12]["data"]["query"]), (&json!({"n": 1}), &json!({"q": "1"})));
    assert_eq!((&events[13]["data"]["result"], &events[13]["data"]["complete"]), (&json!(null), &json!(false)));
    for event in &events {
        assert_eq!(*event, app.get(&format!("/v1/events/{}", event["uuid"].as_str().unwrap())).await);
    }
    follows_the_document(&app, &events).await;

    let id = hook["id"].as_str().unwrap();
    let of_hook = all(&app, &format!("&tag=hook:{id}")).await;
    assert_eq!(types(&of_hook), ["hook.deployed", "run.queued", "run.started", "run.succeeded", "hook.deleted"]);
    assert_eq!(all(&app, &format!("&tag=run:{run}")).await, of_hook[1..4]);
    assert_eq!(
        all(&app, &format!("&tag=hook:{}", &id[..id.len() - 1])).await,
        [Value::Null; 0],
        "a tag is a whole one"
    );
    let uuid = inbox["uuid"].as_str().unwrap();
    assert_eq!(all(&app, &format!("&tag=inbox:{uuid}")).await.len(), 2);
    assert_eq!(all(&app, "&tag=RUN").await, [Value::Null; 0]);
    assert_eq!(types(&all(&app, "&type=run.failed").await), ["run.failed"]);
    let since = events[12]["timestamp"].as_str().unwrap();
    assert_eq!(all(&app, &format!("&since={since}")).await, events[12..]);
    let page = app.get("/v1/events?limit=2&offset=1&type=run.queued").await;
    assert_eq!((&page["items"][0], &page["items"][1]), (&events[5], &events[1]));
    assert_eq!(page["filters"], json!({"type": "run.queued"}));
    for query in ["type=run.exploded", "since=yesterday", "limit=0"] {
        let refused = app.api(Method::GET, &format!("/v1/events?{query}")).send().await.unwrap();
        assert_eq!(problem(refused, 422).await["field"], query.split('=').next().unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_sees_what_happens_to_what_is_theirs() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.member("ann").await, app.member("bob").await);
    app.deploy_as(&ann, "a.ipynb", &notebook(&["1"]), json!({"warm": "none"})).await;
    app.deploy("b.ipynb", &notebook(&["1"]), json!({"warm": "none"})).await;
    let list = async |token: &str| {
        let list = ok(app.api_as(token, Method::GET, "/v1/events").send().await.unwrap()).await;
        list["items"].as_array().unwrap().clone()
    };
    let (admins, anns) = (list(ADMIN).await, list(&ann).await);
    assert_eq!((admins.len(), anns.len(), list(&bob).await.len()), (2, 1, 0));
    assert_eq!(anns[0]["data"]["owner"], "ann");
}

/// Holds the document against the schema of `AsyncAPI`, and events against what it says of them.
async fn follows_the_document(app: &TestApp, events: &[Value]) {
    let response = app.http.get(format!("{}/asyncapi.json", app.url)).send().await.unwrap();
    let document = ok(response).await;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/asyncapi-3.0.0.schema.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let errors: Vec<_> =
        jsonschema::validator_for(&schema).unwrap().iter_errors(&document).map(|error| error.to_string()).collect();
    assert_eq!(errors, [""; 0]);
    let mut broken = document.clone();
    broken["operations"]["sendEvents"]["action"] = json!("shout");
    assert!(!jsonschema::is_valid(&schema, &broken), "the schema is one that refuses");
    assert_eq!(document["servers"]["this"]["host"], app.url.strip_prefix("http://").unwrap());

    let payload = |kind: &str| {
        jsonschema::validator_for(&json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "allOf": [{"$ref": format!("#/components/messages/{kind}/payload")}],
            "components": document["components"],
        }))
        .unwrap()
    };
    for event in events {
        let kind = event["type"].as_str().unwrap();
        let errors: Vec<_> = payload(kind).iter_errors(event).map(|error| error.to_string()).collect();
        assert_eq!(errors, [""; 0], "{event}");
        // What it does not tell of is not there either.
        let schema = &document["components"]["messages"][kind]["payload"]["allOf"][1]["properties"]["data"]["$ref"];
        let schema = document.pointer(schema.as_str().unwrap().strip_prefix('#').unwrap()).unwrap();
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(names(&event["data"]), names(&schema["properties"]), "{kind}");
        assert!(!payload("run.interrupted").is_valid(event), "{kind}");
    }
}
