//! Runs that nobody waits for, when their server is killed or told to stop.

use std::path::Path;
use std::time::Duration;

use chrono::{TimeZone as _, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::app::{TestApp, eventually, form, header, notebook, ok, problem, url};
use crate::binary::{self, Server};
use crate::responses::answer_with;
use crate::tasks::{Signs, Started, WAITS, accepted, ended, failure, result, start};

/// Calls the hook twenty times without waiting; the sixth run has begun and waits for the gate.
async fn twenty(server: &Server, signs: &Signs, params: Value) -> (Value, Vec<Started>) {
    let cells = [
        "import os, time\nwith open(effects, 'a') as file: file.write(number + '\\n')",
        "while number == '5' and not os.path.exists(gate): time.sleep(0.01)",
        &answer_with("respond_text(number)"),
    ];
    let hook = server.deploy("twenty.ipynb", &notebook(&cells), params).await;
    let mut tasks = Vec::new();
    for number in 0..20 {
        let query = [("number", number.to_string()), ("effects", signs.text("effects")), ("gate", signs.text("gate"))];
        let request = server.http.get(url(&hook)).query(&query).header("prefer", "respond-async");
        tasks.push(accepted(request.send().await.unwrap()).await);
    }
    eventually("the sixth run goes on alone", async || {
        let running = server.get("/v1/runs?state=running").await["items"].clone();
        signs.lines("effects").len() == 6 && running.as_array().unwrap().len() == 1
    })
    .await;
    (hook, tasks)
}

/// The runs of the server by their state, once all have ended.
async fn all_ended(server: &Server) -> Vec<Value> {
    let runs = async || server.get("/v1/runs?limit=100").await["items"].as_array().unwrap().clone();
    eventually("all runs have ended", async || {
        runs().await.iter().all(|run| !["queued", "running"].contains(&run["state"].as_str().unwrap()))
    })
    .await;
    runs().await
}

fn twice(signs: &Signs) -> Vec<String> {
    let lines = signs.lines("effects");
    for number in 0..20 {
        assert!(lines.contains(&number.to_string()), "{number} is missing: {lines:?}");
    }
    let mut twice = lines.clone();
    twice.retain(|line| lines.iter().filter(|other| *other == line).count() > 1);
    twice
}

/// Every task is still there for who has its key, on a server at another address.
async fn answered(server: &Server, tasks: &[Started], but: Option<usize>) {
    for (number, task) in tasks.iter().enumerate() {
        let response = server.http.get(format!("{}{}", server.url, task.location)).send().await.unwrap();
        if but == Some(number) {
            assert_eq!(failure(response).await["type"], "urn:nbhook:problem:interrupted");
            continue;
        }
        assert_eq!(response.status(), 303, "{number}");
        let result = format!("{}{}", server.url, header(&response, "location"));
        let result = server.http.get(result).send().await.unwrap();
        assert_eq!(result.text().await.unwrap(), number.to_string());
    }
}

fn nothing_left(data: &Path) {
    let scratch = data.join(".nbhook/scratch");
    binary::eventually("the scratch folder is empty", || (binary::count(&scratch) == 0).then_some(()));
}

const ONE_AT_A_TIME: [(&str, &str); 1] = [("NBHOOK_KERNEL__LIMIT", "1")];

#[tokio::test(flavor = "multi_thread")]
async fn queued_tasks_outlive_a_killed_server_and_what_ran_is_reported() {
    let (data, signs) = (TempDir::new().unwrap(), Signs::new());
    let mut server = Server::start_with(data.path(), &ONE_AT_A_TIME);
    let (_, tasks) = twenty(&server, &signs, json!({})).await;
    server.kill();
    signs.give("gate");
    let server = Server::start_with(data.path(), &ONE_AT_A_TIME);
    let runs = all_ended(&server).await;
    assert_eq!(runs.len(), 20);
    for run in &runs {
        let expected = if run["id"] == tasks[5].id.as_str() { "interrupted" } else { "succeeded" };
        assert_eq!((&run["state"], &run["attempts"]), (&json!(expected), &json!(1)), "{run}");
    }
    assert_eq!(twice(&signs), [""; 0], "each did what it does exactly once");
    answered(&server, &tasks, Some(5)).await;
    nothing_left(data.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn queued_tasks_outlive_a_killed_server_and_what_ran_is_run_again_if_wanted() {
    let (data, signs) = (TempDir::new().unwrap(), Signs::new());
    let mut server = Server::start_with(data.path(), &ONE_AT_A_TIME);
    let (_, tasks) = twenty(&server, &signs, json!({"on_interrupt": "retry"})).await;
    server.kill();
    signs.give("gate");
    let server = Server::start_with(data.path(), &ONE_AT_A_TIME);
    let runs = all_ended(&server).await;
    assert_eq!(runs.len(), 20, "a run that is run again is the same run");
    for run in &runs {
        let attempts = if run["id"] == tasks[5].id.as_str() { 2 } else { 1 };
        assert_eq!((&run["state"], &run["attempts"]), (&json!("succeeded"), &json!(attempts)), "{run}");
    }
    assert_eq!(twice(&signs), ["5", "5"]);
    answered(&server, &tasks, None).await;
    nothing_left(data.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_was_told_before_its_server_was_killed_stays() {
    let (data, signs) = (TempDir::new().unwrap(), Signs::new());
    let mut server = Server::start_with(data.path(), &ONE_AT_A_TIME);
    let count =
        "with open(effects, 'a+') as file:\n    file.write('ran\\n')\n    file.seek(0)\n    n = len(file.readlines())";
    let waits = WAITS.replace("'x'", "'a'");
    let cells = [count, &answer_with("respond_json(n, headers={'X-N': str(n)}, early=True)"), &waits];
    let hook = server.deploy("early.ipynb", &notebook(&cells), json!({"on_interrupt": "retry"})).await;
    let query = [signs.query("started").as_slice(), &[("effects", signs.text("effects"))]].concat();
    let request = server.http.get(url(&hook)).query(&query).header("prefer", "respond-async");
    let task = accepted(request.send().await.unwrap()).await;
    signs.seen("started").await;
    let result = format!("{}/v1/runs/{}/result{}", server.url, task.id, task.key());
    eventually("the answer is told", async || server.http.get(&result).send().await.unwrap().status() == 200).await;
    server.kill();
    signs.give("gate");
    let server = Server::start_with(data.path(), &ONE_AT_A_TIME);
    let runs = all_ended(&server).await;
    assert_eq!((&runs[0]["state"], &runs[0]["attempts"]), (&json!("succeeded"), &json!(2)));
    assert_eq!((&runs[0]["status"], &runs[0]["media_type"]), (&json!(200), &json!("application/json")));
    let result = format!("{}/v1/runs/{}/result{}", server.url, task.id, task.key());
    let result = server.http.get(result).send().await.unwrap();
    assert_eq!(header(&result, "x-n"), "1");
    assert_eq!(result.text().await.unwrap(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_stopped_lets_the_running_one_end_and_goes_on_with_the_queued_ones_later() {
    let (data, signs) = (TempDir::new().unwrap(), Signs::new());
    let mut server = Server::start_with(data.path(), &ONE_AT_A_TIME);
    let (hook, tasks) = twenty(&server, &signs, json!({})).await;
    server.terminate();
    let ready = async || server.http.get(format!("{}/readyz", server.url)).send().await.unwrap().status();
    eventually("the server stops", async || ready().await == 503).await;
    let late = server.http.get(url(&hook)).header("prefer", "respond-async").send().await.unwrap();
    problem(late, 503).await;
    signs.give("gate");
    assert!(server.ended(Duration::from_secs(30)).success(), "{}", server.log());
    assert!(!server.log().contains("ERROR"), "{}", server.log());
    let server = Server::start_with(data.path(), &ONE_AT_A_TIME);
    let runs = all_ended(&server).await;
    assert_eq!(runs.len(), 20);
    assert!(runs.iter().all(|run| run["state"] == "succeeded"), "{runs:?}");
    assert_eq!(twice(&signs), [""; 0]);
    answered(&server, &tasks, None).await;
    nothing_left(data.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_queued_task_was_asked_is_still_there_after_a_restart() {
    let (app, signs) = (
        TestApp::start_at(Utc.with_ymd_and_hms(2026, 3, 1, 8, 0, 0).unwrap(), |settings| {
            settings.kernel.limit = 1;
            settings.grace = 1;
        })
        .await,
        Signs::new(),
    );
    let blocks = app.deploy("blocks.ipynb", &notebook(&[WAITS]), json!({})).await;
    let blocking = start(&app, &blocks, &signs.query("started")).await;
    signs.seen("started").await;
    let answer = answer_with("respond_json([n, upload and open(upload, 'rb').read().hex(), headers.get('x-mine')])");
    let hook = app.deploy("asked.ipynb", &notebook(&["upload = globals().get('upload')", &answer]), json!({})).await;
    let with_file = app.http.post(url(&hook)).header("x-mine", "mine").header("prefer", "respond-async");
    let (media_type, body) = form(&[("n", None, b"5"), ("upload", Some("a.bin"), b"\0\xff\r\n")]);
    let with_file = accepted(with_file.header("content-type", media_type).body(body).send().await.unwrap()).await;
    let with_json = app.http.post(url(&hook)).header("prefer", "respond-async").json(&json!({"n": [1, {"a": null}]}));
    let with_json = accepted(with_json.send().await.unwrap()).await;
    let start = Utc.with_ymd_and_hms(2026, 3, 1, 9, 0, 0).unwrap();
    let app = TestApp::start_again(app.stop().await, start, |_| {}).await;
    assert_eq!(failure(ended(&app, &blocking).await).await["type"], "urn:nbhook:problem:interrupted");
    assert_eq!(ok(result(&app, &with_file).await).await, json!(["5", "00ff0d0a", "mine"]));
    assert_eq!(ok(result(&app, &with_json).await).await, json!([[1, {"a": null}], null, null]));
    app.quiet().await;
    assert!(app.scratch().is_empty());
}
