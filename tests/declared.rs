//! Declared callbacks: what a hook sends to URLs that its callers name. The receivers are real.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use hmac::{Hmac, Mac as _};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::app::{TestApp, allow_local, eventually, fixture, notebook, ok, problem, run_of, url};
use crate::binary::Server;
use crate::openapi::{good, tool};
use crate::receiver::{Answer, Received, Receiver};
use crate::tasks::Signs;

const KEY: &str = "{$callback_url}/invoices/{$request.body.id}";

async fn app() -> TestApp {
    TestApp::start_with(allow_local).await
}

/// What the invoice notebook is deployed with.
pub(crate) fn invoice_callbacks() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/notebooks/invoice.callbacks.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

async fn try_deploy(app: &TestApp, notebook: &Value, params: Value, callbacks: Value) -> Response {
    let body = json!({"path": "invoice.ipynb", "params": params, "callbacks": callbacks, "notebook": notebook});
    app.api(Method::POST, "/v1/hooks").json(&body).send().await.unwrap()
}

async fn deploy(app: &TestApp, notebook: &Value, params: Value, callbacks: Value) -> Value {
    ok(try_deploy(app, notebook, params, callbacks).await).await
}

fn invoice() -> Value {
    json!({"id": "2expen51ve", "customer": "Mr. Richie Rich", "total": "9999"})
}

async fn post(app: &TestApp, hook: &Value, query: &[(&str, &str)], body: &Value) -> Response {
    app.http.post(url(hook)).query(query).json(body).send().await.unwrap()
}

async fn secret(app: &TestApp, hook: &Value) -> String {
    let view = app.get(&format!("/v1/hooks/{}/callbacks", hook["id"].as_str().unwrap())).await;
    view["secret"].as_str().unwrap().to_owned()
}

