//! The cells of a run, as its page shows them: each with its number in the deployed notebook and how far it came.

use serde_json::{Value, json};

use crate::model::{CellStatus, CellTiming, RunState};
use crate::service::{Excerpt, RunView, ShownCell};

/// The cells, and the one that has the parameters, if it is known what it is like.
pub(super) fn of(view: &RunView) -> (Vec<Value>, Option<Value>) {
    let numbers = if view.has_output { originals(&view.notebook.cells, &view.timings) } else { Vec::new() };
    let (mut cells, mut parameters) = (Vec::new(), None);
    for (place, cell) in view.notebook.cells.iter().enumerate() {
        if cell.is_injected {
            // What was deployed may have one of an earlier call, which the run does not see.
            if view.has_output {
                parameters = Some(shown(view, cell, None));
            }
        } else {
            cells.push(shown(view, cell, Some(numbers.get(place).copied().unwrap_or(cell.index))));
        }
    }
    if view.notebook.cells.is_empty() {
        let ran = view.timings.iter().filter(|timing| timing.cell.is_some());
        cells = ran.map(|timing| bare(view, timing.cell, None)).collect();
    }
    let has_parameters = view.parameters.is_some() || view.timings.iter().any(|timing| timing.cell.is_none());
    let parameters = parameters.or_else(|| has_parameters.then(|| bare(view, None, view.parameters.as_ref())));
    (cells, parameters)
}

/// Whether a cell has been executed.
pub(super) fn has_ended(cell: &Value) -> bool {
    ["ok", "failed", "stopped"].iter().any(|state| cell["state"] == *state)
}

/// Indexes that the cells of an output have in the notebook that was deployed. The run's record has those of the cells that
/// it executed; the others are as far from them as they are in the output.
fn originals(cells: &[ShownCell], timings: &[CellTiming]) -> Vec<usize> {
    let mut executed = timings.iter();
    let mut ahead: isize = 0;
    let number = |cell: &ShownCell| {
        let timing = if cell.is_executed { executed.next() } else { None };
        let index = cell.index.cast_signed();
        match timing.map(|timing| timing.cell) {
            Some(Some(original)) => ahead = index - original.cast_signed(),
            _ if cell.is_injected => ahead += 1,
            _ => {}
        }
        (index - ahead).max(0).cast_unsigned()
    };
    cells.iter().map(number).collect()
}

/// A cell that is numbered so in the deployed notebook; without a number it is the one with the parameters.
fn shown(view: &RunView, cell: &ShownCell, number: Option<usize>) -> Value {
    let mut shown = bare(view, number, Some(&cell.source));
    shown["index"] = cell.index.into();
    shown["cell_type"] = json!(cell.cell_type);
    shown["outputs"] = json!(cell.outputs);
    shown["more_outputs"] = cell.more_outputs.into();
    if cell.cell_type != "code" {
        shown["state"] = Value::Null;
    } else if !cell.is_executed && shown["state"] != "failed" {
        shown["state"] = "skipped".into();
    }
    shown
}

/// A cell of which there is nothing but when it ran, and perhaps its source. `key`: as events name it.
fn bare(view: &RunView, number: Option<usize>, source: Option<&Excerpt>) -> Value {
    let timing = view.timings.iter().find(|timing| timing.cell == number);
    json!({
        "number": number.map(|number| number + 1),
        "key": number.map_or_else(|| "null".to_owned(), |number| number.to_string()),
        "cell_type": "code",
        "source": source,
        "outputs": [],
        "more_outputs": 0,
        "state": state(view, number),
        "duration_ms": timing.and_then(|timing| timing.duration_ms),
        "is_to_blame": is_to_blame(view, number),
    })
}

fn is_to_blame(view: &RunView, cell: Option<usize>) -> bool {
    let error = view.run.error.as_ref();
    // An error without a cell is that of the parameters only if something was raised.
    error.is_some_and(|error| error.cell == cell && (cell.is_some() || error.ename.is_some()))
}

fn state(view: &RunView, cell: Option<usize>) -> &'static str {
    let is_over = view.run.state.is_final();
    match view.timings.iter().find(|timing| timing.cell == cell) {
        Some(timing) if timing.status == CellStatus::Ok => "ok",
        _ if is_over && is_to_blame(view, cell) => "failed",
        Some(timing) if timing.finished_at.is_none() => if is_over { "stopped" } else { "running" },
        Some(_) => "failed",
        None if !is_over => "waiting",
        // The server was killed, and nobody saw how far it came.
        None if view.run.state == RunState::Interrupted && view.timings.is_empty() => "unknown",
        None => "not reached",
    }
}
