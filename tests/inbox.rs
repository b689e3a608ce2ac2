//! Inboxes: what is sent to a public URL is kept for its owner.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeZone as _, Utc};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::app::{ADMIN, FormPart, TestApp, eventually, form, header, ok, problem, run_python, url};
use crate::binary::Server;
use crate::cli::User;

const UNKNOWN: &str = "0198c5f0-0000-4000-8000-000000000001";

fn start() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap()
}

fn path(inbox: &Value) -> String {
    format!("/v1/inboxes/{}", inbox["uuid"].as_str().unwrap())
}

async fn make_as(app: &TestApp, token: &str, wish: Value) -> Value {
    ok(app.api_as(token, Method::POST, "/v1/inboxes").json(&wish).send().await.unwrap()).await
}

async fn make(app: &TestApp, wish: Value) -> Value {
    make_as(app, ADMIN, wish).await
}

/// An inbox that can be read again and again.
async fn lasting(app: &TestApp) -> Value {
    make(app, json!({"auto_delete": false})).await
}

async fn send(request: RequestBuilder) -> Response {
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    response
}

async fn read(app: &TestApp, inbox: &Value) -> Value {
    app.get(&path(inbox)).await
}

/// What is kept of a body of this media type.
async fn kept(app: &TestApp, media_type: Option<&str>, body: impl Into<reqwest::Body>) -> Value {
    let inbox = make(app, json!({})).await;
    let mut request = app.http.post(url(&inbox)).body(body);
    if let Some(media_type) = media_type {
        request = request.header("content-type", media_type);
    }
    send(request).await;
    read(app, &inbox).await["result"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inbox_is_empty_until_something_is_sent_and_gone_once_that_was_read() {
    let app = TestApp::start_at(start(), |_| {}).await;
    let response = app.api(Method::POST, "/v1/inboxes").send().await.unwrap();
    assert_eq!(response.status(), 201);
    let location = header(&response, "location").to_owned();
    let inbox = ok(response).await;
    assert_eq!(location, path(&inbox));
    let uuid = inbox["uuid"].as_str().unwrap();
    assert_eq!(uuid.len(), 36);
    let expected = json!({"uuid": uuid, "url": format!("{}/inbox/{uuid}", app.url), "user": "admin", "auto_delete": true,
        "no_override": false, "response": null, "response_headers": null, "default_result": null, "received": 0,
        "received_at": null, "created_at": "2026-03-01T12:00:00.000Z", "result": null, "result_query": null,
        "result_headers": null});
    assert_eq!(inbox, expected);
    for _ in 0..3 {
        assert_eq!(read(&app, &inbox).await, expected, "reading takes nothing away");
    }
    app.clock.as_ref().unwrap().advance(chrono::Duration::minutes(1));

    let request = app.http.post(format!("{}?a=1&b=2&b=3", url(&inbox))).header("Authorization", "Bearer secret");
    let answer =
        send(request.header("X-Two", "1").header("X-Two", "2").json(&json!({"n": 1.50, "z": [], "a": null}))).await;
    let headers = ["content-type", "x-content-type-options", "content-security-policy", "cache-control"];
    let headers = headers.map(|name| header(&answer, name));
    assert_eq!(headers, ["application/json", "nosniff", "sandbox", "no-store"]);
    assert!(!answer.headers().keys().any(|name| name.as_str().starts_with("access-control")));
    assert_eq!(answer.text().await.unwrap(), r#"{"status":"ok"}"#);
    let listed = app.get("/v1/inboxes").await;
    assert_eq!((&listed["items"][0]["received"], &listed["items"][0]["result"]), (&json!(1), &Value::Null));
    assert!(!listed.to_string().contains("secret"), "a list takes nothing away, and gives nothing either");

    let full = read(&app, &inbox).await;
    assert_eq!(full["result"].to_string(), r#"{"n":1.5,"z":[],"a":null}"#);
    assert_eq!(full["result_query"], json!({"a": "1", "b": ["2", "3"]}));
    assert_eq!((&full["received"], &full["received_at"]), (&json!(1), &json!("2026-03-01T12:01:00.000Z")));
    let sent = &full["result_headers"];
    assert_eq!((&sent["authorization"], &sent["x-two"]), (&json!("Bearer secret"), &json!("1, 2")));
    problem(app.api(Method::GET, &path(&inbox)).send().await.unwrap(), 404).await;
    problem(app.http.post(url(&inbox)).send().await.unwrap(), 404).await;
    assert_eq!(app.get("/v1/inboxes").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_body_is_kept() {
    let app = TestApp::start().await;
    let json_type = Some("application/json; charset=utf-8");
    let form_type = Some("application/x-www-form-urlencoded");
    for (media_type, body, expected) in [
        (json_type, r#"{"a": {"b": 12345678901234567890123}}"#, r#"{"a":{"b":12345678901234567890123}}"#),
        (Some("application/vnd.api+json"), "{}", "{}"),
        (json_type, "[1, null]", r#"{"data":[1,null]}"#),
        (json_type, "0", r#"{"data":0}"#),
        (json_type, "null", r#"{"data":null}"#),
        (json_type, "\"text\"", r#"{"data":"text"}"#),
        (json_type, "{broken", r#"{"data":"{broken"}"#),
        (form_type, "a=1&b=x+y%26&a=2&c=", r#"{"a":["1","2"],"b":"x y&","c":""}"#),
        (Some("text/plain"), "süß\n", "{\"data\":\"süß\\n\"}"),
        (Some("application/xml"), "<a/>", r#"{"data":"<a/>"}"#),
        (None, "bare", r#"{"data":"bare"}"#),
        (Some("application/pdf"), "%PDF", r#"{"data":"JVBERg==","encoding":"base64","media_type":"application/pdf"}"#),
    ] {
        assert_eq!(kept(&app, media_type, body).await.to_string(), expected, "{media_type:?} {body}");
    }
    let latin = kept(&app, Some("text/plain; charset=iso-8859-1"), vec![0xe9]).await;
    assert_eq!(latin, json!({"data": "é"}));
    for (media_type, shown) in
        [(Some("image/png"), "image/png"), (Some("text/plain"), "text/plain"), (json_type, "application/json")]
    {
        let bytes = kept(&app, media_type, vec![0u8, 0xff]).await;
        assert_eq!(bytes, json!({"data": "AP8=", "encoding": "base64", "media_type": shown}));
    }
    let parts: [FormPart<'_>; 4] = [
        ("note", None, "grüß".as_bytes()),
        ("file", Some("a b.txt"), b"text"),
        ("many", None, b"1"),
        ("many", Some("x.bin"), &[0xff]),
    ];
    let (media_type, body) = form(&parts);
    let octets = "application/octet-stream";
    let file =
        |data: &str, name: &str| json!({"data": data, "encoding": "base64", "media_type": octets, "filename": name});
    let expected = json!({"note": "grüß", "file": file("dGV4dA==", "a b.txt"), "many": ["1", file("/w==", "x.bin")]});
    assert_eq!(kept(&app, Some(&media_type), body).await, expected);
    let broken = kept(&app, Some("multipart/form-data; boundary=x"), "no form").await;
    assert_eq!(broken["media_type"], "multipart/form-data", "{broken}");
}

/// Parsers take 127 levels, and an inbox, or an event of it, wraps what was sent.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_nested_too_deep_to_be_read_again_is_kept_as_text() {
    let app = TestApp::start_at(start(), |_| {}).await;
    let inbox = lasting(&app).await;
    let lists = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for levels in [100, 101, 124, 125, 126, 127, 128] {
        for body in [lists(levels), format!(r#"{{"a":{}}}"#, lists(levels - 1))] {
            send(app.http.post(url(&inbox)).header("content-type", "application/json").body(body.clone())).await;
            let result = read(&app, &inbox).await["result"].clone();
            let told = app.get("/v1/events?limit=1").await["items"][0]["data"]["result"].clone();
            assert_eq!(told, result);
            assert_eq!(result["data"].as_str() == Some(&body), levels > 100, "{levels} {result}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_method_leaves_something_and_a_query_alone_is_the_result() {
    let app = TestApp::start().await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND", "X-OWN"] {
        let inbox = make(&app, json!({})).await;
        let method: Method = method.parse().unwrap();
        let answer = send(app.http.request(method.clone(), format!("{}/?code=4%2F0A&state=s", url(&inbox)))).await;
        assert_eq!(answer.text().await.unwrap(), if method == "HEAD" { "" } else { r#"{"status":"ok"}"# });
        assert_eq!(read(&app, &inbox).await["result"], json!({"code": "4/0A", "state": "s"}), "{method}");
    }
    let inbox = make(&app, json!({})).await;
    let ask = app.http.request(Method::OPTIONS, url(&inbox)).header("origin", "https://evil.example");
    let answer = ask.header("access-control-request-method", "POST").send().await.unwrap();
    assert_eq!(answer.status(), 204);
    assert!(!answer.headers().keys().any(|name| name.as_str().starts_with("access-control")));
    assert_eq!(read(&app, &inbox).await["received"], 0, "a browser's question is nothing that was sent");
    problem(app.http.request(Method::TRACE, url(&inbox)).send().await.unwrap(), 405).await;
    send(app.http.get(url(&inbox))).await;
    assert_eq!(read(&app, &inbox).await["result"], json!({}), "something came, even if it was nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_are_answered_what_the_owner_wants() {
    let app = TestApp::start().await;
    for response in [json!({"toto": "tata", "a": 1.0}), json!("text"), json!(0), json!(false), json!([]), json!("")] {
        let inbox = make(&app, json!({"response": response})).await;
        assert_eq!(send(app.http.get(url(&inbox))).await.text().await.unwrap(), response.to_string());
    }
    let wish =
        json!({"response_headers": {"toto": "tata", "X-N": 3, "Content-Type": "text/html"}, "response": "<script>"});
    let inbox = make(&app, wish).await;
    assert_eq!(inbox["response_headers"], json!({"toto": "tata", "X-N": "3", "Content-Type": "text/html"}));
    let answer = send(app.http.post(url(&inbox))).await;
    let headers = ["toto", "x-n", "content-type", "content-security-policy", "x-content-type-options"];
    assert_eq!(headers.map(|name| header(&answer, name)), ["tata", "3", "text/html", "sandbox", "nosniff"]);

    for (name, value) in [
        ("a", "b\r\nc: d"),
        ("a", "b\nc"),
        ("a b", "c"),
        ("", "c"),
        ("a:", "c"),
        ("set-cookie", "a=b"),
        ("Content-Length", "0"),
        ("transfer-encoding", "chunked"),
        ("Content-Security-Policy", "x"),
        ("X-Nbhook-Run", "x"),
        ("NEL", "{}"),
        ("Report-To", "{}"),
        ("x-accel-redirect", "/"),
        ("Content-Type", "multipart/x-mixed-replace; boundary=x"),
    ] {
        let wish = json!({"response_headers": {name: value}});
        let refused = app.api(Method::POST, "/v1/inboxes").json(&wish).send().await.unwrap();
        let field = problem(refused, 422).await["field"].as_str().unwrap().to_owned();
        assert!(field.starts_with("response_headers"), "{field}");
    }
    for (wish, field) in [
        (json!([]), "body"),
        (json!({"nonsense": 1}), "nonsense"),
        (json!({"auto_delete": "no"}), "auto_delete"),
        (json!({"no_override": 1}), "no_override"),
        (json!({"response_headers": []}), "response_headers"),
        (json!({"user": 5}), "user"),
        (json!({"uuid": 5}), "uuid"),
        (json!({"uuid": "a/b"}), "uuid"),
    ] {
        let refused = app.api(Method::POST, "/v1/inboxes").json(&wish).send().await.unwrap();
        assert_eq!(problem(refused, 422).await["field"], field, "{wish}");
    }
    let usual =
        json!({"response": null, "response_headers": null, "auto_delete": null, "no_override": null, "user": null});
    assert_eq!(make(&app, usual).await["auto_delete"], true);
}

/// Older servers let an owner set more headers than may be set now.
#[tokio::test(flavor = "multi_thread")]
async fn headers_that_may_not_be_set_any_more_are_not_sent() {
    let app = TestApp::start().await;
    let inbox = make(&app, json!({"response_headers": {"x-fine": "1"}})).await;
    let program = "import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1], timeout=30)\n\
                   db.execute(\"UPDATE inboxes SET response_headers = '{\\\"NEL\\\": \\\"x\\\", \\\"x-fine\\\": \\\"2\\\"}'\")\ndb.commit()";
    run_python(&["-c", program, app.data.path().join(".nbhook/nbhook.db").to_str().unwrap()], "");
    let answer = send(app.http.post(url(&inbox))).await;
    assert_eq!((answer.headers().get("nel"), header(&answer, "x-fine")), (None, "2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_hit_replaces_the_first_unless_the_first_is_to_stay() {
    let app = TestApp::start().await;
    for (no_override, expected) in [(false, "second"), (true, "first")] {
        let inbox = make(&app, json!({"no_override": no_override, "auto_delete": false})).await;
        for text in ["first", "second"] {
            let request = app.http.post(format!("{}?q={text}", url(&inbox))).header("x-h", text);
            let answer = send(request.header("content-type", "text/plain").body(text)).await;
            assert_eq!(answer.text().await.unwrap(), r#"{"status":"ok"}"#);
        }
        let full = read(&app, &inbox).await;
        assert_eq!(full["result"], json!({ "data": expected }));
        assert_eq!((&full["result_headers"]["x-h"], &full["result_query"]["q"]), (&json!(expected), &json!(expected)));
        assert_eq!(full["received"], 2);
        assert_eq!(read(&app, &inbox).await, full, "it stays");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hits_racing_a_no_override_inbox() {
    let app = TestApp::start().await;
    for round in 0..20 {
        let inbox = make(&app, json!({"no_override": true, "auto_delete": false})).await;
        let hit = |name: &'static str| {
            let request = app.http.post(url(&inbox)).header("x-who", name).json(&json!({"who": name}));
            tokio::spawn(async move { send(request).await.text().await.unwrap() })
        };
        let (one, two) = if round % 2 == 0 { (hit("one"), hit("two")) } else { (hit("two"), hit("one")) };
        assert_eq!(
            (one.await.unwrap(), two.await.unwrap()),
            (r#"{"status":"ok"}"#.into(), r#"{"status":"ok"}"#.into())
        );
        let full = read(&app, &inbox).await;
        assert_eq!((&full["received"], &full["result"]["who"]), (&json!(2), &full["result_headers"]["x-who"]));
        assert_eq!(read(&app, &inbox).await, full);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_is_there_until_something_is_sent_also_where_the_first_stays() {
    let app = TestApp::start().await;
    for default in [json!({"toto": "tata"}), json!(0), json!(false), json!(""), json!([]), json!({})] {
        let inbox = make(&app, json!({"default_result": default, "no_override": true})).await;
        for _ in 0..2 {
            let full = read(&app, &inbox).await;
            assert_eq!(
                (&full["result"], &full["result_headers"], &full["received"]),
                (&default, &Value::Null, &json!(0))
            );
        }
        send(app.http.post(url(&inbox)).json(&json!({"hit": 1}))).await;
        assert_eq!(read(&app, &inbox).await["result"], json!({"hit": 1}), "{default}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_released_by_a_hit() {
    let app = TestApp::start().await;
    let inbox = lasting(&app).await;
    let started = Instant::now();
    let waiting = tokio::spawn(app.api(Method::GET, &format!("{}?wait=50", path(&inbox))).send());
    // Whether it waits already when the hit comes makes no difference.
    assert_eq!(app.get(&format!("{}?wait=1", path(&inbox))).await["received"], 0, "nobody came");
    assert!(started.elapsed() >= Duration::from_secs(1) && !waiting.is_finished());
    send(app.http.post(url(&inbox)).json(&json!({"n": 1}))).await;
    assert_eq!(ok(waiting.await.unwrap().unwrap()).await["result"], json!({"n": 1}));
    assert!(started.elapsed() < Duration::from_secs(30), "released by the hit");
    assert_eq!(app.get(&format!("{}?wait=300", path(&inbox))).await["received"], 1, "it is there: nobody waits");

    let deleted = make(&app, json!({})).await;
    let waiting = tokio::spawn(app.api(Method::GET, &format!("{}?wait=50", path(&deleted))).send());
    ok(app.api(Method::DELETE, &path(&deleted)).send().await.unwrap()).await;
    problem(waiting.await.unwrap().unwrap(), 404).await;
    for wait in ["301", "-1", "x", "1.5", ""] {
        let refused = app.api(Method::GET, &format!("{}?wait={wait}", path(&inbox))).send().await.unwrap();
        assert_eq!(problem(refused, 422).await["field"], "wait");
    }
    // A server that stops lets nobody wait.
    let waits = lasting(&app).await;
    let waiting = tokio::spawn(app.api(Method::GET, &format!("{}?wait=50", path(&waits))).send());
    assert_eq!(app.get(&format!("{}?wait=1", path(&waits))).await["received"], 0);
    app.stop().await;
    assert_eq!(ok(waiting.await.unwrap().unwrap()).await["received"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_readers_exactly_one_has_the_result() {
    let app = TestApp::start().await;
    for wait in [0, 50] {
        let inbox = make(&app, json!({"default_result": "none"})).await;
        let at = format!("{}?wait={wait}", path(&inbox));
        if wait == 0 {
            send(app.http.post(url(&inbox)).json(&json!({"n": 1}))).await;
        }
        let readers: Vec<_> = (0..8).map(|_| tokio::spawn(app.api(Method::GET, &at).send())).collect();
        if wait > 0 {
            send(app.http.post(url(&inbox)).json(&json!({"n": 1}))).await;
        }
        let mut found = 0;
        for reader in readers {
            let response = reader.await.unwrap().unwrap();
            if response.status() == 200 {
                assert_eq!(ok(response).await["result"], json!({"n": 1}));
                found += 1;
            } else {
                problem(response, 404).await;
            }
        }
        assert_eq!(found, 1, "wait={wait}");
    }
}

/// The status of an answer to a body that does not say how long it is.
async fn chunked(app: &TestApp, inbox: &Value, body: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut connection = tokio::net::TcpStream::connect(app.url.strip_prefix("http://").unwrap()).await.unwrap();
    let head = "HTTP/1.1\r\nhost: h\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked";
    let text = format!(
        "POST /inbox/{} {head}\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        inbox["uuid"].as_str().unwrap(),
        body.len()
    );
    connection.write_all(text.as_bytes()).await.unwrap();
    let mut answer = [0; 256];
    let length = connection.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).lines().next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_and_what_was_there_stays() {
    let app = TestApp::start_with(|settings| settings.inbox.body_limit = 100_000).await;
    let inbox = lasting(&app).await;
    let exactly = "x".repeat(100_000);
    let post =
        |inbox: &Value, body: reqwest::Body| app.http.post(url(inbox)).header("content-type", "text/plain").body(body);
    send(post(&inbox, exactly.clone().into())).await;
    let too_large = format!("{exactly}x");
    let refused = post(&inbox, too_large.clone().into()).send().await.unwrap();
    assert_eq!(header(&refused, "content-security-policy"), "sandbox");
    problem(refused, 413).await;
    assert_eq!(chunked(&app, &inbox, &too_large).await, "HTTP/1.1 413 Payload Too Large");
    assert_eq!(chunked(&app, &json!({"uuid": UNKNOWN}), "x").await, "HTTP/1.1 404 Not Found");
    let full = read(&app, &inbox).await;
    assert_eq!((&full["result"]["data"], &full["received"]), (&json!(exactly), &json!(1)));
    let wish = app.api(Method::POST, "/v1/inboxes").json(&json!({"response": too_large})).send().await.unwrap();
    problem(wish, 413).await;
    let unknown = json!({"url": format!("{}/inbox/{UNKNOWN}", app.url)});
    problem(post(&unknown, exactly.into()).send().await.unwrap(), 404).await;
    for other in [UNKNOWN, "..", "%2e%2e%2fv1", "a%20b", &"x".repeat(65)] {
        let status = app.http.get(format!("{}/inbox/{other}", app.url)).send().await.unwrap().status();
        assert_eq!(status, 404, "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_have_their_own_and_admins_act_for_all() {
    let app = TestApp::start_with(|settings| settings.inbox.limit = 2).await;
    let (alice, bob) = (app.member("alice").await, app.member("bob").await);
    let post = async |token: &str, wish: Value| {
        app.api_as(token, Method::POST, "/v1/inboxes").json(&wish).send().await.unwrap()
    };
    for wish in [json!({"uuid": "mine"}), json!({"user": "bob"}), json!({"user": "nobody"})] {
        problem(post(&alice, wish).await, 403).await;
    }
    let hers = make_as(&app, &alice, json!({})).await;
    let test = make(&app, json!({"user": "bob", "uuid": "test"})).await;
    assert_eq!((&test["user"], &test["url"]), (&json!("bob"), &json!(format!("{}/inbox/test", app.url))));
    problem(post(ADMIN, json!({"uuid": "test"})).await, 409).await;
    for (wish, field) in
        [(json!({"uuid": "a/b"}), "uuid"), (json!({"uuid": ""}), "uuid"), (json!({"user": "nobody"}), "user")]
    {
        assert_eq!(problem(post(ADMIN, wish).await, 422).await["field"], field);
    }
    let names = async |token: &str, query: &str| {
        let list = ok(app.api_as(token, Method::GET, &format!("/v1/inboxes{query}")).send().await.unwrap()).await;
        let items = list["items"].as_array().unwrap().clone();
        (items.iter().map(|item| item["user"].as_str().unwrap().to_owned()).collect::<Vec<_>>(), list)
    };
    assert_eq!(names(&alice, "").await.0, ["alice"]);
    assert_eq!(names(ADMIN, "").await.0, ["bob", "alice"], "newest first");
    let (users, list) = names(ADMIN, "?user=bob&limit=1").await;
    assert_eq!((users, &list["filters"], &list["limit"]), (vec!["bob".to_owned()], &json!({"user": "bob"}), &json!(1)));
    problem(app.api_as(&alice, Method::GET, "/v1/inboxes?user=bob").send().await.unwrap(), 403).await;

    send(app.http.post(url(&test)).json(&json!({"n": 1}))).await;
    let get = async |token: &str, inbox: &Value, query: &str| {
        app.api_as(token, Method::GET, &format!("{}{query}", path(inbox))).send().await.unwrap()
    };
    problem(get(&alice, &test, "").await, 404).await;
    problem(get(&alice, &hers, "?user=bob").await, 403).await;
    problem(get(ADMIN, &test, "?user=alice").await, 404).await;
    problem(app.api_as(&alice, Method::DELETE, &path(&test)).send().await.unwrap(), 404).await;
    assert_eq!(ok(get(ADMIN, &test, "?user=bob").await).await["result"], json!({"n": 1}));
    problem(get(&bob, &test, "").await, 404).await;

    make_as(&app, &bob, json!({})).await;
    let second = make_as(&app, &bob, json!({})).await;
    let told = problem(post(&bob, json!({})).await, 403).await;
    assert!(told["detail"].as_str().unwrap().contains("2 inboxes at most"), "{told}");
    let deleted = app.api(Method::DELETE, &format!("{}?user=bob", path(&second))).send().await.unwrap();
    assert_eq!(ok(deleted).await, json!({"success": true}));
    problem(app.http.get(url(&second)).send().await.unwrap(), 404).await;
    problem(app.api_as(&bob, Method::DELETE, &path(&second)).send().await.unwrap(), 404).await;
    make_as(&app, &bob, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inbox_that_nobody_reads_goes() {
    let app = TestApp::start_at(start(), |settings| settings.inbox.days = 30).await;
    let (read_again, left) = (lasting(&app).await, lasting(&app).await);
    let turn = |days| app.clock.as_ref().unwrap().advance(chrono::Duration::days(days));
    turn(20);
    send(app.http.post(url(&left))).await; // what is sent does not count
    read(&app, &read_again).await;
    turn(11);
    let prune = async |query: &str| {
        ok(app.api(Method::POST, &format!("/v1/prune{query}")).send().await.unwrap()).await["inboxes"].clone()
    };
    assert_eq!(prune("?dry_run=true").await, 1);
    assert_eq!(app.get("/v1/inboxes").await["items"].as_array().unwrap().len(), 2);
    assert_eq!((prune("").await, prune("").await), (json!(1), json!(0)));
    problem(app.api(Method::GET, &path(&left)).send().await.unwrap(), 404).await;
    read(&app, &read_again).await;
    turn(31);
    eventually("the sweep takes it", async || app.get("/v1/inboxes").await["items"] == json!([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_has_what_it_said_it_has() {
    let data = TempDir::new().unwrap();
    let mut server = Server::start(data.path());
    let mut inboxes = Vec::new();
    for _ in 0..20 {
        let wish = server.api(Method::POST, "/v1/inboxes").json(&json!({"auto_delete": false}));
        inboxes.push(ok(wish.send().await.unwrap()).await);
    }
    // All at once, so that they share transactions; the server dies as soon as the last one was told.
    let hits = inboxes.iter().enumerate().map(|(number, inbox)| {
        let request =
            server.http.post(url(inbox)).header("authorization", "hush-hush").json(&json!({"number": number}));
        tokio::spawn(async move { send(request).await })
    });
    for hit in hits.collect::<Vec<_>>() {
        hit.await.unwrap();
    }
    server.kill();
    let log = server.log();
    assert!(log.contains("/inbox/{uuid}") && !log.contains("hush-hush"), "{log}");
    for inbox in &inboxes {
        assert!(!log.contains(inbox["uuid"].as_str().unwrap()), "an inbox's URL is in the log");
    }
    let server = Server::start(data.path());
    for (number, inbox) in inboxes.iter().enumerate() {
        assert_eq!(server.get(&path(inbox)).await["result"], json!({ "number": number }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_has_inboxes() {
    let app = TestApp::start().await;
    let user = User::new();
    user.log_in(&app, ADMIN).await;
    let made = user.run(&["inbox", "create", "--response", "[1]", "--header", "X-A: b"]).await.good();
    let uuid = made.trim().rsplit('/').next().unwrap().to_owned();
    assert!(user.run(&["inbox", "list"]).await.good().contains(&uuid));
    assert_eq!(user.run(&["inbox", "get", &uuid]).await.good(), "null\n");
    let answer = send(app.http.post(made.trim()).json(&json!({"n": 1}))).await;
    assert_eq!((header(&answer, "x-a"), answer.status()), ("b", reqwest::StatusCode::OK));
    let got = user.run(&["inbox", "get", &uuid, "--wait", "20"]).await.good();
    assert_eq!(serde_json::from_str::<Value>(&got).unwrap(), json!({"n": 1}));
    let made = user.run(&["inbox", "create", "--json"]).await.good();
    let uuid = serde_json::from_str::<Value>(&made).unwrap()["uuid"].as_str().unwrap().to_owned();
    assert_eq!(user.run(&["inbox", "delete", &uuid]).await.good(), format!("deleted {uuid}\n"));
}
