//! The contents of dependencies and assets on disk, apart from the folders of hooks: no path of an owner's is a path here.
//!
//! ```text
//! <data>/.nbhook/files/<id>/<histo>    a version: the file, or the folder
//! ```
//!
//! Blocking, as [`Files`].

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tempfile::{NamedTempFile, TempDir};

use super::files::{at, gone, sync_folder};
use super::{Files, Result};
use crate::model::{Histo, Hook, RelativePath, StoredId};

/// What was uploaded.
#[derive(Debug)]
pub enum Content {
    File(NamedTempFile),
    /// By their paths in it.
    Folder(Vec<(RelativePath, NamedTempFile)>),
}

/// A content on disk, not yet in its place; removed if dropped.
#[derive(Debug)]
pub struct StagedContent {
    folder: TempDir,
    pub size: u64,
    pub files: u64,
    /// SHA-256, in hexadecimal.
    pub digest: String,
}

/// SHA-256 of a file from its beginning, in hexadecimal.
pub fn digest(file: &mut File) -> io::Result<(String, u64)> {
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 64 << 10]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((format!("{:x}", hash.finalize()), size)),
            read => {
                hash.update(&buffer[..read]);
                size += read as u64;
            }
        }
    }
}

impl Files {
    fn stored_folder(&self, id: StoredId) -> PathBuf {
        self.own("files").join(id.to_string())
    }

    /// Writes a content beside its final place, durably.
    pub fn stage_content(&self, content: Content) -> Result<StagedContent> {
        let folder = self.scratch()?;
        let root = folder.path().join("content");
        let (mut size, mut files, mut whole) = (0, 0, Sha256::new());
        let mut put = |file: NamedTempFile, target: &Path| {
            let (digest, bytes) = File::open(file.path()).and_then(|mut file| digest(&mut file)).map_err(at(target))?;
            file.as_file().sync_all().map_err(at(target))?;
            file.persist(target).map_err(|error| at(target)(error.error))?;
            (size, files) = (size + bytes, files + 1);
            Ok::<_, super::StoreError>(digest)
        };
        let digest = match content {
            Content::File(file) => put(file, &root)?,
            Content::Folder(entries) => {
                fs::create_dir(&root).map_err(at(&root))?;
                for (path, file) in entries {
                    let target = root.join(path.as_path());
                    let parent = target.parent().unwrap_or(&root);
                    fs::create_dir_all(parent).map_err(at(parent))?;
                    whole.update(format!("{} {path}\n", put(file, &target)?));
                    sync_folder(parent)?;
                }
                format!("{:x}", whole.finalize())
            }
        };
        Ok(StagedContent { folder, size, files, digest })
    }

    pub fn place_content(&self, staged: &StagedContent, id: StoredId, histo: &Histo) -> Result<()> {
        let folder = self.stored_folder(id);
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        let target = folder.join(histo.as_str());
        fs::rename(staged.folder.path().join("content"), &target).map_err(at(&target))?;
        sync_folder(&folder)
    }

    /// A version's file, if it is there and no folder.
    pub fn open_content(&self, id: StoredId, histo: &Histo) -> Result<Option<File>> {
        let path = self.stored_folder(id).join(histo.as_str());
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => {
                let file = file.map_err(at(&path))?;
                Ok(file.metadata().map_err(at(&path))?.is_file().then_some(file))
            }
        }
    }

    pub fn remove_contents(&self, id: StoredId, histos: &[Histo]) -> Result<()> {
        let folder = self.stored_folder(id);
        for histo in histos {
            let path = folder.join(histo.as_str());
            gone(&path, |path| if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) })?;
        }
        let _ = fs::remove_dir(folder); // if it is empty now
        Ok(())
    }

    pub fn remove_stored(&self, id: StoredId) -> Result<()> {
        gone(&self.stored_folder(id), |path| fs::remove_dir_all(path))
    }

    /// Copies a dependency's version to its place in a run's directory, but nothing over what the hook's version brings itself.
    /// Says whether the version is (still) there.
    pub fn copy_content(
        &self,
        (id, histo): (StoredId, &Histo),
        (hook, version): (&Hook, &Histo),
        (workdir, place): (&Path, &Path),
    ) -> Result<bool> {
        let source = self.stored_folder(id).join(histo.as_str());
        if !source.exists() {
            return Ok(false);
        }
        copy_unless(&source, workdir, place, &self.own_dependencies(hook, version))?;
        Ok(true)
    }
}

/// Copies what has no place among `own`, where a file takes the place of all below it and a folder that of a file.
fn copy_unless(source: &Path, workdir: &Path, place: &Path, own: &Path) -> Result<()> {
    let taken = own.join(place);
    let target = workdir.join(place);
    if !source.is_dir() {
        let above = || place.ancestors().skip(1).any(|above| own.join(above).is_file());
        if taken.exists() || above() {
            return Ok(());
        }
        let parent = target.parent().unwrap_or(workdir);
        fs::create_dir_all(parent).map_err(at(parent))?;
        return fs::copy(source, &target).map(drop).map_err(at(&target));
    }
    for entry in fs::read_dir(source).map_err(at(source))? {
        let entry = entry.map_err(at(source))?;
        copy_unless(&entry.path(), workdir, &place.join(entry.file_name()), own)?;
    }
    Ok(())
}
