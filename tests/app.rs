//! The real server for a test: on a free port, with a data folder of its own, real kernels, and a clock that can be turned.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use nbhook::app::{App, Seams, StartError};
use nbhook::clock::{MockClock, SharedClock, SystemClock};
use nbhook::config::{ExecutorChoice, Secret, Settings};
use nbhook::kernel::environment::Requirements;
use nbhook::random::SystemRandom;
use nbhook::store::StoreError;
use nbhook::webhook::{Resolve, SystemResolver};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const ADMIN: &str = "the-admins-token-of-this-test";

/// A running server and a client for it. Removed with everything it made when dropped.
pub(crate) struct TestApp {
    pub(crate) url: String,
    pub(crate) http: Client,
    pub(crate) data: TempDir,
    pub(crate) clock: Option<Arc<MockClock>>,
    app: Option<App>,
}

/// The interpreter that has ipykernel and what the fixtures import; `./test` makes it.
pub(crate) fn python() -> PathBuf {
    let python = std::env::var_os("NBHOOK_TEST_PYTHON")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-venv/bin/python"), PathBuf::from);
    assert!(python.exists(), "{} is missing: run ./test, which makes it", python.display());
    python
}

/// A notebook of `fixtures/notebooks`, without the extension.
pub(crate) fn fixture(name: &str) -> Value {
    let path = format!("{}/fixtures/notebooks/{name}.ipynb", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))).unwrap()
}

/// A Python notebook of these code cells.
pub(crate) fn notebook(cells: &[&str]) -> Value {
    let cell = |source: &&str| json!({"cell_type": "code", "execution_count": null, "metadata": {}, "outputs": [], "source": source});
    json!({
        "cells": cells.iter().map(cell).collect::<Vec<_>>(),
        "metadata": {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 4,
    })
}

/// Settings for a server of its own in `data`.
pub(crate) fn settings(data: &Path) -> Settings {
    let mut settings = Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        data: data.to_owned(),
        admin_token: Some(Secret::new(ADMIN)),
        grace: 20,
        ..Settings::default()
    };
    settings.kernel.python = python();
    settings
}

/// What is around a server.
pub(crate) struct World {
    pub(crate) data: TempDir,
    /// Where the clock stands still until it is turned; none: the machine's own goes on.
    pub(crate) clock: Option<DateTime<Utc>>,
    /// How the server finds the hosts that it sends to.
    pub(crate) resolver: Arc<dyn Resolve>,
}

impl Default for World {
    fn default() -> Self {
        Self { data: TempDir::new().unwrap(), clock: None, resolver: Arc::new(SystemResolver) }
    }
}

/// Lets the server send to receivers of a test, on this machine and without TLS.
pub(crate) fn allow_local(settings: &mut Settings) {
    settings.outbound.allow = vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
    settings.outbound.allow_http = true;
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With other settings than the usual.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_in(World::default(), change).await
    }

    /// With a clock that stands still at `start` until it is turned.
    pub(crate) async fn start_at(start: DateTime<Utc>, change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_in(World { clock: Some(start), ..World::default() }, change).await
    }

    /// On the data folder of a server that was stopped, with a clock and settings as for [`Self::start_at`].
    pub(crate) async fn start_again(data: TempDir, start: DateTime<Utc>, change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_in(World { data, clock: Some(start), ..World::default() }, change).await
    }

    /// With what is around the server chosen by the test.
    pub(crate) async fn start_in(world: World, change: impl FnOnce(&mut Settings)) -> Self {
        let World { data, clock, resolver } = world;
        let clock = clock.map(|start| Arc::new(MockClock::at(start)));
        let mut settings = settings(data.path());
        if spawns() {
            settings.kernel.executor = ExecutorChoice::Spawn;
        }
        change(&mut settings);
        let shared: SharedClock = match &clock {
            Some(clock) => clock.clone(),
            None => Arc::new(SystemClock),
        };
        let seams = Seams { clock: shared, random: Arc::new(SystemRandom), resolver };
        // A process that another test is just starting has the last server's lock until its exec.
        let begun = std::time::Instant::now();
        let app = loop {
            match App::start(settings.clone(), Requirements::Kernel, seams.clone(), |_| {}).await {
                Err(StartError::Data(StoreError::InUse(_))) if begun.elapsed() < Duration::from_secs(5) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                started => break started.expect("the server starts"),
            }
        };
        let url = format!("http://{}", app.address());
        Self { url, http: client(), data, clock, app: Some(app) }
    }

    pub(crate) fn app(&self) -> &App {
        self.app.as_ref().expect("running")
    }

    /// Stops the server and gives its data folder, for the next one.
    pub(crate) async fn stop(mut self) -> TempDir {
        self.app.take().expect("running").stop().await;
        std::mem::replace(&mut self.data, TempDir::new().unwrap())
    }

    /// A request of the API as the admin.
    pub(crate) fn api(&self, method: Method, path: &str) -> RequestBuilder {
        self.api_as(ADMIN, method, path)
    }

    pub(crate) fn api_as(&self, token: &str, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(token)
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        ok(self.api(Method::GET, path).send().await.unwrap()).await
    }

    /// Deploys as the admin; gives the hook as the server shows it.
    pub(crate) async fn deploy(&self, path: &str, notebook: &Value, params: Value) -> Value {
        self.deploy_as(ADMIN, path, notebook, params).await
    }

    pub(crate) async fn deploy_as(&self, token: &str, path: &str, notebook: &Value, params: Value) -> Value {
        let body = json!({"path": path, "params": params, "notebook": notebook});
        ok(self.api_as(token, Method::POST, "/v1/hooks").json(&body).send().await.unwrap()).await
    }

    /// Deploys a fixture under its own name.
    pub(crate) async fn deploy_fixture(&self, name: &str, params: Value) -> Value {
        self.deploy(&format!("{name}.ipynb"), &fixture(name), params).await
    }

    /// Calls a hook with GET.
    pub(crate) async fn call(&self, hook: &Value, query: &[(&str, &str)]) -> Response {
        self.http.get(url(hook)).query(query).send().await.unwrap()
    }

    /// A member, and their token.
    pub(crate) async fn member(&self, name: &str) -> String {
        let user = json!({"name": name, "role": "member"});
        ok(self.api(Method::POST, "/v1/users").json(&user).send().await.unwrap()).await;
        let token = json!({"name": "test", "user": name});
        let issued = ok(self.api(Method::POST, "/v1/tokens").json(&token).send().await.unwrap()).await;
        issued["token"].as_str().unwrap().to_owned()
    }
}

