//! Which interpreters hooks may run in.

use std::path::{Component, Path};

/// Whether a hook may run in the interpreter at `python`, by the setting `kernel.allow_python`.
///
/// Each entry of `allowed` is an absolute path of an interpreter or of a folder, whose whole tree is then allowed; `*` in a
/// component stands for any text without `/` (`/home/*/venvs`). No entries allow any interpreter. Paths are compared as
/// written: a symbolic link counts for where it lies, not for where it points, as an environment's interpreter is one.
#[must_use]
pub fn python_allowed(allowed: &[String], python: &Path) -> bool {
    if allowed.is_empty() {
        return true;
    }
    let plain = |path: &Path| path.is_absolute() && !path.components().any(|part| part == Component::ParentDir);
    plain(python) && allowed.iter().map(Path::new).any(|allowed| plain(allowed) && covers(allowed, python))
}

fn covers(allowed: &Path, python: &Path) -> bool {
    let mut parts = python.components();
    allowed.components().all(|pattern| {
        parts.next().is_some_and(|part| match (pattern.as_os_str().to_str(), part.as_os_str().to_str()) {
            (Some(pattern), Some(part)) => matches(pattern, part),
            _ => pattern == part,
        })
    })
}

/// Whether `text` is `pattern`, in which each `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(head) else { return false };
    let mut starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    starts.any(|at| matches(tail, &rest[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_allow_an_interpreter_a_tree_or_a_pattern() {
        for (allowed, python, expected) in [
            (vec![], "/anything/python", true),
            (vec!["/usr/bin/python3"], "/usr/bin/python3", true),
            (vec!["/usr/bin/python3"], "/usr/bin/python3.11", false),
            (vec!["/usr/bin/python3*"], "/usr/bin/python3.11", true),
            (vec!["/opt/envs"], "/opt/envs/a/bin/python", true),
            (vec!["/opt/envs/"], "/opt/envs-evil/bin/python", false),
            (vec!["/opt/envs"], "/opt/envs/../../tmp/python", false),
            (vec!["/opt/envs"], "opt/envs/python", false),
            (vec!["/home/*/venvs"], "/home/ann/venvs/a/bin/python", true),
            (vec!["/home/*/venvs"], "/home/ann/x/venvs/a/bin/python", false),
            (vec!["/home/*-*x/ü*"], "/home/a-b-x/über/python", true),
            (vec!["/nowhere", "/usr"], "/usr/bin/python3", true),
            (vec!["relative"], "/relative/python", false),
            (vec![""], "/usr/bin/python3", false),
        ] {
            let allowed: Vec<String> = allowed.into_iter().map(str::to_owned).collect();
            assert_eq!(python_allowed(&allowed, Path::new(python)), expected, "{allowed:?} {python}");
        }
    }
}
