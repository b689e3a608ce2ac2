//! Telling people by e-mail that runs failed or succeeded, and keeping what a run left.
//!
//! What is to be sent is written in the transaction that ends the run; a background worker sends it, so a mail never delays
//! an answer and is not lost with the process.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::ending::Ending;
use super::{Result, Service, on_disk};
use crate::mail::Message;
use crate::model::{ErrorKind, Histo, Hook, HookId, RunError, RunId, RunState};
use crate::store::{FinishedRun, NewNotice, Notice, NoticeEvent};
use crate::templates::RunMail;

/// Waiting times between tries to send a mail; after the last it is given up.
const RETRIES: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(8),
];

impl Service {
    /// Saves the output, ends the run's record and queues the mail about it.
    ///
    /// Nothing here fails the call: an answer is never lost because it could not be kept.
    pub(super) async fn keep(&self, id: RunId, hook: &Hook, histo: Histo, output: Vec<u8>, mut ending: Ending) {
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
    async fn save_output(&self, hook: &Hook, histo: Histo, output: Vec<u8>) -> Result<Option<u64>> {
        if self.db.hook(hook.id).await?.is_none() {
            return Ok(None);
        }
        let (of, size) = (hook.clone(), output.len() as u64);
        on_disk(&self.files, move |files| files.save_output(&of, &histo, &output)).await?;
        Ok(Some(size))
    }

    /// Sends every mail that is due; gives the time when the next one will be.
    pub async fn send_notices(&self) -> Result<Option<DateTime<Utc>>> {
        // A mail that is being sent is still due, so a second sender would send it again.
        let Ok(_sender) = self.sender.acquire().await else { return Ok(None) };
        while let Some(notice) = self.db.claim_notice(self.clock.now()).await? {
            self.send(&notice).await?;
        }
        Ok(self.db.next_notice_due().await?)
    }

    /// Ends when there may be a new mail to send.
    pub async fn notice_queued(&self) {
        self.notices.notified().await;
    }

    async fn send(&self, notice: &Notice) -> Result<()> {
        let sent = match self.message(notice).await? {
            None => Ok(()), // the run is gone, and with it whom to tell
            Some(message) => self.mailer.send(message).await,
        };
        let now = self.clock.now();
        match sent {
            Ok(()) => {
                metrics::counter!("nbhook_mails_total", "result" => "sent").increment(1);
                self.db.finish_notice(&notice.id, None, now).await?;
            }
            Err(error) => {
                let wait = usize::try_from(notice.attempts - 1).ok().and_then(|tried| RETRIES.get(tried));
                if let Some(wait) = wait.filter(|_| error.is_transient()) {
                    tracing::warn!(%error, run = %notice.run, "cannot send a mail; it will be tried again");
                    self.db.retry_notice(&notice.id, now + *wait).await?;
                } else {
                    tracing::error!(%error, run = %notice.run, "cannot send a mail; it is given up");
                    metrics::counter!("nbhook_mails_total", "result" => "failed").increment(1);
                    self.db.finish_notice(&notice.id, Some(&error.to_string()), now).await?;
                }
            }
        }
        Ok(())
    }

    async fn message(&self, notice: &Notice) -> Result<Option<Message>> {
        let Some(run) = self.db.run(notice.run).await? else { return Ok(None) };
        let Some(path) = self.db.hook_path(run.hook).await? else { return Ok(None) };
        let count = u64::try_from(notice.count).unwrap_or_default();
        let context = RunMail::new(&run, &path, &self.public_url, count, notice.first_at);
        let mail =
            self.templates.email(notice.event.as_str(), context).map_err(|e| super::Error::Internal(e.to_string()))?;
        Ok(Some(Message { to: notice.recipients.clone(), subject: mail.subject, text: mail.text, html: mail.html }))
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
