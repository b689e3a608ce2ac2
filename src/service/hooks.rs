//! Hooks, their versions and outputs: finding, changing, clearing, deleting.

use std::sync::Arc;

use super::{Error, Result, Service, on_disk};
use crate::model::{Caller, Cors, Histo, Hook, HookId, HookParamsPatch, HookPath, Owner, Page, RunId, Version};
use crate::store::ListedOutput;

impl Service {
    /// A hook that the caller may touch.
    ///
    /// # Errors
    /// `NotFound`, also when it is somebody else's.
    pub async fn hook(&self, caller: &Caller, id: HookId) -> Result<Hook> {
        let hook = self.db.hook(id).await?;
        hook.filter(|hook| caller.may_touch(hook.owner)).ok_or(Error::NotFound("hook"))
    }

    /// Which pages may read what a run's hook answers; none, if there is no such run or its hook is gone.
    pub async fn cors_of_run(&self, run: RunId) -> Result<Option<Cors>> {
        let Some(run) = self.db.run(run).await? else { return Ok(None) };
        Ok(self.db.hook(run.hook).await?.map(|hook| hook.params.cors))
    }

    /// The media type that a hook is known to answer with: that of its last run that succeeded (of one version, if it is named).
    ///
    /// # Errors
    /// `NotFound`, if there is no such version.
    pub async fn known_media_type(&self, hook: &Hook, histo: Option<&Histo>) -> Result<Option<String>> {
        if let Some(histo) = histo {
            self.db.version(hook.id, histo).await?.ok_or(Error::NotFound("version"))?;
        }
        self.unsaved.settled().await;
        Ok(self.db.last_media_type(hook.id, histo).await?)
    }

    pub async fn hooks(
        &self,
        caller: &Caller,
        owner: Option<&Owner>,
        path: Option<&HookPath>,
        page: Page,
    ) -> Result<Vec<Hook>> {
        let scope = self.scope(caller, "owner", owner).await?;
        Ok(self.db.hooks(scope, path, page).await?)
    }

    pub async fn set_params(&self, caller: &Caller, id: HookId, patch: HookParamsPatch) -> Result<Hook> {
        let hook = self.hook(caller, id).await?;
        let params = patch.apply(hook.params.clone())?;
        if params.python != hook.params.python {
            self.check_python(params.python.as_deref()).await?;
        }
        self.db.set_hook_params(id, &params, self.clock.now()).await?;
        self.hook(caller, id).await
    }

    /// Removes a hook. Its URL is unknown from then on; `all` also removes its versions and outputs from disk.
    pub async fn delete_hook(self: &Arc<Self>, caller: &Caller, id: HookId, all: bool) -> Result<()> {
        let hook = self.hook(caller, id).await?;
        self.unsaved.settled().await; // so that outputs of answered runs are kept
        let service = self.clone();
        // A task of its own: a caller that hangs up in the middle leaves nothing half-done.
        let deleted = self.runtime.spawn(async move { service.remove(hook, all).await });
        deleted.await?
    }

    async fn remove(&self, hook: Hook, all: bool) -> Result<()> {
        let _turn = self.change_folders().await?;
        if !self.db.delete_hook(hook.id, all, self.clock.now()).await? {
            return Err(Error::NotFound("hook"));
        }
        if all {
            on_disk(&self.files, move |files| files.remove_hook(&hook)).await?;
        }
        Ok(())
    }

    pub async fn versions(&self, caller: &Caller, id: HookId, page: Page) -> Result<Vec<Version>> {
        self.hook(caller, id).await?;
        Ok(self.db.versions(id, page).await?)
    }

    pub async fn version(&self, caller: &Caller, id: HookId, histo: &Histo) -> Result<Version> {
        self.hook(caller, id).await?;
        self.db.version(id, histo).await?.ok_or(Error::NotFound("version"))
    }

    /// The notebook of a version, as it was deployed.
    pub async fn version_notebook(&self, caller: &Caller, id: HookId, histo: Histo) -> Result<Vec<u8>> {
        let hook = self.hook(caller, id).await?;
        self.db.version(id, &histo).await?.ok_or(Error::NotFound("version"))?;
        on_disk(&self.files, move |files| files.notebook(&hook, &histo)).await?.ok_or(Error::NotFound("version"))
    }

    /// Makes an older version (or a newer one again) the live one. Also says what callers of the one before lose.
    pub async fn promote(&self, caller: &Caller, id: HookId, histo: &Histo) -> Result<(Hook, Vec<String>)> {
        let before = self.hook(caller, id).await?;
        let version = self.db.version(id, histo).await?.ok_or(Error::NotFound("version"))?;
        let breaking = self
            .breaking(&before, (version.contract.as_ref(), version.callbacks.as_ref()), before.params.strict)
            .await?;
        if !self.db.promote(id, histo, self.clock.now()).await? {
            return Err(Error::NotFound("version"));
        }
        Ok((self.hook(caller, id).await?, breaking))
    }

    /// Removes one previous version, or all of them; never the live one.
    ///
    /// # Errors
    /// `Conflict` when the one named is live.
    pub async fn clear_versions(&self, caller: &Caller, id: HookId, histo: Option<&Histo>) -> Result<Vec<Histo>> {
        let hook = self.hook(caller, id).await?;
        if let Some(histo) = histo {
            let version = self.db.version(id, histo).await?.ok_or(Error::NotFound("version"))?;
            if version.live {
                let message = "the live version cannot be removed: promote another one first, or delete the hook";
                return Err(Error::Conflict(message.to_owned()));
            }
        }
        let removed = self.db.clear_versions(id, histo).await?;
        let histos = removed.clone();
        on_disk(&self.files, move |files| files.remove_versions(&hook, &histos)).await?;
        Ok(removed)
    }

    pub async fn outputs(&self, caller: &Caller, id: HookId, page: Page) -> Result<Vec<ListedOutput>> {
        self.hook(caller, id).await?;
        self.unsaved.settled().await;
        Ok(self.db.outputs(id, page).await?)
    }

    /// The executed notebook that a run left.
    pub async fn output(&self, caller: &Caller, id: HookId, histo: Histo) -> Result<Vec<u8>> {
        let hook = self.hook(caller, id).await?;
        self.unsaved.settled().await;
        on_disk(&self.files, move |files| files.output(&hook, &histo)).await?.ok_or(Error::NotFound("output"))
    }

    pub async fn clear_outputs(&self, caller: &Caller, id: HookId, histo: Option<&Histo>) -> Result<Vec<Histo>> {
        let hook = self.hook(caller, id).await?;
        self.unsaved.settled().await;
        let removed = self.db.clear_outputs(id, histo).await?;
        if removed.is_empty() && histo.is_some() {
            return Err(Error::NotFound("output"));
        }
        let histos = removed.clone();
        on_disk(&self.files, move |files| files.remove_outputs(&hook, &histos)).await?;
        Ok(removed)
    }
}
