//! Which kernel a notebook runs in.
//!
//! A Python notebook runs in the interpreter that its hook's `python` parameter names, else in the one it was deployed from
//! if that is usable here, else in the server's own. A notebook of another language runs in its kernelspec.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::contracts::contract_of;
use super::{Error, Result};
use crate::config::KernelSettings;
use crate::kernel::environment::{Code, Environment, Inspection, Inspector, python_allowed};
use crate::kernel::nbconvert::{Scripts, notebook_to_html};
use crate::kernel::{KernelCommand, Kernelspecs, python_kernel};
use crate::model::{Contract, Imports, Invalid, RelativePath};
use crate::notebook::Notebook;

/// A notebook of thousands of cells takes nbconvert seconds; one that takes longer than this is stuck.
const RENDER_TIMEOUT: Duration = Duration::from_mins(2);

/// Whether a kernelspec's name means "Python", whatever interpreter that is.
fn is_native(name: &str) -> bool {
    ["python3", "python", "python2"].contains(&name)
}

/// What is known about the kernels of this machine.
#[derive(Debug)]
pub struct Kernels {
    environment: Environment,
    kernelspecs: Kernelspecs,
    inspector: Inspector,
    allowed: Vec<String>,
}

/// What is known of a notebook that is being deployed.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    pub notebook: &'a Notebook,
    /// The hook's `python` parameter.
    pub param: Option<&'a Path>,
    /// The interpreter it is deployed from.
    pub deployer: Option<&'a Path>,
    /// Files that will be beside it.
    pub dependencies: &'a [(RelativePath, Vec<u8>)],
}

/// Where a deployed notebook will run.
#[derive(Debug)]
pub struct Plan {
    /// The interpreter to store with the version: the deployer's, where it is usable.
    pub python: Option<PathBuf>,
    /// The interpreter that runs will use, if it is a Python notebook.
    pub interpreter: Option<PathBuf>,
    pub imports: Option<Imports>,
    /// What calls may pass, if that can be known.
    pub contract: Option<Contract>,
    pub warnings: Vec<String>,
}

impl Kernels {
    #[must_use]
    pub fn new(environment: Environment, settings: &KernelSettings) -> Self {
        Self {
            kernelspecs: Kernelspecs::new(environment.python(), environment.client_folder()),
            environment,
            inspector: Inspector::default(),
            allowed: settings.allow_python.clone(),
        }
    }

    /// Decides, at deploy time, where a notebook will run.
    ///
    /// # Errors
    /// `Invalid` when this server has no kernel for it.
    pub async fn plan(&self, wish: Wish<'_>) -> Result<Plan> {
        if !is_python(wish.notebook) {
            self.command(wish.notebook, None).await?;
            return Ok(Plan { python: None, interpreter: None, imports: None, contract: None, warnings: Vec::new() });
        }
        let mut warnings = Vec::new();
        let mut python = None;
        if wish.param.is_none()
            && let Some(deployer) = wish.deployer
        {
            match self.usable(deployer).await {
                Ok(()) => python = Some(deployer.to_owned()),
                Err(why) => warnings.push(format!(
                    "runs in the server's own Python {}, not in {}: {why}",
                    self.environment.version(),
                    deployer.display()
                )),
            }
        }
        let command = self.command(wish.notebook, wish.param.or(python.as_deref())).await?;
        let named = wish.notebook.kernelspec_name().unwrap_or(&command.name);
        if python.is_none() && wish.param.is_none() && command.name != named.to_lowercase() && !is_native(named) {
            warnings.push(format!("this server has no kernelspec `{named}`; it runs in the server's own Python"));
        }
        let interpreter = command.argv.first().map_or(self.environment.python(), Path::new);
        let mut plan =
            Plan { interpreter: Some(interpreter.to_owned()), python, imports: None, contract: None, warnings };
        if let Some(found) = self.inspect(interpreter, &wish).await {
            let (missing, imports) = modules(found.missing_imports, found.imports, &wish);
            if !missing.is_empty() {
                plan.warnings.push(format!("{} has no module {}", interpreter.display(), missing.join(", ")));
            }
            plan.imports = Some(imports);
            match contract_of(found.reading) {
                Ok(contract) => plan.contract = Some(contract),
                Err(why) => plan.warnings.push(why),
            }
        }
        Ok(plan)
    }

    /// What there is to know of a notebook in an interpreter; a notebook can be run without.
    async fn inspect(&self, interpreter: &Path, wish: &Wish<'_>) -> Option<Inspection> {
        let code: Vec<String> = wish.notebook.code_cells().into_iter().map(|(_, source, _)| source).collect();
        let code: Vec<&str> = code.iter().map(String::as_str).collect();
        let parameters = wish.notebook.parameters_source();
        let code = Code { cells: &code, beside: &beside(wish), parameters: parameters.as_deref() };
        let inspection = self.inspector.inspect(interpreter, code).await;
        inspection.inspect_err(|error| tracing::warn!(%error, "cannot look into a notebook")).ok()
    }

