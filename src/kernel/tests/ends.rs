//! Every way a run can end other than by itself.

use std::time::{Duration, Instant};

use super::support::{Notebook, executor, marked, run, until_gone};
use super::*;

/// Runs a notebook whose kernel ends by itself, and checks that this is told at once.
async fn death(source: &str) -> Outcome {
    let started = Instant::now();
    let execution = run(Notebook::new(&["'first'", source, "'never'"])).await;
    assert!(started.elapsed() < Duration::from_secs(20), "{source}: {:?}", started.elapsed());
    assert_eq!(execution.cells.len(), 2, "{source}");
    assert_eq!(execution.cells[1].finished_at, None);
    execution.outcome
}

fn died(reason: &str) -> Outcome {
    Outcome::KernelDied { cell: Some(1), reason: reason.to_owned() }
}

#[tokio::test]
async fn a_dead_kernel_is_told_at_once() {
    assert_eq!(death("import os; os.kill(os.getpid(), 9)").await, died("killed by SIGKILL"));
    assert_eq!(death("import os; os._exit(3)").await, died("exit status 3"));
    assert_eq!(death("import os; os.abort()").await, died("killed by SIGABRT"));
    assert_eq!(death("import ctypes; ctypes.string_at(0)").await, died("killed by SIGSEGV"));
    // In the background, while the cell waits.
    let later = "import os, threading, time; threading.Timer(0.2, os._exit, [5]).start(); time.sleep(100)";
    assert_eq!(death(later).await, died("exit status 5"));
}

#[tokio::test]
async fn what_a_dying_kernel_printed_is_kept() {
    let source = "import os, sys, time\nprint('last words'); sys.stdout.flush(); time.sleep(0.1); os._exit(1)";
    let execution = run(Notebook::new(&[source])).await;
    assert_eq!(stream(&execution.cells[0], "stdout"), "last words\n");
}

#[tokio::test]
async fn sys_exit_is_an_error_of_the_cell() {
    let execution = run(Notebook::new(&["import sys; sys.exit(0)", "1"])).await;
    assert!(matches!(&execution.outcome, Outcome::CellError { cell: 0, ename, .. } if ename == "SystemExit"));
}

#[tokio::test]
async fn timeout_kills_all_that_the_kernel_started() {
    let source = "import subprocess, time\n\
                  subprocess.Popen(['sleep', '1000'])\n\
                  subprocess.Popen(['sh', '-c', 'sleep 1000 & sleep 1000'])\n\
                  subprocess.Popen(['sleep', '1000'], start_new_session=True)\n\
                  print('started', flush=True)\n\
                  while True:\n    try:\n        time.sleep(100)\n    except KeyboardInterrupt:\n        pass";
    let mut notebook = Notebook::new(&["1", source]);
    notebook.job.limits.wall = Duration::from_secs(1);
    let id = notebook.job.run;
    let started = Instant::now();
    let execution = run(notebook).await;
    assert_eq!(execution.outcome, Outcome::Timeout { cell: Some(1), after: Duration::from_secs(1) });
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(stream(&execution.cells[1], "stdout"), "started\n");
    assert_eq!(marked(id), 0);
}

#[tokio::test]
async fn timeout_shows_where_the_notebook_was() {
    let mut notebook = Notebook::new(&["def forever():\n    while True: pass\nforever()"]);
    notebook.job.limits.wall = Duration::from_millis(500);
    let execution = run(notebook).await;
    assert!(matches!(execution.outcome, Outcome::Timeout { cell: Some(0), .. }));
    assert_eq!(execution.cells[0].outputs[0]["ename"], "KeyboardInterrupt");
}

#[tokio::test]
async fn too_much_output_ends_the_run() {
    for source in ["while True: print('x' * 1000)", "print('x' * 3_000_000)"] {
        let mut notebook = Notebook::new(&["'first'", source]);
        notebook.job.limits.output_bytes = 1_000_000;
        let id = notebook.job.run;
        let execution = run(notebook).await;
        assert_eq!(execution.outcome, Outcome::OutputTooLarge { cell: Some(1), limit: 1_000_000 });
        assert_eq!(marked(id), 0);
    }
}

