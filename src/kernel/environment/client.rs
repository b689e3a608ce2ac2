//! The client package (`nbhook`, and its alias `naas`), embedded in the server and unpacked for kernels.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

static NBHOOK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/python/src/nbhook");
static ALIAS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/python/alias");

/// A folder with the client package of exactly this server.
#[derive(Debug, Clone)]
pub(super) struct Client(PathBuf);

impl Client {
    /// Unpacks the package into `folder/<hash of its files>`, unless it is there, and removes other versions of it.
    pub(super) fn install(folder: &Path) -> io::Result<Self> {
        Self::install_files(folder, &files())
    }

    fn install_files(folder: &Path, files: &[(PathBuf, &[u8])]) -> io::Result<Self> {
        let target = folder.join(hash(files));
        if !target.is_dir() {
            std::fs::create_dir_all(folder)?;
            let unpacked = tempfile::Builder::new().prefix(".").tempdir_in(folder)?;
            for (path, contents) in files {
                write(&unpacked.path().join(path), contents)?;
            }
            // Whole or not at all: a kernel never sees half of it.
            std::fs::rename(unpacked.keep(), &target)?;
            std::fs::File::open(folder)?.sync_all()?;
        }
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path != target {
                std::fs::remove_dir_all(path)?;
            }
        }
        Ok(Self(target))
    }

    /// The folder to import `nbhook` and `naas` from.
    pub(super) fn folder(&self) -> &Path {
        &self.0
    }
}

/// The package's files by their path in the unpacked folder, sorted; without what Python leaves beside its sources.
fn files() -> Vec<(PathBuf, &'static [u8])> {
    let mut files = Vec::new();
    for (root, dir) in [("nbhook", &NBHOOK), ("", &ALIAS)] {
        let mut dirs = vec![dir];
        while let Some(dir) = dirs.pop() {
            dirs.extend(dir.dirs());
            let source = |path: &Path| path.ends_with("py.typed") || path.extension().is_some_and(|ext| ext == "py");
            let sources = dir.files().filter(|file| source(file.path()));
            files.extend(sources.map(|file| (Path::new(root).join(file.path()), file.contents())));
        }
    }
    files.sort();
    files
}

fn hash(files: &[(PathBuf, &[u8])]) -> String {
    let mut hash = Sha256::new();
    for (path, contents) in files {
        for part in [path.as_os_str().as_encoded_bytes(), contents] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    format!("{:x}", hash.finalize())[..16].to_owned()
}

fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(contents)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_changed_package_replaces_the_old_one() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("python");
        let path = PathBuf::from("nbhook/a.py");
        let old = Client::install_files(&folder, &[(path.clone(), b"old")]).unwrap();
        assert_eq!(std::fs::read(old.0.join(&path)).unwrap(), b"old");
        let again = Client::install_files(&folder, &[(path.clone(), b"old")]).unwrap();
        assert_eq!(again.0, old.0);
        let new = Client::install_files(&folder, &[(path.clone(), b"new")]).unwrap();
        assert_eq!(std::fs::read(new.0.join(&path)).unwrap(), b"new");
        assert_eq!(names(&folder), [new.0.file_name().unwrap().to_str().unwrap()]);
    }

    #[test]
    fn only_sources_are_embedded() {
        for (path, _) in files() {
            assert!(!path.to_str().unwrap().contains("__pycache__"), "{}", path.display());
        }
    }
}
