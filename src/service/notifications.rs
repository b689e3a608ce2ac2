//! Notifications: mails that users, and their runs, have the server send.
//!
//! A mail is queued in one transaction and sent by the worker, after those about runs and callbacks (`notices`), with the same tries.
//! What a run sends is masked as its outputs are; what was sent is not kept, only that it was.

mod plain;

use chrono::{DateTime, Duration, Utc};

use super::notices::RETRIES;
use super::{Error, Result, Service};
use crate::mail::Message;
use crate::model::{
    Attachment, Caller, EmailAddress, Invalid, MailRecord, MailState, NotificationId, Owner, Page, RunId, UserMail,
    attachment_name,
};
use crate::notebook::{Secrets, mask};
use crate::store::{DueMail, MailLimits, NewMail, QueuedMail};

/// What one user may send.
const LIMITS: MailLimits = MailLimits { count: 100, within: Duration::hours(1), waiting: 100 << 20 };
/// Largest mail: what it says and its files, in bytes.
pub const LARGEST_MAIL: usize = 20 << 20;
const MOST_RECIPIENTS: usize = 50;
const MOST_FILES: usize = 50;
/// How long it is known of a mail what came of it.
const KEPT: Duration = Duration::days(30);
/// Records that go in one transaction.
const BATCH: u32 = 500;
/// In seconds, when too much is waiting.
const LATER: u64 = 60;

/// A mail that is wished for.
#[derive(Debug)]
pub struct NewNotification {
    pub to: Vec<EmailAddress>,
    pub subject: String,
    pub html: Option<String>,
    pub text: Option<String>,
    /// Whom answers go to, if it is not the server's own address.
    pub from: Option<EmailAddress>,
    /// Names as they were sent, and contents.
    pub files: Vec<(String, Vec<u8>)>,
}

impl NewNotification {
    fn check(&self) -> Result<(), Invalid> {
        if self.to.is_empty() || self.to.len() > MOST_RECIPIENTS {
            return Err(Invalid::new("email_to", format!("must be 1 to {MOST_RECIPIENTS} addresses")));
        }
        if self.files.len() > MOST_FILES {
            return Err(Invalid::new("file", format!("must be {MOST_FILES} files at most")));
        }
        if self.html.is_none() && self.text.is_none() {
            return Err(Invalid::new("html", "is missing: a mail has `html`, `text` or both"));
        }
        Ok(())
    }

    /// The mail, in which neither kind of text is missing.
    fn into_mail(self, masked: &Secrets, is_sender: impl Fn(&EmailAddress) -> bool) -> UserMail {
        let Self { to, mut subject, html, text, from, files } = self;
        let mut text = text.unwrap_or_else(|| plain::of_html(html.as_deref().unwrap_or_default()));
        let mut html = html.unwrap_or_else(|| plain::to_html(&text));
        for part in [&mut subject, &mut text, &mut html] {
            mask(part, masked);
        }
        let file = |(name, content): (String, Vec<u8>)| {
            let name = attachment_name(&name);
            let media_type = mime_guess::from_path(&name).first_or_octet_stream().to_string();
            Attachment { name, media_type, content }
        };
        let files = files.into_iter().map(file).collect();
        UserMail { to, subject, text, html, reply_to: from.filter(|from| !is_sender(from)), files }
    }
}

impl Service {
    /// Queues a mail of the caller's, or of a run that acts for them.
    pub async fn notify(&self, caller: &Caller, run: Option<RunId>, new: NewNotification) -> Result<MailRecord> {
        new.check()?;
        let masked = run.map(|run| self.masks_of(run)).unwrap_or_default();
        let mailer = &self.mailer;
        let mail = new.into_mail(&masked, |address| mailer.is_sender(address));
        if mail.size() > LARGEST_MAIL {
            return Err(Error::TooLarge { limit: LARGEST_MAIL });
        }
        let (id, now) = (NotificationId::new(), self.clock.now());
        let new = NewMail { id, owner: caller.user, run, mail: &mail, now };
        match self.db.queue_mail(&new, LIMITS).await? {
            QueuedMail::Queued => {}
            QueuedMail::TooMany { until } => {
                let seconds = u64::try_from((until - now).num_seconds() + 1).unwrap_or(1);
                return Err(Error::TooManyMails { retry_after: seconds.max(1) });
            }
            QueuedMail::TooMuch => return Err(Error::TooManyMails { retry_after: LATER }),
        }
        self.notices.notify_one();
        self.db.mail(id).await?.ok_or_else(not_found)
    }

