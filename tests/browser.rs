//! The manager in a real browser: a person's way through it, in both themes and on a telephone (`tests/browser/walk.mjs`).

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::app::{ADMIN, TestApp, allow_local, spawns};
use crate::receiver::{Answer, Receiver};

/// How long one way through it may take.
const PATIENCE: Duration = Duration::from_mins(3);

fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"))
}

/// Chromium, as Debian has it, or what the setting `NBHOOK_TEST_BROWSER` names.
fn browser() -> PathBuf {
    let browser = std::env::var_os("NBHOOK_TEST_BROWSER").map_or_else(|| "/usr/bin/chromium".into(), PathBuf::from);
    let install = "install Chromium (Debian: apt-get install chromium), or name one in NBHOOK_TEST_BROWSER";
    assert!(browser.exists(), "{} is missing: {install}", browser.display());
    browser
}

/// Where `./test` has put what the walk needs.
fn modules() -> PathBuf {
    let modules = target().join("browser-modules");
    let install = "run ./test, which installs it (it needs Node.js and npm: apt-get install nodejs npm)";
    assert!(modules.join("complete").exists(), "{} is missing: {install}", modules.display());
    modules
}

/// Goes the way once; gives what was seen on it.
#[expect(clippy::disallowed_methods, reason = "killed when it is dropped, and its browser ends with it")]
async fn walk(setup: &Value) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/walk.mjs");
    let mut command = Command::new("node");
    let walk = command.args([script, &setup.to_string()]).stdin(Stdio::null()).kill_on_drop(true).output();
    let walk = timeout(PATIENCE, walk).await.expect("the walk ends").expect("node is installed");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(",\"", ",\n\"");
    assert!(
        walk.status.success(),
        "{}, {}:\n{}\n{}",
        setup["theme"],
        setup["width"],
        said(&walk.stdout),
        said(&walk.stderr)
    );
    serde_json::from_slice(&walk.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_gets_along_in_both_themes_and_on_a_telephone() {
    if spawns() {
        return; // it has been looked at, and how kernels are started shows on no page
    }
    let out = target().join("browser");
    let _ = std::fs::remove_dir_all(&out); // of the last test
    std::fs::create_dir_all(&out).unwrap();
    let app = TestApp::start_with(|settings| {
        allow_local(settings);
        settings.outbound.retry_schedule = Vec::new(); // what fails is given up at once
    });
    let (app, receiver, gates) = (app.await, Receiver::start().await, tempfile::TempDir::new().unwrap());
    for (theme, width) in [("light", 1280), ("dark", 1280), ("light", 390)] {
        // It takes the test, fails once, and is mended.
        receiver.answers([200.into(), Answer::from(503).body("<b>the database is gone</b>"), 200.into()]);
        let setup = json!({
            "url": app.url,
            "token": ADMIN,
            "out": out,
            "gates": gates.path(),
            "theme": theme,
            "width": width,
            "browser": browser(),
            "modules": modules(),
            "notebook": concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/notebooks/sales_report.ipynb"),
            "receiver": receiver.url(),
        });
        let seen = walk(&setup).await;
        assert_eq!((&seen["elsewhere"], &seen["problems"]), (&json!([]), &json!([])), "{theme}, {width} px");
        assert!(seen["pages"].as_u64() >= Some(45) && seen["requests"].as_u64() >= Some(100), "{seen}");
    }
}
