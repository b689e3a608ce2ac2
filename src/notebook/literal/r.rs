//! R (4.0 and later): R language definition, section 10.3.1, and `?Quotes`, `?NumericConstants`.
//!
//! Lists stay lists (never simplified to vectors), objects are lists with names. Source is ASCII, because R reads anything
//! else by its locale.

use super::{Numeric, ParamValue, float, is_printable_ascii, list, put, quoted, unicode_escape};

/// The largest whole number up to which every one is a double: 2^53.
const EXACT: u64 = 1 << 53;

/// R's parser refuses a string with Unicode escapes from 10,000 characters on.
const LONGEST_LITERAL: usize = 9_000;

pub(super) fn assignment(name: &str, value: &ParamValue) -> String {
    let mut out = format!("{name} <- ");
    write(&mut out, value);
    out
}

fn write(out: &mut String, value: &ParamValue) {
    match value {
        ParamValue::Null => out.push_str("NULL"),
        ParamValue::Bool(true) => out.push_str("TRUE"),
        ParamValue::Bool(false) => out.push_str("FALSE"),
        ParamValue::Number(number) => match Numeric::of(number) {
            Numeric::Int(digits) => integer(out, &digits),
            Numeric::Float(value) => double(out, value),
        },
        ParamValue::Str(text) => string(out, text),
        ParamValue::Bytes(bytes) => {
            out.push_str("as.raw(c(");
            list(out, bytes, |out, byte| put(out, format_args!("0x{byte:02x}")));
            out.push_str("))");
        }
        ParamValue::List(items) => {
            out.push_str("list(");
            list(out, items, write);
            out.push(')');
        }
        // Not `list("key" = …)`: argument names may be neither empty nor longer than 10,000 bytes.
        ParamValue::Object(pairs) if pairs.is_empty() => out.push_str("structure(list(), names = character(0))"),
        ParamValue::Object(pairs) => {
            out.push_str("structure(list(");
            list(out, pairs, |out, (_, value)| write(out, value));
            out.push_str("), names = c(");
            list(out, pairs, |out, (key, _)| string(out, key));
            out.push_str("))");
        }
        typed => typed.plain().iter().for_each(|plain| write(out, plain)),
    }
}

/// A number where a double holds it exactly; else its digits as a string, because R would silently round it.
fn integer(out: &mut String, digits: &str) {
    if digits.parse::<i64>().is_ok_and(|value| value.unsigned_abs() <= EXACT) {
        out.push_str(digits);
    } else {
        string(out, digits);
    }
}

/// R scales decimal digits in extended precision and rounds twice, which is exact for few decimals only; C99 hexadecimal
/// constants, which R reads too, are always exact.
fn double(out: &mut String, value: f64) {
    if value.is_infinite() {
        out.push_str(if value > 0.0 { "Inf" } else { "-Inf" });
        return;
    }
    let text = float(value);
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    if !text.contains('e') && text.len() <= 15 && decimals <= 4 {
        out.push_str(&text);
        return;
    }
    if value.is_sign_negative() {
        out.push('-');
    }
    let bits = value.abs().to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let (mantissa, exponent) = match bits >> 52 {
        0 => (fraction, -1074),
        biased => (fraction | 1 << 52, i32::try_from(biased).unwrap_or_default() - 1075),
    };
    let zeros = mantissa.trailing_zeros();
    put(out, format_args!("0x{:x}p{}", mantissa >> zeros, exponent + zeros.cast_signed()));
}

fn string(out: &mut String, text: &str) {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= LONGEST_LITERAL {
        return quoted(out, &chars, is_printable_ascii, unicode_escape);
    }
    out.push_str("paste0(");
    list(out, chars.chunks(LONGEST_LITERAL), |out, chunk| quoted(out, chunk, is_printable_ascii, unicode_escape));
    out.push(')');
}
