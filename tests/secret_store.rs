//! Secrets that users give the server to keep: who may read them, that nothing else holds them, and that runs do not show them.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::{Command, Stdio};

use nbhook::config::{ExecutorChoice, Secret, Settings};
use reqwest::{Method, Response};
use serde_json::json;

use crate::app::{ADMIN, TestApp, World, allow_local, eventually, notebook, ok, problem, python, run_of, url};
use crate::binary::{Server, nbhook};
use crate::manager::Visitor;
use crate::receiver::{Received, Receiver};

const VALUE: &str = "hush-hush \"x4711x\" & Zürich";

async fn put(app: &TestApp, token: &str, name: &str, value: &str) -> Response {
    let request = app.api_as(token, Method::PUT, &format!("/v1/secrets/{name}"));
    request.json(&json!({"value": value})).send().await.unwrap()
}

async fn get(app: &TestApp, token: &str, name: &str) -> Response {
    app.api_as(token, Method::GET, &format!("/v1/secrets/{name}")).send().await.unwrap()
}

/// Whether any file of the data folder holds the text; the database and its log too.
fn holds(app: &TestApp, text: &str) -> bool {
    let (mut found, mut folders) = (false, vec![app.data.path().to_owned()]);
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                found |= bytes.windows(text.len()).any(|part| part == text.as_bytes());
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_its_owners_alone_and_lies_nowhere_as_it_is() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.member("alice").await, app.member("bob").await);
    let made = put(&app, &alice, "db.password", "hunter2-of-alice").await;
    assert_eq!(made.status(), 201);
    let made = ok(made).await;
    assert!(made["value"].is_null() && made["name"] == "db.password", "{made}");
    assert_eq!(put(&app, &bob, "db.password", "another-of-bob").await.status(), 201);

    let read = get(&app, &alice, "db.password").await;
    assert_eq!(read.headers()["cache-control"], "no-store");
    assert_eq!(ok(read).await["value"], "hunter2-of-alice");
    assert_eq!(ok(get(&app, &bob, "db.password").await).await["value"], "another-of-bob");
    problem(get(&app, ADMIN, "db.password").await, 404).await;
    let listed = ok(app.api_as(&alice, Method::GET, "/v1/secrets").send().await.unwrap()).await;
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["name"]), (1, &json!("db.password")));
    assert!(!listed.to_string().contains("hunter2"));
    assert_eq!(app.get("/v1/secrets").await["items"], json!([]), "an admin has only their own");

    for text in ["hunter2-of-alice", "another-of-bob"] {
        assert!(!holds(&app, text), "{text} lies somewhere as it is");
    }
    assert!(holds(&app, "db.password"), "what is looked through has the database");
    let key = std::fs::metadata(app.data.path().join(".nbhook/secret.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);

    assert_eq!(put(&app, &alice, "db.password", "new-of-alice").await.status(), 200);
    assert_eq!(ok(get(&app, &alice, "db.password").await).await["value"], "new-of-alice");
    for (name, value, field) in [
        ("1a", "hush-hush", "name"),
        ("a%20b", "hush-hush", "name"),
        ("a", "abc", "value"),
        ("a", &"x".repeat(65_537), "value"),
    ] {
        let refused = problem(put(&app, &alice, name, value).await, 422).await;
        assert!(refused["field"] == field && !refused.to_string().contains("hush"), "{refused}");
    }
    let gone = app.api_as(&alice, Method::DELETE, "/v1/secrets/db.password").send().await.unwrap();
    ok(gone).await;
    problem(get(&app, &alice, "db.password").await, 404).await;
    assert_eq!(ok(get(&app, &bob, "db.password").await).await["value"], "another-of-bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_sealed_for_another_owner_or_with_another_key_does_not_open() {
    let app = TestApp::start_with(|settings| settings.secret_key = Some(Secret::new("11".repeat(32)))).await;
    let alice = app.member("alice").await;
    ok(put(&app, &alice, "token", "hunter2-of-alice").await).await;
    assert!(!app.data.path().join(".nbhook/secret.key").exists(), "the settings have it");
    let data = app.stop().await;
    // Whoever can write to the database copies her row to themselves.
    let database = data.path().join(".nbhook/nbhook.db");
    let copy = "import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\n\
        db.execute(\"INSERT INTO secrets SELECT (SELECT id FROM users WHERE name = 'admin'), name, sealed, key_id, created_at, \
        updated_at FROM secrets\")\ndb.commit()";
    crate::app::run_python(&["-c", copy, database.to_str().unwrap()], "");
    let again = |key: &str| {
        let key = Secret::new(key.repeat(32));
        move |settings: &mut Settings| settings.secret_key = Some(key)
    };
    let app = TestApp::start_in(World { data, ..World::default() }, again("11")).await;
    assert_eq!(ok(get(&app, &alice, "token").await).await["value"], "hunter2-of-alice");
    problem(get(&app, ADMIN, "token").await, 409).await;

    let data = app.stop().await;
    let app = TestApp::start_in(World { data, ..World::default() }, again("22")).await;
    let lost = problem(get(&app, &alice, "token").await, 409).await;
    assert!(lost["detail"].as_str().unwrap().contains("another key: add it again"), "{lost}");
    let listed = ok(app.api_as(&alice, Method::GET, "/v1/secrets").send().await.unwrap()).await;
    assert_eq!(listed["items"][0]["name"], "token");
    assert_eq!(put(&app, &alice, "token", "given-again").await.status(), 200);
    assert_eq!(ok(get(&app, &alice, "token").await).await["value"], "given-again");
}

/// Prints a secret in every way that notebooks have, and then answers before it ends.
const SHOWS: &str = r"
import base64, html, json, os, re, sys, urllib.parse
import nbhook
from IPython.display import HTML, display
from nbhook import secret, webhook
value = secret.get('warehouse')
run_token = os.environ['NBHOOK_RUN_TOKEN']
print(value, repr(value), run_token, dict(os.environ))
print(json.dumps({'a': value}), json.dumps(value, ensure_ascii=False), base64.b64encode(value.encode()).decode())
print(urllib.parse.quote(value), urllib.parse.quote_plus(value), html.escape(value))
print(ascii(value), value.encode(), json.dumps(json.dumps({value: 1})), html.escape(value).replace('&quot;', '&#34;'))
print(re.sub('%..', lambda match: match[0].lower(), urllib.parse.quote(value)), repr(value + chr(39)))
sys.stderr.write('error ' + value + '\n')
display(HTML('<b>' + html.escape(value) + '</b>'))
display({'text/plain': 'x', 'application/json': {'deep': [value], value: 1, 'image/png': value}, 'x/' + value: 'x'}, raw=True)
nbhook.progress(1, 2, 'with ' + value)
print('all was printed')
";

/// What shows of it, whatever is done to it.
fn shown(text: &str) -> Vec<&str> {
    ["x4711x", "NDcxMXgi", "hush-hush"].into_iter().filter(|part| text.contains(part)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_has_read_shows_in_nothing_that_is_kept_or_told_of_it() {
    let receiver = Receiver::start().await;
    let app = TestApp::start_with(allow_local).await;
    let (alice, bob) = (app.member("alice").await, app.member("bob").await);
    ok(put(&app, &alice, "warehouse", VALUE).await).await;
    ok(put(&app, &bob, "of_bob", "something-of-bob").await).await;
    let ends = "assert secret.get('of_bob', 'nothing') == 'nothing' and [s['name'] for s in secret.list()] == ['warehouse']\n\
        if kind == 'file':\n    answer = {'kind': 'file', 'path': '/tmp/' + value}\n    \
        display({'text/plain': 'x'}, metadata={'nbhook': {'response': answer}}, raw=True)\n\
        webhook.respond_json({'value': value})\nif kind == 'raise':\n    raise type('E_' + value, (Exception,), {})('no: ' + value)";
    let params = json!({"notif_down": "down@example.org"});
    let sends = "webhook.callback('told', {value: 1, 'image/png': value, 'deep': [value]})\nwebhook.callback(value, 1)\n\
        for piece in [value[:13], value[13:]]:\n    print(piece, end='', flush=True)";
    let body = json!({"path": "s.ipynb", "params": params, "notebook": notebook(&[SHOWS, sends, ends]),
        "callbacks": {"told": {"{$request.query.to}": {}}}});
    let hook = ok(app.api_as(&alice, Method::POST, "/v1/hooks").json(&body).send().await.unwrap()).await;
    let wish = json!({"callbackUrl": receiver.url(), "mode": "continuous", "tags": [["run", "failed"]]});
    ok(app.api_as(&alice, Method::POST, "/v1/subscriptions").json(&wish).send().await.unwrap()).await;

    let to = format!("{}/told", receiver.url());
    let answer = app.call(&hook, &[("kind", "answer"), ("to", &to)]).await;
    let first = run_of(&answer);
    assert_eq!(ok(answer).await["value"], VALUE, "what a notebook answers is its own");
    let mut fails = Vec::new();
    for kind in ["file", "raise"] {
        let call = app.http.get(url(&hook)).query(&[("kind", kind), ("to", to.as_str())]).bearer_auth(&alice);
        fails.push(call.send().await.unwrap());
    }
    let [third, second] = [&fails[0], &fails[1]].map(run_of);
    let [no_file, told] = [problem(fails.remove(0), 500).await, problem(fails.remove(0), 500).await];
    assert_eq!(no_file["detail"].as_str().unwrap(), "respond_file: `***` does not exist");
    assert_eq!(told["ename"], "E_***", "{told}");
    assert!(told["traceback"].is_array() && told["evalue"].as_str().unwrap().starts_with("no: ***"), "{told}");
    app.quiet().await;
    app.app().service().send_notices().await.unwrap();
    let got = receiver.wait_for(5).await;
    let sent = got.iter().map(Received::json).find(|body| body["image/png"].is_string());
    assert_eq!(sent.unwrap(), json!({"***": 1, "image/png": "***", "deep": ["***"]}), "a declared callback");
    assert_eq!(got.len(), 5);
    let mut texts: Vec<_> = got.iter().map(|one| String::from_utf8_lossy(&one.body).into_owned()).collect();
    texts.push(told.to_string());
    for path in [
        format!("/v1/runs/{first}"),
        format!("/v1/runs/{second}"),
        format!("/v1/runs/{third}"),
        format!("/v1/runs/{first}/output"),
        format!("/v1/runs/{second}/output"),
        "/v1/runs".to_owned(),
        "/v1/events".to_owned(),
        "/v1/deliveries".to_owned(),
    ] {
        let response = app.api_as(&alice, Method::GET, &path).send().await.unwrap();
        assert!(response.status().is_success(), "{path}");
        texts.push(response.text().await.unwrap());
    }
    assert!(texts[6].contains("`***`, which is not declared"), "{}", texts[6]);
    let output = texts.iter().find(|text| text.contains("nbformat_minor")).unwrap();
    assert!(output.contains("all was printed") && output.contains("***"), "{output}");
    for text in &texts {
        assert_eq!(shown(text), [""; 0], "{text}");
        assert!(!text.contains("nbr_"), "the run's own token: {text}");
    }
    for part in ["hush-hush \\\"x4711x", "hush-hush \"x4711x", "NDcxMXgi", "nbr_"] {
        assert!(!holds(&app, part), "{part} is kept somewhere");
    }
}

/// Reads the events of a run that goes on, until they have this.
async fn events(app: &TestApp, token: &str, run: &str, until: &str) -> String {
    let mut response = app.api_as(token, Method::GET, &format!("/v1/runs/{run}/events")).send().await.unwrap();
    let mut told = String::new();
    while !told.contains(until) {
        let chunk = response.chunk().await.unwrap().unwrap_or_else(|| panic!("the run has ended: {told}"));
        told.push_str(&String::from_utf8_lossy(&chunk));
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runs_token_opens_little_and_nothing_once_the_run_has_ended() {
    for executor in [ExecutorChoice::Auto, ExecutorChoice::Spawn] {
        let app = TestApp::start_with(|settings| settings.kernel.executor = executor).await;
        let (alice, bob) = (app.member("alice").await, app.member("bob").await);
        ok(put(&app, &alice, "warehouse", VALUE).await).await;
        ok(put(&app, &bob, "of_bob", "something-of-bob").await).await;
        let waits = "webhook.respond_text(run_token, early=True)\nimport time\nif kind == 'wait':\n    time.sleep(600)";
        let hook = app.deploy_as(&alice, "s.ipynb", &notebook(&[SHOWS, waits]), json!({})).await;

        let answer = app.call(&hook, &[("kind", "wait")]).await;
        let run = run_of(&answer);
        let token = answer.text().await.unwrap();
        assert!(token.starts_with("nbr_"), "{token}");
        assert_eq!(ok(get(&app, &token, "warehouse").await).await["value"], VALUE);
        problem(get(&app, &token, "of_bob").await, 404).await;
        for (method, path) in [
            (Method::PUT, "/v1/secrets/warehouse"),
            (Method::DELETE, "/v1/secrets/warehouse"),
            (Method::GET, "/v1/notifications"),
            (Method::GET, "/v1/users/me"),
            (Method::GET, "/v1/hooks"),
            (Method::POST, "/v1/hooks"),
            (Method::POST, "/v1/tokens"),
        ] {
            let body = json!({"value": "hush-hush", "name": "t"});
            let refused = app.api_as(&token, method.clone(), path).json(&body).send().await.unwrap();
            assert_eq!(refused.status(), 401, "{method} {path}");
        }
        let told = events(&app, &alice, &run, "all was printed").await;
        assert!(told.contains("with ***") && told.contains("error ***"), "{told}");
        assert!(shown(&told).is_empty() && !told.contains("nbr_"), "{told}");

        ok(app.api_as(&alice, Method::POST, &format!("/v1/runs/{run}/cancel")).send().await.unwrap()).await;
        eventually("the token is worth nothing", async || get(&app, &token, "warehouse").await.status() == 401).await;
        let next = app.call(&hook, &[("kind", "end")]).await.text().await.unwrap();
        app.quiet().await;
        assert!(next.starts_with("nbr_") && next != token);
        for token in [token.as_str(), next.as_str(), "nbr_000000000000000000000000000"] {
            problem(get(&app, token, "warehouse").await, 401).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manager_shows_names_and_what_came_of_mails_and_no_value() {
    let app = TestApp::start().await;
    let alice = app.member("alice").await;
    let visitor = Visitor::sign_in(&app, &alice).await;
    assert!(visitor.page("/manager/secrets").await.contains("There are no secrets yet"));
    let add = visitor.api(Method::PUT, "/v1/secrets/warehouse").json(&json!({"value": VALUE}));
    assert_eq!(add.send().await.unwrap().status(), 201);
    let page = visitor.page("/manager/secrets").await;
    assert!(page.contains("data-send=\"DELETE /v1/secrets/warehouse\"") && shown(&page).is_empty(), "{page}");

    assert!(visitor.page("/manager/notifications").await.contains("No mail was sent"));
    let mail = json!({"email_to": "ann@example.org", "subject": "<script>alert(1)</script>", "text": "hush-hush"});
    ok(app.api_as(&alice, Method::POST, "/v1/notifications").json(&mail).send().await.unwrap()).await;
    let page = visitor.page("/manager/notifications").await;
    assert!(page.contains("ann@example.org") && page.contains("&lt;script&gt;alert(1)"), "{page}");
    assert!(!page.contains("<script>alert") && shown(&page).is_empty(), "{page}");
}

/// `nbhook` without root's rights to look into all processes.
#[expect(clippy::disallowed_methods, reason = "a test's own process, killed by `Server`")]
fn nbhook_of_a_user(args: &[&str]) -> Command {
    let command = nbhook(args);
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return command;
    }
    let mut confined = Command::new("setpriv");
    confined
        .args(["--bounding-set", "-sys_ptrace,-sys_admin,-perfmon"])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => confined.env(name, value),
            None => confined.env_remove(name),
        };
    }
    confined.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    confined
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notebook_cannot_look_into_the_process_of_the_server() {
    let data = tempfile::tempdir().unwrap();
    let mut command = nbhook_of_a_user(&["serve", "--listen", "127.0.0.1:0"]);
    command.arg("--data").arg(data.path()).arg("--python").arg(python()).current_dir(data.path());
    command.env("NBHOOK_ADMIN_TOKEN", "nba_of-the-environment").env("NBHOOK_SECRET_KEY", "11".repeat(32));
    let server = Server::from_command(command, data.path());
    let put = server.api(Method::PUT, "/v1/secrets/one").json(&json!({"value": "hunter2"}));
    ok(put.send().await.unwrap()).await;
    assert!(!data.path().join(".nbhook/secret.key").exists(), "the key is the one in the environment");
    let looks = "import os\nfrom nbhook import secret, webhook\nfound = {'secret': secret.get('one')}\n\
        def look(name, how):\n    try:\n        how()\n        found[name] = 'open'\n    except PermissionError:\n        found[name] = 'closed'\n\
        for name in ['environ', 'mem', 'maps']:\n    look(name, lambda: open(f'/proc/{pid}/{name}', 'rb').close())\n\
        look('files', lambda: os.readlink(f'/proc/{pid}/fd/2'))\nlook('own', lambda: open('/proc/self/environ').read())\n\
        webhook.respond_json(found)";
    let body = json!({"path": "looks.ipynb", "notebook": notebook(&[looks])});
    let hook = ok(server.api(Method::POST, "/v1/hooks").json(&body).send().await.unwrap()).await;
    let call = server.http.get(url(&hook)).query(&[("pid", server.pid())]);
    let found = ok(call.send().await.unwrap()).await;
    let closed = json!({"secret": "hunter2", "environ": "closed", "mem": "closed", "maps": "closed", "files": "closed", "own": "open"});
    assert_eq!(found, closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_says_at_its_start_that_it_has_another_key() {
    const WARNING: &str = "secrets were encrypted with another key and cannot be read";
    let data = tempfile::tempdir().unwrap();
    let start = |key: &str| Server::start_with(data.path(), &[("NBHOOK_SECRET_KEY", &key.repeat(32))]);
    let mut server = start("11");
    for name in ["one", "two"] {
        let put = server.api(Method::PUT, &format!("/v1/secrets/{name}")).json(&json!({"value": "hunter2"}));
        ok(put.send().await.unwrap()).await;
    }
    for (key, lost) in [("11", None), ("22", Some("secrets=2"))] {
        server.kill();
        server = start(key);
        // It has said it before it serves.
        let log = server.log();
        assert_eq!(log.contains(WARNING), lost.is_some(), "{log}");
        assert!(lost.is_none_or(|number| log.contains(number)), "{log}");
        assert!(!log.contains("hunter2") && !log.contains(&key.repeat(32)), "{log}");
    }
}
