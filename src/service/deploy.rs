//! Deploying a notebook: from bytes to a version that its URL runs.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::kernels::Plan;
use super::{Error, Result, Service, Wish, declared, on_disk};
use crate::model::{
    Caller, DeclaredCallbacks, Histo, Hook, HookParams, HookParamsPatch, HookPath, HookToken, Invalid, Owner,
    RelativePath, SigningSecret, UserId,
};
use crate::notebook::Notebook;
use crate::store::{NewDeploy, StoreError, VersionFiles};

/// A notebook to deploy.
#[derive(Debug)]
pub struct Deploy {
    pub path: HookPath,
    /// Another user to deploy for; admins only.
    pub owner: Option<Owner>,
    /// All of them; what is not there has its default.
    pub params: HookParamsPatch,
    /// What it sends to URLs that its callers name.
    pub callbacks: Option<DeclaredCallbacks>,
    /// The interpreter of the kernel that deploys.
    pub python: Option<PathBuf>,
    /// The notebook file's bytes.
    pub notebook: Vec<u8>,
    /// Files that every run finds beside it.
    pub dependencies: Vec<(RelativePath, Vec<u8>)>,
}

#[derive(Debug)]
pub struct DeployReply {
    pub hook: Hook,
    /// Whether the path had no hook before.
    pub is_new: bool,
    /// The interpreter its runs use; none for other languages.
    pub python: Option<PathBuf>,
    /// What the deployer should know, a sentence each.
    pub warnings: Vec<String>,
    /// Those of the warnings that say what callers of the version before lose.
    pub breaking: Vec<String>,
}

impl Service {
    /// Makes a new version of the hook at a path, and the hook with a new URL if there is none.
    ///
    /// # Errors
    /// `Invalid` names what cannot be accepted; then nothing was changed.
    pub async fn deploy(self: &Arc<Self>, caller: &Caller, mut deploy: Deploy) -> Result<DeployReply> {
        let owner = self.owner(caller, "owner", deploy.owner.as_ref()).await?;
        let notebook = Notebook::parse(&deploy.notebook)?;
        check_places("dependency", deploy.dependencies.iter().map(|(path, _)| path))?;
        if let Some(callbacks) = &deploy.callbacks {
            declared::check(callbacks)?;
            self.check_fixed(callbacks).await?;
        }
        let before = self.db.hook_at(owner.0, &deploy.path).await?;
        let params_before = before.as_ref().map(|hook| &hook.params);
        let params = std::mem::take(&mut deploy.params).anew(params_before)?;
        self.check_python(params.python.as_deref()).await?;
        let wish = Wish {
            notebook: &notebook,
            param: params.python.as_deref(),
            deployer: deploy.python.as_deref(),
            dependencies: &deploy.dependencies,
        };
        let mut plan = self.kernels.plan(wish).await?;
        plan.warnings.extend(unsigned(params_before, &params));
        let terms = (plan.contract.as_ref(), deploy.callbacks.as_ref());
        let breaking = match &before {
            Some(hook) => self.breaking(hook, terms, params.strict).await?,
            None => Vec::new(),
        };
        let doubts = |callbacks| declared::doubts(callbacks, plan.contract.as_ref());
        plan.warnings.extend(deploy.callbacks.as_ref().map(doubts).unwrap_or_default());
        plan.warnings.extend(breaking.iter().cloned());
        let service = self.clone();
        // A task of its own: a caller that hangs up in the middle leaves nothing half-done.
        let stored = self
            .runtime
            .spawn(async move { service.store(deploy, &params, owner, &plan).await.map(|stored| (stored, plan)) });
        let ((hook, is_new), plan) = stored.await??;
        self.warm_up(&notebook, &hook).await;
        tracing::info!(hook = %hook.id, path = %hook.path, histo = %hook.histo, owner = %hook.owner_name, "deployed");
        Ok(DeployReply { hook, is_new, python: plan.interpreter, warnings: plan.warnings, breaking })
    }

    async fn store(
        &self,
        deploy: Deploy,
        params: &HookParams,
        (owner, owner_name): (UserId, Owner),
        plan: &Plan,
    ) -> Result<(Hook, bool)> {
        let token = HookToken::from_random(self.random.bits160()?);
        let Deploy { notebook, dependencies, path, callbacks, .. } = deploy;
        let size = notebook.len() as u64;
        let staged = on_disk(&self.files, move |files| {
            files.stage(&VersionFiles { notebook: &notebook, dependencies: &dependencies })
        })
        .await?;
        let _turn = self.change_folders().await?;
        let new = NewDeploy {
            owner,
            owner_name: &owner_name,
            path: &path,
            token,
            params,
            size,
            python: plan.python.as_deref(),
            imports: plan.imports.as_ref(),
            contract: plan.contract.as_ref(),
            callbacks: callbacks.as_ref(),
            callback_secret: &SigningSecret::from_random(self.random.bits256()?),
            now: self.clock.now(),
        };
        let placed: Arc<OnceLock<Histo>> = Arc::default();
        let (place_owner, place_path, place_histo) = (owner_name.clone(), path.clone(), placed.clone());
        let deployed = self
            .db
            .deploy(new, move |histo| async move {
                let _ = place_histo.set(histo.clone()); // this is called once
                tokio::task::spawn_blocking(move || staged.place(&place_owner, &place_path, &histo))
                    .await
                    .map_err(|error| StoreError::Corrupt(error.to_string()))?
            })
            .await;
        match deployed {
            Ok(deployed) => Ok((deployed.hook, deployed.is_new)),
            Err(error) => {
                if let Some(histo) = placed.get() {
                    self.take_back(owner, owner_name, path, histo.clone()).await;
                }
                Err(error.into())
            }
        }
    }

    /// Removes the files of a version that did not get on record. If this does not work either, a sweep finds them.
    async fn take_back(&self, owner: UserId, owner_name: Owner, path: HookPath, histo: Histo) {
        if self.db.on_record(owner, &path).await.is_ok_and(|known| !known.versions.contains(&histo)) {
            let removed = on_disk(&self.files, move |files| files.remove_version(&owner_name, &path, &histo)).await;
            removed.unwrap_or_else(|error| tracing::error!(%error, "cannot take back a version that failed"));
        }
    }

    /// # Errors
    /// `Invalid` when a hook's `python` parameter cannot be used here.
    pub(super) async fn check_python(&self, python: Option<&std::path::Path>) -> Result<()> {
        match python {
            None => Ok(()),
            Some(python) => self.kernels.check(python).await.map_err(Error::Invalid),
        }
    }
}

/// A deploy sets all parameters, also by not naming them. That this opens a hook should not go unnoticed.
fn unsigned(before: Option<&HookParams>, now: &HookParams) -> Option<String> {
    let opened = before.is_some_and(|before| before.signature.is_some()) && now.signature.is_none();
    opened.then(|| {
        "calls are no longer checked for a signature: this deploy has none; add `signature` to its params, with `true` as \
         the secret to keep the one that was there"
            .to_owned()
    })
}

/// # Errors
/// When two files cannot both be where they belong.
pub fn check_places<'a>(field: &str, paths: impl Iterator<Item = &'a RelativePath>) -> Result<(), Invalid> {
    let mut paths: Vec<&str> = paths.map(RelativePath::as_str).collect();
    paths.sort_by(|a, b| a.split('/').cmp(b.split('/'))); // a folder comes right before what is in it
    for pair in paths.windows(2) {
        let rest = pair[1].strip_prefix(pair[0]);
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            return Err(Invalid::new(field, format!("`{}` and `{}` are in each other's way", pair[0], pair[1])));
        }
    }
    Ok(())
}
