//! What is on disk, to be compared with what is on record; and the bodies of answers.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{Files, at, gone};
use crate::model::{Histo, Hook, RunId, StoredId};
use crate::store::Result;

/// The files in a hook's folder that belong to a record.
#[derive(Debug, Default)]
pub struct Found {
    /// The folder is there.
    pub folder: bool,
    pub versions: Vec<Histo>,
    pub outputs: Vec<Histo>,
}

impl Files {
    /// The versions and outputs in a hook's folder.
    pub fn found(&self, hook: &Hook) -> Result<Found> {
        let folder = self.of(hook);
        let is_version = |path: &Path| path.join("notebook.ipynb").is_file();
        let versions = names(&folder, "")?.into_iter().filter(|(path, _)| is_version(path)).map(|(_, histo)| histo);
        Ok(Found {
            folder: folder.is_dir(),
            versions: versions.collect(),
            outputs: names(&folder.join("outputs"), ".ipynb")?.into_iter().map(|(_, histo)| histo).collect(),
        })
    }

    /// The contents of dependencies and assets.
    pub fn contents(&self) -> Result<Vec<(StoredId, Vec<Histo>)>> {
        let found = names::<StoredId>(&self.own("files"), "")?.into_iter();
        found.map(|(path, id)| Ok((id, names(&path, "")?.into_iter().map(|(_, histo)| histo).collect()))).collect()
    }

    /// The runs that have a file with the body of what they answered.
    pub fn answers(&self) -> Result<Vec<RunId>> {
        Ok(names(&self.own("answers"), "")?.into_iter().map(|(_, run)| run).collect())
    }

    pub fn remove_answers(&self, runs: &[RunId]) -> Result<()> {
        runs.iter().try_for_each(|run| gone(&self.answer_path(*run), |path| fs::remove_file(path)))
    }
}

/// The entries of a folder, if it is there, whose names are an id and `ending`; nbhook makes no others.
fn names<T: FromStr>(folder: &Path, ending: &str) -> Result<Vec<(PathBuf, T)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(at(folder))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(at(folder))?;
        let id = entry.file_name().to_str().and_then(|name| name.strip_suffix(ending)?.parse().ok());
        found.extend(id.map(|id| (entry.path(), id)));
    }
    Ok(found)
}
