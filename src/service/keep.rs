//! Keeping what a run left: its output, its record, and that someone wants to be told.

use super::call::Order;
use super::ending::Ending;
use super::reply::ReplyBody;
use super::tasks::interruption;
use super::{Error, Result, Service, kept, on_disk};
use crate::model::{ErrorKind, Histo, Hook, Mode, RunState};
use crate::notebook::Notebook;
use crate::store::{FinishedRun, NewNotice, NoticeEvent, StoreError, Unfinished};

impl Service {
    /// Saves the output, ends the run's record and queues the mail about it.
    ///
    /// Nothing here fails the call: an answer is never lost because it could not be kept.
    pub(super) async fn keep(
        &self,
        order: &Order,
        histo: Histo,
        output: Notebook,
        mut ending: Ending,
        request: Option<String>,
    ) {
        let output_size = match self.save_output(&order.hook, histo, output).await {
            Ok(size) => size,
            Err(error) => {
                tracing::error!(%error, "cannot save the output");
                let why = if matches!(error, Error::NoRoom(_)) { ": the server's disk is full" } else { "" };
                ending.warnings.push(format!("the output could not be saved{why}"));
                None
            }
        };
        self.keep_record(order, ending, output_size, request).await;
    }

    /// Ends the record of a run. `request` is what is kept from now on of what it was asked.
    pub(super) async fn keep_record(
        &self,
        order: &Order,
        ending: Ending,
        output_size: Option<u64>,
        request: Option<String>,
    ) {
        let state = ending.state();
        let (status, media_type) = ending.answered.unzip();
        let result = match order.mode {
            Mode::Async => self.told_result(order.id).await,
            Mode::Sync => None,
        };
        let end = FinishedRun {
            id: order.id,
            state,
            finished_at: self.clock.now(),
            cells_done: ending.cells_done,
            cells: ending.cells,
            warnings: ending.warnings,
            output_size,
            status,
            media_type: media_type.flatten(),
            request,
            notice: notice(&order.hook, state),
            result,
            declared: ending.declared,
            error: ending.error,
        };
        tell(&end);
        match self.with_reserve(|| self.db.finish_run(&end)).await {
            Ok(()) if end.notice.is_some() => self.notices.notify_one(),
            Ok(()) => {}
            Err(error) => tracing::error!(%error, "cannot record the end of the run"),
        }
    }

    /// Ends the record of a run that its server did not live to end.
    pub(super) async fn interrupted(&self, run: &Unfinished) -> Result<()> {
        let hook = self.db.hook(run.hook).await?; // none if it was deleted: then nobody wants to be told
        self.keep_reply(run.id, ReplyBody::Failed(interruption()), self.clock.now()).await;
        let request = match (run.mode, &hook, self.kept_call(run.id).await) {
            (Mode::Sync, ..) => None,
            (Mode::Async, Some(hook), Ok((call, _))) => kept::for_rerun(&call, &hook.params).ok(),
            (Mode::Async, ..) => kept::gone("its hook was deleted").ok(),
        };
        let end = FinishedRun {
            id: run.id,
            state: RunState::Interrupted,
            finished_at: self.clock.now(),
            cells_done: 0,
            cells: Vec::new(),
            error: Some(interruption()),
            warnings: Vec::new(),
            output_size: None,
            status: None,
            media_type: None,
            request,
            notice: hook.and_then(|hook| notice(&hook, RunState::Interrupted)),
            result: None,
            declared: Vec::new(),
        };
        tell(&end);
        self.with_reserve(|| self.db.finish_run(&end)).await?;
        self.forget_uploads(run.id).await;
        Ok(())
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
