//! Dependencies and assets: adding, finding, clearing, deleting; and where a run finds its dependencies.

use std::collections::HashMap;
use std::io::Seek as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::{Error, Result, Service, on_disk};
use crate::model::{
    AssetToken, Caller, Histo, Hook, Owner, Page, RelativePath, Stored, StoredId, StoredKind, StoredVersion, UserId,
};
use crate::store::{Content, NewStored, StoreError, digest};

/// How often a run looks again for its dependencies when one was removed while it was copied.
const TRIES: u32 = 5;

/// What is to be added.
#[derive(Debug)]
pub struct NewFile {
    pub kind: StoredKind,
    pub path: RelativePath,
    /// Another user to add for; admins only.
    pub owner: Option<Owner>,
    pub inline: bool,
    /// A new URL, and an end of the one before.
    pub renew: bool,
    pub content: Content,
}

/// A version's file, open.
#[derive(Debug)]
pub struct OpenFile {
    pub file: std::fs::File,
    /// SHA-256 of what is in it, in hexadecimal.
    pub digest: String,
}

impl OpenFile {
    /// A file, with the digest of what is in it now. Blocks.
    pub(super) fn read(mut file: std::fs::File) -> std::io::Result<Self> {
        let (digest, _) = digest(&mut file)?;
        Ok(Self { file, digest })
    }

    /// A copy that nobody can write to, in a folder of the same file's run. Blocks.
    pub(super) fn snapshot(mut file: std::fs::File, folder: &Path) -> std::io::Result<Self> {
        let modified = file.metadata()?.modified()?;
        let mut copy = tempfile::tempfile_in(folder)?;
        std::io::copy(&mut file, &mut copy)?;
        copy.set_modified(modified)?;
        copy.rewind()?;
        Self::read(copy)
    }
}

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

    fn forget(&self, owner: UserId) {
        self.cache(|cached| {
            cached.changes += 1;
            cached.owners.remove(&owner);
        });
    }
}

impl Service {
    /// The public URL of an asset.
    #[must_use]
    pub fn asset_url(&self, token: &AssetToken) -> String {
        format!("{}/assets/{}", self.public_url, token.expose())
    }

    /// Largest upload of a dependency or an asset, in bytes.
    pub fn file_limit(&self) -> usize {
        self.settings.files.body_limit
    }

    /// Makes a new version of what is at the path; says whether nothing was there before.
    pub async fn add_file(self: &Arc<Self>, caller: &Caller, new: NewFile) -> Result<(Stored, bool)> {
        let (owner, _) = self.owner(caller, "owner", new.owner.as_ref()).await?;
        let most = self.settings.files.limit;
        let there = self.db.all_stored(new.kind, Some(owner), Some(&new.path), Page { limit: 1, offset: 0 }).await?;
        if there.is_empty() && self.db.count_stored(new.kind, owner).await? >= u64::from(most) {
            return Err(Error::Conflict(format!("there are {most} already, which is the most: delete some first")));
        }
        let service = self.clone();
        // A task of its own: a caller that hangs up in the middle leaves nothing half-done.
        self.runtime.spawn(async move { service.store_file(owner, new).await }).await?
    }

    async fn store_file(&self, owner: UserId, new: NewFile) -> Result<(Stored, bool)> {
        let token = AssetToken::from_random(self.random.bits160()?);
        let NewFile { kind, path, inline, renew, content, .. } = new;
        let staged = Arc::new(on_disk(&self.files, move |files| files.stage_content(content)).await?);
        let _turn = self.use_folder().await?;
        let row = NewStored {
            kind,
            owner,
            path: &path,
            token: (kind == StoredKind::Asset).then_some(&token),
            renew,
            inline,
            size: staged.size,
            files: staged.files,
            digest: &staged.digest,
            keep: self.settings.files.versions,
            now: self.clock.now(),
        };
        let placed: Arc<OnceLock<(StoredId, Histo)>> = Arc::default();
        let (place, content, files) = (placed.clone(), staged.clone(), self.files.clone());
        let stored = self
            .db
            .store(&row, move |id, histo| async move {
                let _ = place.set((id, histo.clone())); // this is called once
                tokio::task::spawn_blocking(move || files.place_content(&content, id, &histo))
                    .await
                    .map_err(|error| StoreError::Corrupt(error.to_string()))?
            })
            .await;
        self.dependencies.forget(owner);
        match stored {
            Ok((stored, is_new, old)) => {
                self.remove_contents(stored.id, old).await;
                tracing::info!(id = %stored.id, %kind, path = %stored.path, owner = %stored.owner_name, "file added");
                Ok((stored, is_new))
            }
            Err(error) => {
                if let Some((id, histo)) = placed.get() {
                    self.take_content_back(kind, *id, histo).await;
                }
                Err(error.into())
            }
        }
    }

    /// Removes a content that is not on record; whether it is, a transaction that failed does not tell for sure.
    async fn take_content_back(&self, kind: StoredKind, id: StoredId, histo: &Histo) {
        if self.db.stored(kind, id).await.is_ok_and(|it| it.is_none_or(|it| it.live.histo != *histo)) {
            self.remove_contents(id, vec![histo.clone()]).await;
        }
    }

