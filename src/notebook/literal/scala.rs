//! Scala (2.12, 2.13 and 3): <https://scala-lang.org/files/archive/spec/2.13/01-lexical-syntax.html#literals>.
//!
//! Up to 2.13.1 `\uXXXX` is replaced before the string is read, so that `\u0022` would end it: quotes, backslashes and line
//! ends are escaped by their letters only. Plain string literals do not interpolate `$`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Numeric, ParamValue, float, is_readable, list, put, quoted};

/// A string constant of a class file has at most 65,535 bytes, of which a character takes up to six.
const LONGEST_LITERAL: usize = 10_000;

pub(super) fn assignment(name: &str, value: &ParamValue) -> String {
    let mut out = format!("val {name}");
    // Without a type the variable would be a `Null`, which nothing else fits into; without the space, `x_:` would be one name.
    if *value == ParamValue::Null {
        out.push_str(" : Any");
    }
    out.push_str(" = ");
    write(&mut out, value);
    out
}

fn write(out: &mut String, value: &ParamValue) {
    match value {
        ParamValue::Null => out.push_str("null"),
        ParamValue::Bool(true) => out.push_str("true"),
        ParamValue::Bool(false) => out.push_str("false"),
        ParamValue::Number(number) => match Numeric::of(number) {
            Numeric::Int(digits) => integer(out, &digits),
            // Scala refuses literals that are too large for a double.
            Numeric::Float(value) if value.is_infinite() => {
                out.push_str(if value > 0.0 { "Double.PositiveInfinity" } else { "Double.NegativeInfinity" });
            }
            Numeric::Float(value) => out.push_str(&float(value)),
        },
        ParamValue::Str(text) => string(out, text),
        ParamValue::Bytes(bytes) => {
            out.push_str("java.util.Base64.getDecoder.decode(");
            string(out, &STANDARD.encode(bytes));
            out.push(')');
        }
        ParamValue::List(items) => {
            put(out, format_args!("Seq[{}](", element_type(items)));
            list(out, items, write);
            out.push(')');
        }
        ParamValue::Object(pairs) => {
            out.push_str("Map[String, Any](");
            list(out, pairs, |out, (key, value)| {
                string(out, key);
                out.push_str(" -> ");
                write(out, value);
            });
            out.push(')');
        }
        typed => typed.plain().iter().for_each(|plain| write(out, plain)),
    }
}

fn integer(out: &mut String, digits: &str) {
    match integer_type(digits) {
        "Int" => out.push_str(digits),
        "Long" => put(out, format_args!("{digits}L")),
        _ => {
            out.push_str("BigInt(");
            string(out, digits);
            out.push(')');
        }
    }
}

fn integer_type(digits: &str) -> &'static str {
    match digits.parse::<i64>() {
        Ok(value) if i32::try_from(value).is_ok() => "Int",
        Ok(_) => "Long",
        Err(_) => "BigInt",
    }
}

/// The type all elements have, or `Any`. Left to inference, a `Long` among doubles would be rounded.
fn element_type(items: &[ParamValue]) -> &'static str {
    let of = |item: &ParamValue| match item {
        ParamValue::Str(_) => "String",
        ParamValue::Bool(_) => "Boolean",
        ParamValue::Number(number) => match Numeric::of(number) {
            Numeric::Int(digits) => integer_type(&digits),
            Numeric::Float(_) => "Double",
        },
        _ => "Any",
    };
    let mut types = items.iter().map(of);
    let first = types.next().unwrap_or("Any");
    if types.all(|other| other == first) { first } else { "Any" }
}

fn string(out: &mut String, text: &str) {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= LONGEST_LITERAL {
        return literal(out, &chars);
    }
    out.push_str("Seq[String](");
    list(out, chars.chunks(LONGEST_LITERAL), literal);
    out.push_str(").mkString");
}

fn literal(out: &mut String, text: &[char]) {
    quoted(out, text, is_readable, |out, c| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            put(out, format_args!("\\u{unit:04x}"));
        }
    });
}
