//! Making a run ready: its notebook with the parameters in it, its kernel, its directory.

use std::path::PathBuf;
use std::sync::Arc;

use super::call::Order;
use super::contracts::checked;
use super::declared::{self, Asked, Calls, Wanted};
use super::request::{self, Call};
use super::{BodyPart, Error, Result, Service, kept, on_disk};
use crate::kernel::{CodeCell, KernelCommand};
use crate::model::{Histo, Hook, Mode, RunId, Workdir};
use crate::notebook::{self, Excerpt, Injected, Language, Notebook};
use crate::response::Accept;
use crate::store::Scratch;

/// How often the parameters of a run are in memory, as text: for the kernel and for the notebook.
const COPIES: usize = 2;
/// How much of them is shown while it goes on, in bytes.
const SHOWN: usize = 16 << 10;

/// A run that is ready to start.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) id: RunId,
    pub(super) hook: Hook,
    pub(super) version: Histo,
    /// Names its output.
    pub(super) histo: Histo,
    pub(super) notebook: Notebook,
    pub(super) injected: Option<Arc<Injected>>,
    pub(super) kernel: KernelCommand,
    pub(super) workdir: PathBuf,
    /// Removed when the run is over.
    pub(super) scratch: Scratch,
    pub(super) cells: Vec<CodeCell>,
    pub(super) accept: Accept,
    pub(super) for_owner: bool,
    /// The declared callbacks that its caller wants, and those that the notebook has sent.
    pub(super) callbacks: Vec<Wanted>,
    pub(super) calls: Calls,
    /// What its parameters take of the memory for bodies.
    #[expect(dead_code, reason = "held, never read")]
    pub(super) room: Option<BodyPart>,
}

impl Prepared {
    /// The call's values that nobody may see.
    pub(super) fn secrets(&self) -> &[String] {
        self.injected.as_deref().map_or(&[], Injected::secrets)
    }

    /// The beginning of what its notebook shows of the parameters: secrets are masked there.
    pub(super) fn shown_parameters(&self) -> Option<Excerpt> {
        let source = self.notebook.cell_source(self.injected.as_deref()?.index())?;
        Some(Excerpt::of(&source, SHOWN))
    }
}

impl Service {
    /// Makes a run ready; refuses what its notebook cannot take.
    pub(super) async fn prepare(&self, order: &mut Order) -> Result<Prepared> {
        let mut call = match order.call.take() {
            Some(call) => call,
            None => self.kept_call(order.id).await?.0,
        };
        // An asynchronous run's request is in the database; another one is there as long as it may be tried again.
        let again = order.mode == Mode::Sync && order.hook.params.retries > 0;
        let last = order.mode == Mode::Sync && !again;
        let (of, histo, notebooks) = (order.hook.clone(), order.version.histo.clone(), Arc::clone(&self.notebooks));
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
        if order.hook.params.workdir == Workdir::Scratch {
            self.copy_owners_dependencies(&order.hook, &order.version.histo, workdir.clone()).await?;
        }
        let hook = order.hook.clone();
        let kernel = self.kernel_of(&notebook, &hook, &order.version).await?;
        let accept = call.accept();
        let (folder, params) = (scratch.path().to_owned(), hook.params.clone());
        let checker = self.checkers.get(&hook, &order.version)?;
        let language = Language::from_name(&kernel.language);
        let version = order.version.clone();
        let place = version.callbacks.is_some().then(|| self.place(order));
        let injecting = move || {
            let mut notebook = Notebook::clone(&notebook);
            let asked = place.map(|place| Asked::of(&call, place));
            let parameters = request::parameters(&mut call, &folder, last)?;
            let parameters = checked(parameters, checker.as_deref(), &params)?;
            let callbacks = match (&version.callbacks, &asked) {
                (Some(callbacks), Some(asked)) => {
                    declared::wanted(callbacks, asked, &parameters, version.contract.as_ref())?
                }
                _ => Vec::new(),
            };
            let injected = notebook::inject(&mut notebook, language, &parameters, &params.secret_names())?;
            Ok::<_, Error>((call, notebook, injected, callbacks))
        };
        let (mut call, notebook, injected, callbacks) = tokio::task::spawn_blocking(injecting).await??;
        let mut room = call.room.take();
        if let Some(room) = &mut room {
            room.shrink_to(injected.as_ref().map_or(0, |injected| COPIES * injected.source().len()));
        }
        order.call = Some(call).filter(|_| again);
        let cells = cells(&notebook, injected.as_ref());
        Ok(Prepared {
            id: order.id,
            hook,
            version: order.version.histo.clone(),
            histo: order.version.histo.clone(), // until the run is on record and has its own
            notebook,
            injected: injected.map(Arc::new),
            kernel,
            workdir,
            scratch,
            cells,
            accept,
            for_owner: order.for_owner,
            callbacks,
            calls: Calls::default(),
            room,
        })
    }

    /// The URL that was called, and the variable parts of its path.
    fn place(&self, order: &Order) -> (String, Vec<(String, String)>) {
        let mut url = self.url(&order.hook);
        let mut path = vec![("token".to_owned(), order.hook.token.expose().to_owned())];
        if order.pinned {
            url = format!("{url}/versions/{}", order.version.histo);
            path.push(("histo".to_owned(), order.version.histo.to_string()));
        }
        (url, path)
    }

    /// Moves what was uploaded to where it stays until the run has ended.
    pub(super) async fn keep_uploads(&self, order: &mut Order) -> Result<()> {
        let run = order.id;
        let Some(mut call) = order.call.take() else { return Ok(()) };
        let call = on_disk(&self.files, move |files| {
            for (number, upload) in call.uploads().iter_mut().enumerate() {
                upload.path = files.keep_upload(run, number, &upload.path)?;
                upload.temporary = None; // nothing is left there to remove
            }
            Ok::<Call, Error>(call)
        })
        .await?;
        order.call = Some(call);
        Ok(())
    }

    /// Removes them.
    pub(super) async fn forget_uploads(&self, run: RunId) {
        if let Err(error) = on_disk(&self.files, move |files| files.remove_uploads(run)).await {
            tracing::error!(%error, "cannot remove what was uploaded for a run");
        }
    }

    /// What an asynchronous run was asked, and whether its owner asked.
    pub(super) async fn kept_call(&self, run: RunId) -> Result<(Call, bool)> {
        let kept =
            self.db.request(run).await?.ok_or_else(|| Error::Internal("the run's request is gone".to_owned()))?;
        match kept::read(&kept)? {
            kept::Request::Whole { call, for_owner } => Ok((call, for_owner)),
            kept::Request::Gone { because } => Err(Error::Internal(format!("the run's request is gone: {because}"))),
        }
    }
}

/// The cells to run: the injected one with its real source, which only the kernel may see.
pub(super) fn cells(notebook: &Notebook, injected: Option<&Injected>) -> Vec<CodeCell> {
    let code = notebook.code_cells().into_iter();
    code.map(|(index, source, raises_exception)| match injected {
        Some(cell) if cell.index() == index => CodeCell { index, source: cell.source().to_owned(), raises_exception },
        _ => CodeCell { index, source, raises_exception },
    })
    .collect()
}
