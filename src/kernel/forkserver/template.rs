//! The template process, from which kernels are forked: starting it, talking with it, and telling its children's owners of
//! their ends. The other side of the conversation is `_forkserver.py`, which also describes it.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Interest, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::super::LeftOut;
use super::super::process::{Adopted, Exit, Process, RUN_MARK, command, packet_sockets, send_with_files};
use super::super::tail::Tail;
use super::origin::Origin;
use super::stamp::Stamps;

/// How long a template may take to import all it needs: a cold disk takes its time.
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// How long forking may take.
const FORK_TIMEOUT: Duration = Duration::from_secs(5);
/// Requests that may wait for the template.
const QUEUE: usize = 64;
/// The client package, which most notebooks import.
const CLIENT: &str = "nbhook";
/// The mark of no run, as long as that of any.
const NO_RUN: &str = "00000000-0000-0000-0000-000000000000";

/// Why a template or a fork of it is not there. A lowercase fragment.
#[derive(Debug, thiserror::Error)]
pub(super) enum TemplateError {
    #[error("cannot start the template of kernels: {0}")]
    Start(#[from] io::Error),
    #[error("the template of kernels ended ({status}): {stderr}")]
    Died { status: String, stderr: String },
    #[error("the template of kernels did not answer within {0:?}")]
    Timeout(Duration),
    #[error("the template of kernels refused to fork: {0}")]
    Refused(String),
    #[error("the template of kernels has gone")]
    Gone,
}

/// A running template. It goes when this is dropped and its last child has ended.
#[derive(Debug)]
pub(super) struct Template {
    requests: mpsc::Sender<Request>,
    stamps: Stamps,
    left_out: Vec<LeftOut>,
    /// Bytes that it shares with no other process.
    memory: u64,
    /// See [`Report::direct`].
    direct: Option<Map<String, Value>>,
}

/// What a template tells of itself.
#[derive(Debug, Deserialize)]
struct Report {
    stamps: Stamps,
    left_out: Vec<(String, String)>,
    memory: u64,
    /// The kernels' `language_info`, if they talk over one socket (`_output.py`) and not over `ZeroMQ`'s.
    direct: Option<Map<String, Value>>,
}

/// A process that was just forked.
#[derive(Debug)]
pub(super) struct Forked {
    pub(super) process: Process,
    /// Where it gets its job.
    pub(super) control: UnixStream,
    pub(super) tail: Tail,
    /// Where it talks, and its `language_info`, if it does not do that over `ZeroMQ`.
    pub(super) direct: Option<(UnixStream, Map<String, Value>)>,
}

#[derive(Debug)]
struct Request {
    files: Vec<OwnedFd>,
    reply: oneshot::Sender<Result<Process, TemplateError>>,
}

impl Template {
    /// Starts a template and waits until it is ready.
    pub(super) async fn start(origin: &Origin) -> Result<Self, TemplateError> {
        let (ours, theirs) = UnixStream::pair()?;
        let theirs = theirs.into_std()?;
        theirs.set_nonblocking(false)?;
        let start = command(&origin.interpreter)
            .args([&origin.script])
            .args(&origin.directories)
            .args(["--", CLIENT])
            .args(&origin.modules)
            .current_dir("/".as_ref())
            // Without meaning, but as long as a run's: each kernel writes its own in its place.
            .envs([(RUN_MARK, NO_RUN)])
            .stdin(theirs.into());
        let mut process = Process::spawn(start).await?;
        let pipes = [process.stdout.take().map(OwnedFd::from), process.stderr.take().map(OwnedFd::from)];
        let tail = Tail::of(pipes.into_iter().flatten())?;
        let (read, write) = ours.into_split();
        let mut lines = BufReader::new(read).lines();
        let first =
            timeout(START_TIMEOUT, lines.next_line()).await.map_err(|_| TemplateError::Timeout(START_TIMEOUT))?;
        let report = |line: &str| serde_json::from_str::<Report>(line.strip_prefix("T ")?).ok();
        let Some(Report { stamps, left_out, memory, direct }) = first?.as_deref().and_then(report) else {
            process.kill_group();
            return Err(TemplateError::Died { status: process.wait().await.to_string(), stderr: tail.text().await });
        };
        let (requests, received) = mpsc::channel(QUEUE);
        let attendant = Attendant { process, tail, lines, write, asked: VecDeque::new(), children: HashMap::new() };
        tokio::spawn(attendant.attend(received));
        let left_out = left_out.into_iter().filter(|(module, _)| module != CLIENT);
        let left_out = left_out.map(|(module, reason)| LeftOut { module, reason }).collect();
        Ok(Self { requests, stamps, left_out, memory, direct })
    }

    pub(super) fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    pub(super) fn memory(&self) -> u64 {
        self.memory
    }

