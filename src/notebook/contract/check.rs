//! Whether a call keeps to the contract: its values become the notebook's types, or it is told all that is wrong with it.

use std::collections::HashMap;

use jsonschema::paths::LocationSegment;
use jsonschema::{Draft, ValidationError, Validator};
use serde_json::{Map, Value, json};

use super::super::{ParamValue, Parameters, redact};
use super::names;
use super::shape::Shape;
use crate::model::{Contract, InvalidParameter, Place, describe};

/// What is told of one call at most, for each place.
const MOST_ERRORS: usize = 100;
/// Of a value with more parts only the first wrong one is told: to find all of them takes hundreds of bytes for each.
const MOST_PARTS: usize = 1_000;
/// Characters of a value that are told.
const MOST_SHOWN: usize = 60;
/// What items of a set have to be, whatever their type.
const HASHABLE: &str = "something that a set can hold, as no list and no object is";
/// Stands for what is not told.
const HIDDEN: &str = "(hidden)";

/// A contract, prepared for many calls.
#[derive(Debug)]
pub struct Checker {
    contract: Contract,
    shapes: HashMap<String, Shape>,
    validator: Validator,
}

/// What a hook says about its calls' parameters.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// Whether names that the contract does not have are refused.
    pub strict: bool,
    /// Names of parameters whose values are not told.
    pub sensitive: &'a [String],
}

/// A validator of draft 2020-12 that asserts formats.
pub(super) fn validator(schema: &Value) -> Result<Validator, String> {
    let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
    options.build(schema).map_err(|error| error.to_string())
}

impl Checker {
    /// # Errors
    /// When the contract is no JSON Schema.
    pub fn new(contract: &Contract) -> Result<Self, String> {
        let shapes: HashMap<_, _> =
            contract.parameters().map(|parameter| (parameter.name.to_owned(), Shape::of(parameter.schema))).collect();
        // What is missing is looked for by name: a parameter may come by either of two ways.
        let validator = validator(&json!({"type": "object", "properties": contract.schema()["properties"]}))?;
        Ok(Self { contract: contract.clone(), shapes, validator })
    }

    /// The parameters with the types that the notebook declares. What it does not declare stays as it is.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn check(&self, parameters: Parameters, rules: Rules<'_>) -> Result<Parameters, Vec<InvalidParameter>> {
        let coerced = parameters.map(|name, value| match self.shapes.get(name) {
            Some(shape) => shape.coerce(value),
            None => value,
        });
        let mut errors = Vec::new();
        for (place, pairs) in [(Place::Query, coerced.query()), (Place::Body, coerced.body_pairs())] {
            errors.extend(Passed { checker: self, place, pairs, rules }.errors());
        }
        errors.extend(self.missing(&coerced));
        if errors.is_empty() { Ok(coerced) } else { Err(errors) }
    }

    fn missing(&self, parameters: &Parameters) -> impl Iterator<Item = InvalidParameter> {
        let place = if matches!(parameters.body(), ParamValue::Object(_)) { Place::Body } else { Place::Query };
        let required = self.contract.parameters().filter(|parameter| parameter.required);
        let missing = required.filter(|parameter| !parameters.named().iter().any(|(name, _)| *name == parameter.name));
        missing.map(move |parameter| InvalidParameter {
            place,
            name: parameter.name.to_owned(),
            message: "is missing".to_owned(),
            expected: Some(describe(parameter.schema)),
            got: None,
        })
    }
}

/// The parameters that a call has in one place.
struct Passed<'a> {
    checker: &'a Checker,
    place: Place,
    pairs: &'a [(String, ParamValue)],
    rules: Rules<'a>,
}

