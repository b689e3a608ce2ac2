//! What to start: a program, its arguments, environment and limits.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Stdio};

use super::{RUN_MARK, sys};
use crate::model::RunId;

/// A program to start, to be given to [`super::Process::spawn`] or [`super::run_to_end`].
#[derive(Debug)]
pub struct Command {
    inner: std::process::Command,
    resources: Resources,
    /// Marks the processes of a run, so that those who left the group are found too.
    pub(super) mark: Option<String>,
}

/// What a process may use, as setrlimit(2) bounds it; what is `None` is not bounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resources {
    /// Address space (`RLIMIT_AS`).
    pub memory_bytes: Option<u64>,
    /// User and system time (`RLIMIT_CPU`). Who uses it up is ended by SIGXCPU, and a second later by SIGKILL.
    pub cpu_seconds: Option<u64>,
    /// Open files (`RLIMIT_NOFILE`).
    pub open_files: Option<u64>,
}

/// Begins a [`Command`] with the server's environment, less what configures the server itself (`NBHOOK_*` holds secrets
/// that no notebook may read), and with no input.
#[expect(clippy::disallowed_methods, reason = "this is the one place that starts processes")]
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut inner = std::process::Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"NBHOOK_") {
            inner.env_remove(name);
        }
    }
    inner.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Command { inner, resources: Resources::default(), mark: None }
}

impl Command {
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.inner.args(args);
        self
    }

    #[must_use]
    pub fn envs(mut self, envs: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>) -> Self {
        self.inner.envs(envs);
        self
    }

    #[must_use]
    pub fn current_dir(mut self, dir: &Path) -> Self {
        self.inner.current_dir(dir);
        self
    }

    /// Bounds what it and each process that it starts may use.
    #[must_use]
    pub fn limited(mut self, resources: Resources) -> Self {
        self.resources = resources;
        self
    }

    /// Marks the process as part of a run ([`RUN_MARK`]). Whatever carries the mark is killed when the process ends, even
    /// what left its group by `setsid`.
    #[must_use]
    pub fn run(mut self, run: RunId) -> Self {
        let run = run.to_string();
        self.inner.env(RUN_MARK, &run);
        self.mark = Some(run);
        self
    }

    /// Gives the process a file as its standard input.
    #[must_use]
    pub fn stdin(mut self, file: OwnedFd) -> Self {
        self.inner.stdin(file);
        self
    }

    pub(super) fn piped_stdin(mut self) -> Self {
        self.inner.stdin(Stdio::piped());
        self
    }

    pub(super) fn start(&mut self) -> io::Result<Child> {
        sys::isolate(&mut self.inner, self.resources);
        self.inner.spawn()
    }
}
