//! Mails that users have the server send: notifications.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{EmailAddress, NotificationId, Owner, RunId, UserId};

/// Longest name of an attachment, in characters.
const LONGEST_NAME: usize = 150;

/// A mail as its sender wishes it.
#[derive(Clone, PartialEq, Eq)]
pub struct UserMail {
    pub to: Vec<EmailAddress>,
    pub subject: String,
    pub text: String,
    pub html: String,
    /// Where answers go, if not to the server's own address.
    pub reply_to: Option<EmailAddress>,
    pub files: Vec<Attachment>,
}

impl UserMail {
    /// How much there is of it, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let files: usize = self.files.iter().map(|file| file.content.len()).sum();
        self.subject.len() + self.text.len() + self.html.len() + files
    }
}

/// Shows none of what it says.
impl fmt::Debug for UserMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserMail").field("to", &self.to.len()).field("size", &self.size()).finish_non_exhaustive()
    }
}

/// A file of a mail.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    pub name: String,
    pub media_type: String,
    pub content: Vec<u8>,
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment").field("size", &self.content.len()).finish_non_exhaustive()
    }
}

/// What an attachment may be called: the last part of a path, without what a mail program or a file system trips over.
#[must_use]
pub fn attachment_name(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let unfit = |c: char| c.is_control() || "\"<>:|?*".contains(c) || is_invisible(c);
    let name: String = last.chars().map(|c| if unfit(c) { '_' } else { c }).collect();
    let name = name.trim_matches([' ', '.']);
    if name.is_empty() {
        return "file".to_owned();
    }
    // What is too long loses its beginning, as the end says what it is.
    name.chars().skip(name.chars().count().saturating_sub(LONGEST_NAME)).collect()
}

/// Marks that turn the direction of a text can make `exe.fdp` look like `pdf.exe`.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// How far a mail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MailState {
    /// To be sent, for the first time or once more.
    Queued,
    /// The mail server has it.
    Sent,
    /// Given up.
    Failed,
}

impl MailState {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for MailState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for MailState {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [Self::Queued, Self::Sent, Self::Failed].into_iter().find(|state| state.as_str() == text);
        known.ok_or("must be queued, sent or failed")
    }
}

/// What is kept of a mail: what it said goes when it was sent.
#[derive(Debug, Clone)]
pub struct MailRecord {
    pub id: NotificationId,
    pub owner: UserId,
    pub owner_name: Owner,
    /// The run that wished for it.
    pub run: Option<RunId>,
    pub state: MailState,
    pub to: Vec<String>,
    pub subject: String,
    /// The number of its attachments.
    pub files: u64,
    /// In bytes.
    pub size: u64,
    pub attempts: u64,
    /// Why the last attempt did not succeed.
    pub error: Option<String>,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachments_have_harmless_names() {
        for (given, name) in [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\a\\Übersicht 1.xlsx", "Übersicht 1.xlsx"),
            ("a\r\nBcc: x@y.z", "a__Bcc_ x@y.z"),
            ("a\"; filename=\"b", "a_; filename=_b"),
            ("safe\u{202e}fdp.exe", "safe_fdp.exe"),
            ("..", "file"),
            ("", "file"),
        ] {
            assert_eq!(attachment_name(given), name);
        }
        assert!(attachment_name(&format!("{}.csv", "ü".repeat(500))).ends_with("ü.csv"));
        assert_eq!(attachment_name(&"x".repeat(500)).len(), LONGEST_NAME);
    }
}
