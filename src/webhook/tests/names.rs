//! Names that lead to where requests may not go, at times.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::*;

/// Gives its answers in turn; then the name has no address.
#[derive(Debug)]
pub(super) struct Names(Mutex<VecDeque<Vec<IpAddr>>>);

impl Names {
    pub(super) fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
        Arc::new(Self(Mutex::new(answers.iter().map(parse).collect())))
    }

    /// How many answers were not asked for.
    fn left(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let answer = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let answer = answer.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such name"))?;
        Ok(answer.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }
}

async fn answering() -> Receiver {
    Receiver::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await
}

#[tokio::test]
async fn a_name_is_looked_up_once_for_each_attempt_and_each_time_checked() {
    let receiver = answering().await;
    let url = format!("http://rebinding.test:{}/", receiver.address.port());
    let names = Names::new(&[&["127.0.0.1"], &["10.0.0.1"], &["127.0.0.1"]]);
    let sender = Sender::new(policy(), names.clone()).unwrap();
    let first = sender.send(&outgoing(&url, &[])).await;
    assert_eq!((first.outcome, names.left(), receiver.connections()), (Outcome::Answered(200), 2, 1));
    let second = sender.send(&outgoing(&url, &[])).await;
    let Outcome::Refused(text) = second.outcome else { panic!("{second:?}") };
    assert!(text.contains("rebinding.test") && text.contains("outbound.allow") && !text.contains("10.0"), "{text}");
    assert_eq!(names.left(), 1);
    // A request after one that was answered does not go to its connection, but is checked anew.
    assert_eq!(sender.send(&outgoing(&url, &[])).await.outcome, Outcome::Answered(200));
    assert_eq!((names.left(), receiver.connections()), (0, 2));
    let last = sender.send(&outgoing(&url, &[])).await;
    assert!(matches!(&last.outcome, Outcome::Failed(text) if text.contains("no such name")), "{last:?}");
}

#[tokio::test]
async fn a_name_with_one_address_that_is_refused_is_refused() {
    let receiver = answering().await;
    let url = format!("http://mixed.test:{}/", receiver.address.port());
    for mixed in [["127.0.0.1", "10.0.0.1"], ["169.254.169.254", "127.0.0.1"], ["127.0.0.1", "::ffff:192.168.0.1"]] {
        let sender = Sender::new(policy(), Names::new(&[&mixed, &mixed])).unwrap();
        assert!(matches!(sender.send(&outgoing(&url, &[])).await.outcome, Outcome::Refused(_)), "{mixed:?}");
        assert!(matches!(sender.check(&url).await, Err(Refused::Forbidden(_))), "{mixed:?}");
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn what_can_be_refused_without_a_lookup_is() {
    let receiver = answering().await;
    let port = receiver.address.port();
    let names = Names::new(&[&["127.0.0.1"]]);
    let strict = Sender::new(OutboundPolicy::default(), names.clone()).unwrap();
    for url in [
        format!("http://name.test:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("https://2130706433:{port}/"),
    ] {
        assert!(matches!(strict.check(&url).await, Err(Refused::Forbidden(_))), "{url}");
        assert!(matches!(strict.send(&outgoing(&url, &[])).await.outcome, Outcome::Refused(_)), "{url}");
    }
    let url = format!("https://user:hush@name.test:{port}/");
    assert!(matches!(strict.check(&url).await, Err(Refused::Malformed(_))));
    assert!(matches!(strict.send(&outgoing(&url, &[])).await.outcome, Outcome::Failed(_)));
    assert_eq!((names.left(), receiver.connections()), (1, 0));
}

#[tokio::test]
async fn a_check_looks_names_up_and_connects_to_nothing() {
    let names = Names::new(&[&["127.0.0.1"], &["127.0.0.1", "::1"], &[]]);
    let sender = Sender::new(policy(), names).unwrap();
    let url = "https://name.test/";
    assert_eq!(sender.check(url).await, Ok(()));
    assert!(matches!(sender.check(url).await, Err(Refused::Forbidden(_))));
    for _ in ["no address", "no name"] {
        assert!(matches!(sender.check(url).await, Err(Refused::Unresolvable(_))));
    }
    let local = Sender::new(OutboundPolicy::default(), Arc::new(SystemResolver)).unwrap();
    assert!(matches!(local.check("https://localhost/").await, Err(Refused::Forbidden(_))));
    assert!(matches!(local.check("https://localhost./").await, Err(Refused::Forbidden(_) | Refused::Unresolvable(_))));
}
