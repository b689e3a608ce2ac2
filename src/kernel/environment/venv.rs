//! The virtual environment that the server makes for itself when the given Python lacks what it needs.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::pipe;

use super::inspect::{self, Code, Facts};
use super::{EnvironmentError, Requirements, Step, tail};
use crate::kernel::process::{Command, HelperError, Process, command, run_to_end};

const KERNEL: &str = include_str!("../../../python/requirements/kernel.txt");
const DEMO: &str = include_str!("../../../python/requirements/demo.txt");

/// In the virtual environment, says with which requirements it was completed.
const MARKER: &str = "nbhook-complete";
const VENV_TIMEOUT: Duration = Duration::from_mins(3);
const PIP_TIMEOUT: Duration = Duration::from_mins(30);
const LOCK_TIMEOUT: Duration = Duration::from_mins(40);
const LOCK_POLL: Duration = Duration::from_millis(200);
const MAX_OUTPUT: usize = 4 << 20;
const MAX_STDERR: u64 = 4 << 20;

/// Takes the folder for this process, and makes it. Given back when the file is dropped or the process ends.
pub(super) async fn lock(
    folder: &Path,
    report: &(impl Fn(Step, &str) + Sync),
) -> Result<std::fs::File, EnvironmentError> {
    let files = |source| EnvironmentError::Files { folder: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(files)?;
    let mut options = std::fs::OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).open(folder.join("environment.lock")).map_err(files)?;
    let waited = tokio::time::timeout(LOCK_TIMEOUT, async {
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(std::fs::TryLockError::WouldBlock) => report(Step::Waiting, ""),
                Err(std::fs::TryLockError::Error(error)) => return Err(files(error)),
            }
            tokio::time::sleep(LOCK_POLL).await;
        }
    });
    match waited.await {
        Ok(taken) => taken.map(|()| file),
        Err(_) => Err(EnvironmentError::Locked { folder: folder.to_owned() }),
    }
}

/// A virtual environment as it is to be.
pub(super) struct Venv<'a, Report> {
    pub(super) folder: &'a Path,
    /// The Python to make it from.
    pub(super) base: &'a Facts,
    pub(super) requirements: Requirements,
    /// Further arguments of `pip install`.
    pub(super) pip: &'a [&'a str],
    pub(super) report: &'a Report,
}

impl<Report: Fn(Step, &str) + Sync> Venv<'_, Report> {
    /// Gives the environment, made or completed if it must be.
    pub(super) async fn ensure(&self) -> Result<Facts, EnvironmentError> {
        let python = self.folder.join("bin/python");
        let modules = self.requirements.modules();
        let missing = missing(self.folder, &self.base.version, self.requirements);
        let facts = inspect::ask(&python, modules, Code::default()).await;
        let works = facts.as_ref().is_ok_and(|facts| facts.version == self.base.version);
        match facts {
            Ok(facts) if missing.is_empty() && self.requirements.met_by(&facts) => return Ok(facts),
            // Complete as far as it goes: only the demo's packages are to come.
            _ if works && missing == [DEMO] => {}
            _ => self.make().await?,
        }
        unmark(self.folder).map_err(|source| files(self.folder, source))?;
        self.install(&python).await?;
        let facts = inspect::ask(&python, modules, Code::default()).await?;
        if !self.requirements.met_by(&facts) {
            return Err(self.pip_failed("they are not there after the installation".to_owned()));
        }
        mark(self.folder, &self.base.version, self.requirements).map_err(|source| files(self.folder, source))?;
        Ok(facts)
    }

    /// Makes the environment anew, without packages.
    async fn make(&self) -> Result<(), EnvironmentError> {
        let folder = self.folder.to_owned();
        (self.report)(Step::MakingVenv, &folder.to_string_lossy());
        let removed = tokio::task::spawn_blocking(move || match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        });
        let removed = removed.await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
        removed.map_err(|source| files(self.folder, source))?;

        let process = command(&self.base.executable).args(["-I", "-m", "venv"]).args([self.folder]);
        let failed = |message| EnvironmentError::Venv { folder: self.folder.to_owned(), message };
        let output = run_to_end(process, b"", VENV_TIMEOUT, MAX_OUTPUT).await;
        let output = output.map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        let said = format!("{}\n{}", tail(&output.stdout), tail(&output.stderr));
        if said.contains("ensurepip") || said.contains("No module named venv") {
            return Err(EnvironmentError::NoVenv {
                python: self.base.executable.clone(),
                version: self.base.version.split('.').take(2).collect::<Vec<_>>().join("."),
                packages: packages(self.requirements),
            });
        }
        Err(failed(said.trim().to_owned()))
    }

    async fn install(&self, python: &Path) -> Result<(), EnvironmentError> {
        let wanted = lists(self.requirements).iter().flat_map(|list| list.lines());
        let wanted = wanted.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let process = command(python)
            .args(["-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--prefer-binary"])
            .args(["--progress-bar", "off", "--no-user"])
            .args(self.pip)
            .args(wanted);
        match tokio::time::timeout(PIP_TIMEOUT, follow(process, self.report)).await {
            Ok(Ok(None)) => Ok(()),
            Ok(Ok(Some(said))) if is_offline(&said) => {
                let message = said.lines().next_back().unwrap_or_default().to_owned();
                Err(EnvironmentError::Offline { packages: packages(self.requirements), message })
            }
            Ok(Ok(Some(said))) => Err(self.pip_failed(tail(said.as_bytes()))),
            Ok(Err(error)) => Err(self.pip_failed(error.to_string())),
            Err(_) => Err(self.pip_failed(HelperError::Timeout(PIP_TIMEOUT).to_string())),
        }
    }

    fn pip_failed(&self, message: String) -> EnvironmentError {
        EnvironmentError::Pip { packages: packages(self.requirements), message }
    }
}

