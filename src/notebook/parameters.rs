//! What a caller passed, as data: query, body and headers, with values any JSON document, form or upload can hold.
//!
//! It knows no media type and no language. Values may be secret, so nothing here shows them in its `Debug` form.

use std::fmt;

use chrono::{FixedOffset, NaiveDate, NaiveDateTime};
use serde_json::{Number, Value};

/// A value a caller passed.
#[derive(Clone, PartialEq)]
pub enum ParamValue {
    Null,
    Bool(bool),
    /// A number by its text, whatever its size (`1e400`, integers of any length).
    Number(Number),
    Str(String),
    Bytes(Vec<u8>),
    List(Vec<ParamValue>),
    /// Names in order, each once.
    Object(Vec<(String, ParamValue)>),
    // These only where a contract asks for them, and never from a caller alone.
    Date(NaiveDate),
    /// To the microsecond. Without an offset it is in UTC, and the notebook gets it without a time zone.
    DateTime {
        local: NaiveDateTime,
        offset: Option<FixedOffset>,
    },
    /// What calling `by` gives, an identifier from the contract: a class of the notebook's or a type of the language.
    Made {
        by: String,
        of: Box<ParamValue>,
    },
}

impl From<Value> for ParamValue {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::Str(text),
            Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Object(map) => Self::Object(map.into_iter().map(|(key, value)| (key, value.into())).collect()),
        }
    }
}

impl From<&str> for ParamValue {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl ParamValue {
    /// An object of name-value pairs as a form or a query has them: a name that is repeated gets the list of its values,
    /// at the place where it came first.
    #[must_use]
    pub fn merged(pairs: Vec<(String, ParamValue)>) -> Self {
        Self::Object(merge(pairs))
    }

    /// The value as JSON has it: dates as text (RFC 3339), and as text too a number that is too large for a double.
    #[must_use]
    pub fn json(&self) -> Value {
        match self {
            Self::Null | Self::Bytes(_) => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(number) => {
                let text = number.to_string();
                let whole = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
                let finite = || text.parse::<f64>().ok().and_then(Number::from_f64);
                if whole {
                    Value::Number(number.clone())
                } else {
                    finite().map_or(Value::String(text.clone()), Value::Number)
                }
            }
            Self::Str(text) => Value::String(text.clone()),
            Self::List(items) => items.iter().map(Self::json).collect(),
            Self::Object(pairs) => pairs.iter().map(|(name, value)| (name.clone(), value.json())).collect(),
            Self::Date(date) => Value::String(date.to_string()),
            Self::DateTime { local, offset } => Value::String(date_time(local, offset.as_ref(), "Z")),
            Self::Made { of, .. } => of.json(),
        }
    }

    /// A date or date-time in ISO 8601, and what a made value is made of: what languages get that have no such types.
    pub(super) fn plain(&self) -> Option<ParamValue> {
        match self {
            Self::Date(date) => Some(Self::Str(date.to_string())),
            Self::DateTime { local, offset } => Some(Self::Str(date_time(local, offset.as_ref(), "Z"))),
            Self::Made { of, .. } => Some((**of).clone()),
            _ => None,
        }
    }
}

/// As ISO 8601 has it, with three or six digits of a fraction or none. `naive` stands where there is no offset.
pub(super) fn date_time(local: &NaiveDateTime, offset: Option<&FixedOffset>, naive: &str) -> String {
    let offset = offset.map_or_else(|| naive.to_owned(), ToString::to_string);
    format!("{}{offset}", local.format("%Y-%m-%dT%H:%M:%S%.f"))
}

/// Shows the kind and size only: the value may be a secret.
impl fmt::Debug for ParamValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Bool(_) => f.write_str("Bool"),
            Self::Number(_) => f.write_str("Number"),
            Self::Str(text) => write!(f, "Str({} bytes)", text.len()),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::List(items) => write!(f, "List({})", items.len()),
            Self::Object(pairs) => write!(f, "Object({})", pairs.len()),
            Self::Date(_) => f.write_str("Date"),
            Self::DateTime { .. } => f.write_str("DateTime"),
            Self::Made { by, .. } => write!(f, "Made({by})"),
        }
    }
}

