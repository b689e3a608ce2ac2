//! A kernel that answers, however it was started: running a job in it, and ending it.

use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::timeout;

use super::connection::Connection;
use super::memory::OomKills;
use super::process::{Exit, Process};
use super::run::{self, Ran};
use super::session::Session;
use super::tail::Tail;
use super::{Execution, InterruptMode, Job, Outcome, StartError};
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
    cpu_seconds: Option<u64>,
    interrupt: InterruptMode,
    _connection: Option<Connection>,
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
        Ok(Self::new(process, tail, session, language_info, Some(connection)))
    }

    /// A kernel that answers already.
    pub(super) fn new(
        process: Process,
        tail: Tail,
        session: Session,
        language_info: Option<Map<String, Value>>,
        connection: Option<Connection>,
    ) -> Self {
        Self {
            process,
            session,
            tail: Some(tail),
            language_info,
            oom_kills: OomKills::now(),
            limited: false,
            cpu_seconds: None,
            interrupt: InterruptMode::default(),
            _connection: connection,
        }
    }

    /// Runs a job, for which the kernel is otherwise ready.
    pub(super) async fn run(mut self, job: &Job, clock: &SharedClock) -> (Execution, Leaving) {
        self.oom_kills = OomKills::now();
        self.limited = job.limits.resources.memory_bytes.is_some();
        self.cpu_seconds = job.limits.resources.cpu_seconds;
        self.interrupt = job.kernel.interrupt;
        tracing::debug!("the kernel has its job");
        let Ran { cells, outcome, widgets } = run::run(&mut self, job, clock).await;
        let language_info = self.language_info.take();
        let by_itself = matches!(outcome, Outcome::Succeeded | Outcome::CellError { .. });
        if !by_itself {
            self.process.kill_group();
        }
        (Execution { cells, outcome, widgets, language_info }, Leaving { kernel: self, by_itself })
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
        if exit.used_up_its_time() && self.cpu_seconds.is_some() {
            return Outcome::CpuTime { cell, limit: self.cpu_seconds };
        }
        if self.oom_kills.explain(exit, self.limited, &last_words) {
            return Outcome::OutOfMemory { cell };
        }
        Outcome::KernelDied { cell, reason: exit.to_string() }
    }
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Kernel").field(&self.process.id()).finish()
    }
}

/// A kernel that has run its cells and is still there. Dropping it kills it.
#[derive(Debug)]
pub struct Leaving {
    kernel: Kernel,
    /// Whether it may end by itself; else it is being killed.
    by_itself: bool,
}

impl Leaving {
    /// Whether it was stopped, or has died, so that its end takes no time of its own.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        !self.by_itself
    }

    /// Ends the kernel and everything it started.
    ///
    /// A kernel whose cells have run is asked to end, as nbclient does it: at its exit Python writes out what files left open
    /// still hold, joins threads and runs exit functions, and whoever reads such a file earlier may read half of it. That
    /// costs some 20 ms. Any other kernel is killed.
    pub async fn end(self) {
        let Self { mut kernel, by_itself } = self;
        if by_itself {
            match kernel.session.shutdown().await {
                Ok(()) => _ = timeout(SHUTDOWN_GRACE, kernel.process.wait()).await,
                Err(error) => tracing::debug!(%error, "failed to ask a kernel to end"),
            }
        }
        kernel.process.kill_group();
        if timeout(KILL_GRACE, kernel.process.wait()).await.is_err() {
            tracing::error!(pid = kernel.process.id(), "a killed kernel is still there");
        }
    }
}