/// The signature of a request with a secret, as Standard Webhooks has it.
fn signature(got: &Received, secret: &str) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    let (id, at) = (got.id(), got.header("webhook-timestamp").unwrap());
    mac.update(format!("{id}.{at}.").as_bytes());
    mac.update(&got.body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// What was sent, without its head: method, path, query, body.
fn sent(all: &[Received]) -> Vec<(String, Value)> {
    let target = |one: &Received| match one.query.as_str() {
        "" => format!("{} {}", one.method, one.path),
        query => format!("{} {}?{query}", one.method, one.path),
    };
    all.iter().map(|one| (target(one), one.json())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_invoice_example_to_the_letter() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let hook = deploy(&app, &fixture("invoice"), json!({}), invoice_callbacks()).await;
    assert_eq!(hook["warnings"], json!([]));
    let events = format!("{}/events", receiver.url());
    let response = post(&app, &hook, &[("callback_url", &events)], &invoice()).await;
    assert_eq!(ok(response).await, json!({"msg": "Invoice received"}));
    let got = receiver.wait_for(1).await;
    let body = json!({"description": "Payment celebration", "paid": true});
    assert_eq!(sent(&got), [("POST /events/invoices/2expen51ve".to_owned(), body)]);
    assert_eq!(got[0].body, br#"{"description":"Payment celebration","paid":true}"#);
    let signed = got[0].header("webhook-signature").unwrap();
    assert_eq!(signed, signature(&got[0], &secret(&app, &hook).await));

    // A value stays where it belongs, and a slash at the end of the base makes no second one.
    let hostile = json!({"id": "../../x?y", "customer": "c", "total": 1});
    ok(post(&app, &hook, &[("callback_url", &format!("{events}/?tenant=1"))], &hostile).await).await;
    let target = "POST /events/invoices/..%2F..%2Fx%3Fy?tenant=1";
    assert_eq!(sent(&receiver.wait_for(2).await)[1].0, target);

    // Whoever does not wait for the run is told no less.
    let query = [("callback_url", events.as_str())];
    let call = app.http.post(url(&hook)).query(&query).json(&invoice()).header("prefer", "respond-async");
    assert_eq!(call.send().await.unwrap().status(), 202);
    assert_eq!(sent(&receiver.wait_for(3).await)[2].0, "POST /events/invoices/2expen51ve");

    // Without an address nobody is told, and a run that ends later shows that nothing was sent.
    ok(post(&app, &hook, &[], &invoice()).await).await;
    ok(post(&app, &hook, &[("callback_url", &events)], &invoice()).await).await;
    assert_eq!(receiver.wait_for(4).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_is_refused_before_the_run() {
    let app = app().await;
    let callbacks = json!({"paid": {KEY: {}, "{$callback_url}?who={$request.header.x-who}&n={$n}": {}}});
    let hook = deploy(&app, &notebook(&["print(1)"]), json!({}), callbacks).await;
    let strict = TestApp::start().await; // lets nothing be sent to this machine
    let strict_hook = deploy(&strict, &notebook(&["print(1)"]), json!({}), json!({"paid": {KEY: {}}})).await;
    let call = async |app: &TestApp, hook: &Value, base: &str, body: Value, status: u16| {
        let request = app.http.post(url(hook)).query(&[("callback_url", base)]).header("x-who", "me");
        problem(request.json(&body).send().await.unwrap(), status).await
    };
    for (base, body, field, place, reason) in [
        ("h.example/cb", json!({"id": "1", "n": 1}), "callback_url", "query", "must be an absolute http or https URL"),
        (
            "ftp://127.0.0.1/",
            json!({"id": "1", "n": 1}),
            "callback_url",
            "query",
            "must be an absolute http or https URL",
        ),
        ("", json!({"id": "1", "n": 1}), "callback_url", "query", "must be an absolute http or https URL"),
        ("http://127.0.0.1/", json!({"n": 1}), "id", "body", "is missing"),
        ("http://127.0.0.1/", json!({"id": {"a": 1}, "n": 1}), "id", "body", "is an object"),
        ("http://127.0.0.1/", json!({"id": "..", "n": 1}), "id", "body", "`..` as a segment"),
        ("http://127.0.0.1/", json!({"id": "1"}), "n", "query", "is missing"),
    ] {
        let told = call(&app, &hook, base, body, 422).await;
        assert_eq!((&told["field"], &told["errors"][0]["in"]), (&json!(field), &json!(place)), "{told}");
        let message = told["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains(reason) && message.contains("the callback `paid` needs it"), "{told}");
    }
    let headless = app.http.post(url(&hook)).query(&[("callback_url", "http://127.0.0.1/")]);
    let told = problem(headless.json(&json!({"id": "1", "n": 1})).send().await.unwrap(), 422).await;
    assert_eq!(told["field"], "headers.x-who", "{told}");
    for base in [
        "http://127.0.0.1:1/",
        "https://127.0.0.1/",
        "https://169.254.169.254/",
        "https://[::ffff:10.0.0.1]/",
        "http://example.org/",
    ] {
        let told = call(&strict, &strict_hook, base, json!({"id": "1"}), 403).await;
        let detail = told["detail"].as_str().unwrap();
        assert!(detail.starts_with("callback_url: ") && detail.contains("the callback `paid` needs it"), "{told}");
    }
    assert_eq!(app.get("/v1/runs").await["items"], json!([]), "no kernel was spent");
    assert_eq!(strict.get("/v1/runs").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_declared_is_named() {
    let app = app().await;
    let plain = notebook(&["1"]);
    for (callbacks, field, reason) in [
        (json!([]), "callbacks", "must be an object"),
        (json!({"a": {"{$callback_url}{$id}": {}}}), "callbacks.a", "begins with `/` or `?` (at character 16)"),
        (json!({"a": {KEY: {"body": {"type": "thing"}}}}), "callbacks.a.body", "is no JSON Schema"),
        (json!({"a": {KEY: {"response": 7}}}), "callbacks.a.response", "must be a JSON Schema"),
        (json!({"a": {KEY: {"method": "HEAD"}}}), "callbacks.a.method", "must be"),
    ] {
        let told = problem(try_deploy(&app, &plain, json!({}), callbacks).await, 422).await;
        assert_eq!(told["field"], field, "{told}");
        assert!(told["detail"].as_str().unwrap().contains(reason), "{told}");
    }
    let inside = try_deploy(&app, &plain, json!({}), json!({"a": {"https://10.0.0.1/{$id}": {}}})).await;
    let told = problem(inside, 403).await["detail"].as_str().unwrap().to_owned();
    assert!(told.starts_with("callbacks.a: ") && told.contains("where nothing can be sent"), "{told}");
    assert_eq!(app.get("/v1/hooks").await["items"], json!([]));

    let hook = deploy(&app, &plain, json!({}), json!({"a": {KEY: {}}})).await;
    let warned = "the callback `a` needs `callback_url`, which is not a parameter of this notebook";
    assert_eq!(hook["warnings"], json!([warned]));
    let view = app.get(&format!("/v1/hooks/{}/callbacks", hook["id"].as_str().unwrap())).await;
    let fields = json!({"method": "POST", "summary": null, "body": null, "response": null});
    assert_eq!(view["callbacks"], json!({"a": {KEY: fields}}));
    let version = format!("/v1/hooks/{}/versions/{}", hook["id"].as_str().unwrap(), hook["histo"].as_str().unwrap());
    assert_eq!(app.get(&version).await["callbacks"], view["callbacks"]);
    let again = deploy(&app, &plain, json!({}), json!(null)).await;
    assert_eq!(again["breaking"], json!(["the callback `a` is not sent any more"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_is_its_owners_and_can_be_changed() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let hook = deploy(&app, &notebook(&["1"]), json!({}), json!({"a": {"$request.query.to": {}}})).await;
    let path = format!("/v1/hooks/{}/callbacks", hook["id"].as_str().unwrap());
    let before = secret(&app, &hook).await;
    let stranger = app.member("ann").await;
    problem(app.api_as(&stranger, Method::GET, &path).send().await.unwrap(), 404).await;
    let rotate = format!("{path}/rotate-secret");
    problem(app.api_as(&stranger, Method::POST, &rotate).send().await.unwrap(), 404).await;
    let rotated = ok(app.api(Method::POST, &rotate).send().await.unwrap()).await;
    let now = rotated["secret"].as_str().unwrap();
    assert!(now != before && rotated["secret_before_until"].is_string(), "{rotated}");
    // A new version does not change it.
    let hook = deploy(&app, &notebook(&["2"]), json!({}), json!({"a": {"$request.query.to": {}}})).await;
    assert_eq!(secret(&app, &hook).await, now);
    ok(app.call(&hook, &[("to", &receiver.url())]).await).await;
    let got = &receiver.wait_for(1).await[0];
    let both = [now, before.as_str()].map(|secret| signature(got, secret)).join(" ");
    assert_eq!(got.header("webhook-signature"), Some(both.as_str()));

    let plain = app.deploy("plain.ipynb", &notebook(&["1"]), json!({})).await;
    let path = format!("/v1/hooks/{}/callbacks", plain["id"].as_str().unwrap());
    assert_eq!(app.get(&path).await, json!({"secret": null, "callbacks": {}}));
    problem(app.api(Method::POST, &format!("{path}/rotate-secret")).send().await.unwrap(), 409).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_notebook_does_not_send_itself_goes_out_with_its_end() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let callbacks = json!({
        "done": {"$request.query.to": {"method": "put"}},
        "late": {"{$request.query.to}/{$response.body#/n}-{$statusCode}?at={$response.header.x-at}": {}},
    });
    let answers = "webhook.respond_json({'n': 7, 'pin': pin}, status=201, headers={'X-At': 'a b'})";
    let cells = ["pin = 'none'\nmode = ''", "from nbhook import webhook", "if mode == 'json':\n    PLACE"];
    let cells = cells.map(|cell| cell.replace("PLACE", answers));
    let mut notebook = notebook(&cells.each_ref().map(String::as_str));
    notebook["cells"][0]["metadata"]["tags"] = json!(["parameters"]);
    let hook = deploy(&app, &notebook, json!({"sensitive": ["pin"]}), callbacks).await;
    let call = async |query: &[(&str, &str)]| {
        let response = app.call(&hook, &[&[("to", receiver.url().as_str())], query].concat()).await;
        let run = run_of(&response);
        assert!(response.status().is_success());
        app.quiet().await;
        run
    };
    call(&[("mode", "json"), ("pin", "s3cret")]).await;
    let got = receiver.wait_for(2).await;
    let mut told = sent(&got);
    told.sort_by_key(|(target, _)| target.clone());
    let answer = json!({"n": 7, "pin": "***"});
    assert_eq!(told, [("POST /7-201?at=a%20b".to_owned(), answer.clone()), ("PUT /".to_owned(), answer)]);

    // No JSON: that it has ended; and what needs the answer cannot be sent.
    let run = call(&[]).await;
    assert_eq!(sent(&receiver.wait_for(3).await)[2], ("PUT /".to_owned(), json!({"run": run, "state": "succeeded"})));
    let warnings = app.get(&format!("/v1/runs/{run}")).await["warnings"].to_string();
    assert!(warnings.contains("the callback `late` was not sent"), "{warnings}");

    // Of a run that fails nothing is sent by itself.
    let failing = crate::app::notebook(&["1/0"]);
    let hook = deploy(&app, &failing, json!({}), json!({"done": {"$request.query.to": {}}})).await;
    assert_eq!(app.call(&hook, &[("to", &receiver.url())]).await.status(), 500);
    app.quiet().await;
    assert_eq!(receiver.received().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notebook_sends_at_once_and_an_attempt_does_not_send_again() {
    let app = TestApp::start_with(|settings| {
        allow_local(settings);
        settings.retry_delay = 0;
    });
    let (app, receiver) = (app.await, Receiver::start().await);
    let callbacks = json!({"step": {"{$to}/step": {}, "{$to}/copy": {}}, "other": {"{$to}/other": {}}});
    let code = "\
        import os, time\nfrom nbhook import webhook\n\
        webhook.callback('step', {'n': 1, 'pin': pin, 'bad': float('nan')})\n\
        webhook.callback('unknown', 1)\n\
        while not os.path.exists(go): time.sleep(0.02)\n\
        attempt = len(os.listdir(go))\n\
        open(os.path.join(go, str(attempt)), 'w').close()\n\
        if attempt == 0: raise OSError('once')\n\
        webhook.callback('step', {'n': 2})";
    let hook = deploy(&app, &notebook(&[code]), json!({"retries": 2, "sensitive": ["pin"]}), callbacks).await;
    let folder = tempfile::TempDir::new().unwrap();
    let go = folder.path().join("go").to_str().unwrap().to_owned();
    let request =
        app.http.get(url(&hook)).query(&[("to", &receiver.url()), ("go", &go), ("pin", &"s3cret".to_owned())]);
    let answer = tokio::spawn(request.send());
    let first = json!({"n": 1, "pin": "***", "bad": null});
    let mut told = sent(&receiver.wait_for(2).await); // while it runs
    told.sort_by_key(|(target, _)| target.clone());
    assert_eq!(told, [("POST /copy".to_owned(), first.clone()), ("POST /step".to_owned(), first)]);
    assert!(!answer.is_finished());
    std::fs::create_dir(&go).unwrap();
    let response = answer.await.unwrap().unwrap();
    let run = run_of(&response);
    assert_eq!(response.status(), 200);
    app.quiet().await;
    let got = receiver.wait_for(5).await;
    let mut rest: Vec<_> = sent(&got)[2..].to_vec();
    rest.sort_by_key(|(target, _)| target.clone());
    let (second, done) = (json!({"n": 2}), json!({"run": run, "state": "succeeded"}));
    let expected = [("POST /copy", second.clone()), ("POST /other", done), ("POST /step", second)];
    assert_eq!(rest, expected.map(|(target, body)| (target.to_owned(), body)));
    let record = app.get(&format!("/v1/runs/{run}")).await;
    assert_eq!(record["attempts"], 2);
    assert_eq!(record["warnings"], json!(["the notebook sent the callback `unknown`, which is not declared"]));
}

/// What the notebook sends is written while its start is still being written, and neither waits for the other for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_callback_of_the_first_moment_holds_nobody_up() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let code = "from nbhook import webhook\nwebhook.callback('step', {'n': n})\nwebhook.respond_json(n)";
    let deploy = json!({
        "path": "a.ipynb",
        "notebook": notebook(&[code]),
        "params": {"timeout": 20},
        "callbacks": {"step": {"{$request.body#/to}": {}}},
    });
    let hook = ok(app.api(Method::POST, "/v1/hooks").json(&deploy).send().await.unwrap()).await;
    let runs = (0..16).map(|n| {
        let (http, url, to) = (app.http.clone(), url(&hook), receiver.url());
        async move { ok(http.post(url).json(&json!({"to": to, "n": n})).send().await.unwrap()).await }
    });
    join_all(runs).await;
    receiver.wait_for(16).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_another_shape_is_noted() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let hook = deploy(&app, &fixture("invoice"), json!({}), invoice_callbacks()).await;
    receiver.answers([Answer::from(200), Answer::from(200).body(r#"{"okay": 1}"#), Answer::from(200).body("fine")]);
    for number in 1..=3 {
        ok(post(&app, &hook, &[("callback_url", &receiver.url())], &invoice()).await).await;
        receiver.wait_for(number).await;
    }
    let valid = async || -> Vec<Value> {
        let list = app.get("/v1/deliveries").await;
        let mut valid = Vec::new();
        for item in list["items"].as_array().unwrap() {
            let one = app.get(&format!("/v1/deliveries/{}", item["id"].as_str().unwrap())).await;
            valid.extend(one["attempts"].as_array().unwrap().iter().map(|attempt| attempt["response_valid"].clone()));
        }
        valid
    };
    eventually("three attempts are on record", async || valid().await.len() == 3).await;
    let mut valid = valid().await;
    valid.sort_by_key(Value::to_string);
    assert_eq!(valid, [json!(false), json!(false), json!(true)]);
    let told = app.get("/v1/subscriptions").await["items"][0]["callbackUrl"].clone();
    assert_eq!(told, json!(receiver.url()), "no more of it, as it has parameters in it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_forgets_no_callback_and_the_next_sends_none_twice() {
    let (data, signs, receiver) = (tempfile::TempDir::new().unwrap(), Signs::new(), Receiver::start().await);
    let settings = [("NBHOOK_OUTBOUND__ALLOW", "127.0.0.1"), ("NBHOOK_OUTBOUND__ALLOW_HTTP", "true")];
    let mut server = Server::start_with(data.path(), &settings);
    let code = "\
        import os, time\nfrom nbhook import webhook\n\
        webhook.callback('step', {'n': 1})\n\
        while not os.path.exists(gate): time.sleep(0.02)\n\
        webhook.callback('step', {'n': 2})\n\
        webhook.respond_json({'id': 7})";
    let deploy = json!({
        "path": "a.ipynb",
        "notebook": notebook(&[code]),
        "params": {"on_interrupt": "retry"},
        "callbacks": {"step": {"{$request.body#/to}/{$id}": {}}, "done": {"{$request.body.to}/{$response.body.id}": {}}},
    });
    let hook = ok(server.api(Method::POST, "/v1/hooks").json(&deploy).send().await.unwrap()).await;
    let body = json!({"to": receiver.url(), "id": "a/b", "gate": signs.text("gate")});
    let call = server.http.post(url(&hook)).json(&body).header("prefer", "respond-async");
    assert_eq!(call.send().await.unwrap().status(), 202);
    let first = ("POST /a%2Fb".to_owned(), json!({"n": 1}));
    assert_eq!(sent(&receiver.wait_for(1).await), std::slice::from_ref(&first));
    eventually("the delivery is on record", async || {
        let delivered = server.api(Method::GET, "/v1/deliveries?status=delivered").send().await.unwrap();
        !ok(delivered).await["items"].as_array().unwrap().is_empty()
    })
    .await;
    server.kill();
    signs.give("gate");
    let _server = Server::start_with(data.path(), &settings);
    let mut all = sent(&receiver.wait_for(3).await);
    all[1..].sort_by_key(|(target, _)| target.clone());
    let second = ("POST /a%2Fb".to_owned(), json!({"n": 2}));
    assert_eq!(all, [first, ("POST /7".to_owned(), json!({"id": 7})), second]);
}

/// A browser for the test, if there is one: the setting `NBHOOK_TEST_BROWSER`, or Chromium where Debian has it.
fn browser() -> Option<std::path::PathBuf> {
    let named = std::env::var_os("NBHOOK_TEST_BROWSER").map(std::path::PathBuf::from);
    named.or_else(|| Some("/usr/bin/chromium".into()).filter(|path: &std::path::PathBuf| path.exists()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_shows_what_receivers_have_to_implement() {
    let Some(browser) = browser() else {
        eprintln!("skipped: no browser; NBHOOK_TEST_BROWSER names one");
        return;
    };
    let (app, folder) = (app().await, tempfile::TempDir::new().unwrap());
    let hook = deploy(&app, &fixture("invoice"), json!({}), invoice_callbacks()).await;
    let page = format!("{}/docs#/calls/post_invoice", url(&hook));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/reads_the_callbacks.py");
    let browser = browser.to_str().unwrap();
    let said = good(&tool(folder.path(), &[script, browser, &page, "profile", "page.png"], &[]).await);
    for text in
        ["invoice_event", KEY, "webhook-signature", "\"description\": \"string\"", "\"paid\": true", "\"ok\": true"]
    {
        assert!(said.contains(text), "no {text} in: {said}");
    }
}
