//! The template of one environment and the kernels that wait there: kept ready in the background, renewed when the template
//! dies or the environment changes, given to jobs without a wait.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use super::super::live::Kernel;
use super::super::{Job, LeftOut};
use super::idle::{ForkError, Idle};
use super::origin::Origin;
use super::template::Template;
use crate::clock::SharedClock;

/// After this time without jobs only one kernel is kept waiting.
const QUIET: Duration = Duration::from_mins(10);
/// How often to look whether all is well when nothing happens.
const BETWEEN_LOOKS: Duration = Duration::from_secs(10);
/// A template that serves this long was no failure, however it ends.
const SETTLED: Duration = Duration::from_secs(5);
/// The pause after a first failure; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// One environment's template and waiting kernels.
#[derive(Debug)]
pub(super) struct Station {
    origin: Origin,
    pool: usize,
    clock: SharedClock,
    state: Mutex<State>,
    /// There may be something to do.
    stir: Notify,
}

#[derive(Debug)]
struct State {
    template: Option<Arc<Template>>,
    waiting: VecDeque<Idle>,
    /// That of the last job: it cannot be changed once the kernel is connected.
    output_limit: Option<usize>,
    last_used: Instant,
}

/// A station with the task that tends it. Dropping it ends the task, the waiting kernels, and the template once the kernels that
/// run have ended.
#[derive(Debug)]
pub(super) struct Tended {
    station: Arc<Station>,
    task: AbortHandle,
    runtime: Handle,
}

impl Tended {
    pub(super) fn station(&self) -> &Arc<Station> {
        &self.station
    }

    pub(super) fn last_used(&self) -> Instant {
        self.station.state().last_used
    }
}

impl Drop for Tended {
    fn drop(&mut self) {
        self.task.abort();
        // The kernels' sockets cannot be closed outside of a runtime; one that has ended will do.
        let _runtime = self.runtime.enter();
        self.station.retire();
    }
}

