//! Paths that cannot leave the folder they belong to.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::Invalid;

/// Longest path, in bytes; leaves room for the data folder under `PATH_MAX`.
const MAX_BYTES: usize = 1024;
/// Longest component, in bytes (`NAME_MAX`).
const MAX_COMPONENT: usize = 255;

/// A normalised relative path with `/` between its components: no `..`, no root, no control character.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct RelativePath(String);

impl RelativePath {
    /// Normalises `text` (`.`, `//` and inner `..` are resolved).
    ///
    /// # Errors
    /// Names `field` when the path is empty, absolute, escapes its root, or holds a character or component no file system keeps.
    pub fn parse(field: &str, text: &str) -> Result<Self, Invalid> {
        let refuse = |why: &str| Err(Invalid::new(field, why));
        if text.starts_with('/') || text.starts_with('\\') {
            return refuse("must be relative: leave out the leading slash");
        }
        if text.chars().any(char::is_control) {
            return refuse("must not hold control characters");
        }
        let mut parts: Vec<&str> = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    if parts.pop().is_none() {
                        return refuse("must not leave its folder with `..`");
                    }
                }
                _ if part.len() > MAX_COMPONENT => return refuse("has a component of more than 255 bytes"),
                _ => parts.push(part),
            }
        }
        let path = parts.join("/");
        match path.len() {
            0 => refuse("must name a file"),
            1..=MAX_BYTES => Ok(Self(path)),
            _ => refuse("must have at most 1024 bytes"),
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// Whether it lies in a folder of the other path.
    #[must_use]
    pub fn is_below(&self, other: &Self) -> bool {
        self.0.strip_prefix(&other.0).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The last component.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for RelativePath {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse("path", text)
    }
}

/// Where a hook's notebook lives in its owner's tree, e.g. `reports/sales.ipynb`.
///
/// Only the last component ends in `.ipynb`, so one hook's folder never lies inside another's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct HookPath(RelativePath);

impl HookPath {
    /// # Errors
    /// As [`RelativePath::parse`], and when the path does not name an `.ipynb` file or runs through one.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let path = RelativePath::parse("path", text)?;
        let is_notebook = |part: &str| Path::new(part).extension().is_some_and(|ext| ext.eq_ignore_ascii_case("ipynb"));
        let mut parts = path.as_str().rsplit('/');
        if !parts.next().is_some_and(is_notebook) {
            return Err(Invalid::new("path", "must name a notebook, ending in .ipynb"));
        }
        if parts.any(is_notebook) {
            return Err(Invalid::new("path", "must not have a folder ending in .ipynb"));
        }
        Ok(Self(path))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    #[must_use]
    pub fn as_path(&self) -> &Path {
        self.0.as_path()
    }

    /// The place of another path of the same owner, as the notebook names it; none, if it lies outside of the notebook's folder.
    #[must_use]
    pub fn beside<'a>(&self, other: &'a RelativePath) -> Option<&'a Path> {
        let folder = self.as_path().parent().unwrap_or(Path::new(""));
        other.as_path().strip_prefix(folder).ok().filter(|place| !place.as_os_str().is_empty())
    }

    /// The notebook's name without its folder and extension, e.g. `sales`.
    #[must_use]
    pub fn stem(&self) -> &str {
        let name = self.0.file_name();
        name.rsplit_once('.').map_or(name, |(stem, _)| stem)
    }
}

impl std::str::FromStr for HookPath {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for HookPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised() {
        for (text, expected) in [
            ("a.ipynb", "a.ipynb"),
            ("./a//b/../c.ipynb", "a/c.ipynb"),
            ("Übersicht & Zahlen 2025.ipynb", "Übersicht & Zahlen 2025.ipynb"),
            (".hidden.IPYNB", ".hidden.IPYNB"),
        ] {
            assert_eq!(HookPath::parse(text).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn paths_that_leave_or_confuse_are_refused() {
        let long = format!("{}.ipynb", "x".repeat(256));
        for text in [
            "",
            ".",
            "/",
            "/etc/passwd.ipynb",
            "../a.ipynb",
            "a/../../b.ipynb",
            "a.txt",
            "a.ipynb/b.ipynb",
            "a\0.ipynb",
            "a\n.ipynb",
            "\\\\host\\a.ipynb",
            "a.ipynb/20250309010203045678",
            &long,
            ".ipynb",
        ] {
            assert!(HookPath::parse(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn what_lies_in_the_notebooks_folder_has_a_place_beside_it() {
        let beside = |hook: &str, other: &str| {
            let other = RelativePath::parse("path", other).unwrap();
            HookPath::parse(hook).unwrap().beside(&other).map(|place| place.to_str().unwrap().to_owned())
        };
        assert_eq!(beside("reports/a.ipynb", "reports/data/x.csv").as_deref(), Some("data/x.csv"));
        assert_eq!(beside("a.ipynb", "reports/x.csv").as_deref(), Some("reports/x.csv"));
        for (hook, other) in [("reports/a.ipynb", "x.csv"), ("reports/a.ipynb", "reports2/x.csv"), ("r/a.ipynb", "r")] {
            assert_eq!(beside(hook, other), None, "{hook} {other}");
        }
    }

    #[test]
    fn stem_is_the_bare_name() {
        assert_eq!(HookPath::parse("a.b/c d.v2.ipynb").unwrap().stem(), "c d.v2");
    }
}
