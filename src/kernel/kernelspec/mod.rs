//! Finding a kernelspec by its name and turning it into a command, as Jupyter does it.
//!
//! See <https://jupyter-client.readthedocs.io/en/stable/kernels.html#kernel-specs> and `jupyter_core.paths.jupyter_path`. The
//! server is no Python program, so the interpreter of its kernel environment stands in for Python's own `sys.prefix` and
//! `sys.executable`.

mod file;
mod path;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::{InterruptMode, KernelCommand};
use file::KernelFile;

/// The environment variables a search depends on.
pub(super) type Variables = HashMap<String, String>;

/// The kernelspec that every Python environment with ipykernel has, installed or not.
const NATIVE: &str = "python3";

/// Why a kernelspec cannot be used. A lowercase fragment that says what to do.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KernelspecError {
    #[error("`{0}` is no name of a kernelspec: expected letters, digits, `.`, `_` and `-`")]
    Name(String),
    #[error("no kernelspec `{name}` on this server; it has {}", list(.known))]
    NotFound { name: String, known: Vec<String> },
    #[error("cannot read the kernelspec {}: {reason}", .file.display())]
    Unreadable { file: PathBuf, reason: String },
    #[error("the kernelspec `{name}` starts `{program}`, which {reason}")]
    Program { name: String, program: String, reason: &'static str },
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Where kernelspecs are looked for, and with what they are completed.
#[derive(Debug, Clone)]
pub struct Kernelspecs {
    /// The directories with kernelspecs, best first.
    dirs: Vec<PathBuf>,
    variables: Variables,
    interpreter: PathBuf,
    launcher_dir: PathBuf,
}

impl Kernelspecs {
    /// Searches as a Jupyter in the interpreter's environment would. `interpreter` is absolute; for `launcher_dir` see
    /// [`python_kernel`].
    #[must_use]
    pub fn new(interpreter: &Path, launcher_dir: &Path) -> Self {
        // What configures the server is not for kernels.
        let ours = |name: &str| name.starts_with("NBHOOK_");
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| !ours(name))
            .collect();
        let virtualenv = path::prefix(interpreter).join("pyvenv.cfg").is_file();
        Self::with_variables(interpreter, launcher_dir, variables, virtualenv)
    }

    /// As [`Kernelspecs::new`], with everything given.
    fn with_variables(interpreter: &Path, launcher_dir: &Path, variables: Variables, virtualenv: bool) -> Self {
        Self {
            dirs: path::kernel_dirs(&variables, path::prefix(interpreter), virtualenv),
            variables,
            interpreter: interpreter.to_owned(),
            launcher_dir: launcher_dir.to_owned(),
        }
    }

    /// Puts a directory with kernelspecs before all others.
    #[cfg(test)]
    pub(super) fn search_first(&mut self, dir: &Path) {
        self.dirs.insert(0, dir.to_owned());
    }

    /// Finds a kernelspec, in any case of letters, and resolves it. Reads files, so blocks.
    ///
    /// # Errors
    /// [`KernelspecError`] when there is none of that name or it cannot be started on this machine.
    pub fn find(&self, name: &str) -> Result<KernelCommand, KernelspecError> {
        if !valid(name) {
            return Err(KernelspecError::Name(name.to_owned()));
        }
        let name = name.to_lowercase();
        let found = self.dirs.iter().flat_map(|dir| kernels_in(dir)).find(|(known, _)| *known == name);
        match found {
            Some((_, dir)) => self.resolve(&name, &dir),
            None if name == NATIVE => Ok(python_kernel(&self.interpreter, &self.launcher_dir)),
            None => Err(KernelspecError::NotFound { name, known: self.names() }),
        }
    }

    /// The names of all kernelspecs, sorted. Reads directories, so blocks.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.dirs.iter().flat_map(|dir| kernels_in(dir)).map(|(name, _)| name).collect();
        names.push(NATIVE.to_owned());
        names.sort();
        names.dedup();
        names
    }

    fn resolve(&self, name: &str, dir: &Path) -> Result<KernelCommand, KernelspecError> {
        let file = dir.join("kernel.json");
        let spec = std::fs::read(&file)
            .map_err(|error| error.to_string())
            .and_then(|bytes| KernelFile::parse(&bytes))
            .map_err(|reason| KernelspecError::Unreadable { file, reason })?;
        let (program, words) = spec.argv.split_first();
        let program = self.program(name, program)?;
        let env: Vec<(String, String)> =
            spec.env.iter().map(|(name, value)| (name.clone(), file::substitute(value, &self.variables))).collect();
        if let Some(python) = file::ipykernel_arguments(words) {
            let kernel = launch(&program, &self.launcher_dir, python.interpreter, python.kernel);
            return Ok(KernelCommand { env, name: name.to_owned(), ..kernel });
        }
        let prefix = path::prefix(&self.interpreter).to_string_lossy();
        let complete =
            |word: &String| word.replace("{prefix}", &prefix).replace("{resource_dir}", &dir.to_string_lossy());
        let argv = std::iter::once(program.to_string_lossy().into_owned()).chain(words.iter().map(complete)).collect();
        Ok(KernelCommand {
            argv,
            env,
            name: name.to_owned(),
            language: spec.language,
            interrupt: spec.interrupt,
            preload: Vec::new(),
        })
    }

    /// The program of a kernelspec as an absolute path.
    fn program(&self, name: &str, program: &str) -> Result<PathBuf, KernelspecError> {
        let refused = |reason| KernelspecError::Program { name: name.to_owned(), program: program.to_owned(), reason };
        let path = Path::new(program);
        let found = if program == "python" || program == "python3" {
            // Jupyter's rule: its own interpreter, whatever stands first on PATH.
            self.interpreter.clone()
        } else if path.is_absolute() {
            path.to_owned()
        } else if program.contains('/') {
            return Err(refused("is neither an absolute path nor a program on PATH"));
        } else {
            path::which(program, &self.variables).ok_or_else(|| refused("is not on PATH"))?
        };
        if path::executable(&found) { Ok(found) } else { Err(refused("is not there or not executable")) }
    }
}

