//! The documents: what they say is what the server does. Validators, fuzzers and generators of others are the judges.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::app::{ADMIN, TestApp, header, notebook, ok, problem, python, run_of, spawns, url};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The route table of `src/http/mod.rs`, as text: `get /v1/hooks`. HEAD and OPTIONS follow from the others.
fn routes() -> BTreeSet<String> {
    let text = std::fs::read_to_string(format!("{ROOT}/src/http/mod.rs")).unwrap();
    let table = text.split_once("fn routes(").unwrap().1.split_once("fn on(").unwrap().0;
    let mut found = BTreeSet::new();
    for resource in table.split("on(\"").skip(1) {
        let (path, rest) = resource.split_once('"').unwrap();
        let methods: Vec<_> = rest.split("web::").skip(1).filter_map(|route| route.split_once("().to(")).collect();
        assert!(!methods.is_empty(), "{path} has no route");
        let told = methods.into_iter().filter(|(method, _)| *method != "head" && *method != "options");
        found.extend(told.map(|(method, _)| format!("{method} {path}")));
    }
    found
}

/// The operations of a document: `get /v1/hooks`.
fn operations(document: &Value) -> BTreeSet<String> {
    let methods = |item: &Value| item.as_object().unwrap().keys().filter(|key| *key != "parameters").cloned().collect();
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, item)| {
            let methods: Vec<String> = methods(item);
            methods.into_iter().map(move |method| format!("{method} {path}"))
        })
        .collect()
}

async fn get(app: &TestApp, path: &str) -> Response {
    app.http.get(format!("{}{path}", app.url)).send().await.unwrap()
}

fn token(hook: &Value) -> &str {
    url(hook).rsplit('/').next().unwrap()
}

