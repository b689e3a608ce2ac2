//! The executor that forks Python kernels from a template which has done the work of starting already.
//!
//! A template process per Python environment ([`template`]) has imported and prepared all that a kernel needs; a kernel is a
//! fork of it ([`idle`]). A few are kept waiting ([`station`]). Each serves one run. Whatever cannot be forked, for whatever
//! reason ([`origin`]: another language, options, a variable that must be there from the start; a template that is not ready,
//! has died or refuses), is spawned: this executor never fails where [`SpawnExecutor`] would not.

mod idle;
mod origin;
mod stamp;
mod station;
mod template;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Execution, Executor, Job, KernelCommand, Leaving, SpawnExecutor, StartError};
use crate::clock::SharedClock;
use origin::Origin;
use station::{Station, Tended};

/// Environments that have a template at the same time. The one that was not used for the longest time makes room.
const MOST_TEMPLATES: usize = 8;

/// Runs every job in a kernel of its own: a forked one where possible, else a spawned one.
#[derive(Debug)]
pub struct ForkExecutor {
    clock: SharedClock,
    spawn: SpawnExecutor,
    /// Kernels that wait, per environment.
    pool: usize,
    stations: Mutex<HashMap<Origin, Tended>>,
}

impl ForkExecutor {
    /// `pool` kernels wait per environment; with 0 each is forked when it is needed.
    #[must_use]
    pub fn new(clock: SharedClock, pool: usize) -> Self {
        Self { spawn: SpawnExecutor::new(clock.clone()), clock, pool, stations: Mutex::default() }
    }

    /// Gets ready for jobs with this kernel, in the background. Without this the first job does that, and is spawned.
    ///
    /// `output_limit` as in [`super::Limits::output_bytes`] of these jobs. Must be called in a tokio runtime.
    pub fn prepare(&self, kernel: &KernelCommand, output_limit: usize) {
        if let Some(origin) = Origin::of(kernel) {
            self.station(origin).expect_jobs(output_limit);
        }
    }

    fn station(&self, origin: Origin) -> Arc<Station> {
        let mut stations = self.stations.lock().unwrap_or_else(PoisonError::into_inner);
        if !stations.contains_key(&origin) && stations.len() >= MOST_TEMPLATES {
            let stale = stations.iter().min_by_key(|(_, tended)| tended.last_used()).map(|(origin, _)| origin.clone());
            stale.map(|origin| stations.remove(&origin));
        }
        let tended = stations
            .entry(origin.clone())
            .or_insert_with(|| Station::open(origin, self.pool, self.clock.clone(), Instant::now()));
        Arc::clone(tended.station())
    }
}

#[async_trait]
impl Executor for ForkExecutor {
    async fn execute(&self, job: Job) -> Result<(Execution, Leaving), StartError> {
        let origin = Origin::of(&job.kernel).filter(|_| origin::environment_may_come_late(&job));
        if let Some(origin) = origin
            && let Some((kernel, how)) = self.station(origin).kernel(&job).await
        {
            count(how);
            return Ok(kernel.run(&job, &self.clock).await);
        }
        count("spawn");
        self.spawn.execute(job).await
    }
}

/// Counts a kernel start by how it was done.
fn count(how: &'static str) {
    metrics::counter!("nbhook_kernel_starts_total", "how" => how).increment(1);
}

#[cfg(test)]
impl ForkExecutor {
    /// Waits until kernels can be forked and so many wait, if any of this origin ever can.
    pub(in crate::kernel) async fn ready(&self, kernel: &KernelCommand, output_limit: usize, waiting: usize) {
        let Some(origin) = Origin::of(kernel) else { return };
        self.prepare(kernel, output_limit);
        let station = self.station(origin);
        let started = Instant::now();
        while station.ready().is_none_or(|ready| ready < waiting) {
            assert!(started.elapsed() < std::time::Duration::from_mins(1), "no template after a minute");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}
