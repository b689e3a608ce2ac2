//! Which Python literal a notebook gets for what a caller passes.

use serde_json::{Value, json};

use super::super::super::tests::source;
use super::super::{Checker, Rules};
use super::{Parameters, body, checker, optional, query};
use crate::notebook::Language;

/// The literal of the parameter `x`, or what was expected instead of it.
fn literal(checker: &Checker, parameters: Parameters) -> Result<String, String> {
    let typed = checker.check(parameters, Rules { strict: false, sensitive: &[] });
    let typed = typed.map_err(|errors| errors[0].expected.clone().unwrap_or_default())?;
    let source = source(Language::Python, &typed);
    Ok(source.lines().find_map(|line| line.strip_prefix("x = ")).unwrap().to_owned())
}

#[test]
fn texts_become_what_the_contract_wants() {
    let (int, float, text) = (json!({"type": "integer"}), json!({"type": "number"}), json!({"type": "string"}));
    let color = json!({"enum": ["red", "blue"], "x-nbhook-python": "Color"});
    let ints = json!({"type": "array", "items": int});
    let date = json!({"type": "string", "format": "date"});
    let time = json!({"type": "string", "format": "date-time"});
    let naive = json!({"type": "string", "format": "date-time", "x-nbhook-naive": true});
    let iso = |class: &str, text: &str| format!("__import__(\"datetime\").{class}.fromisoformat(\"{text}\")");
    let cases: Vec<(Value, &[(&str, &str)])> = vec![
        (
            int.clone(),
            &[
                ("5", "5"),
                (" 007 ", "7"),
                ("-0", "0"),
                ("5.0", "5"),
                ("1e3", "1000"),
                ("12.50e1", "125"),
                ("0e99", "0"),
            ],
        ),
        (
            int.clone(),
            &[("+5", "5"), ("-12", "-12"), ("123456789012345678901234567890", "123456789012345678901234567890")],
        ),
        (
            int.clone(),
            &[
                ("", "!"),
                ("five", "!"),
                ("5.5", "!"),
                ("1_0", "!"),
                ("0x1", "!"),
                ("1e99999", "!"),
                ("1e-1", "!"),
                (".", "!"),
            ],
        ),
        (int.clone(), &[("true", "!"), ("null", "!"), ("1e999999999999", "!"), ("5;import os", "!"), ("٣", "!")]),
        (float.clone(), &[("5", "5.0"), ("5.5", "5.5"), (".5", "0.5"), ("-1e3", "-1000.0"), ("1e-400", "0.0")]),
        (float.clone(), &[("nan", "!"), ("inf", "!"), ("Infinity", "!"), ("1e400", "!"), ("", "!"), ("1,5", "!")]),
        (text.clone(), &[("5", "\"5\""), ("null", "\"null\""), ("", "\"\"")]),
        (json!({"type": "null"}), &[("", "None"), ("null", "None"), ("x", "!")]),
        (
            json!({"type": "boolean"}),
            &[("true", "True"), ("1", "True"), ("ON", "True"), ("False", "False"), ("0", "False")],
        ),
        (json!({"type": "boolean"}), &[("", "!"), ("2", "!"), ("maybe", "!")]),
        (json!({}), &[("5", "\"5\""), ("null", "\"null\"")]),
        (ints.clone(), &[("5", "[5]"), ("[1, 2.0]", "[1, 2]"), ("[]", "[]"), ("[1", "!"), ("x", "!"), ("", "!")]),
        (json!({"type": "array"}), &[("a", "[\"a\"]"), ("[1, \"a\"]", "[1, \"a\"]")]),
        (json!({"type": "array", "items": text}), &[("[1]", "[\"[1]\"]"), ("[\"a\"]", "[\"a\"]")]),
        (
            json!({"type": "object", "additionalProperties": float}),
            &[("{\"a\": 1}", "{\"a\": 1.0}"), ("a", "!"), ("{", "!")],
        ),
        (json!({"type": "array", "items": int, "x-nbhook-python": "set"}), &[("5", "set([5])"), ("x", "!")]),
        (color.clone(), &[("red", "Color(\"red\")"), ("Red", "!"), ("RED", "!"), ("", "!")]),
        (
            json!({"enum": [1, "a", true, null, 0.5]}),
            &[("1", "1"), ("a", "\"a\""), ("true", "True"), (".5", "0.5"), ("null", "!")],
        ),
        (json!({"enum": [1, null]}), &[("null", "None"), ("1.0", "1"), ("2", "!")]),
        (
            date.clone(),
            &[("2023-02-29", "!"), ("2024-2-9", "!"), ("0000-01-01", "!"), ("2024-01-31T00:00:00Z", "!"), ("", "!")],
        ),
        (optional(&int), &[("5", "5"), ("", "None"), ("null", "None"), ("x", "!")]),
        (optional(&text), &[("5", "\"5\""), ("", "\"\""), ("null", "\"null\"")]),
        (optional(&ints), &[("5", "[5]"), ("[1]", "[1]"), ("null", "None"), ("x", "!")]),
        (optional(&color), &[("blue", "Color(\"blue\")"), ("null", "None"), ("green", "!")]),
        (json!({"anyOf": [int, text]}), &[("5", "\"5\"")]),
        (json!({"anyOf": [ints, int]}), &[("5", "5"), ("[5]", "[5]")]),
    ];
    for (schema, cases) in cases {
        let checker = checker(&json!({"x": schema}), &[]);
        for (given, expected) in cases {
            let got = literal(&checker, query(&[("x", given)])).unwrap_or_else(|_| "!".to_owned());
            assert_eq!(&got, expected, "{given} for {schema}");
        }
    }
    let day = literal(&checker(&json!({"x": date}), &[]), query(&[("x", "2024-02-29")]));
    assert_eq!(day, Ok(iso("date", "2024-02-29")));
    for (schema, given, expected) in [
        (&time, "2024-01-31T12:00:00Z", "2024-01-31T12:00:00+00:00"),
        (&time, "2024-01-31t12:00:00.123456789+05:30", "2024-01-31T12:00:00.123456+05:30"),
        (&time, "2024-01-31T12:00:00.5-08:00", "2024-01-31T12:00:00.500-08:00"),
        (&naive, "2024-01-31T01:00:00+02:00", "2024-01-30T23:00:00"),
    ] {
        let got = literal(&checker(&json!({"x": schema}), &[]), query(&[("x", given)]));
        assert_eq!(got, Ok(iso("datetime", expected)), "{given}");
    }
    let times = checker(&json!({"x": time}), &[]);
    for given in ["2024-01-31", "2024-01-31T12:00:00", "2016-12-31T23:59:60Z", "0000-01-01T00:00:00Z", "now"] {
        assert!(literal(&times, query(&[("x", given)])).is_err(), "{given}");
    }
}

