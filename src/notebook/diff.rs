//! What is different between two notebooks: their cells, and the lines within them. Outputs do not count.

use serde::Serialize;
use serde_json::Value;
use similar::{Algorithm, DiffOp, TextDiff};

use super::Notebook;
use super::pairs::{self, Pair};

/// Cells of a notebook that are looked at.
pub(super) const MOST_CELLS: usize = 1_000;
/// Lines of a cell that are compared, and of all cells together.
const MOST_LINES: usize = 2_000;
const MOST_LINES_OF_ALL: usize = 20_000;
/// Characters of a line that are shown.
const LONGEST_LINE: usize = 500;
/// Lines around a change that are shown.
const AROUND: usize = 3;

/// The cells of two notebooks, side by side.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Diff {
    pub cells: Vec<CellDiff>,
    pub added: usize,
    pub removed: usize,
    pub changed: usize,
    pub same: usize,
    /// Whether there is more than was looked at.
    pub is_cut: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Same,
    Added,
    Removed,
    Changed,
}

/// A cell that is in both notebooks, or in one of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellDiff {
    pub kind: Kind,
    /// `code`, `markdown`, `raw`.
    pub cell_type: String,
    /// Where it is, from 1 on.
    pub before: Option<usize>,
    pub after: Option<usize>,
    /// Of what is not the same; lines far from every change are left out.
    pub lines: Vec<Line>,
    /// Whether it has more lines than were compared.
    pub is_cut: bool,
}

/// A line that is in both cells, or in one of them; or a gap, where lines are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    pub kind: LineKind,
    pub before: Option<usize>,
    pub after: Option<usize>,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LineKind {
    Same,
    Added,
    Removed,
    Gap,
}

/// A cell as far as it counts here.
pub(super) struct Cell {
    pub(super) id: Option<String>,
    pub(super) kind: String,
    pub(super) source: String,
}

impl Diff {
    #[must_use]
    pub fn of(before: &Notebook, after: &Notebook) -> Self {
        let (old, new) = (cells(before), cells(after));
        let mut diff =
            Self { is_cut: before.cell_count() > MOST_CELLS || after.cell_count() > MOST_CELLS, ..Self::default() };
        let mut room = MOST_LINES_OF_ALL;
        for pair in pairs::of(&old, &new) {
            let cell = compare(pair, &old, &new, &mut room);
            match cell.kind {
                Kind::Same => diff.same += 1,
                Kind::Added => diff.added += 1,
                Kind::Removed => diff.removed += 1,
                Kind::Changed => diff.changed += 1,
            }
            diff.is_cut |= cell.is_cut;
            diff.cells.push(cell);
        }
        diff
    }
}

fn cells(notebook: &Notebook) -> Vec<Cell> {
    let read = |(index, cell): (usize, &Value)| Cell {
        id: cell["id"].as_str().map(str::to_owned),
        kind: cell["cell_type"].as_str().unwrap_or_default().to_owned(),
        source: notebook.cell_source(index).unwrap_or_default(),
    };
    notebook.cells().iter().take(MOST_CELLS).enumerate().map(read).collect()
}

fn compare(pair: Pair, old: &[Cell], new: &[Cell], room: &mut usize) -> CellDiff {
    let (before, after) = (pair.before.map(|index| &old[index]), pair.after.map(|index| &new[index]));
    let kind = match (before, after) {
        (Some(before), Some(after)) if before.kind == after.kind && before.source == after.source => Kind::Same,
        (Some(_), Some(_)) => Kind::Changed,
        (None, _) => Kind::Added,
        (_, None) => Kind::Removed,
    };
    let source = |cell: Option<&Cell>| cell.map(|cell| cell.source.clone()).unwrap_or_default();
    let (lines, is_cut) =
        if kind == Kind::Same { (Vec::new(), false) } else { lines(&source(before), &source(after), room) };
    CellDiff {
        kind,
        cell_type: after.or(before).map(|cell| cell.kind.clone()).unwrap_or_default(),
        before: pair.before.map(|index| index + 1),
        after: pair.after.map(|index| index + 1),
        lines,
        is_cut,
    }
}

/// The lines of two texts, as far as there is `room` for them; and whether that was too little.
fn lines(before: &str, after: &str, room: &mut usize) -> (Vec<Line>, bool) {
    let most = MOST_LINES.min(*room);
    let old: Vec<&str> = before.lines().take(most).collect();
    let new: Vec<&str> = after.lines().take(most).collect();
    let is_cut = before.lines().nth(most).is_some() || after.lines().nth(most).is_some();
    *room -= old.len().max(new.len());
    let diff = TextDiff::configure().algorithm(Algorithm::Myers).diff_slices(&old, &new);
    let mut shown = Vec::new();
    let mut end = 0; // of what is shown of the old lines
    for group in diff.grouped_ops(AROUND) {
        let start = group.first().map_or(0, |op| op.old_range().start);
        if start > end {
            shown.push(Line { kind: LineKind::Gap, before: None, after: None, text: String::new() });
        }
        end = group.last().map_or(end, |op| op.old_range().end);
        shown.extend(group.iter().flat_map(|op| of_operation(*op, &old, &new)));
    }
    if end < old.len() {
        shown.push(Line { kind: LineKind::Gap, before: None, after: None, text: String::new() });
    }
    (shown, is_cut)
}

fn of_operation(op: DiffOp, old: &[&str], new: &[&str]) -> Vec<Line> {
    let (before, after) = (op.old_range(), op.new_range());
    if let DiffOp::Equal { .. } = op {
        let both = before.zip(after);
        return both.map(|(was, is)| line(LineKind::Same, Some(was), Some(is), old[was])).collect();
    }
    let removed = before.map(|was| line(LineKind::Removed, Some(was), None, old[was]));
    removed.chain(after.map(|is| line(LineKind::Added, None, Some(is), new[is]))).collect()
}

fn line(kind: LineKind, before: Option<usize>, after: Option<usize>, text: &str) -> Line {
    let number = |index: usize| index + 1;
    let mut shown: String = text.chars().take(LONGEST_LINE).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    Line { kind, before: before.map(number), after: after.map(number), text: shown }
}
