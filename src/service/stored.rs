//! Dependencies and assets: adding, finding, promoting, clearing, deleting.

use std::io::Seek as _;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::{Error, Result, Service, on_disk};
use crate::model::{
    AssetToken, Caller, Histo, Owner, Page, RelativePath, Stored, StoredId, StoredKind, StoredVersion, UserId,
};
use crate::store::{Content, Files, NewStored, Opened, StoreError, digest};

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
        let (place, content, files, at) = (placed.clone(), staged.clone(), self.files.clone(), path.clone());
        let stored = self
            .db
            .store(&row, move |id, histo, neighbours| {
                blocking(move || {
                    files.check_staged((&content, &at), &neighbours, "path")?;
                    let _ = place.set((id, histo.clone())); // this is called once
                    files.place_content(&content, id, &histo)
                })
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

    /// Which of these versions are folders.
    pub async fn stored_folders(&self, id: StoredId, versions: &[StoredVersion]) -> Result<Vec<bool>> {
        let histos: Vec<Histo> = versions.iter().map(|version| version.histo.clone()).collect();
        let look = move |files: &Files| Ok(histos.iter().map(|histo| files.is_folder(id, histo)).collect());
        on_disk::<_, StoreError>(&self.files, look).await
    }

    /// The first so many names of the files that its live version has, if that is a folder.
    pub async fn stored_names(&self, stored: &Stored, most: usize) -> Result<Vec<String>> {
        let (id, histo) = (stored.id, stored.live.histo.clone());
        let mut names = on_disk(&self.files, move |files| files.names(id, &histo)).await?;
        names.truncate(most);
        Ok(names)
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
        match open.ok_or(Error::NotFound("version"))? {
            Opened::File(file) => Ok(OpenFile { file, digest }),
            Opened::Folder => Err(Error::Conflict("this is a folder: runs get it, and nobody else".to_owned())),
        }
    }

    /// Makes an older version (or a newer one again) the live one.
    ///
    /// # Errors
    /// `Invalid` when no run could have it together with the owner's other dependencies.
    pub async fn promote_stored(
        &self,
        caller: &Caller,
        (kind, id): (StoredKind, StoredId),
        histo: &Histo,
    ) -> Result<Stored> {
        let stored = self.stored(caller, kind, id).await?;
        let (files, version, path) = (self.files.clone(), histo.clone(), stored.path.clone());
        let promoted = self.db.promote_stored(&stored, histo, self.clock.now(), move |neighbours| {
            blocking(move || files.check_version((id, &version, &path), &neighbours, "histo"))
        });
        let promoted = promoted.await?.ok_or(Error::NotFound("version"))?;
        self.dependencies.forget(stored.owner);
        Ok(promoted)
    }

    /// Says whether browsers show an asset, or save it.
    pub async fn set_inline(&self, caller: &Caller, id: StoredId, inline: bool) -> Result<Stored> {
        self.stored(caller, StoredKind::Asset, id).await?;
        self.db.set_inline(id, inline, self.clock.now()).await?.ok_or(Error::NotFound("file"))
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
            return Err(Error::Conflict(
                "the live version stays: promote another one first, or delete the whole file".to_owned(),
            ));
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
}

/// What is done on disk inside a transaction.
async fn blocking(work: impl FnOnce() -> Result<(), StoreError> + Send + 'static) -> Result<(), StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::Corrupt(error.to_string()))?
}
