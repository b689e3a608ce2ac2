//! Julia (1.6 and later): <https://docs.julialang.org/en/v1/manual/strings/> and `…/integers-and-floating-point-numbers/`.

use super::{Numeric, ParamValue, float, is_readable, list, put, quoted, unicode_escape};

pub(super) fn assignment(name: &str, value: &ParamValue) -> String {
    let mut out = format!("{name} = ");
    write(&mut out, value);
    out
}

fn write(out: &mut String, value: &ParamValue) {
    match value {
        ParamValue::Null => out.push_str("nothing"),
        ParamValue::Bool(true) => out.push_str("true"),
        ParamValue::Bool(false) => out.push_str("false"),
        ParamValue::Number(number) => match Numeric::of(number) {
            Numeric::Int(digits) if digits.parse::<i64>().is_ok() => out.push_str(&digits),
            Numeric::Int(digits) => put(out, format_args!("big\"{digits}\"")),
            // Julia refuses literals that are too large for a double.
            Numeric::Float(value) if value.is_infinite() => out.push_str(if value > 0.0 { "Inf" } else { "-Inf" }),
            Numeric::Float(value) => out.push_str(&float(value)),
        },
        ParamValue::Str(text) => string(out, text),
        ParamValue::Bytes(bytes) => {
            out.push_str("Vector{UInt8}(b\"");
            for byte in bytes {
                put(out, format_args!("\\x{byte:02x}"));
            }
            out.push_str("\")");
        }
        ParamValue::List(items) => {
            out.push_str("Any[");
            list(out, items, write);
            out.push(']');
        }
        ParamValue::Object(pairs) => {
            out.push_str("Dict{String,Any}(");
            list(out, pairs, |out, (key, value)| {
                string(out, key);
                out.push_str(" => ");
                write(out, value);
            });
            out.push(')');
        }
        typed => typed.plain().iter().for_each(|plain| write(out, plain)),
    }
}

/// `$` interpolates, so it is escaped.
fn string(out: &mut String, text: &str) {
    let text: Vec<char> = text.chars().collect();
    quoted(
        out,
        &text,
        |c| is_readable(c) && c != '$',
        |out, c| match c {
            '$' => out.push_str("\\$"),
            c => unicode_escape(out, c),
        },
    );
}
