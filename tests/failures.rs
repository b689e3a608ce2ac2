//! What callers are told of runs that fail, and what is left of those.

use std::time::{Duration, Instant};

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::app::{TestApp, eventually, fixture, header, notebook, ok, problem, run_of, url, write};
use crate::responses::check_guards;

/// The processes of a run, found by its mark in their environment.
pub(crate) fn processes(run: &str) -> Vec<String> {
    let mark = format!("NBHOOK_RUN={run}").into_bytes();
    let pids = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    pids.filter(|path| path.file_name().unwrap().to_string_lossy().parse::<u32>().is_ok())
        .filter(|path| {
            std::fs::read(path.join("environ")).unwrap_or_default().split(|b| *b == 0).any(|one| one == mark)
        })
        .map(|path| {
            String::from_utf8_lossy(&std::fs::read(path.join("cmdline")).unwrap_or_default()).replace('\0', " ")
        })
        .collect()
}

async fn record(app: &TestApp, run: &str) -> Value {
    app.get(&format!("/v1/runs/{run}")).await
}

/// The one run of a hook, as soon as it is running.
async fn running(app: &TestApp, hook: &Value) -> String {
    let path = format!("/v1/runs?state=running&hook={}", hook["id"].as_str().unwrap());
    eventually("a run", async || app.get(&path).await["items"] != json!([])).await;
    app.get(&path).await["items"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cell_error_is_told_and_its_traceback_to_the_owner_alone() {
    let app = TestApp::start().await;
    let (owner, other) = (app.member("olga").await, app.member("mallory").await);
    let notebook = fixture("fails_in_third_cell");
    let failing = notebook["cells"].as_array().unwrap().iter().position(|cell| cell["id"] == "mean").unwrap();
    let hook = app.deploy_as(&owner, "third.ipynb", &notebook, json!({})).await;
    let callers =
        [None, Some(other.as_str()), Some("not-a-token-of-anybody"), Some(owner.as_str()), Some(crate::app::ADMIN)];
    for (number, token) in callers.into_iter().enumerate() {
        let request = app.http.get(url(&hook)).query(&[("month", "2031-01")]);
        let request = token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
        let response = request.send().await.unwrap();
        check_guards(&response);
        let run = run_of(&response);
        let told = problem(response, 500).await;
        assert_eq!(
            (&told["type"], &told["cell"], &told["ename"]),
            (&json!("urn:nbhook:problem:cell-error"), &json!(failing), &json!("ValueError"))
        );
        assert_eq!(told["evalue"], "no orders in 2031-01: check that the import of 2031-01 has run, then call again");
        assert_eq!((&told["run"], told["title"].is_string(), told["detail"].is_string()), (&json!(run), true, true));
        let traceback = told["traceback"].to_string();
        assert_eq!(traceback.contains("mean_order_value"), number >= 3, "caller {number}: {traceback}");
        assert_eq!(told.get("traceback").is_some(), number >= 3);
        let kept = record(&app, &run).await;
        assert_eq!((&kept["state"], &kept["error"]["cell"]), (&json!("failed"), &json!(failing)));
        assert_eq!((&kept["cells_total"], &kept["cells_done"]), (&json!(5), &json!(4)), "{kept}");
        let output = app.get(&format!("/v1/runs/{run}/output")).await;
        assert!(output["cells"].to_string().contains("Preliminary report"), "the output of a failed run is kept");
    }
    let kinds = [("asks_input", "StdinNotImplementedError"), ("sales_report", "ValueError")];
    for (name, ename) in kinds {
        let hook = app.deploy_fixture(name, json!({})).await;
        let started = Instant::now();
        let told = problem(app.call(&hook, &[("top", "99")]).await, 500).await;
        assert_eq!((&told["type"], &told["ename"]), (&json!("urn:nbhook:problem:cell-error"), &json!(ename)));
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_ends_all_processes_of_the_run() {
    let app = TestApp::start().await;
    for stubborn in ["0", "1"] {
        let hook = app.deploy_fixture("loops_forever", json!({"timeout": 4})).await;
        let call = app.http.get(url(&hook)).query(&[("helpers", "2"), ("stubborn", stubborn)]).send();
        let call = tokio::spawn(call);
        let run = running(&app, &hook).await;
        let helpers = || processes(&run).iter().filter(|line| line.contains("sleep 86400")).count();
        eventually("the helpers", async || helpers() == 2).await;
        let response = call.await.unwrap().unwrap();
        check_guards(&response);
        assert_eq!(run_of(&response), run);
        let told = problem(response, 504).await;
        assert_eq!(told["type"], "urn:nbhook:problem:timeout");
        assert!(told["cell"].is_number() && told.get("evalue").is_none(), "{told}");
        assert_eq!(processes(&run), Vec::<String>::new(), "gone when the caller hears of it");
        assert_eq!(record(&app, &run).await["state"], "timed_out");
        let output = app.get(&format!("/v1/runs/{run}/output")).await;
        assert!(output["cells"].to_string().contains("looking for the root"), "what it wrote before is kept");
    }
    app.quiet().await;
    assert!(app.scratch().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_kernel_ends_its_run_at_once() {
    let app = TestApp::start().await;
    for (death, kind) in [
        ("os._exit(3)", "kernel-died"),
        ("os._exit(0)", "kernel-died"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "kernel-died"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "kernel-died"),
        ("os.kill(os.getpid(), signal.SIGSTOP)", "timeout"),
    ] {
        let cells = [
            "import os, signal, subprocess\nprint('alive', flush=True)",
            &format!("subprocess.Popen(['sleep', '86401'])\n{death}"),
            "1",
        ];
        let hook = app
            .deploy("dies.ipynb", &notebook(&cells), json!({"timeout": if kind == "timeout" { 5 } else { 50 }}))
            .await;
        let started = Instant::now();
        let response = app.call(&hook, &[]).await;
        assert!(started.elapsed() < Duration::from_secs(30), "{death}");
        let run = run_of(&response);
        let told = problem(response, if kind == "timeout" { 504 } else { 500 }).await;
        assert_eq!(told["type"], format!("urn:nbhook:problem:{kind}"), "{death}: {told}");
        assert_eq!(told["cell"], 1, "{death}: {told}");
        assert_eq!(processes(&run), Vec::<String>::new(), "{death}");
        assert_eq!(
            app.get(&format!("/v1/runs/{run}/output")).await["cells"][1]["outputs"][0]["text"],
            "alive\n",
            "{death}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_and_output_are_bounded() {
    let app = TestApp::start_with(|settings| {
        settings.kernel.memory = 1024;
        settings.kernel.output = 8;
    })
    .await;
    let kind = async |hook: &Value, query: &[(&str, &str)]| {
        let response = app.call(hook, query).await;
        let run = run_of(&response);
        let told = problem(response, 500).await;
        app.quiet().await;
        assert_eq!(processes(&run), Vec::<String>::new());
        assert_eq!(
            record(&app, &run).await["error"]["kind"],
            told["type"].as_str().unwrap().rsplit(':').next().unwrap()
        );
        (told["type"].as_str().unwrap().to_owned(), run)
    };
    let eats = app.deploy_fixture("eats_memory", json!({})).await;
    let (told, _) = kind(&eats, &[("pause", "0")]).await;
    assert_eq!(told, "urn:nbhook:problem:out-of-memory");
    assert_eq!(ok(app.call(&eats, &[("at_most", "64"), ("pause", "0")]).await).await, json!({"mebibytes": 64}));
    let prints = app.deploy_fixture("prints_200000_lines", json!({})).await;
    let response = app.call(&prints, &[]).await;
    let run = run_of(&response);
    assert_eq!(ok(response).await, json!({"lines": 200_000}));
    let output = app.get(&format!("/v1/runs/{run}/output")).await;
    let lines = (1..=200_000).map(|number| format!("record {number:06}: ok\n")).collect::<Vec<_>>().concat();
    let outputs = output["cells"].as_array().unwrap().iter().filter_map(|cell| cell["outputs"].as_array()).flatten();
    let kept: String = outputs.filter_map(|output| output["text"].as_str()).collect();
    assert!(kept == lines, "every line is kept, in order");
    let (told, run) = kind(&prints, &[("lines", "900000")]).await;
    assert_eq!(told, "urn:nbhook:problem:output-too-large");
    let output = app.get(&format!("/v1/runs/{run}/output")).await;
    assert!(output["cells"].to_string().contains("record 000001: ok"), "what fits is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_uses_too_much_is_told_so() {
    let app = TestApp::start_with(|settings| {
        settings.kernel.cpu = 2;
        settings.kernel.processes = 8;
        settings.kernel.files = 256;
    })
    .await;
    let told = async |name: &str, source: &str| {
        let hook = app.deploy(name, &notebook(&[source]), json!({})).await;
        let response = app.call(&hook, &[]).await;
        let run = run_of(&response);
        let told = problem(response, 500).await;
        app.quiet().await;
        assert_eq!(processes(&run), Vec::<String>::new());
        ["type", "detail"].map(|field| told[field].as_str().unwrap().to_owned())
    };
    let [kind, detail] = told("cpu.ipynb", "while True: pass").await;
    assert_eq!(kind, "urn:nbhook:problem:cpu-limit");
    assert_eq!(detail, "the run used up its CPU time of 2 s and was stopped");
    let sleeps = "import subprocess, time\nfor _ in range(9): subprocess.Popen(['sleep', '100'])\ntime.sleep(100)";
    let [kind, detail] = told("processes.ipynb", sleeps).await;
    assert_eq!(kind, "urn:nbhook:problem:process-limit");
    assert_eq!(detail, "the run started more than 8 processes and was stopped");
    let [kind, detail] = told("files.ipynb", "files = [open('/dev/null') for _ in range(300)]").await;
    assert_eq!(
        (kind.as_str(), detail.as_str()),
        ("urn:nbhook:problem:cell-error", "cell 1 of the notebook raised OSError")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_told_without_an_echo() {
    let app = TestApp::start().await;
    let hook = app.deploy("a.ipynb", &notebook(&["1"]), json!({})).await;
    let token = url(&hook).rsplit('/').next().unwrap().to_owned();
    let unknown = "Z".repeat(token.len());
    for path in [
        format!("/hooks/{unknown}"),
        format!("/hooks/{unknown}/versions/{}", hook["histo"].as_str().unwrap()),
        format!("/hooks/{token}/versions/20200101000000000000"),
        format!("/hooks/{token}/versions/xyzzy-not-a-histo"),
        format!("/hooks/{token}/other"),
        "/hooks/%3Cscript%3Exyzzy".to_owned(),
        "/hooks/..%2f..%2fxyzzy".to_owned(),
        "/hooks/".to_owned(),
        "/hooks".to_owned(),
        "/xyzzy".to_owned(),
    ] {
        let response = app.http.get(format!("{}{path}?q=xyzzy", app.url)).send().await.unwrap();
        assert!(response.headers().get("x-nbhook-run").is_none());
        let told = problem(response, 404).await.to_string();
        for part in [unknown.as_str(), token.as_str(), "xyzzy", "script", "2020"] {
            assert!(!told.contains(part), "{path}: {told}");
        }
    }
    for (path, allowed) in [
        (format!("/hooks/{token}"), "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"),
        ("/v1/hooks".to_owned(), "GET, POST"),
        ("/healthz".to_owned(), "GET, HEAD"),
    ] {
        let method = Method::from_bytes(b"PROPFIND").unwrap();
        let response = app.http.request(method, format!("{}{path}", app.url)).send().await.unwrap();
        let mut allow: Vec<String> = response
            .headers()
            .get_all("allow")
            .iter()
            .flat_map(|value| value.to_str().unwrap().split(", ").map(str::to_owned).collect::<Vec<_>>())
            .collect();
        allow.sort();
        assert_eq!(allow.join(", "), allowed, "{path}");
        problem(response, 405).await;
    }
    // Another's 405 is left alone.
    let cells = [crate::responses::answer_with("respond_error(405, 'not on Sundays', headers={'Allow': 'GET'})")];
    let hook = app.deploy("b.ipynb", &notebook(&[&cells[0]]), json!({})).await;
    assert_eq!(problem(app.call(&hook, &[]).await, 405).await["detail"], "not on Sundays");
}

/// A notebook that runs until there is a file named `go` in the folder that it is called with.
fn waits() -> Value {
    notebook(&[
        "import os, time\nwhile not os.path.exists(f'{folder}/go'): time.sleep(0.02)",
        "open(f'{folder}/done', 'w').close()",
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_the_queue_full_may_come_again() {
    let app = TestApp::start().await;
    let folder = tempfile::tempdir().unwrap();
    let query = [("folder", folder.path().to_str().unwrap())];
    let hook = app.deploy("waits.ipynb", &waits(), json!({"concurrency": 1, "queue": 0})).await;
    let call = || tokio::spawn(app.http.get(url(&hook)).query(&query).send());
    let first = call();
    running(&app, &hook).await;
    let refused: Response = call().await.unwrap().unwrap();
    assert!(header(&refused, "retry-after").parse::<u64>().unwrap() > 0);
    assert!(refused.headers().get("x-nbhook-run").is_none());
    assert_eq!(problem(refused, 429).await["type"], "urn:nbhook:problem:queue-full");
    // Another hook has places of its own.
    let other = app.deploy("other.ipynb", &notebook(&["1"]), json!({"concurrency": 1, "queue": 0})).await;
    ok(app.call(&other, &[]).await).await;
    write(&folder.path().join("go"), b"");
    ok(first.await.unwrap().unwrap()).await;
    ok(call().await.unwrap().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_hangs_up_does_not_stop_the_run() {
    let app = TestApp::start().await;
    let folder = tempfile::tempdir().unwrap();
    let query = [("folder", folder.path().to_str().unwrap())];
    let hook = app.deploy("waits.ipynb", &waits(), json!({})).await;
    let call = tokio::spawn(app.http.get(url(&hook)).query(&query).send());
    let run = running(&app, &hook).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert_eq!(record(&app, &run).await["state"], "running");
    write(&folder.path().join("go"), b"");
    eventually("the end of the run", async || record(&app, &run).await["state"] == "succeeded").await;
    assert!(folder.path().join("done").exists());
    ok(app.api(Method::GET, &format!("/v1/runs/{run}/output")).send().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_own_trouble_is_not_told() {
    let app = TestApp::start().await;
    let hook = app.deploy("a.ipynb", &notebook(&["1"]), json!({})).await;
    ok(app.call(&hook, &[]).await).await;
    app.quiet().await;
    // The runs have no directory any more to be made in.
    let scratch = app.data.path().join(".nbhook/scratch");
    std::fs::remove_dir_all(&scratch).unwrap();
    write(&scratch, b"");
    let told = problem(app.call(&hook, &[]).await, 500).await;
    assert_eq!(told["type"], "urn:nbhook:problem:internal");
    let data = app.data.path().to_str().unwrap();
    for cause in [data, "scratch", "nbhook.db", "os error", "directory"] {
        assert!(!told.to_string().contains(cause), "{told}");
    }
}
