//! Masking secrets in what cells have left: streams, displays, errors, and the state of widgets.

use serde_json::Value;

use super::super::Notebook;
use super::{Secrets, mask_json, mask_keys};

impl Notebook {
    /// Masks secrets in everything that cells have left as outputs; pictures and the like are not looked into. What a cell has written
    /// to a stream in one go is put together first: where a kernel cuts it depends on when it flushes.
    pub fn mask_outputs(&mut self, secrets: &Secrets) {
        if secrets.is_empty() {
            return;
        }
        // Not by index, which would give a Markdown cell outputs.
        for outputs in self.cells_mut().iter_mut().filter_map(|cell| cell.get_mut("outputs")?.as_array_mut()) {
            join_streams(outputs);
            for output in outputs {
                mask_output(output, secrets);
            }
        }
        if let Some(Value::Object(widgets)) = self.widgets_mut() {
            widgets.values_mut().for_each(|of_type| mask_json(of_type, secrets, true));
        }
    }
}

/// Joins adjoining pieces of one stream.
fn join_streams(outputs: &mut Vec<Value>) {
    for mut piece in std::mem::take(outputs) {
        let alike = |last: &&mut Value| {
            [&**last, &piece].iter().all(|output| output["output_type"] == "stream") && last["name"] == piece["name"]
        };
        // What stands alone is left as it is.
        let last = outputs.last_mut().filter(alike);
        if let Some((last, more)) = last.and_then(|last| Some((whole_text(last)?, whole_text(&mut piece)?))) {
            last.push_str(more);
        } else {
            outputs.push(piece);
        }
    }
}

/// The text of a stream, which may be a list of lines, as one.
fn whole_text(output: &mut Value) -> Option<&mut String> {
    let text = output.get_mut("text")?;
    if let Value::Array(lines) = text {
        *text = lines.iter().map(Value::as_str).collect::<Option<String>>()?.into();
    }
    match text {
        Value::String(text) => Some(text),
        _ => None,
    }
}

pub(super) fn mask_output(output: &mut Value, secrets: &Secrets) {
    let Value::Object(fields) = output else { return };
    for (field, value) in fields {
        match field.as_str() {
            "output_type" | "execution_count" => {}
            "name" if *value == "stdout" || *value == "stderr" => {}
            "data" => mask_bundle(value, secrets),
            _ => mask_json(value, secrets, false),
        }
    }
}

/// Masks what an output shows, but for pictures. Media types that everybody knows stay, or nothing would be shown at all.
fn mask_bundle(data: &mut Value, secrets: &Secrets) {
    if let Value::Object(data) = data {
        for (_, value) in data.iter_mut().filter(|(media_type, value)| !(is_base64(media_type) && is_encoded(value))) {
            mask_json(value, secrets, false);
        }
    }
    mask_keys(data, secrets, |media_type| KNOWN.contains(&media_type));
}

/// Media types that notebooks show.
const KNOWN: [&str; 14] = [
    "text/plain",
    "text/html",
    "text/markdown",
    "text/latex",
    "text/csv",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "application/json",
    "application/javascript",
    "application/pdf",
    "application/vnd.jupyter.widget-view+json",
];

/// Whether nbformat has data of this media type as base64, in which a short secret could come up by chance.
fn is_base64(media_type: &str) -> bool {
    let starts = |kind: &str| media_type.starts_with(kind);
    media_type != "image/svg+xml"
        && (starts("image/") || starts("audio/") || starts("video/") || starts("application/pdf"))
}

/// Whether this is base64, in lines or not.
fn is_encoded(value: &Value) -> bool {
    let lines: Vec<&str> = match value {
        Value::String(text) => vec![text],
        Value::Array(lines) => lines.iter().map(|line| line.as_str().unwrap_or(" ")).collect(),
        _ => return false,
    };
    let bytes = lines.iter().flat_map(|line| line.bytes()).filter(|byte| !b"\r\n".contains(byte));
    let count = bytes.clone().count();
    count % 4 == 0 && bytes.clone().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
}