impl Passed<'_> {
    fn errors(&self) -> Vec<InvalidParameter> {
        let declared =
            || self.pairs.iter().filter_map(|(name, value)| Some((name, value, self.checker.shapes.get(name)?)));
        let typed = declared().filter(|(_, value, shape)| **shape != Shape::Any && is_small(value));
        let instance: Map<String, Value> = typed.map(|(name, value, _)| (name.clone(), value.json())).collect();
        let instance = Value::Object(instance);
        let mut paths: Vec<Vec<Step>> = Vec::new();
        for path in self.checker.validator.iter_errors(&instance).take(MOST_ERRORS).map(|error| steps(&error)) {
            if !path.is_empty() && !paths.contains(&path) {
                paths.push(path);
            }
        }
        // What is large; and what JSON Schema allows and Python has not, as the year 0.
        for (name, value, shape) in declared().filter(|(_, value, shape)| !shape.fits(value)) {
            if !paths.iter().any(|path| path.first() == Some(&Step::Name(name.clone()))) {
                paths.push(first_misfit(name, value, shape));
            }
        }
        let mut errors: Vec<_> = paths.iter().filter_map(|path| self.wrong(path)).collect();
        if self.rules.strict {
            let unknown = self.pairs.iter().filter(|(name, _)| !self.checker.shapes.contains_key(name));
            errors.extend(unknown.take(MOST_ERRORS).map(|(name, _)| self.unknown(name)));
        }
        errors
    }

    fn wrong(&self, path: &[Step]) -> Option<InvalidParameter> {
        let Some(Step::Name(name)) = path.first() else { return None };
        let schema = self.checker.contract.parameters().find(|parameter| parameter.name == name)?.schema;
        let value = self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value)?;
        let (mut schema, mut at, mut in_set) = (schema, Some(value), false);
        for step in &path[1..] {
            in_set = Shape::of(schema).is_set();
            schema = inside(schema, step);
            at = at.and_then(|value| step.of(value));
        }
        let unhashable = in_set && at.is_some_and(|value| Shape::of(schema).fits(value));
        let expected = if unhashable { HASHABLE.to_owned() } else { describe(schema) };
        let repeated = path.len() == 1 && self.place == Place::Query && matches!(value, ParamValue::List(_));
        let message = if repeated && !expected.contains("list") {
            format!("is there more than once, and must be {expected}")
        } else {
            format!("must be {expected}")
        };
        let got = Some(at.map_or_else(|| HIDDEN.to_owned(), |value| self.shown(path, value)));
        Some(InvalidParameter { place: self.place, name: spell(path), message, expected: Some(expected), got })
    }

    /// Its value is not told: the name may be that of a sensitive one, misspelt.
    fn unknown(&self, name: &str) -> InvalidParameter {
        let known = names::nearest(name, self.checker.contract.parameters().map(|parameter| parameter.name));
        let meant = known.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default();
        let message = format!("is not a parameter of this notebook{meant}");
        InvalidParameter { place: self.place, name: cut(name), message, expected: None, got: None }
    }

    fn shown(&self, path: &[Step], value: &ParamValue) -> String {
        let sensitive = self.rules.sensitive;
        let all = if self.place == Place::Query { "params" } else { "body" };
        let mut names =
            path.iter().filter_map(|step| if let Step::Name(name) = step { Some(name.as_str()) } else { None });
        if redact::is_sensitive(all, sensitive) || names.any(|name| redact::is_sensitive(name, sensitive)) {
            return HIDDEN.to_owned();
        }
        let text = redact::without_secrets(value, sensitive).json().to_string();
        // JSON that could not be read as such may still hold a secret.
        let lower = text.to_lowercase();
        let mentions = sensitive.iter().any(|name| !name.is_empty() && lower.contains(&name.to_lowercase()));
        if mentions { HIDDEN.to_owned() } else { cut(&text) }
    }
}

/// A step on the way into a value.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    Name(String),
    Index(usize),
}

impl Step {
    fn of<'a>(&self, value: &'a ParamValue) -> Option<&'a ParamValue> {
        match (self, value) {
            (Self::Name(name), ParamValue::Object(pairs)) => {
                pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value)
            }
            (Self::Index(index), ParamValue::List(items)) => items.get(*index),
            // A name of digits only, which a JSON pointer writes as an index.
            (Self::Index(index), ParamValue::Object(_)) => Self::Name(index.to_string()).of(value),
            _ => None,
        }
    }
}

/// Whether all that is wrong with a value may be looked for.
fn is_small(value: &ParamValue) -> bool {
    fn within(value: &ParamValue, left: &mut usize) -> bool {
        let Some(rest) = left.checked_sub(1) else { return false };
        *left = rest;
        match value {
            ParamValue::List(items) => items.iter().all(|item| within(item, left)),
            ParamValue::Object(pairs) => pairs.iter().all(|(_, value)| within(value, left)),
            ParamValue::Made { of, .. } => within(of, left),
            _ => true,
        }
    }
    within(value, &mut MOST_PARTS.clone())
}

/// The way to the first part of a value that does not fit.
fn first_misfit(name: &str, mut value: &ParamValue, mut shape: &Shape) -> Vec<Step> {
    let mut path = vec![Step::Name(name.to_owned())];
    loop {
        let part = match (shape, value) {
            (Shape::List { item, .. }, ParamValue::List(items)) => {
                let at = items.iter().position(|each| !shape.holds(item, each));
                at.map(|at| (Step::Index(at), &items[at], item))
            }
            (Shape::Dict(inner), ParamValue::Object(pairs)) => {
                let misfit = pairs.iter().find(|(_, each)| !inner.fits(each));
                misfit.map(|(name, each)| (Step::Name(name.clone()), each, inner))
            }
            _ => None,
        };
        let Some((step, of, by)) = part else { return path };
        path.push(step);
        (value, shape) = (of, by);
    }
}

fn steps(error: &ValidationError<'_>) -> Vec<Step> {
    let step = |segment: LocationSegment<'_>| match segment {
        LocationSegment::Property(name) => Step::Name(name.into_owned()),
        LocationSegment::Index(index) => Step::Index(index),
    };
    error.instance_path().iter().map(step).collect()
}

/// The schema of what is inside of a list or an object; of itself where there is no telling.
fn inside<'a>(schema: &'a Value, step: &Step) -> &'a Value {
    let items = schema.get("items").filter(|_| matches!(step, Step::Index(_)));
    items.or_else(|| schema.get("additionalProperties")).unwrap_or(schema)
}

/// `items[2].price`.
fn spell(path: &[Step]) -> String {
    let spell = |(at, step): (usize, &Step)| match step {
        Step::Name(name) if at == 0 => name.clone(),
        Step::Name(name) => format!(".{}", cut(name)),
        Step::Index(index) => format!("[{index}]"),
    };
    path.iter().enumerate().map(spell).collect()
}

fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(MOST_SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
