//! The executor that starts a kernel process for every run, from any kernelspec.

use std::os::fd::OwnedFd;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::connection::Connection;
use super::memory::OomKills;
use super::process::{Exit, Process, command};
use super::session::Session;
use super::tail::Tail;
use super::{Execution, Executor, InterruptMode, Job, KernelCommand, Outcome, StartError, run};
use crate::clock::SharedClock;

/// How long a kernel may take to end by itself, as Jupyter allows it.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);
/// How long a killed process may take to be gone.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// Runs every job in a kernel process of its own.
#[derive(Debug)]
pub struct SpawnExecutor {
    clock: SharedClock,
}

impl SpawnExecutor {
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        Self { clock }
    }
}

#[async_trait]
impl Executor for SpawnExecutor {
    async fn execute(&self, job: Job) -> Result<Execution, StartError> {
        let mut kernel = Kernel::start(&job, self.clock.clone()).await?;
        let mut execution = run::run(&mut kernel, &job, &self.clock).await;
        execution.language_info = kernel.language_info.take();
        kernel.end(&execution.outcome).await;
        Ok(execution)
    }
}

/// A kernel that answers. Dropping it kills its processes and removes its files.
pub(super) struct Kernel {
    // Fields are dropped in this order: first the processes, last the files.
    pub(super) process: Process,
    pub(super) session: Session,
    tail: Option<Tail>,
    language_info: Option<Map<String, Value>>,
    oom_kills: OomKills,
    limited: bool,
    interrupt: InterruptMode,
    _connection: Connection,
}

impl Kernel {
    async fn start(job: &Job, clock: SharedClock) -> Result<Self, StartError> {
        let connection = Connection::create(clock)?;
        let oom_kills = OomKills::now();
        let (process, tail) = spawn(job, &connection).await?;
        let connect = Session::connect(&connection, job.limits.output_bytes);
        let connected = tokio::select! {
            biased;
            connected = timeout(job.limits.start, connect) => connected,
            exit = process.wait() => return Err(StartError::Died { status: exit.to_string(), stderr: tail.text().await }),
        };
        let (session, language_info) = connected
            .map_err(|_| StartError::Timeout(job.limits.start))?
            .map_err(|error| StartError::Protocol(error.to_string()))?;
        Ok(Self {
            process,
            session,
            tail: Some(tail),
            language_info,
            oom_kills,
            limited: job.limits.memory_bytes.is_some(),
            interrupt: job.kernel.interrupt,
            _connection: connection,
        })
    }

    /// Asks the kernel to leave the running cell.
    pub(super) async fn interrupt(&mut self) {
        match self.interrupt {
            InterruptMode::Signal => self.process.interrupt(),
            InterruptMode::Message => {
                if let Err(error) = self.session.interrupt().await {
                    tracing::debug!(%error, "failed to interrupt a kernel");
                }
            }
        }
    }

    /// The outcome of a run whose kernel has ended in a cell.
    pub(super) async fn death(&mut self, exit: &Exit, cell: Option<usize>) -> Outcome {
        let last_words = match self.tail.take() {
            Some(tail) => tail.text().await,
            None => String::new(),
        };
        if self.oom_kills.explain(exit, self.limited, &last_words) {
            return Outcome::OutOfMemory { cell };
        }
        Outcome::KernelDied { cell, reason: exit.to_string() }
    }

    /// Ends the kernel and everything it started.
    ///
    /// A kernel whose cells have run is asked to end, as nbclient does it: at its exit Python writes out what files left open
    /// still hold, joins threads and runs exit functions, and a notebook that answers with such a file would otherwise
    /// answer with half of it. That costs some 50 ms with our launcher. Any other kernel is killed.
    async fn end(&mut self, outcome: &Outcome) {
        if matches!(outcome, Outcome::Succeeded | Outcome::CellError { .. }) {
            match self.session.shutdown().await {
                Ok(()) => _ = timeout(SHUTDOWN_GRACE, self.process.wait()).await,
                Err(error) => tracing::debug!(%error, "failed to ask a kernel to end"),
            }
        }
        self.process.kill_group();
        if timeout(KILL_GRACE, self.process.wait()).await.is_err() {
            tracing::error!(pid = self.process.id(), "a killed kernel is still there");
        }
    }
}

async fn spawn(job: &Job, connection: &Connection) -> Result<(Process, Tail), StartError> {
    let KernelCommand { argv, env, .. } = &job.kernel;
    let file = connection.file();
    let mut words = argv.iter().map(|word| word.replace("{connection_file}", &file.to_string_lossy()));
    let program = words.next().unwrap_or_default();
    let command = command(&program)
        .args(words)
        .current_dir(&job.workdir)
        .envs(env.iter().chain(&job.env).map(|(name, value)| (name, value)))
        .memory_limit(job.limits.memory_bytes)
        .run(job.run);
    let mut process = Process::spawn(command).await.map_err(|source| StartError::Spawn { program, source })?;
    let pipes = [process.stdout.take().map(OwnedFd::from), process.stderr.take().map(OwnedFd::from)];
    let tail = Tail::of(pipes.into_iter().flatten())?;
    Ok((process, tail))
}
