//! Deliveries of a server that is killed again and again: none is lost, and none is sent once it is cancelled.
//!
//! `NBHOOK_SOAK_EVENTS=2000 ./test soak_deliveries` makes it long.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::app::{ok, url};
use crate::binary::Server;
use crate::receiver::{Received, Receiver};

const SETTINGS: [(&str, &str); 5] = [
    ("NBHOOK_OUTBOUND__ALLOW", "127.0.0.0/8"),
    ("NBHOOK_OUTBOUND__ALLOW_HTTP", "true"),
    (
        "NBHOOK_OUTBOUND__RETRY_SCHEDULE",
        "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1",
    ),
    ("NBHOOK_OUTBOUND__CONCURRENCY", "16"),
    ("NBHOOK_LOG__FILTER", "error"),
];

async fn post(server: &Server, path: &str, body: &Value) -> Value {
    ok(server.api(Method::POST, path).json(body).send().await.unwrap()).await
}

async fn subscribe(server: &Server, receiver: &Receiver) -> Value {
    let wish = json!({"mode": "continuous", "tags": [["inbox"]], "callbackUrl": receiver.url()});
    post(server, "/v1/subscriptions", &wish).await
}

/// The numbers that were sent, with how often.
fn numbers(sent: &[Received]) -> BTreeMap<u64, usize> {
    let mut numbers = BTreeMap::new();
    for one in sent {
        *numbers.entry(one.json()["data"]["result"]["n"].as_u64().unwrap()).or_insert(0) += 1;
    }
    numbers
}

async fn open(server: &Server) -> usize {
    let mut open = 0;
    for status in ["pending", "attempting", "retrying"] {
        let path = format!("/v1/deliveries?status={status}&limit=250");
        open += server.get(&path).await["items"].as_array().unwrap().len();
    }
    open
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_loses_no_delivery_and_the_next_one_sends_it() {
    let (data, receiver) = (TempDir::new().unwrap(), Receiver::start().await);
    let slow = crate::receiver::Answer::from(200).after(Duration::from_secs(30));
    receiver.answers([slow, 200.into()]);
    let mut server = Server::start_with(data.path(), &SETTINGS);
    let inbox = post(&server, "/v1/inboxes", &json!({"auto_delete": false})).await;
    subscribe(&server, &receiver).await;
    let sent = ok(server.http.post(url(&inbox)).json(&json!({"n": 1})).send().await.unwrap()).await;
    assert_eq!(sent["status"], "ok");
    receiver.wait_for(1).await; // it is in the middle of the attempt
    server.kill();
    let server = Server::start_with(data.path(), &SETTINGS);
    let sent = receiver.wait_for(2).await;
    assert_eq!((sent[1].id(), &sent[1].body), (sent[0].id(), &sent[0].body), "at once, and the same");
    crate::app::eventually("it is delivered", async || {
        server.get("/v1/deliveries?status=delivered").await["items"].as_array().unwrap().len() == 1
    })
    .await;
    let delivery = server.get("/v1/deliveries").await["items"][0].clone();
    assert_eq!(delivery["attempts"].as_array().unwrap().len(), 1, "of the first nothing is known");
}

#[tokio::test(flavor = "multi_thread")]
async fn however_often_the_server_is_killed_every_event_arrives() {
    let events: u64 = std::env::var("NBHOOK_SOAK_EVENTS").map_or(60, |events| events.parse().unwrap());
    let (data, receiver, cancelled) = (TempDir::new().unwrap(), Receiver::start().await, Receiver::start().await);
    for failing in [&receiver, &cancelled] {
        // Half of the time, in no order.
        failing.answers(
            (1..100_000_u32).map(|number| if number.wrapping_mul(2_654_435_761) >> 31 == 0 { 500 } else { 200 }),
        );
    }
    let mut server = Server::start_with(data.path(), &SETTINGS);
    let inbox = post(&server, "/v1/inboxes", &json!({"auto_delete": false})).await;
    let inbox = url(&inbox).rsplit('/').next().unwrap().to_owned();
    subscribe(&server, &receiver).await;
    let doomed = subscribe(&server, &cancelled).await;
    let (mut begun, mut kills, mut known, mut until) = (Instant::now(), 0, BTreeSet::new(), None);
    let lifetime = |kills: u64| Duration::from_millis(1_500 + 700 * (kills % 3));
    for number in 0..events {
        if number == events / 2 {
            let path = format!("/v1/subscriptions/{}", doomed["UUID"].as_str().unwrap());
            ok(server.api(Method::PUT, &path).send().await.unwrap()).await;
            // What is on its way at this moment may still arrive.
            let going = format!("/v1/deliveries?status=attempting&subscription={}", doomed["UUID"].as_str().unwrap());
            crate::app::eventually("nothing is on its way", async || server.get(&going).await["items"] == json!([]))
                .await;
            until = Some(cancelled.received().await.len());
        }
        let request = server.http.post(format!("{}/inbox/{inbox}", server.url)).json(&json!({"n": number}));
        ok(request.send().await.unwrap()).await;
        known.insert(number);
        if begun.elapsed() > lifetime(kills) || number % (events / 6).max(1) == 0 {
            server.kill();
            server = Server::start_with(data.path(), &SETTINGS);
            (begun, kills) = (Instant::now(), kills + 1);
        }
    }
    let deadline = Instant::now() + Duration::from_secs(60 + events / 4);
    while open(&server).await > 0 {
        assert!(Instant::now() < deadline, "{} deliveries are open", open(&server).await);
        if begun.elapsed() > lifetime(kills) * 3 && kills < 200 {
            server.kill();
            server = Server::start_with(data.path(), &SETTINGS);
            (begun, kills) = (Instant::now(), kills + 1);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (arrived, requests) = (numbers(&receiver.received().await), receiver.received().await.len());
    println!("{events} events, {kills} kills, {requests} requests");
    assert_eq!(arrived.keys().copied().collect::<BTreeSet<_>>(), known, "none is lost");
    assert_eq!(server.get("/v1/deliveries?status=dead").await["items"], json!([]));
    assert_eq!(cancelled.received().await.len(), until.unwrap(), "nothing is sent once it is cancelled");
    assert!(kills >= 6, "{kills}");
}
