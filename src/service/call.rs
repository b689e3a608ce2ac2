//! Calling a hook: parameters in, a fresh kernel, the notebook's answer out.
//!
//! A call is carried out by a task of its own, so a caller that hangs up does not stop the run.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::Instrument as _;

use super::contracts::checked;
use super::ending::{self, Ending};
use super::reply::{Reply, ReplyBody};
use super::request::{self, Call};
use super::{Error, RETRY_AFTER, Result, Service, on_disk};
use crate::kernel::process::{Resources, kill_orphans};
use crate::kernel::{CodeCell, Execution, Job, KernelCommand, Leaving, Limits};
use crate::model::{ErrorKind, Histo, Hook, HookToken, RunError, RunId, Trigger, Version, Workdir};
use crate::notebook::{self, Injected, Language, Notebook};
use crate::response::Accept;
use crate::service::admission::{Slot, Ticket};
use crate::service::unsaved::Saving;
use crate::store::{NewRun, Scratch};

/// A hook that was asked for by its token, with a place in its queue.
#[derive(Debug)]
pub struct Target {
    hook: Hook,
    version: Version,
    ticket: Ticket,
}

/// A run that is ready to start.
struct Prepared {
    id: RunId,
    hook: Hook,
    version: Histo,
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

/// A run whose caller has the answer.
struct Answered {
    run: Prepared,
    ending: Ending,
    /// Unless the answer had to wait for its end.
    kernel: Option<Leaving>,
    saving: Saving,
    /// Held until the kernel has ended, because the next run of a shared directory may not be there together with it.
    slot: Option<Slot>,
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
        let (answer, answered) = oneshot::channel();
        self.runs.spawn_on(self.clone().carry_out(run, target, call, answer).instrument(span), &self.runtime);
        answered.await.map_err(|_| Error::Internal("the run's task ended without an answer".to_owned()))?
    }

    /// Answers as soon as it can; what is left to do then, nobody waits for.
    async fn carry_out(self: Arc<Self>, id: RunId, target: Target, call: Call, answer: oneshot::Sender<Result<Reply>>) {
        tracing::debug!("the call is here");
        let (reply, rest) = match self.run(id, target, call).await {
            Ok((reply, rest)) => (Ok(reply), Some(rest)),
            Err(error) => (Err(error), None),
        };
        // Nobody takes it if the caller has hung up.
        let _ = answer.send(reply);
        if let Some(rest) = rest {
            self.clear_up(rest).await;
        }
    }

    async fn run(&self, id: RunId, target: Target, call: Call) -> Result<(Reply, Answered)> {
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
        tracing::debug!("the call is prepared");
        prepared.histo = self.db.create_run(new).await?;
        tracing::debug!("the run is on record");
        let (executed, slot) = match self.turn(&prepared, ticket).await {
            Ok(slot) => (self.execute(&mut prepared).await, Some(slot)),
            Err(error) => (Err(error), None),
        };
        Ok(self.conclude(prepared, executed, slot).await)
    }

    /// Everything that can be refused, before a run is on record.
    async fn prepare(&self, id: RunId, hook: Hook, version: &Version, call: Call) -> Result<Prepared> {
        let (of, histo, notebooks) = (hook.clone(), version.histo.clone(), Arc::clone(&self.notebooks));
        let (notebook, scratch, workdir) = on_disk(&self.files, move |files| {
            let notebook = notebooks.get(files, &of, &histo)?;
            let scratch = files.scratch()?;
            let workdir = match of.params.workdir {
                Workdir::Persistent => files.persistent_workdir(&of)?,
                Workdir::Scratch => scratch.path().to_owned(),
            };
            if of.params.workdir == Workdir::Scratch {
                files.copy_dependencies(&of, &histo, &workdir)?;
            }
            Ok::<_, Error>((notebook, scratch, workdir))
        })
        .await?;
        let kernel = self.kernel_of(&notebook, &hook, version).await?;
        let for_owner = call.caller.as_ref().is_some_and(|caller| caller.may_touch(hook.owner));
        let accept = call.accept.clone();
        let (folder, params) = (scratch.path().to_owned(), hook.params.clone());
        let checker = self.checkers.get(&hook, version)?;
        let language = Language::from_name(&kernel.language);
        let injecting = move || {
            let mut notebook = Notebook::clone(&notebook);
            let parameters = checked(request::parameters(call, &folder)?, checker.as_deref(), &params)?;
            let injected = notebook::inject(&mut notebook, language, &parameters, &params.sensitive)?;
            Ok::<_, Error>((notebook, injected))
        };
        let (notebook, injected) = tokio::task::spawn_blocking(injecting).await??;
        let cells = cells(&notebook, injected.as_ref());
        let histo = version.histo.clone(); // until the run is on record and has its own
        let version = histo.clone();
        Ok(Prepared {
            id,
            hook,
            version,
            histo,
            notebook,
            injected,
            kernel,
            workdir,
            scratch,
            cells,
            accept,
            for_owner,
        })
    }

