//! Hook tokens, API tokens and the secrets of signatures show in no log, error, metric, mail or saved output.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use reqwest::Method;
use serde_json::json;

use crate::app::{ADMIN, TestApp, allow_local, eventually, notebook, ok, url};
use crate::receiver::Receiver;

/// What this process has logged, from all its tests.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Logged;

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Logs more than anybody would want; only the tests' own HTTP client, which is no part of the server, is left out.
fn start_logging() {
    let filter = "trace,hyper=off,hyper_util=off,reqwest=off";
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(|| Logged).init();
}

/// Every file below a folder whose name does not end in one of these.
fn files(folder: &std::path::Path, but: &[&str]) -> Vec<(String, Vec<u8>)> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if !but.iter().any(|end| path.to_string_lossy().ends_with(end)) {
                found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
    }
    found
}

/// What is told of a sensitive parameter that a notebook cannot take.
async fn refused_parameters(app: &TestApp, owner: &str, pin: &str) -> String {
    let mut told = String::new();
    let mut typed = notebook(&["pin: int = 0", "print(pin)"]);
    typed["cells"][0]["metadata"]["tags"] = json!(["parameters"]);
    let typed = app.deploy_as(owner, "typed.ipynb", &typed, json!({"sensitive": ["pin"], "strict": true})).await;
    for body in [json!({"pin": pin}), json!({"pni": pin}), json!({"pin": [pin]})] {
        let response = app.http.post(url(&typed)).json(&body).send().await.unwrap();
        assert_eq!(response.status(), 422);
        told.push_str(&response.text().await.unwrap());
    }
    told
}

/// Has a run read a secret and print it with its own token; gives both.
async fn reads_a_secret(app: &TestApp, owner: &str) -> (String, String) {
    let value = "kept-secret-4714";
    let put = app.api_as(owner, Method::PUT, "/v1/secrets/kept").json(&json!({"value": value}));
    ok(put.send().await.unwrap()).await;
    let refused = app.api_as(owner, Method::PUT, "/v1/secrets/kept").json(&json!({"value": [value]})).send().await;
    assert_eq!(refused.unwrap().status(), 422);
    let source = "import os\nfrom nbhook import notification, secret, webhook\ntoken = os.environ['NBHOOK_RUN_TOKEN']\n\
        kept = secret.get('kept', debug=True)\nprint(kept, token)\nnotification.send('a@example.org', kept, text=token)\n\
        webhook.respond_json([token, kept])";
    let hook = app.deploy_as(owner, "reads.ipynb", &notebook(&[source]), json!({})).await;
    let answer = ok(app.call(&hook, &[]).await).await;
    assert_eq!(answer[1], value);
    let source = "from nbhook import secret\nraise type('E_' + secret.get('kept'), (Exception,), {})";
    let params = json!({"notif_down": "down@example.org"});
    let hook = app.deploy_as(owner, "raises.ipynb", &notebook(&[source]), params).await;
    let failed = app.http.get(url(&hook)).bearer_auth(owner).send().await.unwrap();
    assert_eq!((failed.status().as_u16(), failed.text().await.unwrap().contains(value)), (500, false));
    (answer[0].as_str().unwrap().to_owned(), value.to_owned())
}

