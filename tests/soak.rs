//! Kernels, templates and connections that end at random: every caller who stays is answered, and nothing is left.
//!
//! `NBHOOK_SOAK_RUNS=5000 ./test soak` makes it long.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::app::{notebook, ok, spawns, url};
use crate::binary::{Server, eventually, meeting_places, processes, processes_of_runs, signal};
use crate::leaks::{Held, held};

const CALLERS: usize = 8;
/// A template that was killed is missed for a while, so that is done more seldom.
const KERNELS_PER_TEMPLATE: u64 = 40;
/// After so many kernels the first template is killed, however short the test.
const FIRST_TEMPLATE: u32 = 5;
/// One that ends sooner after it was ready counts as a failure, after which the next one is long in coming.
const A_NEW_TEMPLATE: Duration = Duration::from_secs(7);

/// The same numbers for the same seed (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % end
    }
}

/// The templates of a server, and their kernels.
fn forked(server: u32) -> (Vec<u32>, Vec<u32>) {
    let all = processes();
    let children = |of: &[u32]| -> Vec<u32> {
        all.iter().filter(|(_, parent, _)| of.contains(parent)).map(|(pid, _, _)| *pid).collect()
    };
    // What is spawned while there is no template is no template.
    let is_template = |pid: &u32| {
        let words = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        words.contains("_forkserver.py")
    };
    let templates: Vec<u32> = children(&[server]).into_iter().filter(is_template).collect();
    let kernels = children(&templates);
    (templates, kernels)
}

/// How many templates and forked kernels of a data folder there are, whoever their parents are by now: the path of their script, which
/// lies in the folder, is in their command line. Zombies have none.
fn forked_anywhere(data: &Path) -> usize {
    let folder = data.file_name().unwrap().to_str().unwrap();
    let of = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let ours = |words: &str| words.contains(folder) && words.contains("_forkserver.py");
    processes().iter().filter(|(pid, _, _)| ours(&of(pid))).count()
}

/// Kills something at random, again and again, until it is told to end; gives how often.
fn havoc(server: u32, mut random: Dice, end: &AtomicBool) -> (u32, u32) {
    let (mut kernels_killed, mut templates_killed) = (0, 0);
    while !end.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(20 + random.below(100)));
        let (templates, kernels) = forked(server);
        let template =
            random.below(KERNELS_PER_TEMPLATE) == 0 || (kernels_killed == FIRST_TEMPLATE && templates_killed == 0);
        let among = if template { &templates } else { &kernels };
        // A template that starts tries things out in one child after another; killed, there would never be a template.
        if among.is_empty() || kernels.len() < 2 {
            continue;
        }
        // It may have ended by itself meanwhile.
        if crate::binary::try_signal(among[usize::try_from(random.below(among.len() as u64)).unwrap()], "KILL") {
            *(if template { &mut templates_killed } else { &mut kernels_killed }) += 1;
            if template {
                std::thread::sleep(A_NEW_TEMPLATE);
            }
        }
    }
    (kernels_killed, templates_killed)
}