    /// How to start the kernel of a notebook; `python` is the interpreter chosen for it, if any.
    ///
    /// # Errors
    /// `Invalid` when this server has no kernel for it.
    pub async fn command(&self, notebook: &Notebook, python: Option<&Path>) -> Result<KernelCommand> {
        let name = notebook.kernelspec_name().unwrap_or_default().to_owned();
        let native = name.is_empty() || is_native(&name);
        if is_python(notebook) {
            match python {
                // It may have gone since the deploy; another one is then better than none.
                Some(python) if self.usable(python).await.is_ok() => return Ok(self.python_kernel(python)),
                _ if native => return Ok(self.python_kernel(self.environment.python())),
                _ => {}
            }
        }
        let kernelspecs = self.kernelspecs.clone();
        match tokio::task::spawn_blocking(move || kernelspecs.find(&name)).await? {
            Ok(command) => Ok(command),
            Err(_) if is_python(notebook) => Ok(self.python_kernel(self.environment.python())),
            Err(why) => Err(Error::Invalid(Invalid::new("notebook.metadata.kernelspec", why.to_string()))),
        }
    }

    /// The language of a kernelspec.
    ///
    /// # Errors
    /// `Invalid` when this machine has none of this name.
    pub(super) async fn language(&self, name: &str) -> Result<String> {
        if is_native(name) {
            return Ok("python".to_owned());
        }
        let (kernelspecs, name) = (self.kernelspecs.clone(), name.to_owned());
        let found = tokio::task::spawn_blocking(move || kernelspecs.find(&name)).await?;
        found.map(|kernel| kernel.language).map_err(|why| Error::Invalid(Invalid::new("kernel", why.to_string())))
    }

    fn python_kernel(&self, python: &Path) -> KernelCommand {
        python_kernel(python, self.environment.client_folder())
    }

    /// # Errors
    /// Why a hook may not or cannot run in an interpreter, as its `python` parameter.
    pub async fn check(&self, python: &Path) -> Result<(), Invalid> {
        self.usable(python).await.map_err(|why| Invalid::new("params.python", why))
    }

    async fn usable(&self, python: &Path) -> Result<(), String> {
        if !python.is_absolute() {
            return Err("it is not an absolute path".to_owned());
        }
        if !python_allowed(&self.allowed, python) {
            return Err("this server does not allow it (kernel.allow_python)".to_owned());
        }
        let interpreter = self.inspector.interpreter(python).await.map_err(|error| error.to_string())?;
        match interpreter.ipykernel {
            Some(_) => Ok(()),
            None => Err("it has no ipykernel (6 or newer)".to_owned()),
        }
    }

    /// A notebook as a page, by the server's own nbconvert. Pictures that its Markdown shows are looked for in `folder`.
    pub async fn to_html(&self, notebook: &[u8], title: &str, folder: &Path) -> Result<Vec<u8>> {
        let html =
            notebook_to_html(&self.environment, notebook, title, Some(folder), Scripts::Kept, RENDER_TIMEOUT).await;
        html.map_err(|error| Error::Internal(error.to_string()))
    }

    /// A notebook as a page without scripts, which asks no other host for anything unless the notebook's own HTML does.
    pub async fn to_still_html(&self, notebook: &[u8], title: &str) -> Result<Vec<u8>> {
        let html = notebook_to_html(&self.environment, notebook, title, None, Scripts::None, RENDER_TIMEOUT).await;
        html.map_err(|error| Error::Internal(error.to_string()))
    }
}

/// The modules that a notebook imports and will not find, and those that its cells import from elsewhere than beside it.
fn modules(missing: Vec<String>, mut imports: Imports, wish: &Wish<'_>) -> (Vec<String>, Imports) {
    let ours = ["nbhook", "naas"]; // the server puts them on the kernel's path
    let beside = beside(wish);
    let missing = missing.into_iter();
    let missing = missing.filter(|name| !ours.contains(&name.as_str()) && !beside.contains(&name.as_str())).collect();
    let styled = wish.dependencies.iter().any(|(path, _)| path.as_str() == "matplotlibrc");
    imports.modules.retain(|name| {
        let package = name.split('.').next().unwrap_or_default();
        !beside.contains(&package) && (!styled || package != "matplotlib")
    });
    (missing, imports)
}

/// The modules that will lie beside the notebook.
fn beside<'a>(wish: &Wish<'a>) -> Vec<&'a str> {
    wish.dependencies.iter().filter_map(|(path, _)| module_of(path.as_str())).collect()
}

/// The module that a file beside a notebook is, or is a part of.
fn module_of(path: &str) -> Option<&str> {
    let first = path.split('/').next()?;
    if first.len() == path.len() { first.strip_suffix(".py") } else { Some(first) }
}

/// A notebook without a word about its kernel is taken for Python: nbformat 3 had no others to speak of.
pub(super) fn is_python(notebook: &Notebook) -> bool {
    match (notebook.kernelspec_name(), notebook.language()) {
        (Some(name), _) if is_native(name) => true,
        (_, Some(language)) => language == "python",
        (Some(_), None) => false,
        (None, None) => true,
    }
}
