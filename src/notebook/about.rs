//! What a notebook says of itself: the heading and the first paragraph of the Markdown it begins with.

use super::Notebook;

/// Most characters of a title, and of a text.
const TITLE: usize = 200;
const TEXT: usize = 2_000;

/// A notebook's own words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    pub title: Option<String>,
    /// Markdown.
    pub text: Option<String>,
}

impl About {
    /// Reads the first Markdown cell: a heading (`# …`) if it begins with one, and the paragraph that follows.
    #[must_use]
    pub fn of(notebook: &Notebook) -> Self {
        let first = notebook.markdown().find(|source| !source.trim().is_empty());
        first.map(|source| Self::read(&source)).unwrap_or_default()
    }

    fn read(source: &str) -> Self {
        let mut lines = source.trim().lines().peekable();
        let title = lines.next_if(|line| line.starts_with('#'));
        let title = title.map(|line| line.trim_matches(|c: char| c == '#' || c.is_whitespace()));
        let paragraph = lines
            .map(str::trim_end)
            .skip_while(|line| line.is_empty())
            .take_while(|line| !line.is_empty() && !line.starts_with('#'))
            .collect::<Vec<_>>()
            .join("\n");
        Self { title: title.and_then(|title| some(title, TITLE)), text: some(&paragraph, TEXT) }
    }
}

fn some(text: &str, most: usize) -> Option<String> {
    (!text.is_empty()).then(|| text.chars().take(most).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn about(sources: &[&str]) -> (Option<String>, Option<String>) {
        let cell = |source: &&str| json!({"cell_type": "markdown", "metadata": {}, "source": source});
        let mut cells: Vec<_> = sources.iter().map(cell).collect();
        let code =
            json!({"cell_type": "code", "metadata": {}, "source": "# code", "outputs": [], "execution_count": null});
        cells.insert(0, code);
        let notebook = json!({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4});
        let about = About::of(&Notebook::from_value(notebook).unwrap());
        (about.title, about.text)
    }

    #[test]
    fn heading_and_paragraph_of_the_first_markdown() {
        let both = |title: &str, text: &str| (Some(title.to_owned()), Some(text.to_owned()));
        assert_eq!(about(&["# Sales\n\nTotals of\na *year*.\n\nMore."]), both("Sales", "Totals of\na *year*."));
        assert_eq!(about(&["## Sales ##  \nOne line\n# Next"]), both("Sales", "One line"));
        assert_eq!(about(&["  \n", "Only text"]), (None, Some("Only text".to_owned())));
        assert_eq!(about(&["# Only a heading\n## and another"]), (Some("Only a heading".to_owned()), None));
        assert_eq!(about(&["#"]), (None, None));
        assert_eq!(about(&[]), (None, None));
        let long = format!("# {}\n{}", "ü".repeat(500), "ä".repeat(5_000));
        assert_eq!(about(&[&long]), both(&"ü".repeat(200), &"ä".repeat(2_000)));
    }
}
