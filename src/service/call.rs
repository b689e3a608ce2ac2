//! Calling a hook: parameters in, a fresh kernel, the notebook's answer out.
//!
//! A call is carried out by a task of its own, so a caller that hangs up does not stop the run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::time::timeout;
use tracing::Instrument as _;

use super::ending::{self, Ending};
use super::{Error, RETRY_AFTER, Result, Service, on_disk};
use crate::kernel::{CodeCell, Execution, Job, KernelCommand, Limits};
use crate::model::{Caller, ErrorKind, Histo, Hook, HookToken, RunError, RunId, Trigger, Version, Workdir};
use crate::notebook::{self, Injected, Language, Notebook, ParamValue, Parameters};
use crate::response::Accept;
use crate::service::admission::Ticket;
use crate::store::{NewRun, Scratch};

/// A hook that was asked for by its token, with a place in its queue.
#[derive(Debug)]
pub struct Target {
    hook: Hook,
    version: Version,
    ticket: Ticket,
}

/// What a caller passes.
#[derive(Debug)]
pub struct Call {
    pub method: String,
    /// In the order of the URL; keys may repeat.
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub body: Body,
    pub accept: Accept,
    /// Who calls, if an API token was sent along.
    pub caller: Option<Caller>,
}

/// The body of a call, parsed by its media type.
#[derive(Debug)]
pub enum Body {
    Empty,
    Json(Value),
    /// `application/x-www-form-urlencoded`; keys may repeat.
    Form(Vec<(String, String)>),
    /// `multipart/form-data`; field names may repeat.
    Multipart {
        fields: Vec<(String, String)>,
        files: Vec<Upload>,
    },
    Text(String),
    Bytes(Vec<u8>),
}

/// A file that came with a call.
#[derive(Debug)]
pub struct Upload {
    pub field: String,
    /// Its name as the caller gave it, without any folder.
    pub name: String,
    pub file: NamedTempFile,
}

/// What the caller gets.
#[derive(Debug)]
pub struct Reply {
    pub run: RunId,
    pub body: ReplyBody,
}

#[derive(Debug)]
pub enum ReplyBody {
    /// The notebook's answer.
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        media_type: String,
        file_name: String,
        inline: bool,
        content: Content,
    },
    /// The run succeeded and answered nothing.
    Done {
        time: DateTime<Utc>,
    },
    SeeOther(String),
    /// `respond_error`.
    Reported {
        status: u16,
        headers: Vec<(String, String)>,
        detail: String,
    },
    /// The run failed; the traceback is there only for the hook's owner.
    Failed(RunError),
}

#[derive(Debug)]
pub enum Content {
    Bytes(Vec<u8>),
    /// Open, so it can be streamed after its folder is gone.
    File(std::fs::File, PathBuf),
}

/// A run that is ready to start.
struct Prepared {
    id: RunId,
    hook: Hook,
    histo: Histo,
    notebook: Notebook,
    injected: Option<Injected>,
    kernel: KernelCommand,
    workdir: PathBuf,
    /// Removed when the run is over.
    scratch: Scratch,
    cells: Vec<CodeCell>,
    accept: Accept,
    for_owner: bool,
}

impl Service {
    /// The hook behind a token, and a place for this call in its queue.
    ///
    /// # Errors
    /// `NotFound`, `Draining` or `QueueFull`.
    pub async fn target(&self, token: &HookToken, histo: Option<&Histo>) -> Result<Target> {
        if self.is_draining() {
            return Err(Error::Draining { retry_after: RETRY_AFTER });
        }
        let hook = self.db.hook_by_token(token).await?.ok_or(Error::NotFound("hook"))?;
        let version = self.db.version(hook.id, histo.unwrap_or(&hook.histo)).await?;
        let version = version.ok_or(Error::NotFound("version"))?;
        let places = |number: Option<u32>| number.map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        let concurrency = match hook.params.workdir {
            Workdir::Persistent => Some(1), // its runs share a directory
            Workdir::Scratch => places(hook.params.concurrency),
        };
        let ticket = self.admission.admit(hook.id, concurrency, places(hook.params.queue)).map_err(|_| {
            metrics::counter!("nbhook_calls_rejected_total").increment(1);
            Error::QueueFull { retry_after: RETRY_AFTER }
        })?;
        Ok(Target { hook, version, ticket })
    }

