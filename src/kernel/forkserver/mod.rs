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
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Execution, Executor, Job, KernelCommand, Leaving, Preloaded, SpawnExecutor, StartError};
use crate::clock::SharedClock;
use origin::Origin;
use station::{Station, Tended};

/// Templates at the same time. The one that was not used for the longest time makes room.
const MOST_TEMPLATES: usize = 16;

/// A template that was used so lately does not make room for one with other modules: with more sets of modules in use than there may
/// be templates, they would start in turn for ever. The jobs that get none run without modules in advance.
const IN_USE: Duration = Duration::from_mins(1);

/// Runs every job in a kernel of its own: a forked one where possible, else a spawned one.
#[derive(Debug)]
pub struct ForkExecutor {
    clock: SharedClock,
    spawn: SpawnExecutor,
    /// Kernels that wait, per environment.
    pool: usize,
    /// Bytes of all templates that import modules in advance.
    memory: u64,
    /// See [`IN_USE`].
    in_use: Duration,
    stations: Mutex<HashMap<Origin, Tended>>,
}

impl ForkExecutor {
    /// `pool` kernels wait per environment; with 0 each is forked when it is needed. Templates that import modules in advance
    /// make room for others when they take more than `memory` bytes together and are not in use.
    #[must_use]
    pub fn new(clock: SharedClock, pool: usize, memory: u64) -> Self {
        Self {
            spawn: SpawnExecutor::new(clock.clone()),
            clock,
            pool,
            memory,
            in_use: IN_USE,
            stations: Mutex::default(),
        }
    }

    /// The station of an origin; none if it has modules, there is none yet, and none of the others can make room. Must be called
    /// in a tokio runtime.
    fn station(&self, origin: Origin) -> Option<Arc<Station>> {
        let mut stations = self.stations.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !stations.contains_key(&origin);
        loop {
            let too_many = stations.len() + usize::from(is_new) > MOST_TEMPLATES;
            if !too_many && memory(&stations) <= self.memory {
                break;
            }
            // One with modules rather than one without, which serves all and does not count for the memory.
            let others =
                stations.iter().filter(|(other, _)| **other != origin && (too_many || !other.modules.is_empty()));
            let stale = others.min_by_key(|(other, tended)| (other.modules.is_empty(), tended.last_used()));
            let Some((stale, last_used)) = stale.map(|(other, tended)| (other.clone(), tended.last_used())) else {
                break;
            };
            let idle = last_used.elapsed() >= self.in_use;
            if idle || (is_new && origin.modules.is_empty()) {
                stations.remove(&stale);
            } else if is_new {
                return None;
            } else {
                break;
            }
        }
        // There may be many sets of modules.
        let pool = if origin.modules.is_empty() { self.pool } else { self.pool.div_ceil(2) };
        let tended = stations
            .entry(origin.clone())
            .or_insert_with(|| Station::open(origin, pool, self.clock.clone(), Instant::now()));
        Some(Arc::clone(tended.station()))
    }
}

/// Bytes of the templates that import modules in advance.
fn memory(stations: &HashMap<Origin, Tended>) -> u64 {
    stations.iter().filter(|(origin, _)| !origin.modules.is_empty()).map(|(_, tended)| tended.station().memory()).sum()
}

#[async_trait]
impl Executor for ForkExecutor {
    /// What a template with the job's modules cannot do now, one without them does.
    async fn execute(&self, job: Job) -> Result<(Execution, Leaving), StartError> {
        let origin = Origin::of(&job.kernel).filter(|_| origin::environment_may_come_late(&job));
        let plain = origin.as_ref().and_then(Origin::plain);
        for origin in origin.into_iter().chain(plain) {
            let Some(station) = self.station(origin) else { continue };
            if let Some((kernel, how)) = station.kernel(&job).await {
                count(how);
                return Ok(kernel.run(&job, &self.clock).await);
            }
        }
        count("spawn");
        self.spawn.execute(job).await
    }

    /// Without this the first job does that, and is spawned. Must be called in a tokio runtime.
    fn prepare(&self, kernel: &KernelCommand, output_limit: usize) {
        if let Some(station) = Origin::of(kernel).and_then(|origin| self.station(origin)) {
            station.expect_jobs(output_limit);
        }
    }

    fn waiting(&self) -> usize {
        let stations = self.stations.lock().unwrap_or_else(PoisonError::into_inner);
        stations.values().map(|tended| tended.station().kernels_waiting()).sum()
    }

    fn preloaded(&self, kernel: &KernelCommand) -> Preloaded {
        let Some(origin) = Origin::of(kernel) else { return Preloaded::Never };
        let stations = self.stations.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = stations.get(&origin).and_then(|tended| tended.station().left_out());
        left_out.map_or(Preloaded::Preparing, |left_out| Preloaded::Done { left_out })
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
        let Some(station) = self.station(origin) else { return };
        let started = Instant::now();
        while station.ready().is_none_or(|ready| ready < waiting) {
            assert!(started.elapsed() < Duration::from_mins(1), "no template after a minute");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
