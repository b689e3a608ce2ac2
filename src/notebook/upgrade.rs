//! The upgrade of nbformat 3 to nbformat 4.5, field by field as Python's `nbformat.v4.upgrade` does it.
//!
//! Two differences: cell ids are counted (`cell-0`) instead of random, so that the same file always gives the same notebook;
//! and the language of the code cells, which nbformat 4 keeps in the metadata, is not lost. Keys that nbformat 4 forbids in a
//! cell or output are dropped.

use serde_json::{Map, Value, json};

use crate::model::Invalid;

/// Turns an nbformat 3 document into an nbformat 4.5 one, which is still to be checked.
///
/// # Errors
/// [`Invalid`] of field `notebook` where worksheets, cells or outputs are not what nbformat 3 says.
pub(super) fn from_v3(value: Value) -> Result<Value, Invalid> {
    let Value::Object(mut root) = value else { return Err(wrong("the file", "must be a JSON object")) };
    let mut metadata = match root.shift_remove("metadata") {
        Some(Value::Object(metadata)) => metadata,
        None => Map::new(),
        Some(_) => return Err(wrong("metadata", "must be an object")),
    };
    metadata.shift_remove("name");
    metadata.shift_remove("signature");
    let mut cells = Vec::new();
    let mut language = None;
    for (sheet, worksheet) in take_list(&mut root, "worksheets", "worksheets")?.into_iter().enumerate() {
        let place = format!("worksheets[{sheet}]");
        let Value::Object(mut worksheet) = worksheet else { return Err(wrong(&place, "must be an object")) };
        for (index, cell) in take_list(&mut worksheet, "cells", &format!("{place}.cells"))?.into_iter().enumerate() {
            let place = format!("{place}.cells[{index}]");
            let Value::Object(cell) = cell else { return Err(wrong(&place, "must be an object")) };
            language = language.or_else(|| cell.get("language").and_then(Value::as_str).map(str::to_owned));
            cells.push(upgrade_cell(cell, cells.len(), &place)?);
        }
    }
    if let Some(language) = language
        && !metadata.contains_key("kernelspec")
        && !metadata.contains_key("language_info")
    {
        metadata.insert("language_info".into(), json!({ "name": language }));
    }
    Ok(json!({ "cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5 }))
}

fn upgrade_cell(mut cell: Map<String, Value>, index: usize, place: &str) -> Result<Value, Invalid> {
    let mut metadata = cell.shift_remove("metadata").unwrap_or_else(|| json!({}));
    let id = format!("cell-{index}");
    let source = multiline(cell.get("source"));
    match cell.get("cell_type").and_then(Value::as_str) {
        Some("code") => {
            if let (Some(collapsed), Some(metadata)) = (cell.shift_remove("collapsed"), metadata.as_object_mut()) {
                metadata.insert("collapsed".into(), collapsed);
            }
            let outputs = take_list(&mut cell, "outputs", &format!("{place}.outputs"))?;
            let outputs: Result<Vec<Value>, Invalid> = outputs
                .into_iter()
                .enumerate()
                .map(|(index, output)| upgrade_output(output, &format!("{place}.outputs[{index}]")))
                .collect();
            Ok(json!({
                "cell_type": "code",
                "execution_count": count(cell.get("prompt_number")),
                "id": id,
                "metadata": metadata,
                "outputs": outputs?,
                "source": multiline(cell.get("input")),
            }))
        }
        Some("heading") => {
            let level = cell.get("level").and_then(Value::as_u64).unwrap_or(1).clamp(1, 6);
            let line = source.lines().collect::<Vec<_>>().join(" ");
            let source = format!("{} {line}", (0..level).map(|_| '#').collect::<String>());
            Ok(json!({ "cell_type": "markdown", "id": id, "metadata": metadata, "source": source }))
        }
        Some(kind @ ("markdown" | "html" | "raw")) => {
            let kind = if kind == "raw" { "raw" } else { "markdown" };
            Ok(json!({ "cell_type": kind, "id": id, "metadata": metadata, "source": source }))
        }
        _ => Err(wrong(
            &format!("{place}.cell_type"),
            "must be \"code\", \"markdown\", \"heading\", \"html\" or \"raw\"",
        )),
    }
}

fn upgrade_output(output: Value, place: &str) -> Result<Value, Invalid> {
    let Value::Object(mut output) = output else { return Err(wrong(place, "must be an object")) };
    let Some(Value::String(kind)) = output.shift_remove("output_type") else {
        return Err(wrong(&format!("{place}.output_type"), "must be a string"));
    };
    match kind.as_str() {
        "pyout" | "display_data" => {
            let metadata = match output.shift_remove("metadata") {
                Some(Value::Object(metadata)) => by_media_type(metadata),
                _ => Map::new(),
            };
            let number = output.shift_remove("prompt_number");
            let data = bundle(output);
            if kind == "display_data" {
                return Ok(json!({ "data": data, "metadata": metadata, "output_type": "display_data" }));
            }
            Ok(json!({
                "data": data,
                "execution_count": count(number.as_ref()),
                "metadata": metadata,
                "output_type": "execute_result",
            }))
        }
        "pyerr" => Ok(json!({
            "ename": multiline(output.get("ename")),
            "evalue": multiline(output.get("evalue")),
            "output_type": "error",
            "traceback": output.shift_remove("traceback").unwrap_or_else(|| json!([])),
        })),
        "stream" => Ok(json!({
            "name": output.get("stream").and_then(Value::as_str).unwrap_or("stdout"),
            "output_type": "stream",
            "text": multiline(output.get("text")),
        })),
        _ => {
            Err(wrong(&format!("{place}.output_type"), "must be \"stream\", \"display_data\", \"pyout\" or \"pyerr\""))
        }
    }
}

/// The data of an output, whose keys in nbformat 3 stand beside `output_type`.
fn bundle(output: Map<String, Value>) -> Map<String, Value> {
    let mut data = by_media_type(output);
    for (media_type, value) in &mut data {
        if value.is_array() {
            *value = multiline(Some(value)).into();
        }
        // nbformat 3 keeps JSON as text, nbformat 4 as a value; what does not parse stays the text it was.
        if media_type == "application/json"
            && let Some(parsed) = value.as_str().and_then(|text| serde_json::from_str(text).ok())
        {
            *value = parsed;
        }
    }
    data
}

/// Replaces the short names of nbformat 3 by media types.
fn by_media_type(map: Map<String, Value>) -> Map<String, Value> {
    let rename = |key: String| match key.as_str() {
        "text" => "text/plain".to_owned(),
        "html" => "text/html".to_owned(),
        "svg" => "image/svg+xml".to_owned(),
        "png" => "image/png".to_owned(),
        "jpeg" => "image/jpeg".to_owned(),
        "latex" => "text/latex".to_owned(),
        "json" => "application/json".to_owned(),
        "javascript" => "application/javascript".to_owned(),
        _ => key,
    };
    map.into_iter().map(|(key, value)| (rename(key), value)).collect()
}

/// A text of nbformat 3: lists of lines come with their line ends or, from older writers, without.
fn multiline(text: Option<&Value>) -> String {
    match text {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(lines)) => {
            let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
            let ended = lines.first().is_some_and(|line| line.ends_with(['\n', '\r']));
            lines.join(if ended { "" } else { "\n" })
        }
        _ => String::new(),
    }
}

/// A prompt number, or null where a browser left something else (`"*"` for a cell that was running).
fn count(number: Option<&Value>) -> Value {
    number.filter(|number| number.is_u64()).cloned().unwrap_or(Value::Null)
}

fn take_list(parent: &mut Map<String, Value>, key: &str, place: &str) -> Result<Vec<Value>, Invalid> {
    match parent.shift_remove(key) {
        Some(Value::Array(list)) => Ok(list),
        None => Ok(Vec::new()),
        Some(_) => Err(wrong(place, "must be a list")),
    }
}

fn wrong(place: &str, rule: &str) -> Invalid {
    Invalid::new("notebook", format!("{place}: {rule}"))
}
