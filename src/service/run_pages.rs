//! What the manager shows of a run beyond what the API gives: its cells, and what came of it elsewhere.

use chrono::{DateTime, Utc};

use super::{Error, Result, Service, on_disk};
use crate::model::{Caller, CellTiming, Delivery, Event, Hook, HookPath, Run, RunId, RunState};
use crate::notebook::{Excerpt, Notebook, ShownNotebook};

/// Events and deliveries that are shown of a run.
const MOST: u32 = 50;
/// How much of a traceback is shown, in bytes.
const TRACEBACK: usize = 64 << 10;

/// A run, to be looked at.
#[derive(Debug)]
pub struct RunView {
    pub run: Run,
    /// None when its record of a hook is gone.
    pub path: Option<HookPath>,
    /// Whether its hook has not been deleted.
    pub has_hook: bool,
    pub has_version: bool,
    /// Whether `notebook` is what the run left. Else it is what was deployed, which has no parameters and no outputs.
    pub has_output: bool,
    pub notebook: ShownNotebook,
    /// What its notebook shows of its parameters, as long as it goes on; after that its output has them.
    pub parameters: Option<Excerpt>,
    /// When its cells began and ended: from its record, or as far as it has come.
    pub timings: Vec<CellTiming>,
    pub traceback: Option<Excerpt>,
    /// Until when its answer is kept, if it is.
    pub answer_until: Option<DateTime<Utc>>,
    /// The first ones, the oldest first.
    pub events: Vec<Event>,
    /// The last ones, the newest first.
    pub deliveries: Vec<Delivery>,
}

impl Service {
    /// A run with all that is known of it.
    ///
    /// # Errors
    /// `NotFound`, also if it is not the caller's.
    pub async fn run_view(&self, caller: &Caller, id: RunId) -> Result<RunView> {
        // Looked for first: a run that ends in between is on record completely.
        let live = self.live.get(id);
        let mut run = self.run_record(caller, id).await?;
        let live = live.filter(|_| !run.state.is_final());
        if run.state == RunState::Queued && live.as_ref().is_some_and(|live| live.is_running()) {
            run.state = RunState::Running;
        }
        let path = self.db.hook_paths(&[run.hook]).await?.pop().map(|(_, path)| path);
        let hook = match self.hook(caller, run.hook).await {
            Ok(hook) => Some(hook),
            Err(Error::NotFound(_)) => None,
            Err(other) => return Err(other),
        };
        let has_version = hook.is_some() && self.db.version(run.hook, &run.version).await?.is_some();
        let (notebook, has_output) = self.notebook_of_run(hook.as_ref(), &run).await?;
        let traceback = run.error.as_ref().map(|error| error.traceback.join("\n"));
        Ok(RunView {
            path,
            has_hook: hook.is_some(),
            has_version,
            has_output,
            notebook,
            parameters: live.as_ref().and_then(|live| live.parameters()),
            timings: live.map_or_else(|| run.cells.clone(), |live| live.timings()),
            traceback: traceback.filter(|text| !text.is_empty()).map(|text| Excerpt::plain(&text, TRACEBACK)),
            answer_until: self.db.answer_expires(id, self.clock.now()).await?,
            events: self.db.events_of_run(id, MOST).await?,
            deliveries: self.db.deliveries_of_run(id, MOST).await?,
            run,
        })
    }

    /// What the run left, else what was deployed, else nothing; and whether it is the first.
    async fn notebook_of_run(&self, hook: Option<&Hook>, run: &Run) -> Result<(ShownNotebook, bool)> {
        let Some(hook) = hook.cloned() else { return Ok((ShownNotebook::default(), false)) };
        let (version, notebooks) = (run.version.clone(), self.notebooks.clone());
        let histo = run.state.is_final().then(|| run.histo.clone());
        on_disk(&self.files, move |files| {
            let output = histo.map(|histo| files.output(&hook, &histo)).transpose()?.flatten();
            if let Some(output) = output.and_then(|output| Notebook::parse(&output).ok()) {
                return Ok((output.shown(), true));
            }
            match notebooks.get(files, &hook, &version) {
                Ok(notebook) => Ok((notebook.shown(), false)),
                Err(Error::NotFound(_)) => Ok((ShownNotebook::default(), false)),
                Err(other) => Err(other),
            }
        })
        .await
    }
}
