//! A notebook as people look through it after a run: of each cell its source and the beginning of what it left, as plain text.

use std::iter::Peekable;

use serde::Serialize;
use serde_json::Value;

use super::document::{self, Notebook, joined};
use super::inject;

/// How much is shown of a source and of an output, in bytes.
const SOURCE: usize = 16 << 10;
const OUTPUT: usize = 4 << 10;
/// The same of a notebook in all: cells, outputs of one of them, bytes.
const MOST_CELLS: usize = 1_000;
const MOST_OUTPUTS: usize = 20;
const MOST_BYTES: usize = 1 << 20;

/// The beginning of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excerpt {
    pub text: String,
    /// Whether there is more of it.
    pub is_cut: bool,
}

/// A cell, to be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownCell {
    /// Its index in this notebook.
    pub index: usize,
    pub cell_type: String,
    pub source: Excerpt,
    pub outputs: Vec<ShownOutput>,
    /// How many more outputs it has.
    pub more_outputs: usize,
    /// Whether a run executes it.
    pub is_executed: bool,
    /// Whether it has a call's parameters: nobody wrote it.
    pub is_injected: bool,
}

/// One output of a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownOutput {
    /// `stdout`, `stderr`, `error`, or `data`: a result or something displayed.
    pub kind: &'static str,
    /// What it says as text, if it does.
    pub text: Option<Excerpt>,
    /// What else it can be shown as.
    pub media_types: Vec<String>,
}

/// The cells of a notebook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShownNotebook {
    pub cells: Vec<ShownCell>,
    /// How many more there are.
    pub more_cells: usize,
}

impl Excerpt {
    /// At most so many bytes of a text.
    #[must_use]
    pub fn of(text: &str, most: usize) -> Self {
        let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        Self { text: text[..end].to_owned(), is_cut: end < text.len() }
    }

    /// The same as a terminal would leave it, but without colours: no escape sequence, no control character, of a line that was written
    /// over (`\r`) the last state.
    #[must_use]
    pub fn plain(text: &str, most: usize) -> Self {
        let mut plain = String::new();
        let mut line = 0;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\u{1b}' => skip_escape(&mut chars),
                '\r' if chars.peek().is_some_and(|next| !matches!(next, '\n' | '\r')) => plain.truncate(line),
                c if c.is_control() && c != '\n' && c != '\t' => {}
                c if plain.len() + c.len_utf8() > most => return Self { text: plain, is_cut: true },
                c => {
                    plain.push(c);
                    if c == '\n' {
                        line = plain.len();
                    }
                }
            }
        }
        Self { text: plain, is_cut: false }
    }
}

/// Passes over what follows ESC (ECMA-48): `[` up to a final byte, `]` and its like up to their terminator, else one character.
fn skip_escape(chars: &mut Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        Some('[') => while chars.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
        }
        _ => {}
    }
}

/// How many bytes may still be shown.
struct Room(usize);

impl Room {
    fn take(&mut self, excerpt: impl FnOnce(usize) -> Excerpt, most: usize) -> Excerpt {
        let excerpt = excerpt(most.min(self.0));
        self.0 -= excerpt.text.len();
        excerpt
    }
}

impl Notebook {
    /// Its cells, to be looked at.
    #[must_use]
    pub fn shown(&self) -> ShownNotebook {
        let executed: Vec<usize> = self.code_cells().into_iter().map(|(index, ..)| index).collect();
        let mut room = Room(MOST_BYTES);
        let cells = self.cells().iter().enumerate().take(MOST_CELLS);
        let cells: Vec<ShownCell> = cells
            .map(|(index, cell)| {
                let source = joined(&cell["source"]);
                let outputs = cell["outputs"].as_array().map(Vec::as_slice).unwrap_or_default();
                ShownCell {
                    index,
                    cell_type: cell["cell_type"].as_str().unwrap_or_default().to_owned(),
                    source: room.take(|most| Excerpt::of(&source, most), SOURCE),
                    outputs: outputs.iter().take(MOST_OUTPUTS).map(|output| shown(output, &mut room)).collect(),
                    more_outputs: outputs.len().saturating_sub(MOST_OUTPUTS),
                    is_executed: executed.binary_search(&index).is_ok(),
                    is_injected: inject::is_injected(&document::tags(cell)),
                }
            })
            .collect();
        ShownNotebook { more_cells: self.cell_count() - cells.len(), cells }
    }
}

