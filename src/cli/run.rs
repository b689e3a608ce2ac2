//! `nbhook run`: runs a notebook on this machine, without a server, as papermill does.

mod show;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::context::Context;
use super::download::replace;
use super::error::CliError;
use super::given::ParameterArgs;
use super::serve::Signals;
use crate::app::{self, Local, LocalAnswer, LocalDone, LocalRun, Ready, RunRefused};
use crate::config::Settings;
use crate::kernel::process::kill_orphans;
use show::Shown;

/// Stands for standard input and output.
const STREAM: &str = "-";

/// Run a notebook on this machine, without a server
///
/// Checks the parameters against the notebook's contract, puts them into it and runs it in a fresh kernel, as a hook would.
/// Papermill's options work. To call a notebook that is deployed, see `nbhook call`.
///
/// Python is the one that `--python` names, else that of the active environment, else `python3` on PATH; if it has no ipykernel, a
/// virtual environment is made with it the first time, in ~/.cache/nbhook.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "options are")]
pub(super) struct RunLocally {
    /// Notebook (.ipynb); - reads it from standard input
    #[arg(value_name = "NOTEBOOK")]
    input: PathBuf,
    /// Where to put the executed notebook, also when it failed; what is there is replaced; - prints it
    output: Option<PathBuf>,
    /// Where to put what the notebook answers (`nbhook.webhook.respond_…`); - prints it
    #[arg(long, value_name = "FILE")]
    response: Option<PathBuf>,
    /// Refuse parameters that the notebook does not declare
    #[arg(long)]
    strict: bool,
    /// Kernelspec to use instead of the notebook's own
    #[arg(short, long, value_name = "NAME")]
    kernel: Option<String>,
    /// Python interpreter to run it in
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Directory to run it in [default: the current one]
    #[arg(long, value_name = "FOLDER")]
    cwd: Option<PathBuf>,
    /// How long all cells together may take, in seconds [default: as long as they want]
    #[arg(long, alias = "execution_timeout", value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    execution_timeout: Option<u32>,
    /// How long the kernel may take to start, in seconds
    #[arg(long, alias = "start_timeout", value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    start_timeout: u32,
    /// Print on standard error what the cells print, as they do
    #[arg(long, overrides_with = "no_log_output")]
    log_output: bool,
    #[arg(long, hide = true)]
    no_log_output: bool,
    #[arg(long, hide = true, overrides_with = "no_progress_bar")]
    progress_bar: bool,
    /// Show no progress bar
    #[arg(long)]
    no_progress_bar: bool,
    /// Only put the parameters into the notebook and write it
    #[arg(long, requires = "output", conflicts_with = "response")]
    prepare_only: bool,
    // Last: its heading holds for what follows.
    #[command(flatten)]
    parameters: ParameterArgs,
}

