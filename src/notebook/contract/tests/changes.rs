//! Which changes of a contract callers are warned of.

use serde_json::json;

use super::super::breaking;
use super::{contract, optional};

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
        let change = |old, new| breaking(&contract(&json!({"x": old}), &[]), &contract(&json!({"x": new}), &[]));
        assert_eq!(change(old, new), Vec::<String>::new(), "{old} {new}");
        let back = change(new, old);
        let same = new.get("x-nbhook-python").is_some();
        assert!(same || back.len() == 1 && back[0].starts_with("the parameter `x` took "), "{new} {old}: {back:?}");
    }
    let old = contract(&json!({"n": optional(&int), "kind": abc, "gone": {}, "same": {}}), &["same"]);
    let new =
        contract(&json!({"fresh": text, "n": int, "kind": ab, "same": {}, "more": {}}), &["fresh", "kind", "same"]);
    assert_eq!(
        breaking(&old, &new),
        [
            "the new parameter `fresh` is required: calls without it are refused",
            "the parameter `n` took integer or null and now takes integer",
            "the parameter `kind` is required now: calls without it are refused, and took one of \"a\", \"b\", \"c\" and now takes one of \"a\", \"b\"",
            "the parameter `gone` is gone: what callers pass for it has no effect",
        ]
    );
}
