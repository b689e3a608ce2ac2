//! Calling a hook: from a request to a run on record, and to what its caller gets.
//!
//! A call is carried out by a task of its own, so a caller that hangs up does not stop the run. The run itself is in
//! `attempt.rs`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::Instrument as _;

use super::admission::Ticket;
use super::attempt::Run;
use super::declared::Sent;
use super::idempotency::Claim;
use super::prepare::Prepared;
use super::reply::Reply;
use super::request::{Call, Wish};
use super::tasks::Task;
use super::watch::LiveRun;
use super::{Error, RETRY_AFTER, Result, Service, kept};
use crate::model::{Caller, Histo, Hook, Mode, RunId, RunState, ScheduleId, Trigger, Version, Workdir, hops};
use crate::store::NewRun;

/// A hook that was asked for by its token, with a place in its queue.
#[derive(Debug)]
pub struct Target {
    pub(super) hook: Hook,
    pub(super) version: Version,
    /// Whether the version was asked for, and not only the live one.
    pub(super) pinned: bool,
    pub(super) ticket: Ticket,
}

/// What a caller gets.
#[derive(Debug)]
pub enum Called {
    Answered(Reply),
    /// The run goes on by itself.
    Accepted(Task),
}

impl Target {
    pub fn hook(&self) -> &Hook {
        &self.hook
    }
}

impl Called {
    /// Whether the caller is told that it may try again later.
    pub fn is_server_error(&self) -> bool {
        matches!(self, Self::Answered(reply) if reply.is_server_error())
    }
}

/// What is to be done: everything that a run needs but its notebook.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) id: RunId,
    pub(super) trigger: Trigger,
    pub(super) hook: Hook,
    pub(super) version: Version,
    pub(super) pinned: bool,
    pub(super) mode: Mode,
    /// None: it is in the database, or not needed any more.
    pub(super) call: Option<Call>,
    /// Whether its answer may be asked for again.
    pub(super) keep_answer: bool,
    /// Whether the caller may see everything.
    pub(super) for_owner: bool,
}

/// What a run comes from, and which one it is to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    run: RunId,
    trigger: Trigger,
    rerun_of: Option<RunId>,
    schedule: Option<ScheduleId>,
}

impl Origin {
    pub(super) fn http() -> Self {
        Self { run: RunId::new(), trigger: Trigger::Http, rerun_of: None, schedule: None }
    }

    pub(super) fn rerun(of: RunId) -> Self {
        Self { trigger: Trigger::Rerun, rerun_of: Some(of), ..Self::http() }
    }

    /// A run of a schedule, which may have claimed it.
    pub(super) fn schedule(schedule: ScheduleId, run: RunId) -> Self {
        Self { run, trigger: Trigger::Schedule, rerun_of: None, schedule: Some(schedule) }
    }
}

/// Where an answer goes, once.
pub(super) struct Respond(Option<oneshot::Sender<Result<Called>>>);

impl Respond {
    /// Nobody waits for it.
    pub(super) fn nobody() -> Self {
        Self(None)
    }

    pub(super) fn send(&mut self, called: Result<Called>) {
        if let Some(to) = self.0.take() {
            // Nobody takes it if the caller has hung up.
            let _ = to.send(called);
        }
    }
}

impl Service {
    /// A place for this call in the queue of the hook.
    ///
    /// # Errors
    /// `NotFound`, `Draining` or `QueueFull`.
    pub async fn target(&self, hook: Hook, histo: Option<&Histo>) -> Result<Target> {
        if self.is_draining() {
            return Err(Error::Draining { retry_after: RETRY_AFTER });
        }
        let version = self.db.version(hook.id, histo.unwrap_or(&hook.histo)).await?;
        let version = version.ok_or(Error::NotFound("version"))?;
        let queue = places(hook.params.queue);
        let ticket = self.admission.admit(hook.id, concurrency(&hook), queue).map_err(|_| {
            metrics::counter!("nbhook_calls_rejected_total").increment(1);
            Error::QueueFull { retry_after: RETRY_AFTER }
        })?;
        Ok(Target { hook, version, pinned: histo.is_some(), ticket })
    }

    /// Runs the hook and gives what it answers, or the task that stands for the run.
    ///
    /// # Errors
    /// Only before a run is on record; one that fails is a `Failed` reply.
    pub async fn call(self: &Arc<Self>, target: Target, call: Call, wish: Wish) -> Result<Called> {
        let wait = wish.prefer.wait;
        let called = self.begin_call(target, call, wish, Origin::http()).await?;
        match (called, wait) {
            (Called::Accepted(task), Some(seconds)) => self.wait_for(task, seconds).await,
            (called, _) => Ok(called),
        }
    }

