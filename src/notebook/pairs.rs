//! Which cells of two notebooks are the same cell: those of one id or one text, and between them those that are alike.

use std::collections::HashMap;

use similar::{Algorithm, DiffOp, TextDiff, capture_diff_slices};

use super::diff::Cell;

/// How much of two cells must be the same for them to be one that was changed.
const ALIKE: f32 = 0.5;
/// Lines of a cell that are looked at for that, and cells that are held against one another at all.
const LOOKED_AT: usize = 100;
const MOST_LOOKS: usize = 2_000;

/// A cell of both notebooks, or of one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) before: Option<usize>,
    pub(super) after: Option<usize>,
}

/// All cells of both, each once, in their order.
pub(super) fn of(old: &[Cell], new: &[Cell]) -> Vec<Pair> {
    let marks: Vec<usize> = (0..old.len()).collect();
    let mut pairs = Vec::new();
    let mut looks = MOST_LOOKS;
    for op in capture_diff_slices(Algorithm::Myers, &marks, &marked(old, new)) {
        let (before, after) = (op.old_range(), op.new_range());
        if let DiffOp::Equal { .. } = op {
            pairs.extend(before.zip(after).map(|(was, is)| Pair { before: Some(was), after: Some(is) }));
            continue;
        }
        // What is alike stays side by side, in its order; what was there before stands first.
        let mut next = after.start;
        for was in before {
            let twin = (next..after.end).find(|is| take(&mut looks) && alike(&old[was], &new[*is]));
            if let Some(twin) = twin {
                pairs.extend((next..twin).map(added));
                next = twin + 1;
            }
            pairs.push(Pair { before: Some(was), after: twin });
        }
        pairs.extend((next..after.end).map(added));
    }
    pairs
}

fn added(index: usize) -> Pair {
    Pair { before: None, after: Some(index) }
}

fn take(looks: &mut usize) -> bool {
    let may = *looks > 0;
    *looks = looks.saturating_sub(1);
    may
}

/// For each new cell, the index of the old one that it is: by its id, else by its text. One that is none of them has an index that
/// no old cell has.
fn marked(old: &[Cell], new: &[Cell]) -> Vec<usize> {
    let mut by_id = HashMap::new();
    let mut by_text: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
    for (index, cell) in old.iter().enumerate().rev() {
        if let Some(id) = &cell.id {
            by_id.insert(id.as_str(), index);
        }
        by_text.entry((&cell.kind, &cell.source)).or_default().push(index);
    }
    let mut is_taken = vec![false; old.len()];
    let mut marks: Vec<Option<usize>> = vec![None; new.len()];
    for (mark, cell) in marks.iter_mut().zip(new) {
        let same = cell.id.as_deref().and_then(|id| by_id.get(id).copied());
        *mark = same.filter(|index| !std::mem::replace(&mut is_taken[*index], true));
    }
    for (mark, cell) in marks.iter_mut().zip(new).filter(|(mark, _)| mark.is_none()) {
        let Some(same) = by_text.get_mut(&(cell.kind.as_str(), cell.source.as_str())) else { continue };
        while let (None, Some(index)) = (&mark, same.pop()) {
            *mark = (!std::mem::replace(&mut is_taken[index], true)).then_some(index);
        }
    }
    marks.into_iter().enumerate().map(|(index, mark)| mark.unwrap_or(old.len() + index)).collect()
}

fn alike(old: &Cell, new: &Cell) -> bool {
    if old.kind != new.kind {
        return false;
    }
    let before: Vec<&str> = old.source.lines().take(LOOKED_AT).collect();
    let after: Vec<&str> = new.source.lines().take(LOOKED_AT).collect();
    if TextDiff::from_slices(&before, &after).ratio() >= ALIKE {
        return true;
    }
    // A cell of one line or two, in which a word was changed.
    let is_short = |lines: &[&str]| lines.iter().map(|line| line.len()).sum::<usize>() <= 400;
    is_short(&before) && is_short(&after) && TextDiff::from_words(before.join("\n"), after.join("\n")).ratio() >= ALIKE
}
