//! The callbacks that a hook declares: what it sends to URLs that its callers name, and what it expects there.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::{CallbackMethod, Invalid};

/// Callbacks of one hook, all names and expressions counted.
const MOST: usize = 50;
/// Characters of a name, an expression and a summary.
const LONGEST_NAME: usize = 100;
const LONGEST_KEY: usize = 2_000;
const LONGEST_SUMMARY: usize = 1_000;
/// All of them as JSON, in bytes.
const LARGEST: usize = 256 << 10;

/// The callbacks of a version, in the order of their declaration; at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredCallbacks(Vec<DeclaredCallback>);

/// One request that a hook makes.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredCallback {
    /// What notebook and document call it; several may have one name.
    pub name: String,
    /// Where it goes: a URL with runtime expressions of OpenAPI in it.
    pub key: String,
    pub method: CallbackMethod,
    pub summary: Option<String>,
    /// The JSON Schema of what is sent.
    pub body: Option<Value>,
    /// The JSON Schema of what is expected as the answer.
    pub response: Option<Value>,
}

impl DeclaredCallbacks {
    /// Reads `{name: {expression: {"method", "summary", "body", "response"}}}`. Null and `{}` declare nothing. Expressions and
    /// schemas are texts and objects here; whether they are right is for those who can read them.
    ///
    /// # Errors
    /// Names the first field that cannot be accepted, as `callbacks.invoice.body`.
    pub fn parse(value: Value) -> Result<Option<Self>, Invalid> {
        if value.to_string().len() > LARGEST {
            return Err(Invalid::new("callbacks", format!("are larger than {} KiB", LARGEST >> 10)));
        }
        let named = match value {
            Value::Null => return Ok(None),
            Value::Object(named) => named,
            _ => return Err(Invalid::new("callbacks", SHAPE)),
        };
        let mut all = Vec::new();
        for (name, by_key) in named {
            read_name(&name, by_key, &mut all)?;
        }
        if all.len() > MOST {
            return Err(Invalid::new("callbacks", format!("are more than {MOST}")));
        }
        Ok((!all.is_empty()).then_some(Self(all)))
    }

    pub fn iter(&self) -> impl Iterator<Item = &DeclaredCallback> {
        self.0.iter()
    }

    /// Those of one name.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a DeclaredCallback> {
        self.iter().filter(move |one| one.name == name)
    }

    /// The names, each once.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.iter().map(|one| one.name.as_str()).collect();
        names.dedup(); // those of one name follow one another
        names
    }
}

const SHAPE: &str =
    "must be an object of names, each with an object of URLs: {\"paid\": {\"{$callback_url}/paid\": {}}}";

fn read_name(name: &str, by_key: Value, all: &mut Vec<DeclaredCallback>) -> Result<(), Invalid> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(legal) {
        let shown: String = name.chars().take(LONGEST_NAME).collect();
        let message =
            format!("`{}` is no name: 1 to {LONGEST_NAME} letters, digits, `.`, `_` or `-`", shown.escape_debug());
        return Err(Invalid::new("callbacks", message));
    }
    let field = format!("callbacks.{name}");
    let Value::Object(by_key) = by_key else { return Err(Invalid::new(field, "must be an object of URLs")) };
    if by_key.is_empty() {
        return Err(Invalid::new(field, "has no URL"));
    }
    for (key, value) in by_key {
        if key.chars().count() > LONGEST_KEY {
            return Err(Invalid::new(field, format!("has a URL of more than {LONGEST_KEY} characters")));
        }
        let fields = match value {
            Value::Null => Map::new(),
            Value::Object(fields) => fields,
            _ => return Err(Invalid::new(field, "must have an object for each URL, if only an empty one")),
        };
        all.push(DeclaredCallback::read(name, key, fields)?);
    }
    Ok(())
}

impl DeclaredCallback {
    fn new(name: &str, key: String) -> Self {
        let method = CallbackMethod::default();
        Self { name: name.to_owned(), key, method, summary: None, body: None, response: None }
    }

