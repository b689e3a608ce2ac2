//! Jupyter's search path for kernelspecs, and the search path for programs.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Variables;

/// `sys.prefix` of an interpreter: it stands in the prefix's `bin`. Symbolic links are not followed, for the interpreter of
/// a virtual environment is one.
pub(super) fn prefix(interpreter: &Path) -> &Path {
    interpreter.parent().and_then(Path::parent).unwrap_or(Path::new("/usr"))
}

/// The directories with kernelspecs, best first: `JUPYTER_PATH`, then the user's and the environment's (the environment's
/// first when it is a virtual or a conda environment or `JUPYTER_PREFER_ENV_PATH` says so), then the system's.
pub(super) fn kernel_dirs(variables: &Variables, prefix: &Path, virtualenv: bool) -> Vec<PathBuf> {
    let get = |name: &str| variables.get(name).filter(|value| !value.is_empty());
    let system = ["/usr/local/share/jupyter", "/usr/share/jupyter"].map(PathBuf::from);
    let home = get("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let environment = Some(prefix.join("share/jupyter")).filter(|dir| !system.contains(dir));
    let user_base = get("PYTHONUSERBASE").map_or_else(|| home.join(".local"), PathBuf::from);
    let user = [user_data_dir(variables, &home), user_base.join("share/jupyter")];

    let mut dirs: Vec<PathBuf> = get("JUPYTER_PATH").into_iter().flat_map(std::env::split_paths).collect();
    if prefers_environment(variables, prefix, virtualenv) {
        dirs.extend(environment);
        dirs.extend(user);
    } else {
        dirs.extend(user);
        dirs.extend(environment);
    }
    dirs.extend(system);
    dirs.push(get("IPYTHONDIR").map_or_else(|| home.join(".ipython"), PathBuf::from));
    let mut seen = std::collections::HashSet::new();
    dirs.retain(|dir| seen.insert(dir.clone()));
    dirs.into_iter().map(|dir| dir.join("kernels")).collect()
}

fn user_data_dir(variables: &Variables, home: &Path) -> PathBuf {
    let get = |name: &str| variables.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(dir) = get("JUPYTER_DATA_DIR") {
        dir
    } else if cfg!(target_os = "macos") {
        home.join("Library/Jupyter")
    } else {
        get("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share")).join("jupyter")
    }
}

fn prefers_environment(variables: &Variables, prefix: &Path, virtualenv: bool) -> bool {
    if let Some(wish) = variables.get("JUPYTER_PREFER_ENV_PATH") {
        return !["no", "n", "false", "off", "0", "0.0"].contains(&wish.to_lowercase().as_str());
    }
    let conda = variables.get("CONDA_PREFIX").is_some_and(|conda| prefix.starts_with(conda))
        && variables.get("CONDA_DEFAULT_ENV").is_some_and(|name| name != "base");
    virtualenv || conda
}

/// The first executable of that name on `PATH`.
pub(super) fn which(program: &str, variables: &Variables) -> Option<PathBuf> {
    let path = variables.get("PATH").map_or("/usr/local/bin:/usr/bin:/bin", String::as_str);
    // A relative entry would mean something else in every working directory.
    std::env::split_paths(path)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(program))
        .find(|file| executable(file))
}

pub(super) fn executable(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}
