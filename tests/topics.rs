//! Topics: events that are read instead of being sent, as Server-Sent Events (`GET /v1/topics/{name}/events`).

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::app::{TestApp, eventually, header, ok, problem, run_python};

/// One event of a topic.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    id: String,
    kind: String,
    data: Value,
}

/// A topic that is being read.
struct Reader {
    response: Response,
    text: String,
}

impl Reader {
    /// Ends when the server has said that nothing is missed from here on.
    async fn open(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
        assert_eq!(header(&response, "content-type"), "text/event-stream");
        assert_eq!(header(&response, "cache-control"), "no-store");
        let mut reader = Self { response, text: String::new() };
        assert_eq!(reader.block().await.as_deref(), Some(": reading"));
        reader
    }

    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event; none when the stream has ended.
    async fn next(&mut self) -> Option<Told> {
        loop {
            let block = self.block().await?;
            if block.starts_with(':') {
                continue;
            }
            let lines: Vec<&str> = block.lines().collect();
            let [id, kind, data] = lines[..] else { panic!("{block}") };
            let field =
                |line: &str, name: &str| line.strip_prefix(name).unwrap_or_else(|| panic!("{block}")).to_owned();
            let data = serde_json::from_str(&field(data, "data: ")).unwrap();
            return Some(Told { id: field(id, "id: "), kind: field(kind, "event: "), data });
        }
    }

    async fn take(&mut self, number: usize) -> Vec<Told> {
        let mut told = Vec::new();
        while told.len() < number {
            told.push(self.next().await.expect("the stream goes on"));
        }
        told
    }
}

async fn post(app: &TestApp, token: &str, path: &str, body: &Value) -> Value {
    ok(app.api_as(token, Method::POST, path).json(body).send().await.unwrap()).await
}

fn reading(app: &TestApp, rest: &str) -> RequestBuilder {
    app.api(Method::GET, &format!("/v1/topics/{rest}"))
}

/// A user with an inbox, whose captures are the events of a topic.
async fn topic(app: &TestApp, token: &str, body: &Value) -> Inbox {
    let inbox = post(app, token, "/v1/inboxes", &json!({"auto_delete": false})).await;
    let subscription = post(app, token, "/v1/subscriptions", body).await;
    assert_eq!((&subscription["topic"], &subscription["status"]), (&body["topic"], &json!("active")));
    assert!(subscription.get("secret").is_none() && subscription["UUID"].is_string(), "{subscription}");
    Inbox { url: inbox["url"].as_str().unwrap().to_owned() }
}

struct Inbox {
    url: String,
}

impl Inbox {
    async fn capture(&self, app: &TestApp, number: usize) {
        ok(app.http.post(&self.url).json(&json!({"n": number})).send().await.unwrap()).await;
    }
}

