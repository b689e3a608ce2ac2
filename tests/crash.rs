//! Servers that are killed or told to stop in the middle of runs.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::app::{FormPart, form, notebook, ok, problem, url, write};
use crate::binary::{Server, count, eventually, files, meeting_places, processes_of_runs};

/// Says in a file that it runs, then waits for another one.
const WAITS: &str = "import os, time
open(started, 'w').close()
while not os.path.exists(gate): time.sleep(0.01)";

fn started(file: &Path) {
    eventually("the run is in its cell", || file.exists().then_some(()));
}

/// What must hold of a data folder after any end of its server, once the next one has started.
fn nothing_is_half_written(data: &Path) {
    let scratch = data.join(".nbhook/scratch");
    eventually("the scratch folder is empty", || (count(&scratch) == 0).then_some(()));
    for file in files(data) {
        let name = file.file_name().unwrap().to_str().unwrap();
        if file.extension().is_some_and(|extension| extension == "ipynb") {
            let notebook: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).expect(name);
            assert_eq!(notebook["nbformat"], 4, "{name}");
        }
        let odd = [".tmp", ".part", "tmp"].iter().any(|mark| name.ends_with(mark)) || name.starts_with(".tmp");
        assert!(!odd, "{} is left", file.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_leaves_nothing_running_and_the_next_one_goes_on() {
    let (data, signs) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let sign = |name: &str| signs.path().join(name).to_str().unwrap().to_owned();
    let grandchild = "import subprocess\nsubprocess.Popen(['sleep', '1000'])";
    let escaped = "import subprocess\nsubprocess.Popen(['sleep', '1000'], start_new_session=True, close_fds=True)";
    let left = "import os\nif os.fork() == 0:\n    os.setsid()\n    os.execvp('sleep', ['sleep', '1000'])";
    let mut server = Server::start(data.path());
    let (mut hooks, mut calls) = (Vec::new(), Vec::new());
    for (name, cell) in [("grandchild", grandchild), ("escaped", escaped), ("left", left)] {
        let params = json!({"notif_down": [format!("{name}@example.org")]});
        let first = notebook(&["if quick == 'yes': raise SystemExit(0)"]);
        let mut busy = notebook(&["pass", cell, WAITS]);
        busy["cells"][0] = first["cells"][0].clone();
        let hook = server.deploy(&format!("{name}.ipynb"), &busy, params).await;
        calls.push(server.calling(&hook, &[("quick", "no"), ("started", &sign(name)), ("gate", "/none")]));
        hooks.push(hook);
        started(&signs.path().join(name));
    }
    let (pid, old_url) = (server.pid(), server.url.clone());
    // Forked kernels show the system no environment but their run's mark; what they start has all of it.
    assert!(processes_of_runs(&old_url).len() >= 3, "three sleeps");
    server.kill();
    for call in calls {
        assert!(call.await.unwrap().is_err(), "nobody is there to answer");
    }
    assert!(!processes_of_runs(&old_url).is_empty(), "the sleeps outlive the server: there is something to clean up");

    let server = Server::start(data.path());
    assert_eq!(processes_of_runs(&old_url), [0; 0]);
    assert_eq!(meeting_places(pid), [""; 0].map(std::path::PathBuf::from));
    let runs = server.get("/v1/runs").await["items"].clone();
    assert_eq!(runs.as_array().unwrap().len(), 3);
    for run in runs.as_array().unwrap() {
        assert_eq!(run["state"], "interrupted", "{run}");
        assert!(run["finished_at"].is_string() && run["error"]["kind"] == "interrupted", "{run}");
    }
    for hook in &hooks {
        let old = runs.as_array().unwrap().iter().find(|run| run["hook"] == hook["id"]).unwrap();
        let answer = server.http.get(url(hook).replace(&old_url, &server.url)).query(&[("quick", "yes")]);
        let answer = answer.send().await.unwrap();
        let run = answer.headers()["x-nbhook-run"].to_str().unwrap().to_owned();
        assert_eq!(problem(answer, 500).await["ename"], "SystemExit");
        let run = server.get(&format!("/v1/runs/{run}")).await;
        assert!(run["histo"].as_str() > old["histo"].as_str(), "{run} {old}");
    }
    let again = server.deploy("left.ipynb", &notebook(&["1"]), json!({})).await;
    assert_eq!(again["id"], hooks[2]["id"]);
    assert!(again["histo"].as_str() > hooks[2]["histo"].as_str());
    assert_eq!(ok(server.call(&again, &[]).await).await["status"], "Done");
    // Whoever wanted to be told of failures is told of these too.
    let mails = eventually("the mails", || {
        let mails =
            files(&data.path().join(".nbhook")).into_iter().filter(|file| file.extension().is_some_and(|e| e == "eml"));
        let mails: Vec<_> = mails.map(|file| std::fs::read_to_string(file).unwrap()).collect();
        (mails.len() >= 3).then_some(mails)
    });
    for name in ["grandchild", "escaped", "left"] {
        let mail = mails.iter().find(|mail| mail.contains(&format!("To: {name}@example.org\r\n"))).expect(name);
        assert!(mail.contains("interrupted"), "{mail}");
    }
    nothing_is_half_written(data.path()); // now that nothing is being written
}

/// The status and headers of an answer on a connection that stays open.
fn head(connection: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        assert_eq!(connection.read(&mut byte).unwrap(), 1, "the connection ended: {}", String::from_utf8_lossy(&head));
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_answers_what_runs_and_turns_new_calls_away() {
    let (data, signs) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (sign, gate) = (signs.path().join("started"), signs.path().join("gate"));
    let mut server = Server::start(data.path());
    let cells = [WAITS, "from nbhook import webhook\nwebhook.respond_text('in the end')"];
    let hook = server.deploy("waits.ipynb", &notebook(&cells), json!({})).await;
    let query = [("started", sign.to_str().unwrap()), ("gate", gate.to_str().unwrap())];
    let going_on = server.calling(&hook, &query);
    started(&sign);
    let mut idle = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(head(&mut idle).starts_with("HTTP/1.1 200"));

    server.terminate();
    let ready = format!("{}/readyz", server.url);
    let mut turned_away = server.http.get(&ready).send().await.unwrap();
    while turned_away.status() == StatusCode::OK {
        turned_away = server.http.get(&ready).send().await.unwrap();
    }
    assert_eq!(turned_away.status(), StatusCode::SERVICE_UNAVAILABLE);
    let new = server.call(&hook, &query).await;
    let seconds: u64 = new.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
    assert_eq!(problem(new, 503).await["type"], "urn:nbhook:problem:shutting-down");
    assert!(!going_on.is_finished());

    std::fs::File::create_new(&gate).unwrap();
    let answer = going_on.await.unwrap().unwrap();
    assert_eq!((answer.status(), answer.text().await.unwrap().as_str()), (StatusCode::OK, "in the end"));
    // With a connection still open, and only now does the process end.
    assert!(server.ended(Duration::from_secs(10)).success(), "{}", server.log());
    drop(idle);
    assert!(!server.log().contains("ERROR"), "{}", server.log());
    let server = Server::start(data.path());
    let runs = server.get("/v1/runs").await;
    assert_eq!((runs["items"][0]["state"].as_str(), runs["items"].as_array().unwrap().len()), (Some("succeeded"), 1));
    nothing_is_half_written(data.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_grace_time_runs_are_interrupted_and_their_callers_told() {
    let (data, signs) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let sign = signs.path().join("started");
    let mut server = Server::start_with(data.path(), &[("NBHOOK_GRACE", "1"), ("NBHOOK_KERNEL__LIMIT", "1")]);
    let cells = ["import subprocess\nsubprocess.Popen(['sleep', '1000'], start_new_session=True)", WAITS];
    let hook = server.deploy("waits.ipynb", &notebook(&cells), json!({})).await;
    let query = [("started", sign.to_str().unwrap()), ("gate", "/none")];
    let running = server.calling(&hook, &query);
    started(&sign);
    let waiting = server.calling(&hook, &query);
    loop {
        let runs = server.get("/v1/runs?state=queued").await;
        if runs["items"].as_array().unwrap().len() == 1 {
            break;
        }
    }
    server.terminate();
    for call in [running, waiting] {
        assert_eq!(problem(call.await.unwrap().unwrap(), 503).await["type"], "urn:nbhook:problem:interrupted");
    }
    assert!(server.ended(Duration::from_secs(10)).success(), "{}", server.log());
    assert_eq!(processes_of_runs(&server.url), [0; 0]);
    assert_eq!(meeting_places(server.pid()).len(), 0);
    let server = Server::start(data.path());
    let runs = server.get("/v1/runs?state=interrupted").await;
    assert_eq!(runs["items"].as_array().unwrap().len(), 2, "{runs}");
    nothing_is_half_written(data.path());
}

/// Adds versions of one file or folder without an end, and tells of each that the server has taken.
async fn add_on_and_on(
    (kind, path): (&'static str, &'static str),
    server: (reqwest::Client, String, String),
    taken: tokio::sync::mpsc::UnboundedSender<String>,
) {
    let (http, url, credential) = server;
    for number in 0_u64.. {
        let meta = json!({ "path": path }).to_string();
        let content = number.to_le_bytes().repeat(100 << 10);
        let mut parts: Vec<FormPart<'_>> = vec![("meta", None, meta.as_bytes()), ("file", Some("./a/b"), &content)];
        match kind {
            "assets" => parts[1].1 = Some("b"),
            _ => parts.push(("file", Some("./c"), &content)),
        }
        let (media_type, body) = form(&parts);
        let request = http.post(format!("{url}/v1/{kind}")).bearer_auth(&credential).header("content-type", media_type);
        let Ok(answer) = request.body(body).send().await else { return };
        assert!(answer.status().is_success(), "{}", answer.status());
        let Ok(stored) = answer.json::<Value>().await else { return };
        let version = format!("{}/{}", stored["id"].as_str().unwrap(), stored["histo"].as_str().unwrap());
        taken.send(version).unwrap();
    }
}

/// What is on disk of dependencies and assets, as `<id>/<histo>`.
fn contents(data: &Path) -> BTreeSet<String> {
    let root = data.join(".nbhook/files");
    let inside = |folder: &Path| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let versions = inside(&root).flat_map(|folder| inside(&folder).collect::<Vec<_>>());
    versions.map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned()).collect()
}

/// What is on record of them; each is whole.
async fn on_record(server: &Server, data: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for kind in ["assets", "dependencies"] {
        for file in server.get(&format!("/v1/{kind}")).await["items"].as_array().unwrap() {
            let id = file["id"].as_str().unwrap();
            for version in server.get(&format!("/v1/{kind}/{id}/versions?limit=250")).await["items"].as_array().unwrap()
            {
                let name = format!("{id}/{}", version["histo"].as_str().unwrap());
                let root = data.join(".nbhook/files").join(&name);
                let sum = |path: &Path| format!("{:x}", Sha256::digest(std::fs::read(path).unwrap()));
                let sum = if kind == "assets" {
                    sum(&root)
                } else {
                    let lines = format!("{} a/b\n{} c\n", sum(&root.join("a/b")), sum(&root.join("c")));
                    format!("{:x}", Sha256::digest(lines))
                };
                assert_eq!(version["sha256"], sum, "{kind} {version}");
                found.insert(name);
            }
        }
    }
    found
}

/// Begins an upload that does not end.
fn half_an_upload(server: &Server, kind: &str) -> TcpStream {
    let mut half = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
    let content = b"half".repeat(25_000);
    let (media_type, body) = form(&[("meta", None, br#"{"path": "half"}"#), ("file", Some("half"), &content)]);
    let head = format!(
        "POST /v1/{kind} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: {media_type}\r\n\
         Content-Length: {}\r\n\r\n",
        server.token,
        body.len()
    );
    half.write_all(head.as_bytes()).unwrap();
    half.write_all(&body[..90_000]).unwrap();
    half
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_while_files_are_added_has_each_in_whole_or_not_at_all() {
    let data = TempDir::new().unwrap();
    let (mut taken, mut leftovers) = (BTreeSet::new(), Vec::new());
    for _ in 0..3 {
        let mut server = Server::start_with(data.path(), &[("NBHOOK_FILES__VERSIONS", "0")]);
        if !taken.is_empty() {
            // What the last one left is gone from disk once this one has looked.
            let known = on_record(&server, data.path()).await;
            assert!(known.is_superset(&taken), "what was taken is there");
            eventually("leftovers are removed", || (contents(data.path()) == known).then_some(()));
            nothing_is_half_written(data.path());
        }
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let place = || (server.http.clone(), server.url.clone(), server.token.clone());
        let both = [("assets", "a.bin"), ("dependencies", "lib"), ("assets", "b.bin"), ("dependencies", "more")];
        let adding = both.map(|what| tokio::spawn(add_on_and_on(what, place(), tell.clone())));
        let halves = ["assets", "dependencies"].map(|kind| half_an_upload(&server, kind));
        for _ in 0..12 {
            taken.insert(told.recv().await.unwrap());
        }
        let scratch = data.path().join(".nbhook/scratch");
        eventually("something is half-sent", || (count(&scratch) >= 2).then_some(()));
        server.kill();
        drop(halves);
        for adding in adding {
            adding.await.unwrap();
        }
        while let Ok(version) = told.try_recv() {
            taken.insert(version);
        }
        // As if it had been killed between the files and the record: of a known file, and of none.
        let known = taken.first().unwrap().split_once('/').unwrap().0;
        for id in [known, "0198c5f0-0000-7000-8000-000000000001"] {
            let leftover = data.path().join(format!(".nbhook/files/{id}/20991231235959000000"));
            write(&leftover, b"lost");
            leftovers.push(leftover);
        }
        write(&scratch.join(".tmpLost"), b"lost");
    }
    let server = Server::start_with(data.path(), &[("NBHOOK_FILES__VERSIONS", "0")]);
    let known = on_record(&server, data.path()).await;
    assert!(known.is_superset(&taken), "what was taken is there");
    assert!(server.get("/v1/assets?path=half").await["items"].as_array().unwrap().is_empty());
    eventually("leftovers are removed", || (contents(data.path()) == known).then_some(()));
    assert!(!leftovers.iter().any(|leftover| leftover.exists()));
    nothing_is_half_written(data.path());
    // And the next version goes on where the last one was.
    let (media_type, body) = form(&[("meta", None, br#"{"path": "a.bin"}"#), ("file", Some("a"), b"last")]);
    let add = server.api(Method::POST, "/v1/assets").header("content-type", media_type).body(body);
    let added = ok(add.send().await.unwrap()).await;
    let shown = server.http.get(url(&added)).send().await.unwrap();
    assert_eq!(shown.text().await.unwrap(), "last");
}
