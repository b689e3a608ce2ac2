//! Which modules a hook's kernels have imported before their run, and what became of it.

use serde::Serialize;

use super::{Error, Result, Service, on_disk};
use crate::kernel::{KernelCommand, LeftOut, Preloaded};
use crate::model::{Hook, HookParams, Version, Warm, Workdir};
use crate::notebook::Notebook;

/// What a hook's owner is told about it.
#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Warmth {
    Off { reason: String },
    Preparing { modules: Vec<String> },
    Ready { modules: Vec<String>, left_out: Vec<LeftOut> },
}

/// The modules to import in advance for a version's runs.
///
/// # Errors
/// Why there are none, for people.
pub(super) fn modules<'a>(params: &HookParams, version: &'a Version) -> Result<&'a [String], String> {
    let imports = version.imports.as_ref().ok_or("what the notebook imports is not known: deploy it again")?;
    match params.warm {
        Warm::None => return Err("it is switched off (warm)".to_owned()),
        Warm::Imports => {}
        Warm::Auto if !params.env.is_empty() => {
            return Err("modules may look at the hook's env at their import".to_owned());
        }
        Warm::Auto if params.workdir == Workdir::Persistent => {
            return Err("files in the persistent workdir may take the place of modules".to_owned());
        }
        Warm::Auto => imports.hindrance.clone().map_or(Ok(()), Err)?,
    }
    if imports.modules.is_empty() { Err("the notebook imports nothing".to_owned()) } else { Ok(&imports.modules) }
}

impl Service {
    /// How warm the kernels of a hook's live version are; none for other languages than Python.
    pub async fn warmth(&self, hook: &Hook) -> Result<Option<Warmth>> {
        let version = self.db.version(hook.id, &hook.histo).await?.ok_or(Error::NotFound("version"))?;
        let (of, histo, notebooks) = (hook.clone(), hook.histo.clone(), self.notebooks.clone());
        let notebook = on_disk(&self.files, move |files| notebooks.get(files, &of, &histo)).await?;
        let kernel = self.kernel_of(&notebook, hook, &version).await?;
        if kernel.language != "python" {
            return Ok(None);
        }
        Ok(Some(match modules(&hook.params, &version) {
            Err(reason) => Warmth::Off { reason },
            Ok(modules) => match self.executor.preloaded(&kernel) {
                Preloaded::Never => Warmth::Off { reason: "this kernel is spawned".to_owned() },
                Preloaded::Preparing => Warmth::Preparing { modules: modules.to_vec() },
                Preloaded::Done { left_out } => {
                    let left = |module: &&String| !left_out.iter().any(|left: &LeftOut| left.module == **module);
                    Warmth::Ready { modules: modules.iter().filter(left).cloned().collect(), left_out }
                }
            },
        }))
    }

    /// Gets ready for the calls of a hook, in the background. What hinders that, the first call will meet and tell.
    pub(super) async fn warm_up(&self, notebook: &Notebook, hook: &Hook) {
        let Ok(Some(version)) = self.db.version(hook.id, &hook.histo).await else { return };
        if let Ok(kernel) = self.kernel_of(notebook, hook, &version).await {
            self.executor.prepare(&kernel, self.settings.kernel.output << 20);
        }
    }

    /// How to start the kernel of a version.
    pub(super) async fn kernel_of(&self, notebook: &Notebook, hook: &Hook, version: &Version) -> Result<KernelCommand> {
        let python = hook.params.python.as_deref().or(version.python.as_deref());
        let mut kernel = self.kernels.command(notebook, python).await?;
        if kernel.language == "python" {
            kernel.preload = modules(&hook.params, version).map(<[String]>::to_vec).unwrap_or_default();
        }
        Ok(kernel)
    }
}
