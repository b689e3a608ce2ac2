//! Telling people by e-mail that runs failed or succeeded, and that callbacks are in trouble.
//!
//! What is to be sent was written in the transaction that ended the run (see `keep`) or the attempt (see `deliver`); a background worker sends it, so a
//! mail never delays an answer and is not lost with the process.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Result, Service};
use crate::mail::Message;
use crate::store::{Notice, NoticeSubject};
use crate::templates::{CallbackMail, RunMail, TemplateError};

/// Waiting times between tries to send a mail; after the last it is given up.
pub(super) const RETRIES: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(8),
];

impl Service {
    /// Sends every mail that is due; gives the time when the next one will be.
    pub async fn send_notices(&self) -> Result<Option<DateTime<Utc>>> {
        // A mail that is being sent is still due, so a second sender would send it again.
        let Ok(_sender) = self.sender.acquire().await else { return Ok(None) };
        loop {
            while let Some(notice) = self.db.claim_notice(self.clock.now()).await? {
                self.send(&notice).await?;
            }
            // One at a time: what users send holds up nothing that the server has to tell.
            if !self.send_notification().await? {
                break;
            }
        }
        let (notice, mail) = (self.db.next_notice_due().await?, self.db.next_mail_due().await?);
        Ok(notice.into_iter().chain(mail).min())
    }

    /// Ends when there may be a new mail to send.
    pub async fn notice_queued(&self) {
        self.notices.notified().await;
    }

    async fn send(&self, notice: &Notice) -> Result<()> {
        let sent = match self.message(notice).await? {
            None => Ok(()), // the run is gone, and with it whom to tell
            Some(Ok(message)) => {
                self.mailer.send(message).await.map_err(|error| (error.to_string(), error.is_transient()))
            }
            // It will not render the next time either.
            Some(Err(error)) => Err((error.to_string(), false)),
        };
        let now = self.clock.now();
        let Err((error, transient)) = sent else {
            metrics::counter!("nbhook_mails_total", "result" => "sent").increment(1);
            return Ok(self.db.finish_notice(&notice.id, None, now).await?);
        };
        let about = about(notice);
        let wait = usize::try_from(notice.attempts - 1).ok().and_then(|tried| RETRIES.get(tried));
        if let Some(wait) = wait.filter(|_| transient) {
            tracing::warn!(error, about, "cannot send a mail; it will be tried again");
            return Ok(self.db.retry_notice(&notice.id, now + *wait).await?);
        }
        tracing::error!(error, about, "cannot send a mail; it is given up");
        metrics::counter!("nbhook_mails_total", "result" => "failed").increment(1);
        Ok(self.db.finish_notice(&notice.id, Some(&error), now).await?)
    }

    async fn message(&self, notice: &Notice) -> Result<Option<Result<Message, TemplateError>>> {
        let (count, since) = (u64::try_from(notice.count).unwrap_or_default(), notice.first_at);
        let event = notice.event.as_str();
        let mail = match &notice.subject {
            NoticeSubject::Run(run) => {
                let Some(run) = self.db.run(*run).await? else { return Ok(None) };
                let Some(path) = self.db.hook_path(run.hook).await? else { return Ok(None) };
                self.templates.email(event, RunMail::new(&run, &path, &self.public_url, count, since))
            }
            NoticeSubject::Callback(trouble) => {
                self.templates.email(event, CallbackMail::new(trouble, &self.public_url, count, since))
            }
        };
        let to = notice.recipients.clone();
        Ok(Some(mail.map(|mail| Message {
            to,
            subject: mail.subject,
            text: mail.text,
            html: mail.html,
            reply_to: None,
            files: Vec::new(),
        })))
    }
}

/// What a mail is about, for the log.
fn about(notice: &Notice) -> String {
    match &notice.subject {
        NoticeSubject::Run(run) => format!("run {run}"),
        NoticeSubject::Callback(trouble) => format!("callback {}", trouble.callback),
    }
}
