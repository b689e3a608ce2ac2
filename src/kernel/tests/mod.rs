//! The executors with real kernels; with which one is said by `NBHOOK_TEST_EXECUTOR`, see [`support::executor`].

mod ends;
mod leftovers;
mod oracle;
pub(super) mod support;
mod tqdm;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;
use support::{Notebook, executor, run, test_python};

/// The text of a cell's streams of one name.
pub(super) fn stream(cell: &ExecutedCell, name: &str) -> String {
    let streams = cell.outputs.iter().filter(|output| output["name"] == name);
    streams.filter_map(|output| output["text"].as_str()).collect()
}

#[tokio::test]
async fn runs_cells_in_order() {
    let execution = run(Notebook::new(&["x = 20", "print('hello')", "  ", "x + 1"])).await;
    assert_eq!(execution.outcome, Outcome::Succeeded);
    let counts: Vec<_> = execution.cells.iter().map(|cell| (cell.index, cell.execution_count)).collect();
    assert_eq!(counts, [(0, Some(1)), (1, Some(2)), (3, Some(3))]);
    assert_eq!(execution.cells[1].outputs[0]["text"], "hello\n");
    assert_eq!(execution.cells[2].outputs[0]["data"]["text/plain"], "21");
    assert!(execution.cells.iter().all(|cell| cell.finished_at.is_some_and(|at| at >= cell.started_at)));
    assert_eq!(execution.language_info.unwrap()["name"], "python");
}

#[tokio::test]
async fn an_error_stops_the_run() {
    let execution = run(Notebook::new(&["1", "raise ValueError('no ünit')", "2"])).await;
    assert_eq!(execution.cells.len(), 2);
    assert_eq!(execution.cells[1].outputs[0]["ename"], "ValueError");
    let Outcome::CellError { cell, ename, evalue, traceback } = execution.outcome else {
        panic!("{:?}", execution.outcome)
    };
    assert_eq!((cell, ename.as_str(), evalue.as_str()), (1, "ValueError", "no ünit"));
    assert!(traceback.last().unwrap().contains("ValueError"));
}

#[tokio::test]
async fn an_expected_error_lets_the_run_go_on() {
    let mut notebook = Notebook::new(&["1/0", "'after'"]);
    notebook.job.cells[0].raises_exception = true;
    let execution = run(notebook).await;
    assert_eq!(execution.outcome, Outcome::Succeeded);
    assert_eq!(execution.cells[0].outputs[0]["ename"], "ZeroDivisionError");
    assert_eq!(execution.cells[1].outputs[0]["data"]["text/plain"], "'after'");
}

#[tokio::test]
async fn nobody_answers_input() {
    for source in ["input('name? ')", "import getpass; getpass.getpass()", "import sys; sys.stdin.read() + 1"] {
        let execution = run(Notebook::new(&[source])).await;
        let Outcome::CellError { ename, .. } = execution.outcome else { panic!("{source}: {:?}", execution.outcome) };
        let expected = if source.contains("sys.stdin") { "TypeError" } else { "StdinNotImplementedError" };
        assert_eq!(ename, expected, "{source}");
    }
}

#[tokio::test]
async fn nothing_that_is_printed_is_lost() {
    let source = "import sys\nfor i in range(200_000):\n    print(i)\n    if i % 10 == 0: sys.stdout.flush()";
    let execution = run(Notebook::new(&[source, "print('end')"])).await;
    assert_eq!(execution.outcome, Outcome::Succeeded);
    let expected = (0..200_000).map(|i| i.to_string()).collect::<Vec<_>>().join("\n") + "\n";
    assert!(stream(&execution.cells[0], "stdout") == expected, "lines were lost or reordered");
    assert_eq!(stream(&execution.cells[1], "stdout"), "end\n");
}

#[tokio::test]
async fn odd_text_and_large_data_arrive() {
    let source = "print('a\\ud800b\\udc80')\ndisplay({'text/plain': 'x' * 3_000_000}, raw=True)";
    let execution = run(Notebook::new(&[source, "raise ValueError('\\ud800')"])).await;
    assert!(matches!(&execution.outcome, Outcome::CellError { evalue, .. } if evalue == "\u{fffd}"));
    let text = stream(&execution.cells[0], "stdout");
    assert!(text.starts_with("a\u{fffd}") && text.ends_with("b\u{fffd}\n"), "{text:?}");
    let display = execution.cells[0].outputs.iter().find(|output| output["output_type"] == "display_data").unwrap();
    assert_eq!(display["data"]["text/plain"].as_str().unwrap().len(), 3_000_000);
}

