//! What a caller passed, as data: query, body and headers, with values any JSON document, form or upload can hold.
//!
//! It knows no media type and no language. Values may be secret, so nothing here shows them in its `Debug` form.

use std::fmt;

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

    /// Whether there is neither a query nor a body; every HTTP call has headers, so they do not count.
    pub fn is_empty(&self) -> bool {
        self.query.is_empty() && self.body == ParamValue::Null
    }

    /// The parameters by name, in order: the query's, with those of an object body over them and after them.
    pub fn named(&self) -> Vec<(&str, &ParamValue)> {
        let body: &[(String, ParamValue)] = if let ParamValue::Object(pairs) = &self.body { pairs } else { &[] };
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