fn shown(output: &Value, room: &mut Room) -> ShownOutput {
    let mut plain = |text: &str| Some(room.take(|most| Excerpt::plain(text, most), OUTPUT));
    let (kind, text, media_types) = match output["output_type"].as_str() {
        Some("stream") => {
            let kind = if output["name"] == "stderr" { "stderr" } else { "stdout" };
            (kind, plain(&joined(&output["text"])), Vec::new())
        }
        Some("error") => {
            let name = output["ename"].as_str().unwrap_or("error");
            ("error", plain(&format!("{name}: {}", output["evalue"].as_str().unwrap_or_default())), Vec::new())
        }
        _ => {
            let data = output["data"].as_object();
            let text = data.and_then(|data| data.get("text/plain")).map(joined);
            let others = data.into_iter().flatten().map(|(media_type, _)| media_type);
            let others = others.filter(|media_type| *media_type != "text/plain");
            (
                "data",
                text.and_then(|text| plain(&text)),
                others.take(MOST_OUTPUTS).map(|name| name.chars().take(100).collect()).collect(),
            )
        }
    };
    ShownOutput { kind, text, media_types }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "called with json!(…)")]
    fn notebook(cells: Value) -> Notebook {
        Notebook::from_value(json!({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})).unwrap()
    }

    #[expect(clippy::needless_pass_by_value, reason = "called with json!(…)")]
    fn code(source: &str, outputs: Value) -> Value {
        json!({"cell_type": "code", "metadata": {}, "source": source, "execution_count": null, "outputs": outputs})
    }

    #[test]
    fn text_is_as_a_terminal_leaves_it_without_colours() {
        let plain = |text: &str| Excerpt::plain(text, 100).text;
        assert_eq!(plain("\u{1b}[0;31mValueError\u{1b}[0m: a\tb"), "ValueError: a\tb");
        assert_eq!(plain("first\n 10%\r 90%\r100%\nlast\r\n"), "first\n100%\nlast\n");
        assert_eq!(plain("\u{1b}]8;;https://evil.example\u{7}link\u{1b}]8;;\u{1b}\\ \u{1b}(B\0\u{8}ok"), "link Bok");
        assert_eq!((plain("\u{1b}["), plain("100%\r")), (String::new(), "100%".to_owned()));
        assert_eq!(Excerpt::plain("äöü", 5), Excerpt { text: "äö".to_owned(), is_cut: true });
        assert_eq!(Excerpt::of("äöü", 5), Excerpt { text: "äö".to_owned(), is_cut: true });
        assert_eq!(Excerpt::of("äöü", 6), Excerpt { text: "äöü".to_owned(), is_cut: false });
    }

    #[test]
    fn a_cell_says_what_it_left() {
        let outputs = json!([
            {"output_type": "stream", "name": "stderr", "text": ["a\n", "b"]},
            {"output_type": "display_data", "metadata": {}, "data": {"text/plain": "<Figure>", "image/png": "AAAA"}},
            {"output_type": "error", "ename": "KeyError", "evalue": "'x'", "traceback": []},
            {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<b>"}},
        ]);
        let markdown = json!({"cell_type": "markdown", "metadata": {}, "source": ["# a\n", "b"]});
        let mut injected = code("n = 1", json!([]));
        injected["metadata"]["tags"] = json!(["injected-parameters"]);
        let shown = notebook(json!([markdown, injected, code("x", outputs), code(" ", json!([]))])).shown();
        let cells = &shown.cells;
        assert_eq!((cells[0].cell_type.as_str(), cells[0].source.text.as_str()), ("markdown", "# a\nb"));
        assert_eq!(cells.iter().map(|cell| cell.is_executed).collect::<Vec<_>>(), [false, true, true, false]);
        assert_eq!(cells.iter().map(|cell| cell.is_injected).collect::<Vec<_>>(), [false, true, false, false]);
        let told: Vec<_> = cells[2]
            .outputs
            .iter()
            .map(|output| {
                (output.kind, output.text.as_ref().map_or("", |text| &text.text), output.media_types.join(" "))
            })
            .collect();
        let told: Vec<_> = told.iter().map(|(kind, text, types)| (*kind, *text, types.as_str())).collect();
        assert_eq!(
            told,
            [
                ("stderr", "a\nb", ""),
                ("data", "<Figure>", "image/png"),
                ("error", "KeyError: 'x'", ""),
                ("data", "", "text/html")
            ]
        );
    }

    #[test]
    fn a_page_of_it_is_bounded() {
        let large = json!({"output_type": "stream", "name": "stdout", "text": "x".repeat(OUTPUT * 2)});
        let outputs = Value::Array(vec![large; MOST_OUTPUTS + 5]);
        let shown = notebook(Value::Array(vec![code(&"y".repeat(SOURCE + 1), outputs); MOST_CELLS + 2])).shown();
        assert_eq!((shown.cells.len(), shown.more_cells), (MOST_CELLS, 2));
        let first = &shown.cells[0];
        assert_eq!((first.outputs.len(), first.more_outputs), (MOST_OUTPUTS, 5));
        assert!(first.source.is_cut && first.outputs[0].text.as_ref().unwrap().is_cut);
        let texts = |cell: &ShownCell| {
            cell.outputs.iter().map(|output| output.text.as_ref().unwrap().text.len()).sum::<usize>()
        };
        let all: usize = shown.cells.iter().map(|cell| cell.source.text.len() + texts(cell)).sum();
        assert_eq!(all, MOST_BYTES);
    }
}