#[tokio::test]
async fn the_kernel_looks_like_ipykernels_own() {
    let source = "import sys, os, json\nprint(json.dumps({'path': sys.path, 'argv': sys.argv, 'main': \
                  [n for n in dir(sys.modules['__main__']) if not n.startswith('_')], \
                  'run': os.environ.get('NBHOOK_RUN'), 'cwd': os.getcwd(), 'extra': os.environ['EXTRA'],\
                  'file': '__file__' in globals(), 'json': str(json.encoder.c_make_encoder), 'spec': __spec__ is None, 'token': os.environ.get('NBHOOK_ADMIN_TOKEN')}))";
    let mut notebook = Notebook::new(&[source]);
    notebook.job.env = vec![("EXTRA".to_owned(), "given".to_owned())];
    let (id, workdir) = (notebook.job.run.to_string(), notebook.job.workdir.clone());
    let mut own = notebook.job.clone();
    let execution = run(notebook).await;
    let seen: Value = serde_json::from_str(&stream(&execution.cells[0], "stdout")).unwrap();

    std::fs::create_dir_all(&workdir).unwrap();
    own.kernel.argv = ["-m", "ipykernel_launcher", "-f", "{connection_file}"].map(str::to_owned).to_vec();
    own.kernel.argv.insert(0, test_python().to_str().unwrap().to_owned());
    let execution = executor().complete(own).await.unwrap();
    let plain: Value = serde_json::from_str(&stream(&execution.cells[0], "stdout")).unwrap();
    std::fs::remove_dir_all(&workdir).unwrap();

    let mut path = plain["path"].as_array().unwrap().clone();
    path.push(json!(support::client_dir().to_str().unwrap()));
    assert_eq!(seen["path"], Value::Array(path));
    assert_eq!(seen["argv"], json!([plain["argv"][0]]));
    for same in ["main", "file", "spec", "cwd", "json"] {
        assert_eq!(seen[same], plain[same], "{same}");
    }
    assert_eq!((seen["run"].as_str(), seen["extra"].as_str()), (Some(id.as_str()), Some("given")));
    assert_eq!(seen["token"], Value::Null);
}

#[tokio::test]
async fn what_an_open_file_holds_is_written_out() {
    let source = "f = open('left_open.txt', 'w'); f.write('complete')\n\
                  import zipfile; z = zipfile.ZipFile('left_open.zip', 'w'); z.writestr('a', 'b')\n\
                  import atexit; atexit.register(lambda: open('at_exit.txt', 'w').write('ran'))\n\
                  import threading, time\n\
                  def late(): time.sleep(0.3); open('thread.txt', 'w').write('done')\n\
                  threading.Thread(target=late).start()";
    let notebook = Notebook::new(&[source]);
    let dir = notebook.dir.path().to_owned();
    let execution = executor().complete(notebook.job).await.unwrap();
    assert_eq!(execution.outcome, Outcome::Succeeded);
    let text = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    assert_eq!((text("left_open.txt"), text("at_exit.txt"), text("thread.txt")).0, "complete");
    assert_eq!((text("at_exit.txt").as_str(), text("thread.txt").as_str()), ("ran", "done"));
    // Its directory of entries is written by its finalizer.
    assert!(std::fs::read(dir.join("left_open.zip")).unwrap().windows(4).any(|bytes| bytes == b"PK\x05\x06"));
}

#[tokio::test]
async fn a_kernel_ends_promptly() {
    let mut fastest = Duration::MAX;
    for source in ["1", "import subprocess; subprocess.Popen(['sleep', '100'])", "1/0"] {
        let started = Instant::now();
        run(Notebook::new(&[source])).await;
        fastest = fastest.min(started.elapsed());
    }
    // A kernel that does not end by itself is given five seconds.
    assert!(fastest < Duration::from_secs(4), "{fastest:?}");
}

#[tokio::test]
async fn other_languages_run_too() {
    let kernels = tempfile::tempdir().unwrap();
    let dir = kernels.path().join("bash");
    std::fs::create_dir(&dir).unwrap();
    let spec = json!({"argv": ["python", "-m", "bash_kernel", "-f", "{connection_file}"], "language": "bash",
                      "env": {"PS1": "$"}});
    support::put(&dir.join("kernel.json"), &spec.to_string());
    let mut specs = Kernelspecs::new(&test_python(), &support::client_dir());
    specs.search_first(kernels.path());
    let mut notebook = Notebook::new(&["x=5; echo $((x + 1))", "ls /no/such", "echo unreached"]);
    notebook.job.kernel = specs.find("bash").unwrap();
    let execution = run(notebook).await;
    assert_eq!(stream(&execution.cells[0], "stdout"), "6\n");
    assert_eq!(execution.cells.len(), 2);
    assert!(matches!(execution.outcome, Outcome::CellError { cell: 1, .. }), "{:?}", execution.outcome);
    assert_eq!(execution.language_info.unwrap()["name"], "bash");
}
