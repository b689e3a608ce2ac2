//! A kernel that answers, however it was started: running a job in it and ending it.

use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::timeout;

use super::connection::Connection;
use super::memory::OomKills;
use super::process::{Exit, Process};
use super::session::Session;
use super::tail::Tail;
use super::{Execution, InterruptMode, Job, Outcome, StartError, run};
use crate::clock::SharedClock;

/// How long a kernel may take to end by itself, as Jupyter allows it.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);
/// How long a killed process may take to be gone.
const KILL_GRACE: Duration = Duration::from_secs(5);

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
    /// Connects to a kernel that has just been started. Gives it `patience` to answer.
    pub(super) async fn meet(
        process: Process,
        tail: Tail,
        connection: Connection,
        output_limit: usize,
        patience: Duration,
    ) -> Result<Self, StartError> {
        let connect = Session::connect(&connection, output_limit);
        let connected = tokio::select! {
            biased;
            connected = timeout(patience, connect) => connected,
            exit = process.wait() => return Err(StartError::Died { status: exit.to_string(), stderr: tail.text().await }),
        };
        let (session, language_info) = connected
            .map_err(|_| StartError::Timeout(patience))?
            .map_err(|error| StartError::Protocol(error.to_string()))?;
        Ok(Self {
            process,
            session,
            tail: Some(tail),
            language_info,
            oom_kills: OomKills::now(),
            limited: false,
            interrupt: InterruptMode::default(),
            _connection: connection,
        })
    }

    /// Runs a job, for which the kernel is otherwise ready, and ends the kernel.
    pub(super) async fn run_to_the_end(mut self, job: &Job, clock: &SharedClock) -> Execution {
        self.oom_kills = OomKills::now();
        self.limited = job.limits.memory_bytes.is_some();
        self.interrupt = job.kernel.interrupt;
        let mut execution = run::run(&mut self, job, clock).await;
        execution.language_info = self.language_info.take();
        self.end(&execution.outcome).await;
        execution
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
