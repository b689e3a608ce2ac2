//! `nbhook logs -f`: a run is watched by the binary while it goes on.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command};

use serde_json::json;
use tempfile::TempDir;

use crate::app::{ADMIN, TestApp, notebook, write};
use crate::binary::{finished, nbhook};

/// A user of this server, with a hook that prints, waits for a file, prints again, and fails if told to.
struct Watcher {
    home: TempDir,
    url: String,
}

const HOOK: &str = "waits.ipynb";

impl Watcher {
    fn new(app: &TestApp) -> Self {
        let watcher = Self { home: TempDir::new().unwrap(), url: app.url.clone() };
        let gate = json!(watcher.home.path().join("gate"));
        let waits = format!("import os, time\nwhile not os.path.exists({gate}): time.sleep(0.02)");
        let cells = ["print('one', flush=True)", &waits, "print('two')", "1 / int(globals().get('n', 1))"];
        write(&watcher.home.path().join(HOOK), notebook(&cells).to_string().as_bytes());
        watcher.done(&["deploy", HOOK], 0);
        watcher
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = nbhook(["--server", &self.url, "--token", ADMIN]);
        command.args(arguments).current_dir(self.home.path()).env("HOME", self.home.path());
        command
    }

    fn done(&self, arguments: &[&str], code: i32) -> (String, String) {
        let (status, out, err) = finished(self.command(arguments));
        assert_eq!(status.code(), Some(code), "{out}\n{err}");
        (out, err)
    }

    /// Starts a run, and gives its id.
    fn start(&self, n: &str) -> String {
        let (task, _) = self.done(&["call", HOOK, "-p", &format!("n={n}"), "--async"], 0);
        let task = task.trim().rsplit('/').next().unwrap().to_owned();
        task.split('?').next().unwrap().to_owned()
    }

    /// Begins to follow, until the run is seen to go on.
    fn follow(&self, of: &[&str]) -> (Child, BufReader<ChildStdout>) {
        let mut child = self.command(&[&["logs", "--follow"], of].concat()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line, "one\n");
        (child, out)
    }

    fn open_gate(&self) {
        write(&self.home.path().join("gate"), b"");
    }
}

/// What was printed after that, and the exit code.
fn rest((child, mut out): (Child, BufReader<ChildStdout>)) -> (String, String, Option<i32>) {
    let mut printed = String::new();
    out.read_to_string(&mut printed).unwrap();
    let output = child.wait_with_output().unwrap();
    (printed, String::from_utf8(output.stderr).unwrap(), output.status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_followed_to_its_end_and_its_state_is_the_exit_code() {
    let app = TestApp::start().await;
    tokio::task::spawn_blocking(move || {
        let watcher = Watcher::new(&app);
        watcher.done(&["logs"], 3);
        let run = watcher.start("1");
        assert!(watcher.done(&["logs", &run], 1).1.contains("--follow"), "it goes on");
        let following = watcher.follow(&[&run]);
        watcher.open_gate();
        let (printed, said, code) = rest(following);
        assert_eq!((printed.as_str(), code), ("two\n", Some(0)), "{said}");
        assert!(said.contains("--- cell 1 started") && said.ends_with("--- succeeded\n"), "{said}");
        // What has ended is told from its record.
        assert!(watcher.done(&["logs", &run, "-f"], 0).0.contains("one\n"));
        assert!(watcher.done(&["logs", HOOK], 0).0.contains("two\n"));
        let failed = watcher.start("0");
        let (out, said) = watcher.done(&["logs", &failed, "-f"], 6);
        assert!(out.contains("two") && said.contains("ZeroDivisionError"), "{out}\n{said}");
        watcher.done(&["logs", "0198c5f0-0000-7000-8000-000000000001"], 3);
        watcher.done(&["logs", "no.ipynb"], 3);
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hooks_runs_are_followed_as_they_come() {
    let app = TestApp::start().await;
    tokio::task::spawn_blocking(move || {
        let watcher = Watcher::new(&app);
        let first = watcher.start("1");
        let following = watcher.follow(&[HOOK, "-n", "2"]);
        watcher.open_gate();
        let second = watcher.start("0");
        let (printed, said, code) = rest(following);
        assert_eq!(code, Some(0), "{said}");
        assert!(printed.starts_with("two\n") && printed.contains("one"), "{printed}");
        assert!(said.contains(&first) && said.contains(&second) && said.contains("ZeroDivisionError"), "{said}");
    })
    .await
    .unwrap();
}