/// A Python kernel in the environment of `interpreter`, an absolute path.
///
/// `launcher_dir` holds the server's copy of the client: the packages `nbhook`, with the launcher in it, and `naas`. It is put at
/// the end of the kernel's `sys.path`.
#[must_use]
pub fn python_kernel(interpreter: &Path, launcher_dir: &Path) -> KernelCommand {
    launch(interpreter, launcher_dir, &[], &[])
}

fn launch(interpreter: &Path, launcher_dir: &Path, flags: &[String], kernel_args: &[String]) -> KernelCommand {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut argv = vec![text(interpreter)];
    argv.extend_from_slice(flags);
    argv.push(text(&launcher_dir.join("nbhook/_kernel.py")));
    argv.push("{connection_file}".to_owned());
    argv.push(text(launcher_dir));
    if !kernel_args.is_empty() {
        argv.push("--".to_owned());
        argv.extend_from_slice(kernel_args);
    }
    KernelCommand {
        argv,
        env: Vec::new(),
        name: NATIVE.to_owned(),
        language: "python".to_owned(),
        interrupt: InterruptMode::Signal,
        preload: Vec::new(),
    }
}

fn valid(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty() && name != "." && name != ".." && name.bytes().all(allowed)
}

/// The kernelspecs in a directory: their names, lowercase, and their directories; sorted, so that of two that differ only in
/// case always the same one wins.
fn kernels_in(dir: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut kernels: Vec<(String, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str().filter(|name| valid(name))?.to_lowercase();
            path.join("kernel.json").is_file().then_some((name, path))
        })
        .collect();
    kernels.sort();
    kernels
}
