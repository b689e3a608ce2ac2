//! Hooks that want their calls signed: who gets in, how often, and that the secret shows nowhere.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use futures_util::future::join_all;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::app::{ADMIN, TestApp, eventually, form, notebook, ok, problem, run_of, run_python, url};

const NOW: i64 = 1_614_265_330;
const KEY: &str = "open-sesame-4711";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(NOW, 0).unwrap()
}

async fn start() -> TestApp {
    TestApp::start_at(now(), |_| {}).await
}

/// HMAC-SHA256, as Python has it: key and message in, hex and base64 out.
fn mac(key: &[u8], message: &[u8]) -> (String, String) {
    const CODE: &str = "import base64, hashlib, hmac, json, sys\n\
        key, message = map(bytes, json.load(sys.stdin))\n\
        mac = hmac.new(key, message, hashlib.sha256).digest()\n\
        print(mac.hex(), base64.b64encode(mac).decode())";
    let told = run_python(&["-c", CODE], &json!([key, message]).to_string());
    let (hex, base64) = told.trim().split_once(' ').unwrap();
    (hex.to_owned(), base64.to_owned())
}

type Headers = Vec<(&'static str, String)>;

/// The headers that a provider sends with a body at a time, in seconds after now.
fn signed(scheme: &str, body: &[u8], later: i64) -> Headers {
    let at = NOW + later;
    let over = |before: String| [before.as_bytes(), body].concat();
    match scheme {
        "github" => vec![
            ("x-github-delivery", "72d3162e".into()),
            ("x-hub-signature-256", format!("sha256={}", mac(KEY.as_bytes(), body).0)),
        ],
        "stripe" => {
            let hex = mac(KEY.as_bytes(), &over(format!("{at}."))).0;
            vec![("stripe-signature", format!("t={at},v1={hex},v0=ab"))]
        }
        "slack" => vec![
            ("x-slack-request-timestamp", at.to_string()),
            ("x-slack-signature", format!("v0={}", mac(KEY.as_bytes(), &over(format!("v0:{at}:"))).0)),
        ],
        "standard" => vec![
            ("webhook-id", "msg_1".into()),
            ("webhook-timestamp", at.to_string()),
            ("webhook-signature", format!("v1,{}", mac(b"0123456789", &over(format!("msg_1.{at}."))).1)),
        ],
        _ => vec![("x-my-key", KEY.into())],
    }
}

/// The hook's parameter for a scheme.
fn wanted(scheme: &str) -> Value {
    match scheme {
        "standard" => json!({"scheme": scheme, "secret": "whsec_MDEyMzQ1Njc4OQ=="}), // 0123456789
        "header" => json!({"scheme": scheme, "secret": KEY, "header": "X-My-Key"}),
        _ => json!({"scheme": scheme, "secret": KEY}),
    }
}

async fn send(app: &TestApp, hook: &Value, headers: &Headers, body: &[u8]) -> Response {
    send_as(app, hook, headers, "application/json", body).await
}

async fn send_as(app: &TestApp, hook: &Value, headers: &Headers, media_type: &str, body: &[u8]) -> Response {
    let request = app.http.post(url(hook)).header("content-type", media_type).body(body.to_vec());
    headers.iter().fold(request, |request, (name, value)| request.header(*name, value)).send().await.unwrap()
}

/// The call must be refused for this reason.
async fn refused(response: Response, reason: &str) {
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    assert!(response.headers().get("x-nbhook-run").is_none());
    let problem = problem(response, 401).await;
    assert_eq!(problem["type"], "urn:nbhook:problem:signature-invalid", "{problem}");
    assert_eq!(problem["reason"], reason, "{problem}");
}

async fn runs(app: &TestApp) -> usize {
    app.get("/v1/runs?limit=100").await["items"].as_array().unwrap().len()
}

const ANSWERS: [&str; 1] = ["from nbhook import webhook\nwebhook.respond_json(body)"];

#[tokio::test(flavor = "multi_thread")]
async fn every_scheme_lets_in_what_is_signed_once_and_nothing_else() {
    let app = start().await;
    let body = br#"{"n": 1}"#;
    for (number, scheme) in ["github", "stripe", "slack", "standard", "header"].into_iter().enumerate() {
        let params = json!({"signature": wanted(scheme)});
        let hook = app.deploy(&format!("{scheme}.ipynb"), &notebook(&ANSWERS), params).await;
        let headers = signed(scheme, body, 0);
        refused(send(&app, &hook, &vec![], body).await, "missing").await;
        let mut forged = headers.clone();
        let last = forged.last_mut().unwrap();
        last.1 = last.1.replace(['a', 'e', '0', '1'], "b");
        refused(send(&app, &hook, &forged, body).await, "wrong").await;
        if scheme != "header" {
            refused(send(&app, &hook, &headers, br#"{"n": 2}"#).await, "wrong").await;
        }
        if ["stripe", "slack", "standard"].contains(&scheme) {
            refused(send(&app, &hook, &signed(scheme, body, -301), body).await, "too-old").await;
            refused(send(&app, &hook, &signed(scheme, body, 301), body).await, "too-old").await;
        }
        assert_eq!(runs(&app).await, number * 3, "nothing ran for {scheme}");
        assert_eq!(ok(send(&app, &hook, &headers, body).await).await, json!({"n": 1}));
        let again = send(&app, &hook, &headers, body).await;
        if scheme == "header" {
            ok(again).await;
        } else {
            refused(again, "replayed").await;
            let mut renamed = headers.clone();
            renamed.retain(|(name, _)| *name != "x-github-delivery");
            renamed.push(("x-github-delivery", "another".into()));
            refused(send(&app, &hook, &renamed, body).await, "replayed").await;
            ok(app.http.post(url(&hook)).bearer_auth(ADMIN).send().await.unwrap()).await; // the owner needs none
        }
        // A call without a body is signed as well.
        let get = signed(scheme, b"", 1)
            .into_iter()
            .fold(app.http.get(url(&hook)), |get, (name, value)| get.header(name, value));
        ok(get.send().await.unwrap()).await;
        app.quiet().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn others_tokens_open_nothing_and_pinned_urls_are_guarded_too() {
    let app = start().await;
    let (alice, bob) = (app.member("alice").await, app.member("bob").await);
    let hook = app.deploy_as(&alice, "a.ipynb", &notebook(&ANSWERS), json!({"signature": wanted("header")})).await;
    let pinned = format!("{}/versions/{}", url(&hook), hook["histo"].as_str().unwrap());
    for url in [url(&hook), &pinned] {
        refused(app.http.get(url).bearer_auth(&bob).send().await.unwrap(), "missing").await;
        refused(app.http.get(url).bearer_auth("no-token-of-this-server").send().await.unwrap(), "missing").await;
        ok(app.http.get(url).bearer_auth(&alice).send().await.unwrap()).await;
        ok(app.http.get(url).header("X-My-Key", KEY).bearer_auth(&bob).send().await.unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_same_call_many_times_at_once_one_runs() {
    let app = start().await;
    let hook = app.deploy("a.ipynb", &notebook(&ANSWERS), json!({"signature": wanted("github")})).await;
    let headers = signed("github", b"[1]", 0);
    let all = join_all((0..12).map(|_| send(&app, &hook, &headers, b"[1]"))).await;
    let mut statuses = BTreeMap::new();
    for response in all {
        *statuses.entry(response.status().as_u16()).or_insert(0) += 1;
    }
    assert_eq!(statuses, BTreeMap::from([(200, 1), (401, 11)]));
    assert_eq!(runs(&app).await, 1);
    // As often as GitHub can send it again it is known, and longer it is not kept.
    app.clock.as_ref().unwrap().advance(Duration::days(3) - Duration::seconds(1));
    refused(send(&app, &hook, &headers, b"[1]").await, "replayed").await;
    app.clock.as_ref().unwrap().advance(Duration::seconds(1));
    ok(send(&app, &hook, &headers, b"[1]").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_carried_out_or_failed_may_come_again() {
    let app = start().await;
    let cells = [
        "from nbhook import webhook",
        "import time\ntime.sleep(body.get('s', 0))",
        "if body.get('kind') == 'raise':\n    raise ValueError",
        "webhook.respond_error(int(body['status']), 'no')",
    ];
    let params = json!({"signature": wanted("standard")});
    let hook = app.deploy("a.ipynb", &notebook(&cells), params).await;
    let raises = br#"{"kind": "raise"}"#;
    let (unavailable, rejects): (&[u8], &[u8]) = (br#"{"status": 503}"#, br#"{"status": 404}"#);
    for (body, status, again) in [
        (&b"{"[..], 422, true),
        (raises, 500, true),
        (unavailable, 503, true),
        (rejects, 404, false), // that is its answer
    ] {
        let headers = signed("standard", body, 0);
        for _ in 0..2 {
            assert_eq!(send(&app, &hook, &headers, body).await.status(), status);
            if !again {
                refused(send(&app, &hook, &headers, body).await, "replayed").await;
                break;
            }
        }
    }
    // The same when the caller has hung up before.
    let slow = br#"{"kind": "raise", "s": 3}"#;
    let headers = signed("standard", slow, 0);
    let call = app.http.post(url(&hook)).header("content-type", "application/json").body(slow.as_slice());
    let call = headers.iter().fold(call, |call, (name, value)| call.header(*name, value));
    call.timeout(std::time::Duration::from_millis(1500)).send().await.unwrap_err();
    refused(send(&app, &hook, &headers, slow).await, "replayed").await;
    eventually("the run failed", async || send(&app, &hook, &headers, slow).await.status() == 500).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_read_after_its_signature() {
    let app = start().await;
    let cells = ["from nbhook import webhook\nwebhook.respond_json([open(body['f']).read(), body['n']])"];
    let hook = app.deploy("a.ipynb", &notebook(&cells), json!({"signature": wanted("github")})).await;
    let (media_type, body) = form(&[("f", Some("a.txt"), b"in the file"), ("n", None, b"5")]);
    let other = signed("github", b"other", 0);
    refused(send_as(&app, &hook, &other, &media_type, &body).await, "wrong").await;
    assert_eq!(app.scratch(), Vec::<std::path::PathBuf>::new(), "a file of an unsigned form was written");
    let headers = signed("github", &body, 0);
    assert_eq!(ok(send_as(&app, &hook, &headers, &media_type, &body).await).await, json!(["in the file", "5"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_shows_nowhere_and_true_keeps_it() {
    let app = start().await;
    let cells = ["from nbhook import webhook", "print(headers)", "webhook.respond_json(1)"];
    let deploy = async |signature: Value| {
        app.deploy("s.ipynb", &notebook(&cells), json!({"signature": signature, "inline": true})).await
    };
    let call = async |hook: &Value| {
        let answer = app.http.get(url(hook)).header("X-My-Key", KEY).send().await.unwrap();
        let run = run_of(&answer);
        assert_eq!(ok(answer).await, 1);
        run
    };
    let hook = deploy(wanted("header")).await;
    let shown = json!({"scheme": "header", "secret": true, "header": "X-My-Key"});
    let at = format!("/v1/hooks/{}", hook["id"].as_str().unwrap());
    let patch =
        async |params: Value| app.api(Method::PATCH, &at).json(&json!({"params": params})).send().await.unwrap();
    let run = call(&hook).await;
    let mut told = vec![hook.clone(), app.get(&at).await, app.get("/v1/hooks").await];
    told.push(ok(patch(json!({"signature": shown, "timeout": 5})).await).await);
    call(&hook).await;
    told.push(deploy(shown.clone()).await);
    call(&hook).await;
    for view in &told {
        let params = if view["items"].is_array() { &view["items"][0]["params"] } else { &view["params"] };
        assert_eq!(params["signature"], shown);
    }
    // With a new one beside the old one, either will do.
    told.push(
        ok(patch(json!({"signature": {"scheme": "header", "header": "X-My-Key", "secret": [true, "new-key"]}})).await)
            .await,
    );
    call(&hook).await;
    ok(app.http.get(url(&hook)).header("x-my-key", "new-key").send().await.unwrap()).await;
    for bad in [json!(KEY), json!({"scheme": KEY, "secret": KEY}), json!({"scheme": "standard", "secret": KEY})] {
        told.push(problem(patch(json!({ "signature": bad })).await, 422).await);
    }
    told.push(app.get(&format!("/v1/runs/{run}")).await);
    told.push(app.get(&format!("/v1/runs/{run}/output")).await);
    refused(app.http.get(url(&hook)).header("x-my-key", "open-sesame").send().await.unwrap(), "wrong").await;
    for text in told.iter().map(ToString::to_string) {
        assert!(!text.contains(KEY) && !text.contains("new-key"), "{text}");
    }
    app.quiet().await;
    for (name, content) in app.kept() {
        assert!(!content.windows(KEY.len()).any(|part| part == KEY.as_bytes()), "in {name}");
    }
    // A deploy sets everything: one that drops the signature says so.
    let opened = app.deploy("s.ipynb", &notebook(&cells), json!({})).await;
    assert_eq!(opened["params"]["signature"], Value::Null);
    let warnings = opened["warnings"].to_string();
    assert!(warnings.contains("no longer checked for a signature"), "{warnings}");
    let problem = problem(patch(json!({ "signature": shown })).await, 422).await;
    assert_eq!(problem["field"], "params.signature");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_raw_body_reaches_the_notebook_to_the_byte() {
    let app = start().await;
    let cells = ["from nbhook import webhook\nwebhook.respond_json([repr(raw_body), repr(body)])"];
    let params = json!({"raw_body": true, "sensitive": ["pin"], "signature": wanted("github")});
    let hook = app.deploy("a.ipynb", &notebook(&cells), params).await;
    let (multipart, parts) = form(&[("a", None, b"1")]);
    for (media_type, sent, body) in [
        ("application/json", b"{\"a\":\t1.0, \"a\":2}\n".as_slice(), "{'a': 2}"),
        ("application/x-www-form-urlencoded", b"a=%20&a=+", "{'a': [' ', ' ']}"),
        ("application/octet-stream", b"\x00\xff'\"\\\r\n", "b'\\x00\\xff\\'\"\\\\\\r\\n'"),
        ("text/plain", b"", "None"),
        (&multipart, &parts, "{'a': '1'}"),
    ] {
        let answer = ok(send_as(&app, &hook, &signed("github", sent, 0), media_type, sent).await).await;
        assert_eq!(answer[1], body);
        let shown =
            run_python(&["-c", "import json, sys; print(repr(bytes(json.load(sys.stdin))))"], &json!(sent).to_string());
        assert_eq!(answer[0], shown.trim_end(), "{media_type}");
    }
    let secret = br#"{"pin": "hush-hush"}"#;
    let answer = send(&app, &hook, &signed("github", secret, 0), secret).await;
    let output = app.get(&format!("/v1/runs/{}/output", run_of(&answer))).await.to_string();
    assert!(output.contains("raw_body = b") && !output.contains("hush-hush"), "{output}");
    // Without the parameter nobody can make one up.
    let hook = app.deploy("b.ipynb", &notebook(&["raw_body"]), json!({})).await;
    let answer = app.call(&hook, &[("raw_body", "b'forged'")]).await;
    assert_eq!(problem(answer, 500).await["ename"], "NameError");
}
