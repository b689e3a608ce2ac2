//! What outlives the process: the database and the files in the production folder.
//!
//! Adapter: all SQL and all paths below the data folder are here, and nothing that decides what they mean.

mod database;
mod files;
mod kept;
mod stored;
#[cfg(test)]
mod tests;

pub use database::{
    AttemptEnd, CallbackFilter, Claim, ClaimLimits, Claimed, Database, DeliveryFilter, Deployed, DueDelivery, DueMail,
    EventFilter, FinishedRun, Firing, InboxReply, KeptSecret, KeyClaim, KeyUse, ListedOutput, MailLimits, Neighbour,
    NewCapture, NewDeclared, NewDeploy, NewMail, NewNotice, NewRun, NewStored, Notice, NoticeEvent, NoticeSubject,
    OnRecord, QueuedMail, Received, RecentRun, Recipient, RemovedRun, RunFilter, SealedSecret, SecretLimits, Span,
    Subscribed, SubscriptionFilter, Unfinished,
};
pub use files::{DataLock, FileStamp, Files, Found, Scratch, VersionFiles, write_atomic};
pub use stored::{Content, Opened, StagedContent, digest};

use crate::model::Invalid;

/// Why something could not be stored or read back. For the log, never for a caller.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("database migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error("database row cannot be read: {0}")]
    Corrupt(String),
    #[error("file {path}: {source}")]
    File { path: std::path::PathBuf, source: std::io::Error },
    #[error("data folder {0} is in use by another nbhook server: stop it, or give this one another --data")]
    InUse(std::path::PathBuf),
    #[error("{0} holds no key of 32 bytes: put the right one there, or remove it and add all secrets again")]
    Key(std::path::PathBuf),
    #[error("{0} already exists")]
    Exists(&'static str),
    /// It cannot go as long as something else needs it.
    #[error("{0}")]
    Needed(String),
    /// It does not fit what is stored.
    #[error("{0}")]
    Refused(Invalid),
}

impl StoreError {
    /// Whether there was no room for it: the disk, or what its user may take of it, is full.
    #[must_use]
    pub fn is_for_want_of_room(&self) -> bool {
        match self {
            Self::File { source, .. } | Self::Database(sqlx::Error::Io(source)) => is_for_want_of_room(source),
            Self::Database(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| SQLITE_FULL.contains(&&*code))
            }
            _ => false,
        }
    }
}

/// Whether there was no room for it on the disk: ENOSPC or EDQUOT.
#[must_use]
pub fn is_for_want_of_room(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

/// SQLite's result codes for a full disk: `SQLITE_FULL`, and `SQLITE_IOERR_SHMSIZE`, for its own index of the log.
const SQLITE_FULL: [&str; 2] = ["13", "4874"];

pub type Result<T, E = StoreError> = std::result::Result<T, E>;