    fn read(name: &str, key: String, fields: Map<String, Value>) -> Result<Self, Invalid> {
        let mut one = Self::new(name, key);
        for (field, value) in fields {
            let invalid = |message: &str| Invalid::new(format!("callbacks.{name}.{field}"), message);
            match (field.as_str(), value) {
                ("method" | "summary" | "body" | "response", Value::Null) => {}
                ("method", Value::String(text)) => one.method = text.parse().map_err(invalid)?,
                ("summary", Value::String(text)) if text.chars().count() <= LONGEST_SUMMARY => one.summary = Some(text),
                ("summary", _) => return Err(invalid("must be a text of at most 1000 characters")),
                ("body", schema @ (Value::Object(_) | Value::Bool(_))) => one.body = Some(schema),
                ("response", schema @ (Value::Object(_) | Value::Bool(_))) => one.response = Some(schema),
                ("body" | "response", _) => return Err(invalid("must be a JSON Schema: an object, true or false")),
                ("method", _) => return Err(invalid("must be GET, POST, PUT, PATCH or DELETE")),
                _ => return Err(invalid("is not a field of callbacks: method, summary, body and response are")),
            }
        }
        Ok(one)
    }
}

impl Serialize for DeclaredCallbacks {
    /// As it is read.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut named = Map::new();
        for one in &self.0 {
            let fields = json!({
                "method": one.method,
                "summary": one.summary,
                "body": one.body,
                "response": one.response,
            });
            named.entry(one.name.clone()).or_insert_with(|| json!({}))[&one.key] = fields;
        }
        named.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: Value) -> Result<Option<DeclaredCallbacks>, Invalid> {
        DeclaredCallbacks::parse(value)
    }

    #[test]
    fn callbacks_read_back_as_they_show() {
        let given = json!({
            "paid": {
                "{$callback_url}/paid": {"summary": "Told when it is paid", "body": {"type": "object"}, "response": true},
                "$request.query.also": {"method": "put"},
            },
            "done": {"https://h.example/done": null},
        });
        let callbacks = parse(given).unwrap().unwrap();
        let shown = serde_json::to_value(&callbacks).unwrap();
        assert_eq!(parse(shown.clone()).unwrap().unwrap(), callbacks);
        assert_eq!(shown["paid"]["$request.query.also"]["method"], "PUT");
        assert_eq!(shown["done"]["https://h.example/done"]["method"], "POST");
        assert_eq!(callbacks.names(), ["paid", "done"]);
        assert_eq!(callbacks.named("paid").count(), 2);
        for nothing in [json!(null), json!({})] {
            assert_eq!(parse(nothing).unwrap(), None);
        }
    }

    #[test]
    fn a_bad_field_is_named() {
        let many: Map<_, _> = (0..=MOST).map(|number| (format!("https://h/{number}"), json!({}))).collect();
        for (value, field) in [
            (json!([]), "callbacks"),
            (json!({"a b": {"$url": {}}}), "callbacks"),
            (json!({"": {"$url": {}}}), "callbacks"),
            (json!({ "a": many }), "callbacks"),
            (json!({"a": {"$url": {"summary": "x".repeat(LARGEST)}}}), "callbacks"),
            (json!({"a": "$url"}), "callbacks.a"),
            (json!({"a": {}}), "callbacks.a"),
            (json!({"a": {"$url": "POST"}}), "callbacks.a"),
            (json!({"a": {"x".repeat(LONGEST_KEY + 1): {}}}), "callbacks.a"),
            (json!({"a": {"$url": {"method": "HEAD"}}}), "callbacks.a.method"),
            (json!({"a": {"$url": {"method": 7}}}), "callbacks.a.method"),
            (json!({"a": {"$url": {"summary": 7}}}), "callbacks.a.summary"),
            (json!({"a": {"$url": {"body": "string"}}}), "callbacks.a.body"),
            (json!({"a": {"$url": {"response": []}}}), "callbacks.a.response"),
            (json!({"a": {"$url": {"headers": {}}}}), "callbacks.a.headers"),
        ] {
            assert_eq!(parse(value.clone()).unwrap_err().field, field, "{value}");
        }
    }
}