    /// Whether it runs and the environment is as it was when it started. Looks at files, so blocks.
    pub(super) fn is_current(&self) -> bool {
        self.runs() && self.stamps.are_current()
    }

    pub(super) fn runs(&self) -> bool {
        !self.requests.is_closed()
    }

    /// Forks a process that will be a kernel.
    pub(super) async fn fork(&self) -> Result<Forked, TemplateError> {
        let (control, theirs) = UnixStream::pair()?;
        let theirs = theirs.into_std()?;
        theirs.set_nonblocking(false)?;
        let (stdout, their_stdout) = io::pipe()?;
        let (stderr, their_stderr) = io::pipe()?;
        let tail = Tail::of([stdout.into(), stderr.into()])?;
        let (reply, replied) = oneshot::channel();
        let mut files = vec![theirs.into(), their_stdout.into(), their_stderr.into()];
        let mut direct = None;
        if let Some(language_info) = &self.direct {
            let (socket, their_socket) = packet_sockets()?;
            files.push(their_socket);
            let socket = std::os::unix::net::UnixStream::from(socket);
            socket.set_nonblocking(true)?;
            direct = Some((UnixStream::from_std(socket)?, language_info.clone()));
        }
        let request = Request { files, reply };
        let forked = timeout(FORK_TIMEOUT, async {
            self.requests.send(request).await.map_err(|_| TemplateError::Gone)?;
            replied.await.unwrap_or(Err(TemplateError::Gone))
        });
        let process = forked.await.map_err(|_| TemplateError::Timeout(FORK_TIMEOUT))??;
        Ok(Forked { process, control, tail, direct })
    }
}

/// The server's side of the conversation.
struct Attendant {
    // The template first: whatever happens, it is killed with all its children.
    process: Process,
    tail: Tail,
    lines: Lines<BufReader<OwnedReadHalf>>,
    write: OwnedWriteHalf,
    /// Who waits for a fork, in order.
    asked: VecDeque<oneshot::Sender<Result<Process, TemplateError>>>,
    children: HashMap<i32, Adopted>,
}

impl Attendant {
    async fn attend(mut self, mut requests: mpsc::Receiver<Request>) {
        loop {
            let more = !requests.is_closed() || !requests.is_empty();
            if !more && self.asked.is_empty() && self.children.is_empty() {
                return;
            }
            let done = tokio::select! {
                request = requests.recv(), if more => match request {
                    Some(request) => self.ask(request).await,
                    None => Ok(()),
                },
                line = self.lines.next_line() => match line {
                    Ok(Some(line)) => self.hear(&line).await,
                    Ok(None) => Err(io::ErrorKind::UnexpectedEof.into()),
                    Err(error) => Err(error),
                },
            };
            if let Err(error) = done {
                requests.close();
                self.part(&error).await;
                return;
            }
        }
    }

    async fn ask(&mut self, request: Request) -> io::Result<()> {
        let Request { files, reply } = request;
        let socket = self.write.as_ref();
        socket.async_io(Interest::WRITABLE, || send_with_files(socket, b"F\n", &files)).await?;
        self.asked.push_back(reply);
        Ok(())
    }

    async fn hear(&mut self, line: &str) -> io::Result<()> {
        let unexpected = || io::Error::other(format!("unexpected: {line}"));
        let (kind, rest) = line.split_once(' ').ok_or_else(unexpected)?;
        match kind {
            "F" => {
                let (process, adopted) = Process::adopt(rest.parse().map_err(|_| unexpected())?);
                self.children.insert(process.id(), adopted);
                // When nobody waits any more, the process comes back here, is dropped, and so is killed.
                let _ = self.asked.pop_front().ok_or_else(unexpected)?.send(Ok(process));
            }
            "X" => {
                let _ =
                    self.asked.pop_front().ok_or_else(unexpected)?.send(Err(TemplateError::Refused(rest.to_owned())));
            }
            "E" => {
                let (pid, status) = rest.split_once(' ').ok_or_else(unexpected)?;
                let status: i32 = status.parse().map_err(|_| unexpected())?;
                let child = pid.parse().ok().and_then(|pid: i32| self.children.remove(&pid)).ok_or_else(unexpected)?;
                child.end(if status < 0 { Exit::Signal(-status) } else { Exit::Code(status) });
                self.write.write_all(format!("R {pid}\n").as_bytes()).await?;
            }
            _ => return Err(unexpected()),
        }
        Ok(())
    }

    /// Ends what is left when the template has gone; its children have died with it.
    async fn part(self, error: &io::Error) {
        self.process.kill_group();
        let status = self.process.wait().await;
        let stderr = self.tail.text().await;
        tracing::warn!(%error, %status, stderr, kernels = self.children.len(), "the template of kernels has gone");
        for child in self.children.into_values() {
            child.end(Exit::Signal(libc::SIGKILL));
        }
    }
}
