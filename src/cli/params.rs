//! `KEY=VALUE` arguments: parameters of a hook or of a call. Pure.

use serde_json::{Map, Value};

/// One `KEY=VALUE` of the command line; VALUE is JSON where it parses as JSON, else a string.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    pub(super) key: String,
    pub(super) value: Value,
}

/// # Errors
/// When there is no `=` or nothing before it.
pub(super) fn parse_pair(text: &str) -> Result<Pair, String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok(Pair {
            key: key.to_owned(),
            value: serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned())),
        }),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

/// # Errors
/// When `text` is not a JSON object.
pub(super) fn parse_object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("expected a JSON object: {error}"))
}

/// The pairs as one object; a key that comes more than once becomes a list of its values.
pub(super) fn object(pairs: Vec<Pair>) -> Map<String, Value> {
    let mut groups: Vec<(String, Vec<Value>)> = Vec::new();
    for Pair { key, value } in pairs {
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value),
            None => groups.push((key, vec![value])),
        }
    }
    groups.into_iter().map(|(key, values)| (key, one_or_list(values))).collect()
}

fn one_or_list(mut values: Vec<Value>) -> Value {
    match values.pop() {
        Some(only) if values.is_empty() => only,
        Some(last) => {
            values.push(last);
            Value::Array(values)
        }
        None => Value::Null,
    }
}

/// The pairs as a query or form carries them: strings as they are, anything else as JSON text, repeated keys repeated.
pub(super) fn fields(pairs: Vec<Pair>) -> Vec<(String, String)> {
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    pairs.into_iter().map(|Pair { key, value }| (key, text(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pairs(texts: &[&str]) -> Vec<Pair> {
        texts.iter().map(|text| parse_pair(text).unwrap()).collect()
    }

    #[test]
    fn a_value_is_json_where_it_parses_and_else_a_string() {
        for (text, key, value) in [
            ("n=5", "n", json!(5)),
            ("n=\"5\"", "n", json!("5")),
            ("flag=true", "flag", json!(true)),
            ("none=null", "none", Value::Null),
            ("list=[1, \"a\"]", "list", json!([1, "a"])),
            ("object={\"a\": {}}", "object", json!({"a": {}})),
            ("name=Zoë & co", "name", json!("Zoë & co")),
            ("sum=a=b", "sum", json!("a=b")),
            ("empty=", "empty", json!("")),
            ("zeros=007", "zeros", json!("007")),
            ("nan=NaN", "nan", json!("NaN")),
            ("broken={", "broken", json!("{")),
        ] {
            assert_eq!(parse_pair(text).unwrap(), Pair { key: key.to_owned(), value }, "{text}");
        }
        for text in ["", "n", "=5"] {
            assert!(parse_pair(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn big_numbers_keep_all_their_digits() {
        let text = "123456789012345678901234567890";
        assert_eq!(parse_pair(&format!("n={text}")).unwrap().value.to_string(), text);
    }

    #[test]
    fn repeated_keys_become_a_list_and_the_order_stays() {
        let object = object(pairs(&["b=1", "a=x", "b=2", "b=3"]));
        assert_eq!(Value::Object(object).to_string(), r#"{"b":[1,2,3],"a":"x"}"#);
    }

    #[test]
    fn one_list_stays_one_list() {
        assert_eq!(Value::Object(object(pairs(&["a=[1]"]))), json!({"a": [1]}));
    }

    #[test]
    fn fields_are_text() {
        let fields = fields(pairs(&["a=x y", "b=5", "c=null", "a=[1]"]));
        let expected = [("a", "x y"), ("b", "5"), ("c", "null"), ("a", "[1]")];
        assert_eq!(fields, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn an_object_is_an_object() {
        assert!(parse_object(r#"{"inline": true}"#).unwrap()["inline"] == json!(true));
        assert!(parse_object("[1]").is_err());
    }
}
