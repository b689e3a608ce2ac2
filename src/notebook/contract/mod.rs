//! The contract of a notebook: from what Python read in its `parameters` cell to a JSON Schema, and from what a call passes to
//! values of the types that the notebook declares. Also what callers lose when a contract changes.
//!
//! Pure. It never tells a sensitive value, and what it lets pass can be written as literals.

mod changes;
mod check;
mod coerce;
mod names;
mod number;
mod shape;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

pub use changes::{Terms, breaking};
pub use check::{Checker, Rules};

use super::{Language, identifier};
use crate::model::Contract;

/// The contract of a Python notebook without a `parameters` cell.
#[must_use]
pub fn empty() -> Contract {
    assemble(Map::new(), &[])
}

/// The contract of these parameters. Names that no call can set are left out, and so are defaults that do not fit their type.
#[must_use]
pub fn assemble(properties: Map<String, Value>, required: &[String]) -> Contract {
    let mut kept = Map::new();
    for (name, mut schema) in properties {
        if !identifier::is_variable(Language::Python, &name) || !schema.is_object() {
            continue;
        }
        if let Some(default) = schema.get("default")
            && !check::validator(&schema).is_ok_and(|validator| validator.is_valid(default))
            && let Some(schema) = schema.as_object_mut()
        {
            schema.shift_remove("default");
        }
        kept.insert(name, schema);
    }
    let required: Vec<&String> = required.iter().filter(|name| kept.contains_key(*name)).collect();
    Contract::new(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": required,
        "properties": kept,
    }))
}
