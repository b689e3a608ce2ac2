//! `nbhook run`: a notebook on this machine, without a server, in real kernels.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::app::{notebook, python, write};
use crate::binary::{finished, nbhook};

/// `nbhook run` in this folder, which is also the user's home.
fn run(home: &TempDir, arguments: &[&str]) -> Command {
    let mut command = nbhook(["run", "--python"]);
    command.arg(python()).args(arguments).current_dir(home.path()).env("HOME", home.path());
    command.env_remove("XDG_CACHE_HOME").env_remove("VIRTUAL_ENV");
    command
}

/// What a run that ended with this code printed, and said.
fn ran(home: &TempDir, arguments: &[&str], code: i32) -> (String, String) {
    let (status, out, err) = finished(run(home, arguments));
    assert_eq!(status.code(), Some(code), "{out}\n{err}");
    (out, err)
}

fn saved(home: &TempDir, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(home.path().join(name)).unwrap()).unwrap()
}

/// Answers with its parameters; `n` is declared a number, `name` text.
fn home() -> TempDir {
    let home = TempDir::new().unwrap();
    let mut report = notebook(&[
        "n: int = 1\nname: str = 'x'",
        "import os\nprint('in', os.path.basename(os.getcwd()))",
        "from nbhook import webhook\nwebhook.respond_json({'share': 6 / n, 'name': name, 'more': globals().get('more')})",
    ]);
    report["cells"][0]["metadata"]["tags"] = json!(["parameters"]);
    write(&home.path().join("report.ipynb"), report.to_string().as_bytes());
    home
}

#[test]
fn a_notebook_runs_as_papermill_runs_it_and_answers_as_a_hook_does() {
    let home = home();
    write(&home.path().join("p.yaml"), b"n: 2\nmore: [a, {b: 1}]\n");
    let line = ["report.ipynb", "out.ipynb", "-f", "p.yaml", "-p", "n", "3", "-p", "name", "12", "--response", "-"];
    let (answer, said) = ran(&home, &[&line[..], &["--log-output"]].concat(), 0);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer, json!({"share": 2.0, "name": "12", "more": ["a", {"b": 1}]}), "12 is text, by the contract");
    let folder = home.path().file_name().unwrap().to_str().unwrap();
    assert!(said.contains(&format!("in {folder}\n")), "{said}");
    let executed = saved(&home, "out.ipynb");
    assert_eq!(executed["cells"].as_array().unwrap().len(), 4);
    assert_eq!(executed["cells"][1]["metadata"]["tags"], json!(["injected-parameters"]));
    assert_eq!(executed["cells"][2]["execution_count"], 3);
    assert!(!said.contains("warning"), "{said}");

    let (copy, _) = ran(&home, &["report.ipynb", "-", "-r", "name", "True", "-p", "n=5", "--prepare-only"], 0);
    let copy: Value = serde_json::from_str(&copy).unwrap();
    let source = copy["cells"][1]["source"].to_string();
    assert!(source.contains("n = 5") && source.contains("name = \\\"True\\\""), "{source}");
    assert_eq!(copy["cells"][2]["outputs"], json!([]));
    let (_, said) = ran(&home, &["report.ipynb"], 0);
    assert!(said.contains("answered 200 application/json"), "{said}");
}

#[test]
fn parameters_that_do_not_fit_are_told_one_by_one_before_a_kernel_is_spent() {
    let home = home();
    let (out, said) = ran(&home, &["report.ipynb", "out.ipynb", "-p", "n=x", "-p", "nam=y", "--strict"], 7);
    assert!(out.is_empty() && said.contains("  n: ") && said.contains("  nam: "), "{said}");
    assert!(!home.path().join("out.ipynb").exists());
    for (arguments, code, told) in [
        (vec!["gone.ipynb"], 2, "nbhook call gone.ipynb"),
        (vec!["report.ipynb", "-", "--response", "-"], 2, "only one"),
        (vec!["report.ipynb", "-y", "a: ["], 2, "-y"),
        (vec!["report.ipynb", "-k", "nope"], 1, "no kernelspec `nope`"),
        (vec!["report.ipynb", "-p", "n"], 2, "NAME=VALUE"),
    ] {
        let (_, said) = ran(&home, &arguments, code);
        assert!(said.contains(told), "{arguments:?}: {said}");
    }
}

#[test]
fn a_notebook_that_fails_is_written_and_its_cell_named() {
    let home = home();
    write(&home.path().join("out.ipynb"), b"of before");
    let (_, said) = ran(&home, &["report.ipynb", "out.ipynb", "-p", "n", "0"], 6);
    assert!(said.contains("Traceback") && said.contains("cell 3 of the notebook raised ZeroDivisionError"), "{said}");
    assert_eq!(saved(&home, "out.ipynb")["cells"][3]["outputs"][0]["ename"], "ZeroDivisionError");
    write(&home.path().join("slow.ipynb"), notebook(&["import time\ntime.sleep(60)"]).to_string().as_bytes());
    let (_, said) = ran(&home, &["slow.ipynb", "--execution-timeout", "1"], 6);
    assert!(said.contains("took longer than 1 s") && said.contains("in cell 1"), "{said}");
}

#[test]
fn ctrl_c_leaves_nothing_running() {
    let home = TempDir::new().unwrap();
    let cells = [
        "import os, subprocess\nchild = subprocess.Popen(['sleep', '600'], start_new_session=True)",
        "print(os.getpid(), child.pid, flush=True)",
        "child.wait()",
    ];
    write(&home.path().join("waits.ipynb"), notebook(&cells).to_string().as_bytes());
    let mut command = run(&home, &["waits.ipynb", "out.ipynb", "--log-output"]);
    let mut child = command.spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let processes: Vec<String> = line.split_whitespace().map(|pid| format!("/proc/{pid}")).collect();
    assert!(processes.len() == 2 && processes.iter().all(|process| Path::new(process).exists()), "{line}");
    #[expect(unsafe_code, reason = "a signal to the test's own process")]
    // SAFETY: takes two numbers.
    unsafe {
        libc::kill(i32::try_from(child.id()).unwrap(), libc::SIGINT);
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("stopped\n"), "{rest}");
    for process in processes {
        let state = std::fs::read_to_string(format!("{process}/stat")).unwrap_or_default();
        assert!(state.is_empty() || state.contains(") Z "), "{process} was left: {state}");
    }
    assert!(!home.path().join("out.ipynb").exists());
}