#[test]
fn values_of_json_keep_their_type_or_are_refused() {
    let (int, float) = (json!({"type": "integer"}), json!({"type": "number"}));
    for (schema, given, expected) in [
        (&int, json!(5.0), "5"),
        (&int, json!("5"), "5"),
        (&int, json!(true), "!"),
        (&int, json!(5.5), "!"),
        (&int, json!([5]), "!"),
        (&int, json!(null), "!"),
        (&float, json!(5), "5.0"),
        (&float, json!(true), "!"),
        (&json!({"type": "string"}), json!(5), "!"),
        (&json!({"type": "boolean"}), json!(1), "!"),
        (&json!({"type": "array", "items": int}), json!(["1", 2.0]), "[1, 2]"),
        (&json!({"type": "array", "items": int}), json!(5), "!"),
        (&json!({"type": "array", "items": int}), json!("5"), "[5]"),
        (&json!({"type": "array", "items": int}), json!(null), "!"),
        (&json!({"type": "array", "items": {"enum": ["a"], "x-nbhook-python": "Kind"}}), json!(["a"]), "[Kind(\"a\")]"),
        (&json!({"anyOf": [float, int]}), json!(5), "5"),
        (&json!({"anyOf": [int, float]}), json!(5.0), "5.0"),
        (&json!({"enum": [1, 2]}), json!(1.0), "1"),
        (&json!({"enum": [1, 2]}), json!(true), "!"),
        (&json!({}), json!({"a": [1.0, null]}), "{\"a\": [1.0, None]}"),
    ] {
        let checker = checker(&json!({"x": schema}), &[]);
        let got = literal(&checker, body(json!({"x": given}))).unwrap_or_else(|_| "!".to_owned());
        assert_eq!(got, expected, "{given} for {schema}");
    }
}

#[test]
fn dicts_and_variables_have_the_same_values() {
    let checker = checker(&json!({"x": {"type": "integer"}}), &[]);
    let pairs = vec![("x".to_owned(), "1".into()), ("y".to_owned(), "1".into())];
    let parameters = Parameters::new(pairs, json!({"x": "2", "y": "2"}).into(), Vec::new());
    let typed = checker.check(parameters, Rules { strict: false, sensitive: &[] }).unwrap();
    let source = source(Language::Python, &typed);
    let lines: Vec<&str> = source.lines().skip(1).collect();
    let expected =
        ["params = {\"x\": 1, \"y\": \"1\"}", "body = {\"x\": 2, \"y\": \"2\"}", "headers = {}", "x = 2", "y = \"2\""];
    assert_eq!(lines, expected);
}

#[test]
fn what_makes_a_value_is_an_identifier() {
    for by in ["__import__", "os.system", "x(); y", "", "None", "params"] {
        let checker = checker(&json!({"x": {"enum": ["a"], "x-nbhook-python": by}}), &[]);
        assert_eq!(literal(&checker, query(&[("x", "a")])), Ok("\"a\"".to_owned()), "{by}");
    }
}
