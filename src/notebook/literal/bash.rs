//! Bash (4.3 and later): Bash reference manual, sections 3.1.2 (quoting) and 6.7 (arrays).
//!
//! Bash has only strings and flat arrays. Scalars are strings (`true`, `false`, the number's own text, null is empty), a list
//! is an indexed array, an object an associative array; what stands deeper is JSON text, for `jq`.
//!
//! The bash kernel types the source into an interactive shell on a terminal, where control characters are editing commands
//! and `!` is history. So every text is printable ASCII without `!`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{ParamValue, put, separated};

/// Forgets the names first: an attribute that the author gave one (`declare -i`, `-n`) would have Bash evaluate the text
/// assigned to it. And an interactive shell must not save the call, secrets included, to its history file.
pub(super) fn preamble(names: &[&str]) -> String {
    let names = names.join(" ");
    format!("unset -n {names}; unset -v HISTFILE {names}")
}

pub(super) fn assignment(name: &str, value: &ParamValue) -> String {
    let mut out = String::new();
    match value {
        ParamValue::List(items) => {
            put(&mut out, format_args!("declare -a {name}=("));
            separated(&mut out, " ", items, |out, item| quote(out, &text(item)));
            out.push(')');
        }
        ParamValue::Object(pairs) => {
            put(&mut out, format_args!("declare -A {name}=("));
            separated(&mut out, " ", pairs, |out, (key, value)| {
                out.push('[');
                quote(out, key.as_bytes());
                out.push_str("]=");
                quote(out, &text(value));
            });
            out.push(')');
        }
        scalar => {
            put(&mut out, format_args!("{name}="));
            quote(&mut out, &text(scalar));
        }
    }
    out
}

/// The value as one string.
fn text(value: &ParamValue) -> Vec<u8> {
    match value {
        ParamValue::Null => Vec::new(),
        ParamValue::Bool(value) => value.to_string().into_bytes(),
        ParamValue::Number(number) => number.to_string().into_bytes(),
        ParamValue::Str(text) => text.clone().into_bytes(),
        ParamValue::Bytes(bytes) => bytes.clone(),
        ParamValue::Date(_) | ParamValue::DateTime { .. } | ParamValue::Made { .. } => {
            value.plain().map(|plain| text(&plain)).unwrap_or_default()
        }
        nested => json(nested).to_string().into_bytes(),
    }
}

fn json(value: &ParamValue) -> Value {
    match value {
        ParamValue::Null => Value::Null,
        ParamValue::Bool(value) => Value::Bool(*value),
        ParamValue::Number(number) => Value::Number(number.clone()),
        ParamValue::Str(text) => Value::String(text.clone()),
        ParamValue::Bytes(bytes) => Value::String(STANDARD.encode(bytes)),
        ParamValue::List(items) => items.iter().map(json).collect(),
        ParamValue::Object(pairs) => pairs.iter().map(|(key, value)| (key.clone(), json(value))).collect(),
        typed => typed.json(),
    }
}

/// `'…'` where every byte is a word's, else `$'…'` with bytes as `\xHH`, which no locale changes.
fn quote(out: &mut String, text: &[u8]) {
    if text.iter().all(|&byte| is_word(byte)) {
        out.push('\'');
        out.extend(text.iter().copied().map(char::from));
        out.push('\'');
        return;
    }
    out.push_str("$'");
    for &byte in text {
        if is_word(byte) {
            out.push(char::from(byte));
        } else {
            put(out, format_args!("\\x{byte:02x}"));
        }
    }
    out.push('\'');
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" _-+.,:;/@%=(){}[]<>\"#&*?|~^".contains(&byte)
}
