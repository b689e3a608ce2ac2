//! Python (3.9 and later): <https://docs.python.org/3/reference/lexical_analysis.html#literals>.
//!
//! Numbers, strings, lists and dicts only, so that `ast.literal_eval` reads every value, and no name is looked up; but for what
//! a contract asks for: dates, from Python's own module, and values made by a class or type that the contract names.

use super::super::parameters::date_time;
use super::{Numeric, ParamValue, float, is_printable_ascii, is_readable, list, put, quoted, unicode_escape};

pub(super) fn assignment(name: &str, value: &ParamValue) -> String {
    let mut out = format!("{name} = ");
    write(&mut out, value);
    out
}

fn write(out: &mut String, value: &ParamValue) {
    match value {
        ParamValue::Null => out.push_str("None"),
        ParamValue::Bool(true) => out.push_str("True"),
        ParamValue::Bool(false) => out.push_str("False"),
        ParamValue::Number(number) => match Numeric::of(number) {
            Numeric::Int(digits) => out.push_str(&digits),
            // A literal that is too large reads as infinity; the name `inf` would need a call.
            Numeric::Float(value) if value.is_infinite() => out.push_str(if value > 0.0 { "1e999" } else { "-1e999" }),
            Numeric::Float(value) => out.push_str(&float(value)),
        },
        ParamValue::Str(text) => string(out, text),
        ParamValue::Bytes(bytes) => byte_string(out, bytes),
        ParamValue::List(items) => {
            out.push('[');
            list(out, items, write);
            out.push(']');
        }
        ParamValue::Object(pairs) => {
            out.push('{');
            list(out, pairs, |out, (key, value)| {
                string(out, key);
                out.push_str(": ");
                write(out, value);
            });
            out.push('}');
        }
        ParamValue::Date(date) => iso(out, "date", &date.to_string()),
        // No `Z`, which Python reads since 3.11 only.
        ParamValue::DateTime { local, offset } => iso(out, "datetime", &date_time(local, offset.as_ref(), "")),
        ParamValue::Made { by, of } => {
            put(out, format_args!("{by}("));
            write(out, of);
            out.push(')');
        }
    }
}

/// The cell may stand before any import of the notebook's, and must not leave one behind.
fn iso(out: &mut String, class: &str, text: &str) {
    put(out, format_args!("__import__(\"datetime\").{class}.fromisoformat("));
    string(out, text);
    out.push(')');
}

fn string(out: &mut String, text: &str) {
    let text: Vec<char> = text.chars().collect();
    quoted(out, &text, is_readable, unicode_escape);
}

fn byte_string(out: &mut String, bytes: &[u8]) {
    out.push('b');
    let text: Vec<char> = bytes.iter().copied().map(char::from).collect();
    quoted(out, &text, is_printable_ascii, |out, c| put(out, format_args!("\\x{:02x}", u32::from(c))));
}
