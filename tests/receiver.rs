//! A real HTTP server that webhooks are sent to: it records what it gets, and answers by a script.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long something may take that is sure to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request, as it came.
#[derive(Clone)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) path: String,
    /// What follows the question mark.
    pub(crate) query: String,
    /// In order, their names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { method, path, query, headers, body, .. } = self;
        write!(f, "{method} {path}?{query} {headers:?} {}", String::from_utf8_lossy(body))
    }
}

impl Received {
    /// The value of a header; nothing if it was not sent.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Its `webhook-id`.
    pub(crate) fn id(&self) -> &str {
        self.header("webhook-id").expect("it is signed")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// What a receiver answers.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) delay: Duration,
}

impl From<u16> for Answer {
    fn from(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: r#"{"ok":true}"#.to_owned(), delay: Duration::ZERO }
    }
}

impl Answer {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn body(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

#[derive(Debug)]
struct Book {
    /// What comes next; the last one is repeated.
    script: Mutex<VecDeque<Answer>>,
    received: watch::Sender<Vec<Received>>,
}

impl Book {
    fn next(&self) -> Answer {
        let mut script = self.script.lock().unwrap();
        let next = if script.len() > 1 { script.pop_front() } else { script.front().cloned() };
        next.expect("a script is never empty")
    }
}

/// Listens on 127.0.0.1 until it is dropped.
#[derive(Debug)]
pub(crate) struct Receiver {
    address: SocketAddr,
    book: Arc<Book>,
    task: JoinHandle<()>,
}

impl Receiver {
    /// Answers 200 until it is told otherwise.
    pub(crate) async fn start() -> Self {
        Self::on(([127, 0, 0, 1], 0).into()).await
    }

    /// On this address.
    pub(crate) async fn on(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Mutex::new([200.into()].into());
        let book = Arc::new(Book { script, received: watch::Sender::default() });
        let task = tokio::spawn(listen(listener, book.clone()));
        Self { address, book, task }
    }

    /// Where it is, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on it answers these, one after the other, and the last one for ever.
    pub(crate) fn answers<A: Into<Answer>>(&self, script: impl IntoIterator<Item = A>) {
        let script: VecDeque<_> = script.into_iter().map(Into::into).collect();
        assert!(!script.is_empty(), "it has to answer something");
        *self.book.script.lock().unwrap() = script;
    }

    /// All that came so far.
    pub(crate) async fn received(&self) -> Vec<Received> {
        self.wait_for(0).await
    }

    /// All that came, once there are as many.
    pub(crate) async fn wait_for(&self, number: usize) -> Vec<Received> {
        let mut received = self.book.received.subscribe();
        let enough = tokio::time::timeout(PATIENCE, received.wait_for(|received| received.len() >= number)).await;
        let enough = enough.map(|enough| enough.unwrap().clone());
        enough.unwrap_or_else(|_| panic!("of {number} requests came only {:?}", *self.book.received.borrow()))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(listener: TcpListener, book: Arc<Book>) {
    // Those that are being answered end with the task.
    let mut answering = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        answering.spawn(serve(stream, book.clone()));
    }
}

/// One request; whoever hangs up in the middle of it is not recorded.
async fn serve(stream: TcpStream, book: Arc<Book>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let received = read(&mut stream).await?;
    let head = received.method == "HEAD";
    let answer = book.next();
    book.received.send_modify(|all| all.push(received));
    tokio::time::sleep(answer.delay).await;
    let mut text = format!("HTTP/1.1 {} Told\r\nconnection: close\r\n", answer.status);
    if !answer.headers.iter().any(|(name, _)| name == "content-type") {
        text.push_str("content-type: application/json\r\n");
    }
    for (name, value) in &answer.headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    let has_body = !head && !matches!(answer.status, 204 | 304);
    if has_body {
        text.extend(["content-length: ", &answer.body.len().to_string(), "\r\n\r\n", &answer.body]);
    } else {
        text.push_str("\r\n");
    }
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

async fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<Received> {
    let first = line(stream).await?;
    let mut parts = first.split(' ');
    let (method, target) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = Vec::new();
    loop {
        let header = line(stream).await?;
        let Some((name, value)) = header.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut received = Received {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Vec::new(),
    };
    if received.header("transfer-encoding").is_some() {
        received.body = chunks(stream).await?;
    } else if let Some(length) = received.header("content-length") {
        received.body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut received.body).await?;
    }
    Ok(received)
}

async fn line(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut line = String::new();
    match stream.read_line(&mut line).await? {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line.trim_end().to_owned()),
    }
}

async fn chunks(stream: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = usize::from_str_radix(&line(stream).await?, 16).unwrap();
        let begin = body.len();
        body.resize(begin + size, 0);
        stream.read_exact(&mut body[begin..]).await?;
        line(stream).await?;
        if size == 0 {
            return Ok(body);
        }
    }
}
