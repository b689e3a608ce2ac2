//! Tests of the notebook module; those of literals ask the real interpreters.

mod bash;
mod diff;
mod document;
mod golden;
mod inject;
mod interpreter;
mod python;
mod strategies;
mod upgrade;

use chrono::{Datelike as _, Timelike as _};
use serde_json::Value;

use super::{Injected, Language, Notebook, ParamValue, Parameters, inject as inject_into};

/// A notebook of nbformat 4.5 with these cells: kind, tags, source.
fn notebook(cells: &[(&str, &[&str], &str)]) -> Notebook {
    let cell = |(index, (kind, tags, source)): (usize, &(&str, &[&str], &str))| {
        let mut cell = serde_json::json!({
            "cell_type": kind, "id": format!("c{index}"), "metadata": { "tags": tags }, "source": source,
        });
        if *kind == "code" {
            cell["outputs"] = serde_json::json!([]);
            cell["execution_count"] = Value::Null;
        }
        cell
    };
    let cells: Vec<Value> = cells.iter().enumerate().map(cell).collect();
    Notebook::from_value(serde_json::json!({ "cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5 }))
        .unwrap()
}

/// The real source that the parameters give in a language.
pub(super) fn source(language: Language, parameters: &Parameters) -> String {
    injected(language, parameters, &[]).1.source().to_owned()
}

fn injected(language: Language, parameters: &Parameters, sensitive: &[&str]) -> (Notebook, Injected) {
    let mut notebook = notebook(&[("code", &[], "pass")]);
    let sensitive: Vec<String> = sensitive.iter().map(|&name| name.to_owned()).collect();
    let injected = inject_into(&mut notebook, Some(language), parameters, &sensitive).unwrap().unwrap();
    (notebook, injected)
}

fn params(json: Value) -> Parameters {
    Parameters::new(Vec::new(), json.into(), Vec::new())
}

/// The value as JSON, to tell it to an interpreter.
fn json(value: &ParamValue) -> Value {
    match value {
        ParamValue::Null => Value::Null,
        ParamValue::Bool(value) => Value::Bool(*value),
        ParamValue::Number(number) => Value::Number(number.clone()),
        ParamValue::Str(text) => Value::String(text.clone()),
        ParamValue::Bytes(_) => panic!("bytes have no JSON form"),
        ParamValue::List(items) => items.iter().map(json).collect(),
        ParamValue::Object(pairs) => pairs.iter().map(|(key, value)| (key.clone(), json(value))).collect(),
        // As `check.py` reads it.
        ParamValue::Date(date) => serde_json::json!({ "\0date": [date.year(), date.month(), date.day()] }),
        ParamValue::DateTime { local, offset } => {
            let micros = local.nanosecond() / 1000;
            let offset = offset.map(|offset| offset.local_minus_utc());
            let (year, month, day) = (local.year(), local.month(), local.day());
            let time = [local.hour(), local.minute(), local.second(), micros];
            serde_json::json!({ "\0time": [[year], [month, day], time, [offset]] })
        }
        ParamValue::Made { by, of } => serde_json::json!({ "\0made": [by, json(of)] }),
    }
}
