//! The command line: the binary itself against a real server.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;

use crate::app::{ADMIN, TestApp, notebook, python, write};

const HOOK: &str = "reports/Zahlen & Übersicht.ipynb";

/// Somebody with a home folder and the `nbhook` binary.
pub(crate) struct User {
    pub(crate) home: TempDir,
}

/// What a command came to.
pub(crate) struct Ran {
    code: i32,
    bytes: Vec<u8>,
    out: String,
    err: String,
}

impl Ran {
    /// Its standard output, if it succeeded.
    pub(crate) fn good(self) -> String {
        assert_eq!(self.code, 0, "{}\n{}", self.out, self.err);
        self.out
    }

    fn json(self) -> Value {
        serde_json::from_str(&self.good()).unwrap()
    }

    /// Its standard error, if it failed like this and printed nothing.
    fn bad(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{}", self.err);
        assert!(self.err.starts_with("failed to ") || code == 2, "{}", self.err);
        assert!(!self.err.contains("/hooks/") || code == 2, "a hook's URL in an error: {}", self.err);
        self.err
    }
}

impl User {
    pub(crate) fn new() -> Self {
        Self { home: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) async fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, "").await
    }

    #[expect(clippy::disallowed_methods, reason = "a command of the test's own, waited for and killed when dropped")]
    async fn run_with(&self, args: &[&str], input: &str) -> Ran {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_nbhook"));
        command.args(args).env_clear().env("HOME", self.home.path()).current_dir(self.home.path()).kill_on_drop(true);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).await.ok();
        let done = child.wait_with_output().await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran { code: done.status.code().unwrap(), out: text(&done.stdout), err: text(&done.stderr), bytes: done.stdout }
    }

    pub(crate) async fn log_in(&self, app: &TestApp, token: &str) {
        let said = self.run_with(&["login", &app.url], &format!("{token}\n")).await.good();
        assert!(said.contains("logged in to") && !said.contains(token), "{said}");
    }
}

/// Divides 6 by `n`, with numbers from a dependency; tells of an upload.
fn divider() -> Value {
    notebook(&[
        "from nbhook import webhook",
        "upload = globals().get('upload')\nprint('running with', open('data/offset.txt').read())",
        "answer = {'result': 6 / int(n)}\nif upload:\n    answer['upload'] = open(upload, 'rb').read().hex()",
        "webhook.respond_json(answer)",
    ])
}

/// A user who is logged in and has deployed [`divider`] as [`HOOK`].
async fn deployed(app: &TestApp) -> User {
    let user = User::new();
    user.log_in(app, ADMIN).await;
    write(&user.path(HOOK), divider().to_string().as_bytes());
    write(&user.path("reports/data/offset.txt"), b"ten");
    let deploy = ["deploy", HOOK, "-p", "timeout=30", "-p", "inline=true", "-d", "reports/data/offset.txt"];
    let ran = user.run(&deploy).await;
    assert!(ran.err.contains(&format!("deployed {HOOK} as version ")), "{}", ran.err);
    assert!(!ran.err.contains("/hooks/"), "the URL is for standard output: {}", ran.err);
    let url = ran.good();
    assert!(url.starts_with(&format!("{}/hooks/", app.url)) && url.trim().lines().count() == 1, "{url}");
    user
}

