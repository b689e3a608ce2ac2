//! Calls that are not waited for: the tasks they are answered with.

use std::path::PathBuf;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::app::{ADMIN, TestApp, eventually, header, notebook, ok, problem, run_of, timeless, url};
use crate::failures::processes;
use crate::responses::{answer_with, check_guards};

/// Says in a file that it runs, and waits for another one.
pub(crate) const WAITS: &str =
    "import os, time\nopen(started, 'x').close()\nwhile not os.path.exists(gate): time.sleep(0.01)";

/// A folder in which runs and tests leave signs for one another.
pub(crate) struct Signs(TempDir);

impl Signs {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// What [`WAITS`] asks for: it runs as soon as `name` is there, and goes on when `gate` is.
    pub(crate) fn query(&self, name: &str) -> [(&'static str, String); 2] {
        [("started", self.text(name)), ("gate", self.text("gate"))]
    }

    pub(crate) async fn seen(&self, name: &str) {
        eventually(&format!("the sign {name}"), async || self.path(name).exists()).await;
    }

    pub(crate) fn give(&self, name: &str) {
        drop(std::fs::File::create_new(self.path(name)).unwrap());
    }

    /// The lines that runs have added to a file.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// A run that was started and is not waited for.
#[derive(Debug, PartialEq)]
pub(crate) struct Started {
    pub(crate) id: String,
    /// Where it is watched, relative to the server.
    pub(crate) location: String,
}

impl Started {
    /// The query that lets its caller see it: `?key=…`.
    pub(crate) fn key(&self) -> &str {
        &self.location[self.location.find('?').unwrap()..]
    }
}

/// What an answer that must be a task says of it.
pub(crate) async fn accepted(response: Response) -> Started {
    assert_eq!(response.status(), 202, "{}", response.text().await.unwrap());
    assert_eq!(header(&response, "content-type"), "application/hal+json");
    let pause: u64 = header(&response, "retry-after").parse().unwrap();
    let location = header(&response, "location").to_owned();
    let body: Value = response.json().await.unwrap();
    let id = body["UUID"].as_str().unwrap().to_owned();
    assert!(uuid::Uuid::parse_str(&id).is_ok());
    let key = location.strip_prefix(&format!("/v1/tasks/{id}?key=")).expect(&location);
    assert!(key.len() >= 20 && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{key}");
    assert_eq!((&body["_links"]["self"]["href"], &body["retryAfter"]), (&json!(location), &json!(pause)));
    assert!(["queued", "running"].contains(&body["state"].as_str().unwrap()), "{body}");
    assert!(body["message"].is_string() && body.get("progress").is_some(), "{body}");
    Started { id, location }
}

pub(crate) fn at(app: &TestApp, path: &str) -> RequestBuilder {
    app.http.get(format!("{}{path}", app.url))
}

/// Calls a hook without waiting for the answer.
pub(crate) async fn start(app: &TestApp, hook: &Value, query: &[(&str, String)]) -> Started {
    let request = app.http.get(url(hook)).query(query).header("prefer", "respond-async");
    let response = request.send().await.unwrap();
    assert_eq!(header(&response, "preference-applied"), "respond-async");
    accepted(response).await
}

/// The state of a run as its record has it.
pub(crate) async fn state(app: &TestApp, run: &str) -> Value {
    app.get(&format!("/v1/runs/{run}")).await["state"].clone()
}

/// Asks for a task until it has ended, and gives that answer.
pub(crate) async fn ended(app: &TestApp, task: &Started) -> Response {
    let ask = async || at(app, &task.location).send().await.unwrap();
    eventually("the task has ended", async || {
        let response = ask().await;
        let media_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
        response.status() != 200 || media_type != Some("application/hal+json")
    })
    .await;
    ask().await
}

/// What a task that succeeded leads to, fetched without a token.
pub(crate) async fn result(app: &TestApp, task: &Started) -> Response {
    let response = ended(app, task).await;
    assert_eq!(response.status(), 303, "{}", response.text().await.unwrap());
    let location = header(&response, "location").to_owned();
    assert_eq!(location, format!("/v1/runs/{}/result{}", task.id, task.key()));
    at(app, &location).send().await.unwrap()
}

/// What a task that did not succeed is told as.
pub(crate) async fn failure(response: Response) -> Value {
    let media_type = header(&response, "content-type").to_owned();
    assert_eq!((response.status().as_u16(), media_type.as_str()), (200, "application/problem+json"));
    let told: Value = response.json().await.unwrap();
    assert!(told["title"].is_string() && told["detail"].is_string() && told.get("traceback").is_none(), "{told}");
    told
}

/// Waits, then answers with a text.
pub(crate) fn waits_and_answers(text: &str) -> Value {
    notebook(&[WAITS, &answer_with(&format!("respond_text({text:?})"))])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_not_waited_for_is_a_task_until_it_has_a_result() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    let (owner, other) = (app.member("olga").await, app.member("mallory").await);
    let hook = app.deploy_as(&owner, "waits.ipynb", &waits_and_answers("in the end"), json!({})).await;
    let task = start(&app, &hook, &signs.query("started")).await;
    signs.seen("started").await;
    let (id, location) = (&task.id, &task.location);

    let slashed = format!("/v1/tasks/{id}/{}", task.key());
    let own = app.api_as(&owner, Method::GET, &format!("/v1/tasks/{id}"));
    for request in [at(&app, location), at(&app, &slashed), own] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(
            (header(&response, "content-type"), header(&response, "retry-after")),
            ("application/hal+json", "2")
        );
        let told: Value = response.json().await.unwrap();
        assert_eq!((&told["UUID"], &told["state"], &told["retryAfter"]), (&json!(id), &json!("running"), &json!(2)));
        assert_eq!(told["progress"], Value::Null);
    }
    problem(at(&app, &format!("/v1/tasks/{id}")).send().await.unwrap(), 401).await;
    for path in [format!("/v1/tasks/{id}?key="), format!("{location}x")] {
        problem(at(&app, &path).send().await.unwrap(), 404).await;
        problem(at(&app, &path).bearer_auth(&other).send().await.unwrap(), 404).await;
    }
    let unknown = format!("/v1/tasks/{}{}", uuid::Uuid::now_v7(), task.key());
    problem(at(&app, &unknown).send().await.unwrap(), 404).await;
    problem(at(&app, location).header("accept", "text/html").send().await.unwrap(), 406).await;
    let browser = at(&app, location).header("accept", "text/html, */*;q=0.1").send().await.unwrap();
    assert_eq!(browser.status(), 200, "anything will do, if need be");

    let early = problem(at(&app, &format!("/v1/runs/{id}/result{}", task.key())).send().await.unwrap(), 409).await;
    assert_eq!(early["type"], "urn:nbhook:problem:not-finished");
    assert_eq!(state(&app, id).await, "running");

    signs.give("gate");
    let response = result(&app, &task).await;
    check_guards(&response);
    assert_eq!((response.status().as_u16(), run_of(&response)), (200, id.clone()));
    assert_eq!(response.text().await.unwrap(), "in the end");
    let path = format!("/v1/runs/{id}/result");
    let own = app.api_as(&owner, Method::GET, &path).send().await.unwrap();
    assert_eq!(own.text().await.unwrap(), "in the end");
    problem(at(&app, &path).send().await.unwrap(), 401).await;
    for request in [at(&app, &format!("{path}?key=wrong")), app.api_as(&other, Method::GET, &path)] {
        problem(request.send().await.unwrap(), 404).await;
    }
    let run = app.get(&format!("/v1/runs/{id}")).await;
    assert_eq!((&run["state"], &run["mode"]), (&json!("succeeded"), &json!("async")));
    assert!(!run.to_string().contains(&task.key()[5..]), "the key is its caller's: {run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_may_answer_with_a_task_by_itself() {
    let app = TestApp::start().await;
    let answers = notebook(&[&answer_with("respond_json({'n': n})")]);
    let hook = app.deploy("always.ipynb", &answers, json!({"mode": "async"})).await;
    let task = accepted(app.http.post(url(&hook)).json(&json!({"n": 5})).send().await.unwrap()).await;
    assert_eq!(ok(result(&app, &task).await).await, json!({"n": 5}));
    let pinned = format!("{}/versions/{}", url(&hook), hook["histo"].as_str().unwrap());
    let task = accepted(app.http.get(pinned).query(&[("n", "6")]).send().await.unwrap()).await;
    assert_eq!(ok(result(&app, &task).await).await, json!({"n": "6"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_may_wait_for_a_while() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    let quick =
        app.deploy("quick.ipynb", &notebook(&[&answer_with("respond_text('now', status=201)")]), json!({})).await;
    let preferring = |hook: &Value, prefer: &str| app.http.get(url(hook)).header("prefer", prefer);
    let response = preferring(&quick, "wait=60").send().await.unwrap();
    assert_eq!((response.status().as_u16(), header(&response, "preference-applied")), (201, "wait=60"));
    check_guards(&response);
    let run = run_of(&response);
    assert_eq!(response.text().await.unwrap(), "now");
    app.quiet().await;
    assert_eq!(app.get(&format!("/v1/runs/{run}")).await["state"], "succeeded");
    let other = preferring(&quick, "handling=lenient").send().await.unwrap();
    assert_eq!(other.status(), 201);
    assert!(other.headers().get("preference-applied").is_none(), "an unknown preference is passed over");

    let slow = app.deploy("slow.ipynb", &waits_and_answers("later"), json!({})).await;
    for wait in ["wait=0", "wait=1"] {
        let request = preferring(&slow, wait).query(&signs.query(wait));
        let task = accepted(request.send().await.unwrap()).await;
        signs.seen(wait).await;
        assert_eq!(state(&app, &task.id).await, "running", "the same run goes on");
        signs.give("gate");
        assert_eq!(result(&app, &task).await.text().await.unwrap(), "later");
        std::fs::remove_file(signs.path("gate")).unwrap();
    }
    let runs = app.get(&format!("/v1/runs?hook={}", slow["id"].as_str().unwrap())).await;
    assert_eq!(runs["items"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_refused_at_once_and_is_no_task() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    let hook = app.deploy("busy.ipynb", &waits_and_answers("x"), json!({"concurrency": 1, "queue": 1})).await;
    let calling = |body: &str| {
        let request = app.http.post(url(&hook)).header("content-type", "application/json").body(body.to_owned());
        request.header("prefer", "respond-async").send()
    };
    problem(calling("{\"a\": 1,}").await.unwrap(), 422).await;
    let nowhere = format!("{}/hooks/{}", app.url, "0".repeat(27));
    problem(app.http.get(nowhere).header("prefer", "respond-async").send().await.unwrap(), 404).await;
    let body = json!({"started": signs.text("started"), "gate": signs.text("gate")}).to_string();
    let running = accepted(calling(&body).await.unwrap()).await;
    signs.seen("started").await;
    let mut refused = calling(&body).await.unwrap();
    let mut waiting = 0;
    while refused.status() == 202 {
        waiting += 1;
        assert!(waiting < 5, "the queue has no end");
        refused = calling(&body).await.unwrap();
    }
    assert!(header(&refused, "retry-after").parse::<u64>().is_ok() && refused.headers().get("location").is_none());
    assert_eq!(problem(refused, 429).await["type"], "urn:nbhook:problem:queue-full");
    signs.give("gate");
    assert_eq!(result(&app, &running).await.status(), 200);
    let runs = app.get("/v1/runs").await;
    assert_eq!(runs["items"].as_array().unwrap().len(), 1 + waiting);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_fails_says_why_and_shows_no_traceback() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    let raises = app.deploy("raises.ipynb", &notebook(&["1", "raise KeyError('price')"]), json!({})).await;
    let slow = app.deploy("slow.ipynb", &notebook(&[WAITS]), json!({"timeout": 1})).await;
    let says_no = notebook(&[&answer_with("respond_error(404, 'no such customer')")]);
    let says_no = app.deploy("no.ipynb", &says_no, json!({})).await;
    for (hook, kind, final_state) in
        [(&raises, "cell-error", "failed"), (&slow, "timeout", "timed_out"), (&says_no, "reported", "failed")]
    {
        let task = start(&app, hook, &signs.query(kind)).await;
        let told = failure(ended(&app, &task).await).await;
        assert_eq!(told["type"], format!("urn:nbhook:problem:{kind}"));
        let own = app.api(Method::GET, &format!("/v1/tasks/{}", task.id)).send().await.unwrap();
        assert_eq!(timeless(failure(own).await), timeless(told), "not for the owner either: it is what callers see");
        assert_eq!(state(&app, &task.id).await, final_state);
    }
    // A caller who cancels, or whose owner does.
    let waits = app.deploy("waits.ipynb", &notebook(&[WAITS]), json!({})).await;
    let task = start(&app, &waits, &signs.query("cancelled")).await;
    signs.seen("cancelled").await;
    ok(app.api(Method::POST, &format!("/v1/runs/{}/cancel", task.id)).send().await.unwrap()).await;
    assert_eq!(failure(ended(&app, &task).await).await["type"], "urn:nbhook:problem:cancelled");
    assert_eq!(processes(&task.id), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_listed_to_their_owner() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    let (olga, bob) = (app.member("olga").await, app.member("bob").await);
    let hook = app.deploy_as(&olga, "waits.ipynb", &waits_and_answers("x"), json!({})).await;
    let first = start(&app, &hook, &signs.query("first")).await;
    let second = start(&app, &hook, &signs.query("second")).await;
    signs.seen("second").await;
    signs.give("gate");
    let _ = (ended(&app, &first).await, ended(&app, &second).await);
    ok(app.call(&hook, &[("started", signs.text("third").as_str()), ("gate", signs.text("gate").as_str())]).await)
        .await;
    let list = async |token: &str, query: &str| {
        ok(app.api_as(token, Method::GET, &format!("/v1/tasks{query}")).send().await.unwrap()).await
    };
    let ids = |list: &Value| -> Vec<String> {
        list["items"].as_array().unwrap().iter().map(|task| task["UUID"].as_str().unwrap().to_owned()).collect()
    };
    for token in [olga.as_str(), ADMIN] {
        let listed = list(token, "").await;
        assert_eq!(
            ids(&listed),
            [second.id.as_str(), first.id.as_str()],
            "newest first, and no run that was waited for"
        );
        assert_eq!((&listed["limit"], &listed["offset"]), (&json!(25), &json!(0)));
        assert!(listed["filters"].is_object() && listed["sort"].is_object(), "{listed}");
        let item = &listed["items"][0];
        assert_eq!((&item["state"], item["_links"]["self"]["href"].is_string()), (&json!("succeeded"), true), "{item}");
        assert_eq!(ids(&list(token, "?limit=1&offset=1").await), [first.id.as_str()]);
    }
    assert_eq!(ids(&list(&bob, "").await), [""; 0]);
    problem(at(&app, "/v1/tasks").send().await.unwrap(), 401).await;
    problem(at(&app, &format!("/v1/tasks{}", first.key())).send().await.unwrap(), 401).await;
}
