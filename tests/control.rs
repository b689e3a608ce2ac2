//! Control over runs: cancelling, trying again, running again, answering early, and what a run's record says.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::app::{TestApp, eventually, form, header, notebook, ok, problem, run_of, url};
use crate::failures::processes;
use crate::responses::{answer_with, check_guards};
use crate::tasks::{Signs, WAITS, accepted, ended, failure, result, start, state};

async fn act(app: &TestApp, token: &str, run: &str, what: &str) -> Response {
    app.api_as(token, Method::POST, &format!("/v1/runs/{run}/{what}")).send().await.unwrap()
}

/// The one run of a hook.
async fn run_of_hook(app: &TestApp, hook: &Value) -> Value {
    let runs = app.get(&format!("/v1/runs?hook={}", hook["id"].as_str().unwrap())).await;
    assert_eq!(runs["items"].as_array().unwrap().len(), 1, "{runs}");
    runs["items"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_is_gone_and_who_waits_for_it_is_told() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    let (owner, other) = (app.member("olga").await, app.member("mallory").await);
    let grandchild = "import subprocess\nsubprocess.Popen(['sleep', '1000'], start_new_session=True)";
    let hook = app.deploy_as(&owner, "waits.ipynb", &notebook(&["1", grandchild, WAITS]), json!({})).await;
    let waiting = tokio::spawn(app.http.get(url(&hook)).query(&signs.query("started")).send());
    signs.seen("started").await;
    let run = run_of_hook(&app, &hook).await["id"].as_str().unwrap().to_owned();
    assert!(processes(&run).len() >= 2, "the kernel and what it started");
    problem(app.http.post(format!("{}/v1/runs/{run}/cancel", app.url)).send().await.unwrap(), 401).await;
    problem(act(&app, &other, &run, "cancel").await, 404).await;
    problem(act(&app, &owner, &uuid::Uuid::now_v7().to_string(), "cancel").await, 404).await;
    problem(act(&app, &owner, "none", "cancel").await, 404).await;
    eventually("it runs", async || state(&app, &run).await == "running").await;

    let cancelled = ok(act(&app, &owner, &run, "cancel").await).await;
    assert_eq!((&cancelled["id"], &cancelled["state"]), (&json!(run), &json!("cancelled")));
    assert_eq!(processes(&run), [""; 0], "gone when its owner hears of it");
    let told = waiting.await.unwrap().unwrap();
    check_guards(&told);
    assert_eq!(run_of(&told), run);
    assert_eq!(problem(told, 409).await["type"], "urn:nbhook:problem:cancelled");
    let kept = app.get(&format!("/v1/runs/{run}")).await;
    assert_eq!((&kept["state"], &kept["error"]["kind"]), (&json!("cancelled"), &json!("cancelled")));
    assert!(kept["finished_at"].is_string(), "{kept}");
    let output = app.get(&format!("/v1/runs/{run}/output")).await;
    assert_eq!(output["nbformat"], 4, "what it did until then is kept");
    let again = problem(act(&app, &owner, &run, "cancel").await, 409).await;
    assert!(again["detail"].as_str().unwrap().contains("ended"), "{again}");
    app.quiet().await;
    assert!(app.scratch().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_run_is_cancelled_before_it_begins() {
    let (app, signs) = (TestApp::start_with(|settings| settings.kernel.limit = 1).await, Signs::new());
    let hook = app.deploy("waits.ipynb", &notebook(&[WAITS, &answer_with("respond_text('x')")]), json!({})).await;
    let first = start(&app, &hook, &signs.query("first")).await;
    signs.seen("first").await;
    let second = start(&app, &hook, &signs.query("second")).await;
    let waiting = tokio::spawn(app.http.get(url(&hook)).query(&signs.query("third")).send());
    let queued = async || app.get("/v1/runs?state=queued").await["items"].as_array().unwrap().clone();
    eventually("two are queued", async || queued().await.len() == 2).await;
    for run in queued().await {
        let id = run["id"].as_str().unwrap();
        assert_eq!(ok(act(&app, crate::app::ADMIN, id, "cancel").await).await["state"], "cancelled");
    }
    let told = problem(waiting.await.unwrap().unwrap(), 409).await;
    assert_eq!(told["type"], "urn:nbhook:problem:cancelled", "at once, though the first goes on");
    assert_eq!(failure(ended(&app, &second).await).await["type"], "urn:nbhook:problem:cancelled");
    eventually("it runs", async || state(&app, &first.id).await == "running").await;
    signs.give("gate");
    assert_eq!(result(&app, &first).await.text().await.unwrap(), "x");
    app.quiet().await;
    assert!(!signs.path("second").exists() && !signs.path("third").exists());
    problem(act(&app, crate::app::ADMIN, &first.id, "cancel").await, 409).await;
    assert_eq!(state(&app, &first.id).await, "succeeded");
}

/// Fails as often as it is told to.
fn fails_at_first() -> Value {
    let fails = "with open(tries, 'a') as file: file.write('tried\\n')\n\
        count = len(open(tries).readlines())\nassert count > int(failures), 'not yet'";
    notebook(&[fails, &answer_with("respond_json({'count': count})")])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_is_tried_again_as_often_as_its_hook_says() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    let hook = app.deploy("fails.ipynb", &fails_at_first(), json!({"retries": 2})).await;
    let tries = signs.text("good");
    let response = app.call(&hook, &[("failures", "2"), ("tries", &tries)]).await;
    let run = run_of(&response);
    assert_eq!(ok(response).await, json!({"count": 3}));
    app.quiet().await;
    let record = run_of_hook(&app, &hook).await;
    assert_eq!((&record["id"], &record["state"], &record["attempts"]), (&json!(run), &json!("succeeded"), &json!(3)));
    assert_eq!((&record["error"], signs.lines("good").len()), (&Value::Null, 3));
    assert_eq!(app.kept().keys().filter(|name| name.contains("outputs/")).count(), 1, "one run, one output");

    let never = app.deploy("never.ipynb", &fails_at_first(), json!({"retries": 1})).await;
    let tries = signs.text("bad");
    let told = problem(app.call(&never, &[("failures", "9"), ("tries", &tries)]).await, 500).await;
    assert_eq!((&told["ename"], signs.lines("bad").len()), (&json!("AssertionError"), 2));
    let record = run_of_hook(&app, &never).await;
    assert_eq!((&record["state"], &record["attempts"]), (&json!("failed"), &json!(2)));

    let plain = app.deploy("plain.ipynb", &fails_at_first(), json!({})).await;
    let tries = signs.text("plain");
    let task = start(&app, &plain, &[("failures", "1".to_owned()), ("tries", tries.clone())]).await;
    failure(ended(&app, &task).await).await;
    assert_eq!((&run_of_hook(&app, &plain).await["attempts"], signs.lines("plain").len()), (&json!(1), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_repeated_with_the_same_parameters() {
    let app = TestApp::start().await;
    let (owner, other) = (app.member("olga").await, app.member("mallory").await);
    let mut echo = notebook(&["n = 0", &answer_with("respond_json([n, params, body])")]);
    echo["cells"][0]["metadata"]["tags"] = json!(["parameters"]);
    let hook = app.deploy_as(&owner, "echo.ipynb", &echo, json!({})).await;
    let body = json!({"n": 5, "list": [1.5, null, {"ü": true}]});
    let first = app.http.post(url(&hook)).query(&[("q", "a b")]).json(&body).send().await.unwrap();
    let run = run_of(&first);
    let answer = ok(first).await;
    assert_eq!(answer, json!([5, {"q": "a b"}, body]));
    app.quiet().await;
    problem(act(&app, &other, &run, "rerun").await, 404).await;
    problem(app.http.post(format!("{}/v1/runs/{run}/rerun", app.url)).send().await.unwrap(), 401).await;
    let task = accepted(act(&app, &owner, &run, "rerun").await).await;
    assert_ne!(task.id, run);
    assert_eq!(ok(result(&app, &task).await).await, answer);
    let record = app.get(&format!("/v1/runs/{}", task.id)).await;
    assert_eq!((&record["rerun_of"], &record["mode"]), (&json!(run), &json!("async")));
    assert_eq!(app.get(&format!("/v1/runs/{run}")).await["rerun_of"], Value::Null);
    // The repetition can be repeated too.
    let task = accepted(act(&app, &owner, &task.id, "rerun").await).await;
    assert_eq!(ok(result(&app, &task).await).await, answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_secrets_or_files_are_not_kept_cannot_be_repeated() {
    let app = TestApp::start().await;
    let takes = notebook(&[&answer_with("respond_text('x')")]);
    let hook = app.deploy("secret.ipynb", &takes, json!({"sensitive": ["password"]})).await;
    let secret = app.call(&hook, &[("password", "hunter2")]).await;
    let without = app.call(&hook, &[("name", "bob")]).await;
    let (media_type, body) = form(&[("name", None, b"bob"), ("upload", Some("a.bin"), b"\0\xff")]);
    let upload = app.http.post(url(&hook)).header("content-type", media_type).body(body).send().await.unwrap();
    let (secret, without, upload) = (run_of(&secret), run_of(&without), run_of(&upload));
    app.quiet().await;
    for (run, why) in [(&secret, "sensitive"), (&upload, "file")] {
        let told = problem(act(&app, crate::app::ADMIN, run, "rerun").await, 409).await;
        assert!(told["detail"].as_str().unwrap().contains(why), "{told}");
        assert!(!told.to_string().contains("hunter2"));
    }
    let task = accepted(act(&app, crate::app::ADMIN, &without, "rerun").await).await;
    assert_eq!(result(&app, &task).await.text().await.unwrap(), "x");
    assert_eq!(app.get("/v1/runs").await["items"].as_array().unwrap().len(), 4, "a refusal is no run");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_early_answer_is_there_while_the_notebook_runs_on() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    let early = answer_with("respond_json({'ok': 1}, status=202, headers={'X-A': 'b'}, early=True)");
    let later = answer_with("respond_text('too late')");
    let good = app.deploy("good.ipynb", &notebook(&[&early, WAITS, &later]), json!({"inline": true})).await;
    let bad = app.deploy("bad.ipynb", &notebook(&[&early, WAITS, "raise KeyError('a')"]), json!({"retries": 2})).await;
    for (hook, name, final_state) in [(&good, "good", "succeeded"), (&bad, "bad", "failed")] {
        let response = app.http.get(url(hook)).query(&signs.query(name)).send().await.unwrap();
        check_guards(&response);
        assert_eq!((response.status().as_u16(), header(&response, "x-a")), (202, "b"));
        assert_eq!(header(&response, "content-type"), "application/json");
        let run = run_of(&response);
        assert_eq!(ok(response).await, json!({"ok": 1}));
        signs.seen(name).await;
        eventually("it runs", async || state(&app, &run).await == "running").await;
        signs.give("gate");
        app.quiet().await;
        let record = app.get(&format!("/v1/runs/{run}")).await;
        assert_eq!(record["state"], final_state, "{record}");
        assert_eq!((&record["status"], &record["media_type"]), (&json!(202), &json!("application/json")));
        assert_eq!(record["attempts"], 1, "what was answered is not done again");
        if name == "good" {
            assert!(record["warnings"].to_string().contains("further"), "{record}");
        }
        std::fs::remove_file(signs.path("gate")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn early_files_errors_and_tasks() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    let file = "with open('a.bin', 'wb') as file: file.write(bytes(range(256)) * 1000)";
    let removes = "import os\nos.remove('a.bin')";
    let answer = answer_with("respond_file('a.bin', early=True)");
    let hook = app.deploy("file.ipynb", &notebook(&[file, &answer, WAITS, removes]), json!({})).await;
    let response = app.http.get(url(&hook)).query(&signs.query("file")).send().await.unwrap();
    assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
    assert!(response.bytes().await.unwrap() == (0..=255).collect::<Vec<u8>>().repeat(1000));
    signs.seen("file").await;

    let refuses = answer_with("respond_error(403, 'not you', failed=False, early=True)");
    let hook = app.deploy("error.ipynb", &notebook(&[&refuses, WAITS]), json!({})).await;
    let response = app.http.get(url(&hook)).query(&signs.query("error")).send().await.unwrap();
    let run = run_of(&response);
    assert_eq!(problem(response, 403).await["detail"], "not you");
    signs.seen("error").await;
    eventually("it goes on", async || state(&app, &run).await == "running").await;

    // The first marked output is the answer, early or not.
    let first = answer_with("respond_text('first')");
    let hook = app.deploy("second.ipynb", &notebook(&[&first, &refuses]), json!({})).await;
    assert_eq!(app.call(&hook, &[]).await.text().await.unwrap(), "first");

    let quick = answer_with("respond_text('quick', early=True)");
    let hook = app.deploy("task.ipynb", &notebook(&[&quick, WAITS]), json!({})).await;
    let task = start(&app, &hook, &signs.query("task")).await;
    signs.seen("task").await;
    eventually("it goes on", async || state(&app, &task.id).await == "running").await;
    signs.give("gate");
    assert_eq!(result(&app, &task).await.text().await.unwrap(), "quick");
    app.quiet().await;
    assert_eq!(state(&app, &run).await, "succeeded");
    assert!(app.scratch().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runs_record_has_its_cells_and_what_it_answered() {
    let app = TestApp::start().await;
    let mut cells =
        notebook(&["n = 0", "import time\ntime.sleep(0.1)", "x", &answer_with("respond_text('a', status=203)")]);
    cells["cells"][0]["metadata"]["tags"] = json!(["parameters"]);
    cells["cells"][2] = json!({"cell_type": "markdown", "metadata": {}, "source": "# a title"});
    let hook = app.deploy("cells.ipynb", &cells, json!({})).await;
    let run = run_of(&app.call(&hook, &[("n", "5")]).await);
    app.quiet().await;
    let record = app.get(&format!("/v1/runs/{run}")).await;
    let timings = record["cells"].as_array().unwrap();
    let of: Vec<_> = timings.iter().map(|cell| (cell["cell"].as_u64(), cell["status"].as_str().unwrap())).collect();
    assert_eq!(
        of,
        [(Some(0), "ok"), (None, "ok"), (Some(1), "ok"), (Some(3), "ok")],
        "as deployed, the injected one in its place"
    );
    let mut last = String::new();
    for cell in timings {
        let (started, finished) = (cell["started_at"].as_str().unwrap(), cell["finished_at"].as_str().unwrap());
        let time = |text: &str| chrono::DateTime::parse_from_rfc3339(text).unwrap();
        let took = (time(finished) - time(started)).num_milliseconds();
        assert!((took - cell["duration_ms"].as_i64().unwrap()).abs() <= 1, "{cell}");
        assert!(started >= last.as_str(), "{timings:?}");
        finished.clone_into(&mut last);
    }
    assert!(timings[2]["duration_ms"].as_u64().unwrap() >= 99, "{timings:?}");
    assert_eq!((&record["mode"], &record["attempts"], &record["progress"]), (&json!("sync"), &json!(1), &Value::Null));
    assert_eq!((&record["status"], &record["media_type"]), (&json!(203), &json!("text/plain; charset=utf-8")));

    let fails = app.deploy("fails.ipynb", &notebook(&["1", "raise ValueError", "2"]), json!({})).await;
    let run = run_of(&app.call(&fails, &[]).await);
    app.quiet().await;
    let record = app.get(&format!("/v1/runs/{run}")).await;
    let statuses: Vec<_> =
        record["cells"].as_array().unwrap().iter().map(|cell| cell["status"].as_str().unwrap()).collect();
    assert_eq!(statuses.last(), Some(&"error"));
    assert_eq!(statuses.iter().filter(|status| **status == "ok").count(), statuses.len() - 1);
    assert_eq!((&record["status"], &record["media_type"]), (&json!(500), &json!("application/problem+json")));
    let running = app.deploy("waits.ipynb", &notebook(&[WAITS]), json!({})).await;
    let signs = Signs::new();
    let task = start(&app, &running, &signs.query("started")).await;
    signs.seen("started").await;
    let record = app.get(&format!("/v1/runs/{}", task.id)).await;
    assert_eq!(
        (&record["status"], &record["media_type"], &record["finished_at"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    signs.give("gate");
    app.quiet().await;
}
