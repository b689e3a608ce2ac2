//! Against real interpreters. What pip installs here are empty wheels from a folder, so that no test needs the network;
//! `the_real_packages_are_installed` does, and is run by hand: `cargo test --lib real_packages -- --ignored`.

use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::kernel::process::{command, run_to_end};

fn test_python() -> PathBuf {
    crate::testing::python()
}

/// The interpreter that the test Python's environment was made from: one without packages.
async fn bare_python() -> PathBuf {
    let script = "import sys; print(sys._base_executable)";
    let process = command(test_python()).args(["-c", script]);
    let output = run_to_end(process, b"", Duration::from_secs(30), 10_000).await.unwrap();
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

/// A folder of empty wheels, one for each required package, in the pinned versions.
async fn wheels() -> tempfile::TempDir {
    const SCRIPT: &str = r#"
import re, sys, zipfile
for name, version in re.findall(r"^(\w+)==([\w.]+)", sys.stdin.read(), re.M):
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}/__init__.py", "")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
"#;
    let folder = tempfile::tempdir().unwrap();
    let lists = concat!(
        include_str!("../../../python/requirements/kernel.txt"),
        include_str!("../../../python/requirements/demo.txt")
    );
    let process = command(test_python()).args(["-c", SCRIPT]).current_dir(folder.path());
    let output = run_to_end(process, lists.as_bytes(), Duration::from_secs(30), 10_000).await.unwrap();
    assert!(output.status.success(), "{}", tail(&output.stderr));
    folder
}

/// Writes an executable. Another process does it, or a test that starts one at this moment could hold the file open for
/// writing, and it could not be started ("text file busy").
async fn script(path: &Path, text: &str) {
    let process =
        command("sh").args(["-c", "cat >\"$0.new\" && chmod +x \"$0.new\" && mv \"$0.new\" \"$0\""]).args([path]);
    let text = format!("#!/bin/sh\n{text}\n");
    assert!(run_to_end(process, text.as_bytes(), Duration::from_secs(30), 100).await.unwrap().status.success());
}

/// Collects the steps that were taken.
#[derive(Default)]
struct Steps(Mutex<Vec<Progress>>);

impl Steps {
    fn record(&self, progress: Progress) {
        self.0.lock().unwrap().push(progress);
    }

    fn take(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = std::mem::take(&mut *self.0.lock().unwrap()).into_iter().map(|p| p.step).collect();
        steps.dedup();
        steps
    }
}

async fn prepare(folder: &Path, requirements: Requirements, wheels: &Path, steps: &Steps) -> Environment {
    let pip = ["--no-index", "--find-links", wheels.to_str().unwrap()];
    let given = bare_python().await;
    Environment::prepare_with(&given, folder, requirements, &pip, |progress| steps.record(progress)).await.unwrap()
}

#[tokio::test]
async fn a_python_that_has_all_is_used_as_it_is() {
    let data = tempfile::tempdir().unwrap();
    let steps = Steps::default();
    let prepared = Environment::prepare(&test_python(), data.path(), Requirements::Demo, |p| steps.record(p)).await;
    let environment = prepared.unwrap();
    assert_eq!(environment.python(), test_python());
    assert!(environment.version().starts_with("3."));
    assert_eq!(steps.take(), [Step::LookingAtPython]);
    assert!(!data.path().join("venv").exists());
    let client = environment.client_folder();
    assert!(client.starts_with(data.path().join("python")));
    assert!(client.join("nbhook/_kernel.py").is_file() && client.join("naas/__init__.py").is_file());
}

