//! The SMTP transport.

use std::time::Duration;

use lettre::address::Envelope;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::MailError;

type Smtp = AsyncSmtpTransport<Tokio1Executor>;

/// Sends the mail to all its recipients at once; when the server refuses that for good, to each alone, since one dead
/// address must not keep the news from the others.
pub(super) async fn send(smtp: &Smtp, mail: &lettre::Message, timeout: Duration) -> Result<(), MailError> {
    let bytes = mail.formatted();
    let whole = deliver(smtp, mail.envelope(), &bytes, timeout).await;
    let recipients = mail.envelope().to();
    match whole {
        Err(MailError::Smtp(error)) if error.is_permanent() && recipients.len() > 1 => {}
        whole => return whole,
    }
    let mut errors = Vec::new();
    for recipient in recipients {
        let alone = Envelope::new(mail.envelope().from().cloned(), vec![recipient.clone()])?;
        errors.extend(deliver(smtp, &alone, &bytes, timeout).await.err());
    }
    let (refused, total) = (errors.len(), recipients.len());
    // When nobody has the mail, one of them that may take it later is reason to try again.
    errors.sort_by_key(|error| !error.is_transient());
    match errors.into_iter().next() {
        None => Ok(()),
        Some(error) if refused == total => Err(error),
        Some(error) => Err(MailError::SomeRefused { refused, total, first: Box::new(error) }),
    }
}

/// One transaction. lettre bounds each step only, hence the outer bound: a server may drip its answers.
async fn deliver(smtp: &Smtp, envelope: &Envelope, bytes: &[u8], timeout: Duration) -> Result<(), MailError> {
    match tokio::time::timeout(timeout, smtp.send_raw(envelope, bytes)).await {
        Ok(answer) => Ok(answer.map(drop)?),
        Err(_) => Err(MailError::Timeout(timeout)),
    }
}