    /// Runs the hook and gives what it answers.
    ///
    /// # Errors
    /// Only before a kernel is started; a run that fails is a [`ReplyBody::Failed`].
    pub async fn call(self: &Arc<Self>, target: Target, call: Call) -> Result<Reply> {
        let run = RunId::new();
        let span = tracing::info_span!("run", run = %run, hook = %target.hook.id);
        let task = self.clone().carry_out(run, target, call).instrument(span);
        self.runs.spawn_on(task, &self.runtime).await?
    }

    async fn carry_out(self: Arc<Self>, id: RunId, target: Target, call: Call) -> Result<Reply> {
        let Target { hook, version, ticket } = target;
        let method = call.method.clone();
        let mut prepared = self.prepare(id, hook, &version, call).await?;
        let new = NewRun {
            id,
            hook: prepared.hook.id,
            owner: prepared.hook.owner,
            version: &version.histo,
            trigger: Trigger::Http,
            method: &method,
            cells_total: prepared.cells.len(),
            now: self.clock.now(),
        };
        prepared.histo = self.db.create_run(new).await?;
        let executed = self.execute(&mut prepared, ticket).await;
        self.conclude(prepared, executed).await
    }

    /// Everything that can be refused, before a run is on record.
    async fn prepare(&self, id: RunId, hook: Hook, version: &Version, call: Call) -> Result<Prepared> {
        let (of, histo) = (hook.clone(), version.histo.clone());
        let (bytes, scratch, workdir) = on_disk(&self.files, move |files| {
            // Deleted or cleared since the caller asked for it?
            let notebook = files.notebook(&of, &histo)?.ok_or(Error::NotFound("version"))?;
            let scratch = files.scratch()?;
            let workdir = match of.params.workdir {
                Workdir::Persistent => files.persistent_workdir(&of)?,
                Workdir::Scratch => scratch.path().to_owned(),
            };
            files.copy_dependencies(&of, &histo, &workdir)?;
            Ok::<_, Error>((notebook, scratch, workdir))
        })
        .await?;
        let mut notebook = Notebook::parse(&bytes)?;
        let kernel =
            self.kernels.command(&notebook, hook.params.python.as_deref().or(version.python.as_deref())).await?;
        let for_owner = call.caller.as_ref().is_some_and(|caller| caller.may_touch(hook.owner));
        let accept = call.accept.clone();
        let folder = scratch.path().to_owned();
        let parameters = tokio::task::spawn_blocking(move || parameters(call, &folder)).await??;
        notebook.strip_outputs();
        let language = Language::from_name(&kernel.language);
        let injected = notebook::inject(&mut notebook, language, &parameters, &hook.params.sensitive)?;
        let cells = cells(&notebook, injected.as_ref());
        let histo = version.histo.clone(); // until the run is on record and has its own
        Ok(Prepared { id, hook, histo, notebook, injected, kernel, workdir, scratch, cells, accept, for_owner })
    }

    /// Waits for its turn and runs the cells.
    async fn execute(&self, run: &mut Prepared, ticket: Ticket) -> Result<Execution, RunError> {
        let internal = |detail: &str| RunError::new(ErrorKind::Internal, detail);
        let patience = run.hook.params.timeout();
        let turn = tokio::select! {
            turn = timeout(patience, ticket.ready()) => turn,
            () = self.interrupt.cancelled() => {
                return Err(RunError::new(ErrorKind::Interrupted, "the server was stopped before the run began"));
            }
        };
        let Ok(Ok(slot)) = turn else {
            return Err(RunError::new(ErrorKind::Timeout, "no kernel became free within the hook's timeout"));
        };
        if let Err(error) = self.db.start_run(run.id, self.clock.now()).await {
            tracing::error!(%error, "cannot record the start of the run");
            return Err(internal("the run could not be recorded"));
        }
        let job = self.job(run);
        let executed = tokio::select! {
            executed = self.executor.execute(job) => executed,
            // Dropping the execution kills its kernel.
            () = self.interrupt.cancelled() => {
                return Err(RunError::new(ErrorKind::Interrupted, "the server was stopped before the run ended"));
            }
        };
        drop(slot);
        executed.map_err(|error| {
            tracing::error!(%error, kernel = run.kernel.name, "cannot start the kernel");
            internal("the kernel could not be started")
        })
    }

