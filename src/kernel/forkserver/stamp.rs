//! Noticing that a Python environment has changed under a template.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Files and directories of an environment, with the times of their last change, in nanoseconds since 1970.
#[derive(Debug)]
pub(super) struct Stamps(Vec<(PathBuf, i128)>);

impl Stamps {
    /// Reads what the template says about itself: a JSON list of pairs.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let pairs: Vec<(PathBuf, i64)> = serde_json::from_str(text).ok()?;
        Some(Self(pairs.into_iter().map(|(path, time)| (path, i128::from(time))).collect()))
    }

    /// Blocks.
    pub(super) fn are_current(&self) -> bool {
        self.0.iter().all(|(path, then)| {
            std::fs::metadata(path)
                .is_ok_and(|file| i128::from(file.mtime()) * 1_000_000_000 + i128::from(file.mtime_nsec()) == *then)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_directory_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let file = std::fs::metadata(dir.path()).unwrap();
        let time = i128::from(file.mtime()) * 1_000_000_000 + i128::from(file.mtime_nsec());
        let stamps =
            Stamps::parse(&serde_json::json!([[dir.path(), i64::try_from(time).unwrap()]]).to_string()).unwrap();
        assert!(stamps.are_current());
        std::fs::create_dir(dir.path().join("new_package")).unwrap();
        assert!(!stamps.are_current());
        assert!(Stamps::parse("nonsense").is_none());
    }
}
