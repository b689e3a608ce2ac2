//! How a hook is called from a shell, from Python and from JavaScript, with the names of its own parameters.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value};

use super::inputs;
use crate::model::{Contract, HookParams, Signature};

/// Longest line of parameters, in characters; longer ones stand one below the other.
const LINE: usize = 60;

/// A program that calls a hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snippet {
    pub language: &'static str,
    pub code: String,
}

/// A language's own way to write values.
struct Words {
    truth: [&'static str; 3],
    key: fn(&str) -> String,
}

const JSON: Words = Words { truth: ["true", "false", "null"], key: text };
const PYTHON: Words = Words { truth: ["True", "False", "None"], key: text };
const JAVASCRIPT: Words = Words { truth: JSON.truth, key };

/// Programs that call the hook at `url`.
#[must_use]
pub fn snippets(url: &str, contract: Option<&Contract>, params: &HookParams) -> Vec<Snippet> {
    let example = contract.map(|contract| inputs::example(contract, params)).unwrap_or_default();
    let header = params.signature.as_ref().and_then(Signature::secret_header);
    vec![
        Snippet { language: "curl", code: shell(url, &example, header.as_deref()) },
        Snippet { language: "Python", code: python(url, &example, header.as_deref(), params.timeout) },
        Snippet { language: "JavaScript", code: javascript(url, &example, header.as_deref()) },
    ]
}

fn shell(url: &str, example: &Map<String, Value>, header: Option<&str>) -> String {
    let key = header.map(|name| format!(" \\\n  -H {}\"$SECRET\"", quoted(&format!("{name}: ")))).unwrap_or_default();
    if example.is_empty() {
        return format!("curl -X POST {}{key}", quoted(url));
    }
    let body = quoted(&object(example, &JSON, 2));
    format!("curl -X POST {}{key} \\\n  -H 'Content-Type: application/json' \\\n  -d {body}", quoted(url))
}

/// As one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn python(url: &str, example: &Map<String, Value>, header: Option<&str>, timeout: u32) -> String {
    let key = header.map(|name| format!("    headers={{{}: SECRET}},\n", text(name))).unwrap_or_default();
    let body = if example.is_empty() { String::new() } else { format!("    json={},\n", object(example, &PYTHON, 4)) };
    format!(
        "import requests\n\nanswer = requests.post(\n    {},\n{body}{key}    timeout={timeout},\n)\nanswer.raise_for_status()\nprint(answer.text)",
        text(url)
    )
}

fn javascript(url: &str, example: &Map<String, Value>, header: Option<&str>) -> String {
    let key = header.map(|name| format!("{}: SECRET", key(name)));
    let kind = (!example.is_empty()).then(|| "\"Content-Type\": \"application/json\"".to_owned());
    let headers: Vec<String> = kind.into_iter().chain(key).collect();
    let headers =
        if headers.is_empty() { String::new() } else { format!("  headers: {{ {} }},\n", headers.join(", ")) };
    let body = if example.is_empty() {
        String::new()
    } else {
        format!("  body: JSON.stringify({}),\n", object(example, &JAVASCRIPT, 2))
    };
    format!(
        "const answer = await fetch({}, {{\n  method: \"POST\",\n{headers}{body}}});\nif (!answer.ok) throw new Error(await answer.text());\nconsole.log(await answer.text());",
        text(url)
    )
}

/// JSON's texts are also those of Python and JavaScript. They are pasted, so nothing stands in them that a terminal takes as a key
/// (DEL would take away the quote before it), or that shows a program otherwise than it is.
fn text(text: &str) -> String {
    let mut written = String::new();
    for c in Value::from(text).to_string().chars() {
        match c {
            '\u{7f}'..='\u{9f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' => {
                let _ = write!(written, "\\u{:04x}", u32::from(c));
            }
            c => written.push(c),
        }
    }
    written
}

/// A member's name in JavaScript, where a plain `__proto__` is none.
fn key(name: &str) -> String {
    if name == "__proto__" { format!("[{}]", text(name)) } else { text(name) }
}

/// An object on one line, or, if it is long, each of its members on a line of its own.
fn object(members: &Map<String, Value>, words: &Words, indent: usize) -> String {
    let members: Vec<String> =
        members.iter().map(|(name, value)| format!("{}: {}", (words.key)(name), written(value, words))).collect();
    let line = members.join(", ");
    if line.chars().count() <= LINE {
        return format!("{{{line}}}");
    }
    let (inner, outer) = (" ".repeat(indent + if indent > 2 { 4 } else { 2 }), " ".repeat(indent));
    format!("{{\n{inner}{}\n{outer}}}", members.join(&format!(",\n{inner}")))
}

fn written(value: &Value, words: &Words) -> String {
    let [yes, no, nothing] = words.truth;
    match value {
        Value::Bool(true) => yes.to_owned(),
        Value::Bool(false) => no.to_owned(),
        Value::Null => nothing.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(string) => text(string),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| written(item, words)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let members =
                members.iter().map(|(name, value)| format!("{}: {}", (words.key)(name), written(value, words)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
#[path = "snippets_tests.rs"]
mod pasted;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::HookParamsPatch;

    fn all(properties: &Value, required: &Value, params: Value) -> [String; 3] {
        let contract = Contract::new(json!({"properties": properties, "required": required}));
        let params = HookParamsPatch::parse(params).unwrap().anew(None).unwrap();
        let all = snippets("http://h/hooks/t", Some(&contract), &params);
        <[String; 3]>::try_from(all.into_iter().map(|one| one.code).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn each_language_has_its_own_words() {
        let properties = json!({"on": {"default": true}, "who": {"default": "it's \"me\""}, "no": {"default": null}});
        let [shell, python, javascript] = all(&properties, &json!([]), json!({}));
        assert!(shell.ends_with(r#"-d '{"on": true, "who": "it'\''s \"me\"", "no": null}'"#), "{shell}");
        assert!(python.contains(r#"json={"on": True, "who": "it's \"me\"", "no": None},"#), "{python}");
        assert!(
            javascript.contains(r#"JSON.stringify({"on": true, "who": "it's \"me\"", "no": null})"#),
            "{javascript}"
        );
    }

    #[test]
    fn what_is_secret_is_left_open_and_a_key_is_named() {
        let properties = json!({"pin": {"type": "string", "default": "hush"}, "word": {"type": "string"}});
        let params = json!({"sensitive": ["pin", "word"], "signature": {"scheme": "header", "secret": "hush"}});
        for code in all(&properties, &json!(["word"]), params) {
            assert!(!code.contains("hush") && !code.contains("pin") && code.contains("\"word\": \"text\""), "{code}");
            assert!(code.contains("x-api-key") && code.contains("SECRET"), "{code}");
        }
    }

    #[test]
    fn without_parameters_there_is_no_body_and_with_many_they_stand_apart() {
        let [shell, python, javascript] = all(&json!({}), &json!([]), json!({}));
        assert_eq!(shell, "curl -X POST 'http://h/hooks/t'");
        assert!(!python.contains("json=") && !javascript.contains("body"));
        let many = json!({"first": {"default": "a".repeat(40)}, "second": {"default": "b".repeat(40)}});
        let [_, python, _] = all(&many, &json!([]), json!({}));
        assert!(python.contains("    json={\n        \"first\": \"aaa") && python.contains("\n    },\n"), "{python}");
    }
}