/// Whether every kernel is to be spawned, and none forked: `NBHOOK_TEST_EXECUTOR=spawn`.
pub(crate) fn spawns() -> bool {
    std::env::var("NBHOOK_TEST_EXECUTOR").is_ok_and(|executor| executor == "spawn")
}

/// A client that follows no redirect and waits a minute at most.
pub(crate) fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_mins(1))
        .build()
        .unwrap()
}

pub(crate) fn url(hook: &Value) -> &str {
    hook["url"].as_str().expect("a hook has a URL")
}

/// The JSON of an answer that must be a success.
pub(crate) async fn ok(response: Response) -> Value {
    let status = response.status();
    let body = response.text().await.unwrap();
    assert!(status.is_success(), "{status}: {body}");
    serde_json::from_str(&body).unwrap_or(Value::Null)
}

/// The problem of an answer that must have this status.
pub(crate) async fn problem(response: Response, status: u16) -> Value {
    let got = response.status().as_u16();
    let media_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    let body = response.text().await.unwrap();
    assert_eq!((got, media_type.as_str()), (status, "application/problem+json"), "{body}");
    let problem: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(problem["status"], status);
    problem
}

/// A problem without when it was told.
pub(crate) fn timeless(mut problem: Value) -> Value {
    problem["@error"]["@time"].take();
    problem
}

/// The value of a header that must be there.
pub(crate) fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).unwrap_or_else(|| panic!("no header {name}")).to_str().unwrap()
}

/// The id of the run that an answer came from.
pub(crate) fn run_of(response: &Response) -> String {
    header(response, "x-nbhook-run").to_owned()
}

/// A part of a multipart form: name, file name, content.
pub(crate) type FormPart<'a> = (&'a str, Option<&'a str>, &'a [u8]);

/// A multipart body and its media type, byte for byte as browsers write it (RFC 7578: file names are UTF-8 as they are).
pub(crate) fn form(parts: &[FormPart<'_>]) -> (String, Vec<u8>) {
    const BOUNDARY: &str = "a-boundary-of-the-tests";
    let mut body = Vec::new();
    for (name, filename, content) in parts {
        let filename = filename.map(|name| format!("; filename=\"{name}\"")).unwrap_or_default();
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{filename}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={BOUNDARY}"), body)
}

impl TestApp {
    /// Deploys by multipart form, as the clients do.
    pub(crate) async fn upload(&self, meta: &Value, notebook: &[u8], dependencies: &[(&str, &[u8])]) -> Response {
        let meta = meta.to_string();
        let mut parts: Vec<FormPart<'_>> =
            vec![("meta", None, meta.as_bytes()), ("notebook", Some("n.ipynb"), notebook)];
        parts.extend(dependencies.iter().map(|(name, content)| ("dependency", Some(*name), *content)));
        let (media_type, body) = form(&parts);
        self.api(Method::POST, "/v1/hooks").header("content-type", media_type).body(body).send().await.unwrap()
    }

    /// The files of the data folder that are not the server's own: path below the folder, content.
    pub(crate) fn kept(&self) -> std::collections::BTreeMap<String, bytes::Bytes> {
        let mut found = std::collections::BTreeMap::new();
        let mut folders = vec![self.data.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.ends_with(".nbhook") {
                    folders.push(path);
                } else if path.is_file() {
                    let name = path.strip_prefix(self.data.path()).unwrap().to_string_lossy().into_owned();
                    found.insert(name, std::fs::read(&path).unwrap().into());
                }
            }
        }
        found
    }

    /// Waits until nothing is left to do of the runs that were answered.
    pub(crate) async fn quiet(&self) {
        eventually("no run is in progress", async || self.app().service().runs_in_progress() == 0).await;
    }

    /// What is in the server's scratch folder; nothing, when nothing is going on.
    pub(crate) fn scratch(&self) -> Vec<PathBuf> {
        let folder = self.data.path().join(".nbhook/scratch");
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

/// Waits until `is_so`, for half a minute at most.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !is_so().await {
        assert!(std::time::Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Writes a new file, with the folders above it.
pub(crate) fn write(path: &Path, content: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::io::Write::write_all(&mut std::fs::File::create_new(path).unwrap(), content).unwrap();
}

/// What plain Python, without nbhook, writes to stdout.
#[expect(clippy::disallowed_methods, reason = "ends by itself")]
pub(crate) fn run_python(args: &[&str], stdin: &str) -> String {
    use std::process::{Command, Stdio};
    let mut command = Command::new(python());
    let mut child = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), stdin.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}