#[tokio::test]
async fn a_venv_is_made_once_completed_for_the_demo_and_remade_when_it_is_broken() {
    use Step::{Installing, LookingAtPython, MakingVenv};
    let (data, wheels, steps) = (tempfile::tempdir().unwrap(), wheels().await, Steps::default());
    let (folder, nothing) = (data.path(), Path::new("/nonexistent"));

    let environment = prepare(folder, Requirements::Kernel, wheels.path(), &steps).await;
    assert_eq!(environment.python(), folder.join("venv/bin/python"));
    assert_eq!(steps.take(), [LookingAtPython, MakingVenv, Installing]);
    // A second start needs neither pip nor wheels.
    prepare(folder, Requirements::Kernel, nothing, &steps).await;
    assert_eq!(steps.take(), [LookingAtPython]);
    // The demo's packages come on top, and what they came on top of stays enough for the server.
    prepare(folder, Requirements::Demo, wheels.path(), &steps).await;
    assert_eq!(steps.take(), [LookingAtPython, Installing]);
    prepare(folder, Requirements::Kernel, nothing, &steps).await;
    assert_eq!(steps.take(), [LookingAtPython]);
    // Cut off half way: no marker.
    std::fs::remove_file(folder.join("venv/nbhook-complete")).unwrap();
    prepare(folder, Requirements::Kernel, wheels.path(), &steps).await;
    assert_eq!(steps.take(), [LookingAtPython, MakingVenv, Installing]);
    // The Python it was made from is gone.
    std::fs::remove_file(folder.join("venv/bin/python")).unwrap();
    prepare(folder, Requirements::Kernel, wheels.path(), &steps).await;
    assert_eq!(steps.take(), [LookingAtPython, MakingVenv, Installing]);
}

#[tokio::test]
async fn two_servers_make_one_venv() {
    let (data, wheels, one, two) = (tempfile::tempdir().unwrap(), wheels().await, Steps::default(), Steps::default());
    let (first, second) = tokio::join!(
        prepare(data.path(), Requirements::Kernel, wheels.path(), &one),
        prepare(data.path(), Requirements::Kernel, wheels.path(), &two),
    );
    assert_eq!(first.python(), second.python());
    let made = [one.take(), two.take()].map(|steps| steps.contains(&Step::MakingVenv));
    assert!(made[0] != made[1], "{made:?}");
}

#[tokio::test]
async fn without_a_network_the_error_says_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    let pip = ["--isolated", "--retries", "1", "--index-url", "http://127.0.0.1:9/simple"];
    let given = bare_python().await;
    let prepared = Environment::prepare_with(&given, data.path(), Requirements::Kernel, &pip, drop).await;
    let error = prepared.unwrap_err();
    assert!(matches!(error, EnvironmentError::Offline { .. }), "{error}");
    assert!(error.to_string().contains("--python"), "{error}");
}

#[tokio::test]
async fn without_the_venv_module_the_error_names_the_package() {
    let data = tempfile::tempdir().unwrap();
    let given = data.path().join("python3");
    // What Debian's Python says, word for word, when python3-venv is not installed.
    let said = "The virtual environment was not created successfully because ensurepip is not available.";
    let answer = format!("{{\"executable\": \"{}\", \"version\": \"3.11.2\"}}", given.display());
    script(&given, &format!("[ \"$1\" = -c ] && echo '{answer}' && exit\necho '{said}'\nexit 1")).await;
    let error = Environment::prepare(&given, data.path(), Requirements::Kernel, drop).await.unwrap_err();
    assert!(error.to_string().contains("apt install python3.11-venv"), "{error}");
}

#[tokio::test]
async fn what_is_no_usable_python_is_named() {
    let data = tempfile::tempdir().unwrap();
    let prepare = |given: &'static str| Environment::prepare(Path::new(given), data.path(), Requirements::Kernel, drop);
    let error = prepare("/nonexistent/python").await.unwrap_err();
    assert!(matches!(error, EnvironmentError::Python(InspectError::NotFound(_))), "{error}");
    let error = prepare("true").await.unwrap_err();
    assert!(matches!(error, EnvironmentError::Python(InspectError::Failed { .. })), "{error}");
}

#[tokio::test]
async fn an_old_python_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let old = data.path().join("python2.7");
    script(&old, "echo '{\"executable\": \"/x\", \"version\": \"2.7.18\"}'").await;
    let error = Inspector::default().inspect(&old, Code::default()).await.unwrap_err();
    assert!(matches!(&error, InspectError::TooOld { version, .. } if version == "2.7.18"), "{error}");
}

