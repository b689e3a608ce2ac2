//! Python environments: the server's own, and those that notebooks were deployed from.
//!
//! [`Environment::prepare`] finds or makes the interpreter that kernels run in when a hook names no other, and unpacks the
//! client package for all kernels. [`Inspector`] looks into other interpreters, [`python_allowed`] says which may be used.
//! Nothing here runs a notebook.

mod client;
mod inspect;
mod policy;
mod venv;

use std::io;
use std::path::{Path, PathBuf};

pub use inspect::{Code, InspectError, Inspection, Inspector, Interpreter, Reading};
pub use policy::python_allowed;

use client::Client;
use inspect::Facts;
use venv::Venv;

/// The server's own Python, in which kernels and nbconvert run, and the client package.
#[derive(Debug, Clone)]
pub struct Environment {
    python: PathBuf,
    version: String,
    client: Client,
}

/// What the server's own Python must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirements {
    /// ipykernel and nbconvert.
    Kernel,
    /// ipykernel alone, which is enough to run notebooks.
    Run,
    /// ipykernel, nbconvert, and what the notebooks of `nbhook demo` use: pandas and matplotlib.
    Demo,
}

/// What [`Environment::prepare`] is doing, for a progress bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub step: Step,
    /// What the step works on, e.g. a package's name; may be empty.
    pub detail: String,
}

/// The steps of [`Environment::prepare`], in order. Where everything is there, only the first is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    LookingAtPython,
    /// Another server is making the same environment.
    Waiting,
    MakingVenv,
    Downloading,
    Installing,
}

impl Step {
    pub const ALL: [Self; 5] =
        [Self::LookingAtPython, Self::Waiting, Self::MakingVenv, Self::Downloading, Self::Installing];

    /// For people, e.g. `downloading packages`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LookingAtPython => "looking at Python",
            Self::Waiting => "waiting for another nbhook",
            Self::MakingVenv => "making a virtual environment",
            Self::Downloading => "downloading packages",
            Self::Installing => "installing packages",
        }
    }
}

/// Why there is no environment. A lowercase fragment that fits "failed to …: " and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    #[error(transparent)]
    Python(#[from] InspectError),
    #[error("`{}` cannot make virtual environments: install its venv module (on Debian and Ubuntu: apt install python{version}-venv), or name with --python an interpreter that has {packages}", python.display())]
    NoVenv { python: PathBuf, version: String, packages: String },
    #[error("cannot make a virtual environment at `{}`: {message}", folder.display())]
    Venv { folder: PathBuf, message: String },
    #[error(
        "cannot download {packages}: connect this machine to the Internet (or point pip at a mirror with PIP_INDEX_URL) for this first start, or name with --python an interpreter that has them; pip says: {message}"
    )]
    Offline { packages: String, message: String },
    #[error("pip cannot install {packages}: {message}")]
    Pip { packages: String, message: String },
    #[error("another nbhook has been making the environment in `{}` for too long: end it, then try again", folder.display())]
    Locked { folder: PathBuf },
    #[error("cannot prepare `{}`: {source}", folder.display())]
    Files { folder: PathBuf, source: io::Error },
}

impl Requirements {
    /// The modules that must be there.
    fn modules(self) -> &'static [&'static str] {
        match self {
            Self::Kernel => &["ipykernel", "nbconvert"],
            Self::Run => &["ipykernel"],
            Self::Demo => &["ipykernel", "nbconvert", "pandas", "matplotlib"],
        }
    }

    fn met_by(self, facts: &Facts) -> bool {
        let has = |name: &&str| facts.modules.get(*name).is_some_and(Option::is_some);
        facts.usable_ipykernel().is_some() && self.modules().iter().all(has)
    }
}

impl Environment {
    /// Uses the `given` interpreter (a path, or a name to look for on `PATH`) when it has what is required; else the
    /// virtual environment `<folder>/venv`, which is made from `given` at the first start and completed or remade when it
    /// does not fit. Unpacks the client package into `<folder>/python`.
    ///
    /// Only making the virtual environment needs the network. Two servers that share the folder wait for one another.
    ///
    /// # Errors
    /// See [`EnvironmentError`].
    pub async fn prepare(
        given: &Path,
        folder: &Path,
        requirements: Requirements,
        progress: impl Fn(Progress) + Sync,
    ) -> Result<Self, EnvironmentError> {
        Self::prepare_with(given, folder, requirements, &[], progress).await
    }

    async fn prepare_with(
        given: &Path,
        folder: &Path,
        requirements: Requirements,
        pip: &[&str],
        progress: impl Fn(Progress) + Sync,
    ) -> Result<Self, EnvironmentError> {
        let report = |step, detail: &str| progress(Progress { step, detail: detail.to_owned() });
        let files = |source| EnvironmentError::Files { folder: folder.to_owned(), source };
        let folder = std::path::absolute(folder).map_err(files)?;
        let given = located(given).map_err(files)?;

        report(Step::LookingAtPython, &given.to_string_lossy());
        let facts = inspect::ask(&given, requirements.modules(), Code::default()).await?;
        let lock = venv::lock(&folder, &report).await?;
        let unpack = folder.join("python");
        let client = tokio::task::spawn_blocking(move || Client::install(&unpack)).await;
        let client = client.unwrap_or_else(|panic| Err(io::Error::other(panic))).map_err(files)?;
        let facts = if requirements.met_by(&facts) {
            facts
        } else {
            let folder = folder.join("venv");
            Venv { folder: &folder, base: &facts, requirements, pip, report: &report }.ensure().await?
        };
        drop(lock);
        Ok(Self { python: facts.executable, version: facts.version, client })
    }

    /// The interpreter's absolute path.
    #[must_use]
    pub fn python(&self) -> &Path {
        &self.python
    }

    /// The interpreter's version, e.g. `3.11.7`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The folder with `nbhook` and `naas`; it goes to the END of a kernel's `sys.path`, so that an installed one wins.
    #[must_use]
    pub fn client_folder(&self) -> &Path {
        self.client.folder()
    }
}

/// A path with a folder in it made absolute, since helpers run elsewhere; a bare name as it is, for `PATH`.
fn located(python: &Path) -> io::Result<PathBuf> {
    match python.components().count() {
        0 | 1 => Ok(python.to_owned()),
        _ => std::path::absolute(python),
    }
}

/// The end of what a helper process printed, for an error.
pub(super) fn tail(bytes: &[u8]) -> String {
    const MOST: usize = 600;
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim();
    let start = text.char_indices().rev().nth(MOST).map_or(0, |(at, _)| at);
    text[start..].to_owned()
}

#[cfg(test)]
mod contract_tests;
#[cfg(test)]
mod tests;
