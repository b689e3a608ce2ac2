//! Running a notebook where it lies: without a hook, a server or a record, by the rules that runs of hooks have.

use std::collections::HashSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::contracts::checked;
use super::ending::{Ending, open_within};
use super::prepare::cells;
use super::{Error, Kernels, Result, Wish};
use crate::kernel::process::Resources;
use crate::kernel::{CodeCell, Executor, Job, KernelCommand, Limits, Observer};
use crate::model::{HookParams, RunError, RunId};
use crate::notebook::contract::Checker;
use crate::notebook::{self, Injected, Language, Notebook, ParamValue, Parameters};
use crate::response::{Accept, Answer, Content};

/// What `timeout` stands for when it is not given.
const FOR_EVER: Duration = Duration::from_hours(10 * 365 * 24);

/// A parameter as it was given.
#[derive(Clone)]
pub struct Given {
    pub name: String,
    pub value: Value,
    /// As it was written, where a contract may read it as something else.
    pub text: Option<String>,
}

/// Shows no value: it may be a secret.
impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Given").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What is to be run.
#[derive(Debug)]
pub struct LocalRun {
    pub notebook: Vec<u8>,
    pub parameters: Vec<Given>,
    /// Whether names that the contract does not have are refused.
    pub strict: bool,
    /// The kernelspec to use instead of the notebook's own.
    pub kernel: Option<String>,
    pub workdir: PathBuf,
    /// For all cells together.
    pub timeout: Option<Duration>,
    /// For the kernel to answer.
    pub start_timeout: Duration,
}

/// A notebook with its parameters in it, about to run.
#[derive(Debug)]
pub struct Ready {
    id: RunId,
    notebook: Notebook,
    injected: Option<Injected>,
    kernel: KernelCommand,
    cells: Vec<CodeCell>,
    workdir: PathBuf,
    limits: Limits,
    pub warnings: Vec<String>,
}

impl Ready {
    /// The run's mark, by which what it started is found.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.id
    }

    /// The cells to run, as an observer hears of them, each with its index in the notebook as it was given; none for the one
    /// with the parameters.
    #[must_use]
    pub fn cells(&self) -> Vec<(usize, Option<usize>)> {
        let original = |index| match &self.injected {
            Some(injected) => injected.original_index(index),
            None => Some(index),
        };
        self.cells.iter().map(|cell| (cell.index, original(cell.index))).collect()
    }

    /// The `.ipynb` file as it is now.
    #[must_use]
    pub fn notebook(&self) -> Vec<u8> {
        self.notebook.to_vec()
    }
}

/// What came of it.
#[derive(Debug)]
pub struct LocalDone {
    /// The executed notebook.
    pub notebook: Vec<u8>,
    pub error: Option<RunError>,
    pub warnings: Vec<String>,
    /// What a hook's caller would get; none unless the notebook marked it.
    pub answer: Option<LocalAnswer>,
}

/// See [`LocalDone::answer`].
#[derive(Debug, PartialEq, Eq)]
pub struct LocalAnswer {
    pub status: u16,
    pub media_type: String,
    pub body: Vec<u8>,
}

/// This machine's kernels.
pub struct Local {
    kernels: Kernels,
    executor: Arc<dyn Executor>,
    /// Bytes of all outputs together.
    output: usize,
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").field("kernels", &self.kernels).finish_non_exhaustive()
    }
}

impl Local {
    #[must_use]
    pub fn new(kernels: Kernels, executor: Arc<dyn Executor>, output: usize) -> Self {
        Self { kernels, executor, output }
    }

    /// Checks the parameters and puts them into the notebook; nothing is run.
    ///
    /// # Errors
    /// `Invalid` and `Parameters`, as a deploy and a call would be answered.
    pub async fn prepare(&self, run: LocalRun) -> Result<Ready> {
        let mut notebook = Notebook::parse(&run.notebook)?;
        if let Some(name) = &run.kernel {
            notebook.set_kernelspec(name, &self.kernels.language(name).await?);
        }
        let wish = Wish { notebook: &notebook, param: None, deployer: None, dependencies: &[] };
        let plan = self.kernels.plan(wish).await?;
        let kernel = self.kernels.command(&notebook, None).await?;
        let checker = match &plan.contract {
            Some(contract) => Some(Checker::new(contract).map_err(Error::Internal)?),
            None => None,
        };
        let parameters = typed(&run.parameters, checker.as_ref(), run.strict)?;
        let language = Language::from_name(&kernel.language);
        let injected = match parameters {
            // As papermill does it: who passes nothing gets no cell.
            None => None,
            Some(parameters) => notebook::inject(&mut notebook, language, &parameters, &[])?,
        };
        let limits = Limits {
            wall: run.timeout.unwrap_or(FOR_EVER),
            start: run.start_timeout,
            output_bytes: self.output,
            processes: None,
            resources: Resources { memory_bytes: None, cpu_seconds: None, open_files: None },
        };
        let cells = cells(&notebook, injected.as_ref());
        let (id, workdir, warnings) = (RunId::new(), run.workdir, plan.warnings);
        Ok(Ready { id, notebook, injected, kernel, cells, workdir, limits, warnings })
    }

