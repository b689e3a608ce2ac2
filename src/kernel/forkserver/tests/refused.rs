//! What a template cannot do, or need not: each falls back to the next best.

use std::io::Write;

use metrics_exporter_prometheus::PrometheusBuilder;
use tempfile::TempDir;

use super::super::super::tests::support::until_gone;
use super::*;

/// The kernel command with changed scripts. The server's part stays as it is.
#[expect(clippy::disallowed_methods, reason = "a test's own folder; nobody reads it half-written")]
fn python_with(changed: &str, from: &str, to: &str) -> (KernelCommand, TempDir) {
    let mut kernel = python();
    let dir = tempfile::tempdir().unwrap();
    let launcher = std::path::Path::new(&kernel.argv[1]);
    for file in std::fs::read_dir(launcher.parent().unwrap()).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_some_and(|extension| extension == "py") {
            let text = std::fs::read_to_string(&file).unwrap();
            let name = file.file_name().unwrap();
            let text = if name == changed {
                assert!(text.contains(from), "{changed} has changed");
                text.replace(from, to)
            } else {
                text
            };
            std::fs::write(dir.path().join(name), text).unwrap();
        }
    }
    kernel.argv[1] = dir.path().join("_kernel.py").to_str().unwrap().to_owned();
    (kernel, dir)
}

/// What is logged by this thread.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

#[tokio::test]
async fn where_the_system_refuses_to_fork_kernels_are_spawned_and_it_is_told() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    let _log = tracing::subscriber::set_default(subscriber);
    let recorder = PrometheusBuilder::new().build_recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let full = "raise BlockingIOError(11, 'Resource temporarily unavailable')";
    let (kernel, _dir) = python_with("_forkserver.py", "pid = os.fork()", full);
    let executor = executor(0);
    executor.ready(&kernel, LIMIT, 0).await;
    let mut notebook = Notebook::new(&["print(open('/proc/self/cmdline').read())"]);
    notebook.job.kernel = kernel;
    let execution = executor.complete(notebook.job).await.unwrap();
    assert!(stream(&execution.cells[0], "stdout").contains("_kernel.py"), "{execution:?}");
    let (log, metrics) = (log.text(), recorder.handle().render());
    assert!(log.contains("refused to fork") && log.contains("temporarily unavailable"), "{log}");
    assert!(metrics.contains("nbhook_kernel_starts_total{how=\"spawn\"} 1"), "{metrics}");
}

/// As with an ipykernel whose inside is another one.
#[tokio::test]
async fn where_kernels_need_zeromq_they_are_forked_with_it() {
    let reply = "self._wire.send(b\"s\", msg)";
    for (changed, from, to) in [("_direct.py", "import zmq", "import no_such_module"), ("_direct.py", reply, "pass")] {
        let (kernel, _dir) = python_with(changed, from, to);
        let executor = executor(1);
        executor.ready(&kernel, LIMIT, 1).await;
        let source = "import threading; print(open('/proc/self/cmdline').read(), threading.enumerate(), get_ipython().kernel.control_stream)";
        let mut notebook = Notebook::new(&[source]);
        notebook.job.kernel = kernel;
        let execution = executor.complete(notebook.job).await.unwrap();
        let printed = stream(&execution.cells[0], "stdout");
        assert!(printed.contains("_forkserver.py") && printed.contains("ZMQStream"), "{printed}");
    }
}

#[tokio::test]
async fn after_a_while_without_jobs_one_kernel_waits() {
    let executor = ready(3).await;
    let station = executor.station(Origin::of(&python()).unwrap()).unwrap();
    let waiting = async |number: usize| {
        let started = std::time::Instant::now();
        while station.ready() != Some(number) {
            assert!(started.elapsed() < Duration::from_secs(20), "{:?} wait", station.ready());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    station.rest();
    waiting(1).await;
    let notebook = Notebook::new(&["1"]);
    let run = notebook.job.run;
    assert_eq!(executor.complete(notebook.job).await.unwrap().outcome, Outcome::Succeeded);
    waiting(3).await;
    until_gone(run).await;
}
