//! Kernelspecs (Python only until the search for others lands).

use std::path::{Path, PathBuf};

use super::{InterruptMode, KernelCommand};

/// The kernel of a Python interpreter, started by our own launcher.
pub fn python_kernel(python: &Path, launcher: &Path, client: &[PathBuf]) -> KernelCommand {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut argv = vec![text(python), text(launcher), "{connection_file}".to_owned()];
    argv.extend(client.iter().map(|path| text(path)));
    KernelCommand {
        argv,
        env: Vec::new(),
        name: "python3".to_owned(),
        language: "python".to_owned(),
        interrupt: InterruptMode::Signal,
    }
}

pub fn find(name: &str, _python: &Path) -> Result<KernelCommand, String> {
    Err(format!("there is no kernel `{name}`"))
}

pub fn names(_python: &Path) -> Vec<String> {
    Vec::new()
}
