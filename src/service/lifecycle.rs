//! A server's start and end: taking over what the last one left, and turning calls away before it stops.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Result, Service};
use crate::model::{Mode, RunState};

impl Service {
    /// Whether calls can be served.
    pub async fn is_ready(&self) -> bool {
        !self.is_draining() && self.db.ping().await.is_ok()
    }

    /// Runs that have not ended, their kernels and outputs included.
    pub fn runs_in_progress(&self) -> usize {
        self.runs.len()
    }

    /// Ends the processes that a killed server left behind, and takes over its runs.
    pub async fn recover(self: &Arc<Self>) -> Result<()> {
        tokio::task::spawn_blocking(crate::kernel::remove_leftovers).await?;
        self.db.reset_deliveries().await?;
        self.check_secrets().await?;
        let runs = self.db.unfinished_runs().await?;
        // First: as long as a run is on record as running, the next start looks for its processes again.
        let running = runs.iter().filter(|run| run.mode == Mode::Sync || run.state == RunState::Running);
        let marks: Vec<_> = running.map(|run| run.id).collect();
        if !marks.is_empty() {
            tracing::warn!(runs = marks.len(), "the last server was killed in the middle of runs");
            tokio::task::spawn_blocking(move || crate::kernel::process::kill_orphans(&marks)).await?;
        }
        self.take_over(runs).await
    }

    /// From now on calls are turned away; what is running goes on, and what waits without a caller is left to the next server.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.parking.cancel();
        self.runs.close();
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Ends when the last run has ended. Call [`Self::drain`] first.
    pub async fn drained(&self) {
        self.runs.wait().await;
    }

    /// Kills the kernels of the runs that are left; their callers are told.
    pub fn interrupt_runs(&self) {
        self.interrupt.cancel();
    }
}
