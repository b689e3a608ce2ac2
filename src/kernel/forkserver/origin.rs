//! Which kernels can be forked, and from which template.

use std::path::{Path, PathBuf};

use super::super::{InterruptMode, Job, KernelCommand};

/// What a template is made of: kernels with the same origin can be forked from the same template.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    pub(super) interpreter: PathBuf,
    /// The script of the template.
    pub(super) script: PathBuf,
    /// What the kernel has at the end of its `sys.path`.
    pub(super) directories: Vec<String>,
    /// The modules it imports in advance, sorted.
    pub(super) modules: Vec<String>,
}

/// Variables that a Python process, its libraries or IPython look at when they start, by how their names begin. A template has
/// started already, so a kernel with another value has to be spawned.
const LOOKED_AT_EARLY: [&str; 16] = [
    "PYTHON",
    "IPYTHON",
    "JUPYTER",
    "JPY_",
    "LD_",
    "LC_",
    "LANG",
    "HOME",
    "XDG_",
    "MALLOC_",
    "GLIBC_",
    "OPENSSL_",
    "SSL_",
    "VIRTUAL_ENV",
    "ZMQ_",
    "NO_COLOR",
];

impl Origin {
    /// The origin of a kernel; none if it cannot be forked, because it is no Python of ours or is to be started with options.
    pub(super) fn of(kernel: &KernelCommand) -> Option<Self> {
        let [interpreter, launcher, file, directories @ ..] = kernel.argv.as_slice() else { return None };
        let launcher = Path::new(launcher);
        let ours = launcher.file_name()? == "_kernel.py" && file == "{connection_file}";
        let plain = ours && !directories.iter().any(|word| word == "--") && kernel.interrupt == InterruptMode::Signal;
        (cfg!(target_os = "linux") && plain).then(|| Self {
            interpreter: PathBuf::from(interpreter),
            script: launcher.with_file_name("_forkserver.py"),
            directories: directories.to_vec(),
            modules: Self::sorted(&kernel.preload),
        })
    }

    fn sorted(modules: &[String]) -> Vec<String> {
        let mut modules = modules.to_vec();
        modules.sort_unstable();
        modules.dedup();
        modules
    }

    /// The same without modules in advance, if it has any.
    pub(super) fn plain(&self) -> Option<Self> {
        (!self.modules.is_empty()).then(|| Self { modules: Vec::new(), ..self.clone() })
    }
}

/// Whether a job's environment may be given to a Python process that has started already.
pub(super) fn environment_may_come_late(job: &Job) -> bool {
    job.kernel.env.iter().chain(&job.env).all(|(name, value)| {
        !LOOKED_AT_EARLY.iter().any(|start| name.starts_with(start))
            || std::env::var(name).is_ok_and(|ours| ours == *value)
    })
}
