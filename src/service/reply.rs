//! What a caller gets.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use crate::model::{RunError, RunId};

/// What the caller gets.
#[derive(Debug)]
pub struct Reply {
    pub run: RunId,
    pub body: ReplyBody,
}

#[derive(Debug)]
pub enum ReplyBody {
    /// The notebook's answer.
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        media_type: String,
        file_name: String,
        inline: bool,
        content: Content,
    },
    /// The run succeeded and answered nothing.
    Done {
        time: DateTime<Utc>,
    },
    SeeOther(String),
    /// `respond_error`.
    Reported {
        status: u16,
        headers: Vec<(String, String)>,
        detail: String,
    },
    /// The run failed; the traceback is there only for the hook's owner.
    Failed(RunError),
}

#[derive(Debug)]
pub enum Content {
    Bytes(Vec<u8>),
    /// Open, so it can be streamed after its folder is gone.
    File(std::fs::File, PathBuf),
}
