//! What happens in a run, as those who watch it see it.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{CellStatus, Progress, RunState};

/// Something that happened. Serialises to the data of a server-sent event.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum RunEvent {
    State {
        state: RunState,
        attempt: u32,
    },
    Cell {
        /// As in [`super::CellTiming::cell`].
        cell: Option<usize>,
        status: CellStatus,
        at: DateTime<Utc>,
    },
    Stream {
        cell: Option<usize>,
        /// `stdout` or `stderr`.
        name: String,
        text: String,
    },
    Progress(Progress),
}

impl RunEvent {
    /// Its name among server-sent events.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::State { .. } => "state",
            Self::Cell { .. } => "cell",
            Self::Stream { .. } => "stream",
            Self::Progress(_) => "progress",
        }
    }

    /// Bytes of text that it holds.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Stream { text, .. } => text.len(),
            _ => 0,
        }
    }
}
