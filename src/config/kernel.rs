//! How kernels are run: `[kernel]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::list::comma_separated;

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct KernelSettings {
    /// The server's own Python; if it has no ipykernel, a venv is made with it.
    pub python: PathBuf,
    /// Interpreters (or folders of them, with `*` for any name) that hooks may run in; in the environment comma-separated.
    /// Empty allows any.
    #[serde(deserialize_with = "comma_separated")]
    pub allow_python: Vec<String>,
    /// Kernels at once.
    pub limit: usize,
    /// Calls that may wait for a kernel.
    pub queue: usize,
    /// How long a kernel may take to start, in seconds.
    pub start_timeout: u64,
    /// Memory of one kernel, in MiB; 0 sets no limit.
    pub memory: u64,
    /// CPU time of one run, in seconds, of all its processes together; 0 sets no limit.
    pub cpu: u64,
    /// Processes of one run, the kernel included; 0 sets no limit.
    pub processes: usize,
    /// Open files of each process of a run; 0 sets no limit but the server's own.
    pub files: u64,
    /// All outputs of one run, in MiB.
    pub output: usize,
    /// How kernels are started.
    pub executor: ExecutorChoice,
    /// Python kernels that wait, ready, per environment; 0 forks each when it is needed.
    pub pool: usize,
    /// Memory of all processes together that have imported what notebooks import, in MiB.
    pub templates: u64,
}

/// How kernels are started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutorChoice {
    /// Python kernels are forked from a process that has started already, where that is possible; all others are spawned.
    #[default]
    Auto,
    /// Every kernel is a new process.
    Spawn,
}

impl Default for KernelSettings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            python: PathBuf::from("python3"),
            allow_python: Vec::new(),
            limit: (2 * cores).max(4),
            queue: 100,
            start_timeout: 60,
            memory: 4096,
            cpu: 0,
            processes: 256,
            files: 4096,
            output: 100,
            executor: ExecutorChoice::default(),
            pool: 2 * cores,
            templates: 2048,
        }
    }
}
