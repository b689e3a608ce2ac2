//! Listings: aligned columns on a terminal, tab-separated lines anywhere else. Pure.
//!
//! On a terminal times are told as ages, columns shrink until a row fits, and states have colours (see [`Look`]).

use chrono::{DateTime, NaiveDateTime, Utc};
use console::{measure_text_width, truncate_str};

use super::text;

/// Longest cell on a terminal, in columns; the last column may be longer, since nothing stands behind it.
const WIDEST: usize = 60;
/// How far a column may shrink.
const NARROWEST: usize = 16;
/// Between two columns.
const GAP: &str = "  ";
/// Columns of a listing that are copied from it, and so never cut.
const WHOLE: [&str; 10] =
    ["RUN", "ID", "UUID", "HISTO", "VERSION", "DELIVERY", "TASK", "TOKEN", "SCHEDULE", "CALLBACK"];
/// Columns of times.
const TIMES: [&str; 7] = ["CREATED", "UPDATED", "TIME", "LAST", "NEXT", "STARTED", "FINISHED"];
/// Columns whose words have colours.
const COLOURED: [&str; 4] = ["STATE", "STATUS", "LIVE", "LAST STATE"];

/// How a table is to look.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Look {
    pub(super) terminal: bool,
    pub(super) colours: bool,
    /// In columns, if that is known.
    pub(super) width: Option<u16>,
    pub(super) now: DateTime<Utc>,
}

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
    pub(super) fn render(&self, look: Look) -> String {
        if look.terminal { self.aligned(look) } else { self.tabbed(look) }
    }

    // Without rules, which would only wrap on a terminal that is narrower than a URL.
    fn aligned(&self, look: Look) -> String {
        let mut rows = vec![self.header.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()];
        rows.extend(self.rows.iter().map(|row| self.aged(row, look.now)));
        let widths = self.widths(&rows, look.width.map(usize::from));
        let mut lines = String::new();
        for (number, row) in rows.iter().enumerate() {
            let mut line = String::new();
            for (at, cell) in row.iter().enumerate() {
                let is_last = at + 1 == row.len();
                let shown = if is_last { cell.clone() } else { truncate_str(cell, widths[at], "…").into_owned() };
                let padding = widths[at].saturating_sub(measure_text_width(&shown));
                line.push_str(&if number == 0 { header(&shown, look) } else { self.coloured(at, &shown, look) });
                if !is_last {
                    line.push_str(&" ".repeat(padding));
                    line.push_str(GAP);
                }
            }
            lines.push_str(line.trim_end());
            lines.push('\n');
        }
        lines
    }

    /// The widths of the columns; the widest of those that may be cut shrink until a row fits.
    fn widths(&self, rows: &[Vec<String>], available: Option<usize>) -> Vec<usize> {
        let last = self.header.len().saturating_sub(1);
        let widest = |at: usize| rows.iter().map(|row| measure_text_width(&row[at])).max().unwrap_or_default();
        let bounded = |at| if at == last { widest(at) } else { widest(at).min(WIDEST) };
        let mut widths: Vec<usize> = (0..self.header.len()).map(bounded).collect();
        let Some(available) = available else { return widths };
        let total = |widths: &[usize]| widths.iter().sum::<usize>() + GAP.len() * last;
        while total(&widths) > available {
            let may_shrink = |at: &usize| *at != last && !WHOLE.contains(&self.header[*at]) && widths[*at] > NARROWEST;
            let Some(at) = (0..widths.len()).filter(may_shrink).max_by_key(|at| widths[*at]) else { break };
            widths[at] -= 1;
        }
        widths
    }

    fn tabbed(&self, look: Look) -> String {
        let mut lines = self.header.join("\t");
        lines.push('\n');
        for row in &self.rows {
            let cells: Vec<String> = row.iter().enumerate().map(|(at, cell)| self.coloured(at, cell, look)).collect();
            lines.push_str(&cells.join("\t"));
            lines.push('\n');
        }
        lines
    }

    fn aged(&self, row: &[String], now: DateTime<Utc>) -> Vec<String> {
        let cells = row.iter().zip(&self.header);
        cells.map(|(cell, name)| if TIMES.contains(name) { aged(cell, now) } else { cell.clone() }).collect()
    }

    fn coloured(&self, at: usize, cell: &str, look: Look) -> String {
        match colour(cell).filter(|_| look.colours && COLOURED.contains(&self.header[at])) {
            Some(colour) => format!("\u{1b}[{colour}m{cell}\u{1b}[0m"),
            None => cell.to_owned(),
        }
    }
}

