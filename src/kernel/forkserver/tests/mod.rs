//! Forked kernels: what is theirs alone. What they have in common with spawned ones is tested with all executors, in
//! `kernel::tests`, which are run again here.

mod ends;
mod refused;
mod same;
mod warm;

use std::time::Duration;

use super::super::Outcome;
use super::super::process::{command, run_to_end};
use super::super::tests::stream;
use super::super::tests::support::{Notebook, python};
use super::*;
use crate::clock::SystemClock;

const LIMIT: usize = 64 << 20;

fn executor(pool: usize) -> ForkExecutor {
    ForkExecutor::new(Arc::new(SystemClock), pool, 1 << 30)
}

async fn ready(pool: usize) -> ForkExecutor {
    let executor = executor(pool);
    executor.ready(&python(), LIMIT, pool).await;
    executor
}

/// Runs the tests of all executors with another one.
fn all_tests_with(name: &str, skip: &[&str]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let settings = std::env::vars().filter(|(name, _)| name.starts_with("NBHOOK_TEST_"));
    let tests = command(std::env::current_exe().unwrap())
        .args(["kernel::tests::", "--test-threads=2"])
        .args(skip.iter().flat_map(|name| ["--skip", name]))
        .envs(settings)
        .envs([("NBHOOK_TEST_EXECUTOR", name)]);
    let output = runtime.block_on(run_to_end(tests, b"", Duration::from_mins(10), 1 << 20)).unwrap();
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && printed.contains("test result: ok"), "{printed}");
}

#[test]
fn forked_kernels_pass_all_tests_of_kernels() {
    all_tests_with("fork", &[]);
}

#[test]
fn waiting_kernels_pass_all_tests_of_kernels() {
    // They count what is left, waiting kernels included.
    all_tests_with("pool", &["many_runs_leave_nothing", "dropping_a_run_ends_it"]);
}

/// Tells how a notebook's kernel came to be.
async fn command_line(executor: &ForkExecutor) -> String {
    let notebook = Notebook::new(&["print(open('/proc/self/cmdline').read())"]);
    let execution = executor.complete(notebook.job).await.unwrap();
    assert_eq!(execution.outcome, Outcome::Succeeded);
    stream(&execution.cells[0], "stdout")
}

#[tokio::test]
async fn kernels_are_forked_when_they_can_be() {
    let executor = executor(1);
    assert!(command_line(&executor).await.contains("_kernel.py"), "there is no template yet: nobody waits for it");
    executor.ready(&python(), LIMIT, 1).await;
    assert!(command_line(&executor).await.contains("_forkserver.py"));
    assert!(command_line(&executor).await.contains("_forkserver.py"), "also without one waiting");
    // A variable that has to be there from the start.
    let mut notebook = Notebook::new(&["import sys; print(sys.flags.utf8_mode, sys.orig_argv[1])"]);
    notebook.job.env = vec![("PYTHONUTF8".to_owned(), "1".to_owned())];
    let execution = executor.complete(notebook.job).await.unwrap();
    assert!(stream(&execution.cells[0], "stdout").starts_with("1 "));
}

#[tokio::test]
#[ignore = "a measurement: prints, and checks nothing"]
async fn how_long_a_run_takes() {
    for pool in [0, 4] {
        let executor = ready(pool).await;
        let mut times = Vec::new();
        for _ in 0..40 {
            executor.ready(&python(), LIMIT, pool).await;
            let notebook = Notebook::new(&["print('hello')"]);
            let started = std::time::Instant::now();
            executor.complete(notebook.job).await.unwrap();
            times.push(started.elapsed());
        }
        times.sort();
        println!("pool of {pool}: p50 {:?}, p95 {:?}", times[20], times[38]);
    }
}
