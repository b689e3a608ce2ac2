//! Files that owners give to their runs (dependencies), and to everyone who has the URL (assets).

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{AssetToken, Histo, Invalid, Owner, RelativePath, StoredId, UserId};

/// What a stored file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StoredKind {
    /// Runs of its owner's notebooks in its folder find it.
    Dependency,
    /// It has a public URL.
    Asset,
}

impl StoredKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dependency => "dependency",
            Self::Asset => "asset",
        }
    }
}

impl fmt::Display for StoredKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for StoredKind {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Dependency, Self::Asset]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| Invalid::new("kind", "must be dependency or asset"))
    }
}

/// A dependency or an asset, with its live version.
#[derive(Debug, Clone)]
pub struct Stored {
    pub id: StoredId,
    pub kind: StoredKind,
    pub owner: UserId,
    pub owner_name: Owner,
    pub path: RelativePath,
    /// Of an asset's URL.
    pub token: Option<AssetToken>,
    /// Browsers show it, and do not save it.
    pub inline: bool,
    pub live: StoredVersion,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// One content of a stored file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVersion {
    pub histo: Histo,
    /// In bytes, of all files together.
    pub size: u64,
    /// 1, or how many are in the folder.
    pub files: u64,
    /// SHA-256 of the content, in hexadecimal.
    pub digest: String,
    pub created_at: DateTime<Utc>,
}

/// Two files that no folder can have: one, and another that lies in it as if it were a folder.
#[must_use]
pub fn clash<'a>(ours: &'a [String], others: &'a [String]) -> Option<(&'a str, &'a str)> {
    let above = |files: &'a [String], below: &'a [String]| {
        let files: HashSet<&str> = files.iter().map(String::as_str).collect();
        below.iter().find_map(|path| {
            let mut folders = path.match_indices('/').map(|(end, _)| &path[..end]);
            folders.find_map(|folder| files.get(folder).copied()).map(|file| (file, path.as_str()))
        })
    };
    above(ours, others).or_else(|| above(others, ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_in_the_way_of_what_lies_below_it() {
        let paths = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        for (ours, others, expected) in [
            (&["data"][..], &["data/x.csv"][..], Some(("data", "data/x.csv"))),
            (&["a/b/c"], &["x", "a"], Some(("a", "a/b/c"))),
            (&["a/x", "a/y"], &["a/y/z"], Some(("a/y", "a/y/z"))),
            (&["data/x.csv"], &["data/x.csv", "data/y.csv", "data.csv"], None),
            (&["data"], &["database/x"], None),
        ] {
            assert_eq!(clash(&paths(ours), &paths(others)), expected, "{ours:?} {others:?}");
        }
    }
}
