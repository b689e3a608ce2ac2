//! Asynchronous runs as their callers see them: tasks, and what becomes of them when the server ends.

use std::sync::Arc;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use tracing::Instrument as _;

use super::attempt::Run as Running;
use super::call::{Order, Respond};
use super::declared::Sent;
use super::reply::Reply;
use super::{Error, Result, Service, on_disk};
use crate::model::{
    Caller, ErrorKind, Mode, OnInterrupt, Page, Progress, Run, RunError, RunId, RunState, SigningSecret,
    SubscriptionId, Target, TaskKey,
};
use crate::store::{RunFilter, Unfinished};

/// How often a run is begun that its server never lives to end.
const MOST_INTERRUPTIONS: u32 = 5;

/// A run that goes on by itself.
#[derive(Debug)]
pub struct Task {
    pub run: Box<Run>,
    pub progress: Option<Progress>,
    /// For its caller's URLs.
    pub key: Option<TaskKey>,
    /// What tells its caller of its end.
    pub subscription: Option<SubscriptionId>,
    /// What that is signed with; only for whoever starts the run.
    pub secret: Option<SigningSecret>,
    /// Whether it was accepted before and is told again (`Idempotency-Key`).
    pub replayed: bool,
}

/// Who asks about a run: a user, or the caller who has the key of its task.
#[derive(Debug)]
pub enum Asker {
    User(Caller),
    Key(String),
}

impl Service {
    /// The task of a run that was just accepted.
    pub(super) async fn accepted(&self, run: RunId) -> Result<Task> {
        let record = self.db.run(run).await?.ok_or(Error::NotFound("run"))?;
        let told = self.db.task_subscription(run).await?;
        let subscription = told.as_ref().map(|told| told.id);
        let secret = told.and_then(|told| match told.target {
            Target::Url { mut secrets, .. } => secrets.pop(),
            Target::Callback(_) | Target::Topic(_) | Target::Gone => None,
        });
        Ok(Task { key: Some(self.task_key(run)), subscription, secret, ..self.task_of(record) })
    }

    fn task_of(&self, mut run: Run) -> Task {
        let live = self.live.get(run.id);
        let progress = live.as_ref().and_then(|live| live.progress());
        if run.state == RunState::Queued && live.is_some_and(|live| live.is_running()) {
            run.state = RunState::Running;
        }
        Task { run: Box::new(run), progress, key: None, subscription: None, secret: None, replayed: false }
    }

