//! One execution of a hook.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Histo, HookId, Invalid, Mode, RunId, ScheduleId, UserId};

/// The states of a run: queued → running → one of the others, which are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    Queued,
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Cancelled,
    Interrupted,
}

impl RunState {
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::Interrupted,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }
}

impl RunState {
    /// Whether a run stays in this state.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RunState {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            Invalid::new("state", format!("must be one of {names}"))
        })
    }
}

/// Why a run did not succeed. Its name is part of the problem type that callers see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// A cell raised.
    CellError,
    /// The run took longer than the hook's `timeout`.
    Timeout,
    /// The kernel ended by itself or by a signal.
    KernelDied,
    /// The kernel was killed for using too much memory.
    OutOfMemory,
    /// The run used more CPU time than it may.
    CpuLimit,
    /// The run started more processes than it may.
    ProcessLimit,
    /// The run wrote more output than the server keeps.
    OutputTooLarge,
    /// The notebook answered with `respond_error(…, failed=True)`.
    Reported,
    /// What the notebook marked as its response cannot be sent.
    ResponseInvalid,
    /// Its owner stopped it.
    Cancelled,
    /// The server was stopped and could not wait for the run.
    Interrupted,
    /// The server itself could not run the notebook.
    Internal,
}

impl ErrorKind {
    pub const ALL: [Self; 12] = [
        Self::CellError,
        Self::Timeout,
        Self::KernelDied,
        Self::OutOfMemory,
        Self::CpuLimit,
        Self::ProcessLimit,
        Self::OutputTooLarge,
        Self::Reported,
        Self::ResponseInvalid,
        Self::Cancelled,
        Self::Interrupted,
        Self::Internal,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CellError => "cell-error",
            Self::Timeout => "timeout",
            Self::KernelDied => "kernel-died",
            Self::OutOfMemory => "out-of-memory",
            Self::CpuLimit => "cpu-limit",
            Self::ProcessLimit => "process-limit",
            Self::OutputTooLarge => "output-too-large",
            Self::Reported => "reported",
            Self::ResponseInvalid => "response-invalid",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Internal => "internal",
        }
    }

    /// The state a run ends in for this reason.
    #[must_use]
    pub fn state(self) -> RunState {
        match self {
            Self::Timeout => RunState::TimedOut,
            Self::Cancelled => RunState::Cancelled,
            Self::Interrupted => RunState::Interrupted,
            _ => RunState::Failed,
        }
    }

    /// Whether a further attempt may succeed. What the notebook reports by itself is its answer, and a limit that was
    /// reached will be reached again.
    #[must_use]
    pub fn may_pass(self) -> bool {
        matches!(self, Self::CellError | Self::Timeout | Self::KernelDied | Self::OutOfMemory | Self::Internal)
    }
}

/// What went wrong in a run, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunError {
    pub kind: ErrorKind,
    /// One sentence that any caller may read.
    pub detail: String,
    /// Index of the cell in the deployed notebook, counting every cell from 0; none when no cell is to blame.
    pub cell: Option<usize>,
    /// The exception's class name.
    pub ename: Option<String>,
    /// The exception's message.
    pub evalue: Option<String>,
    /// For the owner only.
    pub traceback: Vec<String>,
}

/// What started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// A call of the hook's URL.
    Http,
    /// An earlier run, whose parameters it has.
    Rerun,
    /// Its hook's schedule.
    Schedule,
}

impl Trigger {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Rerun => "rerun",
            Self::Schedule => "schedule",
        }
    }
}

/// What came of one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CellStatus {
    Started,
    Ok,
    Error,
}

/// When a cell began and ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellTiming {
    /// Its index in the deployed notebook; none: the injected parameters.
    pub cell: Option<usize>,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub duration_ms: Option<i64>,
    pub status: CellStatus,
}

/// The record of one execution.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    pub id: RunId,
    pub hook: HookId,
    #[serde(skip)]
    pub owner: UserId,
    /// The version that ran.
    pub version: Histo,
    /// Names this run's output.
    pub histo: Histo,
    pub state: RunState,
    pub trigger: Trigger,
    /// Whether its caller waits for it.
    pub mode: Mode,
    /// The run whose parameters it was given.
    pub rerun_of: Option<RunId>,
    /// The schedule that began it, which may be gone.
    pub schedule: Option<ScheduleId>,
    /// The HTTP method of the call.
    pub method: String,
    /// How often it was begun.
    pub attempts: u32,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    /// From the kernel's start to the last cell's end, in milliseconds.
    pub duration_ms: Option<i64>,
    /// Code cells in the notebook, the injected one included.
    pub cells_total: i64,
    /// Code cells that were executed.
    pub cells_done: i64,
    pub error: Option<RunError>,
    /// What was odd but not fatal, e.g. a second marked response.
    pub warnings: Vec<String>,
    /// HTTP status and media type of what was answered.
    pub status: Option<u16>,
    pub media_type: Option<String>,
    pub cells: Vec<CellTiming>,
}

impl RunError {
    /// An error without a cell to blame.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), cell: None, ename: None, evalue: None, traceback: Vec::new() }
    }
}
