//! Looking into a Python interpreter from outside: its version, its ipykernel, which imports it lacks, and what it reads in the
//! cell with a notebook's parameters.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::kernel::process::{HelperError, command, run_to_end};
use crate::model::Imports;

const SCRIPT: &str =
    concat!(include_str!("contract_schema.py"), "\n", include_str!("contract.py"), "\n", include_str!("inspect.py"));
/// An interpreter on a slow network disk takes seconds for its first start.
const TIMEOUT: Duration = Duration::from_secs(30);
const MAX_OUTPUT: usize = 4 << 20;
/// The oldest Python and ipykernel that runs can use.
const OLDEST_PYTHON: (u32, u32) = (3, 9);
const OLDEST_IPYKERNEL: u32 = 6;
/// How many interpreters are remembered.
const KEPT: usize = 256;

/// A Python interpreter that is there and new enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// Its `sys.executable`: absolute; a virtual environment's own path, not what that links to.
    pub executable: PathBuf,
    /// e.g. `3.11.7`.
    pub version: String,
    /// The version of its ipykernel; none when it is missing or older than 6, so that no kernel can be started.
    pub ipykernel: Option<String>,
}

/// What there is to know of a notebook.
#[derive(Debug, Clone, Copy, Default)]
pub struct Code<'a> {
    pub cells: &'a [&'a str],
    /// The modules that lie beside it.
    pub beside: &'a [&'a str],
    /// The source of the cell with its parameters.
    pub parameters: Option<&'a str>,
}

/// What a notebook would find in an interpreter.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    pub interpreter: Interpreter,
    /// Top-level modules that the notebook imports and the interpreter lacks, sorted. Files deployed beside the notebook
    /// are not known here: take their names out.
    pub missing_imports: Vec<String>,
    /// What its cells import at their top level.
    pub imports: Imports,
    /// What the cell with the parameters says, if there is one.
    pub reading: Option<Reading>,
}

/// What Python reads in the cell with the parameters.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Reading {
    /// A JSON Schema for each parameter, in order, and the names of those without a default.
    Read { properties: Map<String, Value>, required: Vec<String> },
    /// Why the cell cannot be parsed.
    Unreadable { error: String },
}

/// Why an interpreter cannot be used. A lowercase fragment that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error("there is no Python interpreter at `{}`: name one that is installed on the server", .0.display())]
    NotFound(PathBuf),
    #[error("the Python at `{}` is version {version}, which is too old: use 3.9 or newer", python.display())]
    TooOld { python: PathBuf, version: String },
    #[error("`{}` does not behave like a Python interpreter ({status}): {stderr}", python.display())]
    Failed { python: PathBuf, status: String, stderr: String },
    #[error("cannot ask the Python at `{}`: {source}", python.display())]
    Helper { python: PathBuf, source: HelperError },
}

/// Inspects interpreters, and remembers those in which kernels can be started.
#[derive(Debug, Default)]
pub struct Inspector(Mutex<HashMap<Stamp, Interpreter>>);

/// An interpreter's path, with when the link there and the file behind it were last changed.
type Stamp = (PathBuf, (i64, i64), (i64, i64));

impl Inspector {
    /// What the interpreter is. Starts it once; an interpreter with an ipykernel is remembered until its file changes.
    ///
    /// # Errors
    /// See [`InspectError`].
    pub async fn interpreter(&self, python: &Path) -> Result<Interpreter, InspectError> {
        let known = stamp(python).and_then(|stamp| self.known().get(&stamp).cloned());
        match known {
            Some(interpreter) => Ok(interpreter),
            None => Ok(self.inspect(python, Code::default()).await?.interpreter),
        }
    }

    /// What a notebook would find in the interpreter. Nothing of the notebook is executed or
    /// imported; cells that are not Python are passed over.
    ///
    /// # Errors
    /// See [`InspectError`].
    pub async fn inspect(&self, python: &Path, code: Code<'_>) -> Result<Inspection, InspectError> {
        let stamp = stamp(python);
        let facts = ask(python, &["ipykernel"], code).await?;
        let ipykernel = facts.usable_ipykernel();
        let interpreter = Interpreter { executable: facts.executable, version: facts.version, ipykernel };
        // What lacks an ipykernel today may get one tomorrow, and its file stays the same.
        if let Some(stamp) = stamp.filter(|_| interpreter.ipykernel.is_some()) {
            let mut known = self.known();
            if known.len() >= KEPT {
                known.clear();
            }
            known.insert(stamp, interpreter.clone());
        }
        Ok(Inspection { interpreter, missing_imports: facts.missing, imports: facts.imports, reading: facts.contract })
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Stamp, Interpreter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Two `stat` calls, cheap enough for an async thread.
fn stamp(python: &Path) -> Option<Stamp> {
    let (link, file) = (python.symlink_metadata().ok()?, python.metadata().ok()?);
    Some((python.to_owned(), (link.mtime(), link.mtime_nsec()), (file.mtime(), file.mtime_nsec())))
}

/// What the script prints.
#[derive(Debug, Deserialize)]
pub(super) struct Facts {
    pub(super) executable: PathBuf,
    pub(super) version: String,
    /// The version of each module asked for: empty when it has none, null when it is missing.
    #[serde(default)]
    pub(super) modules: HashMap<String, Option<String>>,
    #[serde(default)]
    missing: Vec<String>,
    #[serde(default)]
    imports: Imports,
    #[serde(default)]
    contract: Option<Reading>,
}

impl Facts {
    pub(super) fn usable_ipykernel(&self) -> Option<String> {
        let version = self.modules.get("ipykernel").cloned().flatten()?;
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        (major? >= OLDEST_IPYKERNEL).then_some(version)
    }

    fn python_is_usable(&self) -> bool {
        let mut parts = self.version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) >= OLDEST_PYTHON
    }
}

/// Asks an interpreter for `modules` and for the imports of a notebook, in one process.
///
/// It is started as a kernel is, not isolated (`-I`): what the user's site and `PYTHONPATH` add counts for kernels too.
pub(super) async fn ask(python: &Path, modules: &[&str], code: Code<'_>) -> Result<Facts, InspectError> {
    let question = json!({
        "modules": modules, "cells": code.cells, "beside": code.beside, "parameters": code.parameters,
    })
    .to_string();
    let process = command(python).args(["-c", SCRIPT]).current_dir(Path::new("/"));
    let python = python.to_owned();
    let output = match run_to_end(process, question.as_bytes(), TIMEOUT, MAX_OUTPUT).await {
        Ok(output) => output,
        Err(HelperError::Spawn(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(InspectError::NotFound(python));
        }
        Err(source) => return Err(InspectError::Helper { python, source }),
    };
    // A `sitecustomize` may print too: the answer is the last line.
    let last = output.stdout.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    match serde_json::from_slice::<Facts>(last) {
        Ok(facts) if !facts.python_is_usable() => Err(InspectError::TooOld { python, version: facts.version }),
        Ok(facts) if output.status.success() && facts.executable.is_absolute() => Ok(facts),
        _ => {
            // A program that is no Python may repeat the whole question; the last line says what it thinks of it.
            let said = super::tail(&output.stderr);
            let (status, stderr) = (output.status.to_string(), said.lines().last().unwrap_or_default().to_owned());
            Err(InspectError::Failed { python, status, stderr })
        }
    }
}
