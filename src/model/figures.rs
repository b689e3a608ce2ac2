//! What is told of many runs at once, and of the server over time.

use chrono::{DateTime, Utc};

use super::{HookId, HookPath};

/// How runs ended within a span of time, and how long they took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunFigures {
    pub succeeded: u64,
    /// Failed, timed out or interrupted.
    pub failed: u64,
    pub cancelled: u64,
    /// So many of a hundred took this long at most, in milliseconds; none if no kernel was started.
    pub p50: Option<i64>,
    pub p95: Option<i64>,
    pub p99: Option<i64>,
}

impl RunFigures {
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.succeeded + self.failed + self.cancelled
    }
}

/// A hook whose runs failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingHook {
    pub hook: HookId,
    pub path: HookPath,
    pub ended: u64,
    pub failed: u64,
    pub last_failure: DateTime<Utc>,
}

/// Deliveries that are not where they are to go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryFigures {
    pub pending: u64,
    pub dead: u64,
}

/// How busy the server was at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    pub at: DateTime<Utc>,
    /// Calls that waited for a kernel, and runs that had one: the most at once since it was looked at before.
    pub waiting: usize,
    pub running: usize,
    /// Kernels that waited for a run.
    pub warm: usize,
}

/// What the record says is on disk, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recorded {
    pub outputs: u64,
    /// The same of hooks that were deleted.
    pub left_outputs: u64,
    /// Notebooks of versions, without the files that were deployed with them.
    pub versions: u64,
    /// Dependencies of owners, and assets.
    pub files: u64,
}

/// How much room a file system has, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskRoom {
    pub total: u64,
    /// What the server may still take.
    pub available: u64,
}

/// What is kept, in bytes, and what may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskUse {
    pub recorded: Recorded,
    /// The database with its log.
    pub database: u64,
    /// Most that the outputs may take together.
    pub outputs_limit: Option<u64>,
    /// Of the file system that the data folder is on; none if it does not say.
    pub disk: Option<DiskRoom>,
}
