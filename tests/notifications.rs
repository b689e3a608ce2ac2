//! Mails that users and their runs have the server send, through a real SMTP server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::app::{ADMIN, TestApp, eventually, form, notebook, ok, problem};
use crate::mail::{SmtpServer, bodies, closed_port, header, mailing, noon, smtp};

async fn send(app: &TestApp, token: &str, mail: &Value) -> Response {
    app.api_as(token, Method::POST, "/v1/notifications").json(mail).send().await.unwrap()
}

async fn send_form(app: &TestApp, token: &str, meta: &Value, files: &[(&str, &[u8])]) -> Response {
    let meta = meta.to_string();
    let mut parts: Vec<crate::app::FormPart<'_>> = vec![("meta", None, meta.as_bytes())];
    parts.extend(files.iter().map(|(name, content)| ("file", Some(*name), *content)));
    let (media_type, body) = form(&parts);
    let request = app.api_as(token, Method::POST, "/v1/notifications").header("content-type", media_type);
    request.body(body).send().await.unwrap()
}

fn mail() -> Value {
    json!({"email_to": "ann@example.org", "subject": "Sales of May", "html": "<h1>May</h1><p>Up &amp; up</p>"})
}

async fn shown(app: &TestApp, token: &str, id: &Value) -> Value {
    let path = format!("/v1/notifications/{}", id.as_str().unwrap());
    ok(app.api_as(token, Method::GET, &path).send().await.unwrap()).await
}