/// The statuses of calls by so many callers, and of how many connections were dropped by their callers.
async fn calls(server: &Server, hooks: &[Value], number: usize, random: &mut Dice) -> (BTreeMap<u16, usize>, usize) {
    let calls = (0..number).map(|index| {
        let call = server.http.get(url(&hooks[index % hooks.len()])).query(&[("number", index.to_string())]);
        let gone_after = (random.below(10) == 0).then(|| Duration::from_millis(1 + random.below(60)));
        async move {
            match gone_after {
                Some(patience) => match tokio::time::timeout(patience, call.send()).await {
                    Ok(answer) => Some((index, answer.unwrap())),
                    Err(_) => None,
                },
                None => Some((index, call.send().await.unwrap())),
            }
        }
    });
    let mut statuses = BTreeMap::new();
    let mut dropped = 0;
    let mut answers = stream::iter(calls).buffer_unordered(CALLERS);
    while let Some(answer) = answers.next().await {
        let Some((index, answer)) = answer else {
            dropped += 1;
            continue;
        };
        let status = answer.status().as_u16();
        *statuses.entry(status).or_insert(0) += 1;
        let body = answer.bytes().await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        match status {
            200 => assert_eq!(body, json!(index), "another caller's answer"),
            500 => assert!(
                ["cell-error", "kernel-died"].iter().any(|kind| body["type"] == format!("urn:nbhook:problem:{kind}")),
                "{body}: {}",
                server.log()
            ),
            _ => panic!("{status}: {body}: {}", server.log()),
        }
    }
    (statuses, dropped)
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_ends_at_random_every_caller_is_answered_and_nothing_is_left() {
    if spawns() {
        return; // there is no template to kill
    }
    let runs = std::env::var("NBHOOK_SOAK_RUNS").map_or(160, |runs| runs.parse().unwrap());
    let seed = std::env::var("NBHOOK_SOAK_SEED").map_or(7, |seed| seed.parse().unwrap());
    println!("{runs} runs, seed {seed}");
    let mut random = Dice(seed);
    let data = TempDir::new().unwrap();
    let server = Server::start_with(data.path(), &[("NBHOOK_LOG__FILTER", "error"), ("NBHOOK_KERNEL__POOL", "4")]);
    let answer = "from nbhook import webhook\nwebhook.respond_json(int(number))";
    let mut hooks = Vec::new();
    for (name, cell) in [
        ("hello", "pass"),
        ("starts", "import subprocess\nsubprocess.Popen(['sleep', '1000'], start_new_session=True)"),
        ("raises", "if int(number) % 7 == 0: raise ValueError(number)"),
        ("sleeps", "import time\ntime.sleep(0.05)"),
    ] {
        hooks.push(server.deploy(&format!("{name}.ipynb"), &notebook(&[cell, answer]), json!({})).await);
    }
    let settled = |what: &str, most: Held| {
        eventually(what, || {
            let now = held(&server, &data);
            let (templates, kernels) = forked(server.pid());
            let full = (templates.len(), kernels.len()) == (1, 4) && now.of_runs == 0 && now.meeting_places == 0;
            let fits = now.files <= most.files && now.threads <= most.threads;
            let stray = forked_anywhere(data.path()) != 5;
            (full && fits && !stray && now.scratch == 0).then_some(now)
        })
    };
    let any = Held { children: 1, of_runs: 0, files: usize::MAX, threads: usize::MAX, meeting_places: 0, scratch: 0 };
    tokio::task::block_in_place(|| settled("kernels wait", any));
    for hook in hooks.iter().cycle().take(20) {
        let _ = server.call(hook, &[("number", "1")]).await;
    }
    let before = tokio::task::block_in_place(|| settled("kernels wait again", any));

    let end = Arc::new(AtomicBool::new(false));
    let (pid, chaos, told) = (server.pid(), Dice(seed + 1), end.clone());
    let havoc = std::thread::spawn(move || havoc(pid, chaos, &told));
    let (statuses, dropped) = calls(&server, &hooks, runs, &mut random).await;
    end.store(true, Ordering::SeqCst);
    let (kernels, templates) = havoc.join().unwrap();
    println!("answers {statuses:?}, {dropped} callers went, {kernels} kernels and {templates} templates were killed");
    assert!(kernels > 0 && templates > 0 && statuses[&200] > 0);

    // A few more connections and idle threads may be there; one for each run would be far more.
    let most = Held { files: before.files + 16, threads: before.threads + 16, ..before };
    let after = tokio::task::block_in_place(|| settled("nothing is left", most));
    println!("before {before:?}, after {after:?}");
    for state in ["queued", "running"] {
        let path = format!("/v1/runs?state={state}");
        let counted = ok(server.api(reqwest::Method::GET, &path).send().await.unwrap()).await;
        assert_eq!(counted["items"], json!([]), "every run has ended");
    }

    let url = server.url.clone();
    signal(server.pid(), "TERM");
    let mut server = server;
    server.ended(Duration::from_secs(30));
    eventually("no process and no directory is left", || {
        let none = forked_anywhere(data.path()) == 0 && processes_of_runs(&url).is_empty();
        (none && meeting_places(pid).is_empty()).then_some(())
    });
}