/// A notebook that fails if its parameters are not of the types that they are said to be. Forms have nothing but text, so a list
/// of texts would take anything.
fn sales() -> Value {
    let mut notebook = notebook(&[
        "from typing import Literal",
        "price: float\nn: int = 14  # how many\nregion: Literal['North', 'South'] = 'North'\nsizes: list[int] = []",
        "from nbhook import webhook\ntotal = price * n\n\
         webhook.respond_json({'total': total, 'where': region.upper(), 'sizes': [size + 1 for size in sizes]})",
    ]);
    notebook["cells"][1]["metadata"]["tags"] = json!(["parameters"]);
    let words = "# Sales\n\nWhat was *sold*.\n\nMore of it.";
    let markdown = json!({"cell_type": "markdown", "metadata": {}, "source": words});
    notebook["cells"].as_array_mut().unwrap().insert(0, markdown);
    notebook
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_has_every_route_and_no_other() {
    let app = TestApp::start().await;
    let document = ok(get(&app, "/openapi.json").await).await;
    let routes = routes();
    assert!(routes.len() > 40 && routes.contains("delete /v1/tokens/{id}"), "{routes:?}");
    assert_eq!(operations(&document), routes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_has_the_hooks_of_who_asks() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.member("ann").await, app.member("bob").await);
    let hook = app.deploy_as(&ann, "a/Sales 2025.ipynb", &sales(), json!({})).await;
    let path = format!("/hooks/{}", token(&hook));
    let open = ok(get(&app, "/openapi.json").await).await;
    let of = async |token: &str| ok(app.api_as(token, Method::GET, "/openapi.json").send().await.unwrap()).await;
    let anns = of(&ann).await;
    let more: Vec<_> = operations(&anns).difference(&operations(&open)).cloned().collect();
    assert_eq!(more, [format!("get {path}"), format!("post {path}")]);
    assert_eq!(anns["paths"][&path]["get"]["operationId"], "call_a_sales_2025");
    for other in [&bob, ADMIN, "a-token-that-is-not-valid"] {
        assert_eq!(of(other).await, open, "{other}");
    }

    let response = get(&app, &format!("{path}/openapi.json")).await;
    assert_eq!(
        (header(&response, "content-type"), header(&response, "x-content-type-options")),
        ("application/json", "nosniff")
    );
    let alone = ok(response).await;
    assert_eq!(alone["info"], json!({"title": "Sales", "description": "What was *sold*.", "version": hook["histo"]}));
    assert_eq!(alone["servers"], json!([{"url": app.url}]));
    assert_eq!(alone["paths"][&path], anns["paths"][&path]);
    let api = app.api_as(&ann, Method::DELETE, &format!("/v1/hooks/{}", hook["id"].as_str().unwrap()));
    ok(api.send().await.unwrap()).await;
    for gone in [path.as_str(), "/hooks/000000000000000000000000000", "/hooks/x"] {
        problem(get(&app, &format!("{gone}/openapi.json")).await, 404).await;
        problem(get(&app, &format!("{gone}/docs")).await, 404).await;
    }
    assert_eq!(of(&ann).await, open);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_has_more_hooks_than_a_page_and_a_bound() {
    if spawns() {
        return; // no kernel is started
    }
    let app = TestApp::start().await;
    let notebook = notebook(&["1"]);
    for number in 0..105 {
        app.deploy(&format!("{number}.ipynb"), &notebook, json!({"warm": "none"})).await;
    }
    let document = app.get("/openapi.json").await;
    let names = document["paths"].as_object().unwrap().values().filter_map(|item| item["get"]["operationId"].as_str());
    let names: BTreeSet<_> = names.filter(|name| name.starts_with("call_notebook_")).collect();
    assert_eq!(names.len(), 100);
    assert!(names.contains("call_notebook_104") && !names.contains("call_notebook_4"), "the newest: {names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_need_nothing_from_elsewhere() {
    let app =
        TestApp::start_with(|settings| settings.public_url = Some("https://x.example/deep/down/".to_owned())).await;
    let hook = app.deploy("a.ipynb", &notebook(&["1"]), json!({})).await;
    let (mut assets, mut nonces) = (BTreeMap::new(), BTreeSet::new());
    for page in ["/docs".to_owned(), "/docs/".to_owned(), format!("/hooks/{}/docs", token(&hook))] {
        let response = get(&app, &page).await;
        assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8");
        assert_eq!(
            (header(&response, "x-content-type-options"), header(&response, "referrer-policy")),
            ("nosniff", "no-referrer")
        );
        let policy = header(&response, "content-security-policy").to_owned();
        let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
        let own = format!("default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; ");
        assert!(policy.starts_with(&own) && nonces.insert(nonce.clone()), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("http") && !policy.contains('*'), "{policy}");
        let html = response.text().await.unwrap();
        assert!(html.matches("<script").count() == 2 && html.matches("></script>").count() == 2, "inline: {html}");
        assert_eq!(html.matches(&format!("nonce=\"{nonce}\"")).count(), 4, "{html}");
        assert!(!html.contains("<style") && !html.contains("style=") && !html.contains(" on"), "inline: {html}");
        assert!(!html.contains(token(&hook)), "{html}");
        for quoted in html.split(['"']).filter(|text| text.contains("/assets/")) {
            let path = quoted.strip_prefix("/deep/down").unwrap_or_else(|| panic!("{quoted}"));
            let response = get(&app, path).await;
            assert_eq!(response.status(), 200, "{path}");
            assert_eq!(header(&response, "x-content-type-options"), "nosniff");
            assert_eq!(header(&response, "cache-control"), "public, max-age=3600");
            let tag = header(&response, "etag").to_owned();
            let again = app.http.get(format!("{}{path}", app.url)).header("if-none-match", &tag).send().await.unwrap();
            assert_eq!((again.status().as_u16(), header(&again, "etag")), (304, tag.as_str()));
            let media_type = header(&response, "content-type").to_owned();
            assets.insert(path.rsplit('/').next().unwrap().to_owned(), (media_type, response.bytes().await.unwrap()));
        }
    }
    let kinds: Vec<_> =
        assets.iter().map(|(name, (kind, content))| (name.as_str(), kind.as_str(), content.len() > 10)).collect();
    let expected = [
        ("favicon-32x32.png", "image/png", true),
        ("initializer.js", "text/javascript", true),
        ("page.css", "text/css", true),
        ("swagger-ui-bundle.js", "text/javascript", true),
        ("swagger-ui.css", "text/css", true),
    ];
    assert_eq!(kinds, expected);
    let css = String::from_utf8_lossy(&assets["swagger-ui.css"].1);
    assert!(!css.contains("@import") && !css.contains("url(http") && !css.contains("url(//"));
    for name in ["index.html", "swagger-initializer.js", "oauth2-redirect.html", "..%2Fpage.html", "x"] {
        problem(get(&app, &format!("/docs/assets/{name}")).await, 404).await;
    }
    let document = ok(get(&app, "/openapi.json").await).await;
    assert_eq!(document["servers"], json!([{"url": "https://x.example/deep/down"}]));
}

/// Runs a tool of the tests' Python; it has two minutes.
#[expect(clippy::disallowed_methods, reason = "a process of the test's own, waited for and killed when dropped")]
pub(crate) async fn tool(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = tokio::process::Command::new(python());
    command.args(args).envs(env.iter().copied()).current_dir(folder).env("PYTHONDONTWRITEBYTECODE", "1");
    command.kill_on_drop(true).stdin(Stdio::null());
    tokio::time::timeout(Duration::from_mins(2), command.output()).await.expect("it ends").unwrap()
}

/// What a tool that must succeed has said.
pub(crate) fn good(output: &Output) -> String {
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_valid() {
    let (app, folder) = (TestApp::start().await, TempDir::new().unwrap());
    let nothing_known = app.deploy("plain.ipynb", &notebook(&["1"]), json!({})).await;
    let typed = app.deploy("sales.ipynb", &sales(), json!({"strict": true})).await;
    ok(app.call(&typed, &[("price", "1")]).await).await;
    let invoice = json!({
        "path": "invoice.ipynb",
        "notebook": crate::app::fixture("invoice"),
        "callbacks": crate::declared::invoice_callbacks(),
    });
    let invoice = ok(app.api(Method::POST, "/v1/hooks").json(&invoice).send().await.unwrap()).await;
    let documents = [
        ("api", ok(get(&app, "/openapi.json").await).await),
        ("mine", app.get("/openapi.json").await),
        ("plain", ok(get(&app, &format!("/hooks/{}/openapi.json", token(&nothing_known))).await).await),
        ("typed", ok(get(&app, &format!("/hooks/{}/openapi.json", token(&typed))).await).await),
        ("invoice", ok(get(&app, &format!("/hooks/{}/openapi.json", token(&invoice))).await).await),
    ];
    let mut args = vec!["-m", "openapi_spec_validator", "--schema", "3.1"];
    for (name, document) in &documents {
        crate::app::write(&folder.path().join(name), document.to_string().as_bytes());
        args.push(name);
    }
    let said = good(&tool(folder.path(), &args, &[]).await);
    assert_eq!(said.matches(": OK").count(), documents.len(), "{said}");
    let callbacks = &documents[4].1["paths"][format!("/hooks/{}", token(&invoice))]["post"]["callbacks"];
    let key = "{$callback_url}/invoices/{$request.body.id}";
    assert_eq!(callbacks["invoice_event"][key]["post"]["summary"], "Invoice event");
    let mut broken = documents[3].1.clone();
    broken["paths"].as_object_mut().unwrap().values_mut().next().unwrap()["get"]["parameters"][0]["in"] =
        json!("nowhere");
    crate::app::write(&folder.path().join("broken"), broken.to_string().as_bytes());
    args.truncate(4);
    args.push("broken");
    assert!(!tool(folder.path(), &args, &[]).await.status.success(), "the validator takes anything");
}

/// Runs schemathesis on a document, with the same requests each time. It is to find nothing.
async fn fuzz(document: &str, examples: &str, options: &[&str], env: &[(&str, &str)]) {
    let folder = TempDir::new().unwrap();
    let config = format!("{ROOT}/tests/support/schemathesis.toml");
    let mut args = vec!["-m", "schemathesis.cli", "--no-color", "--config-file", &config, "run", document];
    args.extend(["--seed", "4711", "--max-examples", examples, "--max-failures", "5", "--warnings", "off"]);
    args.extend(options);
    let mut all = BTreeMap::from(
        [
            "HOOK",
            "VERSION",
            "OUTPUT",
            "RUN",
            "TOKEN",
            "PINNED",
            "INBOX",
            "CALLBACK",
            "PROFILE",
            "SUBSCRIPTION",
            "CANCELLED",
            "EVENT",
        ]
        .map(|name| (name, "none")),
    );
    all.extend([
        ("SCHEMATHESIS_HOOKS", "schemathesis_hooks"),
        ("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support")),
    ]);
    all.extend(env.iter().copied());
    let env: Vec<_> = all.into_iter().collect();
    let said = good(&tool(folder.path(), &args, &env).await);
    assert!(said.contains("No issues found") || said.contains("passed"), "{said}");
}

/// Not with the other executor: what is looked at here, the API, is the same.
#[tokio::test(flavor = "multi_thread")]
async fn the_api_does_what_its_document_says() {
    if spawns() {
        return;
    }
    let app = TestApp::start().await;
    // Somebody else's: a hook's own calls are in its owner's document only, and are looked at by the next test.
    let ann = app.member("ann").await;
    let deploy = async |path| app.deploy_as(&ann, path, &notebook(&["1"]), json!({"warm": "none"})).await;
    let (first, changed, called) = (deploy("a.ipynb").await, deploy("a.ipynb").await, deploy("b.ipynb").await);
    let run = run_of(&app.call(&changed, &[]).await);
    let record = app.get(&format!("/v1/runs/{run}")).await;
    let inbox = app.api(Method::POST, "/v1/inboxes").json(&json!({"auto_delete": false}));
    let inbox = ok(inbox.send().await.unwrap()).await;
    ok(app.http.post(url(&inbox)).send().await.unwrap()).await;
    let config = json!({"url": "https://1.1.1.1/", "headers": [{"name": "X-Api-Key", "value": "a"}]});
    let callback = app.api(Method::POST, "/v1/callbacks").json(&json!({"config": config, "verify": false}));
    let callback = ok(callback.send().await.unwrap()).await["id"].to_string();
    let profile = json!({"name": "ops", "support_email": "ops@example.org"});
    let profile =
        ok(app.api(Method::POST, "/v1/profiles").json(&profile).send().await.unwrap()).await["id"].to_string();
    let subscribe = async || {
        let made = app.api(Method::POST, "/v1/subscriptions").json(&json!({"topic": "t"})).send().await.unwrap();
        ok(made).await["UUID"].as_str().unwrap().to_owned()
    };
    let (subscription, cancelled, events) = (subscribe().await, subscribe().await, app.get("/v1/events").await);
    let authorization = format!("Authorization: Bearer {ADMIN}");
    // A server that has no valid token any more would refuse everything, as its document says.
    let options = ["--header", &authorization, "--exclude-operation-id", "revoke_token"];
    let options = [&options[..], &["--exclude-operation-id", "read_topic"]].concat(); // which has no end
    let env = [
        ("HOOK", changed["id"].as_str().unwrap()),
        ("VERSION", first["histo"].as_str().unwrap()),
        ("OUTPUT", record["histo"].as_str().unwrap()),
        ("RUN", run.as_str()),
        ("TOKEN", token(&called)),
        ("PINNED", called["histo"].as_str().unwrap()),
        ("INBOX", inbox["uuid"].as_str().unwrap()),
        ("CALLBACK", &callback),
        ("PROFILE", &profile),
        ("SUBSCRIPTION", &subscription),
        ("CANCELLED", &cancelled),
        ("EVENT", events["items"][0]["uuid"].as_str().unwrap()),
    ];
    fuzz(&format!("{}/openapi.json", app.url), "4", &options, &env).await;
    let me = app.get("/v1/users/me").await;
    assert_eq!(me["role"], "admin", "the token has stayed valid");
}

/// Not with the other executor: what is looked at here, a hook's contract, is the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_hook_does_what_its_document_says() {
    if spawns() {
        return;
    }
    let app = TestApp::start().await;
    for (path, params) in [("sales.ipynb", json!({})), ("strict.ipynb", json!({"strict": true}))] {
        let hook = app.deploy(path, &sales(), params).await;
        ok(app.call(&hook, &[("price", "1")]).await).await; // what it answers is known from then on
        app.quiet().await;
        let document = format!("{}/openapi.json", url(&hook));
        // The document leaves out that PUT, PATCH and DELETE do what POST does.
        fuzz(&document, "20", &["--exclude-checks", "unsupported_method,allow_header_conformance"], &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_client_calls_a_hook_with_types() {
    let (app, folder) = (TestApp::start().await, TempDir::new().unwrap());
    let hook = app.deploy("reports/sales.ipynb", &sales(), json!({})).await;
    ok(app.call(&hook, &[("price", "1")]).await).await;
    app.quiet().await;
    let document = ok(get(&app, &format!("/hooks/{}/openapi.json", token(&hook))).await).await;
    crate::app::write(&folder.path().join("openapi.json"), document.to_string().as_bytes());
    crate::app::write(&folder.path().join("config.yml"), b"post_hooks: []");
    let generate = ["-m", "openapi_python_client", "generate", "--path", "openapi.json", "--config", "config.yml"];
    let said =
        good(&tool(folder.path(), &[&generate[..], &["--meta", "none", "--output-path", "sales"]].concat(), &[]).await);
    assert!(!said.contains("WARNING") && !said.contains("ERROR"), "{said}");
    let script = format!("{ROOT}/tests/support/calls_a_generated_client.py");
    let said =
        good(&tool(folder.path(), &[&script, &app.url], &[("PYTHONPATH", folder.path().to_str().unwrap())]).await);
    assert!(said.ends_with("all is well\n"), "{said}");
}
