//! What ends, and what is left.

use super::super::super::process;
use super::super::super::tests::support::{marked, until_gone};
use super::*;

#[tokio::test]
async fn a_killed_template_takes_its_kernels_along_and_is_replaced() {
    let executor = ready(1).await;
    let source = "import os, subprocess, time\nsubprocess.Popen(['sleep', '1000'], start_new_session=True)\n\
                  os.kill(os.getppid(), 9); time.sleep(100)";
    let notebook = Notebook::new(&[source]);
    let run = notebook.job.run;
    let execution = executor.complete(notebook.job).await.unwrap();
    assert_eq!(execution.outcome, Outcome::KernelDied { cell: Some(0), reason: "killed by SIGKILL".to_owned() });
    assert_eq!(marked(run), 0);
    // Nobody waits for the new one, and then it is there.
    command_line(&executor).await;
    executor.ready(&python(), LIMIT, 1).await;
    assert!(command_line(&executor).await.contains("_forkserver.py"));
}

#[tokio::test]
async fn a_template_that_hangs_is_given_up() {
    let executor = ready(0).await;
    let notebook = Notebook::new(&["import os; print(os.getppid())"]);
    let template = stream(&executor.complete(notebook.job).await.unwrap().cells[0], "stdout");
    let stop = command("/bin/kill").args(["-STOP", template.trim()]);
    assert!(run_to_end(stop, b"", Duration::from_secs(10), 1000).await.unwrap().status.success());
    assert!(command_line(&executor).await.contains("_kernel.py"));
    executor.ready(&python(), LIMIT, 0).await;
    assert!(command_line(&executor).await.contains("_forkserver.py"));
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_stay_apart() {
    let executor = ready(4).await;
    let runs = (0..50).map(|number| {
        let executor = &executor;
        async move {
            let source = format!("import os, time; time.sleep(0.1); print(os.getcwd()); {number}");
            let notebook = Notebook::new(&[&source]);
            let dir = notebook.dir;
            let execution = executor.complete(notebook.job).await.unwrap();
            assert_eq!(execution.outcome, Outcome::Succeeded);
            assert_eq!(stream(&execution.cells[0], "stdout").trim(), dir.path().to_str().unwrap());
            let result = execution.cells[0].outputs.iter().find(|output| output["output_type"] == "execute_result");
            assert_eq!(result.unwrap()["data"]["text/plain"], number.to_string());
        }
    });
    futures_util::future::join_all(runs).await;
}

#[tokio::test]
async fn a_dropped_run_leaves_nothing() {
    let executor = ready(1).await;
    for delay in [0, 1, 5, 20, 50, 100, 500] {
        let source = "import subprocess, time; subprocess.Popen(['sleep', '100']); time.sleep(100)";
        let notebook = Notebook::new(&[source]);
        let run = notebook.job.run;
        assert!(tokio::time::timeout(Duration::from_millis(delay), executor.complete(notebook.job)).await.is_err());
        until_gone(run).await;
    }
}

#[tokio::test]
async fn what_only_the_end_of_python_writes_is_written() {
    // Held by a module, so that it outlives the notebook's names.
    let source = "import sys, zipfile\nsys.kept = open('kept.txt', 'w'); sys.kept.write('all')\n\
                  sys.archive = zipfile.ZipFile('kept.zip', 'w'); sys.archive.writestr('a', 'b')";
    let executor = ready(0).await;
    let notebook = Notebook::new(&[source]);
    let dir = notebook.dir;
    assert_eq!(executor.complete(notebook.job).await.unwrap().outcome, Outcome::Succeeded);
    assert_eq!(std::fs::read_to_string(dir.path().join("kept.txt")).unwrap(), "all");
    assert!(std::fs::metadata(dir.path().join("kept.zip")).unwrap().len() > 22);
}

/// The server's open files, the directories with its kernels' sockets, and its descendants' number.
fn leftovers() -> (usize, usize, usize) {
    let files = std::fs::read_dir("/proc/self/fd").unwrap().count();
    let prefix = format!("nbhook-{}-", std::process::id());
    let names = |dir: &std::path::Path| {
        let entries = std::fs::read_dir(dir).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let dirs = names(&std::env::temp_dir()).into_iter().filter(|name| name.starts_with(&prefix)).count();
    (files, dirs, descendants(std::process::id()))
}

fn descendants(of: u32) -> usize {
    let children = |pid: u32| -> Vec<u32> {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
    };
    children(of).into_iter().map(|child| 1 + descendants(child)).sum()
}

#[test]
fn two_hundred_runs_leave_nothing() {
    let output = process::tests::rerun("kernel::forkserver::tests::ends::two_hundred_runs", "ALONE");
    assert!(output.0, "{}", output.1);
}

#[tokio::test]
#[ignore = "run by `two_hundred_runs_leave_nothing`"]
async fn two_hundred_runs() {
    if std::env::var_os("ALONE").is_none() {
        return;
    }
    let executor = ready(2).await;
    let odd = ["import subprocess; subprocess.Popen(['sleep', '100'])", "1/0", "import os; os._exit(1)"];
    let mut after_first = None;
    for round in 0..200 {
        // Those that end oddly take longer.
        let source = if round < odd.len() || round % 25 == 0 { odd[round % odd.len()] } else { "print(1)" };
        let notebook = Notebook::new(&[source]);
        let run = notebook.job.run;
        executor.complete(notebook.job).await.unwrap();
        assert_eq!(marked(run), 0);
        if round == odd.len() {
            executor.ready(&python(), LIMIT, 2).await;
            after_first = Some(leftovers());
        }
    }
    executor.ready(&python(), LIMIT, 2).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(Some(leftovers()), after_first);
    drop(executor);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (_, dirs, processes) = leftovers();
    assert_eq!((dirs, processes), (0, 0));
}

#[tokio::test]
async fn nothing_outlives_a_killed_server() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pids");
    let server = command(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "kernel::forkserver::tests::ends::server_to_kill"])
        .envs(std::env::vars().filter(|(name, _)| name.starts_with("NBHOOK_TEST_")))
        .envs([("ALONE", file.to_str().unwrap())]);
    let server = process::Process::spawn(server).await.unwrap();
    let pids = loop {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        if text.ends_with('\n') {
            break text.split_whitespace().map(|pid| pid.parse::<u32>().unwrap()).collect::<Vec<_>>();
        }
        assert_eq!(server.ended(), None);
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    // The template, the kernel that runs, and two that wait.
    assert!(descendants(u32::try_from(server.id()).unwrap()) >= 4 && pids.len() == 2);
    let kill = command("/bin/kill").args(["-KILL", &server.id().to_string()]);
    run_to_end(kill, b"", Duration::from_secs(10), 1000).await.unwrap();
    server.wait().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let named = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    assert!(pids.iter().all(|pid| named(pid).is_empty()), "{:?}", pids.iter().map(named).collect::<Vec<_>>());
    let all =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let left = all.filter(|pid| {
        std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|env| contains(&env, file.to_str().unwrap()))
    });
    assert_eq!(left.collect::<Vec<_>>(), Vec::<u32>::new());
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
#[ignore = "run by `nothing_outlives_a_killed_server`"]
async fn server_to_kill() {
    let Ok(file) = std::env::var("ALONE") else { return };
    let executor = ready(3).await;
    let source =
        format!("import os, time; open({file:?}, 'w').write(f'{{os.getpid()}} {{os.getppid()}}\\n'); time.sleep(100)");
    executor.complete(Notebook::new(&[&source]).job).await.unwrap();
}