impl RunLocally {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let is_stream = |path: &Option<PathBuf>| path.as_deref() == Some(Path::new(STREAM));
        if is_stream(&self.output) && is_stream(&self.response) {
            return Err(CliError::Usage("only one of output and response can go to standard output".to_owned()));
        }
        let Self { input, output, response, prepare_only, log_output, no_progress_bar, .. } = &self;
        let (output, response) = (output.clone(), response.clone());
        let (prepare_only, log_output, with_bar) = (*prepare_only, *log_output, !no_progress_bar);
        let notebook = read(ctx, input).await?;
        // From here on, so that nothing is left behind when it is stopped.
        let mut signals = Signals::listen()?;
        let prepared = tokio::select! {
            prepared = self.prepare(ctx, notebook) => prepared?,
            () = signals.next() => return Err(CliError::Stopped),
        };
        let (local, ready) = prepared;
        ready.warnings.iter().for_each(|warning| ctx.note(&format!("warning: {warning}")));
        if let Some(output) = output.as_deref().filter(|_| prepare_only) {
            return write(ctx, output, ready.notebook()).await;
        }
        let shown = Arc::new(Shown::new(ctx, &ready.cells(), with_bar, log_output));
        let id = ready.id();
        let observer = Arc::clone(&shown);
        let done = tokio::select! {
            done = local.run(ready, observer) => done,
            // The execution is dropped, which kills its kernel; what that has started elsewhere goes too.
            () = signals.next() => {
                shown.finish();
                let _ = tokio::task::spawn_blocking(move || kill_orphans(&[id])).await;
                return Err(CliError::Stopped);
            }
        };
        shown.finish();
        finish(ctx, done.map_err(refused)?, output.as_deref(), response.as_deref()).await
    }

    /// Finds a Python, and what the notebook takes.
    async fn prepare(self, ctx: &Context, notebook: Vec<u8>) -> Result<(Local, Ready), CliError> {
        let settings = Settings::load(None).map_err(|error| CliError::Usage(error.to_string()))?;
        let workdir = match &self.cwd {
            Some(folder) => std::path::absolute(folder).map_err(|error| CliError::file(folder, error))?,
            None => std::env::current_dir().map_err(|error| CliError::Failed(format!("current directory: {error}")))?,
        };
        if !workdir.is_dir() {
            return Err(CliError::Usage(format!("--cwd: {} is no folder", workdir.display())));
        }
        let parameters = self.parameters.read(&self.input, self.output.as_deref()).await?;
        let python = self.python.or_else(active_python).unwrap_or_else(|| settings.kernel.python.clone());
        let bar = ctx.progress(1, "looking at Python");
        let shown = bar.clone();
        let folder = cache_folder()?;
        let local = app::local(&settings.kernel, &python, &folder, move |progress| {
            shown.set_message(format!("{} {}", progress.step.as_str(), progress.detail));
        });
        let local = local.await.map_err(|error| CliError::Failed(error.to_string()))?;
        let run = LocalRun {
            notebook,
            parameters,
            strict: self.strict,
            kernel: self.kernel,
            workdir,
            timeout: self.execution_timeout.map(|seconds| Duration::from_secs(seconds.into())),
            start_timeout: Duration::from_secs(self.start_timeout.into()),
        };
        let ready = local.prepare(run).await;
        bar.finish_and_clear();
        match ready {
            Ok(ready) => Ok((local, ready)),
            Err(RunRefused::Parameters(wrong)) => {
                for wrong in &wrong {
                    ctx.note(&show::parameter(wrong));
                }
                let (many, verb) = if wrong.len() == 1 { ("a parameter", "does") } else { ("parameters", "do") };
                Err(CliError::Parameters(format!("{many} {verb} not fit what the notebook takes")))
            }
            Err(error) => Err(refused(error)),
        }
    }
}

fn refused(error: RunRefused) -> CliError {
    match error {
        RunRefused::Invalid(invalid) if invalid.field.starts_with("params.") => {
            CliError::Parameters(invalid.to_string())
        }
        error => CliError::Failed(error.to_string()),
    }
}

async fn read(ctx: &Context, input: &Path) -> Result<Vec<u8>, CliError> {
    if input == Path::new(STREAM) {
        return ctx.input().await;
    }
    tokio::fs::read(input).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            let name = input.display();
            CliError::Usage(format!(
                "there is no file {name}; a notebook that is deployed is called with `nbhook call {name}`"
            ))
        }
        _ => CliError::file(input, error),
    })
}

async fn write(ctx: &Context, path: &Path, content: Vec<u8>) -> Result<(), CliError> {
    if path == Path::new(STREAM) { ctx.bytes(&content) } else { replace(path, content).await }
}

/// Writes what came of the run, and says how it failed, if it did.
async fn finish(
    ctx: &Context,
    done: LocalDone,
    output: Option<&Path>,
    response: Option<&Path>,
) -> Result<(), CliError> {
    done.warnings.iter().for_each(|warning| ctx.note(&format!("warning: {warning}")));
    if let Some(output) = output {
        write(ctx, output, done.notebook).await?;
    }
    if let Some(error) = done.error {
        if !error.traceback.is_empty() {
            ctx.note_coloured(&error.traceback.join("\n"));
        }
        return Err(CliError::RunFailed(show::failure(&error)));
    }
    match (done.answer, response) {
        (Some(LocalAnswer { status, body, .. }), Some(response)) => {
            write(ctx, response, body).await?;
            if status >= 400 {
                return Err(CliError::RunFailed(format!("the notebook answered {status}")));
            }
        }
        (Some(LocalAnswer { status, media_type, body }), None) => {
            let bytes = body.len();
            ctx.note(&format!("answered {status} {media_type}, {bytes} bytes; `--response -` prints it"));
        }
        (None, Some(_)) => ctx.note("warning: the notebook answered nothing (nbhook.webhook.respond_…)"),
        (None, None) => {}
    }
    Ok(())
}

/// The interpreter of the virtual or conda environment that is active, if one is.
fn active_python() -> Option<PathBuf> {
    let folders = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(std::env::var_os);
    folders.map(|folder| PathBuf::from(folder).join("bin/python")).find(|python| python.is_file())
}

/// Where the client package is unpacked to, and an environment made if it must be.
fn cache_folder() -> Result<PathBuf, CliError> {
    let set = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = set.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    let none = || CliError::Usage("no folder to keep a Python environment in: set HOME or XDG_CACHE_HOME".to_owned());
    folder.map(|folder| folder.join("nbhook")).ok_or_else(none)
}
