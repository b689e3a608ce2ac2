//! What the tests of the executor share.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tempfile::TempDir;

use super::super::*;
use crate::clock::SystemClock;

/// The interpreter that has ipykernel.
pub(in crate::kernel) fn test_python() -> PathBuf {
    crate::testing::python()
}

/// A job in the making, and the directory it runs in.
pub(in crate::kernel) struct Notebook {
    pub(in crate::kernel) job: Job,
    pub(in crate::kernel) dir: TempDir,
}

impl Notebook {
    pub(in crate::kernel) fn new(sources: &[&str]) -> Self {
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
                processes: None,
                resources: process::Resources::default(),
            },
            observer: None,
        };
        Self { job, dir }
    }
}

/// The client package as it stands in the repository.
pub(in crate::kernel) fn client_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python/src")
}

pub(in crate::kernel) fn python() -> KernelCommand {
    python_kernel(&test_python(), &client_dir())
}

/// The executor that `NBHOOK_TEST_EXECUTOR` names: `spawn` (default), `fork` (on demand) or `pool`.
pub(in crate::kernel) fn executor() -> TestExecutor {
    match std::env::var("NBHOOK_TEST_EXECUTOR").as_deref() {
        Ok("fork") => TestExecutor::Fork(of_this_thread(0), 0),
        Ok("pool") => TestExecutor::Fork(of_this_thread(2), 2),
        _ => TestExecutor::Spawn(SpawnExecutor::new(Arc::new(SystemClock))),
    }
}

/// One per test, each of which has a thread and a runtime of its own: starting the template takes a second. It ends with the
/// runtime.
fn of_this_thread(pool: usize) -> Arc<ForkExecutor> {
    thread_local! {
        static EXECUTOR: OnceCell<Weak<ForkExecutor>> = const { OnceCell::new() };
    }
    let make = || {
        let executor = Arc::new(ForkExecutor::new(Arc::new(SystemClock), pool, 1 << 30));
        let weak = Arc::downgrade(&executor);
        tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(executor);
        });
        weak
    };
    EXECUTOR.with(|cell| cell.get_or_init(make).upgrade().unwrap())
}

pub(in crate::kernel) enum TestExecutor {
    Spawn(SpawnExecutor),
    Fork(Arc<ForkExecutor>, usize),
}

impl TestExecutor {
    pub(in crate::kernel) async fn complete(&self, job: Job) -> Result<Execution, StartError> {
        match self {
            Self::Spawn(executor) => executor.complete(job).await,
            Self::Fork(executor, pool) => {
                executor.ready(&job.kernel, job.limits.output_bytes, *pool).await;
                executor.complete(job).await
            }
        }
    }
}

pub(in crate::kernel) async fn run(notebook: Notebook) -> Execution {
    executor().complete(notebook.job).await.unwrap()
}

/// How many processes of a run there are.
pub(in crate::kernel) fn marked(run: RunId) -> usize {
    process::orphans::marked_by(run)
}

/// Waits until no process of a run is left.
pub(in crate::kernel) async fn until_gone(run: RunId) {
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
