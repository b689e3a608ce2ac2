//! What unit tests of several modules share.

use std::path::{Path, PathBuf};

use chrono::DateTime;

use crate::model::{Histo, HookId, Mode, Run, RunError, RunId, RunState, Trigger, UserId};

/// The interpreter that has ipykernel, nbclient, aiosmtpd and what the fixtures import; `./test` makes it.
pub(crate) fn python() -> PathBuf {
    let made = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-venv/bin/python");
    let python = std::env::var_os("NBHOOK_TEST_PYTHON").map_or_else(made, PathBuf::from);
    assert!(python.exists(), "{} is missing: run ./test, which makes it", python.display());
    python
}

/// A run, of which a test looks at the rest.
pub(crate) fn run(state: RunState, error: Option<RunError>) -> Run {
    let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let histo = Histo::next(at, None);
    Run {
        id: RunId::new(),
        hook: HookId::new(),
        owner: UserId::new(),
        version: histo.clone(),
        histo,
        state,
        trigger: Trigger::Http,
        mode: Mode::Sync,
        rerun_of: None,
        schedule: None,
        attempts: 1,
        status: None,
        media_type: None,
        cells: Vec::new(),
        method: "GET".to_owned(),
        created_at: at,
        started_at: Some(at),
        finished_at: Some(at),
        duration_ms: Some(185_400),
        cells_total: 4,
        cells_done: 2,
        error,
        warnings: Vec::new(),
    }
}
