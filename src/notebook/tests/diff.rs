//! What is different between two notebooks.

use serde_json::{Value, json};

use crate::notebook::diff::LineKind;
use crate::notebook::{CellDiff, Diff, Kind, Notebook};

/// A notebook of cells: id (may be empty), type, source.
fn notebook(cells: &[(&str, &str, &str)]) -> Notebook {
    let cell = |(id, kind, source): &(&str, &str, &str)| {
        let mut cell = json!({"cell_type": kind, "metadata": {}, "source": source});
        if *kind == "code" {
            cell["outputs"] = json!([]);
            cell["execution_count"] = Value::Null;
        }
        if !id.is_empty() {
            cell["id"] = json!(id);
        }
        cell
    };
    let minor = if cells.iter().any(|(id, ..)| !id.is_empty()) { 5 } else { 4 };
    let cells: Vec<_> = cells.iter().map(cell).collect();
    let value = json!({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": minor});
    Notebook::from_value(value).unwrap()
}

/// `=1,1 ~2,2 -3 +3`: each cell with its place before and after.
fn sketch(diff: &Diff) -> String {
    let cell = |cell: &CellDiff| match (cell.kind, cell.before, cell.after) {
        (Kind::Same, Some(before), Some(after)) => format!("={before},{after}"),
        (Kind::Changed, Some(before), Some(after)) => format!("~{before},{after}"),
        (Kind::Removed, Some(before), None) => format!("-{before}"),
        (Kind::Added, None, Some(after)) => format!("+{after}"),
        other => panic!("{other:?}"),
    };
    diff.cells.iter().map(cell).collect::<Vec<_>>().join(" ")
}

fn code<'a>(sources: &[&'a str]) -> Vec<(&'a str, &'a str, &'a str)> {
    sources.iter().map(|source| ("", "code", *source)).collect()
}

#[test]
fn cells_without_ids_are_matched_by_their_text() {
    let before = notebook(&code(&["a = 1", "def f(x):\n    y = x\n    return y", "print(a)", "a = 1"]));
    let after = notebook(&code(&["a = 1", "new = 2", "def f(x):\n    y = x + 1\n    return y", "a = 1"]));
    let diff = Diff::of(&before, &after);
    assert_eq!(sketch(&diff), "=1,1 +2 ~2,3 -3 =4,4");
    assert_eq!((diff.added, diff.removed, diff.changed, diff.same, diff.is_cut), (1, 1, 1, 2, false));
    let changed: Vec<_> = diff.cells[2].lines.iter().map(|line| (line.kind, line.text.as_str())).collect();
    let expected = [
        (LineKind::Same, "def f(x):"),
        (LineKind::Removed, "    y = x"),
        (LineKind::Added, "    y = x + 1"),
        (LineKind::Same, "    return y"),
    ];
    assert_eq!(changed, expected);
    assert_eq!(sketch(&Diff::of(&after, &after)), "=1,1 =2,2 =3,3 =4,4");
}

#[test]
fn an_id_says_more_than_the_text_and_a_text_more_than_a_new_id() {
    let before = notebook(&[("one", "code", "x = 1"), ("two", "markdown", "# Title"), ("three", "code", "print(x)")]);
    let after = notebook(&[
        ("one", "code", "import os\nos.getcwd()"),
        ("zwei", "markdown", "# Title"),
        ("three", "code", "print(x)"),
    ]);
    assert_eq!(sketch(&Diff::of(&before, &after)), "~1,1 =2,2 =3,3");
    // A cell that is another's place is one that went and one that came.
    let moved = notebook(&[("three", "code", "print(x)"), ("one", "code", "x = 1"), ("two", "markdown", "# Title")]);
    assert_eq!(sketch(&Diff::of(&before, &moved)), "+1 =1,2 =2,3 -3");
    // What was code and is text now is changed, though its words are the same.
    let typed =
        notebook(&[("one", "markdown", "x = 1"), ("two", "markdown", "# Title"), ("three", "code", "print(x)")]);
    assert_eq!(sketch(&Diff::of(&before, &typed)), "~1,1 =2,2 =3,3");
}

#[test]
fn short_cells_are_alike_if_most_of_their_words_are() {
    let (before, after) =
        (notebook(&code(&["total = sum(prices) * 1.19"])), notebook(&code(&["total = sum(prices) * 1.07"])));
    assert_eq!(sketch(&Diff::of(&before, &after)), "~1,1");
    let other = notebook(&code(&["import pandas"]));
    assert_eq!(sketch(&Diff::of(&before, &other)), "-1 +1");
}

#[test]
fn lines_far_from_a_change_are_left_out() {
    let text = |changed: &str| {
        (1..=30)
            .map(|line| if line == 15 { changed.to_owned() } else { format!("line {line}") })
            .collect::<Vec<_>>()
            .join("\n")
    };
    let (old, new) = (text("old"), text("new"));
    let diff = Diff::of(&notebook(&code(&[&old])), &notebook(&code(&[&new])));
    let lines = &diff.cells[0].lines;
    let shown: String = lines
        .iter()
        .map(|line| match line.kind {
            LineKind::Gap => '…',
            LineKind::Same => ' ',
            LineKind::Added => '+',
            LineKind::Removed => '-',
        })
        .collect();
    assert_eq!(shown, "…   -+   …");
    assert_eq!((lines[1].before, lines[1].after), (Some(12), Some(12)));
}

#[test]
fn what_is_very_large_is_cut() {
    let many: Vec<String> = (0..1_500).map(|n| format!("cell {n}")).collect();
    let many = notebook(&code(&many.iter().map(String::as_str).collect::<Vec<_>>()));
    let none = notebook(&[]);
    let diff = Diff::of(&none, &many);
    assert_eq!((diff.added, diff.is_cut), (1_000, true));
    let long = |word: &str| format!("{word}\n").repeat(50_000);
    let (one, other) = (long("a"), long("b"));
    let diff = Diff::of(&notebook(&code(&[&one])), &notebook(&code(&[&other])));
    let shown: usize = diff.cells.iter().map(|cell| cell.lines.len()).sum();
    assert!(diff.is_cut && shown <= 4_001, "{shown}");
    let wide = "é".repeat(100_000);
    let diff = Diff::of(&none, &notebook(&code(&[&wide])));
    assert_eq!(diff.cells[0].lines[0].text.chars().count(), 501);
}