    /// Waits for its turn.
    async fn turn(&self, run: &Prepared, ticket: Ticket) -> Result<Slot, RunError> {
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
        if run.hook.params.workdir == Workdir::Persistent {
            // Not before: another run may have been in there until now.
            let (hook, histo, workdir) = (run.hook.clone(), run.version.clone(), run.workdir.clone());
            let copied = on_disk(&self.files, move |files| files.copy_dependencies(&hook, &histo, &workdir)).await;
            if let Err(error) = copied {
                tracing::error!(%error, "cannot copy the dependencies");
                return Err(internal("the run's directory could not be prepared"));
            }
        }
        Ok(slot)
    }

    /// Runs the cells.
    async fn execute(&self, run: &mut Prepared) -> Result<(Execution, Leaving), RunError> {
        let job = self.job(run);
        let work = async {
            // The run is on record already; that it has started need not be before it does.
            let (executed, recorded) =
                tokio::join!(self.executor.execute(job), self.db.start_run(run.id, self.clock.now()));
            if let Err(error) = recorded {
                tracing::error!(%error, "cannot record the start of the run");
            }
            executed
        };
        let executed = tokio::select! {
            executed = work => executed,
            // Dropping the execution kills its kernel. The server may end next: what the kernel started must not outlive it.
            () = self.interrupt.cancelled() => {
                let id = run.id;
                let _ = tokio::task::spawn_blocking(move || kill_orphans(&[id])).await;
                return Err(RunError::new(ErrorKind::Interrupted, "the server was stopped before the run ended"));
            }
        };
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
                processes: (settings.processes > 0).then_some(settings.processes),
                resources: Resources {
                    memory_bytes: (settings.memory > 0).then_some(settings.memory << 20),
                    cpu_seconds: (settings.cpu > 0).then_some(settings.cpu),
                    open_files: (settings.files > 0).then_some(settings.files),
                },
            },
        }
    }

    /// Decides what came of the run.
    async fn conclude(
        &self,
        mut run: Prepared,
        executed: Result<(Execution, Leaving), RunError>,
        mut slot: Option<Slot>,
    ) -> (Reply, Answered) {
        let (executed, mut kernel) = match executed {
            Ok((execution, kernel)) => (Ok(execution), Some(kernel)),
            Err(error) => (Err(error), None),
        };
        let mut ending = Ending::of(&mut run.notebook, run.injected.as_ref(), executed, &run.accept);
        let secrets = run.injected.as_ref().map_or(&[][..], Injected::secrets);
        ending.mask(secrets);
        run.notebook.mask_outputs(secrets);
        // A kernel that ends by itself writes what a file still lacks; and what was killed is gone when its caller hears of it.
        let at_once = |kernel: &mut Leaving| ending.answers_with_a_file() || kernel.is_killed();
        if let Some(kernel) = kernel.take_if(at_once) {
            self.end(kernel).await;
        }
        let mut body = self.body(&run, &mut ending).await;
        if let ReplyBody::Failed(error) = &mut body
            && !run.for_owner
        {
            error.traceback.clear();
        }
        let saving = self.unsaved.add(run.id);
        if let Some(slot) = &mut slot {
            slot.answered();
        }
        tracing::debug!("the answer is ready");
        (Reply { run: run.id, body }, Answered { run, ending, kernel, saving, slot })
    }

    /// Keeps what came of the run, ends its kernel, and gives its place to the next.
    async fn clear_up(&self, answered: Answered) {
        let Answered { run, ending, kernel, saving, slot } = answered;
        self.keep(run.id, &run.hook, run.histo, run.notebook, ending).await;
        drop(saving);
        tracing::debug!("the output is saved");
        if let Some(kernel) = kernel {
            self.end(kernel).await;
        }
        on_disk(&self.files, move |_| run.scratch.close().map_err(Error::from)).await.unwrap_or_else(|error| {
            tracing::error!(%error, "cannot remove the run's directory");
        });
        drop(slot);
    }

    /// Lets a kernel end, but does not hold up the server's own end; dropped it is killed.
    async fn end(&self, kernel: Leaving) {
        tokio::select! {
            () = kernel.end() => tracing::debug!("the kernel has ended"),
            () = self.interrupt.cancelled() => {}
        }
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

fn internal(detail: &str) -> RunError {
    RunError::new(ErrorKind::Internal, detail)
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
