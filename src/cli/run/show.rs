//! What is shown of a run while it goes on, and of how it failed.

use std::collections::HashMap;

use indicatif::ProgressBar;
use serde_json::Value;

use super::super::context::{Context, ErrorOutput};
use crate::kernel::{Happening, Observer};
use crate::model::{InvalidParameter, RunError};

/// A progress bar over the cells, and what they print.
#[derive(Debug)]
pub(super) struct Shown {
    bar: ProgressBar,
    /// The number of each cell, from 1, as it was given.
    numbers: HashMap<usize, Option<usize>>,
    log: Option<ErrorOutput>,
}

impl Shown {
    pub(super) fn new(ctx: &Context, cells: &[(usize, Option<usize>)], with_bar: bool, with_log: bool) -> Self {
        // A bar over a single step would be a spinner.
        let bar =
            if with_bar { ctx.progress(cells.len().max(2), "starting the kernel") } else { ProgressBar::hidden() };
        bar.set_length(cells.len() as u64);
        let numbers = cells.iter().map(|(index, original)| (*index, original.map(|index| index + 1))).collect();
        Self { bar, numbers, log: with_log.then(|| ctx.error_output()) }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Shown {
    fn happened(&self, happening: Happening<'_>) {
        match happening {
            Happening::CellBegan { cell } => self.bar.set_message(match self.numbers.get(&cell).copied().flatten() {
                Some(number) => format!("cell {number}"),
                None => "the parameters".to_owned(),
            }),
            Happening::CellEnded { .. } => self.bar.inc(1),
            Happening::Published { kind: "stream", content, .. } => {
                if let (Some(log), Some(text)) = (&self.log, content.get("text").and_then(Value::as_str)) {
                    self.bar.suspend(|| log.write(text));
                }
            }
            Happening::Published { .. } => {}
        }
    }
}

/// What is wrong with a parameter, in a line.
pub(super) fn parameter(wrong: &InvalidParameter) -> String {
    let line = format!("  {}: {}", wrong.name, wrong.message);
    let about = [("expected", &wrong.expected), ("got", &wrong.got)];
    let about: Vec<_> = about.iter().filter_map(|(word, what)| Some(format!("{word} {}", what.as_ref()?))).collect();
    if about.is_empty() { line } else { format!("{line} ({})", about.join(", ")) }
}

/// How a run failed, in a line; cells are counted from 1.
pub(super) fn failure(error: &RunError) -> String {
    let value = error.evalue.as_deref().filter(|value| !value.is_empty());
    match (value, error.cell, &error.ename) {
        (Some(value), ..) => format!("{}: {value}", error.detail),
        (None, Some(cell), None) => format!("{} (in cell {})", error.detail, cell + 1),
        _ => error.detail.clone(),
    }
}
