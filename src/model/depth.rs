//! How deep JSON is nested. What is told of others' JSON wraps it, and whoever reads it gives up at some depth.

use serde_json::Value;

/// How deep JSON may be that is kept inside of other JSON. Parsers, ours too, take no more than 127 levels.
const DEEPEST: usize = 100;

/// Whether there are more levels of lists and objects than [`DEEPEST`].
#[must_use]
pub fn is_too_deep(value: &Value) -> bool {
    exceeds(value, DEEPEST)
}

fn exceeds(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => true,
        Value::Array(items) => items.iter().any(|item| exceeds(item, levels - 1)),
        Value::Object(members) => members.values().any(|member| exceeds(member, levels - 1)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_counted_and_looked_at_no_further() {
        let nested = |levels| (0..levels).fold(Value::Null, |inner, _| Value::Array(vec![Value::Null, inner]));
        assert!(!is_too_deep(&nested(DEEPEST)));
        assert!(is_too_deep(&nested(DEEPEST + 1)));
        assert!(is_too_deep(&serde_json::json!({ "a": nested(DEEPEST) })));
    }
}