    fn job(&self, run: &mut Prepared) -> Job {
        let settings = &self.settings.kernel;
        let mut env: Vec<(String, String)> =
            run.hook.params.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        env.push(("NBHOOK_RUN".to_owned(), run.id.to_string()));
        env.push(("NBHOOK_HOOK".to_owned(), run.hook.id.to_string()));
        env.push(("NBHOOK_URL".to_owned(), self.public_url.clone()));
        Job {
            run: run.id,
            kernel: run.kernel.clone(),
            workdir: run.workdir.clone(),
            env,
            cells: run.cells.clone(),
            limits: Limits {
                wall: run.hook.params.timeout(),
                start: Duration::from_secs(settings.start_timeout),
                output_bytes: settings.output << 20,
                memory_bytes: (settings.memory > 0).then_some(settings.memory << 20),
            },
        }
    }

    /// Decides what came of the run, keeps it, and answers.
    async fn conclude(&self, mut run: Prepared, executed: Result<Execution, RunError>) -> Result<Reply> {
        let mut ending = Ending::of(&mut run.notebook, run.injected.as_ref(), executed, &run.accept);
        let secrets = run.injected.as_ref().map_or(&[][..], Injected::secrets);
        ending.mask(secrets);
        let mut body = self.body(&run, &mut ending).await;
        run.notebook.mask_outputs(secrets);
        let output = run.notebook.to_vec();
        self.keep(run.id, &run.hook, run.histo, output, ending).await;
        on_disk(&self.files, move |_| run.scratch.close().map_err(Error::from)).await.unwrap_or_else(|error| {
            tracing::error!(%error, "cannot remove the run's directory");
        });
        if let ReplyBody::Failed(error) = &mut body
            && !run.for_owner
        {
            error.traceback.clear();
        }
        Ok(Reply { run: run.id, body })
    }

    /// What the caller gets; a response that turns out not to be possible makes the run a failed one.
    async fn body(&self, run: &Prepared, ending: &mut Ending) -> ReplyBody {
        if let Some(error) = ending.error.clone().filter(|error| error.kind != ErrorKind::Reported) {
            return ReplyBody::Failed(error);
        }
        let roots = [run.workdir.clone(), run.scratch.path().to_owned()];
        match ending::reply(ending, &run.hook, &run.notebook, roots, &self.kernels, self.clock.now()).await {
            Ok(body) => body,
            Err(error) => {
                ending.error = Some(error.clone());
                ReplyBody::Failed(error)
            }
        }
    }
}

/// The cells to run: the injected one with its real source, which only the kernel may see.
fn cells(notebook: &Notebook, injected: Option<&Injected>) -> Vec<CodeCell> {
    let code = notebook.code_cells().into_iter();
    code.map(|(index, source, raises_exception)| match injected {
        Some(cell) if cell.index() == index => CodeCell { index, source: cell.source().to_owned(), raises_exception },
        _ => CodeCell { index, source, raises_exception },
    })
    .collect()
}

/// What the notebook is given. Uploaded files move into the run's directory; their parameter is the path there.
fn parameters(call: Call, scratch: &Path) -> Result<Parameters> {
    let text = |pairs: Vec<(String, String)>| -> Vec<(String, ParamValue)> {
        pairs.into_iter().map(|(name, value)| (name, ParamValue::Str(value))).collect()
    };
    let body = match call.body {
        Body::Empty => ParamValue::Null,
        Body::Json(value) => ParamValue::from(value),
        Body::Form(pairs) => ParamValue::merged(text(pairs)),
        Body::Text(text) => ParamValue::Str(text),
        Body::Bytes(bytes) => ParamValue::Bytes(bytes),
        Body::Multipart { fields, files } => {
            let mut pairs = text(fields);
            for upload in files {
                // A folder for each, so that two files of one name, or of a dependency's, do not meet.
                let folder = tempfile::Builder::new().prefix("upload-").tempdir_in(scratch)?;
                let path = folder.keep().join(&upload.name);
                upload.file.persist(&path).map_err(|error| error.error)?;
                pairs.push((upload.field, ParamValue::Str(path.to_string_lossy().into_owned())));
            }
            ParamValue::merged(pairs)
        }
    };
    Ok(Parameters::new(text(call.query), body, call.headers))
}
