//! What came of a run: from the kernel's outcome and the notebook's marked output to a state, an error, and a reply.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::OpenFile;
use super::kernels::Kernels;
use super::reply::{Content as ReplyContent, ReplyBody};
use crate::kernel::{ExecutedCell, Execution, Outcome};
use crate::model::{CellStatus, CellTiming, ErrorKind, Hook, RunError, RunState};
use crate::notebook::{CellOutputs, Injected, Notebook, Secrets, mask};
use crate::response::{self, Accept, Answer, Content};
use crate::store::NewDeclared;

/// How a run ended.
#[derive(Debug, Default)]
pub(super) struct Ending {
    pub(super) error: Option<RunError>,
    pub(super) answer: Option<Answer>,
    pub(super) cells_done: usize,
    pub(super) cells: Vec<CellTiming>,
    pub(super) warnings: Vec<String>,
    /// HTTP status and media type of what the notebook answered.
    pub(super) answered: Option<(u16, Option<String>)>,
    /// Callbacks that are sent with the end.
    pub(super) declared: Vec<NewDeclared>,
}

impl Ending {
    /// Writes what the cells left into the notebook, and judges it.
    pub(super) fn of(
        notebook: &mut Notebook,
        injected: Option<&Injected>,
        executed: Result<Execution, RunError>,
        accept: &Accept,
    ) -> Self {
        let execution = match executed {
            Ok(execution) => execution,
            Err(error) => return Self::failed(error),
        };
        let original = |index| match injected {
            Some(injected) => injected.original_index(index),
            None => Some(index),
        };
        let cells_done = execution.cells.len();
        let cells = execution.cells.iter().map(|cell| timing(cell, original(cell.index))).collect();
        for cell in execution.cells {
            let outputs = CellOutputs {
                execution_count: cell.execution_count,
                outputs: cell.outputs,
                started_at: Some(cell.started_at),
                finished_at: cell.finished_at,
            };
            notebook.record(cell.index, outputs);
        }
        if let Some(info) = execution.language_info {
            notebook.set_language_info(info);
        }
        if let Some(widgets) = execution.widgets {
            notebook.set_widgets(widgets);
        }
        let error = run_error(execution.outcome, original);
        let mut ending = Self { error, cells_done, cells, ..Self::default() };
        ending.judge(notebook, accept);
        ending
    }

    /// Notes the cells of a run that was stopped from outside, as it was seen.
    pub(super) fn note_cells(&mut self, seen: Vec<CellTiming>) {
        if self.cells.is_empty() {
            self.cells_done = seen.len();
            self.cells = seen;
            let unfinished = self.cells.iter_mut().filter(|cell| cell.finished_at.is_none());
            unfinished.for_each(|cell| cell.status = CellStatus::Error);
        }
    }

    /// Of a run that did not come to its end.
    pub(super) fn failed(error: RunError) -> Self {
        Self { error: Some(error), ..Self::default() }
    }

    /// What is known when the notebook answers and goes on.
    pub(super) fn early(answer: Answer) -> Self {
        Self { answer: Some(answer), ..Self::default() }
    }

    fn judge(&mut self, notebook: &Notebook, accept: &Accept) {
        let cells: Vec<_> = notebook
            .outputs()
            .map(|(index, outputs)| response::Cell { tags: notebook.cell_tags(index), outputs })
            .collect();
        match response::answer(&cells, accept) {
            Ok(mut answer) => {
                self.warnings.append(&mut answer.warnings);
                if let Content::Error { detail, failed: true } = &answer.content
                    && self.error.is_none()
                {
                    self.error = Some(RunError::new(ErrorKind::Reported, detail.clone()));
                }
                self.answer = Some(answer);
            }
            Err(bad) if self.error.is_none() => {
                self.error = Some(RunError::new(ErrorKind::ResponseInvalid, bad.to_string()));
            }
            // The run failed anyway, and that is what its caller is told.
            Err(bad) => self.warnings.push(bad.to_string()),
        }
    }

    /// Masks a call's secrets in what is kept and told of the run; the notebook's answer is its own.
    pub(super) fn mask(&mut self, secrets: &Secrets) {
        if let Some(error) = &mut self.error {
            mask_error(error, secrets);
        }
        self.warnings.iter_mut().for_each(|text| mask(text, secrets));
        if let Some((_, Some(media_type))) = &mut self.answered {
            mask(media_type, secrets);
        }
    }

