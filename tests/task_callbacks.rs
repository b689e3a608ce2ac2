//! `callbackUrl` of calls that are not waited for: their callers are told of the end of the run.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::app::{ADMIN, TestApp, allow_local, eventually, notebook, ok, problem, url};
use crate::receiver::Receiver;
use crate::responses::answer_with;
use crate::tasks::{Signs, WAITS, accepted};

/// Waits for a sign, then answers with what it was given.
fn answers_with(answer: &str) -> Value {
    notebook(&[WAITS, &answer_with(answer)])
}

/// Starts a run with a `callbackUrl`, and gives the answer.
async fn with_callback(app: &TestApp, hook: &Value, query: &[(&str, String)], to: &str) -> Response {
    let request = app.http.post(url(hook)).query(query).query(&[("callbackUrl", to)]);
    request.header("prefer", "respond-async").send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_with_a_callback_url_tells_its_caller_of_its_end() {
    let (app, signs) = (TestApp::start_with(allow_local).await, Signs::new());
    let (owner, receiver) = (app.member("olga").await, Receiver::start().await);
    let to = format!("{}/done?x=1", receiver.url());
    let body = "respond_json({'given': sorted(params), 'n': [1, None]})";
    let hook = app.deploy_as(&owner, "waits.ipynb", &answers_with(body), json!({})).await;
    let response = with_callback(&app, &hook, &signs.query("started"), &to).await;
    let text = response.text().await.unwrap();
    let task: Value = serde_json::from_str(&text).unwrap();
    let (id, secret) = (task["UUID"].as_str().unwrap(), task["callbackSecret"].as_str().unwrap());
    assert!(secret.starts_with("whsec_"), "{text}");
    let link = task["_links"]["subscription"]["href"].as_str().unwrap();
    let watch = task["_links"]["self"]["href"].as_str().unwrap();
    let key = &watch[watch.find('?').unwrap()..];
    let subscription = link.strip_suffix(key).expect(link);

    signs.seen("started").await;
    let later = ok(app.http.get(format!("{}{watch}", app.url)).send().await.unwrap()).await;
    assert_eq!(later["_links"]["subscription"]["href"], link);
    assert!(!later.to_string().contains("whsec_"), "{later}");
    let listed = ok(app.api_as(&owner, Method::GET, "/v1/tasks").send().await.unwrap()).await;
    assert_eq!(listed["items"][0]["_links"]["subscription"]["href"], subscription, "without the caller's key");
    assert!(!listed.to_string().contains("whsec_"));
    let seen = ok(app.http.get(format!("{}{link}", app.url)).send().await.unwrap()).await;
    assert_eq!((&seen["kind"], &seen["mode"], &seen["run"]), (&json!("task"), &json!("once"), &json!(id)));
    let owners = ok(app.api_as(&owner, Method::GET, "/v1/subscriptions?kind=task").send().await.unwrap()).await;
    assert_eq!(owners["items"][0]["callbackUrl"], json!(to), "it is the hook's owner's");

    signs.give("gate");
    let sent = receiver.wait_for(1).await.remove(0);
    assert_eq!((sent.method.as_str(), sent.path.as_str(), sent.query.as_str()), ("POST", "/done", "x=1"));
    let told = sent.json();
    let plain = |path: &str| json!({"href": path});
    assert_eq!(told["_links"]["self"], plain(subscription));
    assert_eq!(told["_links"]["task"], plain(&format!("/v1/tasks/{id}")));
    assert_eq!(told["UUID"], subscription.rsplit('/').next().unwrap());
    assert_eq!((&told["type"], &told["data"]["state"]), (&json!("run.succeeded"), &json!("succeeded")));
    let result = format!("{}/v1/runs/{id}/result{key}", app.url);
    let answered = ok(app.http.get(result).send().await.unwrap()).await;
    assert_eq!(told["data"]["result"], answered, "as its caller may fetch it");
    assert_eq!(answered["given"], json!(["gate", "started"]), "the notebook does not get the URL");
    assert!(!told.to_string().contains("key="), "who is told has no right to more: {told}");
    becomes_for_key(&app, link, "completed").await;
    let again = app.http.put(format!("{}{link}", app.url)).send().await.unwrap();
    problem(again, 403).await;
}

async fn becomes_for_key(app: &TestApp, link: &str, wanted: &str) {
    let ask = async || ok(app.http.get(format!("{}{link}", app.url)).send().await.unwrap()).await["status"] == wanted;
    eventually(wanted, ask).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_may_cancel_what_tells_of_its_own_run() {
    let (app, signs) = (TestApp::start_with(allow_local).await, Signs::new());
    let receiver = Receiver::start().await;
    let hook = app.deploy("waits.ipynb", &answers_with("respond_text('x')"), json!({})).await;
    let mut links = Vec::new();
    for name in ["one", "two"] {
        let response = with_callback(&app, &hook, &signs.query(name), &receiver.url()).await;
        let task: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        links.push(task["_links"]["subscription"]["href"].as_str().unwrap().to_owned());
    }
    let (cancelled, other) = (&links[0], &links[1]);
    let plain = cancelled.split('?').next().unwrap();
    let others_key = &other[other.find('?').unwrap()..];
    for (path, status) in [
        (plain.to_owned(), 401),
        (format!("{plain}?key=x"), 404),
        (format!("{plain}{others_key}"), 404),
        (format!("/v1/subscriptions{others_key}"), 401),
    ] {
        let method = if status == 401 && path.starts_with("/v1/subscriptions?") { Method::GET } else { Method::PUT };
        problem(app.http.request(method, format!("{}{path}", app.url)).send().await.unwrap(), status).await;
    }
    let response = app.http.put(format!("{}{cancelled}", app.url)).send().await.unwrap();
    assert_eq!(response.status(), 202, "{}", response.text().await.unwrap());
    signs.give("gate");
    receiver.wait_for(1).await;
    becomes_for_key(&app, other, "completed").await;
    app.quiet().await;
    assert_eq!(receiver.received().await.len(), 1);
    assert_eq!(receiver.received().await[0].json()["_links"]["self"]["href"], other.split('?').next().unwrap());
    becomes_for_key(&app, cancelled, "cancelled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_url_is_checked_before_the_run_and_passed_on_where_it_is_a_parameter() {
    let app = TestApp::start_with(allow_local).await;
    let receiver = Receiver::start().await;
    let plain = app
        .deploy(
            "plain.ipynb",
            &notebook(&[&answer_with("respond_json(sorted(params) + sorted(body or {}))")]),
            json!({}),
        )
        .await;
    let post = |hook: &Value| app.http.post(url(hook)).header("prefer", "respond-async");
    for (body, status) in [
        (json!({"callbackUrl": "nowhere"}), 422),
        (json!({"callbackUrl": ""}), 422),
        (json!({"callbackUrl": ["https://example.com"]}), 422),
        (json!({"callbackUrl": "https://10.0.0.1/x"}), 403),
    ] {
        let told = problem(post(&plain).json(&body).send().await.unwrap(), status).await;
        assert!(status == 403 || told["field"] == "callbackUrl", "{told}");
    }
    assert_eq!(app.get("/v1/runs").await["items"], json!([]), "nothing was run");
    // Who waits for the answer is told nothing, and the parameter is one as any other.
    let sync = app.http.post(url(&plain)).json(&json!({"callbackUrl": "nowhere"})).send().await.unwrap();
    assert_eq!(ok(sync).await, json!(["callbackUrl"]));
    // Whose call goes on, because it did not end in time.
    let waited = app.http.post(url(&plain)).header("prefer", "wait=30");
    let waited = waited.json(&json!({"callbackUrl": receiver.url(), "a": 1})).send().await.unwrap();
    assert_eq!(ok(waited).await, json!(["a"]));
    let told = receiver.wait_for(1).await[0].json();
    assert_eq!(told["data"]["result"], json!(["a"]));

    let mut declared = notebook(&["callbackUrl: str = ''", &answer_with("respond_json(callbackUrl)")]);
    declared["cells"][0]["metadata"]["tags"] = json!(["parameters"]);
    let declared = app.deploy("declared.ipynb", &declared, json!({"mode": "async"})).await;
    let to = format!("{}/?a=b", receiver.url());
    let response = app.http.get(url(&declared)).query(&[("callbackUrl", &to)]).send().await.unwrap();
    accepted(response).await;
    let told = receiver.wait_for(2).await[1].json();
    assert_eq!(told["data"]["result"], json!(to), "a notebook that declares it gets it, too");

    let fails = app.deploy("fails.ipynb", &notebook(&["raise ValueError('no')"]), json!({})).await;
    let keyed = || post(&fails).header("idempotency-key", "k").json(&json!({"callbackUrl": receiver.url()})).send();
    let first: Value = keyed().await.unwrap().json().await.unwrap();
    let told = receiver.wait_for(3).await[2].json();
    assert_eq!((&told["type"], &told["data"]["result"]), (&json!("run.failed"), &Value::Null));
    assert_eq!(told["data"]["error"]["ename"], "ValueError");
    assert!(!told.to_string().contains("Traceback"), "{told}");
    let again: Value = keyed().await.unwrap().json().await.unwrap();
    assert_eq!(again["UUID"], first["UUID"]);
    assert_eq!(again["callbackSecret"], first["callbackSecret"], "a call that is repeated has the same answer");
    let rerun = format!("/v1/runs/{}/rerun", first["UUID"].as_str().unwrap());
    app.quiet().await;
    let task: Value = app.api_as(ADMIN, Method::POST, &rerun).send().await.unwrap().json().await.unwrap();
    assert!(task["_links"].get("subscription").is_none(), "a re-run is not the caller's: {task}");
    app.quiet().await;
    assert_eq!(receiver.received().await.len(), 3);
}