fn lists(requirements: Requirements) -> &'static [&'static str] {
    match requirements {
        Requirements::Kernel | Requirements::Run => &[KERNEL],
        Requirements::Demo => &[KERNEL, DEMO],
    }
}

fn packages(requirements: Requirements) -> String {
    requirements.modules().join(", ")
}

fn files(folder: &Path, source: io::Error) -> EnvironmentError {
    EnvironmentError::Files { folder: folder.to_owned(), source }
}

/// One line of the marker: stands for a list of requirements as installed for a version of Python.
fn hash(list: &str, version: &str) -> String {
    format!("{:x}", Sha256::digest(format!("{version}\n{list}")))
}

/// The lists of requirements with which the environment was not completed.
fn missing(venv: &Path, version: &str, requirements: Requirements) -> Vec<&'static str> {
    let marker = std::fs::read_to_string(venv.join(MARKER)).unwrap_or_default();
    let done = |list: &str| marker.lines().any(|line| line == hash(list, version));
    lists(requirements).iter().copied().filter(|list| !done(list)).collect()
}

fn mark(venv: &Path, version: &str, requirements: Requirements) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(venv)?;
    for list in lists(requirements) {
        writeln!(file, "{}", hash(list, version))?;
    }
    file.as_file().sync_all()?;
    file.persist(venv.join(MARKER))?;
    Ok(())
}

/// Says that the environment is being changed: should that be cut off, the next start makes it anew.
fn unmark(venv: &Path) -> io::Result<()> {
    match std::fs::remove_file(venv.join(MARKER)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Runs pip, telling what it does; gives what it complained of when it fails.
async fn follow(process: Command, report: &(impl Fn(Step, &str) + Sync)) -> io::Result<Option<String>> {
    let mut process = Process::spawn(process).await?;
    let stdout = process.stdout.take().map(OwnedFd::from).map(pipe::Receiver::from_owned_fd).transpose()?;
    let stderr = process.stderr.take().map(OwnedFd::from).map(pipe::Receiver::from_owned_fd).transpose()?;
    let tell = async {
        let Some(stdout) = stdout else { return Ok(()) };
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await? {
            if let Some((step, detail)) = doing(&line) {
                report(step, detail);
            }
        }
        io::Result::Ok(())
    };
    let complain = async {
        let mut said = Vec::new();
        if let Some(stderr) = stderr {
            stderr.take(MAX_STDERR).read_to_end(&mut said).await?;
        }
        io::Result::Ok(said)
    };
    let ((), said) = tokio::try_join!(tell, complain)?;
    let status = process.wait().await;
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    Ok((!status.success()).then(|| if said.is_empty() { status.to_string() } else { said }))
}

/// What a line of pip's output tells: `Collecting pandas==3.1.1 (from …)` or `Installing collected packages: …`.
fn doing(line: &str) -> Option<(Step, &str)> {
    let line = line.trim();
    if let Some(packages) = line.strip_prefix("Installing collected packages:") {
        return Some((Step::Installing, packages.trim()));
    }
    let rest = line.strip_prefix("Collecting ")?;
    let end = rest.find(|c: char| !(c.is_alphanumeric() || "-_.".contains(c))).unwrap_or(rest.len());
    Some((Step::Downloading, &rest[..end]))
}

/// Whether pip failed for want of a network: an index that it can reach has some version of each of these packages.
fn is_offline(said: &str) -> bool {
    ["(from versions: none)", "NewConnectionError", "ConnectTimeout", "ProxyError"]
        .iter()
        .any(|sign| said.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pips_output_is_understood() {
        assert_eq!(doing("Collecting pandas==3.1.1"), Some((Step::Downloading, "pandas")));
        assert_eq!(
            doing("Collecting jupyter-core!=6.0,>=5.1 (from ipykernel)"),
            Some((Step::Downloading, "jupyter-core"))
        );
        assert_eq!(doing("Installing collected packages: a, b"), Some((Step::Installing, "a, b")));
        assert_eq!(doing("  Downloading pandas-3.1.1-cp311.whl (12.3 MB)"), None);
    }

    #[test]
    fn a_marker_holds_for_its_requirements_and_version_only() {
        let venv = tempfile::tempdir().unwrap();
        assert_eq!(missing(venv.path(), "3.11.7", Requirements::Demo), [KERNEL, DEMO]);
        mark(venv.path(), "3.11.7", Requirements::Kernel).unwrap();
        assert_eq!(missing(venv.path(), "3.11.7", Requirements::Kernel), [""; 0]);
        assert_eq!(missing(venv.path(), "3.11.7", Requirements::Demo), [DEMO]);
        assert_eq!(missing(venv.path(), "3.12.0", Requirements::Kernel), [KERNEL]);
        mark(venv.path(), "3.11.7", Requirements::Demo).unwrap();
        assert_eq!(missing(venv.path(), "3.11.7", Requirements::Demo), [""; 0]);
    }

    #[test]
    fn every_requirement_is_pinned() {
        for list in [KERNEL, DEMO] {
            assert!(list.lines().all(|line| line.starts_with('#') || line.contains("==")), "{list} is not pinned");
        }
    }
}