impl Station {
    pub(super) fn open(origin: Origin, pool: usize, clock: SharedClock, now: Instant) -> Tended {
        let state = State { template: None, waiting: VecDeque::new(), output_limit: None, last_used: now };
        let station = Arc::new(Self { origin, pool, clock, state: Mutex::new(state), stir: Notify::new() });
        let task = tokio::spawn(Arc::clone(&station).tend()).abort_handle();
        Tended { station, task, runtime: Handle::current() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells what limit the jobs to come will have.
    pub(super) fn expect_jobs(&self, output_limit: usize) {
        let mut state = self.state();
        state.last_used = Instant::now();
        state.output_limit = Some(output_limit);
        self.stir.notify_one();
    }

    /// What its template could not import in advance; none as long as there is no template.
    pub(super) fn left_out(&self) -> Option<Vec<LeftOut>> {
        self.state().template.as_ref().map(|template| template.left_out().to_vec())
    }

    /// Bytes of the template.
    pub(super) fn memory(&self) -> u64 {
        self.state().template.as_ref().map_or(0, |template| template.memory())
    }

    /// How many kernels wait for a job.
    pub(super) fn kernels_waiting(&self) -> usize {
        self.state().waiting.len()
    }

    /// A kernel that has its job, and how it was come by; none when that is not possible now.
    pub(super) async fn kernel(&self, job: &Job) -> Option<(Kernel, &'static str)> {
        self.expect_jobs(job.limits.output_bytes);
        let template = self.current_template().await?;
        let given = match self.waiting(job.limits.output_bytes) {
            Some(idle) => Some((idle.take(job).await, "pool")),
            None => None,
        };
        self.stir.notify_one();
        match given {
            Some((Ok(kernel), how)) => return Some((kernel, how)),
            Some((Err(error), _)) => tracing::warn!(%error, "a waiting kernel did not take its job"),
            None => {}
        }
        match self.fork(&template, job).await {
            Ok(kernel) => Some((kernel, "fork")),
            Err(error) => {
                tracing::warn!(%error, "failed to fork a kernel: kernels are spawned until there is a new template");
                self.retire();
                None
            }
        }
    }

    async fn fork(&self, template: &Template, job: &Job) -> Result<Kernel, ForkError> {
        Idle::start(template, job.limits.output_bytes, self.clock.clone()).await?.take(job).await
    }

    fn waiting(&self, output_limit: usize) -> Option<Idle> {
        let mut state = self.state();
        // Those that cannot be used are dropped, and so killed.
        std::iter::from_fn(|| state.waiting.pop_front()).find(|idle| idle.serves(output_limit))
    }

    /// The template, if it runs and the environment has not changed since it started; else it is given up.
    async fn current_template(&self) -> Option<Arc<Template>> {
        let template = self.state().template.clone()?;
        let asked = Arc::clone(&template);
        let current = tokio::task::spawn_blocking(move || asked.is_current()).await.unwrap_or(false);
        if !current {
            self.retire();
        }
        current.then_some(template)
    }

    /// Gives the template and the waiting kernels up.
    fn retire(&self) {
        let mut state = self.state();
        let gone = (state.template.take(), std::mem::take(&mut state.waiting));
        drop(state);
        drop(gone);
        self.stir.notify_one();
    }

    /// Keeps a template running and kernels waiting, for ever.
    async fn tend(self: Arc<Self>) {
        let mut failures = 0;
        loop {
            let mut served = Duration::ZERO;
            match Template::start(&self.origin).await {
                Ok(template) => {
                    let ready = Instant::now();
                    self.state().template = Some(Arc::new(template));
                    self.tend_template().await;
                    served = ready.elapsed();
                }
                Err(error) => {
                    tracing::warn!(%error, python = %self.origin.interpreter.display(), "no kernel can be forked; they are spawned");
                }
            }
            failures = if served > SETTLED { 0 } else { failures + 1 };
            if failures > 0 {
                sleep(pause(failures)).await;
            }
        }
    }

    /// Keeps kernels waiting as long as the template does.
    async fn tend_template(&self) {
        while let Some(template) = self.current_template().await {
            let Some(output_limit) = self.wanted() else {
                let _ = timeout(BETWEEN_LOOKS, self.stir.notified()).await;
                continue;
            };
            match Idle::start(&template, output_limit, self.clock.clone()).await {
                Ok(idle) => {
                    let mut state = self.state();
                    // Not into the pool of another template.
                    if state.template.as_ref().is_some_and(|current| Arc::ptr_eq(current, &template)) {
                        state.waiting.push_back(idle);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "failed to fork a kernel in advance: starting a new template");
                    self.retire();
                }
            }
        }
    }

    /// Whether another kernel should wait, and with which limit. Removes those that are too many or dead.
    fn wanted(&self) -> Option<usize> {
        let mut state = self.state();
        let limit = state.output_limit?;
        let wanted = if state.last_used.elapsed() > QUIET { self.pool.min(1) } else { self.pool };
        state.waiting.retain(|idle| idle.serves(limit));
        state.waiting.truncate(wanted);
        (state.waiting.len() < wanted).then_some(limit)
    }
}

/// How long to wait after a number of failures in a row, at least one.
fn pause(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << (failures - 1).min(20)).min(LONGEST_PAUSE)
}

#[cfg(test)]
impl Station {
    /// Lets so much time pass without jobs that fewer kernels need to wait.
    pub(super) fn rest(&self) {
        self.state().last_used = Instant::now().checked_sub(QUIET + Duration::from_secs(1)).unwrap();
        self.stir.notify_one();
    }

    /// How many kernels wait, if there is a template.
    pub(super) fn ready(&self) -> Option<usize> {
        let state = self.state();
        state.template.as_ref().filter(|template| template.runs()).map(|_| state.waiting.len())
    }
}
