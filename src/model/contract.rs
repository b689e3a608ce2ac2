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