/// What one call passed.
#[derive(Clone, PartialEq)]
pub struct Parameters {
    query: Vec<(String, ParamValue)>,
    body: ParamValue,
    headers: Vec<(String, String)>,
}

impl Parameters {
    /// `query` in the order of the URL and `body` as parsed by its media type (`Null` when there is none).
    ///
    /// Repeated names in `query` and in an object `body` are merged to lists. Header names become lowercase, and repeated
    /// headers are joined by ", " (RFC 9110, section 5.3), cookies by "; " (RFC 6265, section 5.4).
    #[must_use]
    pub fn new(query: Vec<(String, ParamValue)>, body: ParamValue, headers: Vec<(String, String)>) -> Self {
        let body = match body {
            ParamValue::Object(pairs) => ParamValue::merged(pairs),
            body => body,
        };
        Self { query: merge(query), body, headers: join(headers) }
    }

    /// A call that passes nothing, e.g. one by a schedule.
    #[must_use]
    pub fn none() -> Self {
        Self { query: Vec::new(), body: ParamValue::Null, headers: Vec::new() }
    }

    pub fn query(&self) -> &[(String, ParamValue)] {
        &self.query
    }

    pub fn body(&self) -> &ParamValue {
        &self.body
    }

    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The members of an object body; of any other body, none.
    pub fn body_pairs(&self) -> &[(String, ParamValue)] {
        if let ParamValue::Object(pairs) = &self.body { pairs } else { &[] }
    }

    /// With every parameter's value changed; a body that is no object stays.
    #[must_use]
    pub(super) fn map(self, change: impl Fn(&str, ParamValue) -> ParamValue) -> Self {
        let all = |pairs: Vec<(String, ParamValue)>| -> Vec<(String, ParamValue)> {
            let changed = |(name, value): (String, ParamValue)| {
                let value = change(&name, value);
                (name, value)
            };
            pairs.into_iter().map(changed).collect()
        };
        let body = match self.body {
            ParamValue::Object(pairs) => ParamValue::Object(all(pairs)),
            body => body,
        };
        Self { query: all(self.query), body, headers: self.headers }
    }

    /// Whether there is neither a query nor a body; every HTTP call has headers, so they do not count.
    pub fn is_empty(&self) -> bool {
        self.query.is_empty() && self.body == ParamValue::Null
    }

    /// The parameters by name, in order: the query's, with those of an object body over them and after them.
    pub fn named(&self) -> Vec<(&str, &ParamValue)> {
        let body = self.body_pairs();
        let in_body: std::collections::HashSet<&str> = body.iter().map(|(name, _)| name.as_str()).collect();
        let query = self.query.iter().filter(|(name, _)| !in_body.contains(name.as_str()));
        query.chain(body).map(|(name, value)| (name.as_str(), value)).collect()
    }
}

/// Shows names and kinds only: values may be secrets.
impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Parameters")
            .field("query", &self.query)
            .field("body", &self.body)
            .field("headers", &headers)
            .finish()
    }
}

fn merge(pairs: Vec<(String, ParamValue)>) -> Vec<(String, ParamValue)> {
    let mut places = std::collections::HashMap::new();
    let mut merged: Vec<(String, Vec<ParamValue>)> = Vec::new();
    for (name, value) in pairs {
        let place = *places.entry(name.clone()).or_insert(merged.len());
        match merged.get_mut(place) {
            Some((_, values)) => values.push(value),
            None => merged.push((name, vec![value])),
        }
    }
    let single = |mut values: Vec<ParamValue>| match values.len() {
        1 => values.remove(0),
        _ => ParamValue::List(values),
    };
    merged.into_iter().map(|(name, values)| (name, single(values))).collect()
}

fn join(headers: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut joined: Vec<(String, String)> = Vec::new();
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        let separator = if name == "cookie" { "; " } else { ", " };
        match joined.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => {
                values.push_str(separator);
                values.push_str(&value);
            }
            None => joined.push((name, value)),
        }
    }
    joined
}
