//! Deploys that are refused: the answer names the field, and nothing is changed.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::app::{ADMIN, FormPart, TestApp, form, notebook, problem};

/// A JSON deploy of this notebook with some of its fields replaced.
fn deploy(changes: &Value) -> Value {
    let mut body = json!({"path": "a.ipynb", "notebook": notebook(&["1"])});
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn refused_deploys() -> Vec<(&'static str, Value)> {
    let mut cases = Vec::new();
    for path in [
        "",
        ".",
        "..",
        "../a.ipynb",
        "a/../../b.ipynb",
        "/etc/a.ipynb",
        "\\a.ipynb",
        "a.txt",
        "a",
        "a\u{0}.ipynb",
        "a\nb.ipynb",
        "a.ipynb/b.ipynb",
    ] {
        cases.push(("path", deploy(&json!({"path": path}))));
    }
    cases.push(("path", deploy(&json!({"path": format!("{}.ipynb", "x".repeat(256))}))));
    for (field, params) in [
        ("params", json!(7)),
        ("params", json!(["inline"])),
        ("params.inlin", json!({"inlin": true})),
        ("params.inline", json!({"inline": "yes"})),
        ("params.next_url", json!({"next_url": "javascript:alert(1)"})),
        ("params.next_url", json!({"next_url": "/relative"})),
        ("params.next_url", json!({"next_url": "https://x.org/\r\nSet-Cookie: a=b"})),
        ("params.notif_down", json!({"notif_down": "bob"})),
        ("params.notif_up", json!({"notif_up": ["a@b.c", "x@y.z\r\nBcc: d@e.f"]})),
        ("params.timeout", json!({"timeout": 0})),
        ("params.timeout", json!({"timeout": 86_401})),
        ("params.timeout", json!({"timeout": -5})),
        ("params.timeout", json!({"timeout": 1.5})),
        ("params.concurrency", json!({"concurrency": 0})),
        ("params.workdir", json!({"workdir": "/tmp"})),
        ("params.env", json!({"env": {"A": 1}})),
        ("params.env", json!({"env": {"NBHOOK_RUN": "x"}})),
        ("params.python", json!({"python": "python3"})),
        ("params.python", json!({"python": "/nowhere/python"})),
        ("params.python", json!({"python": "/bin/true"})),
        ("params.sensitive", json!({"sensitive": "pin"})),
    ] {
        cases.push((field, deploy(&json!({"params": params}))));
    }
    let changed = |pointer: &str, value: Value| {
        let mut notebook = notebook(&["1"]);
        *notebook.pointer_mut(pointer).unwrap() = value;
        deploy(&json!({"notebook": notebook}))
    };
    cases.push(("notebook", deploy(&json!({"notebook": null}))));
    cases.push(("notebook", deploy(&json!({"notebook": []}))));
    cases.push(("notebook", deploy(&json!({"notebook": "{}"}))));
    cases.push(("notebook", deploy(&json!({"notebook": {"a": "recipe"}}))));
    for version in [2, 5] {
        cases.push(("notebook", changed("/nbformat", json!(version))));
    }
    cases.push(("notebook", changed("/cells/0/cell_type", json!("heading"))));
    cases.push(("notebook", changed("/cells/0/source", json!(7))));
    cases.push((
        "notebook.metadata.kernelspec",
        changed("/metadata/kernelspec", json!({"name": "cobol", "display_name": "COBOL"})),
    ));
    cases.push((
        "notebook.metadata.kernelspec",
        changed("/metadata/kernelspec", json!({"name": "../../python3", "display_name": "x", "language": "x"})),
    ));
    cases.push(("notebook.metadata.kernelspec", changed("/metadata", json!({"language_info": {"name": "cobol"}}))));
    cases.push(("owner", deploy(&json!({"owner": "nobody"}))));
    cases.push(("owner", deploy(&json!({"owner": "../admin"}))));
    cases.push(("body", deploy(&json!({"color": "red"}))));
    cases.push(("body", json!({"notebook": {}})));
    cases.push(("body", json!([])));
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_the_field_and_changes_nothing() {
    let app = TestApp::start().await;
    let before = app.deploy("a.ipynb", &notebook(&["'the old one'"]), json!({"timeout": 7})).await;
    let (hooks, kept) = (app.get("/v1/hooks").await, app.kept());
    for (field, body) in refused_deploys() {
        let response = app.api(Method::POST, "/v1/hooks").json(&body).send().await.unwrap();
        let problem = problem(response, 422).await;
        assert_eq!(problem["field"], field, "{body}\n{problem}");
        assert_eq!(problem["type"], "urn:nbhook:problem:parameters-invalid");
    }
    for (field, params) in
        [("params.timeout", json!({"inline": true, "timeout": 0})), ("params.nope", json!({"nope": 1}))]
    {
        let at = format!("/v1/hooks/{}", before["id"].as_str().unwrap());
        let response = app.api(Method::PATCH, &at).json(&json!({"params": params})).send().await.unwrap();
        assert_eq!(problem(response, 422).await["field"], field);
    }
    assert_eq!(app.get("/v1/hooks").await, hooks);
    assert_eq!(app.kept(), kept);
    assert_eq!(app.scratch(), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_form_is_refused_and_leaves_nothing() {
    let app = TestApp::start_with(|settings| settings.body_limit = 64 << 10).await;
    let nb = notebook(&["1"]).to_string();
    let (meta, nb): (&[u8], &[u8]) = (b"{\"path\": \"a.ipynb\"}", nb.as_bytes());
    let large = vec![b' '; 65 << 10];
    let forms: Vec<(u16, &str, Vec<FormPart<'_>>)> = vec![
        (422, "meta", vec![("notebook", None, nb)]),
        (422, "notebook", vec![("meta", None, meta)]),
        (422, "meta", vec![("meta", None, b"{\"path\": \"a.ipynb\""), ("notebook", None, nb)]),
        (422, "meta", vec![("meta", None, b"{\"path\": \"a.ipynb\", \"color\": 1}"), ("notebook", None, nb)]),
        (
            422,
            "meta.notebook",
            vec![("meta", None, b"{\"path\": \"a.ipynb\", \"notebook\": {}}"), ("notebook", None, nb)],
        ),
        (422, "notebook", vec![("meta", None, meta), ("notebook", None, b"\x80PNG")]),
        (422, "notebook", vec![("meta", None, meta), ("notebook", None, b"")]),
        (422, "other", vec![("meta", None, meta), ("notebook", None, nb), ("other", None, b"x")]),
        (422, "dependency", vec![("meta", None, meta), ("notebook", None, nb), ("dependency", Some("../x.py"), b"x")]),
        (422, "dependency", vec![("meta", None, meta), ("notebook", None, nb), ("dependency", Some("/etc/x"), b"x")]),
        (422, "dependency", vec![("meta", None, meta), ("notebook", None, nb), ("dependency", Some("a/.."), b"x")]),
        (422, "meta", vec![("meta", None, meta), ("meta", None, meta), ("notebook", None, nb)]),
        (422, "notebook", vec![("meta", None, meta), ("notebook", None, nb), ("notebook", None, nb)]),
        (422, "dependency", vec![("meta", None, meta), ("notebook", None, nb), ("dependency", None, b"x")]),
        (
            422,
            "dependency",
            vec![
                ("meta", None, meta),
                ("notebook", None, nb),
                ("dependency", Some("x.py"), b"1"),
                ("dependency", Some("./x.py"), b"2"),
            ],
        ),
        (
            422,
            "dependency",
            vec![
                ("meta", None, meta),
                ("notebook", None, nb),
                ("dependency", Some("x"), b"1"),
                ("dependency", Some("x/y"), b"2"),
            ],
        ),
        (413, "", vec![("meta", None, meta), ("notebook", None, &large)]),
        (413, "", vec![("meta", None, meta), ("notebook", None, nb), ("dependency", Some("big"), &large)]),
    ];
    for (status, field, parts) in forms {
        let (media_type, body) = form(&parts);
        let response = app.api(Method::POST, "/v1/hooks").header("content-type", media_type).body(body).send().await;
        let names: Vec<_> = parts.iter().map(|(name, file, _)| (name, file)).collect();
        let problem = problem(response.unwrap(), status).await;
        assert_eq!(problem["field"].as_str().unwrap_or_default(), field, "{names:?} {problem}");
    }
    for (media_type, body) in [
        ("multipart/form-data", "x"),
        ("multipart/form-data; boundary=b", "this has no boundary"),
        ("multipart/form-data; boundary=b", "--b\r\nno disposition\r\n\r\nx\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"meta\"\r\n\r\n{"),
        ("application/json", "{\"path\": \"a.ipynb\", "),
        ("application/json", ""),
        ("text/plain", "path=a.ipynb"),
    ] {
        let response = app.api(Method::POST, "/v1/hooks").header("content-type", media_type).body(body).send().await;
        problem(response.unwrap(), 422).await;
    }
    let response =
        app.api(Method::POST, "/v1/hooks").header("content-type", "application/json").body(large).send().await;
    problem(response.unwrap(), 413).await;
    assert_eq!((app.kept().len(), app.scratch()), (0, Vec::<PathBuf>::new()));
    assert_eq!(app.get("/v1/hooks").await["items"], json!([]));
}

/// What the server sends back for these bytes, before it hangs up or after the client has.
async fn raw(app: &TestApp, request: &[u8]) -> String {
    let address = app.url.trim_start_matches("http://");
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    socket.write_all(request).await.unwrap();
    socket.shutdown().await.unwrap(); // the client sends no more
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(30), socket.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the server left a caller that hung up waiting");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_off_deploys_nothing() {
    let app = TestApp::start().await;
    let nb = notebook(&["1"]).to_string();
    let (media_type, body) = form(&[("meta", None, b"{\"path\": \"a.ipynb\"}"), ("notebook", None, nb.as_bytes())]);
    for sent in [0, 60, 200, body.len() - 60, body.len() - 1] {
        let head = format!(
            "POST /v1/hooks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let answer = raw(&app, &[head.as_bytes(), &body[..sent]].concat()).await;
        assert!(
            !answer.contains(" 200 ") && !answer.contains(" 201 ") && !answer.contains(" 500 "),
            "{sent}: {answer}"
        );
    }
    assert_eq!((app.kept().len(), app.scratch()), (0, Vec::<PathBuf>::new()));
    let whole = format!(
        "POST /v1/hooks HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {ADMIN}\r\nContent-Type: {media_type}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let address = app.url.trim_start_matches("http://");
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    socket.write_all(&[whole.as_bytes(), &body].concat()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "the same bytes, all of them, are a deploy: {answer}");
}
