//! The Python client against the real server, from notebooks that run as a person runs them.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::app::{ADMIN, TestApp, fixture, notebook, ok, python, url, write};
use crate::cli::User;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Runs a notebook below `home` with nbclient, made of the cells in a file of `tests/support` if one is named; gives its
/// outputs as text.
#[expect(clippy::disallowed_methods, reason = "a process of the test's own, waited for and killed when dropped")]
async fn session(app: &TestApp, home: &Path, name: &str, cells: Option<&str>, env: &[(&str, &str)]) -> String {
    let notebook = home.join(name);
    std::fs::create_dir_all(notebook.parent().unwrap()).unwrap();
    let mut command = tokio::process::Command::new(python());
    command.arg(format!("{ROOT}/tests/support/run_session.py")).arg(&notebook);
    command.args(cells.map(|cells| format!("{ROOT}/tests/support/{cells}.py")));
    command
        .env_clear()
        .env("HOME", home)
        .env("PYTHONPATH", format!("{ROOT}/python/src:{ROOT}/tests/support"))
        .env("PATH", "/usr/bin:/bin");
    command.env("NBHOOK_URL", &app.url).env("NBHOOK_TOKEN", ADMIN).envs(env.iter().copied());
    let done = command.kill_on_drop(true).stdin(Stdio::null()).output().await.unwrap();
    let (out, err) = (String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap());
    assert!(done.status.success(), "{err}");
    assert!(!out.contains(ADMIN) && !err.contains(ADMIN), "the API token was shown");
    let outputs: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out} {err}"));
    let texts = outputs.as_array().unwrap().iter();
    texts.map(|output| output["text"].as_str().or(output["data"]["text/plain"].as_str()).unwrap_or_default()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_function_of_the_client_does_what_it_says() {
    let app = TestApp::start().await;
    app.member("bob").await;
    let home = TempDir::new().unwrap();
    let said = session(&app, home.path(), "work/session.ipynb", Some("manages_a_webhook"), &[]).await;
    assert!(said.contains("deployed work/Zahlen & Übersicht.ipynb as saved at"), "{said}");
    assert!(said.ends_with("all is well\n"), "{said}");
    assert_eq!(app.kept().len(), 0, "deleted with all that was kept: {:?}", app.kept().keys());
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_started_watched_cancelled_and_repeated_through_the_client() {
    let app = TestApp::start().await;
    let home = TempDir::new().unwrap();
    let said = session(&app, home.path(), "session.ipynb", Some("watches_its_runs"), &[]).await;
    assert!(said.ends_with("all is well\n"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fixture_that_answers_does_so_through_the_client() {
    let app = TestApp::start().await;
    let home = TempDir::new().unwrap();
    let fixtures = format!("{ROOT}/fixtures/notebooks");
    let env = [("FIXTURES", fixtures.as_str())];
    let said = session(&app, home.path(), "session.ipynb", Some("calls_the_fixtures"), &env).await;
    assert!(said.ends_with("all is well\n"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notebook_that_deploys_itself_does_so_only_in_front_of_a_person() {
    let app = TestApp::start().await;
    let user = User::new();
    let (home, name) = (&user.home, "work/süd/deploys itself.ipynb");
    let file = home.path().join(name);
    user.log_in(&app, ADMIN).await;
    write(&file, fixture("deploys_itself").to_string().as_bytes());
    // JupyterLab of today gives the whole path, older ones the path from where the server was started.
    for (session_name, expected) in [(file.to_str().unwrap(), 1), (name, 2), ("süd/deploys itself.ipynb", 3)] {
        // Server and token are those that `nbhook login` has kept.
        let env = [("JPY_SESSION_NAME", session_name), ("NBHOOK_URL", ""), ("NBHOOK_TOKEN", "")];
        session(&app, home.path(), name, None, &env).await;
        let hooks = app.get("/v1/hooks").await;
        assert_eq!(hooks["items"].as_array().unwrap().len(), 1, "{hooks}");
        let hook = &hooks["items"][0];
        assert_eq!((&hook["path"], &hook["params"]["inline"]), (&json!(name), &json!(true)));
        assert_eq!(user.run(&["find", name]).await.good().trim(), url(hook), "the command line finds the same hook");
        assert_eq!(app.call(hook, &[("name", "Ann")]).await.text().await.unwrap(), "Hello, Ann!");
        let versions = app.get(&format!("/v1/hooks/{}/versions", hook["id"].as_str().unwrap())).await;
        assert_eq!(versions["items"].as_array().unwrap().len(), expected, "a run deployed it");
        let output = app.get(&format!("/v1/hooks/{}/outputs", hook["id"].as_str().unwrap())).await;
        let run = output["items"][0]["run"].as_str().unwrap();
        let executed = app.get(&format!("/v1/runs/{run}/output")).await.to_string();
        assert!(executed.contains("webhook.add() does nothing here"), "{executed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn naas_is_the_alias_unless_a_real_one_is_installed() {
    let app = TestApp::start().await;
    let cells = [
        "import json, os, sys\nimport naas, nbhook",
        "hook = {'file': naas.__file__, 'nbhook': nbhook.__file__, 'path': sys.path, 'env': sorted(os.environ),\
         'same': getattr(naas, 'webhook', None) is nbhook.webhook}",
        "nbhook.webhook.respond_json(hook)",
    ];
    let alias = app.deploy("alias.ipynb", &notebook(&cells), json!({})).await;
    let found = ok(app.call(&alias, &[]).await).await;
    assert_eq!(found["same"], true);
    let place = app.data.path().join(".nbhook").canonicalize().unwrap();
    assert!(found["file"].as_str().unwrap().starts_with(place.to_str().unwrap()), "{found}");
    let path: Vec<_> = found["path"].as_array().unwrap().iter().map(|entry| entry.as_str().unwrap()).collect();
    let ours = path.iter().position(|entry| entry.starts_with(place.to_str().unwrap())).unwrap();
    assert!(
        path[ours..].iter().all(|entry| entry.starts_with(place.to_str().unwrap())),
        "the client is last: {path:?}"
    );
    let env: Vec<_> = found["env"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let nbhook: Vec<_> = env.into_iter().filter(|name| name.starts_with("NBHOOK")).collect();
    let expected = [
        "NBHOOK_HOOK",
        "NBHOOK_RUN",
        "NBHOOK_RUN_FOLDER",
        "NBHOOK_RUN_PATH",
        "NBHOOK_RUN_TOKEN",
        "NBHOOK_RUN_URL",
        "NBHOOK_URL",
    ];
    assert_eq!(nbhook, expected, "no token comes into a run but its own");

    let installed = TempDir::new().unwrap();
    write(&installed.path().join("naas/__init__.py"), b"real = True");
    let params = json!({"env": {"PYTHONPATH": installed.path()}});
    let real = app.deploy("real.ipynb", &notebook(&cells), params).await;
    let found = ok(app.call(&real, &[]).await).await;
    assert_eq!(found["file"], json!(installed.path().join("naas/__init__.py")));
    assert_eq!((&found["same"], url(&real) == url(&alias)), (&json!(false), false));
}
