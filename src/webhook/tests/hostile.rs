//! Receivers that try to hold the sender up or to fill its memory.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::*;

const SHORT: Duration = Duration::from_millis(400);

/// A receiver that reads the request, sends `first`, then `again` over and over with `pause` between, and tells how many
/// bytes it could send until the connection was gone.
async fn endless(
    first: &'static str,
    again: &'static [u8],
    pause: Duration,
) -> (Receiver, mpsc::UnboundedReceiver<usize>) {
    let (told, gone) = mpsc::unbounded_channel();
    let receiver = Receiver::start(move |mut stream| {
        let told = told.clone();
        async move {
            read_request(&mut stream).await;
            let mut sent = 0;
            stream.write_all(first.as_bytes()).await.unwrap();
            while is_open(&mut stream, pause).await && stream.write_all(again).await.is_ok() {
                sent += again.len();
            }
            let _ = told.send(sent);
        }
    })
    .await;
    (receiver, gone)
}

/// Waits for `pause`; whether the other side has not closed the connection meanwhile.
async fn is_open(stream: &mut TcpStream, pause: Duration) -> bool {
    pause.is_zero() || tokio::time::timeout(pause, stream.read(&mut [0; 8])).await.is_err()
}

async fn gone(mut receiver: mpsc::UnboundedReceiver<usize>) -> usize {
    tokio::time::timeout(Duration::from_secs(10), receiver.recv()).await.expect("the connection is closed").unwrap()
}

#[tokio::test]
async fn the_timeout_bounds_each_part_of_an_answer() {
    let drip = Duration::from_millis(20);
    for (first, again, kept) in [
        ("", &b""[..], ""),
        ("HTTP/1.1 200 OK\r\nx-slow: ", b"a", ""),
        ("HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", b"a", "a"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\na\r\n", "a"),
    ] {
        let (receiver, closed) = endless(first, again, drip).await;
        let attempt = send_within(&receiver.url("/"), SHORT).await;
        assert_eq!(attempt.outcome, Outcome::TimedOut, "{first}");
        assert!((SHORT..10 * SHORT).contains(&attempt.duration), "{first}: {:?}", attempt.duration);
        assert!(attempt.response.starts_with(kept), "{first}: {}", attempt.response);
        gone(closed).await;
    }
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    for scheme in ["http", "https"] {
        let attempt = send_within(&format!("{scheme}://{}", silent.local_addr().unwrap()), SHORT).await;
        assert_eq!(attempt.outcome, Outcome::TimedOut);
    }
}

#[tokio::test]
async fn of_an_endless_body_the_beginning_is_read_and_the_connection_dropped() {
    for first in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n"] {
        let (receiver, closed) = endless(first, &[b'a'; 4096], Duration::ZERO).await;
        let attempt = send(&receiver.url("/")).await;
        assert_eq!(attempt.outcome, Outcome::Answered(200));
        assert!(attempt.response == "a".repeat(KEPT_OF_ANSWER), "{}", attempt.response.len());
        assert!(attempt.duration < Duration::from_secs(5), "{:?}", attempt.duration);
        let sent = gone(closed).await;
        assert!(sent < 64 << 20, "{sent} bytes");
    }
}

#[tokio::test]
async fn endless_headers_are_an_error_and_the_connection_is_dropped() {
    for again in [&b"x-many: a\r\n"[..], &[b'a'; 4096]] {
        let (receiver, closed) = endless("HTTP/1.1 200 OK\r\nx-a: ", again, Duration::ZERO).await;
        let attempt = send(&receiver.url("/")).await;
        assert!(matches!(&attempt.outcome, Outcome::Failed(_)), "{attempt:?}");
        assert!(attempt.duration < Duration::from_secs(5), "{:?}", attempt.duration);
        gone(closed).await;
    }
}

#[tokio::test]
async fn what_is_not_http_is_an_error() {
    for reply in [
        "",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 99 Low\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "<html>",
    ] {
        let receiver = Receiver::answering(reply).await;
        let attempt = send(&receiver.url("/")).await;
        assert!(matches!(&attempt.outcome, Outcome::Failed(_)), "{reply}: {attempt:?}");
        assert_eq!(receiver.connections(), 1, "{reply}");
    }
    let switching = Receiver::answering("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nabc").await;
    assert!(matches!(send(&switching.url("/")).await.outcome, Outcome::Answered(101) | Outcome::Failed(_)));
}

#[tokio::test]
async fn what_is_compressed_is_kept_as_it_came() {
    // A bomb would only go off if it were unpacked.
    let reply = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc";
    let receiver = Receiver::answering(reply).await;
    let attempt = send(&receiver.url("/")).await;
    assert_eq!((attempt.outcome, attempt.response.as_str()), (Outcome::Answered(200), "abc"));
}
