//! A disk without any room left: a real one, which is small. Only root may mount it; for others those tests say so and do nothing.

use std::path::Path;

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::app::{TestApp, form, notebook, ok, problem, run_of, url};

/// Mounted until it is dropped.
struct SmallDisk(TempDir);

#[expect(clippy::disallowed_methods, reason = "ends by itself")]
fn command(name: &str, arguments: &[&str]) -> bool {
    std::process::Command::new(name).args(arguments).output().is_ok_and(|output| output.status.success())
}

impl SmallDisk {
    /// Room for 48 MiB, or none if this user may not mount it.
    fn mount() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        if command("mount", &["-t", "tmpfs", "-o", "size=48m", "tmpfs", folder.path().to_str().unwrap()]) {
            return Some(Self(folder));
        }
        eprintln!("skipped: this user may not mount a small file system");
        None
    }

    /// A data folder on it.
    fn data(&self) -> TempDir {
        TempDir::new_in(self.0.path()).unwrap()
    }

    /// Leaves no room at all.
    fn fill(&self) {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(self.0.path().join("fill")).unwrap();
        let piece = vec![1; 1 << 16];
        for size in [1 << 16, 1 << 12, 1] {
            while std::io::Write::write_all(&mut file, &piece[..size]).is_ok() {}
        }
    }

    fn empty(&self) {
        std::fs::remove_file(self.0.path().join("fill")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        command("umount", &["-l", self.0.path().to_str().unwrap()]);
    }
}

fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn answers(word: &str) -> Value {
    notebook(&["from nbhook import webhook", &format!("webhook.respond_text('{word}')")])
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

async fn no_room(response: reqwest::Response) {
    let told = problem(response, 507).await;
    assert_eq!(told["type"], "urn:nbhook:problem:insufficient-storage");
    let detail = told["detail"].as_str().unwrap();
    assert!(detail.contains("disk is full") && detail.contains("nbhook prune"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_changes_nothing_and_can_be_pruned() {
    let Some(disk) = SmallDisk::mount() else { return };
    let app = TestApp::start_again(disk.data(), noon(), |_| {}).await;
    let reserve = app.data.path().join(".nbhook/reserve");
    crate::app::eventually("there is room in reserve", async || reserve.exists()).await;
    let hook = app.deploy("deep/er/a.ipynb", &answers("first"), json!({"keep_outputs": 1})).await;
    for _ in 0..5 {
        assert_eq!(app.call(&hook, &[]).await.text().await.unwrap(), "first");
    }
    app.quiet().await;
    let before = (app.kept(), app.get("/v1/hooks").await);
    disk.fill();

    let deploy = async |path: &str| {
        let dependency = vec![7; 100_000];
        let notebook = answers("second").to_string();
        app.upload(&json!({"path": path}), notebook.as_bytes(), &[("big.bin", &dependency)]).await
    };
    no_room(deploy("deep/er/a.ipynb").await).await;
    no_room(deploy("new/path/b.ipynb").await).await;
    assert!((app.kept(), app.get("/v1/hooks").await) == before, "something was half-done");
    assert!(!app.data.path().join("admin/new").exists() && app.scratch().is_empty());
    let upload = vec![7; 1_000_000];
    let (media_type, body) = form(&[("file", Some("big.bin"), &upload)]);
    let call = app.http.post(url(&hook)).header("content-type", media_type).body(body);
    no_room(call.send().await.unwrap()).await;
    assert!(app.scratch().is_empty());
    assert_eq!(app.get(&format!("/v1/hooks/{}", hook["id"].as_str().unwrap())).await["kept"]["outputs"], 5);

    let pruned = ok(app.api(Method::POST, "/v1/prune").send().await.unwrap()).await;
    assert_eq!(pruned["total"]["outputs"], 4, "{pruned}");
    assert_eq!(entries(&app.data.path().join("admin/deep/er/a.ipynb/outputs")), 1);

    disk.empty();
    assert_eq!(deploy("new/path/b.ipynb").await.status(), 201);
    assert_eq!(app.call(&hook, &[]).await.text().await.unwrap(), "first");
    ok(app.api(Method::POST, "/v1/prune").send().await.unwrap()).await;
    assert!(reserve.exists(), "for the next time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fills_the_disk_still_answers_and_is_on_record() {
    let Some(disk) = SmallDisk::mount() else { return };
    let app = TestApp::start_again(disk.data(), noon(), |_| {}).await;
    let reserve = app.data.path().join(".nbhook/reserve");
    crate::app::eventually("there is room in reserve", async || reserve.exists()).await;
    let greedy = notebook(&[
        "from nbhook import webhook",
        "import os\nfill = os.open('fill', os.O_CREAT | os.O_WRONLY)\nfor size in (1 << 16, 1 << 12, 1):\n    try:\n        while True:\n            os.write(fill, bytes(size))\n    except OSError as error:\n        code = error.errno",
        "webhook.respond_json({'errno': code})",
    ]);
    let hook = app.deploy("greedy.ipynb", &greedy, json!({})).await;
    let response = app.call(&hook, &[]).await;
    let run = run_of(&response);
    assert_eq!(ok(response).await, json!({"errno": 28}));
    app.quiet().await;
    let record = app.get(&format!("/v1/runs/{run}")).await;
    assert_eq!(record["state"], "succeeded", "{record}");
    assert_eq!(record["warnings"], json!(["the output could not be saved: the server's disk is full"]));
    problem(app.api(Method::GET, &format!("/v1/runs/{run}/output")).send().await.unwrap(), 404).await;
    assert!(app.scratch().is_empty());
    // On whichever of the database's connections: none of them is still in the transaction that found no room.
    for _ in 0..10 {
        assert_eq!(app.deploy("next.ipynb", &answers("fine"), json!({})).await["path"], "next.ipynb");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_starts_on_a_full_disk() {
    let Some(disk) = SmallDisk::mount() else { return };
    let app = TestApp::start_again(disk.data(), noon(), |_| {}).await;
    let reserve = app.data.path().join(".nbhook/reserve");
    crate::app::eventually("there is room in reserve", async || reserve.exists()).await;
    let hook = app.deploy("a.ipynb", &answers("first"), json!({})).await;
    let data = app.stop().await;
    disk.fill();
    let app = TestApp::start_again(data, noon(), |_| {}).await;
    assert_eq!(
        app.get("/v1/hooks").await["items"][0]["url"].as_str().unwrap().rsplit('/').next(),
        url(&hook).rsplit('/').next()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_that_cannot_be_saved_does_not_lose_the_answer() {
    let app = TestApp::start().await;
    let hook = app.deploy("a.ipynb", &answers("saved or not"), json!({})).await;
    crate::app::write(&app.data.path().join("admin/a.ipynb/outputs"), b"not a folder");
    let response = app.call(&hook, &[]).await;
    let run = run_of(&response);
    assert_eq!(response.text().await.unwrap(), "saved or not");
    let record = app.get(&format!("/v1/runs/{run}")).await;
    assert_eq!(
        (&record["state"], &record["warnings"]),
        (&json!("succeeded"), &json!(["the output could not be saved"]))
    );
    app.quiet().await;
    assert!(app.scratch().is_empty());
}