    async fn remove_contents(&self, id: StoredId, histos: Vec<Histo>) {
        if histos.is_empty() {
            return;
        }
        let removed = on_disk(&self.files, move |files| files.remove_contents(id, &histos)).await;
        removed.unwrap_or_else(|error| tracing::error!(%error, "cannot remove what is off the record"));
    }

    /// One that the caller may touch.
    ///
    /// # Errors
    /// `NotFound`, also when it is somebody else's.
    pub async fn stored(&self, caller: &Caller, kind: StoredKind, id: StoredId) -> Result<Stored> {
        let stored = self.db.stored(kind, id).await?;
        stored.filter(|stored| caller.may_touch(stored.owner)).ok_or(Error::NotFound("file"))
    }

    pub async fn all_stored(
        &self,
        caller: &Caller,
        kind: StoredKind,
        (owner, path): (Option<&Owner>, Option<&RelativePath>),
        page: Page,
    ) -> Result<Vec<Stored>> {
        let scope = self.scope(caller, "owner", owner).await?;
        Ok(self.db.all_stored(kind, scope, path, page).await?)
    }

    pub async fn stored_versions(
        &self,
        caller: &Caller,
        (kind, id): (StoredKind, StoredId),
        page: Page,
    ) -> Result<(Stored, Vec<StoredVersion>)> {
        let stored = self.stored(caller, kind, id).await?;
        Ok((stored, self.db.stored_versions(id, None, page).await?))
    }

    pub async fn stored_version(
        &self,
        caller: &Caller,
        (kind, id): (StoredKind, StoredId),
        histo: &Histo,
    ) -> Result<(Stored, StoredVersion)> {
        let stored = self.stored(caller, kind, id).await?;
        let one = Page { limit: 1, offset: 0 };
        let version = self.db.stored_versions(id, Some(histo), one).await?.pop();
        Ok((stored, version.ok_or(Error::NotFound("version"))?))
    }

    /// What is in a version.
    ///
    /// # Errors
    /// `Conflict` if it is a folder.
    pub async fn stored_content(
        &self,
        caller: &Caller,
        of: (StoredKind, StoredId),
        histo: Histo,
    ) -> Result<(Stored, OpenFile)> {
        let (stored, version) = self.stored_version(caller, of, &histo).await?;
        let content = self.open_version(of.1, version).await?;
        Ok((stored, content))
    }

    /// An asset, and its live content or another version's.
    pub async fn asset(&self, token: &AssetToken, histo: Option<&Histo>) -> Result<(Stored, OpenFile)> {
        let asset = self.db.asset(token, histo).await?.ok_or(Error::NotFound("asset"))?;
        let content = self.open_version(asset.id, asset.live.clone()).await?;
        Ok((asset, content))
    }

    async fn open_version(&self, id: StoredId, version: StoredVersion) -> Result<OpenFile> {
        let StoredVersion { histo, digest, .. } = version;
        let open = on_disk(&self.files, move |files| files.open_content(id, &histo)).await?;
        let file = open.ok_or_else(|| Error::Conflict("this is a folder: runs get it, and nobody else".to_owned()))?;
        Ok(OpenFile { file, digest })
    }

    /// Removes one previous version, or all of them; never the live one.
    ///
    /// # Errors
    /// `Conflict` when the one named is live.
    pub async fn clear_stored(
        &self,
        caller: &Caller,
        (kind, id): (StoredKind, StoredId),
        histo: Option<&Histo>,
    ) -> Result<Vec<Histo>> {
        let stored = self.stored(caller, kind, id).await?;
        if histo == Some(&stored.live.histo) {
            return Err(Error::Conflict("the live version stays: delete the whole file to remove it".to_owned()));
        }
        let removed = self.db.clear_stored(id, histo).await?;
        if histo.is_some() && removed.is_empty() {
            return Err(Error::NotFound("version"));
        }
        self.remove_contents(id, removed.clone()).await;
        Ok(removed)
    }

    /// Removes it with all its versions: an asset's URL is unknown from then on.
    pub async fn delete_stored(&self, caller: &Caller, kind: StoredKind, id: StoredId) -> Result<()> {
        let stored = self.stored(caller, kind, id).await?;
        if !self.db.delete_stored(id).await? {
            return Err(Error::NotFound("file"));
        }
        self.dependencies.forget(stored.owner);
        let removed = on_disk(&self.files, move |files| files.remove_stored(id)).await;
        removed.unwrap_or_else(|error| tracing::error!(%error, "cannot remove what is off the record"));
        Ok(())
    }

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
            let complete = on_disk(&self.files, move |files| {
                for (id, histo, path) in known.iter() {
                    let Some(place) = hook.path.beside(path) else { continue };
                    if !files.copy_content((*id, histo), (&hook, &version), (&workdir, place))? {
                        return Ok::<_, Error>(false);
                    }
                }
                Ok(true)
            });
            if complete.await? {
                return Ok(());
            }
            self.dependencies.forget(owner);
        }
        Err(Error::Internal("dependencies change faster than they can be copied".to_owned()))
    }
}
