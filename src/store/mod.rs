//! What outlives the process: the database and the files in the production folder.
//!
//! Adapter: all SQL and all paths below the data folder are here, and nothing that decides what they mean.

mod database;
mod files;
mod kept;

pub use database::{
    Database, Deployed, FinishedRun, KeyClaim, KeyUse, ListedOutput, NewDeploy, NewNotice, NewRun, Notice, NoticeEvent,
    RunFilter, Unfinished,
};
pub use files::{DataLock, FileStamp, Files, Scratch, VersionFiles, write_atomic};

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
    #[error("{0} already exists")]
    Exists(&'static str),
}

pub type Result<T, E = StoreError> = std::result::Result<T, E>;
