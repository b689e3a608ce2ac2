//! Which changes of a contract callers are warned of.

use serde_json::json;

use super::super::{Terms, breaking};
use super::{contract, optional};
use crate::model::Contract;

/// What callers lose of a hook that is not strict.
fn lost(old: &Contract, new: &Contract) -> Vec<String> {
    breaking(Terms { contract: old, strict: false }, Terms { contract: new, strict: false })
}

#[test]
fn what_callers_lose_is_said() {
    let (int, float, text) = (json!({"type": "integer"}), json!({"type": "number"}), json!({"type": "string"}));
    let (ab, abc) = (json!({"enum": ["a", "b"]}), json!({"enum": ["a", "b", "c"]}));
    let date = json!({"type": "string", "format": "date"});
    let list = |items: &serde_json::Value| json!({"type": "array", "items": items});
    for (old, new) in [
        (&int, &float),
        (&int, &optional(&int)),
        (&ab, &abc),
        (&ab, &text),
        (&ab, &json!({"enum": ["b", "a"], "x-nbhook-python": "Kind", "default": "a"})),
        (&date, &text),
        (&int, &json!({})),
        (&list(&int), &list(&float)),
        (&list(&int), &json!({"type": "array"})),
        (&json!({"enum": ["a", 1]}), &json!({"anyOf": [int, text]})),
        (&json!({"anyOf": [int, ab]}), &json!({"anyOf": [abc, int]})),
    ] {
        let change = |old, new| lost(&contract(&json!({"x": old}), &[]), &contract(&json!({"x": new}), &[]));
        assert_eq!(change(old, new), Vec::<String>::new(), "{old} {new}");
        let back = change(new, old);
        let same = new.get("x-nbhook-python").is_some();
        assert!(same || back.len() == 1 && back[0].starts_with("the parameter `x` took "), "{new} {old}: {back:?}");
    }
    let old = contract(&json!({"n": optional(&int), "kind": abc, "gone": {}, "same": {}}), &["same"]);
    let new =
        contract(&json!({"fresh": text, "n": int, "kind": ab, "same": {}, "more": {}}), &["fresh", "kind", "same"]);
    assert_eq!(
        lost(&old, &new),
        [
            "the new parameter `fresh` is required: calls without it are refused",
            "the parameter `n` took integer or null and now takes integer",
            "the parameter `kind` is required now: calls without it are refused, and took one of \"a\", \"b\", \"c\" and now takes one of \"a\", \"b\"",
            "the parameter `gone` is gone: what callers pass for it has no effect",
        ]
    );
}

#[test]
fn a_strict_hook_refuses_what_it_does_not_know() {
    let (old, new) = (contract(&json!({"gone": {}, "same": {}}), &[]), contract(&json!({"same": {}, "more": {}}), &[]));
    let on = "`strict` is on now: calls with names that are no parameters of the notebook are refused";
    let refused = "the parameter `gone` is gone: calls with it are refused";
    let ignored = "the parameter `gone` is gone: what callers pass for it has no effect";
    for (before, now, gone, kept) in [
        (false, false, vec![ignored], vec![]),
        (false, true, vec![refused, on], vec![on]),
        (true, false, vec![ignored], vec![]),
        (true, true, vec![refused], vec![]),
    ] {
        let change = |new| breaking(Terms { contract: &old, strict: before }, Terms { contract: new, strict: now });
        assert_eq!((change(&new), change(&old)), (strings(&gone), strings(&kept)), "{before} {now}");
    }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}
