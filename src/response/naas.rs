//! The marking of the naas package (2.x, and 1.23 before it), so that notebooks that import it answer as they did.
//!
//! naas puts `naas_api` and `naas_type` into an output's metadata, under the MIME key of the data they speak of (older
//! front ends: at the top). Its types "text" and "csv" come as HTML, "csv" as the table that pandas makes of a `DataFrame`.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::header::is_media_type;
use super::{Accept, BadResponse, Content, marking, text};

pub(super) struct Marked<'a> {
    /// Where the marking stands: the MIME key, or none at the top of the metadata.
    media_type: Option<&'a str>,
    marking: &'a Value,
    data: &'a Map<String, Value>,
}

pub(super) fn find<'a>(metadata: &'a Value, data: &'a Map<String, Value>) -> Option<Marked<'a>> {
    let is_marking = |value: &Value| value.get("naas_api").and_then(Value::as_bool) == Some(true);
    if is_marking(metadata) {
        return Some(Marked { media_type: None, marking: metadata, data });
    }
    let (media_type, marking) = metadata.as_object()?.iter().find(|(_, value)| is_marking(value))?;
    Some(Marked { media_type: Some(media_type), marking, data })
}

/// The order in which naas looks through a bundle.
const ORDER: [&str; 8] = [
    "text/markdown",
    "application/json",
    "text/html",
    "image/jpeg",
    "image/png",
    "image/gif",
    "image/webp",
    "image/svg+xml",
];

impl Marked<'_> {
    pub(super) fn content(&self, accept: &Accept) -> Result<Content, BadResponse> {
        let media_type = self.media_type.or_else(|| ORDER.into_iter().find(|kind| self.data.contains_key(*kind)));
        let bad = |why: &str| BadResponse(format!("naas marking: {why}"));
        let media_type = media_type.ok_or_else(|| bad("it has no data that naas answers with"))?;
        let value = self.data.get(media_type).ok_or_else(|| bad("the data it speaks of is missing"))?;
        let html = || marking::joined(value).ok_or_else(|| bad("its text/html is not text"));
        match (media_type, self.marking.get("naas_type")) {
            (_, Some(Value::String(kind))) if kind == "notebook" => Ok(marking::notebook(None, accept)),
            // `respond_file` always has the key, null when the type is unknown; `respond_json` never has it.
            ("application/json", Some(kind)) => file(value, kind).ok_or_else(|| bad("a file needs an absolute path")),
            ("text/html", Some(Value::String(kind))) if kind == "text" => Ok(text::plain(&html()?)),
            ("text/html", Some(Value::String(kind))) if kind == "csv" => {
                Ok(text::of("text/csv", &table_to_csv(&html()?)))
            }
            _ => marking::bytes(media_type, value),
        }
    }
}

fn file(value: &Value, kind: &Value) -> Option<Content> {
    let path = value.get("path").and_then(Value::as_str).map(PathBuf::from).filter(|path| path.is_absolute())?;
    Some(Content::File {
        path,
        name: None,
        media_type: kind.as_str().filter(|kind| is_media_type(kind)).map(str::to_owned),
    })
}

/// The first `<table>` of `html` as naas writes CSV: `;` between fields, every field quoted, `\n` after each row.
fn table_to_csv(html: &str) -> String {
    let table = between(html, "<table", "</table>").map_or(html, |(table, _)| table);
    let mut csv = String::new();
    let mut rows = table;
    while let Some((row, rest)) = between(rows, "<tr", "</tr>") {
        let fields: Vec<String> = cells(row).iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
        csv.push_str(&fields.join(";"));
        csv.push('\n');
        rows = rest;
    }
    csv
}

fn cells(row: &str) -> Vec<String> {
    let mut cells = Vec::new();
    let mut rest = row;
    loop {
        let head = between(rest, "<th", "</th>");
        let data = between(rest, "<td", "</td>");
        let next = match (head, data) {
            // The one that ends first also began first: cells do not nest.
            (Some(a), Some(b)) => Some(if a.1.len() >= b.1.len() { a } else { b }),
            (a, b) => a.or(b),
        };
        let Some((cell, after)) = next else { return cells };
        cells.push(unescape(cell.trim()));
        rest = after;
    }
}

/// What stands between the tag that begins with `open` and the next `close`, and what comes after it.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<(&'a str, &'a str)> {
    let tag = text
        .match_indices(open)
        .map(|(at, _)| at + open.len())
        // `<th` must not find `<thead>`.
        .find(|after| text[*after..].starts_with(|c: char| c == '>' || c.is_whitespace()))?;
    let start = tag + text[tag..].find('>')? + 1;
    let end = start + text[start..].find(close)?;
    Some((&text[start..end], &text[end + close.len()..]))
}

fn unescape(text: &str) -> String {
    // `&amp;` last, or `&amp;lt;` would become `<`.
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_frame_becomes_csv_as_naas_writes_it() {
        let html = "<table border=\"1\" class=\"dataframe\">\n  <thead>\n    <tr style=\"text-align: right;\">\n      <th></th>\n      \
                    <th>name</th>\n      <th>a &amp; b</th>\n    </tr>\n  </thead>\n  <tbody>\n    <tr>\n      <th>0</th>\n      \
                    <td>say \"hi\"</td>\n      <td>&amp;lt;1</td>\n    </tr>\n  </tbody>\n</table>";
        assert_eq!(table_to_csv(html), "\"\";\"name\";\"a & b\"\n\"0\";\"say \"\"hi\"\"\";\"&lt;1\"\n");
    }
}