    pub(super) fn answers_with_a_file(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| matches!(answer.content, Content::File { .. }))
    }

    pub(super) fn state(&self) -> RunState {
        self.error.as_ref().map_or(RunState::Succeeded, |error| error.kind.state())
    }
}

/// Masks all that a notebook may have written into an error.
pub(super) fn mask_error(error: &mut RunError, secrets: &Secrets) {
    let RunError { kind: _, detail, cell: _, ename, evalue, traceback } = error;
    let texts = [Some(detail), ename.as_mut(), evalue.as_mut()].into_iter().flatten();
    texts.chain(traceback).for_each(|text| mask(text, secrets));
}

fn timing(cell: &ExecutedCell, original: Option<usize>) -> CellTiming {
    CellTiming {
        cell: original,
        started_at: cell.started_at,
        finished_at: cell.finished_at,
        duration_ms: cell.finished_at.map(|end| (end - cell.started_at).num_milliseconds()),
        status: if cell.failed { CellStatus::Error } else { CellStatus::Ok },
    }
}

/// The error that an outcome stands for. `original` gives a cell's index in the notebook as it was deployed.
fn run_error(outcome: Outcome, original: impl Fn(usize) -> Option<usize>) -> Option<RunError> {
    let at = |cell: Option<usize>| cell.and_then(&original);
    let (kind, cell, detail) = match outcome {
        Outcome::Succeeded => return None,
        Outcome::CellError { cell, ename, evalue, traceback } => {
            // Under a memory limit Python hears of it as an exception.
            let kind = if ename == "MemoryError" { ErrorKind::OutOfMemory } else { ErrorKind::CellError };
            let cell = original(cell);
            let place = cell.map_or("the injected parameters".to_owned(), |cell| format!("cell {}", cell + 1));
            let detail = format!("{place} of the notebook raised {ename}");
            return Some(RunError { kind, detail, cell, ename: Some(ename), evalue: Some(evalue), traceback });
        }
        Outcome::Timeout { cell, after } => {
            (ErrorKind::Timeout, at(cell), format!("the run took longer than {} s and was stopped", after.as_secs()))
        }
        Outcome::KernelDied { cell, reason } => (ErrorKind::KernelDied, at(cell), format!("the kernel died: {reason}")),
        Outcome::OutOfMemory { cell } => {
            (ErrorKind::OutOfMemory, at(cell), "the kernel was killed because it used too much memory".to_owned())
        }
        Outcome::CpuTime { cell, limit } => {
            let most = limit.map(|seconds| format!(" of {seconds} s")).unwrap_or_default();
            (ErrorKind::CpuLimit, at(cell), format!("the run used up its CPU time{most} and was stopped"))
        }
        Outcome::TooManyProcesses { cell, limit } => {
            let detail = format!("the run started more than {limit} processes and was stopped");
            (ErrorKind::ProcessLimit, at(cell), detail)
        }
        Outcome::OutputTooLarge { cell, limit } => {
            let detail = format!("the run wrote more output than the {} MiB that are kept", limit >> 20);
            (ErrorKind::OutputTooLarge, at(cell), detail)
        }
    };
    Some(RunError { cell, ..RunError::new(kind, detail) })
}

