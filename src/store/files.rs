//! The data folder on disk.
//!
//! ```text
//! <data>/<owner>/<path>/<histo>/notebook.ipynb        a version, as deployed
//! <data>/<owner>/<path>/<histo>/dependencies/…
//! <data>/<owner>/<path>/outputs/<histo>.ipynb         what a run left
//! <data>/<owner>/<path>/workdir/                      of hooks with a persistent working directory
//! <data>/admin.token
//! <data>/.nbhook/                                     the server's own: lock, database, kernel environment, scratch, mail,
//!                                                     calls/<run>/… (uploads of runs to come), answers/<run> (bodies),
//!                                                     files/<id>/<histo> (dependencies and assets, `store/stored.rs`),
//!                                                     reserve (room for what has to be written on a full disk)
//! ```
//!
//! Blocking: callers on async threads go through `spawn_blocking`.

mod leftovers;
mod reserve;

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Result, StoreError};
use crate::model::{Histo, Hook, HookPath, Owner, RelativePath};

pub use leftovers::Found;

/// A new version's files: the notebook, and its dependencies by their path relative to it.
#[derive(Debug)]
pub struct VersionFiles<'a> {
    pub notebook: &'a [u8],
    pub dependencies: &'a [(RelativePath, Vec<u8>)],
}

/// The data folder.
#[derive(Debug, Clone)]
pub struct Files {
    data: PathBuf,
}

/// What tells one content of a file from another: its size in bytes and when it was changed last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStamp {
    pub size: u64,
    pub modified: std::time::SystemTime,
}

/// A directory that is removed when this is dropped.
pub type Scratch = TempDir;

/// Held while a server uses the data folder; the operating system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct DataLock(#[expect(dead_code, reason = "held, never read")] File);

