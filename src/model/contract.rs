//! What a version's notebook takes: a JSON Schema of its parameters.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A JSON Schema (2020-12) of an object with one property for each parameter, in the order of the notebook's `parameters` cell:
/// `{"$schema": …, "type": "object", "properties": {name: schema}, "required": [name]}`.
///
/// A property has what was said of the parameter: `type`, `format` (`date`, `date-time`), `enum`, `items`,
/// `additionalProperties`, `anyOf`, `description`, `default`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Contract(Value);

/// One parameter of a contract.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter<'a> {
    pub name: &'a str,
    /// Its JSON Schema.
    pub schema: &'a Value,
    pub required: bool,
}

impl Contract {
    /// Takes a schema of the shape above.
    pub fn new(schema: Value) -> Self {
        Self(schema)
    }

    pub fn schema(&self) -> &Value {
        &self.0
    }

    /// The parameters, in the order of the notebook.
    pub fn parameters(&self) -> impl Iterator<Item = Parameter<'_>> {
        let properties = self.0.get("properties").and_then(Value::as_object);
        properties.into_iter().flatten().map(|(name, schema)| Parameter {
            name,
            schema,
            required: self.0["required"].as_array().is_some_and(|names| names.iter().any(|required| required == name)),
        })
    }
}

/// What fits a schema, for people: `integer`, `list of number or null`, `one of "a", "b"`.
#[must_use]
pub fn describe(schema: &Value) -> String {
    let inner = |key: &str| schema.get(key).map(describe).filter(|inner| inner != ANYTHING);
    let of = |name: &str, key| inner(key).map_or_else(|| name.to_owned(), |inner| format!("{name} of {inner}"));
    if let Some(parts) = schema.get("anyOf").and_then(Value::as_array) {
        return parts.iter().map(describe).collect::<Vec<_>>().join(" or ");
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let mut shown: Vec<String> = values.iter().take(MOST_VALUES).map(ToString::to_string).collect();
        shown.extend((values.len() > MOST_VALUES).then(|| format!("{} others", values.len() - MOST_VALUES)));
        return if shown.len() == 1 { shown.concat() } else { format!("one of {}", shown.join(", ")) };
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("string"), Some("date")) => "date (YYYY-MM-DD)".to_owned(),
        (Some("string"), Some("date-time")) => "date-time (RFC 3339, as 2024-01-31T12:00:00Z)".to_owned(),
        (Some("array"), _) => of("list", "items"),
        (Some("object"), _) => of("object", "additionalProperties"),
        (Some(name), _) => name.to_owned(),
        (None, _) => ANYTHING.to_owned(),
    }
}

const ANYTHING: &str = "anything";
/// Values of an `enum` that are named.
const MOST_VALUES: usize = 20;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_in_words() {
        for (schema, words) in [
            (json!({}), "anything"),
            (json!({"type": "integer", "default": 5}), "integer"),
            (json!({"type": "string", "format": "date"}), "date (YYYY-MM-DD)"),
            (json!({"type": "array", "items": {"type": "array"}}), "list of list"),
            (json!({"type": "object", "additionalProperties": {"type": "number"}}), "object of number"),
            (json!({"type": "object", "additionalProperties": {}}), "object"),
            (json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}), "integer or null"),
            (json!({"enum": ["a", 1]}), "one of \"a\", 1"),
            (json!({"enum": ["a"]}), "\"a\""),
            (json!({"enum": (0..22).collect::<Vec<_>>()}), "2 others"),
        ] {
            let described = describe(&schema);
            assert!(described == words || described.ends_with(&format!("19, {words}")), "{described}");
        }
    }
}
