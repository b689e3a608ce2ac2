//! Deploying: what the server takes, what it makes of it, and what is then on disk.

use std::collections::BTreeSet;

use chrono::{TimeZone, Utc};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, eventually, fixture, form, notebook, ok, python, url};

const HISTO: usize = 20;

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

/// Bytes that no JSON writer would make again: odd spaces, escapes, a number written at length, a BOM before it all.
fn peculiar() -> Vec<u8> {
    let text = "\u{feff}{ \"cells\" : [ {\"cell_type\":\"code\",\"execution_count\":null,\"metadata\":{},\"outputs\":[],\
        \"source\":[\"from lib import helper\\n\", \"from nbhook import webhook\\n\",\
        \"webhook.respond_json([helper.NAME, open('data/preise \\u00fc & mehr.csv').read()])\"]} ],\r\n\
        \"metadata\":{\"x\": 1.50, \"kernelspec\":{\"name\":\"python3\",\"display_name\":\"P\"}},\"nbformat\":4,\"nbformat_minor\" : 4}\n\n";
    text.as_bytes().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notebook_with_dependencies_is_kept_as_sent_and_runs_beside_them() {
    let app = TestApp::start().await;
    let path = "Berichte & Zahlen/Übersicht 2025 é.ipynb";
    let meta = json!({"path": format!("./{path}")});
    let dependencies: [(&str, &[u8]); 3] = [
        ("data/preise ü & mehr.csv", "a;b\n1;€".as_bytes()),
        ("lib/helper.py", b"NAME = 'help'"),
        ("lib/sub/raw.bin", b"\0\xff\r\n--a-boundary\r\n"),
    ];
    let response = app.upload(&meta, &peculiar(), &dependencies).await;
    assert_eq!(response.status(), 201);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let first = ok(response).await;
    assert_eq!((text(&first["path"]), text(&first["owner"])), (path, "admin"));
    assert_eq!(location, format!("/v1/hooks/{}", text(&first["id"])));
    assert_eq!(first["warnings"], json!([]));

    let folder = format!("admin/{path}/{}", text(&first["histo"]));
    let mut expected = vec![(format!("{folder}/notebook.ipynb"), peculiar().into())];
    expected.extend(dependencies.map(|(name, content)| (format!("{folder}/dependencies/{name}"), content.into())));
    let mut kept = app.kept();
    assert_eq!(kept.remove("admin.token"), None, "the token came from the settings");
    assert_eq!(kept, expected.into_iter().collect());
    // The server itself writes something there when it starts.
    eventually("nothing is left of the deploy", async || app.scratch().is_empty()).await;
    assert_eq!(ok(app.call(&first, &[]).await).await, json!(["help", "a;b\n1;€"]));

    // Dependencies belong to a version: those of the last one are not there any more.
    let response = app.upload(&meta, &peculiar(), &[("lib/helper.py", b"NAME = 'new'")]).await;
    assert_eq!(response.status(), 200);
    let second = ok(response).await;
    assert_eq!((&second["id"], &second["url"]), (&first["id"], &first["url"]));
    assert!(text(&second["histo"]) > text(&first["histo"]));
    assert_eq!(app.call(&second, &[]).await.status(), 500, "its csv file was not deployed again");
    app.quiet().await;
    assert_eq!(app.scratch(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn file_names_of_old_clients_are_understood() {
    let app = TestApp::start().await;
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"meta\"\r\n\r\n{{\"path\": \"a.ipynb\"}}\r\n\
         --b\r\nContent-Disposition: form-data; name=\"notebook\"\r\n\r\n{}\r\n\
         --b\r\nContent-Disposition: form-data; name=\"dependency\"; filename*=utf-8''sub/%C3%BC%20x.csv\r\n\r\n1\r\n--b--\r\n",
        notebook(&["1"])
    );
    let request = app.api(Method::POST, "/v1/hooks").header("content-type", "multipart/form-data; boundary=b");
    ok(request.body(body).send().await.unwrap()).await;
    assert!(app.kept().keys().any(|name| name.ends_with("/dependencies/sub/ü x.csv")), "{:?}", app.kept().keys());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_deploys_of_one_path_is_one_hook_with_a_version_each() {
    let noon = Utc.with_ymd_and_hms(2025, 3, 9, 12, 0, 0).unwrap();
    let app = TestApp::start_at(noon, |_| {}).await;
    let one = async |number: usize| {
        let notebook = notebook(&[&format!("number = {number}")]);
        let body = json!({"path": "burst.ipynb", "notebook": notebook});
        let response = app.api(Method::POST, "/v1/hooks").json(&body).send().await.unwrap();
        (response.status().as_u16(), number, ok(response).await)
    };
    let deployed = join_all((0..30).map(one)).await;
    assert_eq!(deployed.iter().filter(|(status, ..)| *status == 201).count(), 1);
    assert_eq!(deployed.iter().map(|(.., hook)| url(hook)).collect::<BTreeSet<_>>().len(), 1);
    let histos: BTreeSet<_> = deployed.iter().map(|(.., hook)| text(&hook["histo"])).collect();
    assert_eq!(histos.len(), 30);
    assert!(histos.iter().all(|histo| histo.len() == HISTO && histo.starts_with("20250309120000")), "{histos:?}");

    let hook = &deployed[0].2;
    let id = text(&hook["id"]);
    let listed = app.get(&format!("/v1/hooks/{id}/versions?limit=250")).await;
    let shown: Vec<_> = listed["items"].as_array().unwrap().iter().map(|version| text(&version["histo"])).collect();
    assert_eq!(shown, histos.iter().rev().copied().collect::<Vec<_>>());
    let live: Vec<_> = listed["items"].as_array().unwrap().iter().map(|version| version["live"] == true).collect();
    assert_eq!(live.iter().position(|live| *live), Some(0));
    assert_eq!(live.iter().filter(|live| **live).count(), 1);
    for (_, number, hook) in &deployed {
        let file = format!("admin/burst.ipynb/{}/notebook.ipynb", text(&hook["histo"]));
        let kept: Value = serde_json::from_slice(&app.kept()[&file]).unwrap();
        assert_eq!(kept["cells"][0]["source"], format!("number = {number}"), "the answer named another's version");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_replaces_the_params_and_a_patch_changes_some() {
    let app = TestApp::start().await;
    let plain = notebook(&["1"]);
    let hook = app
        .deploy("p.ipynb", &plain, json!({"notif_down": "bob@naas.ai", "notif_up": ["a@b.c", "d@e.f"], "timeout": 5}))
        .await;
    assert_eq!(hook["params"]["notif_down"], json!(["bob@naas.ai"]));
    assert_eq!(hook["params"]["notif_up"], json!(["a@b.c", "d@e.f"]));
    let change = json!({"params": {"timeout": null, "inline": true, "notif_down": ["x@y.z"]}});
    let at = format!("/v1/hooks/{}", text(&hook["id"]));
    let changed = ok(app.api(Method::PATCH, &at).json(&change).send().await.unwrap()).await;
    assert_eq!((&changed["params"]["timeout"], &changed["params"]["inline"]), (&json!(600), &json!(true)));
    assert_eq!(changed["params"]["notif_up"], json!(["a@b.c", "d@e.f"]), "a patch leaves what it does not name");
    assert_eq!(changed["histo"], hook["histo"], "a patch is no new version");
    let params = json!({"next_url": "https://x.org/a?b=c", "concurrency": 3, "queue": 0, "workdir": "persistent", "env": {"A": "b"},
        "sensitive": ["pin"]});
    let again = app.deploy("p.ipynb", &plain, params.clone()).await;
    for (name, value) in params.as_object().unwrap() {
        assert_eq!(&again["params"][name], value, "{name}");
    }
    assert_eq!((&again["params"]["notif_up"], &again["params"]["inline"]), (&json!([]), &json!(false)), "replaced");
    assert_eq!(app.get(&at).await["params"], again["params"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_and_incomplete_notebooks_are_taken_and_run() {
    let app = TestApp::start().await;
    let old = app.deploy_fixture("nbformat3", json!({})).await;
    let answer = app.call(&old, &[("capital", "100"), ("rate", "0.1"), ("years", "1")]).await;
    let (status, body) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success() && body == "0,100.00\n1,110.00\n", "{status} {body}");
    let on_disk = app.data.path().join(format!("admin/nbformat3.ipynb/{}/notebook.ipynb", text(&old["histo"])));
    let kept: Value = serde_json::from_slice(&std::fs::read(on_disk).unwrap()).unwrap();
    assert_eq!(kept, fixture("nbformat3"), "a version is kept as it was deployed");

    let mut bare = notebook(&["from nbhook import webhook", "webhook.respond_text('bare')"]);
    bare["metadata"] = json!({});
    let bare = app.deploy("bare.ipynb", &bare, Value::Null).await;
    assert_eq!(app.call(&bare, &[]).await.text().await.unwrap(), "bare");
}

#[tokio::test(flavor = "multi_thread")]
async fn dependencies_and_uploads_do_not_meet() {
    let app = TestApp::start().await;
    let cells = [
        "texts = [open(name).read() for name in ('uploads', 'upload', 'x.txt', one, two)]",
        "from nbhook import webhook; webhook.respond_json(texts)",
    ];
    let notebook = notebook(&cells).to_string();
    let dependencies: [(&str, &[u8]); 3] = [("uploads", b"a"), ("upload", b"b"), ("x.txt", b"c")];
    let hook = ok(app.upload(&json!({"path": "u.ipynb"}), notebook.as_bytes(), &dependencies).await).await;
    let (media_type, body) = form(&[("one", Some("x.txt"), b"d"), ("two", Some("../x.txt"), b"e")]);
    let answer = app.http.post(url(&hook)).header("content-type", media_type).body(body).send().await.unwrap();
    assert_eq!(ok(answer).await, json!(["a", "b", "c", "d", "e"]));
}

/// Deploys by JSON with the interpreter of the deploying kernel.
async fn deploy_from(app: &TestApp, path: &str, notebook: &Value, python: &str) -> Value {
    let body = json!({"path": path, "notebook": notebook, "python": python});
    ok(app.api(Method::POST, "/v1/hooks").json(&body).send().await.unwrap()).await
}

const WHERE: [&str; 2] = ["import sys", "from nbhook import webhook; webhook.respond_text(sys.executable)"];

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_runs_in_the_python_it_was_deployed_from_or_says_why_not() {
    let app = TestApp::start().await;
    let where_it_runs = notebook(&WHERE);
    let here = python().to_string_lossy().into_owned();
    let link = app.data.path().join(".nbhook/python-link");
    std::os::unix::fs::symlink(&here, &link).unwrap();

    let usable = deploy_from(&app, "usable.ipynb", &where_it_runs, &here).await;
    assert_eq!((&usable["python"], &usable["warnings"]), (&json!(here), &json!([])));
    assert_eq!(app.call(&usable, &[]).await.text().await.unwrap(), here);

    for unusable in ["/nowhere/bin/python", "relative/python", "/bin/true"] {
        let hook = deploy_from(&app, "unusable.ipynb", &where_it_runs, unusable).await;
        let warnings = hook["warnings"].as_array().unwrap();
        assert_eq!(warnings.len(), 1, "{hook}");
        assert!(text(&warnings[0]).contains(unusable), "{hook}");
        assert_eq!(hook["python"], json!(here), "it shows where its runs really go");
        assert_eq!(app.call(&hook, &[]).await.text().await.unwrap(), here, "{unusable}");
    }

    let missing = notebook(&[
        "import no_such_module_1, pandas",
        "import beside_it, ipykernel",
        "def f():\n    from no_such.sub import x",
    ]);
    let meta = json!({"path": "missing.ipynb", "python": here});
    let hook = ok(app.upload(&meta, missing.to_string().as_bytes(), &[("beside_it.py", b"")]).await).await;
    let warned = hook["warnings"].to_string();
    assert!(warned.contains("no_such_module_1"), "{warned}");
    assert!(!warned.contains("pandas") && !warned.contains("beside_it") && !warned.contains("ipykernel"), "{warned}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_on_interpreters_holds_for_deployers_and_params() {
    let app = TestApp::start_with(|settings| settings.kernel.allow_python = vec!["/opt/allowed/*".to_owned()]).await;
    let here = python().to_string_lossy().into_owned();
    let hook = deploy_from(&app, "a.ipynb", &notebook(&WHERE), &here).await;
    assert!(hook["warnings"].to_string().contains("allow_python"), "{hook}");
    let body = json!({"path": "a.ipynb", "notebook": notebook(&WHERE), "params": {"python": here}});
    let refused = app.api(Method::POST, "/v1/hooks").json(&body).send().await.unwrap();
    let refused = crate::app::problem(refused, 422).await;
    assert_eq!(refused["field"], "params.python");
    let change = json!({"params": {"python": here}});
    let at = format!("/v1/hooks/{}", text(&hook["id"]));
    let refused = app.api(Method::PATCH, &at).json(&change).send().await.unwrap();
    assert_eq!(crate::app::problem(refused, 422).await["field"], "params.python");
}