    /// The caller's mails, the named user's, or everyone's for an admin who names nobody.
    pub async fn notifications(
        &self,
        caller: &Caller,
        user: Option<&Owner>,
        state: Option<MailState>,
        page: Page,
    ) -> Result<Vec<MailRecord>> {
        Ok(self.db.mails(self.scope(caller, "user", user).await?, state, page).await?)
    }

    pub async fn notification(&self, caller: &Caller, id: NotificationId) -> Result<MailRecord> {
        let found = self.db.mail(id).await?;
        found.filter(|mail| caller.may_touch(mail.owner)).ok_or_else(not_found)
    }

    /// Sends one mail that is due; says whether there was one.
    pub(super) async fn send_notification(&self) -> Result<bool> {
        let Some(DueMail { id, mail, attempts }) = self.db.claim_mail(self.clock.now()).await? else {
            return Ok(false);
        };
        let UserMail { to, subject, text, html, reply_to, files } = mail;
        let sent = self.mailer.send(Message { to, subject, text, html, reply_to, files }).await;
        let now = self.clock.now();
        let Err(error) = sent else {
            metrics::counter!("nbhook_mails_total", "result" => "sent").increment(1);
            self.with_reserve(|| self.db.finish_mail(id, None, now)).await?;
            return Ok(true);
        };
        let told = error.to_string();
        let wait = usize::try_from(attempts - 1).ok().and_then(|tried| RETRIES.get(tried));
        if let Some(wait) = wait.filter(|_| error.is_transient()) {
            tracing::warn!(error = told, notification = %id, "cannot send a mail; it will be tried again");
            self.with_reserve(|| self.db.retry_mail(id, &told, now + *wait)).await?;
        } else {
            tracing::error!(error = told, notification = %id, "cannot send a mail; it is given up");
            metrics::counter!("nbhook_mails_total", "result" => "failed").increment(1);
            self.with_reserve(|| self.db.finish_mail(id, Some(&told), now)).await?;
        }
        Ok(true)
    }

    /// Forgets the mails that were done with long ago.
    pub(super) async fn forget_notifications(&self, now: DateTime<Utc>) -> Result<()> {
        while self.with_reserve(|| self.db.forget_mails(now - KEPT, BATCH)).await? > 0 {}
        Ok(())
    }
}

fn not_found() -> Error {
    Error::NotFound("notification")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> EmailAddress {
        EmailAddress::try_from(text.to_owned()).unwrap()
    }

    fn wished(html: Option<&str>, text: Option<&str>) -> NewNotification {
        NewNotification {
            to: vec![address("a@b.c")],
            subject: "key hush".to_owned(),
            html: html.map(str::to_owned),
            text: text.map(str::to_owned),
            from: Some(address("me@b.c")),
            files: vec![("../a/report.csv".to_owned(), b"1,2".to_vec())],
        }
    }

    #[test]
    fn a_mail_has_both_kinds_of_text_no_secret_and_files_with_types() {
        let known = Secrets::new(["hush".to_owned()]);
        let mail = wished(Some("<p>It is <b>hush</b> &amp; more</p>"), None).into_mail(&known, |_| false);
        assert_eq!((mail.subject.as_str(), mail.text.as_str()), ("key ***", "It is *** & more"));
        assert_eq!(mail.html, "<p>It is <b>***</b> &amp; more</p>");
        assert_eq!((mail.files[0].name.as_str(), mail.files[0].media_type.as_str()), ("report.csv", "text/csv"));
        assert_eq!(mail.reply_to, Some(address("me@b.c")));
        let mail = wished(None, Some("1 < 2\n")).into_mail(&Secrets::default(), |from| *from == address("me@b.c"));
        assert!(mail.html.contains("1 &lt; 2") && mail.reply_to.is_none(), "{}", mail.html);
    }

    #[test]
    fn what_cannot_be_a_mail_is_named() {
        assert_eq!(wished(None, None).check().unwrap_err().field, "html");
        let crowd = NewNotification { to: vec![address("a@b.c"); MOST_RECIPIENTS + 1], ..wished(Some(""), None) };
        assert_eq!(crowd.check().unwrap_err().field, "email_to");
    }
}
