//! Sending mail: over SMTP, into a folder as `.eml` files, or (for tests) into memory.
//!
//! A [`Mailer`] takes a finished [`Message`] and says whether it was handed over, and if not, whether to try again.
//! What a mail says is the business of `templates`; when one is sent, and how often it is tried, that of the service.

mod file;
mod settings;
mod smtp;

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart};
use lettre::{Address, AsyncSmtpTransport, Tokio1Executor};
use uuid::Uuid;

pub use settings::{MailSettings, SettingsError};

use crate::model::{Attachment as File, EmailAddress};

/// Longest time one mail may take, from the connection to the last answer of the server.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How many mails the memory transport keeps; older ones go.
const KEPT_IN_MEMORY: usize = 1_000;

/// A mail to send. All recipients see one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub to: Vec<EmailAddress>,
    pub subject: String,
    pub text: String,
    pub html: String,
    /// Whom answers go to, if not the sender.
    pub reply_to: Option<EmailAddress>,
    pub files: Vec<File>,
}

/// Sends mail by the transport that the settings chose.
pub struct Mailer {
    from: Mailbox,
    timeout: Duration,
    transport: Transport,
}

enum Transport {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    File(PathBuf),
    Memory(Outbox),
}

/// The mails that a [`Mailer::in_memory`] was given.
#[derive(Debug, Clone, Default)]
pub struct Outbox(Arc<Mutex<VecDeque<Message>>>);

/// Why a mail was not handed over.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("`{0}` is not an address that mail can be sent to")]
    Address(EmailAddress),
    #[error("cannot build the mail: {0}")]
    Build(#[from] lettre::error::Error),
    #[error("cannot hand the mail to the SMTP server: {0}")]
    Smtp(#[from] lettre::transport::smtp::Error),
    #[error("the SMTP server did not take the mail within {0:?}")]
    Timeout(Duration),
    #[error("the SMTP server refused {refused} of {total} recipients, the others have the mail: {first}")]
    SomeRefused { refused: usize, total: usize, first: Box<MailError> },
    #[error("cannot write the mail into {}: {source}", folder.display())]
    File { folder: PathBuf, source: std::io::Error },
}

impl MailError {
    /// Whether the same mail may go through later. What the server refused for good (5xx), what cannot be built and
    /// what others already received is not to be tried again.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Address(_) | Self::Build(_) | Self::SomeRefused { .. } => false,
            // lettre calls a refused connection neither transient nor permanent.
            Self::Smtp(error) => !error.is_permanent() && !error.is_client(),
            Self::Timeout(_) | Self::File { .. } => true,
        }
    }
}

impl Mailer {
    /// Chooses the transport: SMTP when the settings have a URL, else files. Connects to nothing yet.
    ///
    /// # Errors
    /// When the sender's address or the SMTP URL is not valid; the text never holds the password.
    pub fn new(settings: &MailSettings) -> Result<Self, SettingsError> {
        Self::with_timeout(settings, TIMEOUT)
    }

    fn with_timeout(settings: &MailSettings, timeout: Duration) -> Result<Self, SettingsError> {
        let transport = if let Some(builder) = settings.smtp()? {
            Transport::Smtp(builder.timeout(Some(timeout)).build())
        } else {
            file::tidy(&settings.dir);
            Transport::File(settings.dir.clone())
        };
        Ok(Self { from: settings.sender()?, timeout, transport })
    }

    /// A mailer that only remembers what it was given, and the way to look at it.
    ///
    /// # Errors
    /// When `from` is not an address.
    pub fn in_memory(from: &str) -> Result<(Self, Outbox), SettingsError> {
        let outbox = Outbox::default();
        let transport = Transport::Memory(outbox.clone());
        Ok((Self { from: settings::sender(from)?, timeout: TIMEOUT, transport }, outbox))
    }

    /// `smtp`, `file` or `memory`.
    #[must_use]
    pub fn transport_name(&self) -> &'static str {
        match self.transport {
            Transport::Smtp(_) => "smtp",
            Transport::File(_) => "file",
            Transport::Memory(_) => "memory",
        }
    }

    /// Whether this is the address that mails are sent from.
    #[must_use]
    pub fn is_sender(&self, address: &EmailAddress) -> bool {
        let own: &str = self.from.email.as_ref();
        own.eq_ignore_ascii_case(address.as_str())
    }

    /// Hands the mail over, within 30 seconds.
    ///
    /// A recipient that the SMTP server refuses for good does not keep the mail from the others.
    ///
    /// # Errors
    /// See [`MailError::is_transient`] for whether to try again.
    pub async fn send(&self, message: Message) -> Result<(), MailError> {
        let mail = build(&self.from, &message)?;
        match &self.transport {
            Transport::Smtp(transport) => smtp::send(transport, &mail, self.timeout).await,
            Transport::File(folder) => file::send(folder.clone(), mail.formatted()).await,
            Transport::Memory(outbox) => {
                outbox.push(message);
                Ok(())
            }
        }
    }
}

impl Outbox {
    /// What was sent, oldest first.
    #[must_use]
    pub fn sent(&self) -> Vec<Message> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn push(&self, message: Message) {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.len() == KEPT_IN_MEMORY {
            sent.pop_front();
        }
        sent.push_back(message);
    }
}

/// The mail as RFC 5322 and MIME want it, text and HTML as alternatives of one another.
fn build(from: &Mailbox, message: &Message) -> Result<lettre::Message, MailError> {
    let mut builder = lettre::Message::builder()
        .from(from.clone())
        .subject(&message.subject)
        .message_id(Some(format!("<{}@{}>", Uuid::now_v7(), from.email.domain())));
    for address in &message.to {
        builder = builder.to(Mailbox::new(None, recipient(address)?));
    }
    // RFC 3834: keeps vacation answers from coming back.
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    builder = builder.raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()));
    if let Some(address) = &message.reply_to {
        builder = builder.reply_to(Mailbox::new(None, recipient(address)?));
    }
    let said = MultiPart::alternative_plain_html(message.text.clone(), message.html.clone());
    if message.files.is_empty() {
        return Ok(builder.multipart(said)?);
    }
    let mut parts = MultiPart::mixed().multipart(said);
    for file in &message.files {
        let kind = ContentType::parse(&file.media_type).or_else(|_| ContentType::parse("application/octet-stream"));
        let kind = kind.map_err(|_| lettre::error::Error::NonAsciiChars)?;
        parts = parts.singlepart(Attachment::new(file.name.clone()).body(file.content.clone(), kind));
    }
    Ok(builder.multipart(parts)?)
}

/// The address for the envelope, an international domain in its ASCII form, so that servers without SMTPUTF8 take it.
fn recipient(address: &EmailAddress) -> Result<Address, MailError> {
    let refuse = || MailError::Address(address.clone());
    let (local, domain) = address.as_str().rsplit_once('@').ok_or_else(refuse)?;
    Address::new(local, settings::ascii_domain(domain)).map_err(|_| refuse())
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").field("transport", &self.transport_name()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
