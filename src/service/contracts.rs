//! Contracts of versions: read when a notebook is deployed, held against what its callers pass.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Error, Result, Service, declared};
use crate::kernel::environment::{Code, Inspector, Reading};
use crate::model::{Caller, Contract, DeclaredCallbacks, Histo, Hook, HookId, HookParams, Version};
use crate::notebook::contract::{self, Checker, Rules, Terms};
use crate::notebook::{Notebook, Parameters};

/// How many contracts are kept compiled. They are some kilobytes each.
const KEPT: usize = 512;

/// The contracts of versions that were called lately, compiled.
#[derive(Debug, Default)]
pub(super) struct Checkers(Mutex<HashMap<(HookId, Histo), Arc<Checker>>>);

impl Checkers {
    /// Nothing, where it is not known what the notebook takes.
    pub(super) fn get(&self, hook: &Hook, version: &Version) -> Result<Option<Arc<Checker>>> {
        let Some(contract) = &version.contract else { return Ok(None) };
        let key = (hook.id, version.histo.clone()); // a version never changes
        if let Some(checker) = self.known().get(&key) {
            return Ok(Some(Arc::clone(checker)));
        }
        let checker = Checker::new(contract).map_err(|error| Error::Internal(format!("a contract: {error}")))?;
        let checker = Arc::new(checker);
        let mut known = self.known();
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(key, Arc::clone(&checker));
        Ok(Some(checker))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<(HookId, Histo), Arc<Checker>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The parameters as the notebook declares them.
///
/// # Errors
/// `Parameters` with all that is wrong.
pub(super) fn checked(parameters: Parameters, checker: Option<&Checker>, params: &HookParams) -> Result<Parameters> {
    let Some(checker) = checker else { return Ok(parameters) };
    let rules = Rules { strict: params.strict, sensitive: &params.sensitive };
    checker.check(parameters, rules).map_err(Error::Parameters)
}

/// The contract of what Python read, or why there is none.
pub(super) fn contract_of(reading: Option<Reading>) -> Result<Contract, String> {
    let contract = match reading {
        None => contract::empty(),
        Some(Reading::Read { properties, required }) => contract::assemble(properties, &required),
        Some(Reading::Unreadable { error }) => {
            return Err(format!("the parameters cell cannot be read, so calls are not checked: {error}"));
        }
    };
    Checker::new(&contract).map_err(|error| format!("calls are not checked: {error}"))?;
    Ok(contract)
}

/// The contract of a Python notebook's file, as a deploy would find it; nothing of the notebook is run.
///
/// # Errors
/// What is wrong with the notebook, its `parameters` cell or the interpreter, for people.
pub async fn inspect_notebook(bytes: &[u8], python: &Path) -> Result<Contract, String> {
    let notebook = Notebook::parse(bytes).map_err(|error| error.to_string())?;
    if !super::kernels::is_python(&notebook) {
        let language = notebook.language().unwrap_or_else(|| "another language".to_owned());
        return Err(format!("contracts are read from Python notebooks only; this one is of {language}"));
    }
    let source = notebook.parameters_source();
    let code = Code { parameters: source.as_deref(), ..Code::default() };
    let inspection = Inspector::default().inspect(python, code).await.map_err(|error| error.to_string())?;
    contract_of(inspection.reading)
}

impl Service {
    /// What a hook's live version takes, if that is known.
    ///
    /// # Errors
    /// `NotFound`, also when the hook is somebody else's.
    pub async fn contract(&self, caller: &Caller, hook: &Hook) -> Result<Option<Contract>> {
        Ok(self.version(caller, hook.id, &hook.histo).await?.contract)
    }

    /// What callers lose of a hook as it is, when it has this contract and these callbacks and may be strict. Of parameters
    /// nothing, where either contract is unknown.
    pub(super) async fn breaking(
        &self,
        hook: &Hook,
        (contract, callbacks): (Option<&Contract>, Option<&DeclaredCallbacks>),
        strict: bool,
    ) -> Result<Vec<String>> {
        let Some(live) = self.db.version(hook.id, &hook.histo).await? else { return Ok(Vec::new()) };
        let mut lost = match (&live.contract, contract) {
            (Some(old), Some(new)) => {
                let before = Terms { contract: old, strict: hook.params.strict };
                contract::breaking(before, Terms { contract: new, strict })
            }
            _ => Vec::new(),
        };
        lost.extend(declared::breaking(live.callbacks.as_ref(), callbacks));
        Ok(lost)
    }
}
