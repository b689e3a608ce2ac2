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
        Some(timing) if timing.finished_at.is_none() => {
            if is_over {
                "stopped"
            } else {
                "running"
            }
        }
        Some(_) => "failed",
        None if !is_over => "waiting",
        // The server was killed, and nobody saw how far it came.
        None if view.run.state == RunState::Interrupted && view.timings.is_empty() => "unknown",
        None => "not reached",
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::model::{ErrorKind, Run, RunError};
    use crate::service::ShownNotebook;
    use crate::testing::run;

    /// `m`: Markdown, `c`: code, `b`: blank code, `i`: the injected parameters.
    fn notebook(kinds: &str) -> ShownNotebook {
        let cell = |(index, kind): (usize, char)| ShownCell {
            index,
            cell_type: if kind == 'm' { "markdown" } else { "code" }.to_owned(),
            source: Excerpt { text: kind.to_string(), is_cut: false },
            outputs: Vec::new(),
            more_outputs: 0,
            is_executed: matches!(kind, 'c' | 'i'),
            is_injected: kind == 'i',
        };
        ShownNotebook { cells: kinds.chars().enumerate().map(cell).collect(), more_cells: 0 }
    }

    fn timing(cell: Option<usize>, status: CellStatus) -> CellTiming {
        let finished_at = (status != CellStatus::Started).then_some(DateTime::UNIX_EPOCH);
        CellTiming { cell, started_at: DateTime::UNIX_EPOCH, finished_at, duration_ms: Some(5), status }
    }

    fn view(run: Run, kinds: &str, has_output: bool, timings: Vec<CellTiming>) -> RunView {
        RunView {
            run,
            path: None,
            has_hook: true,
            has_version: true,
            has_output,
            notebook: notebook(kinds),
            parameters: None,
            timings,
            traceback: None,
            answer_until: None,
            events: Vec::new(),
            deliveries: Vec::new(),
        }
    }

    fn states(view: &RunView) -> Vec<(u64, String)> {
        let state = |cell: &Value| cell["state"].as_str().unwrap_or("-").to_owned();
        of(view).0.iter().map(|cell| (cell["number"].as_u64().unwrap_or_default(), state(cell))).collect()
    }

    fn told(states: &[(u64, &str)]) -> Vec<(u64, String)> {
        states.iter().map(|(number, state)| (*number, (*state).to_owned())).collect()
    }

    #[test]
    fn cells_of_an_output_have_the_numbers_of_the_deployed_notebook() {
        let error = RunError { cell: Some(4), ..RunError::new(ErrorKind::CellError, "cell 5 raised") };
        let ok = |cell| timing(cell, CellStatus::Ok);
        let timings = vec![ok(Some(1)), ok(None), ok(Some(2)), timing(Some(4), CellStatus::Error)];
        let view = view(run(RunState::Failed, Some(error)), "mcicbccm", true, timings);
        let expected = [(1, "-"), (2, "ok"), (3, "ok"), (4, "skipped"), (5, "failed"), (6, "not reached"), (7, "-")];
        assert_eq!(states(&view), told(&expected));
        let (cells, parameters) = of(&view);
        assert_eq!(
            (&cells[4]["is_to_blame"], &cells[4]["index"], &cells[4]["key"]),
            (&json!(true), &json!(5), &json!("4"))
        );
        let parameters = parameters.unwrap();
        assert_eq!((&parameters["state"], &parameters["number"]), (&json!("ok"), &json!(null)));
    }

    #[test]
    fn parameters_that_took_the_place_of_others_move_nothing() {
        let timings = vec![timing(None, CellStatus::Ok), timing(Some(1), CellStatus::Ok)];
        let view = view(run(RunState::Succeeded, None), "icm", true, timings);
        assert_eq!(states(&view), told(&[(2, "ok"), (3, "-")]));
    }

    #[test]
    fn a_run_that_goes_on_shows_what_was_deployed() {
        let timings =
            vec![timing(None, CellStatus::Ok), timing(Some(0), CellStatus::Ok), timing(Some(2), CellStatus::Started)];
        let mut going = view(run(RunState::Running, None), "cicc", false, timings.clone());
        assert_eq!(states(&going), told(&[(1, "ok"), (3, "running"), (4, "waiting")]), "an older call's are not shown");
        going.run.state = RunState::Cancelled;
        assert_eq!(states(&going), told(&[(1, "ok"), (3, "stopped"), (4, "not reached")]));
        going.run.state = RunState::Interrupted;
        going.timings.clear();
        assert_eq!(states(&going)[0].1, "unknown");
        going.timings = timings;
        going.notebook.cells.clear();
        assert_eq!(states(&going), told(&[(1, "ok"), (3, "stopped")]), "without a notebook");
    }

    #[test]
    fn only_what_was_raised_is_to_be_blamed_on_the_parameters() {
        let raised = RunError { ename: Some("NameError".to_owned()), ..RunError::new(ErrorKind::CellError, "raised") };
        let failed = vec![timing(None, CellStatus::Error)];
        let blamed = |error| of(&view(run(RunState::Failed, Some(error)), "ic", true, failed.clone())).1.unwrap();
        assert_eq!(blamed(raised)["is_to_blame"], true);
        assert_eq!(blamed(RunError::new(ErrorKind::KernelDied, "died"))["is_to_blame"], false);
    }
}