/// Reads the documents of a hook, which have its URL, and no other secret.
async fn reads_documents(app: &TestApp, owner: &str, hook_token: &str, pin: &str) {
    let of_hook = |name: &str| format!("/hooks/{hook_token}/{name}");
    for path in [of_hook("openapi.json"), of_hook("docs"), "/openapi.json".to_owned()] {
        let response = app.api_as(owner, Method::GET, &path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let text = response.text().await.unwrap();
        assert!(!text.contains(owner) && !text.contains(ADMIN) && !text.contains(pin), "{text}");
    }
}

/// Makes and changes callbacks with a secret header, or tries to. Gives what was told, and what requests are signed with.
async fn callbacks(app: &TestApp, owner: &str, value: &str) -> (String, Vec<String>) {
    let receiver = Receiver::start().await;
    let (mut told, mut secrets) = (String::new(), Vec::new());
    let config = json!({"url": receiver.url(), "headers": [{"name": "X-Api-Key", "value": value}]});
    let mut bad = config.clone();
    bad["headers"][0]["value"] = format!("{value}\n").into();
    for (method, path, config, status) in [
        (Method::POST, "/v1/callbacks", &config, 201),
        (Method::POST, "/v1/callbacks", &bad, 422),
        (Method::PATCH, "/v1/callbacks/1", &config, 200),
        (Method::PATCH, "/v1/callbacks/1", &bad, 422),
        (Method::GET, "/v1/callbacks", &json!(null), 200),
        (Method::POST, "/v1/callbacks/1/rotate-secret", &json!(null), 200),
    ] {
        let body = json!({"mode": "HTTP", "config": config});
        let response = app.api_as(owner, method, path).json(&body).send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        let mut answer: serde_json::Value = response.json().await.unwrap();
        // This is where they are told.
        secrets.extend(answer["secret"].take().as_str().map(str::to_owned));
        told.push_str(&answer.to_string());
    }
    receiver.answers([500]);
    let refused = app.api_as(owner, Method::POST, "/v1/callbacks").json(&json!({"mode": "HTTP", "config": config}));
    told.push_str(&refused.send().await.unwrap().text().await.unwrap());
    assert_eq!((secrets.len(), receiver.received().await.len()), (2, 2));
    (told, secrets)
}

/// Calls with what a caller shows and with the owner's API token; gives what was told.
async fn calls(
    app: &TestApp,
    hook: &serde_json::Value,
    [key, pin]: [&str; 2],
    [presented, owner]: [&str; 2],
) -> String {
    let mut told = String::new();
    // An API token lets in, and the notebook does not get it; what else a caller shows it gets, and it has to be told nowhere.
    for (kind, status, bearer) in
        [("text", 200, presented), ("raise", 500, presented), ("error", 503, presented), ("text", 200, owner)]
    {
        let call = app.http.post(url(hook)).bearer_auth(bearer).header("x-proof", key);
        let call = call.json(&json!({"kind": kind, "pin": pin}));
        let response = call.send().await.unwrap();
        assert_eq!(response.status(), status, "{kind}");
        let text = response.text().await.unwrap();
        // The notebook may give a secret back on purpose: the caller has it already.
        assert_eq!(text == pin, kind == "text", "{text}");
        told.push_str(if kind == "text" { "" } else { &text });
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_show_nowhere() {
    start_logging();
    let app = TestApp::start_with(allow_local).await;
    let alice = app.member("alice").await;
    let cells = [
        "from nbhook import webhook",
        "print(headers, raw_body)\nprint(headers.get('authorization', 'none').split()[-1])\npin, headers, raw_body",
        "import sys; sys.stderr.write(repr(headers) + pin)",
        "if kind == 'raise':\n    raise ValueError('no: ' + headers['authorization'] + pin + headers['x-proof'])",
        "if kind == 'error':\n    webhook.respond_error(503, 'no', failed=True)\nelse:\n    webhook.respond_text(pin)",
    ];
    let key = "signing-key-4712";
    let params = json!({"sensitive": ["pin"], "notif_down": "down@example.org", "notif_up": "up@example.org",
        "raw_body": true, "signature": {"scheme": "header", "secret": key, "header": "X-Proof"}});
    let hook = app.deploy_as(&alice, "s.ipynb", &notebook(&cells), params).await;
    let hook_token = url(&hook).rsplit('/').next().unwrap().to_owned();
    let pin = "hush-hush-4711";
    let mut told = hook["params"].to_string();
    let unsigned = app.http.post(url(&hook)).header("x-proof", format!("{key}x")).send().await.unwrap();
    assert_eq!(unsigned.status(), 401);
    told.push_str(&unsigned.text().await.unwrap());
    let presented = "shown-by-a-caller-4715";
    told.push_str(&calls(&app, &hook, [key, pin], [presented, &alice]).await);
    let (run_token, kept_secret) = reads_a_secret(&app, &alice).await;
    told.push_str(&refused_parameters(&app, &alice, pin).await);
    for (method, path) in [
        (Method::GET, format!("/hooks/{hook_token}x")),
        (Method::GET, format!("/hooks/{hook_token}/")),
        (Method::GET, format!("/hooks/{hook_token}/versions/20200101000000000000")),
        (Method::GET, format!("/hooks/{hook_token}/versions/x")),
        (Method::GET, format!("/hooks/{hook_token}/nothing")),
        (Method::GET, format!("/nothing/{hook_token}")),
        (Method::OPTIONS, format!("/hooks/{hook_token}")),
        (Method::GET, format!("/v1/hooks/{hook_token}")),
        (Method::GET, format!("/v1/runs?hook={hook_token}")),
        (Method::GET, format!("/v1/hooks?limit={hook_token}")),
        (Method::DELETE, format!("/v1/tokens/{alice}")),
        (Method::POST, format!("/hooks/{hook_token}/nothing?{alice}=1&%")),
    ] {
        let response = app.api_as(&alice, method, &path).body("{").send().await.unwrap();
        told.extend(response.headers().values().map(|value| value.to_str().unwrap()));
        told.push_str(&response.text().await.unwrap());
    }
    let at = format!("/v1/hooks/{}", hook["id"].as_str().unwrap());
    let change = |secret: &str| json!({"params": {"signature": {"scheme": secret, "secret": secret}}});
    let refused = app.api_as(&alice, Method::PATCH, &at).json(&change(key)).send().await.unwrap();
    assert_eq!(refused.status(), 422);
    told.push_str(&refused.text().await.unwrap());
    let shown = ok(app.api_as(&alice, Method::GET, &at).send().await.unwrap()).await;
    assert_eq!(shown["params"]["signature"]["secret"], true);
    told.push_str(&shown["params"].to_string());
    reads_documents(&app, &alice, &hook_token, pin).await;
    let sent_along = "header-of-a-callback-4713";
    let (of_callbacks, signing) = callbacks(&app, &alice, sent_along).await;
    told.push_str(&of_callbacks);
    for path in ["/v1/runs", "/v1/tokens", "/v1/users/me"] {
        told.push_str(&ok(app.api_as(&alice, Method::GET, path).send().await.unwrap()).await.to_string());
    }
    told.push_str(&app.http.get(format!("{}/metrics", app.url)).send().await.unwrap().text().await.unwrap());
    let mails = app.data.path().join(".nbhook/mail");
    app.quiet().await;
    eventually("the mails are written", async || mails.is_dir() && files(&mails, &[]).len() >= 2).await;

    let data = app.data.path().to_owned();
    // The database holds hook tokens, as the URLs have to be shown again, what signatures are checked with, and what is sent to
    // callbacks; nothing else does.
    let kept = files(&data, &["nbhook.db", "nbhook.db-wal", "nbhook.db-shm", "lock"]);
    assert!(kept.iter().any(|(name, _)| name.contains("outputs")), "{kept:?}");
    let database = files(&data.join(".nbhook"), &["lock", ".eml", ".py", ".txt", ".json"]);
    let logged = LOG.lock().unwrap().clone();
    assert!(String::from_utf8_lossy(&logged).contains("run ended"), "the log was not captured");
    let secrets = [
        ("hook token", hook_token.as_str()),
        ("signing key", key),
        ("API token", &alice),
        ("admin's token", ADMIN),
        ("sensitive", pin),
        ("caller's header", presented),
        ("run's token", &run_token),
        ("secret", &kept_secret),
        ("callback's header", sent_along),
        ("callback's secret", &signing[0]),
        ("callback's secret", &signing[1]),
    ];
    let of_database = ["hook token", "signing key", "callback's header", "callback's secret"];
    for (what, secret) in secrets {
        let within = |bytes: &[u8]| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        let line = String::from_utf8_lossy(&logged).lines().find(|line| line.contains(secret)).map(str::to_owned);
        assert_eq!(line, None, "{what} in the log");
        // What a caller put into a URL that is nowhere may stand in no answer either.
        assert!(!within(told.as_bytes()), "{what} in an answer: {told}");
        for (name, content) in &kept {
            assert!(!within(content), "{what} in {name}: {}", String::from_utf8_lossy(content));
        }
        for (name, content) in database.iter().filter(|_| !of_database.contains(&what)) {
            assert!(!within(content), "{what} in {name}");
        }
    }
}