impl Files {
    /// Opens the data folder, making it if need be, and removes what a killed server left in its scratch folder.
    pub fn open(data: &Path) -> Result<(Self, DataLock)> {
        let own = data.join(".nbhook");
        fs::create_dir_all(&own).map_err(at(data))?;
        // The database holds the hooks' tokens.
        fs::set_permissions(&own, Permissions::from_mode(0o700)).map_err(at(&own))?;
        // Kernels run in other directories, so every path has to be absolute.
        let files = Self { data: data.canonicalize().map_err(at(data))? };
        let lock = files.lock()?;
        match fs::remove_dir_all(files.scratch_root()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&files.scratch_root())(error)),
            _ => {}
        }
        fs::create_dir_all(files.scratch_root()).map_err(at(&files.scratch_root()))?;
        Ok((files, lock))
    }

    fn lock(&self) -> Result<DataLock> {
        let path = self.own("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(at(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(DataLock(file)),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse(self.data.clone())),
            Err(TryLockError::Error(error)) => Err(at(&path)(error)),
        }
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A place of the server's own, e.g. `nbhook.db`.
    pub fn own(&self, name: &str) -> PathBuf {
        self.data.join(".nbhook").join(name)
    }

    pub fn own_folder(&self) -> PathBuf {
        self.data.join(".nbhook")
    }

    /// Bytes of the database and its log.
    pub fn database_size(&self) -> u64 {
        let files = ["nbhook.db", "nbhook.db-wal"].map(|name| self.own(name));
        files.iter().filter_map(|file| fs::metadata(file).ok()).map(|metadata| metadata.len()).sum()
    }

    fn scratch_root(&self) -> PathBuf {
        self.own("scratch")
    }

    /// A new, private, empty directory for one run.
    pub fn scratch(&self) -> Result<Scratch> {
        let root = self.scratch_root();
        tempfile::Builder::new().prefix("run-").tempdir_in(&root).map_err(at(&root))
    }

    /// A file for something that is being uploaded, on the same file system as the runs' directories.
    pub fn upload(&self) -> Result<tempfile::NamedTempFile> {
        let root = self.scratch_root();
        tempfile::NamedTempFile::new_in(&root).map_err(at(&root))
    }

    fn hook_folder(&self, owner: &Owner, path: &HookPath) -> PathBuf {
        self.data.join(owner.as_str()).join(path.as_path())
    }

    fn of(&self, hook: &Hook) -> PathBuf {
        self.hook_folder(&hook.owner_name, &hook.path)
    }

    /// Writes a version's files beside their final place, durably; [`Staged::place`] then moves them there in one step.
    pub fn stage(&self, files: &VersionFiles<'_>) -> Result<Staged> {
        let folder = self.scratch()?;
        write_durably(&folder.path().join("notebook.ipynb"), files.notebook)?;
        for (path, content) in files.dependencies {
            let target = folder.path().join("dependencies").join(path.as_path());
            let parent = target.parent().unwrap_or(folder.path());
            fs::create_dir_all(parent).map_err(at(parent))?;
            write_durably(&target, content)?;
        }
        Ok(Staged { folder, files: self.clone() })
    }

    /// The notebook of a version, if it is (still) there.
    pub fn notebook(&self, hook: &Hook, histo: &Histo) -> Result<Option<Vec<u8>>> {
        read(&self.of(hook).join(histo.as_str()).join("notebook.ipynb"))
    }

    /// What tells one content of that file from another.
    pub fn notebook_stamp(&self, hook: &Hook, histo: &Histo) -> Result<Option<FileStamp>> {
        let path = self.of(hook).join(histo.as_str()).join("notebook.ipynb");
        let metadata = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            metadata => metadata.map_err(at(&path))?,
        };
        Ok(Some(FileStamp { size: metadata.len(), modified: metadata.modified().map_err(at(&path))? }))
    }

    /// Where a version's own dependencies are, if it has some.
    pub(super) fn own_dependencies(&self, hook: &Hook, histo: &Histo) -> PathBuf {
        self.of(hook).join(histo.as_str()).join("dependencies")
    }

    /// Copies a version's dependencies into a run's directory.
    pub fn copy_dependencies(&self, hook: &Hook, histo: &Histo, target: &Path) -> Result<()> {
        let source = self.own_dependencies(hook, histo);
        if !source.exists() {
            return Ok(());
        }
        let copies = self.scratch()?;
        copy_tree(&source, copies.path())?;
        move_into(copies.path(), target)
    }

    /// The directory that a hook's runs share, if it is set up so. Fails with a `NotFound` file error once the hook's folder
    /// is gone.
    pub fn persistent_workdir(&self, hook: &Hook) -> Result<PathBuf> {
        let path = self.of(hook).join("workdir");
        make_in_parent(&path)?;
        Ok(path)
    }

    /// Keeps what a run left. Fails with a `NotFound` file error once the hook's folder is gone.
    pub fn save_output(&self, hook: &Hook, histo: &Histo, notebook: &[u8]) -> Result<()> {
        let folder = self.of(hook).join("outputs");
        make_in_parent(&folder)?;
        self.write(&folder.join(format!("{histo}.ipynb")), notebook)
    }

    /// Writes a file of the data folder as [`write_atomic`] does; what a killed server leaves half-written is in its scratch
    /// folder, which the next start empties.
    pub fn write(&self, path: &Path, content: &[u8]) -> Result<()> {
        write_atomic(path, content, &self.scratch_root())
    }

    /// The output of a run, if it is (still) there.
    pub fn output(&self, hook: &Hook, histo: &Histo) -> Result<Option<Vec<u8>>> {
        read(&self.of(hook).join("outputs").join(format!("{histo}.ipynb")))
    }

    pub fn remove_versions(&self, hook: &Hook, histos: &[Histo]) -> Result<()> {
        histos.iter().try_for_each(|histo| self.remove_version(&hook.owner_name, &hook.path, histo))
    }

    /// Removes a version's files, and what its absence leaves empty if it was the only thing of its path.
    pub fn remove_version(&self, owner: &Owner, path: &HookPath, histo: &Histo) -> Result<()> {
        let folder = self.hook_folder(owner, path);
        self.take_away(&folder.join(histo.as_str()))?;
        self.remove_empty(owner, &folder);
        Ok(())
    }

    pub fn remove_outputs(&self, hook: &Hook, histos: &[Histo]) -> Result<()> {
        let folder = self.of(hook).join("outputs");
        histos.iter().try_for_each(|histo| gone(&folder.join(format!("{histo}.ipynb")), |path| fs::remove_file(path)))
    }

    /// Removes everything of a hook, and the folders above it that this leaves empty.
    pub fn remove_hook(&self, hook: &Hook) -> Result<()> {
        let folder = self.of(hook);
        self.take_away(&folder)?;
        self.remove_empty(&hook.owner_name, folder.parent().unwrap_or(&folder));
        Ok(())
    }

    /// Removes a folder or a file: in one step, so that nothing can be put into it while it is removed and nobody finds half of it.
    pub(super) fn take_away(&self, folder: &Path) -> Result<()> {
        let away = self.scratch()?;
        gone(folder, |path| fs::rename(path, away.path().join("gone")))?;
        away.close().map_err(at(folder))
    }

    /// Removes a folder of an owner's, and those above it, as far as they are empty.
    fn remove_empty(&self, owner: &Owner, folder: &Path) {
        let owner = self.data.join(owner.as_str());
        for folder in folder.ancestors().take_while(|folder| folder.starts_with(&owner)) {
            match fs::remove_dir(folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => break, // another hook's
                _ => {}
            }
        }
    }
}

