//! The sender against real sockets on this machine, which the policy of these tests allows, and names that it makes up.

mod hostile;
mod names;
mod receiver;
mod tls;

use super::*;
use receiver::{Receiver, read_request};

const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Allows 127.0.0.1 alone, which so stands for all that is public.
fn policy() -> OutboundPolicy {
    OutboundPolicy { allow: vec!["127.0.0.1".parse().unwrap()], allow_http: true }
}

fn sender() -> Sender {
    Sender::new(policy(), Arc::new(SystemResolver)).unwrap()
}

fn outgoing<'a>(url: &'a str, secrets: &'a [&'a SigningSecret]) -> Outgoing<'a> {
    Outgoing {
        url,
        method: CallbackMethod::Post,
        headers: &[],
        timeout: Duration::from_secs(10),
        id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
        hops: 1,
        timestamp: 1_614_265_330,
        secrets,
        content_type: Some("application/json"),
        body: br#"{"test": 2432232314}"#,
    }
}

async fn send(url: &str) -> Attempt {
    send_within(url, Duration::from_secs(10)).await
}

async fn send_within(url: &str, timeout: Duration) -> Attempt {
    sender().send(&Outgoing { timeout, ..outgoing(url, &[]) }).await
}

#[tokio::test]
async fn a_request_has_what_it_was_given_signed_and_users_headers_replace_nothing_of_that() {
    let mut receiver = Receiver::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let (old, new) = (SECRET.parse().unwrap(), SigningSecret::from_random([1; 32]));
    let headers =
        [("X-Api-Key", "k"), ("x-api-key", "l"), ("Webhook-Id", "forged"), ("host", "forged"), ("X", "a\r\nb")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let url = receiver.url("/a%20b?c=d#e");
    let attempt = sender().send(&Outgoing { headers: &headers, ..outgoing(&url, &[&new, &old]) }).await;
    assert_eq!((attempt.outcome, attempt.response.as_str()), (Outcome::Answered(200), "ok"));
    let request = receiver.request().await;
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, r#"{"test": 2432232314}"#);
    let mut lines: Vec<_> = head.lines().collect();
    assert_eq!(lines.remove(0), "POST /a%20b?c=d HTTP/1.1");
    lines.sort_unstable();
    let of_new = signature::header("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body.as_bytes(), &[&new]);
    let expected = [
        "accept: */*",
        "connection: close",
        "content-length: 20",
        "content-type: application/json",
        &format!("host: {}", receiver.address),
        "nbhook-hops: 1",
        &format!("user-agent: nbhook/{}", env!("CARGO_PKG_VERSION")),
        "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek",
        &format!("webhook-signature: {of_new} v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        "webhook-timestamp: 1614265330",
        "x-api-key: k",
        "x-api-key: l",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn each_method_is_sent_and_an_empty_body_is_none_where_none_is_meant() {
    for (method, name, length) in [
        (CallbackMethod::Get, "GET", None),
        (CallbackMethod::Delete, "DELETE", None),
        (CallbackMethod::Put, "PUT", Some("content-length: 0")),
        (CallbackMethod::Patch, "PATCH", Some("content-length: 0")),
    ] {
        let mut receiver = Receiver::answering("HTTP/1.1 204 No Content\r\n\r\n").await;
        let url = receiver.url("/");
        let empty = Outgoing { method, body: b"", content_type: None, ..outgoing(&url, &[]) };
        assert_eq!(sender().send(&empty).await.outcome, Outcome::Answered(204), "{name}");
        let request = receiver.request().await;
        assert!(request.starts_with(&format!("{name} / HTTP/1.1\r\n")), "{request}");
        assert_eq!(request.lines().find(|line| line.starts_with("content-length")), length, "{request}");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let elsewhere = Receiver::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    for status in [301, 302, 303, 307, 308] {
        let reply = format!("HTTP/1.1 {status} X\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", elsewhere.url("/"));
        let receiver = Receiver::answering(&reply).await;
        assert_eq!(send(&receiver.url("/")).await.outcome, Outcome::Answered(status));
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn an_answer_is_told_with_its_media_type_and_when_to_come_again() {
    let receiver = Receiver::answering(
        "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Type: application/problem+json\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
    )
    .await;
    let attempt = send(&receiver.url("/")).await;
    let expected = (Outcome::Answered(503), true, Some(RetryAfter::Seconds(7)), "{\"a\":1}");
    assert_eq!((attempt.outcome, attempt.is_json, attempt.retry_after, attempt.response.as_str()), expected);
    // What breaks off was an answer all the same: the receiver has the message.
    let receiver = Receiver::answering("HTTP/1.1 201 Created\r\nContent-Length: 70\r\n\r\nhalf").await;
    let attempt = send(&receiver.url("/")).await;
    assert_eq!((attempt.outcome, attempt.response.as_str()), (Outcome::Answered(201), "half"));
}

#[tokio::test]
async fn who_does_not_answer_is_asked_once_and_errors_tell_no_secret() {
    let receiver = Receiver::start(async |mut stream| {
        read_request(&mut stream).await;
    })
    .await;
    let gone = Receiver::answering("").await.close().await;
    for (url, cause) in [(receiver.url("/hush?token=hush"), "closed"), (format!("http://{gone}/hush?hush"), "refused")]
    {
        let headers = [("authorization".to_owned(), "hush".to_owned())];
        let attempt = sender().send(&Outgoing { headers: &headers, ..outgoing(&url, &[]) }).await;
        let Outcome::Failed(text) = attempt.outcome else { panic!("{attempt:?}") };
        assert!(text.contains(cause) && !text.contains("hush"), "{text}");
    }
    assert_eq!(receiver.connections(), 1);
}
