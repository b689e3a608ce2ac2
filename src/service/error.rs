//! What can go wrong in a use case, sorted by what its caller can do about it.

use super::signature::Unsigned;
use crate::model::{Invalid, InvalidParameter};
use crate::store::{StoreError, is_for_want_of_room};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field of the input; nothing was changed.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// What a call passes, and what it does not; no kernel was started.
    #[error("{}", summary(.0))]
    Parameters(Vec<InvalidParameter>),
    /// It does not exist, or is somebody else's: which of the two is never told.
    #[error("{0} not found")]
    NotFound(&'static str),
    #[error("{0}")]
    Conflict(String),
    /// What is asked for is not there yet.
    #[error("the run has not ended yet: ask again later")]
    NotFinished,
    /// An `Idempotency-Key` stands for something else.
    #[error("this Idempotency-Key was used for another request: use a new key")]
    KeyReused,
    #[error("the call with this Idempotency-Key is still being carried out")]
    KeyInProgress { retry_after: u64 },
    /// A policy refuses; another user could.
    #[error("{0}")]
    Forbidden(String),
    #[error("the API token is missing or not valid")]
    Unauthorized,
    /// The hook wants its calls signed, and this one is not.
    #[error("{0}")]
    Unsigned(Unsigned),
    /// Every place in the queue is taken.
    #[error("too many calls are waiting")]
    QueueFull { retry_after: u64 },
    /// Every place for their readers is taken.
    #[error("you are reading too many topics at once: end some of the readers")]
    TooManyReaders { retry_after: u64 },
    /// As many mails as one user may send.
    #[error("you are sending too many mails: try again later")]
    TooManyMails { retry_after: u64 },
    #[error("this is larger than {limit} bytes")]
    TooLarge { limit: usize },
    /// More is being sent to inboxes than can be stored.
    #[error("more is being sent than can be stored: try again later")]
    Busy { retry_after: u64 },
    /// Deliveries lead to further ones without an end.
    #[error("this was brought about by too many deliveries one behind another: they may go round in a circle")]
    Loop,
    #[error("the server is shutting down")]
    Draining { retry_after: u64 },
    /// There is no room for it on the disk; nothing was changed. The cause is for the log.
    #[error(
        "the server's disk is full: make room in its data folder, or have `nbhook prune` remove what exceeds its bounds"
    )]
    NoRoom(String),
    /// The server's own trouble: logged where it happens, never told.
    #[error("internal error: {0}")]
    Internal(String),
}

/// How many parameters a summary names.
const NAMED: usize = 10;

fn summary(errors: &[InvalidParameter]) -> String {
    if let [only] = errors {
        return format!("{}: {}", only.name, only.message);
    }
    let named = errors.iter().take(NAMED).map(|error| format!("{} {}", error.name, error.message));
    let more = (errors.len() > NAMED).then(|| "and more".to_owned());
    let list: Vec<String> = named.chain(more).collect();
    format!("{} parameters are not valid: {}", errors.len(), list.join("; "))
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Exists(what) => Self::Conflict(format!("{what} already exists")),
            StoreError::Needed(what) => Self::Conflict(what),
            StoreError::Refused(invalid) => Self::Invalid(invalid),
            other if other.is_for_want_of_room() => Self::NoRoom(other.to_string()),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<tokio::task::JoinError> for Error {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Internal(format!("task: {error}"))
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        if is_for_want_of_room(&error) { Self::NoRoom(error.to_string()) } else { Self::Internal(error.to_string()) }
    }
}
