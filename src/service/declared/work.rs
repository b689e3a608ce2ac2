//! How much there is to do to hold an answer against its schema. Pure.
//!
//! Answers are checked where all other work is done too, and nothing could stop a check that takes for ever: schemas that refer to one
//! another can double it with every line of theirs. So they may be of a bounded size with all that they refer to put in its place.

use std::collections::HashMap;

use serde_json::Value;

/// Schemas in a schema, those that it refers to counted each time.
const MOST: usize = 2_000;
/// Levels of lists and objects, with what is referred to put in its place.
const DEEPEST: usize = 200;
/// References whose target depends on more than the document.
const DYNAMIC: [&str; 3] = ["$dynamicRef", "$recursiveRef", "$id"];

/// What is known of the places that were referred to: how much work they are; none while that is being found out.
type Known<'a> = HashMap<&'a str, Option<usize>>;

/// Whether it is bounded.
///
/// # Errors
/// What makes it too much, in words that go behind the name of the schema.
pub(super) fn check(schema: &Value) -> Result<(), String> {
    let work = of(schema, schema, 0, &mut Known::new())?;
    if work > MOST {
        return Err(format!("is made of more than {MOST} schemas, with those that it refers to"));
    }
    Ok(())
}

fn of<'a>(part: &'a Value, root: &'a Value, depth: usize, known: &mut Known<'a>) -> Result<usize, String> {
    if depth > DEEPEST {
        return Err(format!("is more than {DEEPEST} levels deep, with what it refers to"));
    }
    let members = match part {
        Value::Object(members) => members,
        Value::Array(items) => return sum(items.iter(), root, depth, known),
        _ => return Ok(0),
    };
    if let Some(name) = DYNAMIC.into_iter().find(|name| members.get(*name).is_some_and(Value::is_string)) {
        return Err(format!("has `{name}`, which is not supported here: refer to `#/$defs/…`"));
    }
    let own = sum(members.values(), root, depth, known)?.saturating_add(1);
    match members.get("$ref") {
        Some(Value::String(target)) => Ok(own.saturating_add(of_target(target, root, depth, known)?)),
        _ => Ok(own),
    }
}

fn sum<'a>(
    parts: impl Iterator<Item = &'a Value>,
    root: &'a Value,
    depth: usize,
    known: &mut Known<'a>,
) -> Result<usize, String> {
    let mut sum = 0_usize;
    for part in parts {
        sum = sum.saturating_add(of(part, root, depth + 1, known)?);
    }
    Ok(sum)
}

fn of_target<'a>(target: &'a str, root: &'a Value, depth: usize, known: &mut Known<'a>) -> Result<usize, String> {
    match known.get(target) {
        Some(Some(work)) => return Ok(*work),
        Some(None) => return Err(format!("refers to itself, by `{target}`")),
        None => {}
    }
    let place = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
    let place = place.ok_or_else(|| format!("refers to `{target}`, which is no JSON pointer into it (`#/$defs/…`)"))?;
    known.insert(target, None);
    let work = of(place, root, depth + 1, known)?;
    known.insert(target, Some(work));
    Ok(work)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Twice, and each of them twice, and so on.
    fn doubled(times: usize) -> Value {
        let mut defs = serde_json::Map::from_iter([(format!("a{times}"), json!({"type": "object"}))]);
        for number in 0..times {
            let next = json!({"$ref": format!("#/$defs/a{}", number + 1)});
            defs.insert(format!("a{number}"), json!({"oneOf": [next, {"not": next}]}));
        }
        json!({"$defs": defs, "$ref": "#/$defs/a0"})
    }

    #[test]
    fn what_is_usual_is_taken() {
        let item = json!({"type": "object", "properties": {"$ref": {"type": "string"}, "$id": {"type": "integer"}}});
        let list = json!({"type": "array", "items": {"$ref": "#/$defs/Item"}, "$defs": {"Item": item}});
        for good in [json!(true), json!({}), json!({"properties": {"ok": {"type": "boolean"}}}), list, doubled(5)] {
            assert_eq!(check(&good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_may_take_for_ever_is_refused() {
        for (bad, why) in [
            (json!({"$ref": "#"}), "itself"),
            (json!({"items": {"oneOf": [{"$ref": "#"}, {"not": {"$ref": "#"}}]}}), "itself"),
            (json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"not": {"$ref": "#/$defs/a"}}}}), "itself"),
            (json!({"$dynamicAnchor": "n", "items": {"$dynamicRef": "#n"}}), "$dynamicRef"),
            (json!({"$anchor": "n", "items": {"$ref": "#n"}}), "`#n`"),
            (json!({"items": {"$id": "other", "items": {"$ref": "#"}}}), "$id"),
            (json!({"$ref": "https://json-schema.org/draft/2020-12/schema"}), "no JSON pointer"),
            (doubled(30), "more than 2000"),
            (doubled(70), "levels deep"),
        ] {
            let refused = check(&bad).unwrap_err();
            assert!(refused.contains(why), "{refused}: {bad}");
        }
    }
}
