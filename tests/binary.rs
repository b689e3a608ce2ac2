//! The real `nbhook` binary as a process, and a look at what it does to the machine (`/proc`, the temporary folder).

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::app::{client, ok, python, spawns, url};

/// How long something may take that is sure to happen.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// `nbhook` with these arguments and no setting from outside.
#[expect(clippy::disallowed_methods, reason = "a test's own process, killed by `Server` or waited for")]
pub(crate) fn nbhook<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nbhook"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"NBHOOK_")) {
        command.env_remove(name);
    }
    if spawns() {
        command.env("NBHOOK_KERNEL__EXECUTOR", "spawn");
    }
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command to its end: its exit status, and both of its streams as text.
pub(crate) fn finished(mut command: Command) -> (ExitStatus, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status, String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A running `nbhook serve`. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) http: Client,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// On a free port, with the test's Python.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// With more settings, as environment variables.
    pub(crate) fn start_with(data: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = nbhook(["serve", "--listen", "127.0.0.1:0"]);
        command.arg("--data").arg(data).arg("--python").arg(python()).current_dir(data).envs(settings.iter().copied());
        Self::from_command(command, data)
    }

    /// A command that serves and says so. Its admin's token is the one in the data folder or in its environment.
    pub(crate) fn from_command(mut command: Command, data: &Path) -> Self {
        let set = command.get_envs().find(|(name, _)| *name == "NBHOOK_ADMIN_TOKEN").and_then(|(_, value)| value);
        let set = set.map(|token| token.to_str().unwrap().to_owned());
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, kept) = (BufReader::new(child.stderr.take().unwrap()).lines(), log.clone());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().extend([line.as_str(), "\n"]);
            }
        });
        let mut server = Self { child, url: String::new(), token: String::new(), http: client(), log };
        server.url = server.announced();
        server.token =
            set.unwrap_or_else(|| std::fs::read_to_string(data.join("admin.token")).unwrap().trim().to_owned());
        server
    }

    /// Its URL, as it says it when it is ready: in a sentence, or in a log of JSON lines.
    fn announced(&mut self) -> String {
        let url = |line: &str| match serde_json::from_str::<Value>(line) {
            Ok(line) if line["fields"]["message"] == "serving" => {
                line["fields"]["address"].as_str().map(|address| format!("http://{address}"))
            }
            _ => line.strip_prefix("nbhook serves ").map(str::to_owned),
        };
        eventually("the server starts", || {
            let log = self.log();
            assert!(self.child.try_wait().unwrap().is_none(), "the server ended: {log}");
            log.lines().find_map(url)
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn terminate(&self) {
        signal(self.pid(), "TERM");
    }

    /// Its exit status; it must end within the time given.
    pub(crate) fn ended(&mut self, within: Duration) -> ExitStatus {
        let started = Instant::now();
        let status = eventually("the server ends", || self.child.try_wait().unwrap());
        assert!(started.elapsed() < within, "it took {:?}: {}", started.elapsed(), self.log());
        status
    }

    pub(crate) fn api(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        ok(self.api(Method::GET, path).send().await.unwrap()).await
    }

    pub(crate) async fn deploy(&self, path: &str, notebook: &Value, params: Value) -> Value {
        let body = json!({"path": path, "params": params, "notebook": notebook});
        ok(self.api(Method::POST, "/v1/hooks").json(&body).send().await.unwrap()).await
    }

    pub(crate) async fn call(&self, hook: &Value, query: &[(&str, &str)]) -> Response {
        self.http.get(url(hook)).query(query).send().await.unwrap()
    }

    /// A call that goes on by itself.
    pub(crate) fn calling(
        &self,
        hook: &Value,
        query: &[(&str, &str)],
    ) -> tokio::task::JoinHandle<reqwest::Result<Response>> {
        tokio::spawn(self.http.get(url(hook)).query(query).send())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to one process, if it is there.
#[expect(clippy::disallowed_methods, reason = "ends at once")]
pub(crate) fn try_signal(pid: u32, name: &str) -> bool {
    let quiet = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).stderr(Stdio::null()).status();
    quiet.unwrap().success()
}

pub(crate) fn signal(pid: u32, name: &str) {
    assert!(try_signal(pid, name));
}

/// Looks again and again until `look` finds something.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Every process that is not a zombie: its id, its parent's, and its environment.
pub(crate) fn processes() -> Vec<(u32, u32, Vec<u8>)> {
    let entries =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let look = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may hold anything.
        let mut rest = stat.rsplit_once(')')?.1.split_whitespace();
        let (state, parent) = (rest.next()?, rest.next()?.parse().ok()?);
        (state != "Z").then(|| (pid, parent, std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default()))
    };
    entries.filter_map(look).collect()
}

/// The processes of a server's runs, however they are related to it: runs know its URL.
pub(crate) fn processes_of_runs(url: &str) -> Vec<u32> {
    let entry = format!("NBHOOK_URL={url}");
    let marked = |environment: &[u8]| environment.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes());
    processes().into_iter().filter(|(_, _, environment)| marked(environment)).map(|(pid, ..)| pid).collect()
}

/// How many entries a folder has.
pub(crate) fn count(folder: impl AsRef<Path>) -> usize {
    std::fs::read_dir(folder.as_ref()).map_or(0, Iterator::count)
}

/// The directories that the kernels of a server made in the temporary folder.
pub(crate) fn meeting_places(server: u32) -> Vec<PathBuf> {
    let base = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let prefix = format!("nbhook-{server}-");
    let paths = std::fs::read_dir(base).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(&prefix)).collect()
}

/// Every file below a folder, except what vanishes meanwhile.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let Ok(entry) = entry else { continue };
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

/// How much memory a process has in use, in KiB.
pub(crate) fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
