//! What the tests of the executor share.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::super::*;
use crate::clock::SystemClock;

/// The interpreter that has ipykernel.
pub(super) fn test_python() -> PathBuf {
    crate::testing::python()
}

/// A job in the making, and the directory it runs in.
pub(super) struct Notebook {
    pub(super) job: Job,
    pub(super) dir: TempDir,
}

impl Notebook {
    pub(super) fn new(sources: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cells = sources.iter().enumerate().map(|(index, source)| CodeCell {
            index,
            source: (*source).to_owned(),
            raises_exception: false,
        });
        let job = Job {
            run: RunId::new(),
            kernel: python(),
            workdir: dir.path().to_owned(),
            env: Vec::new(),
            cells: cells.collect(),
            limits: Limits {
                wall: Duration::from_mins(1),
                start: Duration::from_mins(1),
                output_bytes: 64 << 20,
                memory_bytes: None,
            },
        };
        Self { job, dir }
    }
}

/// The client package as it stands in the repository.
pub(super) fn client_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python/src")
}

pub(super) fn python() -> KernelCommand {
    python_kernel(&test_python(), &client_dir())
}

pub(super) fn executor() -> SpawnExecutor {
    SpawnExecutor::new(Arc::new(SystemClock))
}

pub(super) async fn run(notebook: Notebook) -> Execution {
    executor().execute(notebook.job).await.unwrap()
}

/// How many processes of a run there are.
pub(super) fn marked(run: RunId) -> usize {
    process::orphans::marked_by(run)
}

/// Waits until no process of a run is left.
pub(super) async fn until_gone(run: RunId) {
    let started = std::time::Instant::now();
    while marked(run) > 0 {
        assert!(started.elapsed() < Duration::from_secs(10), "processes of the run are left");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(super) fn put(file: &Path, content: &str) {
    use std::io::Write;
    std::fs::OpenOptions::new().write(true).create_new(true).open(file).unwrap().write_all(content.as_bytes()).unwrap();
}