/// The states that a mail comes to.
async fn becomes(app: &TestApp, token: &str, id: &Value, state: &str) -> Value {
    eventually(state, async || shown(app, token, id).await["state"] == state).await;
    shown(app, token, id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_goes_out_whole_and_what_it_said_is_not_kept() {
    let smtp = SmtpServer::start(0);
    let app = TestApp::start_with(mailing(&smtp.url())).await;
    let (alice, bob) = (app.member("alice").await, app.member("bob").await);
    let mut meta = mail();
    meta["email_to"] = json!(["ann@example.org", "ben@example.org"]);
    meta["email_from"] = "alice@example.org".into();
    meta["subject"] = "Übersicht 失敗".into();
    let files: [(&str, &[u8]); 2] = [("../../Übersicht.csv", b"1,2\n"), ("plot.png", b"\x89PNG\r\n\x1a\n")];
    let queued = send_form(&app, &alice, &meta, &files).await;
    assert_eq!(queued.status(), 202);
    let location = queued.headers()["location"].to_str().unwrap().to_owned();
    let queued = ok(queued).await;
    assert_eq!(location, format!("/v1/notifications/{}", queued["id"].as_str().unwrap()));
    assert!(queued["user"].is_null() && queued["html"].is_null() && queued["files"] == 2, "{queued}");

    let taken = smtp.taken(1).remove(0);
    assert_eq!(taken["envelope_to"], json!(["ann@example.org", "ben@example.org"]));
    assert_eq!(taken["envelope_from"], "nbhook@example.org");
    assert_eq!(header(&taken, "From"), "nbhook <nbhook@example.org>");
    assert_eq!(header(&taken, "Reply-To"), "alice@example.org");
    assert_eq!(header(&taken, "Subject"), "Übersicht 失敗");
    assert_eq!(taken["type"], "multipart/mixed");
    let (text, html) = bodies(&taken);
    assert_eq!((text.trim(), html.trim()), ("May\nUp & up", "<h1>May</h1><p>Up &amp; up</p>"));
    let sent: Vec<_> = files.iter().map(|(_, content)| STANDARD.encode(content)).collect();
    let expected = json!([["Übersicht.csv", "text/csv", sent[0]], ["plot.png", "image/png", sent[1]]]);
    assert_eq!(taken["files"], expected);
    let done = becomes(&app, &alice, &queued["id"], "sent").await;
    assert_eq!((&done["attempts"], &done["error"]), (&json!(1), &json!(null)));

    // From whom the server sends anyway, and to whom one alone is.
    let mut plain = json!({"email_to": "ann@example.org", "subject": "s", "text": "1 < 2"});
    plain["email_from"] = "NBHOOK@example.org".into();
    let id = ok(send(&app, &alice, &plain).await).await["id"].clone();
    let taken = smtp.taken(2).remove(1);
    assert!(!taken.to_string().contains("Reply-To"), "{taken}");
    assert!(bodies(&taken).1.contains("1 &lt; 2"));
    becomes(&app, &alice, &id, "sent").await;

    let path = format!("/v1/notifications/{}", id.as_str().unwrap());
    problem(app.api_as(&bob, Method::GET, &path).send().await.unwrap(), 404).await;
    assert_eq!(shown(&app, ADMIN, &id).await["user"], "alice");
    let list = async |token: &str, query: &str| {
        let path = format!("/v1/notifications{query}");
        ok(app.api_as(token, Method::GET, &path).send().await.unwrap()).await["items"].as_array().unwrap().len()
    };
    let counts = [(alice.as_str(), "", 2), (&bob, "", 0), (ADMIN, "?user=alice", 2), (&alice, "?state=failed", 0)];
    for (token, query, count) in counts {
        assert_eq!(list(token, query).await, count, "{query}");
    }
    let data = app.stop().await;
    let left = "import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\n\
        print(*db.execute('SELECT COUNT(*), COUNT(body_text), COUNT(body_html) FROM notifications').fetchone(), \
        *db.execute('SELECT COUNT(*) FROM notification_files').fetchone())";
    let database = data.path().join(".nbhook/nbhook.db");
    assert_eq!(crate::app::run_python(&["-c", left, database.to_str().unwrap()], ""), "2 0 0 0\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_is_named_and_nothing_gets_into_the_headers() {
    let smtp = SmtpServer::start(0);
    let app = TestApp::start_with(mailing(&smtp.url())).await;
    for (field, value) in [
        ("email_to", json!("bob")),
        ("email_to", json!("a@b.c\r\nBcc: x@y.z")),
        ("email_to", json!(["a@b.c", "Bob <b@b.c>"])),
        ("email_to", json!([])),
        ("email_to", json!(null)),
        ("email_to", json!(vec!["a@b.c"; 51])),
        ("subject", json!("a\r\nBcc: x@y.z")),
        ("subject", json!("x".repeat(301))),
        ("subject", json!(null)),
        ("html", json!(null)),
        ("html", json!(7)),
        ("email_from", json!("me\n@b.c")),
        ("cc", json!("a@b.c")),
    ] {
        let mut bad = mail();
        bad[field] = value;
        let refused = problem(send(&app, ADMIN, &bad).await, 422).await;
        assert_eq!(refused["field"], field, "{refused}");
    }
    let huge = vec![0; 20 << 20];
    problem(send_form(&app, ADMIN, &mail(), &[("a.bin", &huge)]).await, 413).await;
    let longer = vec![0; (20 << 20) + (100 << 10)];
    problem(send_form(&app, ADMIN, &mail(), &[("a.bin", &longer)]).await, 413).await;
    assert_eq!(app.get("/v1/notifications").await["items"], json!([]));
    ok(send_form(&app, ADMIN, &mail(), &[("a\tBcc: x@y.z.txt", b"x")]).await).await;
    let taken = smtp.taken(1).remove(0);
    assert_eq!(taken["envelope_to"], json!(["ann@example.org"]));
    assert_eq!(taken["files"][0][0], "a_Bcc_ x@y.z.txt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_survives_the_server_is_tried_again_and_given_up_when_it_is_refused() {
    let port = closed_port();
    let app = TestApp::start_at(noon(), mailing(&smtp(port))).await;
    let id = ok(send(&app, ADMIN, &mail()).await).await["id"].clone();
    eventually("the first attempt", async || shown(&app, ADMIN, &id).await["error"].is_string()).await;
    assert_eq!(shown(&app, ADMIN, &id).await["state"], "queued");
    let data = app.stop().await;

    let server = SmtpServer::start(port);
    let app = TestApp::start_again(data, noon() + TimeDelta::minutes(1), mailing(&server.url())).await;
    let sent = becomes(&app, ADMIN, &id, "sent").await;
    assert!(sent["attempts"].as_u64().unwrap() >= 2 && sent["error"].is_null(), "{sent}");
    assert_eq!(bodies(&server.taken(1)[0]).0.trim(), "May\nUp & up");

    let mut gone = mail();
    gone["email_to"] = "gone@example.org".into();
    let id = ok(send(&app, ADMIN, &gone).await).await["id"].clone();
    let failed = becomes(&app, ADMIN, &id, "failed").await;
    assert!(failed["error"].as_str().unwrap().contains("no such user") && failed["attempts"] == 1, "{failed}");

    // It is known for a month.
    app.clock.as_ref().unwrap().advance(TimeDelta::days(29));
    app.app().service().sweep(false).await.unwrap();
    assert_eq!(app.get("/v1/notifications").await["items"].as_array().unwrap().len(), 2);
    app.clock.as_ref().unwrap().advance(TimeDelta::days(2));
    app.app().service().sweep(false).await.unwrap();
    assert_eq!(app.get("/v1/notifications").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_sends_a_hundred_mails_an_hour() {
    let app = TestApp::start_at(noon(), |_| {}).await;
    let alice = app.member("alice").await;
    for _ in 0..100 {
        ok(send(&app, &alice, &mail()).await).await;
    }
    app.clock.as_ref().unwrap().advance(TimeDelta::minutes(20));
    let refused = send(&app, &alice, &mail()).await;
    assert_eq!(refused.headers()["retry-after"], "2401");
    assert_eq!(problem(refused, 429).await["title"], "too many mails");
    ok(send(&app, ADMIN, &mail()).await).await;
    app.clock.as_ref().unwrap().advance(TimeDelta::minutes(41));
    ok(send(&app, &alice, &mail()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_sends_mails_in_which_no_secret_stands() {
    let smtp = SmtpServer::start(0);
    let app = TestApp::start_with(mailing(&smtp.url())).await;
    let alice = app.member("alice").await;
    let secret = app.api_as(&alice, Method::PUT, "/v1/secrets/key").json(&json!({"value": "hush-hush"}));
    ok(secret.send().await.unwrap()).await;
    let cells = [
        "from nbhook import notification, secret, webhook\nkey = secret.get('key')",
        "with open('report.csv', 'w') as file:\n    file.write('1,2')",
        "sent = notification.send('ann@example.org', 'with ' + key, f'<p>{key}</p>', files=['report.csv'])",
        "webhook.respond_json(sent)",
    ];
    let hook = app.deploy_as(&alice, "m.ipynb", &notebook(&cells), json!({})).await;
    let answer = app.call(&hook, &[]).await;
    let run = crate::app::run_of(&answer);
    let sent = ok(answer).await;
    assert_eq!((&sent["run"], &sent["state"]), (&json!(run), &json!("queued")));
    let taken = smtp.taken(1).remove(0);
    assert_eq!(header(&taken, "Subject"), "with ***");
    assert_eq!(bodies(&taken).1.trim(), "<p>***</p>");
    assert_eq!(taken["files"][0][0], "report.csv");
    becomes(&app, &alice, &sent["id"], "sent").await;
}
