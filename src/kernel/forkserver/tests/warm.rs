//! Modules that are imported in advance, and those that must not be.

use std::path::Path;

use serde_json::{Value, json};

use super::*;

fn warm(modules: &[&str]) -> KernelCommand {
    KernelCommand { preload: modules.iter().map(|&module| module.to_owned()).collect(), ..python() }
}

async fn left_out(executor: &ForkExecutor, kernel: &KernelCommand) -> Vec<(String, String)> {
    executor.ready(kernel, LIMIT, 0).await;
    match executor.preloaded(kernel) {
        Preloaded::Done { left_out } => left_out.into_iter().map(|left| (left.module, left.reason)).collect(),
        other => panic!("{other:?}"),
    }
}

/// What a notebook prints, as JSON.
async fn told(executor: &ForkExecutor, kernel: &KernelCommand, source: &str) -> Value {
    let mut notebook = Notebook::new(&[source]);
    notebook.job.kernel = kernel.clone();
    let execution = executor.complete(notebook.job).await.unwrap();
    assert_eq!(execution.outcome, Outcome::Succeeded, "{:?}", execution.cells);
    serde_json::from_str(&stream(&execution.cells[0], "stdout")).unwrap()
}

#[tokio::test]
async fn modules_are_there_before_the_run_and_what_they_show_is_the_same() {
    let executor = executor(0);
    let (cold, hot) = (warm(&[]), warm(&["pandas", "matplotlib.pyplot", "nbhook.webhook"]));
    executor.ready(&cold, LIMIT, 0).await;
    assert_eq!(left_out(&executor, &hot).await, []);
    let loaded = "import json, sys; print(json.dumps([name in sys.modules for name in ['nbhook', 'pandas', 'matplotlib.pyplot']]))";
    assert_eq!(told(&executor, &cold, loaded).await, json!([true, false, false]));
    assert_eq!(told(&executor, &hot, loaded).await, json!([true, true, true]));
    let source = "import pandas as pd, matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()\npd.DataFrame({'a': [1.5, 2]}).describe()";
    let mut outputs = Vec::new();
    for kernel in [cold, hot] {
        let mut notebook = Notebook::new(&[source]);
        notebook.job.kernel = kernel;
        let execution = executor.complete(notebook.job).await.unwrap();
        assert_eq!(execution.outcome, Outcome::Succeeded);
        assert!(execution.cells[0].outputs[0]["data"]["image/png"].is_string(), "{:?}", execution.cells);
        outputs.push(execution.cells[0].outputs.clone());
    }
    assert_eq!(outputs[0], outputs[1]);
}

#[tokio::test]
async fn kernels_of_one_template_draw_different_numbers_and_calculate_with_all_cores() {
    let executor = executor(0);
    let kernel = warm(&["numpy"]);
    assert_eq!(left_out(&executor, &kernel).await, []);
    let source = "import json, os, random, uuid, numpy as np
drawn = [random.random(), np.random.random(), np.random.default_rng().random(), uuid.uuid4().hex]
big = np.ones((600, 600)); assert (big @ big)[0, 0] == 600
print(json.dumps([drawn, len(os.listdir('/proc/self/task'))]))";
    let (first, second) = (told(&executor, &kernel, source).await, told(&executor, &kernel, source).await);
    for draw in 0..4 {
        assert_ne!(first[0][draw], second[0][draw]);
    }
}

/// Puts modules where only installed ones are: into a package folder that the client folder's `sys.path` entry is.
fn install(folder: &Path, modules: &[(&str, &str)]) {
    for (name, source) in modules {
        std::fs::create_dir_all(folder).unwrap();
        crate::store::write_atomic(&folder.join(format!("{name}.py")), source.as_bytes(), folder).unwrap();
    }
}

#[tokio::test]
async fn what_a_fork_would_change_is_left_out_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    install(
        folder.path(),
        &[
            ("fine", "import os; VALUE = 7"),
            (
                "threads",
                "import threading, time\nthreading.Thread(target=time.sleep, args=(100,), daemon=True).start()",
            ),
            ("prints", "print('hello')"),
            ("warns", "import warnings; warnings.warn('old')"),
            ("raises", "1 / 0"),
            ("exits", "import os; os._exit(3)"),
            ("connects", "import socket; SOCKET = socket.socket()"),
            ("starts", "import subprocess; P = subprocess.Popen(['sleep', '100'])"),
            ("moves", "import os; os.chdir('/tmp')"),
            ("traps", "import signal; signal.signal(signal.SIGTERM, lambda *_: None)"),
            ("asks", "from IPython import get_ipython; SHELL = get_ipython()"),
            ("devices", "FILE = open('/dev/zero')"),
            ("indirect", &format!("import sys; sys.path.append({:?}); import local", elsewhere.path())),
        ],
    );
    install(elsewhere.path(), &[("local", "VALUE = 1")]);
    let names = [
        "asks", "connects", "devices", "exits", "fine", "indirect", "missing", "moves", "prints", "raises", "starts",
        "threads", "traps", "warns",
    ];
    let mut kernel = warm(&names);
    kernel.argv.push(folder.path().to_str().unwrap().to_owned());
    let executor = executor(0);
    let left_out = left_out(&executor, &kernel).await;
    let expected = [
        ("asks", "asks for the running IPython"),
        ("connects", "opens a connection"),
        ("devices", "opens a device"),
        ("exits", "ends the process"),
        ("indirect", "imports local, which is not an installed package"),
        ("missing", "raises ModuleNotFoundError"),
        ("moves", "changes the working directory"),
        ("prints", "prints something"),
        ("raises", "raises ZeroDivisionError"),
        ("starts", "starts processes"),
        ("threads", "starts threads"),
        ("traps", "changes signal handlers"),
        ("warns", "prints something"),
    ];
    assert_eq!(left_out, expected.map(|(module, reason)| (module.to_owned(), reason.to_owned())));
    let loaded = "import json, sys; print(json.dumps([name for name in sorted(sys.modules) if name in ['fine', 'local', 'threads', 'prints']]))";
    assert_eq!(told(&executor, &kernel, loaded).await, json!(["fine"]));
    assert_eq!(
        told(&executor, &kernel, "import json, threads, threading; print(json.dumps(threads.__name__))").await,
        json!("threads")
    );
}

#[tokio::test]
async fn templates_are_shared_and_make_room_for_others() {
    let mut executor = ForkExecutor::new(Arc::new(SystemClock), 0, 1);
    let plain = warm(&[]);
    executor.ready(&plain, LIMIT, 0).await;
    executor.ready(&warm(&["json", "csv"]), LIMIT, 0).await;
    executor.prepare(&warm(&["csv", "json", "csv"]), LIMIT);
    assert_eq!(executor.stations.lock().unwrap().len(), 2, "the same set in another order");
    executor.prepare(&warm(&["decimal"]), LIMIT);
    assert_eq!(executor.stations.lock().unwrap().len(), 2, "the other one is in use");
    let without = told(&executor, &warm(&["decimal"]), "import json, sys; print(json.dumps(sys.argv[0][-21:]))").await;
    assert_eq!(without, json!("ipykernel_launcher.py"), "it runs all the same");
    executor.in_use = Duration::ZERO;
    executor.ready(&warm(&["decimal"]), LIMIT, 0).await;
    assert_eq!(executor.preloaded(&warm(&["csv", "json"])), Preloaded::Preparing, "it has made room");
    assert_eq!(executor.preloaded(&plain), Preloaded::Done { left_out: Vec::new() });
}