fn numbers(told: &[Told]) -> Vec<u64> {
    told.iter().map(|told| told.data["data"]["result"]["n"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_read_live_and_resumed() {
    let app = TestApp::start().await;
    let inbox = topic(&app, crate::app::ADMIN, &json!({"topic": "Sales.eu_1-x"})).await;
    let events = "Sales.eu_1-x/events";
    inbox.capture(&app, 0).await;
    let mut reader = Reader::open(reading(&app, events)).await;
    let first = reader.next().await.unwrap();
    assert_eq!(first.kind, "inbox.received");
    assert_eq!(first.data, app.get(&format!("/v1/events/{}", first.id)).await, "it is the event as the API shows it");
    inbox.capture(&app, 1).await;
    assert_eq!(numbers(&reader.take(1).await), [1]);
    drop(reader);
    inbox.capture(&app, 2).await;

    let mut again = Reader::open(reading(&app, events).header("last-event-id", &first.id)).await;
    assert_eq!(numbers(&again.take(2).await), [1, 2], "it goes on where it was");
    let mut all = Reader::open(reading(&app, events)).await;
    let kept = all.take(3).await;
    assert_eq!(numbers(&kept), [0, 1, 2]);
    assert!(kept.windows(2).all(|pair| pair[0].id < pair[1].id), "{kept:?}");
    let mut after = Reader::open(reading(&app, &format!("{events}/?from={}", kept[1].id))).await;
    let resumed = reading(&app, &format!("{events}?from=start")).header("last-event-id", &kept[2].id);
    let mut resumed = Reader::open(resumed).await;
    let mut new = Reader::open(reading(&app, &format!("{events}?from=now"))).await;
    inbox.capture(&app, 3).await;
    assert_eq!(numbers(&after.take(2).await), [2, 3]);
    assert_eq!(numbers(&resumed.take(1).await), [3], "where a reader was goes before what its URL says");
    assert_eq!(numbers(&new.take(1).await), [3], "a new reader hears what comes from now on");
    assert_eq!((numbers(&all.take(1).await), numbers(&again.take(1).await)), (vec![3], vec![3]));

    // What a reader saw last, and the next, are not kept any more.
    let file = app.data.path().join(".nbhook/nbhook.db");
    let program = "import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1], timeout=30)\n\
                   db.executemany('DELETE FROM topic_events WHERE event_id = ?', [[id] for id in sys.argv[2:]])\ndb.commit()";
    run_python(&["-c", program, file.to_str().unwrap(), &kept[0].id, &kept[1].id], "");
    let mut late = Reader::open(reading(&app, events).header("last-event-id", &kept[0].id)).await;
    assert_eq!(numbers(&late.take(2).await), [2, 3], "from the oldest that is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_read_to_its_end_and_by_its_owner_only() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.member("ann").await, app.member("bob").await);
    let inbox = topic(&app, &ann, &json!({"topic": "t", "tags": [["inbox", "received"]]})).await;
    for number in 0..230 {
        inbox.capture(&app, number).await;
    }
    let as_user = |token: &str, rest: &str| app.api_as(token, Method::GET, &format!("/v1/topics/{rest}"));
    let mut reader = Reader::open(as_user(&ann, "t/events?from=start")).await;
    assert_eq!(numbers(&reader.take(230).await), (0..230).collect::<Vec<_>>());
    let mut admins = Reader::open(reading(&app, "t/events?from=start&user=ann")).await;
    assert_eq!(numbers(&admins.take(1).await), [0], "an admin reads anyone's");

    for (request, status) in [
        (as_user(&bob, "t/events"), 404),
        (reading(&app, "t/events"), 404),
        (as_user(&ann, "u/events"), 404),
        (as_user(&ann, "a%2fb/events"), 404),
        (as_user(&bob, "t/events?user=ann"), 403),
        (as_user(&ann, "t/events").header("accept", "application/json"), 406),
        (as_user(&ann, "t/events?from=later"), 422),
        (as_user(&ann, "t/events").header("last-event-id", "garbage"), 422),
        (as_user(&ann, "t/events").header("last-event-id", "5f1b2c9e-7d1c-4f7e-9d0b-3f4a3e9d1c2b"), 422),
        (app.http.get(format!("{}/v1/topics/t/events", app.url)), 401),
    ] {
        let response = tokio::time::timeout(Duration::from_secs(10), request.send()).await.expect("an answer").unwrap();
        let told = problem(response, status).await;
        let field = told.get("field").and_then(Value::as_str);
        assert!(status != 422 || matches!(field, Some("from" | "Last-Event-ID")), "{told}");
    }

    // One who subscribed to a single event has it for good.
    let once = topic(&app, &bob, &json!({"topic": "one", "mode": "once"})).await;
    once.capture(&app, 7).await;
    once.capture(&app, 8).await;
    let list = app.api_as(&bob, Method::GET, "/v1/subscriptions?topic=one").send().await.unwrap();
    let list = ok(list).await;
    assert_eq!((&list["items"][0]["status"], &list["items"][0]["matched"]), (&json!("completed"), &json!(1)));
    let mut reader = Reader::open(as_user(&bob, "one/events?from=start")).await;
    assert_eq!(numbers(&reader.take(1).await), [7]);
    let more = tokio::time::timeout(Duration::from_millis(300), reader.next()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_have_a_bound_and_end_with_the_server() {
    let app = TestApp::start().await;
    let ann = app.member("ann").await;
    let inbox = topic(&app, &ann, &json!({"topic": "t"})).await;
    let request = || app.api_as(&ann, Method::GET, "/v1/topics/t/events?from=now");
    let mut readers = Vec::new();
    for _ in 0..50 {
        readers.push(Reader::open(request()).await);
    }
    let refused = request().send().await.unwrap();
    assert!(header(&refused, "retry-after").parse::<u64>().unwrap() > 0);
    problem(refused, 429).await;
    inbox.capture(&app, 1).await;
    for reader in &mut readers {
        assert_eq!(numbers(&reader.take(1).await), [1]);
    }
    readers.truncate(49);
    // That a client is gone is noticed when something is sent to it.
    eventually("a place is free", async || {
        inbox.capture(&app, 2).await;
        request().send().await.unwrap().status() == 200
    })
    .await;

    let (begun, mut reader) = (Instant::now(), readers.pop().unwrap());
    drop(readers);
    let stop = tokio::spawn(app.stop());
    while reader.next().await.is_some() {}
    assert!(reader.text.is_empty(), "it ends with a whole event: {}", reader.text);
    stop.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(15), "readers hold nothing up");
}
