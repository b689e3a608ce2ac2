//! A receiver of requests, which misbehaves as it is told to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: mpsc::UnboundedReceiver<String>,
    server: JoinHandle<()>,
}

impl Receiver {
    /// Answers each request with these bytes, and closes the connection.
    pub(super) async fn answering(reply: &str) -> Self {
        let reply = reply.to_owned();
        let (told, requests) = mpsc::unbounded_channel();
        let mut receiver = Self::start(move |mut stream| {
            let (told, reply) = (told.clone(), reply.clone());
            async move {
                let _ = told.send(read_request(&mut stream).await);
                stream.write_all(reply.as_bytes()).await.unwrap();
            }
        })
        .await;
        receiver.requests = requests;
        receiver
    }

    /// Gives each connection, one after the other, to `serve`.
    pub(super) async fn start<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
                serve(stream).await;
            }
        });
        Self { address, connections, requests: mpsc::unbounded_channel().1, server }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The next request, as it was sent.
    pub(super) async fn request(&mut self) -> String {
        tokio::time::timeout(Duration::from_secs(10), self.requests.recv()).await.unwrap().unwrap()
    }

    /// Frees the port. Gives the address, at which nobody listens any more.
    pub(super) async fn close(self) -> SocketAddr {
        self.server.abort();
        let _ = self.server.await;
        self.address
    }
}

/// A whole request, its body included.
pub(super) async fn read_request(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text.into_owned();
            }
        }
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "a request that breaks off");
    }
}
