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
    /// Calls that wait for a kernel.
    pub waiting: usize,
    /// Kernels that run something.
    pub kernels: usize,
}

/// What the data folder takes, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskUse {
    pub database: u64,
    /// Notebooks, their dependencies, and what their runs left.
    pub files: u64,
}
