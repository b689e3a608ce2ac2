use std::path::Path;
use std::time::{Duration, Instant};

use super::*;
use crate::model::RunId;

fn shell(script: &str) -> Command {
    command("/bin/sh").args(["-c", script])
}

/// Whether a process runs; a zombie does not.
fn runs(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).is_some_and(|state| state != 'Z' && state != 'X')
}

async fn until(condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(10), "condition not reached within 10 s");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn read_pids(file: &Path, count: usize) -> Vec<i32> {
    let pids = || -> Vec<i32> {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
    };
    until(|| pids().len() == count).await;
    pids()
}

#[tokio::test]
async fn helper_gets_input_and_gives_both_streams() {
    let output = run_to_end(shell("cat; echo err >&2; exit 3"), b"in", Duration::from_secs(10), 100).await.unwrap();
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (b"in".as_slice(), b"err\n".as_slice()));
    assert_eq!(output.status, Exit::Code(3));
    assert_eq!(output.status.to_string(), "exit status 3");
}

#[tokio::test]
async fn helper_that_reads_nothing_is_no_error() {
    let output = run_to_end(shell("exit 0"), &vec![0; 1 << 20], Duration::from_secs(10), 100).await.unwrap();
    assert!(output.status.success());
}

#[tokio::test]
async fn helper_is_bounded_in_time_and_output() {
    let late = run_to_end(shell("sleep 100"), b"", Duration::from_millis(50), 100).await;
    assert!(matches!(late, Err(HelperError::Timeout(_))), "{late:?}");
    let much = run_to_end(shell("yes"), b"", Duration::from_secs(10), 1000).await;
    assert!(matches!(much, Err(HelperError::TooMuchOutput(1000))), "{much:?}");
    let none = run_to_end(command("/no/such/program"), b"", Duration::from_secs(10), 1000).await;
    assert!(matches!(none, Err(HelperError::Spawn(error)) if error.kind() == io::ErrorKind::NotFound));
}

#[tokio::test]
async fn signals_are_told_by_name() {
    let process = Process::spawn(shell("kill -SEGV $$")).await.unwrap();
    assert_eq!(process.wait().await.to_string(), "killed by SIGSEGV");
    let process = Process::spawn(shell("exec sleep 100")).await.unwrap();
    process.interrupt();
    assert_eq!(process.wait().await, Exit::Signal(libc::SIGINT));
}

#[tokio::test]
async fn drop_kills_the_group_and_what_left_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pids");
    // A child, a grandchild, and one in a session of its own.
    let script =
        format!("(sleep 100 & echo $! >>{0}; wait) & setsid sh -c 'echo $$ >>{0}; sleep 100' & wait", file.display());
    let process = Process::spawn(shell(&script).run(RunId::new())).await.unwrap();
    let mut pids = read_pids(&file, 2).await;
    pids.push(process.id());
    assert!(pids.iter().all(|pid| runs(*pid)));
    drop(process);
    until(|| !pids.iter().any(|pid| runs(*pid))).await;
}

#[tokio::test]
async fn the_rest_of_the_group_ends_with_its_leader() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pids");
    let process = Process::spawn(shell(&format!("sleep 100 & echo $! >{}", file.display()))).await.unwrap();
    assert!(process.wait().await.success());
    let left = read_pids(&file, 1).await[0];
    until(|| !runs(left)).await;
}

#[tokio::test]
async fn orphans_are_found_by_their_run() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pids");
    let (run, other) = (RunId::new(), RunId::new());
    let script = format!("echo $$ >{}; exec sleep 100", file.display());
    // Started without `run`, so that its owner does not know the mark: as if left by another server.
    let process = Process::spawn(shell(&script).envs([(RUN_MARK, run.to_string())])).await.unwrap();
    read_pids(&file, 1).await;
    let killed =
        tokio::task::spawn_blocking(move || [kill_orphans(&[other]), kill_orphans(&[other, run])]).await.unwrap();
    assert_eq!(killed, [0, 1]);
    assert!(process.wait().await.killed());
}

#[tokio::test]
async fn the_child_sees_no_setting_of_the_server_and_no_foreign_file() {
    let script = "env | grep -c ^NBHOOK_; ls /proc/self/fd | wc -l; ulimit -c; ulimit -v; ps -o sid= -p $$ | tr -d ' '";
    let process = command("/bin/sh")
        .args(["-c", script])
        .limited(Resources { memory_bytes: Some(1 << 30), ..Resources::default() });
    let output = run_to_end(process, b"", Duration::from_secs(10), 1000).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    // stdin, stdout, stderr and the directory that `ls` itself reads.
    assert_eq!(lines[..4], ["0", "4", "0", "1048576"]);
}

/// Runs an ignored test of this crate in a process of its own, and tells whether it passed and what it printed.
pub(in crate::kernel) fn rerun(test: &str, mark: &str) -> (bool, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let program = std::env::current_exe().unwrap();
    // What begins with NBHOOK_ is kept from processes.
    let settings = std::env::vars().filter(|(name, _)| name.starts_with("NBHOOK_TEST_"));
    let test = command(program).args(["--ignored", "--exact", test]).envs(settings).envs([(mark, "1")]);
    let output = runtime.block_on(run_to_end(test, b"", Duration::from_mins(5), 1 << 20)).unwrap();
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success() && printed.contains("1 passed"), printed)
}

#[tokio::test]
async fn a_killed_server_takes_its_processes_along() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pids");
    let run = RunId::new();
    let server = command(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "kernel::process::tests::serves_until_it_is_killed"])
        .envs([("SERVER_FILE", file.as_os_str()), ("SERVER_RUN", run.to_string().as_ref())]);
    let server = Process::spawn(server).await.unwrap();
    let pids = read_pids(&file, 2).await;
    server.kill_group();
    server.wait().await;
    // What the server started dies with it; what that started is an orphan, and found by its run.
    until(|| !runs(pids[0])).await;
    assert!(runs(pids[1]));
    assert_eq!(tokio::task::spawn_blocking(move || kill_orphans(&[run])).await.unwrap(), 1);
    until(|| !runs(pids[1])).await;
}

#[tokio::test]
#[ignore = "run by `a_killed_server_takes_its_processes_along`"]
async fn serves_until_it_is_killed() {
    let [file, run] = ["SERVER_FILE", "SERVER_RUN"].map(|name| std::env::var(name).unwrap());
    let process =
        Process::spawn(shell(&format!("sleep 100 & echo $$ $! >{file}; wait")).run(run.parse().unwrap())).await;
    process.unwrap().wait().await;
}