/// A version's files, written but not yet in their place; removed if dropped.
#[derive(Debug)]
pub struct Staged {
    folder: TempDir,
    files: Files,
}

impl Staged {
    pub fn place(self, owner: &Owner, path: &HookPath, histo: &Histo) -> Result<()> {
        let parent = self.files.hook_folder(owner, path);
        let target = parent.join(histo.as_str());
        let placed = fs::create_dir_all(&parent).and_then(|()| fs::rename(self.folder.path(), &target));
        if let Err(error) = placed {
            self.files.remove_empty(owner, &parent);
            return Err(at(&target)(error));
        }
        drop(self.folder.keep()); // it is not there any more
        sync_folder(&parent)
    }
}

/// Writes `content` so that `path` holds either what it held before or all of it, whatever happens meanwhile, readable by this
/// user only. `temporary` is a folder on the same file system, for the file while it is being written.
pub fn write_atomic(path: &Path, content: &[u8], temporary: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(temporary).map_err(at(path))?;
    file.write_all(content).map_err(at(path))?;
    file.as_file().sync_all().map_err(at(path))?;
    file.persist(path).map_err(|error| at(path)(error.error))?;
    sync_folder(folder)
}

fn write_durably(path: &Path, content: &[u8]) -> Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(at(path))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(at(path))
}

pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))
}

/// Moves all files of a folder into another one on the same file system, in the place of whatever earlier runs left there: that may be
/// a link that leads elsewhere, or a pipe that never opens, so nothing that is there is opened or followed.
pub(super) fn move_into(source: &Path, target: &Path) -> Result<()> {
    for entry in fs::read_dir(source).map_err(at(source))? {
        let entry = entry.map_err(at(source))?;
        let (from, to) = (entry.path(), target.join(entry.file_name()));
        let (is_folder, before) = (from.is_dir(), to.symlink_metadata().ok());
        let is_wrong = before.as_ref().is_some_and(|before| before.is_dir() != is_folder);
        if is_wrong {
            gone(&to, |to| if is_folder { fs::remove_file(to) } else { fs::remove_dir_all(to) })?;
        }
        if !is_folder {
            fs::rename(&from, &to).map_err(at(&to))?;
            continue;
        }
        make_in_parent(&to)?;
        move_into(&from, &to)?;
    }
    Ok(())
}

fn copy_tree(source: &Path, target: &Path) -> Result<()> {
    fs::create_dir_all(target).map_err(at(target))?;
    for entry in fs::read_dir(source).map_err(at(source))? {
        let entry = entry.map_err(at(source))?;
        let (from, to) = (entry.path(), target.join(entry.file_name()));
        if entry.file_type().map_err(at(&from))?.is_dir() {
            copy_tree(&from, &to)?;
        } else {
            fs::copy(&from, &to).map_err(at(&from))?;
        }
    }
    Ok(())
}

/// What is in a file, if it is there.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some).map_err(at(path)),
    }
}

/// Makes a folder in one that is there; that it exists already is fine.
pub(super) fn make_in_parent(folder: &Path) -> Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(at(folder)(error)),
        _ => Ok(()),
    }
}

/// Removes `path`; that it is gone already is fine.
pub(super) fn gone(path: &Path, remove: impl FnOnce(&Path) -> io::Result<()>) -> Result<()> {
    match remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

/// Says which file an I/O error is about.
pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::File { path: path.clone(), source }
}
