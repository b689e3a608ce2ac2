//! Carrying out a run: waiting for its turn, executing its cells, and trying again where that was wished.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::admission::{Slot, Ticket};
use super::call::{Order, Respond};
use super::conclude::Answered;
use super::credential::LetIn;
use super::declared::{MOST, Sent};
use super::prepare::Prepared;
use super::watch::{LiveRun, Watcher};
use super::{Service, on_disk};
use crate::kernel::process::{Resources, kill_orphans};
use crate::kernel::{Execution, Job, Leaving, Limits};
use crate::model::{ErrorKind, Mode, OnInterrupt, RunError, RunState, RunToken, Workdir};
use crate::response::Callback;

/// Longest time between two attempts.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// A run that is being carried out, and who waits for its answer.
pub(super) struct Run {
    pub(super) order: Order,
    pub(super) live: Arc<LiveRun>,
    pub(super) respond: Respond,
    /// Status and media type of an answer that was given before the end.
    pub(super) early: Option<(u16, Option<String>)>,
    /// The declared callbacks that its notebook has sent.
    pub(super) sent: Sent,
}

/// Why an attempt did not come to an execution.
pub(super) enum Stopped {
    /// The server ends, and the run goes on with the next one.
    Parked,
    Failed(RunError),
}

impl From<RunError> for Stopped {
    fn from(error: RunError) -> Self {
        Self::Failed(error)
    }
}

/// What ended an execution before its time.
enum Cut {
    Cancelled,
    Interrupted,
}

/// What an attempt came to.
struct Attempt {
    prepared: Option<Prepared>,
    executed: Result<(Execution, Leaving), RunError>,
    slot: Option<Slot>,
}

impl Service {
    /// Carries out a run that is on record. `prepared` for its first attempt, if it is there already.
    pub(super) async fn carry_on(
        self: Arc<Self>,
        mut run: Run,
        mut prepared: Option<Prepared>,
        ticket: Option<Ticket>,
    ) {
        let mut ticket = ticket;
        let mut failures = 0;
        loop {
            let attempt = match self.attempt(&mut run, prepared.take(), ticket.take()).await {
                Ok(attempt) => attempt,
                Err(Stopped::Parked) => return self.park(&run).await,
                Err(Stopped::Failed(error)) => Attempt { prepared: None, executed: Err(error), slot: None },
            };
            let Attempt { prepared, executed, slot } = attempt;
            let Some(prepared) = prepared else {
                let error = executed.err().unwrap_or_else(|| internal("the run could not be begun"));
                return self.end_unprepared(run, error).await;
            };
            let mut answered = self.conclude(&mut run, prepared, executed, slot).await;
            if !answered.may_pass(&run, failures) {
                self.answer(&mut run, &mut answered).await;
                return self.clear_up(run, answered).await;
            }
            failures += 1;
            ticket = self.discard(answered).await;
            if let Err(stopped) = self.pause(&run, failures).await {
                match stopped {
                    Stopped::Parked => return self.park(&run).await,
                    Stopped::Failed(error) => return self.end_unprepared(run, error).await,
                }
            }
        }
    }

    async fn attempt(
        &self,
        run: &mut Run,
        prepared: Option<Prepared>,
        ticket: Option<Ticket>,
    ) -> Result<Attempt, Stopped> {
        // An attempt that gave its place back stands in line again; it was let in before.
        let ticket = ticket
            .unwrap_or_else(|| self.admission.readmit(run.order.hook.id, super::call::concurrency(&run.order.hook)));
        let slot = match self.turn(run, ticket).await {
            Ok(slot) => slot,
            Err(Stopped::Failed(error)) if prepared.is_some() => {
                return Ok(Attempt { prepared, executed: Err(error), slot: None });
            }
            Err(stopped) => return Err(stopped),
        };
        let mut prepared = match prepared {
            Some(prepared) => prepared,
            None => self.prepare_again(run).await?,
        };
        let executed = match self.share_workdir(&prepared).await {
            Ok(()) => self.execute(run, &mut prepared).await,
            Err(error) => Err(error),
        };
        match executed {
            Err(Stopped::Parked) => Err(Stopped::Parked),
            Err(Stopped::Failed(error)) => {
                Ok(Attempt { prepared: Some(prepared), executed: Err(error), slot: Some(slot) })
            }
            Ok(executed) => Ok(Attempt { prepared: Some(prepared), executed: Ok(executed), slot: Some(slot) }),
        }
    }

