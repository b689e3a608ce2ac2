//! What a run's cells printed and raised, from its executed notebook. Pure.

use std::fmt::Write;

use serde_json::Value;

/// The streams and errors of a notebook's cells (nbformat 4), each under a header with the cell's execution count.
pub(super) fn log(notebook: &Value) -> String {
    let mut log = String::new();
    for cell in array(notebook, "cells") {
        let texts: Vec<String> = array(cell, "outputs").iter().filter_map(printed).collect();
        if texts.is_empty() {
            continue;
        }
        let count =
            cell.get("execution_count").and_then(Value::as_u64).map_or_else(|| " ".to_owned(), |n| n.to_string());
        // Writing to a string cannot fail.
        let _ = writeln!(log, "--- [{count}]");
        for text in texts {
            log.push_str(&text);
            if !text.ends_with('\n') {
                log.push('\n');
            }
        }
    }
    log
}

fn printed(output: &Value) -> Option<String> {
    let text = |name: &str| output.get(name).map(multiline).filter(|text| !text.is_empty());
    match output.get("output_type")?.as_str()? {
        "stream" => text("text"),
        "error" => {
            let lines: Vec<&str> = array(output, "traceback").iter().filter_map(Value::as_str).collect();
            if lines.is_empty() {
                Some(format!("{}: {}", text("ename")?, text("evalue")?))
            } else {
                Some(lines.join("\n"))
            }
        }
        _ => None,
    }
}

fn array<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// nbformat's `multiline_string`: a string, or a list of its lines with their line feeds.
fn multiline(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}
