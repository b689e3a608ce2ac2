//! Listings: aligned columns on a terminal, tab-separated lines anywhere else. Pure.

use comfy_table::Table as Aligned;
use comfy_table::presets::NOTHING;

use super::text;

/// Longest cell on a terminal, in characters; the last column may be longer, since nothing stands behind it.
const WIDEST: usize = 60;

/// Rows of text under a header.
#[derive(Debug)]
pub(super) struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(header: &[&'static str]) -> Self {
        Self { header: header.to_vec(), rows: Vec::new() }
    }

    /// Adds a row, which has a cell for each column of the header.
    pub(super) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.header.len());
        let one_line = |cell: String| text::plain(&cell).replace(['\n', '\t'], " ");
        self.rows.push(cells.into_iter().map(one_line).collect());
    }

    /// The table as text that ends with a line feed.
    pub(super) fn render(&self, terminal: bool) -> String {
        if terminal { self.aligned() } else { self.tabbed() }
    }

    // Without rules, which would only wrap on a terminal that is narrower than a URL.
    fn aligned(&self) -> String {
        let mut aligned = Aligned::new();
        aligned.load_style(NOTHING).set_header(self.header.clone());
        for row in &self.rows {
            let last = row.len().saturating_sub(1);
            aligned.add_row(
                row.iter().enumerate().map(|(at, cell)| if at == last { cell.clone() } else { shorten(cell) }),
            );
        }
        format!("{}\n", aligned.trim_fmt())
    }

    fn tabbed(&self) -> String {
        let mut lines = self.header.join("\t");
        lines.push('\n');
        for row in &self.rows {
            lines.push_str(&row.join("\t"));
            lines.push('\n');
        }
        lines
    }
}

fn shorten(cell: &str) -> String {
    if cell.chars().count() <= WIDEST {
        return cell.to_owned();
    }
    cell.chars().take(WIDEST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(&["PATH", "STATE"]);
        table.row(vec!["Übersicht.ipynb".to_owned(), "live".to_owned()]);
        table.row(vec!["b.ipynb".to_owned(), "bad\u{1b}[2J\tthing\nhere".to_owned()]);
        table
    }

    #[test]
    fn elsewhere_a_row_is_a_line_with_tabs() {
        assert_eq!(sample().render(false), "PATH\tSTATE\nÜbersicht.ipynb\tlive\nb.ipynb\tbad thing here\n");
    }

    #[test]
    fn on_a_terminal_columns_line_up() {
        let shown = sample().render(true);
        let column = |line: &str, word: &str| line.find(word).map(|at| line[..at].chars().count());
        let lines: Vec<&str> = shown.lines().filter(|line| line.contains(".ipynb")).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(column(lines[0], "live"), column(lines[1], "bad"));
        assert!(shown.lines().count() == 3 && shown.ends_with('\n'), "{shown}");
    }

    #[test]
    fn long_cells_are_cut_except_in_the_last_column() {
        let mut table = Table::new(&["PATH", "URL"]);
        table.row(vec!["p".repeat(100), "u".repeat(100)]);
        let shown = table.render(true);
        assert!(!shown.contains(&"p".repeat(60)) && shown.contains(&format!("{}…", "p".repeat(59))));
        assert!(shown.contains(&"u".repeat(100)));
        assert!(table.render(false).contains(&"p".repeat(100)));
    }
}
