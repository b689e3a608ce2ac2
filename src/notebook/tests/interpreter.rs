//! Runs a real interpreter on a folder of its own and gives what it said.

use std::path::Path;
use std::process::{Command, Output};

/// Runs `program args…` in `folder` with nothing in its environment but `PATH` and a locale.
#[expect(clippy::disallowed_methods, reason = "tests wait for the interpreter to end")]
pub(super) fn run(program: &str, args: &[&str], folder: &Path, locale: &str) -> Output {
    let path = std::env::var_os("PATH").unwrap();
    let mut command = Command::new(program);
    command.args(args).current_dir(folder).env_clear().env("PATH", path).env("LC_ALL", locale);
    command.output().unwrap_or_else(|error| panic!("these tests need {program}: {error}"))
}

/// Writes a file for an interpreter.
#[expect(clippy::disallowed_methods, reason = "a test's own folder; nobody reads it half-written")]
pub(super) fn write(folder: &Path, name: &str, text: &[u8]) {
    std::fs::write(folder.join(name), text).unwrap();
}

/// The names of the files in a folder, sorted: what code that ran by mistake would have added to.
pub(super) fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
