//! Measures how many captures a second inboxes take, durably, and whether calls of a hook suffer from them. Run it by `benches/inbox`.
//!
//! The server is the real binary, in a process of its own. The clients are plain sockets that are kept alive, in this process; on a small
//! machine they compete with the server.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on says so by panicking")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const TOKEN: &str = "the-token-of-the-benchmark";
/// How long each row is measured.
const TIME: Duration = Duration::from_secs(5);
/// What is sent: some 200 bytes of JSON, as a payment provider would.
const BODY: &str = r#"{"id":"evt_1NG8Du2eZvKYlo2CUI79vXWy","type":"invoice.paid","created":1686089970,"data":{"object":{"id":"in_1MtHbELkdIwHu7ixl4OzzPMv","amount_paid":9999,"currency":"eur","paid":true,"attempt_count":1}}}"#;

/// A server that is killed when this is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
    _data: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    #[expect(clippy::disallowed_methods, reason = "killed when the server is dropped")]
    fn start(python: &Path) -> Self {
        let data = tempfile::tempdir_in(std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from));
        let data = data.unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_nbhook"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data.path()).arg("--python").arg(python);
        command.env("NBHOOK_ADMIN_TOKEN", TOKEN).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let url = lines.find_map(|line| line.strip_prefix("nbhook serves http://").map(str::to_owned)).unwrap();
        std::thread::spawn(move || lines.for_each(drop)); // one line for each request
        Self { child, address: url.parse().unwrap(), _data: data }
    }
}

/// A connection that is kept alive.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: vec![0; 1 << 16] }
    }

    /// Sends a request and reads the whole answer: its status and body.
    async fn exchange(&mut self, request: &[u8]) -> (u16, Vec<u8>) {
        self.stream.write_all(request).await.unwrap();
        let mut length = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[length..]).await.unwrap();
            assert!(read > 0, "the server has hung up");
            length += read;
            let answer = &self.buffer[..length];
            let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let text = std::str::from_utf8(&answer[..head]).unwrap();
            let size =
                text.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let end = head + 4 + size.unwrap_or(0);
            if length >= end {
                return (text[9..12].parse().unwrap(), answer[head + 4..end].to_vec());
            }
        }
    }

    async fn json(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let (status, answer) = self.exchange(&request(method, path, &body)).await;
        assert!((200..300).contains(&status), "{status}: {}", String::from_utf8_lossy(&answer));
        serde_json::from_slice(&answer).unwrap()
    }
}

fn request(method: &str, path: &str, body: &str) -> Vec<u8> {
    let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}");
    let length = body.len();
    format!("{head}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

fn path_of(thing: &Value) -> String {
    let url = thing["url"].as_str().unwrap();
    url[url.match_indices('/').nth(2).unwrap().0..].to_owned()
}

/// Sends to inboxes, by so many senders at once, until `stop`; `pause` is how long each waits between two. Gives all times.
async fn hammer(
    server: &Server,
    inboxes: &[String],
    senders: usize,
    pause: Duration,
    stop: Arc<AtomicBool>,
) -> Vec<Duration> {
    let next = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..senders)
        .map(|_| {
            let (address, stop, next) = (server.address, stop.clone(), next.clone());
            let requests: Vec<_> = inboxes.iter().map(|path| request("POST", path, BODY)).collect();
            tokio::spawn(async move {
                let (mut connection, mut times) = (Connection::open(address).await, Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    let request = &requests[next.fetch_add(1, Ordering::Relaxed) % requests.len()];
                    let started = Instant::now();
                    let (status, _) = connection.exchange(request).await;
                    assert_eq!(status, 200);
                    times.push(started.elapsed());
                    if !pause.is_zero() {
                        tokio::time::sleep(pause).await;
                    }
                }
                times
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    all
}

/// Calls a hook again and again, until the time is over.
async fn call(server: &Server, path: &str) -> Vec<Duration> {
    let (mut connection, mut times) = (Connection::open(server.address).await, Vec::new());
    let (request, started) = (request("GET", path, ""), Instant::now());
    while started.elapsed() < TIME {
        let began = Instant::now();
        assert_eq!(connection.exchange(&request).await.0, 200);
        times.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(100)).await; // as a lone caller in benches/run
    }
    times
}

fn percentile(times: &mut [Duration], part: usize) -> String {
    times.sort_unstable();
    format!("{:.1} ms", times[(times.len() * part / 100).min(times.len() - 1)].as_secs_f64() * 1000.0)
}

fn row(cells: &[String]) {
    let _ = writeln!(std::io::stdout(), "| {} |", cells.join(" | "));
}

async fn measure(server: &Server, inboxes: &[String]) {
    row(&["senders", "inboxes", "captures/s", "p50", "p95", "p99"].map(str::to_owned));
    row(&["--:", "--:", "--:", "--:", "--:", "--:"].map(str::to_owned));
    for (senders, inboxes) in [(1, &inboxes[..1]), (16, inboxes), (64, inboxes), (256, inboxes), (64, &inboxes[..1])] {
        let stop = Arc::new(AtomicBool::new(false));
        let (end, started) = (stop.clone(), Instant::now());
        let alarm = tokio::spawn(async move {
            tokio::time::sleep(TIME).await;
            end.store(true, Ordering::Relaxed);
        });
        let mut times = hammer(server, inboxes, senders, Duration::ZERO, stop).await;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let rate = times.len() as f64 / started.elapsed().as_secs_f64();
        alarm.await.unwrap();
        let numbers = [senders.to_string(), inboxes.len().to_string(), format!("{rate:.0}")];
        row(&[&numbers[..], &[50, 95, 99].map(|part| percentile(&mut times, part))].concat());
    }
}

/// The same calls with nothing else going on, and with captures, twice each, in turns.
async fn mixed(server: &Server, inboxes: &[String], hook: &str) {
    row(&["calls of a hook", "captures/s meanwhile", "p50", "p95"].map(str::to_owned));
    row(&["--:", "--:", "--:", "--:"].map(str::to_owned));
    call(server, hook).await; // kernels are ready, the notebook is known
    for senders in [0, 10, 50, 0, 10, 50] {
        let stop = Arc::new(AtomicBool::new(false));
        let started = Instant::now();
        let captures = hammer(server, inboxes, senders, Duration::from_millis(20), stop.clone());
        let calls = async {
            let times = call(server, hook).await;
            stop.store(true, Ordering::Relaxed);
            times
        };
        let (captures, mut times) = tokio::join!(captures, calls);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let rate = captures.len() as f64 / started.elapsed().as_secs_f64();
        let numbers = [times.len().to_string(), format!("{rate:.0}")];
        row(&[&numbers[..], &[50, 95].map(|part| percentile(&mut times, part))].concat());
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let python = std::env::var_os("NBHOOK_BENCH_PYTHON").map_or_else(|| "python3".into(), PathBuf::from);
    let server = Server::start(&python);
    let mut api = Connection::open(server.address).await;
    let mut inboxes = Vec::new();
    for _ in 0..100 {
        inboxes.push(path_of(&api.json("POST", "/v1/inboxes", &json!({"auto_delete": false})).await));
    }
    let cell = json!({"cell_type": "code", "execution_count": null, "metadata": {}, "outputs": [], "source": "1 + 1"});
    let kernel = json!({"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}});
    let notebook = json!({"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 4});
    let hook = api.json("POST", "/v1/hooks", &json!({"path": "hello.ipynb", "notebook": notebook})).await;
    measure(&server, &inboxes).await;
    row(&[]);
    mixed(&server, &inboxes, &path_of(&hook)).await;
}