#[tokio::test]
async fn missing_imports_are_found_and_nothing_is_run() {
    let inspector = Inspector::default();
    let cells = [
        "%matplotlib inline\nimport os, zzz.a as q\nfrom pandas.core import frame",
        "%%bash\nimport yyy",
        "%%time\nimport xxx\nawait f()",
        "try:\n    import aaa\nexcept ImportError:\n    import bbb",
        "try:\n    import json\nexcept ImportError:\n    import simplejson",
        "!ls nothing\nfiles = !ls\nprint?\nimport ddd",
        "def f(:",
        "x = (7\n  % 3)\nimport eee",
        "from . import relative\nimport nbhook, naas",
        "if TYPE_CHECKING:\n    import fff\nelse:\n    import ggg",
        "open('/tmp/nbhook-was-run', 'w')",
    ];
    let inspection =
        inspector.inspect(&test_python(), Code { cells: &cells, beside: &["local"], parameters: None }).await.unwrap();
    assert_eq!(inspection.missing_imports, ["bbb", "ddd", "eee", "ggg", "xxx", "zzz"]);
    let imported = ["zzz.a", "pandas.core", "xxx", "aaa", "bbb", "simplejson", "ddd", "eee", "fff", "ggg"];
    assert_eq!(inspection.imports.modules, imported, "what needs no other module, and what is tried too");
    assert_eq!(inspection.imports.hindrance, None);
    assert_eq!(inspection.interpreter.executable, test_python());
    assert!(inspection.interpreter.ipykernel.is_some());
    assert!(!Path::new("/tmp/nbhook-was-run").exists());
    for (cell, hindrance) in [
        ("import os\nos.environ.setdefault('A', 'b')", "os.environ"),
        ("from os import putenv\nputenv('A', 'b')", "os.putenv"),
        ("import sys\nif True:\n    sys.path += ['x']", "sys.path"),
        ("%cd ..", "magic"),
        ("!pip install x", "magic"),
    ] {
        let found = inspector.inspect(&test_python(), Code { cells: &[cell], ..Code::default() }).await.unwrap();
        let found = found.imports.hindrance.expect(cell);
        assert!(found.contains(hindrance), "{cell}: {found}");
    }
    let shadowed = inspector
        .inspect(&test_python(), Code { cells: &["import pandas"], beside: &["numpy"], parameters: None })
        .await
        .unwrap();
    assert!(shadowed.imports.hindrance.unwrap().starts_with("numpy beside the notebook"));
    let bare =
        inspector.inspect(&bare_python().await, Code { cells: &["import pandas"], ..Code::default() }).await.unwrap();
    assert_eq!((bare.interpreter.ipykernel, bare.missing_imports), (None, vec!["pandas".to_owned()]));
}

#[tokio::test]
async fn an_interpreter_is_asked_again_only_when_its_file_changed() {
    let data = tempfile::tempdir().unwrap();
    let python = data.path().join("python");
    let inspector = Inspector::default();
    assert!(inspector.interpreter(&python).await.is_err());
    let log = data.path().join("log");
    let text = format!("echo x >>'{}'\nexec '{}' \"$@\"", log.display(), test_python().display());
    let starts = || std::fs::read_to_string(&log).unwrap().lines().count();
    script(&python, &text).await;
    for _ in 0..3 {
        assert!(inspector.interpreter(&python).await.unwrap().ipykernel.is_some());
    }
    assert_eq!(starts(), 1);
    script(&python, &format!("{text}\n# changed")).await;
    inspector.interpreter(&python).await.unwrap();
    assert_eq!(starts(), 2);
}

#[tokio::test]
#[ignore = "downloads the real packages"]
async fn the_real_packages_are_installed() {
    let (data, steps) = (tempfile::tempdir().unwrap(), Steps::default());
    let given = bare_python().await;
    let prepared = Environment::prepare(&given, data.path(), Requirements::Demo, |progress| {
        println!("{}: {}", progress.step.as_str(), progress.detail);
        steps.record(progress);
    });
    let environment = prepared.await.unwrap();
    let script = "import ipykernel, nbconvert, pandas, matplotlib; print('all', 'there')";
    let process = command(environment.python()).args(["-c", script]);
    let output = run_to_end(process, b"", Duration::from_mins(1), 10_000).await.unwrap();
    assert_eq!(output.stdout, b"all there\n", "{}", tail(&output.stderr));
}
