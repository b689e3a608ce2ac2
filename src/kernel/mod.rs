//! Running the cells of a notebook in a kernel process.
//!
//! An [`Executor`] takes a [`Job`] (what to run, where, within which limits) and gives an [`Execution`] (what came of every
//! cell and how it ended). It knows processes, sockets and the Jupyter messaging protocol; it knows nothing of hooks, HTTP,
//! the store or what the outputs mean. Whatever it starts it ends: when `execute` is dropped, or the kernel it gives
//! has ended or is dropped, no process of the job is left.

mod collect;
mod connection;
pub mod environment;
mod forkserver;
mod json;
mod kernelspec;
mod limits;
mod live;
mod memory;
pub mod nbconvert;
mod packets;
pub mod process;
mod progress;
mod run;
mod session;
mod sockets;
mod spawn;
mod tail;
#[cfg(test)]
mod tests;
mod widgets;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::RunId;

pub use connection::remove_leftovers;
pub use forkserver::ForkExecutor;
pub use kernelspec::{KernelspecError, Kernelspecs, python_kernel};
pub use limits::Limits;
pub use live::Leaving;
pub use progress::{in_display as progress_in_display, in_stream as progress_in_stream};
pub use spawn::SpawnExecutor;

/// Runs notebooks, each in a fresh kernel of its own.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Starts a kernel, runs the job's cells in order until one fails, and gives the kernel, which is still there: ending it
    /// takes time that not every answer has to wait for ([`Leaving::end`]).
    ///
    /// Dropping the future or the kernel kills the kernel's process group.
    ///
    /// # Errors
    /// Only when no kernel could be started; everything after that is an [`Execution`] with its [`Outcome`].
    async fn execute(&self, job: Job) -> Result<(Execution, Leaving), StartError>;

    /// Gets ready for jobs with this kernel, in the background. `output_limit` as in [`Limits::output_bytes`] of these jobs.
    fn prepare(&self, _kernel: &KernelCommand, _output_limit: usize) {}

    /// How many kernels wait for a job.
    fn waiting(&self) -> usize {
        0
    }

    /// What became of [`KernelCommand::preload`].
    fn preloaded(&self, _kernel: &KernelCommand) -> Preloaded {
        Preloaded::Never
    }

    /// Executes a job and ends the kernel.
    ///
    /// # Errors
    /// As [`Self::execute`].
    async fn complete(&self, job: Job) -> Result<Execution, StartError> {
        let (execution, kernel) = self.execute(job).await?;
        kernel.end().await;
        Ok(execution)
    }
}

/// Hears what happens in a run while it goes on. Called in the middle of it, so it must not block.
pub trait Observer: Send + Sync + std::fmt::Debug {
    fn happened(&self, happening: Happening<'_>);
}

/// What an [`Observer`] hears. `cell` as in [`CodeCell::index`].
#[derive(Debug, Clone, Copy)]
pub enum Happening<'a> {
    CellBegan {
        cell: usize,
    },
    CellEnded {
        cell: usize,
        failed: bool,
    },
    /// A message of the kernel's iopub channel: its type and content (Jupyter messaging spec).
    Published {
        cell: usize,
        kind: &'a str,
        content: &'a Value,
    },
}

/// One run, as a kernel sees it.
#[derive(Debug, Clone)]
pub struct Job {
    pub run: RunId,
    pub kernel: KernelCommand,
    /// The kernel's working directory; exists.
    pub workdir: PathBuf,
    /// Added to the kernel's environment, over what the kernelspec sets.
    pub env: Vec<(String, String)>,
    pub cells: Vec<CodeCell>,
    pub limits: Limits,
    pub observer: Option<Arc<dyn Observer>>,
}

/// How to start a kernel: a kernelspec, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelCommand {
    /// The program (an absolute path) and its arguments; `{connection_file}` stands for the connection file.
    pub argv: Vec<String>,
    pub env: Vec<(String, String)>,
    /// The kernelspec's name, e.g. `python3`, and its language, e.g. `python`, lowercase.
    pub name: String,
    pub language: String,
    pub interrupt: InterruptMode,
    /// Modules to import before the job comes, where the executor can do that without a difference to the notebook.
    pub preload: Vec<String>,
}

/// What became of the modules to import in advance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preloaded {
    /// Such kernels are spawned.
    Never,
    Preparing,
    Done {
        left_out: Vec<LeftOut>,
    },
}

/// A module that is not imported in advance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    pub module: String,
    /// What it does, e.g. `starts threads`.
    pub reason: String,
}

/// How a kernel wants to be interrupted (`interrupt_mode` of its kernelspec).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum InterruptMode {
    #[default]
    Signal,
    Message,
}

/// A code cell to execute.
#[derive(Debug, Clone)]
pub struct CodeCell {
    /// Its index among all cells of the notebook that is executed.
    pub index: usize,
    pub source: String,
    /// Whether an error in this cell lets the run go on (`raises-exception` tag).
    pub raises_exception: bool,
}

/// What came of a job.
#[derive(Debug, Clone)]
pub struct Execution {
    /// One entry for every cell that was started, in order.
    pub cells: Vec<ExecutedCell>,
    pub outcome: Outcome,
    /// What to save as the notebook's `metadata.widgets`, if it has widgets.
    pub widgets: Option<Value>,
    /// The kernel's `language_info`, for the notebook's metadata.
    pub language_info: Option<Map<String, Value>>,
}

/// What came of one cell.
#[derive(Debug, Clone)]
pub struct ExecutedCell {
    /// As in [`CodeCell::index`].
    pub index: usize,
    pub execution_count: Option<u64>,
    /// nbformat 4 outputs, folded as nbclient folds them.
    pub outputs: Vec<Value>,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    /// Whether it ended the run.
    pub failed: bool,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Succeeded,
    CellError {
        cell: usize,
        ename: String,
        evalue: String,
        traceback: Vec<String>,
    },
    Timeout {
        cell: Option<usize>,
        after: Duration,
    },
    KernelDied {
        cell: Option<usize>,
        reason: String,
    },
    OutOfMemory {
        cell: Option<usize>,
    },
    /// In seconds, of one process or of all together.
    CpuTime {
        cell: Option<usize>,
        limit: Option<u64>,
    },
    TooManyProcesses {
        cell: Option<usize>,
        limit: usize,
    },
    OutputTooLarge {
        cell: Option<usize>,
        limit: usize,
    },
}

/// Why no kernel could be started. A lowercase fragment, for the log; names no secret.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot start `{program}`: {source}")]
    Spawn { program: String, source: std::io::Error },
    #[error("the kernel ended before it answered ({status}): {stderr}")]
    Died { status: String, stderr: String },
    #[error("the kernel did not answer within {0:?}")]
    Timeout(Duration),
    #[error("cannot talk to the kernel: {0}")]
    Protocol(String),
    #[error("cannot prepare the kernel's files: {0}")]
    Files(#[from] std::io::Error),
}
