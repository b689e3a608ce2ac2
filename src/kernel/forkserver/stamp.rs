//! Noticing that a Python environment has changed under a template.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use serde::Deserialize;

/// Files and directories of an environment, with the times of their last change, in nanoseconds since 1970.
#[derive(Debug, Deserialize)]
pub(super) struct Stamps(Vec<(PathBuf, i64)>);

impl Stamps {
    /// Blocks.
    pub(super) fn are_current(&self) -> bool {
        self.0.iter().all(|(path, then)| {
            std::fs::metadata(path)
                .is_ok_and(|file| file.mtime().saturating_mul(1_000_000_000).saturating_add(file.mtime_nsec()) == *then)
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
        let time = file.mtime() * 1_000_000_000 + file.mtime_nsec();
        let stamps: Stamps = serde_json::from_value(serde_json::json!([[dir.path(), time]])).unwrap();
        assert!(stamps.are_current());
        std::fs::create_dir(dir.path().join("new_package")).unwrap();
        assert!(!stamps.are_current());
    }
}
