//! Mails about runs, through a real SMTP server.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use nbhook::clock::Clock as _;
use nbhook::config::{Secret, Settings};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::app::{ADMIN, TestApp, notebook, ok, problem, python, url};
use crate::binary::{Server, eventually, files};

/// aiosmtpd; refuses addresses that begin with `gone@` for good and `later@` for now.
pub(crate) struct SmtpServer {
    child: Child,
    port: u16,
    taken: Arc<Mutex<Vec<Value>>>,
}

impl SmtpServer {
    /// On this port; 0 takes a free one.
    #[expect(clippy::disallowed_methods, reason = "a test's own server, killed when it is dropped")]
    pub(crate) fn start(port: u16) -> Self {
        let mut child = Command::new(python())
            .args(["-c", include_str!("../src/mail/smtp_server.py"), &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.next().unwrap().parse().unwrap();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let kept = taken.clone();
        std::thread::spawn(move || {
            for line in lines {
                kept.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, port, taken }
    }

    pub(crate) fn url(&self) -> String {
        smtp(self.port)
    }

    /// All mails it took, once there are as many.
    pub(crate) fn taken(&self, number: usize) -> Vec<Value> {
        let taken = || self.taken.lock().unwrap().clone();
        eventually("the mails", || (taken().len() >= number).then_some(()));
        let taken = taken();
        assert_eq!(taken.len(), number, "{taken:?}");
        taken
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn smtp(port: u16) -> String {
    format!("smtp://127.0.0.1:{port}")
}

pub(crate) fn mailing(url: &str) -> impl FnOnce(&mut Settings) {
    let url = Secret::new(url);
    move |settings| {
        settings.smtp.url = Some(url);
        settings.smtp.from = Some("nbhook <nbhook@example.org>".to_owned());
    }
}

/// A port that nobody listens on.
pub(crate) fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(crate) fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

pub(crate) fn header<'a>(mail: &'a Value, name: &str) -> &'a str {
    mail["headers"].as_array().unwrap().iter().find(|pair| pair[0] == name).unwrap()[1].as_str().unwrap()
}

/// The plain text and the HTML.
pub(crate) fn bodies(mail: &Value) -> (String, String) {
    let part = |index: usize| mail["parts"][index][1].as_str().unwrap().replace("\r\n", "\n");
    assert_eq!((&mail["parts"][0][0], &mail["parts"][1][0]), (&json!("text/plain"), &json!("text/html")));
    (part(0), part(1))
}

fn run_of(answer: &reqwest::Response) -> String {
    answer.headers()["x-nbhook-run"].to_str().unwrap().to_owned()
}

const FAILS: &str =
    "raise type('<script>alert(1)</script>', (Exception,), {})('<script>alert(2)</script> & \\'Zürich\\'')";

#[tokio::test(flavor = "multi_thread")]
async fn failures_and_successes_are_mailed_to_whom_they_concern() {
    let smtp = SmtpServer::start(0);
    let app = TestApp::start_with(mailing(&smtp.url())).await;
    let path = "berichte/<script>alert(0)</script> Übersicht & Zahlen.ipynb";
    let params = json!({"notif_down": ["down@example.org", "too@example.org"], "notif_up": "up@example.org"});
    let hook = app.deploy(path, &notebook(&["1", "2", &format!("if fail == 'yes': {FAILS}")]), params).await;
    let failed = app.call(&hook, &[("fail", "yes")]).await;
    let down_run = run_of(&failed);
    problem(failed, 500).await;
    let down = smtp.taken(1).remove(0);
    let succeeded = app.call(&hook, &[("fail", "no")]).await;
    let up_run = run_of(&succeeded);
    ok(succeeded).await;
    let up = smtp.taken(2).remove(1);

    assert_eq!(down["envelope_to"], json!(["down@example.org", "too@example.org"]));
    assert_eq!(down["envelope_from"], "nbhook@example.org");
    assert_eq!(header(&down, "Subject"), format!("{path} failed in cell 3: <script>alert(1)</script>"));
    assert_eq!(up["envelope_to"], json!(["up@example.org"]));
    assert_eq!(header(&up, "Subject"), format!("{path} succeeded"));
    for (mail, run, state) in [(&down, &down_run, "failed"), (&up, &up_run, "succeeded")] {
        let (text, html) = bodies(mail);
        let link = format!("{}/v1/runs/{run}", app.url);
        assert!(
            text.contains(&format!("\n{link}\n")) && html.replace("&#x2f;", "/").contains(&format!("href=\"{link}\"")),
            "{text}\n{html}"
        );
        assert!(text.contains(path) && html.contains("Übersicht &amp; Zahlen.ipynb"), "{text}\n{html}");
        assert!(text.contains(state) && html.contains(state));
        assert!(!html.contains("<script"), "{html}");
        let whole = mail.to_string();
        for secret in [url(&hook).rsplit('/').next().unwrap(), ADMIN] {
            assert!(!whole.contains(secret), "{whole}");
        }
    }
    let (text, html) = bodies(&down);
    assert!(text.contains("<script>alert(1)</script>: <script>alert(2)</script> & 'Zürich'"), "{text}");
    assert!(html.contains("&lt;script&gt;alert(2)") && html.contains("Cell"), "{html}");
    assert!(!text.contains("Traceback") && !html.contains("Traceback"));
    assert_eq!(app.get(&format!("/v1/runs/{down_run}")).await["state"], "failed", "the link leads to the run");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_smtp_server_that_never_answers_holds_up_neither_answers_nor_the_stop() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let app = TestApp::start_with(mailing(&smtp(silent.local_addr().unwrap().port()))).await;
    let params = json!({"notif_up": ["up@example.org"]});
    let hook = app.deploy("up.ipynb", &notebook(&["1"]), params).await;
    let started = Instant::now();
    for _ in 0..3 {
        ok(app.call(&hook, &[]).await).await;
    }
    silent.accept().unwrap(); // the mail is on its way
    app.stop().await;
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_smtp_server_mails_become_files() {
    let app = TestApp::start().await;
    let hook = app.deploy("down.ipynb", &notebook(&[FAILS]), json!({"notif_down": ["ann@example.org"]})).await;
    let run = run_of(&app.call(&hook, &[]).await);
    app.quiet().await;
    app.app().service().send_notices().await.unwrap();
    let mails = files(&app.data.path().join(".nbhook/mail"));
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].extension().unwrap(), "eml");
    let mail = std::fs::read_to_string(&mails[0]).unwrap();
    assert!(mail.contains("To: ann@example.org\r\n") && mail.contains(&run), "{mail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_failures_is_one_mail_now_and_one_in_five_minutes() {
    let smtp = SmtpServer::start(0);
    let app = TestApp::start_at(noon(), mailing(&smtp.url())).await;
    let (clock, service) = (app.clock.clone().unwrap(), app.app().service().clone());
    let hook = app.deploy("down.ipynb", &notebook(&[FAILS]), json!({"notif_down": ["old@example.org"]})).await;
    let other = app.deploy("other.ipynb", &notebook(&[FAILS]), json!({"notif_down": ["other@example.org"]})).await;
    problem(app.call(&hook, &[]).await, 500).await;
    app.quiet().await;
    service.send_notices().await.unwrap();
    assert_eq!(smtp.taken(1)[0]["envelope_to"], json!(["old@example.org"]));

    let burst = async |number: usize| {
        let calls: Vec<_> = (0..number).map(|_| tokio::spawn(app.http.get(url(&hook)).send())).collect();
        for call in calls {
            problem(call.await.unwrap().unwrap(), 500).await;
        }
        app.quiet().await;
    };
    burst(10).await;
    let change = json!({"params": {"notif_down": ["new@example.org"]}});
    ok(app
        .api(Method::PATCH, &format!("/v1/hooks/{}", hook["id"].as_str().unwrap()))
        .json(&change)
        .send()
        .await
        .unwrap())
    .await;
    burst(9).await;
    problem(app.call(&other, &[]).await, 500).await; // another hook's mails are its own
    app.quiet().await;
    clock.advance(TimeDelta::seconds(299));
    let due = service.send_notices().await.unwrap().unwrap();
    assert_eq!(due, noon() + TimeDelta::minutes(5));
    assert_eq!(smtp.taken(2)[1]["envelope_to"], json!(["other@example.org"]));

    clock.advance(TimeDelta::seconds(1));
    assert_eq!(service.send_notices().await.unwrap(), None);
    let mail = smtp.taken(3).remove(2);
    assert_eq!(mail["envelope_to"], json!(["new@example.org"]));
    assert_eq!(header(&mail, "Subject"), "down.ipynb: 19 runs failed");
    let (text, html) = bodies(&mail);
    assert!(text.contains("19 runs of down.ipynb have failed since 2026-03-01 12:00:00 UTC"), "{text}");
    assert!(html.contains("19 runs"), "{html}");
    clock.advance(TimeDelta::hours(1));
    assert_eq!(service.send_notices().await.unwrap(), None);
    problem(app.call(&hook, &[]).await, 500).await;
    app.quiet().await;
    service.send_notices().await.unwrap();
    assert_eq!(header(&smtp.taken(4)[3], "Subject"), "down.ipynb failed in cell 1: <script>alert(1)</script>");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_waits_for_an_smtp_server_that_is_away_and_for_the_next_server() {
    let port = closed_port();
    let app = TestApp::start_at(noon(), mailing(&smtp(port))).await;
    let (clock, service) = (app.clock.clone().unwrap(), app.app().service().clone());
    let deploy = async |name: &str| app.deploy(name, &notebook(&["1"]), json!({"notif_up": ["up@example.org"]})).await;
    let (first, second) = (deploy("first.ipynb").await, deploy("second.ipynb").await);
    ok(app.call(&first, &[]).await).await;
    app.quiet().await;
    let again = service.send_notices().await.unwrap().expect("it is tried again");
    assert!(again > clock.now() && again < clock.now() + TimeDelta::minutes(1), "{again}");
    {
        let smtp = SmtpServer::start(port);
        service.send_notices().await.unwrap();
        smtp.taken(0);
        clock.advance(TimeDelta::seconds(30));
        assert_eq!(service.send_notices().await.unwrap(), None);
        assert_eq!(header(&smtp.taken(1)[0], "Subject"), "first.ipynb succeeded");
    }
    // Away again, and so is nbhook.
    ok(app.call(&second, &[]).await).await;
    app.quiet().await;
    assert!(service.send_notices().await.unwrap().is_some());
    drop(service);
    let data = app.stop().await;
    let smtp = SmtpServer::start(port);
    let app = TestApp::start_again(data, noon() + TimeDelta::hours(1), mailing(&smtp.url())).await;
    assert_eq!(header(&smtp.taken(1)[0], "Subject"), "second.ipynb succeeded");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_is_refused_for_good_is_given_up_and_logged() {
    let (smtp, data) = (SmtpServer::start(0), TempDir::new().unwrap());
    let server = Server::start_with(data.path(), &[("NBHOOK_SMTP__URL", &smtp.url())]);
    let gone = server.deploy("gone.ipynb", &notebook(&["1"]), json!({"notif_up": ["gone@example.org"]})).await;
    let some = json!({"notif_up": ["gone@example.org", "here@example.org"]});
    let some = server.deploy("some.ipynb", &notebook(&["1"]), some).await;
    let run = run_of(&server.call(&gone, &[]).await);
    eventually("the refusal is logged", || server.log().contains("it is given up").then_some(()));
    let log = server.log();
    let line = log.lines().find(|line| line.contains("it is given up")).unwrap();
    assert!(line.contains("ERROR") && line.contains("no such user") && line.contains(&run), "{line}");
    ok(server.call(&some, &[]).await).await;
    assert_eq!(smtp.taken(1)[0]["envelope_to"], json!(["here@example.org"]));
    let metrics = server.http.get(format!("{}/metrics", server.url)).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("nbhook_mails_total{result=\"failed\"} "), "{metrics}");
}
