//! Whether a JSON value is a notebook of nbformat 4: the checks that the rest of nbhook relies on.
//!
//! The rules are those of the nbformat 4 JSON schema, read with the tolerance Jupyter itself has: unknown keys, a kernelspec
//! without `display_name`, minor versions that are newer than 4.5 and cells without `id` are accepted. It changes nothing.

use serde_json::{Map, Value};

use crate::model::Invalid;

/// Checks a whole notebook.
///
/// # Errors
/// [`Invalid`] of field `notebook`, whose message starts with the place, e.g. `cells[3].source: …`.
pub(super) fn notebook(value: &Value) -> Result<(), Invalid> {
    let root = value.as_object().ok_or_else(|| wrong("the file", "must be a JSON object"))?;
    if root.get("nbformat").and_then(Value::as_u64) != Some(4) {
        return Err(wrong("nbformat", "must be 4 (or 3)"));
    }
    if root.get("nbformat_minor").and_then(Value::as_u64).is_none() {
        return Err(wrong("nbformat_minor", "must be a whole number"));
    }
    metadata(object(root, "metadata", "metadata")?)?;
    for (index, cell_value) in list(root, "cells", "cells")?.iter().enumerate() {
        cell(cell_value, &format!("cells[{index}]"))?;
    }
    Ok(())
}

fn metadata(metadata: &Map<String, Value>) -> Result<(), Invalid> {
    for key in ["kernelspec", "language_info"] {
        if metadata.contains_key(key) {
            let place = format!("metadata.{key}");
            let named = object(metadata, key, &place)?;
            string(named, "name", &format!("{place}.name"))?;
        }
    }
    Ok(())
}

fn cell(value: &Value, place: &str) -> Result<(), Invalid> {
    let cell = value.as_object().ok_or_else(|| wrong(place, "must be an object"))?;
    let kind = string(cell, "cell_type", &format!("{place}.cell_type"))?;
    if !matches!(kind, "code" | "markdown" | "raw") {
        return Err(wrong(&format!("{place}.cell_type"), "must be \"code\", \"markdown\" or \"raw\""));
    }
    multiline(cell, "source", &format!("{place}.source"))?;
    let metadata = object(cell, "metadata", &format!("{place}.metadata"))?;
    tags(metadata, &format!("{place}.metadata.tags"))?;
    if let Some(id) = cell.get("id")
        && !id.as_str().is_some_and(is_cell_id)
    {
        return Err(wrong(&format!("{place}.id"), "must be 1 to 64 letters, digits, \"-\" or \"_\""));
    }
    if kind == "code" {
        execution_count(cell, place)?;
        for (index, value) in list(cell, "outputs", &format!("{place}.outputs"))?.iter().enumerate() {
            output(value, &format!("{place}.outputs[{index}]"))?;
        }
    }
    Ok(())
}

/// The `cell_id` rule of nbformat 4.5.
fn is_cell_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn tags(metadata: &Map<String, Value>, place: &str) -> Result<(), Invalid> {
    let Some(tags) = metadata.get("tags") else { return Ok(()) };
    if tags.as_array().is_some_and(|tags| tags.iter().all(Value::is_string)) {
        return Ok(());
    }
    Err(wrong(place, "must be a list of strings"))
}

fn output(value: &Value, place: &str) -> Result<(), Invalid> {
    let output = value.as_object().ok_or_else(|| wrong(place, "must be an object"))?;
    match string(output, "output_type", &format!("{place}.output_type"))? {
        "stream" => {
            string(output, "name", &format!("{place}.name"))?;
            multiline(output, "text", &format!("{place}.text"))
        }
        kind @ ("display_data" | "execute_result") => {
            object(output, "data", &format!("{place}.data"))?;
            object(output, "metadata", &format!("{place}.metadata"))?;
            if kind == "execute_result" { execution_count(output, place) } else { Ok(()) }
        }
        "error" => {
            string(output, "ename", &format!("{place}.ename"))?;
            string(output, "evalue", &format!("{place}.evalue"))?;
            let traceback = list(output, "traceback", &format!("{place}.traceback"))?;
            if traceback.iter().all(Value::is_string) {
                return Ok(());
            }
            Err(wrong(&format!("{place}.traceback"), "must be a list of strings"))
        }
        _ => Err(wrong(
            &format!("{place}.output_type"),
            "must be \"stream\", \"display_data\", \"execute_result\" or \"error\"",
        )),
    }
}

fn execution_count(object: &Map<String, Value>, place: &str) -> Result<(), Invalid> {
    match object.get("execution_count") {
        Some(Value::Null) => Ok(()),
        Some(count) if count.is_u64() => Ok(()),
        _ => Err(wrong(&format!("{place}.execution_count"), "must be a whole number or null")),
    }
}

fn multiline(object: &Map<String, Value>, key: &str, place: &str) -> Result<(), Invalid> {
    match object.get(key) {
        Some(Value::String(_)) => Ok(()),
        Some(Value::Array(lines)) if lines.iter().all(Value::is_string) => Ok(()),
        _ => Err(wrong(place, "must be a string or a list of strings")),
    }
}

fn object<'a>(parent: &'a Map<String, Value>, key: &str, place: &str) -> Result<&'a Map<String, Value>, Invalid> {
    parent.get(key).and_then(Value::as_object).ok_or_else(|| wrong(place, "must be an object"))
}

fn list<'a>(parent: &'a Map<String, Value>, key: &str, place: &str) -> Result<&'a Vec<Value>, Invalid> {
    parent.get(key).and_then(Value::as_array).ok_or_else(|| wrong(place, "must be a list"))
}

fn string<'a>(parent: &'a Map<String, Value>, key: &str, place: &str) -> Result<&'a str, Invalid> {
    parent.get(key).and_then(Value::as_str).ok_or_else(|| wrong(place, "must be a string"))
}

fn wrong(place: &str, rule: &str) -> Invalid {
    Invalid::new("notebook", format!("{place}: {rule}"))
}
