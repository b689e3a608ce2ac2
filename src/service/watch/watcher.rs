//! From what a kernel tells to what those who watch its run may know, and to what its notebook sends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tokio::sync::mpsc;

use super::LiveRun;
use crate::kernel::{Happening, Observer, progress_in_display, progress_in_stream};
use crate::model::{CellStatus, Progress, RunEvent};
use crate::notebook::{Injected, Secrets, mask};
use crate::response::{self, Callback};
use crate::service::attempt::Marked;

/// Hears what a kernel does in a run, and tells those who watch it; nothing that is secret.
#[derive(Debug)]
pub(in crate::service) struct Watcher {
    run: Arc<LiveRun>,
    injected: Option<Arc<Injected>>,
    early: mpsc::Sender<Marked>,
    calls: mpsc::Sender<Callback>,
    /// Whether an output was marked as the answer: the first one is.
    marked: AtomicBool,
}

impl Watcher {
    /// `early` gets the first output that is marked as an early answer, `calls` every callback that the notebook sends.
    pub(in crate::service) fn new(
        run: Arc<LiveRun>,
        injected: Option<Arc<Injected>>,
        early: mpsc::Sender<Marked>,
        calls: mpsc::Sender<Callback>,
    ) -> Self {
        Self { run, injected, early, calls, marked: AtomicBool::new(false) }
    }

    fn original(&self, cell: usize) -> Option<usize> {
        self.injected.as_ref().map_or(Some(cell), |injected| injected.original_index(cell))
    }

    fn published(&self, cell: usize, kind: &str, content: &Value) {
        let secrets = self.run.masks.texts();
        if kind == "stream" {
            // A notebook may publish by itself, and a name is neither masked nor counted.
            let name = if content["name"] == "stderr" { "stderr" } else { "stdout" }.to_owned();
            let mut text = content["text"].as_str().unwrap_or_default().to_owned();
            let progress = progress_in_stream(&text);
            mask(&mut text, &secrets);
            self.run.happened(RunEvent::Stream { cell: self.original(cell), name, text });
            self.progress(progress, &secrets);
        } else if kind == "display_data" || kind == "update_display_data" {
            self.progress(progress_in_display(content), &secrets);
        }
        if kind == "display_data" || kind == "execute_result" {
            let first = response::is_marked(content) && !self.marked.swap(true, Ordering::Relaxed);
            if first && response::is_early(content) {
                let _ = self.early.try_send(content.clone()); // there is room for this one
            }
            if let Some(callback) = response::callback(content) {
                let _ = self.calls.try_send(callback); // there is room for as many as are sent, and one more
            }
        }
    }

    fn progress(&self, progress: Option<Progress>, secrets: &Secrets) {
        let Some(mut progress) = progress else { return };
        if let Some(message) = &mut progress.message {
            mask(message, secrets);
        }
        if self.run.progress().as_ref() != Some(&progress) {
            self.run.happened(RunEvent::Progress(progress));
        }
    }
}

impl Observer for Watcher {
    fn happened(&self, happening: Happening<'_>) {
        let (cell, status) = match happening {
            Happening::Published { cell, kind, content } => return self.published(cell, kind, content),
            Happening::CellBegan { cell } => (cell, CellStatus::Started),
            Happening::CellEnded { cell, failed: false } => (cell, CellStatus::Ok),
            Happening::CellEnded { cell, failed: true } => (cell, CellStatus::Error),
        };
        let (cell, at) = (self.original(cell), self.run.clock.now());
        self.run.happened(RunEvent::Cell { cell, status, at });
    }
}