#[tokio::test]
async fn memory_is_limited() {
    let eat = "x = []\nwhile True: x.append(bytearray(50_000_000))";
    let mut notebook = Notebook::new(&[eat]);
    notebook.job.limits.resources.memory_bytes = Some(3 << 30);
    let execution = run(notebook).await;
    match &execution.outcome {
        Outcome::CellError { ename, .. } => assert_eq!(ename, "MemoryError"),
        other => assert_eq!(*other, Outcome::OutOfMemory { cell: Some(0) }),
    }
    // A program that gives up instead of raising, as C++ does.
    let mut notebook = Notebook::new(&["import os; os.write(2, b'std::bad_alloc'); os.abort()"]);
    notebook.job.limits.resources.memory_bytes = Some(3 << 30);
    notebook.job.kernel.argv.extend(["--", "--IPKernelApp.capture_fd_output=False"].map(str::to_owned));
    assert_eq!(run(notebook).await.outcome, Outcome::OutOfMemory { cell: Some(0) });
}

#[tokio::test]
async fn cpu_time_is_limited_for_a_process_and_for_all_together() {
    let workers = "import subprocess, sys\nfor worker in [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(3)]: worker.wait()";
    for (source, seconds) in [("while True: pass", 1), (workers, 2)] {
        let mut notebook = Notebook::new(&["1", source]);
        notebook.job.limits.resources.cpu_seconds = Some(seconds);
        let id = notebook.job.run;
        let execution = run(notebook).await;
        assert_eq!(execution.outcome, Outcome::CpuTime { cell: Some(1), limit: Some(seconds) });
        assert_eq!(marked(id), 0);
    }
}

#[tokio::test]
async fn processes_are_counted() {
    let start = |number: usize| {
        let source = format!(
            "import subprocess, time\nfor _ in range({number}): subprocess.Popen(['sleep', '100'])\ntime.sleep(1.5)"
        );
        let mut notebook = Notebook::new(&[&source]);
        notebook.job.limits.processes = Some(8);
        notebook
    };
    assert_eq!(run(start(7)).await.outcome, Outcome::Succeeded);
    let many = start(8);
    let id = many.job.run;
    assert_eq!(run(many).await.outcome, Outcome::TooManyProcesses { cell: Some(0), limit: 8 });
    assert_eq!(marked(id), 0);
}

#[tokio::test]
async fn open_files_are_limited() {
    let mut notebook = Notebook::new(&["files = [open('/dev/null') for _ in range(300)]"]);
    notebook.job.limits.resources.open_files = Some(256);
    match run(notebook).await.outcome {
        Outcome::CellError { ename, evalue, .. } => {
            assert_eq!((ename.as_str(), &evalue[..10]), ("OSError", "[Errno 24]"));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_kernel_that_does_not_start_is_an_error() {
    let start = |argv: &[&str]| {
        let mut notebook = Notebook::new(&["1"]);
        notebook.job.kernel.argv = argv.iter().map(|word| (*word).to_owned()).collect();
        notebook.job.limits.start = Duration::from_millis(300);
        async move {
            let Notebook { job, dir: _dir } = notebook;
            (job.run, executor().complete(job).await.unwrap_err())
        }
    };
    let (id, error) = start(&["/bin/sleep", "100"]).await;
    assert!(matches!(error, StartError::Timeout(_)), "{error}");
    until_gone(id).await;
    let (_, error) = start(&["/no/such/program"]).await;
    assert!(matches!(&error, StartError::Spawn { program, .. } if program == "/no/such/program"), "{error}");
    let (_, error) = start(&["/bin/sh", "-c", "echo no kernel here >&2; exit 3"]).await;
    assert_eq!(error.to_string(), "the kernel ended before it answered (exit status 3): no kernel here");
}
