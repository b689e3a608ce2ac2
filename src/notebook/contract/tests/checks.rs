//! What callers are told of calls that do not keep to the contract.

use serde_json::{Value, json};

use super::super::Rules;
use super::{Parameters, body, checker, query};
use crate::model::InvalidParameter;

fn properties() -> Value {
    json!({
        "region": {"enum": ["North", "South"]},
        "year": {"type": "integer"},
        "day": {"type": "string", "format": "date"},
        "items": {"type": "array", "items": {"type": "object", "additionalProperties": {"type": "number"}}},
        "pin": {"type": "integer"},
        "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    })
}

fn errors(parameters: Parameters, strict: bool, sensitive: &[&str]) -> Vec<InvalidParameter> {
    let sensitive: Vec<String> = sensitive.iter().map(|&name| name.to_owned()).collect();
    let checked =
        checker(&properties(), &["region", "year"]).check(parameters, Rules { strict, sensitive: &sensitive });
    checked.err().unwrap_or_default()
}

/// An error as `place name: message (got)`.
fn shown(parameters: Parameters, strict: bool, sensitive: &[&str]) -> Vec<String> {
    let show = |error: InvalidParameter| {
        let got = error.got.as_deref().unwrap_or("-");
        format!("{} {}: {} ({got})", error.place.as_str(), error.name, error.message)
    };
    errors(parameters, strict, sensitive).into_iter().map(show).collect()
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let call = body(json!({
        "region": "West", "day": "2024-02-30", "items": [{"price": 1}, {"price": "x", "n": "2"}, 5], "limit": "many",
    }));
    let expected = [
        "body region: must be one of \"North\", \"South\" (\"West\")",
        "body day: must be date (YYYY-MM-DD) (\"2024-02-30\")",
        "body items[1].price: must be number (\"x\")",
        "body items[2]: must be object of number (5)",
        "body limit: must be integer or null (\"many\")",
        "body year: is missing (-)",
    ];
    let mut got = shown(call, false, &[]);
    got.sort_by_key(|line| expected.iter().position(|known| known == line));
    assert_eq!(got, expected);
    let missing = &errors(query(&[("region", "North")]), false, &[])[0];
    assert_eq!((missing.place.as_str(), missing.expected.as_deref()), ("query", Some("integer")));
    assert_eq!(shown(query(&[("region", "North"), ("year", "2025")]), true, &[]), Vec::<String>::new());
}

#[test]
fn either_way_may_bring_a_parameter_and_both_are_checked() {
    let both =
        |year: &str, body: Value| Parameters::new(vec![("year".to_owned(), year.into())], body.into(), Vec::new());
    assert_eq!(shown(both("2025", json!({"region": "North"})), false, &[]), Vec::<String>::new());
    assert_eq!(
        shown(both("x", json!({"region": "North", "year": 1})), false, &[]),
        ["query year: must be integer (\"x\")"]
    );
    assert_eq!(
        shown(query(&[("region", "North"), ("year", "1"), ("year", "2")]), false, &[]),
        ["query year: is there more than once, and must be integer ([\"1\",\"2\"])"]
    );
}

#[test]
fn strict_refuses_unknown_names_and_asks_what_was_meant() {
    let call = || query(&[("region", "North"), ("year", "2025"), ("yaer", "1"), ("country", "DE")]);
    assert_eq!(shown(call(), false, &[]), Vec::<String>::new());
    assert_eq!(
        shown(call(), true, &[]),
        [
            "query yaer: is not a parameter of this notebook; did you mean `year`? (-)",
            "query country: is not a parameter of this notebook (-)"
        ]
    );
}

#[test]
fn a_secret_is_not_told() {
    let fine = |more: Value| {
        let mut call = json!({"region": "North", "year": 1});
        call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call
    };
    for (more, sensitive) in [
        (json!({"pin": "hush-4711"}), ["PIN"]),
        (json!({"items": "{\"pin\": \"hush-4711\""}), ["pin"]),
        (json!({"items": [{"pin": "hush-4711"}]}), ["pin"]),
        (json!({"items": {"a": {"Pin": "hush-4711"}}}), ["pin"]),
        (json!({"day": "hush-4711"}), ["body"]),
        (json!({"limit": ["hush-4711"], "pni": "hush-4711"}), ["limit"]),
    ] {
        let told = errors(body(fine(more.clone())), true, &sensitive);
        assert!(!told.is_empty() && !format!("{told:?}").contains("4711"), "{more}: {told:?}");
    }
    let told = errors(query(&[("region", "North"), ("year", "hush-4711")]), true, &["params"]);
    assert_eq!(told[0].got.as_deref(), Some("(hidden)"));
}

#[test]
fn what_is_told_is_short() {
    let call = body(json!({
        "region": "ä".repeat(1000), "year": 1, "items": vec!["x"; 10_000], "z".repeat(1000): 1, "limit": [[[1]]],
    }));
    let told = errors(call, true, &[]);
    assert!((4..=110).contains(&told.len()), "{}", told.len());
    assert_eq!(told[0].got.as_deref(), Some(format!("\"{}…", "ä".repeat(59)).as_str()));
    assert!(told.iter().all(|error| error.name.chars().count() < 70));
}

#[test]
fn of_what_is_large_the_first_that_is_wrong_is_told() {
    let call = |items: Value| body(json!({"region": "North", "year": 1, "items": items}));
    let mut items = vec![json!({"price": 1}); 100_000];
    assert_eq!(shown(call(items.clone().into()), false, &[]), Vec::<String>::new());
    items[70_000] = json!({"price": 1, "n": "many"});
    items[80_000] = json!(5);
    assert_eq!(shown(call(items.clone().into()), false, &[]), ["body items[70000].n: must be number (\"many\")"]);
    assert_eq!(shown(call(items.into()), false, &["n"]), ["body items[70000].n: must be number ((hidden))"]);
}

#[test]
fn numbers_beyond_all_bounds_cost_nothing() {
    let huge: Value =
        serde_json::from_str("{\"region\": \"North\", \"year\": 1e999999999, \"limit\": -1e999999999}").unwrap();
    let names: Vec<String> = errors(body(huge), false, &[]).into_iter().map(|error| error.name).collect();
    assert_eq!(names, ["year", "limit"]);
}

#[test]
fn a_set_gets_only_what_it_can_hold() {
    let list = |items: &Value, by: &str| json!({"type": "array", "items": items, "x-nbhook-python": by});
    let (int, any) = (json!({"type": "integer"}), json!({}));
    let wrong = "something that a set can hold, as no list and no object is";
    for (schema, value, errors) in [
        (list(&any, "set"), json!([1, "a", null]), vec![]),
        (list(&any, "set"), json!([1, [2]]), vec![format!("x[1]: must be {wrong} ([2])")]),
        (list(&any, "frozenset"), json!([{"a": 1}]), vec![format!("x[0]: must be {wrong} ({{\"a\":1}})")]),
        (
            list(&json!({"type": "array", "items": int}), "set"),
            json!([[1]]),
            vec![format!("x[0]: must be {wrong} ([1])")],
        ),
        (list(&json!({"type": "array", "items": int}), "set"), json!([]), vec![]),
        (list(&int, "set"), json!([[1]]), vec!["x[0]: must be integer ([1])".to_owned()]),
        (list(&list(&int, "tuple"), "set"), json!([[1], [2, 3]]), vec![]),
        (list(&list(&int, "frozenset"), "set"), json!([[1]]), vec![]),
        (list(&list(&int, "set"), "frozenset"), json!([[1]]), vec![format!("x[0]: must be {wrong} ([1])")]),
        (list(&list(&any, "tuple"), "set"), json!([[1, [2]]]), vec![format!("x[0]: must be {wrong} ([1,[2]])")]),
        (json!({"anyOf": [list(&any, "set"), {"type": "array"}]}), json!([[1]]), vec![]),
        (list(&any, "tuple"), json!([[1]]), vec![]),
    ] {
        let checked = checker(&json!({"x": schema}), &[])
            .check(body(json!({"x": value})), Rules { strict: false, sensitive: &[] });
        let told = checked.err().unwrap_or_default().into_iter();
        let told: Vec<_> =
            told.map(|error| format!("{}: {} ({})", error.name, error.message, error.got.unwrap())).collect();
        assert_eq!(told, errors, "{schema} {value}");
    }
}