    /// Starts a call's own task and waits until it has something to tell.
    pub(super) async fn begin_call(
        self: &Arc<Self>,
        target: Target,
        call: Call,
        wish: Wish,
        origin: Origin,
    ) -> Result<Called> {
        let Target { hook, version, pinned, ticket } = target;
        let asked = wish.prefer.respond_async || wish.prefer.wait.is_some();
        let mode = if asked { Mode::Async } else { hook.params.mode };
        let order = Order {
            id: origin.run,
            trigger: origin.trigger,
            mode,
            keep_answer: mode == Mode::Async || wish.key.is_some(),
            for_owner: wish.caller.as_ref().is_some_and(|caller: &Caller| caller.may_touch(hook.owner)),
            hook,
            version,
            pinned,
            call: Some(call),
        };
        let span = tracing::info_span!("run", run = %order.id, hook = %order.hook.id);
        let (to, called) = oneshot::channel();
        let started = self.clone().carry_out(order, ticket, wish.key, origin, Respond(Some(to)));
        self.runs.spawn_on(started.instrument(span), &self.runtime);
        called.await.map_err(|_| Error::Internal("the run's task ended without an answer".to_owned()))?
    }

    /// Waits some time for the answer of a run that was accepted.
    async fn wait_for(&self, task: Task, seconds: u32) -> Result<Called> {
        if let Some(live) = self.live.get(task.run.id) {
            let answered = live.answered();
            let _ = timeout(Duration::from_secs(u64::from(seconds)), answered).await;
        }
        let replayed = task.replayed;
        match self.kept_reply(task.run.id).await? {
            Some(reply) => Ok(Called::Answered(Reply { replayed, ..reply })),
            // Not as it was before the wait.
            None => Ok(Called::Accepted(Task { replayed, ..self.accepted(task.run.id).await? })),
        }
    }

    async fn carry_out(
        self: Arc<Self>,
        mut order: Order,
        ticket: Ticket,
        key: Option<String>,
        origin: Origin,
        mut respond: Respond,
    ) {
        tracing::debug!("the call is here");
        if let Some(key) = key {
            match self.claim_key(&mut order, key).await {
                Ok(Claim::New) => {}
                Ok(Claim::Replay(called)) => return respond.send(Ok(called)),
                Err(error) => return respond.send(Err(error)),
            }
        }
        let begun = self.put_on_record(&mut order, origin).await;
        let (live, prepared) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                self.release_key(&order).await;
                self.forget_uploads(order.id).await;
                return respond.send(Err(error));
            }
        };
        if order.mode == Mode::Async {
            respond.send(self.accepted(order.id).await.map(Called::Accepted));
        }
        Box::pin(self.carry_on(
            Run { order, live, respond, early: None, sent: Sent::default() },
            prepared,
            Some(ticket),
        ))
        .await;
    }

    /// Everything that can be refused, and then the run's record. An asynchronous run has all it needs on disk when this ends.
    async fn put_on_record(&self, order: &mut Order, origin: Origin) -> Result<(Arc<LiveRun>, Option<Prepared>)> {
        let call = order.call.as_ref().ok_or_else(lost)?;
        let headers = call.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let hops = hops(headers).ok_or(Error::Loop)?;
        let subscription = self.task_callback(order).await?;
        if order.mode == Mode::Async {
            self.keep_uploads(order).await?;
        }
        let call = order.call.as_ref().ok_or_else(lost)?;
        let method = call.method.clone();
        let request = kept::request(call, order)?;
        let prepared = self.prepare(order).await?;
        self.check_wanted(&prepared.callbacks).await?;
        let new = NewRun {
            id: order.id,
            hook: order.hook.id,
            owner: order.hook.owner,
            version: &order.version.histo,
            trigger: order.trigger,
            mode: order.mode,
            rerun_of: origin.rerun_of,
            schedule: origin.schedule,
            method: &method,
            cells_total: prepared.cells.len(),
            request: &request,
            subscription: subscription.as_ref(),
            hops,
            now: self.clock.now(),
        };
        tracing::debug!("the call is prepared");
        // Before it is on record: who finds it there finds it here too.
        let live = self.live.add(order.id);
        live.state(RunState::Queued, 0);
        let histo = self.db.create_run(new).await.inspect_err(|_| self.live.remove(order.id))?;
        tracing::debug!("the run is on record");
        // What waits in the queue for long needs neither memory nor a directory.
        let prepared = (order.mode == Mode::Sync).then(|| Prepared { histo, ..prepared });
        Ok((live, prepared))
    }
}

fn lost() -> Error {
    Error::Internal("a call without its request".to_owned())
}

fn places(number: Option<u32>) -> Option<usize> {
    number.map(|number| usize::try_from(number).unwrap_or(usize::MAX))
}

/// How many runs of a hook may go on at once.
pub(super) fn concurrency(hook: &Hook) -> Option<usize> {
    match hook.params.workdir {
        Workdir::Persistent => Some(1), // its runs share a directory
        Workdir::Scratch => places(hook.params.concurrency),
    }
}
