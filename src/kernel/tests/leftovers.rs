//! Nothing of a run is left when it is over.

use std::time::Duration;

use super::support::{Notebook, executor, marked, run, until_gone};
use super::*;

/// The server's open files, and the directories with its kernels' sockets.
fn leftovers() -> (usize, usize) {
    let files = std::fs::read_dir("/proc/self/fd").unwrap().count();
    let prefix = format!("nbhook-{}-", std::process::id());
    let dirs = std::fs::read_dir(std::env::temp_dir()).unwrap();
    (files, dirs.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(&prefix)).count())
}

/// Runs a test alone in a process of its own: what it counts belongs to the whole process.
fn alone(test: &str) {
    if std::env::var_os("ALONE").is_some() {
        return;
    }
    let output = process::tests::rerun(&format!("kernel::tests::leftovers::{test}"), "ALONE");
    assert!(output.0, "{}", output.1);
}

#[test]
fn many_runs_leave_nothing() {
    alone("thirty_runs");
}

#[tokio::test]
#[ignore = "run by `many_runs_leave_nothing`"]
async fn thirty_runs() {
    let sources =
        ["print(1)", "import subprocess; subprocess.Popen(['sleep', '100'])", "1/0", "import os; os._exit(1)"];
    let mut after_first = None;
    for round in 0..30 {
        let notebook = Notebook::new(&[sources[round % sources.len()]]);
        let id = notebook.job.run;
        run(notebook).await;
        assert_eq!(marked(id), 0);
        // What the runtime and the libraries open once and keep is open after the first round of all sources.
        if round == sources.len() {
            after_first = Some(leftovers());
        }
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(Some(leftovers()), after_first);
    assert_eq!(leftovers().1, 0);
}

#[test]
fn dropping_a_run_ends_it() {
    alone("dropped_run");
}

#[tokio::test]
#[ignore = "run by `dropping_a_run_ends_it`"]
async fn dropped_run() {
    for delay in [1, 100, 1500] {
        let source = "import subprocess, time; subprocess.Popen(['sleep', '100']); time.sleep(100)";
        let notebook = Notebook::new(&[source]);
        let id = notebook.job.run;
        let run = executor();
        assert!(tokio::time::timeout(Duration::from_millis(delay), run.complete(notebook.job)).await.is_err());
        until_gone(id).await;
        assert_eq!(leftovers().1, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_at_the_same_time_stay_apart() {
    let runs = (0..20).map(|number| async move {
        let source = format!("import time; time.sleep(0.2); open('mine.txt', 'w').write('{number}'); {number}");
        let notebook = Notebook::new(&[&source]);
        let dir = notebook.dir;
        let execution = executor().complete(notebook.job).await.unwrap();
        assert_eq!(execution.outcome, Outcome::Succeeded);
        assert_eq!(execution.cells[0].outputs[0]["data"]["text/plain"], number.to_string());
        assert_eq!(std::fs::read_to_string(dir.path().join("mine.txt")).unwrap(), number.to_string());
    });
    futures_util::future::join_all(runs).await;
}
