//! How a run gets its owner's dependencies.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Error, Result, Service, on_disk};
use crate::model::{Histo, Hook, Page, RelativePath, StoredId, StoredKind, UserId};
use crate::store::StoreError;

/// How often a run looks again for its dependencies when one was removed while it was copied.
const TRIES: u32 = 5;

type Known = Arc<[(StoredId, Histo, RelativePath)]>;

/// The dependencies of owners whose hooks were called lately: a call without any costs no query.
#[derive(Debug, Default)]
pub(super) struct Dependencies(Mutex<Cached>);

#[derive(Debug, Default)]
struct Cached {
    owners: HashMap<UserId, Known>,
    /// Counts the changes: what was read before one is not kept after it.
    changes: u64,
}

impl Dependencies {
    fn cache<T>(&self, work: impl FnOnce(&mut Cached) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn forget(&self, owner: UserId) {
        self.cache(|cached| {
            cached.changes += 1;
            cached.owners.remove(&owner);
        });
    }
}

impl Service {
    /// The owner's dependencies.
    async fn known_dependencies(&self, owner: UserId) -> Result<Known> {
        let (known, changes) = self.dependencies.cache(|cached| (cached.owners.get(&owner).cloned(), cached.changes));
        if let Some(known) = known {
            return Ok(known);
        }
        let all = Page { limit: u32::MAX, offset: 0 };
        let stored = self.db.all_stored(StoredKind::Dependency, Some(owner), None, all).await?;
        let mut known: Vec<_> = stored.into_iter().map(|it| (it.id, it.live.histo, it.path)).collect();
        // What lies deeper comes later, over what a folder has there.
        known.sort_by(|(_, _, one), (_, _, other)| one.cmp(other));
        let known: Known = known.into();
        self.dependencies.cache(|cached| {
            if cached.changes == changes {
                cached.owners.insert(owner, known.clone());
            }
        });
        Ok(known)
    }

    /// Copies those of the owner's dependencies that lie in the notebook's folder or below it into a run's directory.
    pub(super) async fn copy_owners_dependencies(&self, hook: &Hook, version: &Histo, workdir: PathBuf) -> Result<()> {
        let owner = hook.owner;
        for _ in 0..TRIES {
            let known = self.known_dependencies(hook.owner).await?;
            if !known.iter().any(|(_, _, path)| hook.path.beside(path).is_some()) {
                return Ok(());
            }
            let (hook, version, workdir) = (hook.clone(), version.clone(), workdir.clone());
            let complete = on_disk::<_, StoreError>(&self.files, move |files| {
                let beside = known.iter().filter_map(|(id, histo, path)| Some((*id, histo, hook.path.beside(path)?)));
                files.copy_contents(&beside.collect::<Vec<_>>(), (&hook, &version), &workdir)
            });
            if complete.await? {
                return Ok(());
            }
            self.dependencies.forget(owner);
        }
        Err(Error::Internal("dependencies change faster than they can be copied".to_owned()))
    }
}