fn header(name: &str, look: Look) -> String {
    if look.colours { format!("\u{1b}[1m{name}\u{1b}[0m") } else { name.to_owned() }
}

/// The colour of a state (SGR, ECMA-48 8.3.117): green is well, red is not, blue goes on, yellow was stopped or waits.
fn colour(state: &str) -> Option<u8> {
    Some(match state {
        "succeeded" | "delivered" | "completed" | "active" | "enabled" | "live" | "ok" => 32,
        "failed" | "timed_out" | "dead" | "rejected" | "problem" => 31,
        "running" | "attempting" | "retrying" => 34,
        "queued" | "pending" | "cancelled" | "interrupted" | "disabled" | "expired" | "paused" | "note" => 33,
        _ => return None,
    })
}

/// A time as [`text::time`] writes it as its age; anything else as it is.
fn aged(cell: &str, now: DateTime<Utc>) -> String {
    let time = NaiveDateTime::parse_from_str(cell, "%Y-%m-%d %H:%M:%S");
    time.map_or_else(|_| cell.to_owned(), |time| text::age(time.and_utc(), now))
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

    fn terminal(width: Option<u16>) -> Look {
        Look { terminal: true, colours: false, width, now: "2026-01-02T03:04:05Z".parse().unwrap() }
    }

    #[test]
    fn states_have_colours_where_they_are_wanted_and_lines_stay_straight() {
        let mut table = Table::new(&["STATE", "HOOK", "CREATED"]);
        table.row(vec!["succeeded".to_owned(), "failed".to_owned(), "2026-01-02 03:01:05".to_owned()]);
        table.row(vec!["failed".to_owned(), "b".to_owned(), "2025-01-02 03:01:05".to_owned()]);
        let coloured = Look { colours: true, ..terminal(None) };
        let shown = table.render(coloured);
        assert!(shown.contains("\u{1b}[32msucceeded\u{1b}[0m  failed  3 min ago\n"), "{shown}");
        assert!(shown.contains("\u{1b}[31mfailed\u{1b}[0m     b       2025-01-02\n"), "{shown}");
        assert_eq!(text::plain(&shown), table.render(terminal(None)));
        let forced = table.render(Look { colours: true, ..Look::default() });
        assert!(forced.contains("\u{1b}[31mfailed\u{1b}[0m\tb\t2025-01-02 03:01:05\n"), "{forced}");
    }

    #[test]
    fn columns_shrink_until_a_row_fits_but_for_ids() {
        let id = "0198c5f0-0000-7000-8000-000000000001";
        let mut table = Table::new(&["RUN", "HOOK", "ERROR"]);
        table.row(vec![id.to_owned(), "日本語の報告書/".repeat(5), "KeyError".to_owned()]);
        let shown = table.render(terminal(Some(70)));
        let row = shown.lines().nth(1).unwrap();
        assert!(measure_text_width(row) <= 70 && row.contains(id) && row.ends_with("…  KeyError"), "{shown}");
        assert!(table.render(terminal(Some(10))).contains(id));
    }

    #[test]
    fn elsewhere_a_row_is_a_line_with_tabs() {
        assert_eq!(sample().render(Look::default()), "PATH\tSTATE\nÜbersicht.ipynb\tlive\nb.ipynb\tbad thing here\n");
    }

    #[test]
    fn on_a_terminal_columns_line_up() {
        let shown = sample().render(terminal(None));
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
        let shown = table.render(terminal(None));
        assert!(!shown.contains(&"p".repeat(60)) && shown.contains(&format!("{}…", "p".repeat(59))));
        assert!(shown.contains(&"u".repeat(100)));
        assert!(table.render(Look::default()).contains(&"p".repeat(100)));
    }
}
