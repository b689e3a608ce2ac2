//! Files of runs that may be needed again: uploads of asynchronous runs until they have ended, bodies of answers until they
//! expire, and the server's own secret.
//!
//! ```text
//! <data>/.nbhook/calls/<run>/<number>     what was uploaded with a call
//! <data>/.nbhook/answers/<run>            the body of an answer
//! <data>/.nbhook/task.key                 what task keys are made with
//! <data>/.nbhook/secret.key               what users' secrets are encrypted with, unless the settings have it
//! ```
//!
//! Blocking, as [`Files`].

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::files::{at, gone, make_in_parent, read, sync_folder};
use super::{Files, Result, StoreError};
use crate::model::{RunId, SecretKey};

impl Files {
    /// Keeps an uploaded file for a run to come, durably; `number` tells it from the run's others.
    pub fn keep_upload(&self, run: RunId, number: usize, file: &Path) -> Result<PathBuf> {
        let folder = self.own("calls").join(run.to_string());
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        let target = folder.join(number.to_string());
        File::open(file).and_then(|file| file.sync_all()).map_err(at(file))?;
        fs::rename(file, &target).map_err(at(&target))?;
        sync_folder(&folder)?;
        Ok(target)
    }

    /// Removes what was kept for a run's attempts.
    pub fn remove_uploads(&self, run: RunId) -> Result<()> {
        gone(&self.own("calls").join(run.to_string()), |path| fs::remove_dir_all(path))
    }

    /// Removes the uploads of all runs but these.
    pub fn remove_lost_uploads(&self, kept: &[RunId]) -> Result<()> {
        let folder = self.own("calls");
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(at(&folder))?,
        };
        for entry in entries {
            let path = entry.map_err(at(&folder))?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if !kept.iter().any(|run| run.to_string() == name) {
                gone(&path, |path| fs::remove_dir_all(path))?;
            }
        }
        Ok(())
    }

    pub(super) fn answer_path(&self, run: RunId) -> PathBuf {
        self.own("answers").join(run.to_string())
    }

    /// Keeps the body of an answer.
    pub fn keep_answer(&self, run: RunId, body: &[u8]) -> Result<()> {
        make_in_parent(&self.own("answers"))?;
        self.write(&self.answer_path(run), body)
    }

    /// Keeps a file that is the body of an answer, and gives the kept one: the same bytes, as old as the first.
    pub fn keep_file_answer(&self, run: RunId, body: &File) -> Result<(File, PathBuf)> {
        let (folder, path) = (self.own("answers"), self.answer_path(run));
        make_in_parent(&folder)?;
        let mut kept = self.upload()?;
        let mut source = body.try_clone().map_err(at(&path))?;
        io::Seek::rewind(&mut source).map_err(at(&path))?;
        io::copy(&mut source, kept.as_file_mut()).map_err(at(&path))?;
        if let Ok(modified) = body.metadata().and_then(|metadata| metadata.modified()) {
            kept.as_file().set_modified(modified).map_err(at(&path))?;
        }
        kept.as_file().sync_all().map_err(at(&path))?;
        kept.persist(&path).map_err(|error| at(&path)(error.error))?;
        sync_folder(&folder)?;
        Ok((File::open(&path).map_err(at(&path))?, path))
    }

    /// The body of an answer, if it is (still) there.
    pub fn answer(&self, run: RunId) -> Result<Option<Vec<u8>>> {
        read(&self.answer_path(run))
    }

    /// The file that is the body of an answer, if it is (still) there.
    pub fn file_answer(&self, run: RunId) -> Result<Option<(File, PathBuf)>> {
        let path = self.answer_path(run);
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => Ok(Some((file.map_err(at(&path))?, path))),
        }
    }

    /// The server's secret for task keys; `fresh` becomes it at the first start.
    pub fn task_secret(&self, fresh: [u8; 20]) -> Result<Vec<u8>> {
        let path = self.own("task.key");
        if let Some(secret) = read(&path)?.filter(|secret| secret.len() == fresh.len()) {
            return Ok(secret);
        }
        self.write(&path, &fresh)?;
        Ok(fresh.to_vec())
    }

    /// The key of users' secrets; `fresh` becomes it at the first start. One that cannot be read is not replaced: it may be all that
    /// opens what is kept.
    pub fn secret_key(&self, fresh: SecretKey) -> Result<SecretKey> {
        let path = self.own("secret.key");
        if let Some(text) = read(&path)? {
            let key = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
            return key.ok_or(StoreError::Key(path));
        }
        self.write(&path, format!("{}\n", fresh.expose()).as_bytes())?;
        Ok(fresh)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn uploads_go_with_their_run_and_answers_stay() {
        let data = tempfile::tempdir().unwrap();
        let (files, _lock) = Files::open(data.path()).unwrap();
        let (run, other) = (RunId::new(), RunId::new());
        for of in [run, other] {
            let mut upload = files.upload().unwrap();
            upload.write_all(b"sent").unwrap();
            let kept = files.keep_upload(of, 0, &upload.into_temp_path()).unwrap();
            assert_eq!(fs::read(kept).unwrap(), b"sent");
        }
        files.remove_lost_uploads(&[run]).unwrap();
        assert!(
            files.own("calls").join(run.to_string()).exists() && !files.own("calls").join(other.to_string()).exists()
        );
        files.remove_uploads(run).unwrap();
        files.remove_uploads(run).unwrap();

        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"answered").unwrap();
        let mut text = String::new();
        files.keep_file_answer(run, &file).unwrap().0.read_to_string(&mut text).unwrap();
        assert_eq!(text, "answered");
        files.keep_answer(run, b"again").unwrap();
        assert_eq!(files.answer(run).unwrap().unwrap(), b"again");
        assert!(files.file_answer(other).unwrap().is_none());
        let secret = files.task_secret([1; 20]).unwrap();
        assert_eq!(files.task_secret([2; 20]).unwrap(), secret);
    }
}
