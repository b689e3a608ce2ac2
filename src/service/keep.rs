//! Keeping what a run left: its output, its record, and that someone wants to be told.

use super::ending::Ending;
use super::{Result, Service, on_disk};
use crate::model::{ErrorKind, Histo, Hook, HookId, RunError, RunId, RunState};
use crate::notebook::Notebook;
use crate::store::{FinishedRun, NewNotice, NoticeEvent, StoreError};

impl Service {
    /// Saves the output, ends the run's record and queues the mail about it.
    ///
    /// Nothing here fails the call: an answer is never lost because it could not be kept.
    pub(super) async fn keep(&self, id: RunId, hook: &Hook, histo: Histo, output: Notebook, mut ending: Ending) {
        let output_size = match self.save_output(hook, histo, output).await {
            Ok(size) => size,
            Err(error) => {
                tracing::error!(%error, "cannot save the output");
                ending.warnings.push("the output could not be saved".to_owned());
                None
            }
        };
        let state = ending.state();
        let finished_at = self.clock.now();
        let end = FinishedRun {
            id,
            state,
            finished_at,
            cells_done: ending.cells_done,
            warnings: ending.warnings,
            output_size,
            notice: notice(hook, state),
            error: ending.error,
        };
        tell(&end);
        match self.db.finish_run(&end).await {
            Ok(()) if end.notice.is_some() => self.notices.notify_one(),
            Ok(()) => {}
            Err(error) => tracing::error!(%error, "cannot record the end of the run"),
        }
    }

    /// Ends the record of a run that its server did not live to end.
    pub(super) async fn interrupted(&self, id: RunId, hook: HookId) -> Result<()> {
        let hook = self.db.hook(hook).await?; // none if it was deleted: then nobody wants to be told
        let end = FinishedRun {
            id,
            state: RunState::Interrupted,
            finished_at: self.clock.now(),
            cells_done: 0,
            error: Some(RunError::new(ErrorKind::Interrupted, "the server was killed before the run ended")),
            warnings: Vec::new(),
            output_size: None,
            notice: hook.and_then(|hook| notice(&hook, RunState::Interrupted)),
        };
        tell(&end);
        Ok(self.db.finish_run(&end).await?)
    }

    /// Gives the size of what was saved: nothing, if the hook was deleted meanwhile. Its path may be another hook's by now.
    async fn save_output(&self, hook: &Hook, histo: Histo, output: Notebook) -> Result<Option<u64>> {
        let _turn = self.use_folder().await?;
        if self.db.hook(hook.id).await?.is_none() {
            return Ok(None);
        }
        let of = hook.clone();
        on_disk(&self.files, move |files| {
            let output = output.to_vec();
            files.save_output(&of, &histo, &output)?;
            Ok::<_, StoreError>(Some(output.len() as u64))
        })
        .await
    }
}

fn notice(hook: &Hook, state: RunState) -> Option<NewNotice> {
    let (event, recipients) = match state {
        RunState::Succeeded => (NoticeEvent::RunSucceeded, &hook.params.notif_up),
        _ => (NoticeEvent::RunFailed, &hook.params.notif_down),
    };
    let wanted = !recipients.is_empty();
    wanted.then(|| NewNotice { hook: hook.id, event, recipients: recipients.clone() })
}

/// One line in the log and one step in the metrics for every run.
fn tell(end: &FinishedRun) {
    metrics::counter!("nbhook_runs_total", "state" => end.state.as_str()).increment(1);
    match &end.error {
        None => tracing::info!(state = %end.state, "run ended"),
        // The exception's message may quote a caller's values, so the log has its name only.
        Some(error) => tracing::warn!(
            state = %end.state, kind = error.kind.as_str(), cell = error.cell, ename = error.ename.as_deref(), "run ended"
        ),
    }
    if end.error.as_ref().is_some_and(|error| error.kind == ErrorKind::Internal) {
        metrics::counter!("nbhook_internal_errors_total").increment(1);
    }
}
