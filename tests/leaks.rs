//! Nothing is left behind, however often notebooks run and however they end.

use std::path::Path;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::app::{notebook, url};
use crate::binary::{Server, count, eventually, meeting_places, processes, processes_of_runs, resident};

const RUNS: usize = 200;

/// What a server holds, besides its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) children: usize,
    pub(crate) of_runs: usize,
    pub(crate) files: usize,
    pub(crate) threads: usize,
    pub(crate) meeting_places: usize,
    pub(crate) scratch: usize,
}

/// How many entries of a folder are so.
fn entries(folder: String, is_so: impl Fn(&Path) -> bool) -> usize {
    std::fs::read_dir(folder).map_or(0, |entries| entries.flatten().filter(|entry| is_so(&entry.path())).count())
}

/// Without the database's connections, each of which has a thread and three files: there may be more or fewer, up to its pool's bound.
pub(crate) fn held(server: &Server, data: &TempDir) -> Held {
    let pid = server.pid();
    Held {
        children: processes().iter().filter(|(_, parent, _)| *parent == pid).count(),
        of_runs: processes_of_runs(&server.url).len(),
        files: entries(format!("/proc/{pid}/fd"), |file| {
            !std::fs::read_link(file).is_ok_and(|target| target.to_string_lossy().contains("nbhook.db"))
        }),
        threads: entries(format!("/proc/{pid}/task"), |thread| {
            !std::fs::read_to_string(thread.join("comm")).is_ok_and(|name| name.starts_with("sqlx"))
        }),
        meeting_places: meeting_places(pid).len(),
        scratch: count(data.path().join(".nbhook/scratch")),
    }
}

/// Calls the hooks in turn, four at a time; every answer must have the status that belongs to its hook.
async fn runs(server: &Server, hooks: &[(Value, u16)], number: usize) {
    let calls = (0..number).map(|index| {
        let (hook, status) = &hooks[index % hooks.len()];
        let file = reqwest::multipart::Part::text("x".repeat(1000)).file_name("upload.txt");
        let call = server.http.post(url(hook)).multipart(reqwest::multipart::Form::new().part("file", file)).send();
        async move { (call.await.unwrap().status().as_u16(), *status, hook["path"].as_str().unwrap()) }
    });
    let answers: Vec<_> = stream::iter(calls).buffer_unordered(4).collect().await;
    for (got, expected, path) in answers {
        assert_eq!(got, expected, "{path}: {}", server.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_runs_leave_nothing_behind() {
    let data = TempDir::new().unwrap();
    // Forked kernels have a test of their own: here a template and waiting kernels would count as leaks.
    let settings =
        [("NBHOOK_KERNEL__LIMIT", "4"), ("NBHOOK_LOG__FILTER", "warn"), ("NBHOOK_KERNEL__EXECUTOR", "spawn")];
    let server = Server::start_with(data.path(), &settings);
    let sleep = "import subprocess; subprocess.Popen(['sleep', '1000'], start_new_session=True)";
    let mut hooks = Vec::new();
    for (path, cells, params, status) in [
        ("succeeds", vec!["from nbhook import webhook", "webhook.respond_file(file)"], json!({}), 200),
        ("answers-nothing", vec!["open('left.txt', 'w').write('x')"], json!({}), 200),
        ("raises", vec!["1/0"], json!({}), 500),
        (
            "leaves-processes",
            vec![sleep, "import threading, time; threading.Thread(target=time.sleep, args=(0.1,)).start()"],
            json!({}),
            200,
        ),
        ("dies", vec!["import os, signal; os.kill(os.getpid(), signal.SIGKILL)"], json!({}), 500),
        ("exits", vec![sleep, "import os; os._exit(3)"], json!({}), 500),
        ("loops", vec!["import time\nwhile True: time.sleep(0.01)"], json!({"timeout": 1}), 504),
        (
            "loops-on",
            vec!["while True:\n    try:\n        while True: pass\n    except KeyboardInterrupt: pass"],
            json!({"timeout": 1}),
            504,
        ),
    ] {
        hooks.push((server.deploy(&format!("{path}.ipynb"), &notebook(&cells), params).await, status));
    }
    runs(&server, &hooks, 2 * hooks.len()).await; // fills pools and caches
    // Idle threads and connections of the server end after a while by themselves.
    let mut last = None;
    let mut settled = |most: Held| {
        let begun = std::time::Instant::now();
        eventually("nothing is left", || {
            let now = held(&server, &data);
            // What it is has to be told before the time is over.
            if begun.elapsed() > crate::binary::PATIENCE.mul_f64(0.9) && last != Some(now) {
                println!("still there: {now:?} of {most:?}; {:?}", processes_of_runs(&server.url));
                last = Some(now);
            }
            let fits = now.files <= most.files && now.threads <= most.threads;
            (fits && Held { files: 0, threads: 0, ..now } == Held { files: 0, threads: 0, ..most }).then_some(now)
        })
    };
    let nothing = Held { children: 0, of_runs: 0, files: 100, threads: 100, meeting_places: 0, scratch: 0 };
    tokio::time::sleep(Duration::ZERO).await;
    let before = tokio::task::block_in_place(|| settled(nothing));
    let memory = resident(server.pid());
    runs(&server, &hooks, RUNS).await;
    // A few more may be in pools; 200 runs that each leave one would be far more.
    let most = Held { files: before.files + 10, threads: before.threads + 10, ..before };
    let after = tokio::task::block_in_place(|| settled(most));
    let grown = resident(server.pid()).saturating_sub(memory);
    assert!(grown < 40 << 10, "memory grew by {grown} KiB; {before:?}, {after:?}");
    let outputs = server.get("/v1/runs?limit=250").await["items"].as_array().unwrap().len();
    assert_eq!(outputs, RUNS + 2 * hooks.len());
    println!("before {before:?}, after {after:?}, {grown} KiB more");
}