    /// What the caller of a run needs to ask about it: made from the server's secret, so it need not be kept.
    fn task_key(&self, run: RunId) -> TaskKey {
        let mut bits = [0; 20];
        // HMAC takes keys of every length.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.task_secret) {
            mac.update(run.to_string().as_bytes());
            bits.copy_from_slice(&mac.finalize().into_bytes()[..20]);
        }
        TaskKey::from_bits(bits)
    }

    /// Whether whoever has this key started the run.
    pub(super) fn is_key_of(&self, run: RunId, key: &str) -> bool {
        self.task_key(run).expose().as_bytes().ct_eq(key.as_bytes()).into()
    }

    /// A run's record, for those who may see it. What the caller of a run sees is its own.
    ///
    /// # Errors
    /// `NotFound`, also for those who may not.
    pub async fn asked_run(&self, asker: &Asker, id: RunId) -> Result<Run> {
        match asker {
            Asker::User(caller) => self.run_record(caller, id).await,
            Asker::Key(key) => {
                if !self.is_key_of(id, key) {
                    return Err(Error::NotFound("run"));
                }
                self.unsaved.settled().await;
                self.db.run(id).await?.filter(|run| run.mode == Mode::Async).ok_or(Error::NotFound("run"))
            }
        }
    }

    pub async fn task(&self, asker: &Asker, id: RunId) -> Result<Task> {
        let run = self.asked_run(asker, id).await?;
        if run.mode != Mode::Async {
            return Err(Error::NotFound("task"));
        }
        let key = matches!(asker, Asker::Key(_)).then(|| self.task_key(id));
        let subscription = self.db.task_subscription(id).await?.map(|told| told.id);
        Ok(Task { key, subscription, ..self.task_of(run) })
    }

    /// Asynchronous runs that the caller may see, newest first.
    pub async fn tasks(&self, caller: &Caller, state: Option<RunState>, page: Page) -> Result<Vec<Task>> {
        let owner = self.scope(caller, "owner", None).await?;
        self.unsaved.settled().await;
        let filter = RunFilter { owner, state, mode: Some(Mode::Async), ..RunFilter::default() };
        let runs = self.db.runs(&filter, page).await?;
        let ids: Vec<RunId> = runs.iter().map(|run| run.id).collect();
        let told = self.db.task_subscriptions(&ids).await?;
        let task = |run: Run| Task { subscription: told.get(&run.id).copied(), ..self.task_of(run) };
        Ok(runs.into_iter().map(task).collect())
    }

    /// What a run answered.
    ///
    /// # Errors
    /// `NotFinished`; `NotFound` also when the answer is not kept (any more).
    pub async fn result(&self, asker: &Asker, id: RunId) -> Result<Reply> {
        let run = self.asked_run(asker, id).await?;
        match self.kept_reply(id).await? {
            Some(reply) => Ok(reply),
            None if run.state.is_final() => Err(Error::NotFound("result")),
            None => Err(Error::NotFinished),
        }
    }

    /// Goes on with what the last server left: asynchronous runs that were waiting, and those that may be begun again; the
    /// others are interrupted.
    pub(super) async fn take_over(self: &Arc<Self>, runs: Vec<Unfinished>) -> Result<()> {
        let going_on: Vec<RunId> = runs.iter().filter(|run| run.mode == Mode::Async).map(|run| run.id).collect();
        on_disk(&self.files, move |files| files.remove_lost_uploads(&going_on)).await?;
        self.db.release_lost_keys().await?;
        for run in runs {
            match self.order_again(&run).await? {
                Some(order) => {
                    self.db.requeue_run(run.id).await?;
                    let live = self.live.add(run.id);
                    live.state(RunState::Queued, run.attempts);
                    let span = tracing::info_span!("run", run = %run.id, hook = %run.hook);
                    // What its caller was told stays, whatever it answers this time.
                    let told = self.kept_reply(run.id).await?;
                    if told.is_some() {
                        live.note_answered();
                    }
                    let early = told.and_then(|reply| reply.body.answered());
                    let sent = Sent::before(self.db.declared_sent(run.id).await?);
                    let running = Running { order, live, respond: Respond::nobody(), early, sent };
                    self.runs.spawn_on(self.clone().carry_on(running, None, None).instrument(span), &self.runtime);
                }
                None => self.interrupted(&run).await?,
            }
        }
        Ok(())
    }

    /// A run that is to be begun (again), if it can be.
    async fn order_again(&self, run: &Unfinished) -> Result<Option<Order>> {
        let (Some(hook), Some(record)) = (self.db.hook(run.hook).await?, self.db.run(run.id).await?) else {
            return Ok(None);
        };
        let again = run.state == RunState::Queued
            || (hook.params.on_interrupt == OnInterrupt::Retry && run.attempts < MOST_INTERRUPTIONS);
        let version = self.db.version(hook.id, &record.version).await?;
        let (Some(version), Mode::Async, true) = (version, run.mode, again) else { return Ok(None) };
        let Ok((_, for_owner)) = self.kept_call(run.id).await else { return Ok(None) };
        let order = Order {
            id: run.id,
            trigger: record.trigger,
            hook,
            version,
            pinned: true,
            mode: run.mode,
            call: None,
            keep_answer: true,
            for_owner,
        };
        Ok(Some(order))
    }
}

/// What the caller of a run is told that its server did not live to end.
pub(super) fn interruption() -> RunError {
    RunError::new(ErrorKind::Interrupted, "the server was killed before the run ended")
}
