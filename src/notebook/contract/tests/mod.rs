//! Coercion, checks and changes of contracts, from JSON Schemas and values to Python literals and errors.

mod changes;
mod checks;
mod values;

use serde_json::{Value, json};

use super::super::{ParamValue, Parameters};
use super::{Checker, assemble};
use crate::model::Contract;

fn contract(properties: &Value, required: &[&str]) -> Contract {
    let required: Vec<String> = required.iter().map(|&name| name.to_owned()).collect();
    assemble(properties.as_object().unwrap().clone(), &required)
}

fn checker(properties: &Value, required: &[&str]) -> Checker {
    Checker::new(&contract(properties, required)).unwrap()
}

/// What a query passes.
fn query(pairs: &[(&str, &str)]) -> Parameters {
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), ParamValue::from(*value)));
    Parameters::new(pairs.collect(), ParamValue::Null, Vec::new())
}

fn body(value: Value) -> Parameters {
    Parameters::new(Vec::new(), value.into(), Vec::new())
}

fn optional(schema: &Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

#[test]
fn what_no_call_can_set_and_defaults_that_do_not_fit_are_left_out() {
    let properties = json!({
        "n": {"type": "integer", "default": "five", "description": "d"},
        "day": {"type": "string", "format": "date", "default": "2024-01-31"},
        "class": {}, "params": {}, "ｐarams": {}, "odd": 5,
    });
    let contract = contract(&properties, &["class", "day"]);
    let expected = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["day"],
        "properties": {
            "n": {"type": "integer", "description": "d"},
            "day": {"type": "string", "format": "date", "default": "2024-01-31"},
        },
    });
    assert_eq!(contract.schema(), &expected);
}