    /// Runs the cells in a fresh kernel, which has ended afterwards. Dropping the future kills it.
    ///
    /// # Errors
    /// Only when the kernel cannot be started: a notebook that fails is a [`LocalDone`] with an error.
    pub async fn run(&self, ready: Ready, observer: Arc<dyn Observer>) -> Result<LocalDone> {
        let Ready { id, mut notebook, injected, kernel, cells, workdir, limits, mut warnings } = ready;
        let job = Job {
            run: id,
            kernel,
            workdir: workdir.clone(),
            env: vec![("NBHOOK_RUN".to_owned(), id.to_string())],
            cells,
            limits,
            observer: Some(observer),
        };
        let execution = self.executor.complete(job).await;
        let execution = execution.map_err(|error| Error::Conflict(format!("the kernel did not start: {error}")))?;
        let accept = Accept::default();
        let mut ending = Ending::of(&mut notebook, injected.as_ref(), Ok(execution), &accept);
        warnings.append(&mut ending.warnings);
        let bytes = notebook.to_vec();
        let answer = match ending.answer.take() {
            Some(answer) => match self.answer(answer, &bytes, &workdir).await {
                Ok(answer) => answer,
                Err(why) => {
                    warnings.push(why);
                    None
                }
            },
            None => None,
        };
        Ok(LocalDone { notebook: bytes, error: ending.error, warnings, answer })
    }

    async fn answer(&self, answer: Answer, notebook: &[u8], workdir: &Path) -> Result<Option<LocalAnswer>, String> {
        let status = answer.status;
        let (media_type, body) = match answer.content {
            Content::Done => return Ok(None),
            Content::Bytes { media_type, body } => (media_type, body),
            Content::Error { detail, .. } => {
                let problem = json!({"status": status, "detail": detail});
                ("application/problem+json".to_owned(), problem.to_string().into_bytes())
            }
            Content::NotebookJson => ("application/x-ipynb+json".to_owned(), notebook.to_vec()),
            Content::NotebookHtml => {
                let html = self.kernels.to_html(notebook, "notebook", workdir).await;
                let html = html.map_err(|error| format!("the notebook could not be rendered as HTML: {error}"))?;
                ("text/html; charset=utf-8".to_owned(), html)
            }
            Content::File { path, media_type, .. } => {
                let guessed = mime_guess::from_path(&path).first_or_octet_stream().to_string();
                (media_type.unwrap_or(guessed), file(path, workdir.to_owned()).await?)
            }
        };
        Ok(Some(LocalAnswer { status, media_type, body }))
    }
}

async fn file(path: PathBuf, workdir: PathBuf) -> Result<Vec<u8>, String> {
    let read = move || {
        let (mut file, _) = open_within(&path, &[workdir])?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| format!("respond_file: {error}"))?;
        Ok(bytes)
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| Err(error.to_string()))
}

/// The parameters as the contract has them; none if there are none.
///
/// What was written on a command line has its type guessed, and `-p zip 12345` may mean text: what does not fit as it was
/// guessed is read once more as a query string would be.
fn typed(given: &[Given], checker: Option<&Checker>, strict: bool) -> Result<Option<Parameters>> {
    let rules = HookParams { strict, ..HookParams::default() };
    let passed = |as_text: &HashSet<&str>| {
        let value = |given: &Given| match &given.text {
            Some(text) if as_text.contains(given.name.as_str()) => ParamValue::Str(text.clone()),
            _ => ParamValue::from(given.value.clone()),
        };
        let query = given.iter().map(|given| (given.name.clone(), value(given))).collect();
        Parameters::new(query, ParamValue::Null, Vec::new())
    };
    let parameters = match checked(passed(&HashSet::new()), checker, &rules) {
        Err(Error::Parameters(wrong)) => {
            let names = wrong.iter().map(|wrong| wrong.name.split(['.', '[']).next().unwrap_or_default());
            checked(passed(&names.collect()), checker, &rules)?
        }
        fits => fits?,
    };
    Ok(Some(parameters).filter(|_| !given.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notebook::contract;

    fn given(name: &str, value: Value, text: Option<&str>) -> Given {
        Given { name: name.to_owned(), value, text: text.map(str::to_owned) }
    }

    #[test]
    fn a_guessed_type_gives_way_to_the_contract() {
        let properties = json!({"zip": {"type": "string"}, "n": {"type": "integer"}});
        let Value::Object(properties) = properties else { unreachable!() };
        let checker = Checker::new(&contract::assemble(properties, &["n".to_owned()])).unwrap();
        let typed = |given: &[Given]| typed(given, Some(&checker), false);
        let passed = [given("zip", json!(12345), Some("12345")), given("n", json!("5"), Some("5"))];
        let parameters = typed(&passed).unwrap().unwrap();
        let values: Vec<_> = parameters.query().iter().map(|(_, value)| value.json()).collect();
        assert_eq!(values, [json!("12345"), json!(5)]);
        let Err(Error::Parameters(wrong)) = typed(&[given("zip", json!(1), None)]) else { panic!("accepted") };
        let names: Vec<_> = wrong.iter().map(|wrong| wrong.name.as_str()).collect();
        assert_eq!(names, ["zip", "n"], "a number from a file stays one, and n is missing");
    }
}