    /// Waits for its turn.
    async fn turn(&self, run: &Run, ticket: Ticket) -> Result<Slot, Stopped> {
        let patience = match run.order.mode {
            Mode::Sync => run.order.hook.params.timeout(),
            Mode::Async => Duration::MAX, // nobody waits, and the queue moves
        };
        let turn = tokio::select! {
            biased;
            stopped = self.stopped_waiting(run) => return Err(stopped),
            turn = timeout(patience, ticket.ready()) => turn,
        };
        let Ok(Ok(slot)) = turn else {
            let detail = "no kernel became free within the hook's timeout";
            return Err(RunError::new(ErrorKind::Timeout, detail).into());
        };
        Ok(slot)
    }

    /// Ends when the run should not wait any longer, and says why.
    async fn stopped_waiting(&self, run: &Run) -> Stopped {
        let parks = run.order.mode == Mode::Async;
        tokio::select! {
            () = run.live.cancelled() => cancelled().into(),
            () = self.parking.cancelled(), if parks => Stopped::Parked,
            () = self.interrupt.cancelled() => {
                RunError::new(ErrorKind::Interrupted, "the server was stopped before the run began").into()
            }
        }
    }

    /// For an asynchronous run, and for a further attempt.
    async fn prepare_again(&self, run: &mut Run) -> Result<Prepared, RunError> {
        let histo = self.db.run(run.order.id).await.ok().flatten().map(|record| record.histo);
        let prepared = self.prepare(&mut run.order).await;
        match (prepared, histo) {
            (Ok(prepared), Some(histo)) => Ok(Prepared { histo, ..prepared }),
            (Err(error), _) => {
                tracing::error!(%error, "cannot prepare the run");
                Err(internal("the run could not be prepared"))
            }
            (_, None) => Err(internal("the run's record is gone")),
        }
    }

    /// Puts the dependencies into a directory that runs share. Not before the run's turn: another run may have been in there.
    async fn share_workdir(&self, run: &Prepared) -> Result<(), Stopped> {
        if run.hook.params.workdir != Workdir::Persistent {
            return Ok(());
        }
        let (hook, histo, workdir) = (&run.hook, &run.version, run.workdir.clone());
        let (run_hook, version) = (hook.clone(), histo.clone());
        let copied = async {
            self.copy_owners_dependencies(hook, histo, workdir.clone()).await?;
            on_disk(&self.files, move |files| files.copy_dependencies(&run_hook, &version, &workdir)).await
        };
        copied.await.map_err(|error| {
            tracing::error!(%error, "cannot copy the dependencies");
            internal("the run's directory could not be prepared").into()
        })
    }

    /// Runs the cells.
    async fn execute(&self, run: &mut Run, prepared: &mut Prepared) -> Result<(Execution, Leaving), Stopped> {
        let (early, marked) = mpsc::channel(1);
        let (calls, called) = mpsc::channel(MOST + 1);
        let watcher = Watcher::new(run.live.clone(), prepared.injected.clone(), early, calls);
        let token = self.random.bits160().map(RunToken::from_random).map_err(|error| {
            tracing::error!(%error, "cannot make the run's token");
            internal("the run could not be begun")
        })?;
        run.live.masks.add(prepared.secrets().iter().map(String::as_str));
        let _let_in = LetIn::new(&run.live, &token, &run.order.hook);
        let job = self.job(prepared, Arc::new(watcher), &token);
        let (id, live) = (run.order.id, run.live.clone());
        let record = async {
            // The run is on record already; that it has started need not be before it does.
            if let Err(error) = self.db.start_run(id, self.clock.now()).await {
                tracing::error!(%error, "cannot record the start of the run");
            }
        };
        live.show_parameters(prepared.shown_parameters());
        live.begin_attempt();
        // Dropping the execution kills its kernel.
        let executing = async {
            tokio::select! {
                (executed, ()) = async { tokio::join!(self.executor.execute(job), record) } => Ok(executed),
                () = live.cancelled() => Err(Cut::Cancelled),
                () = self.interrupt.cancelled() => Err(Cut::Interrupted),
            }
        };
        // Beside it, not in its turns: what is written for the notebook may have to wait for what is being written there.
        match tokio::join!(executing, self.react(run, prepared, marked, called)).0 {
            Ok(executed) => executed.map_err(|error| {
                tracing::error!(%error, kernel = prepared.kernel.name, "cannot start the kernel");
                internal("the kernel could not be started").into()
            }),
            Err(Cut::Cancelled) => Err(self.killed(prepared, cancelled()).await),
            Err(Cut::Interrupted) => {
                let error = RunError::new(ErrorKind::Interrupted, "the server was stopped before the run ended");
                let stopped = self.killed(prepared, error).await;
                Err(if goes_on(&run.order) { Stopped::Parked } else { stopped })
            }
        }
    }

