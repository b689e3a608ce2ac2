//! Runs on record: finding, watching, cancelling, doing again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::call::{Called, Origin};
use super::kept::{self, Request};
use super::request::{Prefer, Wish};
use super::tasks::{Asker, Task};
use super::watch::Watching;
use super::{Error, Result, Service};
use crate::model::{Caller, CellStatus, HookId, Page, Progress, Run, RunEvent, RunId, RunState, ScheduleId};
use crate::store::RunFilter;

/// How long the kernel of a cancelled run may take to be gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// Number of the first event that is told from a run's record; as long as a run goes on it has fewer.
const PAST: u64 = 1 << 32;

/// Which runs a caller asks for.
#[derive(Debug, Default)]
pub struct RunQuery {
    pub hook: Option<HookId>,
    pub state: Option<RunState>,
    pub since: Option<chrono::DateTime<chrono::Utc>>,
    pub schedule: Option<ScheduleId>,
}

/// What happens in a run: from now on, or as far as its record tells it.
#[derive(Debug)]
pub enum Events {
    Live(Watching),
    /// With their numbers.
    Past(Vec<(u64, RunEvent)>),
}

impl Service {
    /// Runs that the caller may see, newest first.
    pub async fn runs(&self, caller: &Caller, query: RunQuery, page: Page) -> Result<Vec<Run>> {
        let owner = self.scope(caller, "owner", None).await?;
        self.unsaved.settled().await;
        let RunQuery { hook, state, since, schedule } = query;
        let filter = RunFilter { owner, hook, state, since, mode: None, schedule };
        Ok(self.db.runs(&filter, page).await?)
    }

    pub async fn run_record(&self, caller: &Caller, id: RunId) -> Result<Run> {
        self.unsaved.settled().await;
        let run = self.db.run(id).await?;
        run.filter(|run| caller.may_touch(run.owner)).ok_or(Error::NotFound("run"))
    }

    /// How far a run says it has come, as long as it goes on.
    pub fn progress(&self, id: RunId) -> Option<Progress> {
        self.live.get(id).and_then(|live| live.progress())
    }

    pub async fn run_output(&self, caller: &Caller, id: RunId) -> Result<Vec<u8>> {
        let run = self.run_record(caller, id).await?;
        self.output(caller, run.hook, run.histo).await
    }

    /// The executed notebook that a run left, as a page without scripts.
    pub async fn run_page(&self, caller: &Caller, id: RunId) -> Result<Vec<u8>> {
        let output = self.run_output(caller, id).await?;
        let _turn = self.renders.acquire().await.map_err(|error| Error::Internal(error.to_string()))?;
        self.kernels.to_still_html(&output, "Output").await
    }

    /// Stops a run, and waits until its kernel is gone.
    ///
    /// # Errors
    /// `Conflict` when it has ended already.
    pub async fn cancel(&self, caller: &Caller, id: RunId) -> Result<Run> {
        let run = self.run_record(caller, id).await?;
        let live = self.live.get(id).filter(|_| !run.state.is_final());
        let Some(live) = live else {
            return Err(Error::Conflict("the run has ended already".to_owned()));
        };
        live.cancel();
        let mut watching = live.watch(0);
        let ended = async { while watching.next().await.is_some() {} };
        let _ = timeout(PATIENCE, ended).await;
        self.run_record(caller, id).await
    }

    /// Runs the live version of a run's hook with the parameters of that run.
    ///
    /// # Errors
    /// `Conflict` when they are not kept, and why.
    pub async fn rerun(self: &Arc<Self>, caller: &Caller, id: RunId) -> Result<Task> {
        let run = self.run_record(caller, id).await?;
        let gone = |because: &str| Error::Conflict(format!("the run cannot be done again: {because}"));
        let kept = self.db.request(id).await?.ok_or_else(|| gone("its request is not kept"))?;
        let call = match kept::read(&kept)? {
            Request::Whole { call, .. } if run.state.is_final() => call,
            Request::Whole { .. } => return Err(gone("it has not ended")),
            Request::Gone { because } => return Err(gone(&because)),
        };
        let hook = self.hook(caller, run.hook).await?;
        let target = self.target(hook, None).await?;
        let prefer = Prefer { respond_async: true, wait: None };
        let wish = Wish { prefer, key: None, caller: Some(caller.clone()) };
        match self.begin_call(target, call, wish, Origin::rerun(id)).await? {
            Called::Accepted(task) => Ok(task),
            Called::Answered(_) => Err(Error::Internal("a re-run answered at once".to_owned())),
        }
    }

    /// What happens in a run, after the event of number `seen`. What it prints only its owner is told.
    pub async fn events(&self, asker: &Asker, id: RunId, seen: u64) -> Result<Events> {
        // Looked for first: a run that ends in between is on record completely.
        let live = self.live.get(id);
        let run = self.asked_run(asker, id).await?;
        match live {
            Some(live) => {
                let watching = live.watch(seen);
                Ok(Events::Live(if matches!(asker, Asker::Key(_)) { watching.without_text() } else { watching }))
            }
            None => Ok(Events::Past(past(&run, seen))),
        }
    }
}

/// The events that a run's record tells of, after number `seen`. A reader who saw the run going on, where they had other
/// numbers, is told how it ended.
fn past(run: &Run, seen: u64) -> Vec<(u64, RunEvent)> {
    let state = |state, attempt| RunEvent::State { state, attempt };
    let mut events = vec![state(RunState::Queued, 0)];
    if run.started_at.is_some() {
        events.push(state(RunState::Running, run.attempts));
    }
    for timing in &run.cells {
        events.push(RunEvent::Cell { cell: timing.cell, status: CellStatus::Started, at: timing.started_at });
        if let Some(at) = timing.finished_at {
            events.push(RunEvent::Cell { cell: timing.cell, status: timing.status, at });
        }
    }
    if run.state.is_final() {
        events.push(state(run.state, run.attempts));
    }
    let last = PAST + events.len() as u64 - 1;
    let seen = if (1..PAST).contains(&seen) { last - 1 } else { seen };
    (PAST..).zip(events).filter(|(number, _)| *number > seen).collect()
}
