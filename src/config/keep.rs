//! How much is kept: `[keep]` and `[inbox]`.

use serde::{Deserialize, Serialize};

use crate::model::{Bounds, Keep, Retention};

/// How much is kept of each hook that does not say so itself; what is left out has its default, and 0 sets no bound.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeepSettings {
    pub outputs: Keep,
    /// Records of runs; they take their outputs along.
    pub runs: Keep,
    /// The live version counts, and stays.
    pub versions: Keep,
    /// A failed run counts as this many times younger than it is.
    pub failed: u32,
    /// All outputs of all hooks together, in MiB; 0 sets no bound.
    pub total: u64,
}

impl KeepSettings {
    #[must_use]
    pub fn retention(&self) -> Retention {
        let bounds = |count, days| Bounds { count: Some(count), days: Some(days), bytes: None };
        Retention {
            versions: self.versions.or(Bounds::default()),
            runs: self.runs.or(bounds(10_000, 365)),
            outputs: self.outputs.or(bounds(1_000, 90)),
            failed: self.failed,
        }
    }

    #[must_use]
    pub fn total_bytes(&self) -> Option<u64> {
        (self.total > 0).then_some(self.total.saturating_mul(1 << 20))
    }
}

impl Default for KeepSettings {
    fn default() -> Self {
        let server = Keep::default();
        Self { outputs: server, runs: server, versions: server, failed: 2, total: 10 << 10 }
    }
}

/// Bounds for inboxes.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct InboxSettings {
    /// Inboxes of each user.
    pub limit: u32,
    /// Largest body that is taken, in bytes.
    pub body_limit: usize,
    /// An inbox that its owner has not read for so many days goes; 0: never.
    pub days: u32,
}

impl Default for InboxSettings {
    fn default() -> Self {
        Self { limit: 1_000, body_limit: 1 << 20, days: 90 }
    }
}