    /// Answers and calls back as the notebook says so. Ends when all is done that was sent, and the job, which sends it, is gone.
    async fn react(
        &self,
        run: &mut Run,
        prepared: &mut Prepared,
        mut marked: mpsc::Receiver<Marked>,
        mut called: mpsc::Receiver<Callback>,
    ) {
        loop {
            tokio::select! {
                Some(output) = marked.recv() => self.answer_early(run, prepared, &output).await,
                Some(callback) = called.recv() => self.call_back(run, prepared, callback).await,
                else => break,
            }
        }
    }

    /// What the kernel started must be gone when the caller hears of it: the server may end next.
    async fn killed(&self, run: &Prepared, error: RunError) -> Stopped {
        let id = run.id;
        let _ = tokio::task::spawn_blocking(move || kill_orphans(&[id])).await;
        error.into()
    }

    fn job(&self, run: &Prepared, watcher: Arc<Watcher>, token: &RunToken) -> Job {
        let settings = &self.settings.kernel;
        let mut env: Vec<(String, String)> =
            run.hook.params.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        env.push(("NBHOOK_RUN".to_owned(), run.id.to_string()));
        env.push(("NBHOOK_HOOK".to_owned(), run.hook.id.to_string()));
        env.push(("NBHOOK_RUN_PATH".to_owned(), run.hook.path.to_string()));
        env.push(("NBHOOK_RUN_FOLDER".to_owned(), run.workdir.to_string_lossy().into_owned()));
        env.push(("NBHOOK_URL".to_owned(), self.public_url.clone()));
        env.push(("NBHOOK_RUN_URL".to_owned(), self.local_url.clone()));
        env.push(("NBHOOK_RUN_TOKEN".to_owned(), token.expose().to_owned()));
        Job {
            run: run.id,
            kernel: run.kernel.clone(),
            workdir: run.workdir.clone(),
            env,
            cells: run.cells.clone(),
            limits: Limits {
                wall: run.hook.params.timeout(),
                start: Duration::from_secs(settings.start_timeout),
                output_bytes: settings.output << 20,
                processes: (settings.processes > 0).then_some(settings.processes),
                resources: Resources {
                    memory_bytes: (settings.memory > 0).then_some(settings.memory << 20),
                    cpu_seconds: (settings.cpu > 0).then_some(settings.cpu),
                    open_files: (settings.files > 0).then_some(settings.files),
                },
            },
            observer: Some(watcher),
        }
    }

    /// Waits before a further attempt: twice as long each time, and not all runs equally long.
    async fn pause(&self, run: &Run, failures: u32) -> Result<(), Stopped> {
        if let Err(error) = self.db.requeue_run(run.order.id).await {
            tracing::error!(%error, "cannot record that the run is tried again");
        }
        run.live.state(RunState::Queued, failures);
        let base = Duration::from_secs(self.settings.retry_delay);
        let wait = base.saturating_mul(2_u32.saturating_pow(failures - 1)).min(LONGEST_WAIT);
        let jitter = self.random.bits160().map_or(0.5, |bits| f64::from(bits[0]) / 255.0);
        tokio::select! {
            stopped = self.stopped_waiting(run) => Err(stopped),
            () = sleep(wait.mul_f64(0.8 + 0.4 * jitter)) => Ok(()),
        }
    }

    /// Leaves a run to the next server.
    async fn park(&self, run: &Run) {
        if let Err(error) = self.db.requeue_run(run.order.id).await {
            tracing::error!(%error, "cannot record that the run waits for the next server");
        }
        tracing::info!("the run goes on when the server is there again");
        self.live.remove(run.order.id);
    }
}

impl Answered {
    /// Whether the run is tried again after this.
    fn may_pass(&self, run: &Run, failures: u32) -> bool {
        failures < run.order.hook.params.retries
            && !run.live.was_answered()
            && self.error().is_some_and(|error| error.kind.may_pass())
    }
}

/// Whether an interrupted run is begun again by the next server.
fn goes_on(order: &Order) -> bool {
    order.mode == Mode::Async && order.hook.params.on_interrupt == OnInterrupt::Retry
}

fn cancelled() -> RunError {
    RunError::new(ErrorKind::Cancelled, "the run was cancelled")
}

pub(super) fn internal(detail: &str) -> RunError {
    RunError::new(ErrorKind::Internal, detail)
}

/// An output that the notebook marked as its early answer.
pub(super) type Marked = Value;
