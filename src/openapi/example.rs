//! Values to show and to try: a parameter's default, else one of its kind.

use serde_json::{Value, json};

/// Some value that a schema takes.
pub(super) fn of(schema: &Value) -> Value {
    if let Some(value) = schema.get("default").or_else(|| schema.get("const")).or_else(|| schema["enum"].get(0)) {
        return value.clone();
    }
    if let Some(first) = schema["anyOf"].get(0) {
        return of(first);
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or_default();
    match (kind, schema["format"].as_str().unwrap_or_default()) {
        ("integer", _) => schema.get("minimum").cloned().unwrap_or(json!(1)),
        ("number", _) => schema.get("minimum").cloned().unwrap_or(json!(1.5)),
        ("boolean", _) => json!(true),
        ("array", _) => json!([of(&schema["items"])]),
        ("object", _) => json!({}),
        ("null", _) => Value::Null,
        (_, "date") => json!("2026-01-31"),
        (_, "date-time") => json!("2026-01-31T08:00:00Z"),
        (_, "time") => json!("08:00:00"),
        _ => json!("text"),
    }
}