/// What the caller of a run that did not fail gets.
///
/// `goes_on`: its notebook has not ended yet.
///
/// # Errors
/// When the response cannot be made: a file that is not the run's, a notebook that cannot be rendered.
pub(super) async fn reply(
    ending: &Ending,
    hook: &Hook,
    notebook: &Notebook,
    roots: [PathBuf; 2],
    kernels: &Kernels,
    now: DateTime<Utc>,
    goes_on: bool,
) -> Result<ReplyBody, RunError> {
    if let (Some(url), None) = (&hook.params.next_url, &ending.error) {
        return Ok(ReplyBody::SeeOther(url.as_str().to_owned()));
    }
    let Some(Answer { status, headers, content, .. }) = ending.answer.clone() else {
        return Ok(ReplyBody::Done { time: now });
    };
    let named = |media_type: String, extension: &str, content: ReplyContent| ReplyBody::Answer {
        status,
        headers: headers.clone(),
        file_name: format!("{}.{extension}", hook.path.stem()),
        media_type,
        inline: hook.params.inline,
        content,
    };
    Ok(match content {
        Content::Done => ReplyBody::Done { time: now },
        Content::Error { detail, .. } => ReplyBody::Reported { status, headers, detail },
        Content::Bytes { media_type, body } => {
            let extension = extension(&media_type);
            named(media_type, extension, ReplyContent::Bytes(body))
        }
        Content::NotebookJson => {
            named("application/x-ipynb+json".to_owned(), "ipynb", ReplyContent::Bytes(notebook.to_vec()))
        }
        Content::NotebookHtml => {
            let html = kernels.to_html(&notebook.to_vec(), hook.path.stem(), &roots[0]).await.map_err(|error| {
                tracing::error!(%error, "cannot render the notebook");
                RunError::new(ErrorKind::Internal, "the notebook could not be rendered as HTML")
            })?;
            named("text/html; charset=utf-8".to_owned(), "html", ReplyContent::Bytes(html))
        }
        Content::File { path, name, media_type } => {
            let opened = tokio::task::spawn_blocking(move || {
                let (file, path) = open_within(&path, &roots)?;
                // Later runs may write to what is in a directory that they share; a run that goes on, to its own.
                let read = if roots[0] == roots[1] && !goes_on {
                    OpenFile::read(file)
                } else {
                    OpenFile::snapshot(file, &roots[1])
                };
                Ok::<_, String>((
                    read.map_err(|error| format!("respond_file: the file cannot be read: {}", error.kind()))?,
                    path,
                ))
            });
            let (file, path) = opened
                .await
                .map_err(|_| RunError::new(ErrorKind::Internal, "the file could not be opened"))?
                .map_err(|why| RunError::new(ErrorKind::ResponseInvalid, why))?;
            let file_name = name.or_else(|| path.file_name().map(|name| name.to_string_lossy().into_owned()));
            let guessed = mime_guess::from_path(&path).first_or_octet_stream();
            ReplyBody::Answer {
                status,
                headers,
                media_type: media_type.unwrap_or_else(|| guessed.to_string()),
                file_name: file_name.unwrap_or_else(|| "file".to_owned()),
                inline: hook.params.inline,
                content: ReplyContent::File(file),
            }
        }
    })
}

/// Opens a regular file if it lies in one of the run's directories, links followed.
pub(super) fn open_within(path: &Path, roots: &[PathBuf]) -> Result<(File, PathBuf), String> {
    let name = || path.file_name().map(|name| name.to_string_lossy().escape_debug().to_string()).unwrap_or_default();
    let real = path.canonicalize().map_err(|_| format!("respond_file: `{}` does not exist", name()))?;
    let inside = roots.iter().filter_map(|root| root.canonicalize().ok()).any(|root| real.starts_with(root));
    if !inside {
        return Err(format!(
            "respond_file: `{}` lies outside of the run's directory; write it there or deploy it as a dependency",
            name()
        ));
    }
    // Opening a pipe waits for its writer, unless told not to; and a link put there meanwhile is not followed.
    let opened = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(&real);
    let file = opened.map_err(|error| format!("respond_file: `{}` cannot be read: {}", name(), error.kind()))?;
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok((file, real)),
        _ => Err(format!("respond_file: `{}` is not a regular file", name())),
    }
}

/// The extension of a downloaded answer.
fn extension(media_type: &str) -> &'static str {
    match media_type.split(';').next().unwrap_or_default() {
        "text/html" => "html",
        "application/json" => "json",
        "image/png" => "png",
        "image/jpeg" => "jpg",
        "image/gif" => "gif",
        "image/webp" => "webp",
        "image/svg+xml" => "svg",
        "text/markdown" => "md",
        "text/csv" => "csv",
        "text/plain" => "txt",
        _ => "bin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_the_run_are_opened() {
        let run = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let make = |path: PathBuf| {
            drop(File::create_new(&path).unwrap());
            path
        };
        let inside = make(run.path().join("a.txt"));
        let outside = make(elsewhere.path().join("b.txt"));
        let link = run.path().join("link.txt");
        std::os::unix::fs::symlink(&outside, &link).unwrap();
        let roots = [run.path().to_owned()];
        assert!(open_within(&inside, &roots).is_ok());
        for path in
            [outside.clone(), link, run.path().join("../../etc/passwd"), run.path().to_owned(), run.path().join("none")]
        {
            assert!(open_within(&path, &roots).is_err(), "{}", path.display());
        }
    }

    #[test]
    fn a_memory_error_is_told_as_out_of_memory() {
        let outcome =
            Outcome::CellError { cell: 3, ename: "MemoryError".into(), evalue: String::new(), traceback: vec![] };
        let error = run_error(outcome, |index| index.checked_sub(1)).unwrap();
        assert_eq!((error.kind, error.cell), (ErrorKind::OutOfMemory, Some(2)));
    }
}