#[tokio::test(flavor = "multi_thread")]
async fn logging_in_keeps_a_token_that_works() {
    let app = TestApp::start().await;
    let user = User::new();
    assert!(user.run(&["list"]).await.bad(4).contains("nbhook login"));
    let wrong = user.run_with(&["login", &app.url], "nbh_000000000000000000000000000\n").await.bad(4);
    assert!(!wrong.contains("nbh_"), "{wrong}");
    user.run_with(&["login", &app.url], "").await.bad(2);
    user.run_with(&["login", "not a url"], ADMIN).await.bad(2);
    let file = user.path(".config/nbhook/credentials.json");
    assert!(!file.exists(), "a token that was refused is not kept");
    user.log_in(&app, ADMIN).await;
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(user.run(&["list", "--json"]).await.json(), json!([]));
    user.run(&["--server", "http://127.0.0.1:1", "list"]).await.bad(4); // the token is for another server
    let unreachable = user.run(&["--server", "http://127.0.0.1:1", "--token", ADMIN, "list"]).await.bad(5);
    assert!(unreachable.contains("http://127.0.0.1:1") && !unreachable.contains(ADMIN), "{unreachable}");
    user.run(&["list", "--nonsense"]).await.bad(2);
    user.run(&["list", "--owner", "nobody"]).await.bad(1);
    let url = app.url.clone();
    app.stop().await;
    assert!(user.run(&["list"]).await.bad(5).contains(&url));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notebook_is_deployed_found_and_called() {
    let app = TestApp::start().await;
    let user = deployed(&app).await;
    let listed = user.run(&["list", "--json"]).await.json();
    let hook = &listed[0];
    assert_eq!(
        (&hook["path"], &hook["params"]["timeout"], &hook["params"]["inline"]),
        (&json!(HOOK), &json!(30), &json!(true))
    );
    let absolute = user.path(HOOK);
    for name in [HOOK, &format!("./{HOOK}"), absolute.to_str().unwrap(), hook["id"].as_str().unwrap()] {
        assert_eq!(user.run(&["find", name]).await.good().trim(), hook["url"].as_str().unwrap(), "{name}");
    }
    assert!(user.run(&["list"]).await.good().contains(HOOK));
    assert!(user.run(&["show", HOOK]).await.good().contains("timeout=30"));
    let set = user.run(&["set", HOOK, "-p", "timeout=null", "-p", "notif_down=a@b.c", "--json"]).await.json();
    assert_eq!((&set["params"]["timeout"], &set["params"]["notif_down"]), (&json!(600), &json!(["a@b.c"])));
    assert!(user.run(&["set", HOOK, "-p", "timeout=0"]).await.bad(1).contains("params.timeout"));
    assert!(user.run(&["deploy", HOOK, "-p", "inlin=true"]).await.bad(1).contains("params.inlin"));
    user.run(&["deploy", "missing.ipynb"]).await.bad(1);
    write(&user.path("broken.ipynb"), b"{\"cells\": [");
    assert!(user.run(&["deploy", "broken.ipynb"]).await.bad(1).contains("notebook"));

    assert_eq!(user.run(&["call", HOOK, "-p", "n=2"]).await.json(), json!({"result": 3.0}));
    assert_eq!(user.run(&["call", HOOK, "-p", "n=3", "-X", "get"]).await.json(), json!({"result": 2.0}));
    write(&user.path("up load.bin"), b"\0\xff\r\n");
    let uploaded = user.run(&["call", HOOK, "-p", "n=6", "-f", "upload=up load.bin"]).await.json();
    assert_eq!(uploaded, json!({"result": 1.0, "upload": "00ff0d0a"}));
    let saved = user.run(&["call", HOOK, "-p", "n=2", "-o", "answer.json"]).await.good();
    assert_eq!(
        (saved.trim(), std::fs::read(user.path("answer.json")).unwrap()),
        ("answer.json", b"{\"result\":3.0}".to_vec())
    );
    let again = user.run(&["call", HOOK, "-p", "n=2", "-o", "answer.json"]).await.bad(1);
    assert!(again.contains("never overwritten"), "{again}");

    let failed = user.run(&["call", HOOK, "-p", "n=0"]).await;
    assert_eq!((failed.code, failed.out.as_str()), (6, ""), "{}", failed.err);
    assert!(
        failed.err.contains("ZeroDivisionError") && failed.err.contains("Traceback"),
        "the owner's: {}",
        failed.err
    );
    let failed_runs = user.run(&["runs", HOOK, "--state", "failed", "--json"]).await.json();
    assert_eq!(failed_runs.as_array().unwrap().len(), 1);
    let run = failed_runs[0]["id"].as_str().unwrap();
    assert!(failed.err.contains(run), "{}", failed.err);
    let logs = user.run(&["logs", run]).await.good();
    assert!(logs.contains("running with ten") && logs.contains("ZeroDivisionError"), "{logs}");
    let shown = user.run(&["show-run", run]).await.good();
    assert!(shown.contains("failed") && shown.contains("in cell 3"), "counted as people count: {shown}");
    assert!(user.run(&["runs"]).await.good().lines().count() >= 5);
    for absent in
        [vec!["call", "no/such.ipynb"], vec!["find", "no.ipynb"], vec!["logs", "0198c5f0-0000-7000-8000-000000000001"]]
    {
        user.run(&absent).await.bad(3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_started_watched_cancelled_and_repeated() {
    let app = TestApp::start().await;
    let user = deployed(&app).await;
    let started = user.run(&["call", HOOK, "-p", "n=2", "--async"]).await;
    assert!(started.err.contains("--wait") && !started.err.contains("key="), "{}", started.err);
    let task = started.good().trim().to_owned();
    assert!(task.starts_with(&format!("{}/v1/tasks/", app.url)), "{task}");
    assert_eq!(user.run(&["task", &task, "--wait"]).await.json(), json!({"result": 3.0}));
    let state = user.run(&["task", &task]).await.good();
    assert!(state.contains("succeeded") && state.contains("/result"), "{state}");
    let run = user.run(&["runs", "--limit", "1", "--json"]).await.json()[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(user.run(&["rerun", &run, "--wait"]).await.json(), json!({"result": 3.0}));
    user.run(&["task", &run, "--wait", "-o", "answer.json"]).await.good();
    assert_eq!(std::fs::read(user.path("answer.json")).unwrap(), b"{\"result\":3.0}");
    assert!(user.run(&["cancel", &run]).await.bad(1).contains("ended"));

    assert_eq!(user.run(&["call", HOOK, "-p", "n=2", "--wait", "60"]).await.json(), json!({"result": 3.0}));
    let failed = user.run(&["call", HOOK, "-p", "n=0", "--async"]).await.good();
    let told = user.run(&["task", failed.trim(), "--wait"]).await;
    assert_eq!((told.code, told.out.as_str()), (6, ""), "{}", told.err);
    assert!(told.err.contains("ZeroDivisionError"), "{}", told.err);
    let twice = ["call", HOOK, "-p", "n=3", "--idempotency-key", "once"];
    assert_eq!(user.run(&twice).await.json(), user.run(&twice).await.json());
    let runs = user.run(&["runs", HOOK, "--json"]).await.json();
    assert_eq!(runs.as_array().unwrap().len(), 5, "{runs}");

    write(&user.path("sleeps.ipynb"), notebook(&["import time", "time.sleep(60)"]).to_string().as_bytes());
    user.run(&["deploy", "sleeps.ipynb"]).await.good();
    user.run(&["call", "sleeps.ipynb", "--async"]).await.good();
    let run = user.run(&["runs", "sleeps.ipynb", "--json"]).await.json()[0]["id"].as_str().unwrap().to_owned();
    assert!(user.run(&["task", &run]).await.good().starts_with("state "));
    assert_eq!(user.run(&["cancel", &run]).await.good(), format!("run {run} is cancelled\n"));
    assert_eq!(user.run(&["task", &run]).await.good().lines().next(), Some("state      cancelled"));
    user.run(&["cancel", "0198c5f0-0000-7000-8000-000000000001"]).await.bad(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_outputs_are_fetched_and_cleared() {
    let app = TestApp::start().await;
    let user = deployed(&app).await;
    user.run(&["call", HOOK, "-p", "n=1"]).await.good();
    let second = notebook(&["from nbhook import webhook", "webhook.respond_text('second')"]).to_string();
    write(&user.path("second.ipynb"), second.as_bytes());
    let redeployed = user.run(&["deploy", "second.ipynb", "--path", HOOK, "--json"]).await.json();
    let versions = user.run(&["versions", HOOK, "--json"]).await.json();
    let (new, old) = (versions[0]["histo"].as_str().unwrap(), versions[1]["histo"].as_str().unwrap());
    assert_eq!((&redeployed[0]["histo"], &versions[0]["live"]), (&json!(new), &json!(true)));
    assert_eq!(user.run(&["call", HOOK]).await.good(), "second");
    let pinned = user.run(&["call", HOOK, "--histo", old, "-p", "n=2"]).await.json();
    assert_eq!(pinned, json!({"result": 3.0}), "with the dependency of its own version");

    assert_eq!(user.run(&["get", HOOK, "-o", "-"]).await.bytes, second.as_bytes());
    let name = user.run(&["get", HOOK, "--histo", old]).await.good();
    let fetched: Value = serde_json::from_slice(&std::fs::read(user.path(name.trim())).unwrap()).unwrap();
    assert_eq!((name.trim(), fetched), (format!("Zahlen & Übersicht.{old}.ipynb").as_str(), divider()));
    user.run(&["get", HOOK, "--histo", old]).await.bad(1);
    user.run(&["get", HOOK, "--histo", "20200101000000000000", "-o", "x"]).await.bad(3);
    user.run(&["get", HOOK, "--histo", "yesterday"]).await.bad(2);
    assert!(!user.path("x").exists());

    let outputs = user.run(&["outputs", HOOK, "--json"]).await.json();
    assert_eq!(outputs.as_array().unwrap().len(), 3);
    let executed: Value = serde_json::from_slice(&user.run(&["get-output", HOOK, "-o", "-"]).await.bytes).unwrap();
    assert_eq!(executed["nbformat"], 4);
    let first = outputs[2]["histo"].as_str().unwrap();
    let name = user.run(&["get-output", HOOK, "--histo", first]).await.good();
    assert!(std::fs::read_to_string(user.path(name.trim())).unwrap().contains("running with ten"));

    assert!(user.run(&["promote", HOOK, old]).await.good().contains(old));
    user.run(&["clear", HOOK, "--histo", old]).await.bad(1); // it is live
    assert_eq!(user.run(&["clear", HOOK]).await.good().trim(), new);
    user.run(&["promote", HOOK, new]).await.bad(3);
    assert_eq!(user.run(&["clear-output", HOOK, "--histo", first]).await.good().trim(), first);
    assert_eq!(user.run(&["clear-output", HOOK]).await.good().lines().count(), 2);
    user.run(&["get-output", HOOK]).await.bad(3);

    user.run(&["delete", HOOK]).await.bad(2); // there is nobody to ask
    assert!(user.run(&["delete", HOOK, "--yes", "--keep-files"]).await.good().contains("keeping its files"));
    user.run(&["find", HOOK]).await.bad(3);
    assert!(app.kept().keys().any(|name| name.contains(old)));
}

#[tokio::test(flavor = "multi_thread")]
async fn users_and_tokens_are_made_and_taken_away() {
    let app = TestApp::start().await;
    let admin = deployed(&app).await;
    admin.run(&["user", "create", "bob"]).await.good();
    admin.run(&["user", "create", "../bob"]).await.bad(2);
    let users = admin.run(&["user", "list", "--json"]).await.json();
    assert_eq!(users.as_array().unwrap().len(), 2);
    let made = admin.run(&["token", "create", "laptop", "--user", "bob"]).await;
    let token = made.out.trim().to_owned();
    assert!(token.starts_with("nbh_") && !made.err.contains(&token), "{}", made.err);
    admin.run(&["token", "create", "laptop", "--user", "nobody"]).await.bad(1);

    let bob = User::new();
    bob.log_in(&app, &token).await;
    assert_eq!(bob.run(&["list", "--json"]).await.json(), json!([]));
    assert_eq!(bob.run(&["runs", "--json"]).await.json(), json!([]));
    bob.run(&["find", HOOK]).await.bad(3);
    bob.run(&["user", "list"]).await.bad(4);
    bob.run(&["list", "--owner", "admin"]).await.bad(4);
    write(&bob.path(HOOK), notebook(&["'bob'"]).to_string().as_bytes());
    bob.run(&["deploy", HOOK]).await.good();
    assert!(admin.run(&["find", HOOK]).await.bad(2).contains("--owner"), "two users have that path");
    assert_eq!(admin.run(&["find", HOOK, "--owner", "bob"]).await.good(), bob.run(&["find", HOOK]).await.good());

    let listed = bob.run(&["token", "list", "--json"]).await.json();
    assert!(!listed.to_string().contains(&token));
    let id = listed[0]["id"].as_str().unwrap();
    assert!(admin.run(&["token", "list"]).await.good().contains(id));
    admin.run(&["token", "revoke", id]).await.good();
    bob.run(&["list"]).await.bad(4);
    admin.run(&["token", "revoke", id]).await.bad(3);
    admin.run(&["token", "revoke", "../users"]).await.bad(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_what_is_there_and_what_is_missing() {
    let user = User::new();
    let (data, here) = (user.path("data"), python());
    write(&user.path("nbhook.toml"), b"listen = '127.0.0.1:0'\n"); // whatever else uses the usual port here
    let doctor = async |data: &Path, python: &Path| {
        let arguments = ["doctor", "--json", "--data", data.to_str().unwrap(), "--python", python.to_str().unwrap()];
        let ran = user.run(&arguments).await;
        let findings: Vec<Value> = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{} {}", ran.out, ran.err));
        (ran.code, findings)
    };
    let state = |findings: &[Value], subject: &str| {
        let found = findings.iter().find(|finding| finding["subject"] == subject);
        found.map(|finding| finding["state"].as_str().unwrap().to_owned())
    };
    let (code, findings) = doctor(&data, &here).await;
    assert_eq!(code, 0, "{findings:?}");
    for subject in ["data folder", "port", "clock", "public URL", "python", "ipykernel", "nbconvert", "kernelspecs"] {
        assert_eq!(state(&findings, subject).as_deref(), Some("ok"), "{subject}: {findings:?}");
    }
    for subject in ["mail", "login"] {
        assert_eq!(state(&findings, subject).as_deref(), Some("note"), "{subject}");
    }
    let fixes = findings.iter().filter(|finding| finding["state"] != "ok");
    assert!(fixes.clone().count() >= 2 && fixes.clone().all(|finding| finding["fix"].is_string()), "{findings:?}");
    std::fs::remove_file(user.path("nbhook.toml")).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    write(&user.path("nbhook.toml"), format!("listen = '{}'", taken.local_addr().unwrap()).as_bytes());
    let (code, findings) = doctor(&data, &here).await;
    assert_eq!((code, state(&findings, "port").as_deref()), (1, Some("problem")), "{findings:?}");
    drop(taken);
    let (code, findings) = doctor(&data, Path::new("/nowhere/python")).await;
    assert_eq!((code, state(&findings, "python").as_deref()), (1, Some("problem")), "{findings:?}");
    write(&user.path("file"), b"");
    let (code, findings) = doctor(&user.path("file/data"), &here).await;
    assert_eq!((code, state(&findings, "data folder").as_deref()), (1, Some("problem")), "{findings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_and_dependencies_are_added_listed_fetched_promoted_and_deleted() {
    let app = TestApp::start().await;
    let user = deployed(&app).await;
    write(&user.path("reports/chart.html"), b"<p>one");
    let add = ["asset", "add", "reports/chart.html", "--inline"];
    let url = user.run(&add).await.good().trim().to_owned();
    assert_eq!(app.http.get(&url).send().await.unwrap().text().await.unwrap(), "<p>one");
    std::fs::remove_file(user.path("reports/chart.html")).unwrap();
    write(&user.path("reports/chart.html"), b"<p>two");
    assert_eq!(user.run(&add).await.good().trim(), url, "a new version, at the same place");
    let listed = user.run(&["asset", "list", "--json"]).await.json();
    assert_eq!((&listed[0]["path"], &listed[0]["params"]["inline"]), (&json!("reports/chart.html"), &json!(true)));
    let absolute = user.path("reports/chart.html");
    for name in ["reports/chart.html", absolute.to_str().unwrap(), listed[0]["id"].as_str().unwrap()] {
        assert!(user.run(&["asset", "show", name]).await.good().contains(&url), "{name}");
    }
    assert!(user.run(&["asset", "set", "reports/chart.html", "--inline", "false"]).await.good().contains("now save"));
    let saved = app.http.get(&url).send().await.unwrap();
    assert!(saved.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
    let versions = user.run(&["asset", "versions", "reports/chart.html", "--json"]).await.json();
    let (new, old) = (versions[0]["histo"].as_str().unwrap(), versions[1]["histo"].as_str().unwrap());
    let table = user.run(&["asset", "versions", "reports/chart.html"]).await.good();
    assert!(table.contains(&format!("{new}\tlive\t6 B\t1\t")), "{table}");
    assert_eq!(user.run(&["asset", "get", "reports/chart.html", "-o", "-"]).await.bytes, b"<p>two");
    let name = user.run(&["asset", "get", "reports/chart.html", "--histo", old]).await.good();
    assert_eq!(name.trim(), format!("chart.{old}.html"));
    assert_eq!(std::fs::read(user.path(name.trim())).unwrap(), b"<p>one");
    user.run(&["asset", "get", "reports/chart.html", "--histo", old]).await.bad(1);
    user.run(&["asset", "promote", "reports/chart.html", "20200101000000000000"]).await.bad(3);
    assert!(user.run(&["asset", "promote", "reports/chart.html", old]).await.good().contains(old));
    assert_eq!(app.http.get(&url).send().await.unwrap().text().await.unwrap(), "<p>one");
    assert!(
        user.run(&["asset", "clear", "reports/chart.html", "--histo", old]).await.bad(1).contains("promote another")
    );
    assert_eq!(user.run(&["asset", "clear", "reports/chart.html"]).await.good().trim(), new);
    user.run(&["asset", "delete", "reports/chart.html"]).await.bad(2); // there is nobody to ask
    user.run(&["asset", "delete", "reports/chart.html", "--yes"]).await.good();
    assert_eq!(app.http.get(&url).send().await.unwrap().status(), 404);
    user.run(&["asset", "show", "reports/chart.html"]).await.bad(3);

    // A folder, which the next run of the notebook beside it finds; what the notebook brings itself wins.
    write(&user.path("reports/data/more/x.txt"), b"x");
    write(&user.path("reports/data/.hidden"), b"hidden");
    let said = user.run(&["dependency", "add", "reports/data"]).await.good();
    assert!(said.starts_with("added reports/data as version ") && said.ends_with(": 2 files, 4 B\n"), "{said}");
    let reads =
        notebook(&["import os", "from nbhook import webhook\nwebhook.respond_json(sorted(os.listdir('data')))"]);
    write(&user.path("reports/reads.ipynb"), reads.to_string().as_bytes());
    user.run(&["deploy", "reports/reads.ipynb"]).await.good();
    assert_eq!(user.run(&["call", "reports/reads.ipynb"]).await.json(), json!(["more", "offset.txt"]));
    assert!(user.run(&["dependency", "get", "reports/data"]).await.bad(1).contains("folder"));
    write(&user.path("data"), b"a file");
    let refused = user.run(&["dependency", "add", "data", "--path", "reports/data/more"]).await.bad(1);
    assert!(refused.contains("`reports/data/more/x.txt`"), "{refused}");
    let table = user.run(&["dependency", "list"]).await.good();
    assert!(table.starts_with("PATH\tOWNER\t") && table.contains("reports/data\tadmin\t"), "{table}");
    user.run(&["dependency", "delete", "reports/data", "--yes"]).await.good();
    assert_eq!(user.run(&["dependency", "list", "--json"]).await.json(), json!([]));
}
