//! What a caller gets.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::OpenFile;
use crate::model::{RunError, RunId};
use crate::response::HeaderRule;

/// What the caller gets.
#[derive(Debug)]
pub struct Reply {
    pub run: RunId,
    pub body: ReplyBody,
    /// When it was given for the first time.
    pub at: DateTime<Utc>,
    /// Whether this was answered before and is told again (`Idempotency-Key`).
    pub replayed: bool,
}

/// Serialises without [`Content`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyBody {
    /// The notebook's answer.
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        media_type: String,
        file_name: String,
        inline: bool,
        #[serde(skip)]
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
    File(OpenFile),
}

impl Default for Content {
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}

impl Reply {
    /// Also of an answer that an older server kept, which let its notebook set more headers.
    pub(super) fn new(run: RunId, mut body: ReplyBody, at: DateTime<Utc>) -> Self {
        if let ReplyBody::Answer { headers, .. } | ReplyBody::Reported { headers, .. } = &mut body {
            headers.retain(|(name, value)| HeaderRule::allows(name, value));
        }
        Self { run, body, at, replayed: false }
    }

    /// Whether its caller is told that it may try again later.
    pub fn is_server_error(&self) -> bool {
        match &self.body {
            ReplyBody::Failed(_) => true,
            ReplyBody::Answer { status, .. } | ReplyBody::Reported { status, .. } => *status >= 500,
            ReplyBody::Done { .. } | ReplyBody::SeeOther(_) => false,
        }
    }
}

impl ReplyBody {
    /// Status and media type of a notebook's own answer, for the record; none of a failure, which only `http` knows how to tell,
    /// and no media type where the notebook answered nothing.
    pub(super) fn answered(&self) -> Option<(u16, Option<String>)> {
        match self {
            Self::Answer { status, media_type, .. } => Some((*status, Some(media_type.clone()))),
            Self::Done { .. } => Some((200, None)),
            Self::SeeOther(_) => Some((303, None)),
            Self::Reported { status, .. } => Some((*status, Some("application/problem+json".to_owned()))),
            Self::Failed(_) => None,
        }
    }
}
