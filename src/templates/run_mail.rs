//! What the mails of run events tell.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::shorten;
use crate::model::{HookPath, Run, RunError, RunState};

/// Longest exception message in a mail, in characters.
const EVALUE_CHARS: usize = 2_000;

/// What the mails `run_failed` and `run_succeeded` tell: the context of their templates.
#[derive(Debug, Clone, Serialize)]
pub struct RunMail {
    /// The hook's path.
    notebook: String,
    /// The hook's id; never its token, which is the right to call it.
    hook: String,
    run: String,
    state: &'static str,
    /// What the run did, as a verb, e.g. `timed out`.
    outcome: &'static str,
    error: Option<RunMailError>,
    /// How many runs this mail stands for, the shown one included.
    count: u64,
    /// When the first of them ended.
    since: String,
    started: Option<String>,
    duration: Option<String>,
    /// The run in the API.
    url: String,
}

#[derive(Debug, Clone, Serialize)]
struct RunMailError {
    kind: &'static str,
    detail: String,
    /// Counted from 1, as people count.
    cell: Option<usize>,
    ename: Option<String>,
    evalue: Option<String>,
}

impl RunMail {
    /// `run` is the latest of the `count` runs which ended from `since` on. The traceback stays out: it quotes source
    /// and data, and a mail leaves the house. Redact sensitive values in `run` before.
    #[must_use]
    pub fn new(run: &Run, path: &HookPath, public_url: &str, count: u64, since: DateTime<Utc>) -> Self {
        Self {
            notebook: path.as_str().to_owned(),
            hook: run.hook.to_string(),
            run: run.id.to_string(),
            state: run.state.as_str(),
            outcome: outcome(run.state),
            error: run.error.as_ref().map(RunMailError::new),
            count: count.max(1),
            since: moment(since),
            started: run.started_at.map(moment),
            duration: run.duration_ms.map(|ms| duration(TimeDelta::milliseconds(ms))),
            url: format!("{}/v1/runs/{}", public_url.trim_end_matches('/'), run.id),
        }
    }
}

impl RunMailError {
    fn new(error: &RunError) -> Self {
        Self {
            kind: error.kind.as_str(),
            detail: error.detail.clone(),
            cell: error.cell.map(|index| index + 1),
            ename: error.ename.clone(),
            evalue: error.evalue.as_deref().map(|text| shorten(text, EVALUE_CHARS)),
        }
    }
}

fn outcome(state: RunState) -> &'static str {
    match state {
        RunState::Queued => "is queued",
        RunState::Running => "is running",
        RunState::Succeeded => "succeeded",
        RunState::Failed => "failed",
        RunState::TimedOut => "timed out",
        RunState::Cancelled => "was cancelled",
        RunState::Interrupted => "was interrupted",
    }
}

/// As `2026-11-22 12:26:05 UTC`.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// As `870 ms`, `12.4 s`, `3 min 5 s` or `2 h 0 min`.
fn duration(span: TimeDelta) -> String {
    let ms = span.num_milliseconds().max(0);
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
        _ => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let read = [0, 870, 12_480, 185_400, 7_200_000].map(|ms| duration(TimeDelta::milliseconds(ms)));
        assert_eq!(read, ["0 ms", "870 ms", "12.4 s", "3 min 5 s", "2 h 0 min"]);
    }
}
