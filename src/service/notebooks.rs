//! The notebooks of versions that were called lately, read and parsed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Error, Result};
use crate::model::{Histo, Hook, HookId};
use crate::notebook::Notebook;
use crate::store::{FileStamp, Files};

/// Bytes of notebook files whose contents are kept. Parsed they take some times as much.
const MOST_BYTES: u64 = 32 << 20;

/// A bounded number of parsed notebooks; those not used for the longest time make room.
#[derive(Debug, Default)]
pub(super) struct Notebooks(Mutex<Cache>);

#[derive(Debug, Default)]
struct Cache {
    entries: HashMap<(HookId, Histo), Entry>,
    bytes: u64,
    /// Counts the uses.
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    notebook: Arc<Notebook>,
    stamp: FileStamp,
    used: u64,
}

impl Notebooks {
    /// The notebook of a version, without outputs. Blocks.
    ///
    /// # Errors
    /// `NotFound` when the version is gone; whatever is wrong with the file.
    pub(super) fn get(&self, files: &Files, hook: &Hook, histo: &Histo) -> Result<Arc<Notebook>> {
        let gone = || Error::NotFound("version");
        let stamp = files.notebook_stamp(hook, histo)?.ok_or_else(gone)?;
        let key = (hook.id, histo.clone());
        if let Some(notebook) = self.cache(|cache| cache.get(&key, &stamp)) {
            return Ok(notebook);
        }
        let mut notebook = Notebook::parse(&files.notebook(hook, histo)?.ok_or_else(gone)?)?;
        notebook.strip_outputs();
        let notebook = Arc::new(notebook);
        self.cache(|cache| cache.put(key, stamp, Arc::clone(&notebook)));
        Ok(notebook)
    }

    fn cache<T>(&self, work: impl FnOnce(&mut Cache) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Cache {
    fn get(&mut self, key: &(HookId, Histo), stamp: &FileStamp) -> Option<Arc<Notebook>> {
        self.clock += 1;
        let entry = self.entries.get_mut(key).filter(|entry| entry.stamp == *stamp)?;
        entry.used = self.clock;
        Some(Arc::clone(&entry.notebook))
    }

    fn put(&mut self, key: (HookId, Histo), stamp: FileStamp, notebook: Arc<Notebook>) {
        self.remove(&key);
        if stamp.size > MOST_BYTES {
            return;
        }
        while self.bytes + stamp.size > MOST_BYTES {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            self.remove(&oldest);
        }
        self.clock += 1;
        self.bytes += stamp.size;
        self.entries.insert(key, Entry { notebook, stamp, used: self.clock });
    }

    fn remove(&mut self, key: &(HookId, Histo)) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= entry.stamp.size;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn key(hook: HookId, number: u32) -> (HookId, Histo) {
        let now = chrono::DateTime::from_timestamp(i64::from(number) * 100, 0).unwrap();
        (hook, Histo::next(now, None))
    }

    #[test]
    fn it_is_bounded_and_a_changed_file_is_read_again() {
        let hook = HookId::new();
        let stamp = |size| FileStamp { size, modified: SystemTime::UNIX_EPOCH };
        let notebook =
            || Arc::new(Notebook::parse(br#"{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[]}"#).unwrap());
        let mut cache = Cache::default();
        let third = MOST_BYTES / 3;
        for number in 0..3 {
            cache.put(key(hook, number), stamp(third), notebook());
        }
        assert!(cache.get(&key(hook, 0), &stamp(third)).is_some());
        cache.put(key(hook, 3), stamp(third), notebook());
        let kept = |cache: &mut Cache, number| cache.get(&key(hook, number), &stamp(third)).is_some();
        assert!(kept(&mut cache, 0) && !kept(&mut cache, 1) && kept(&mut cache, 2) && kept(&mut cache, 3));
        assert!(cache.get(&key(hook, 0), &stamp(third + 1)).is_none());
        cache.put(key(hook, 4), stamp(MOST_BYTES + 1), notebook());
        assert_eq!((cache.entries.len(), cache.bytes), (3, third * 3));
    }
}
