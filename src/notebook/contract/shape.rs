//! A parameter's JSON Schema as coercion needs it: which kind of value the notebook gets.

use serde_json::Value;

use super::super::{Language, ParamValue, identifier};
use super::number;

/// What a value may be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Any,
    Null,
    Bool,
    Int,
    Float,
    Str,
    Date,
    DateTime {
        /// It arrives without a time zone, in UTC.
        naive: bool,
    },
    List {
        item: Box<Shape>,
        made_by: Option<String>,
    },
    Dict(Box<Shape>),
    OneOf {
        values: Vec<Value>,
        made_by: Option<String>,
    },
    Union(Vec<Shape>),
}

impl Shape {
    /// What is not known fits anything.
    pub(super) fn of(schema: &Value) -> Self {
        let inner = |key: &str| Box::new(schema.get(key).map_or(Self::Any, Self::of));
        if let Some(parts) = schema["anyOf"].as_array() {
            return Self::Union(parts.iter().map(Self::of).collect());
        }
        if let Some(values) = schema["enum"].as_array() {
            return Self::OneOf { values: values.clone(), made_by: made_by(schema) };
        }
        match (schema["type"].as_str(), schema["format"].as_str()) {
            (Some("null"), _) => Self::Null,
            (Some("boolean"), _) => Self::Bool,
            (Some("integer"), _) => Self::Int,
            (Some("number"), _) => Self::Float,
            (Some("string"), Some("date")) => Self::Date,
            (Some("string"), Some("date-time")) => Self::DateTime { naive: schema["x-nbhook-naive"] == true },
            (Some("string"), _) => Self::Str,
            (Some("array"), _) => Self::List { item: inner("items"), made_by: made_by(schema) },
            (Some("object"), _) => Self::Dict(inner("additionalProperties")),
            _ => Self::Any,
        }
    }

    /// Whether a list of such items may have this one.
    pub(super) fn holds(&self, item: &Self, value: &ParamValue) -> bool {
        item.fits(value) && (!self.is_set() || is_hashable(value))
    }

    /// Whether it becomes a set, whose items have to be hashable.
    pub(super) fn is_set(&self) -> bool {
        matches!(self, Self::List { made_by: Some(by), .. } if by == "set" || by == "frozenset")
    }

    /// Whether the value is what the notebook gets for this, to the type: `5` is no float.
    pub(super) fn fits(&self, value: &ParamValue) -> bool {
        use ParamValue as V;
        match (self, value) {
            (Self::List { item, .. }, V::List(items)) => items.iter().all(|each| self.holds(item, each)),
            (Self::List { .. }, V::Made { of, .. }) => self.fits(of),
            (Self::OneOf { values, .. }, value) => values.contains(&value.json()),
            (Self::Dict(inner), V::Object(pairs)) => pairs.iter().all(|(_, each)| inner.fits(each)),
            (Self::Int, V::Number(given)) => number::is_int(given),
            (Self::Float, V::Number(given)) => number::is_float(given),
            (Self::Union(parts), value) => parts.iter().any(|part| part.fits(value)),
            (Self::Any, _)
            | (Self::Null, V::Null)
            | (Self::Bool, V::Bool(_))
            | (Self::Str, V::Str(_))
            | (Self::Date, V::Date(_))
            | (Self::DateTime { .. }, V::DateTime { .. }) => true,
            _ => false,
        }
    }
}

/// Whether Python can put the value into a set.
fn is_hashable(value: &ParamValue) -> bool {
    match value {
        ParamValue::List(_) | ParamValue::Object(_) => false,
        ParamValue::Made { by, of } => match &**of {
            ParamValue::List(items) => by != "set" && items.iter().all(is_hashable), // a tuple or a frozenset
            _ => true,
        },
        _ => true,
    }
}

/// The name of what makes the value, which becomes code: a class of the notebook's, or a type of Python's.
fn made_by(schema: &Value) -> Option<String> {
    let name = schema["x-nbhook-python"].as_str()?;
    identifier::is_variable(Language::Python, name).then(|| name.to_owned())
}
