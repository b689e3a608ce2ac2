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

use super::files::{at, move_into, sync_folder};
use super::{Files, Neighbour, Result, StoreError};
use crate::model::{Histo, Hook, Invalid, RelativePath, StoredId, clash};

/// What was uploaded.
#[derive(Debug)]
pub enum Content {
    File(NamedTempFile),
    /// By their paths in it.
    Folder(Vec<(RelativePath, NamedTempFile)>),
}

/// What is in a version.
#[derive(Debug)]
pub enum Opened {
    File(File),
    Folder,
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
            Ok::<_, StoreError>(digest)
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

    /// Refuses a content, about to be at `path`, that no run could have together with its neighbours'; `field` is what chose it.
    pub fn check_staged(
        &self,
        (staged, path): (&StagedContent, &RelativePath),
        neighbours: &[Neighbour],
        field: &str,
    ) -> Result<()> {
        self.check_beside(&staged.folder.path().join("content"), path, neighbours, field)
    }

    /// As [`Self::check_staged`], for a version that is there.
    pub fn check_version(
        &self,
        (id, histo, path): (StoredId, &Histo, &RelativePath),
        neighbours: &[Neighbour],
        field: &str,
    ) -> Result<()> {
        self.check_beside(&self.stored_folder(id).join(histo.as_str()), path, neighbours, field)
    }

    fn check_beside(&self, content: &Path, path: &RelativePath, neighbours: &[Neighbour], field: &str) -> Result<()> {
        if neighbours.is_empty() {
            return Ok(());
        }
        let (mut ours, mut others) = (Vec::new(), Vec::new());
        list(content, path.as_str(), &mut ours)?;
        for Neighbour { id, histo, path } in neighbours {
            list(&self.stored_folder(*id).join(histo.as_str()), path.as_str(), &mut others)?;
        }
        let Some((file, below)) = clash(&ours, &others) else { return Ok(()) };
        let why = format!("no run could have both files, `{file}` and `{below}`: delete the other dependency first");
        Err(StoreError::Refused(Invalid::new(field, why)))
    }

    /// What is in a version, if it is (still) there.
    pub fn open_content(&self, id: StoredId, histo: &Histo) -> Result<Option<Opened>> {
        let path = self.stored_folder(id).join(histo.as_str());
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => {
                let file = file.map_err(at(&path))?;
                let is_file = file.metadata().map_err(at(&path))?.is_file();
                Ok(Some(if is_file { Opened::File(file) } else { Opened::Folder }))
            }
        }
    }

    /// Whether a version is a folder.
    pub fn is_folder(&self, id: StoredId, histo: &Histo) -> bool {
        self.stored_folder(id).join(histo.as_str()).is_dir()
    }

    /// The files of a version that is a folder, by their paths in it, sorted; none of a file.
    pub fn names(&self, id: StoredId, histo: &Histo) -> Result<Vec<String>> {
        let (folder, mut names) = (self.stored_folder(id).join(histo.as_str()), Vec::new());
        if folder.is_dir() {
            list(&folder, "", &mut names)?;
        }
        names.sort();
        Ok(names.into_iter().map(|name| name.trim_start_matches('/').to_owned()).collect())
    }

    /// Removes versions, each in one step: who copies one meanwhile has either all of it or notices.
    pub fn remove_contents(&self, id: StoredId, histos: &[Histo]) -> Result<()> {
        let folder = self.stored_folder(id);
        for histo in histos {
            self.take_away(&folder.join(histo.as_str()))?;
        }
        let _ = fs::remove_dir(folder); // if it is empty now
        Ok(())
    }

    pub fn remove_stored(&self, id: StoredId) -> Result<()> {
        self.take_away(&self.stored_folder(id))
    }

    /// Copies versions of dependencies to their places in a run's directory, but nothing over what the hook's version brings itself.
    /// Says whether they are all (still) there; if not, nothing was copied.
    pub fn copy_contents(
        &self,
        contents: &[(StoredId, &Histo, &Path)],
        (hook, version): (&Hook, &Histo),
        workdir: &Path,
    ) -> Result<bool> {
        let own = self.own_dependencies(hook, version);
        let copies = self.scratch()?;
        for (id, histo, place) in contents {
            let source = self.stored_folder(*id).join(histo.as_str());
            match copy_unless(&source, copies.path(), place, &own) {
                Err(StoreError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(false),
                done => done?,
            }
            // One that was removed in the middle may have looked smaller than it was.
            if !source.exists() {
                return Ok(false);
            }
        }
        move_into(copies.path(), workdir)?;
        Ok(true)
    }
}

/// The files of a content that is at `path`, by their paths.
fn list(content: &Path, path: &str, found: &mut Vec<String>) -> Result<()> {
    if !content.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(content).map_err(at(content))? {
        let entry = entry.map_err(at(content))?;
        list(&entry.path(), &format!("{path}/{}", entry.file_name().to_string_lossy()), found)?;
    }
    Ok(())
}

/// Copies what has no place among `own`, where a file takes the place of all below it and a folder that of a file.
fn copy_unless(source: &Path, target: &Path, place: &Path, own: &Path) -> Result<()> {
    if !source.is_dir() {
        let above = || place.ancestors().skip(1).any(|above| own.join(above).is_file());
        if own.join(place).exists() || above() {
            return Ok(());
        }
        let copy = target.join(place);
        let parent = copy.parent().unwrap_or(target);
        fs::create_dir_all(parent).map_err(at(parent))?;
        return fs::copy(source, &copy).map(drop).map_err(at(&copy));
    }
    for entry in fs::read_dir(source).map_err(at(source))? {
        let entry = entry.map_err(at(source))?;
        copy_unless(&entry.path(), target, &place.join(entry.file_name()), own)?;
    }
    Ok(())
}
