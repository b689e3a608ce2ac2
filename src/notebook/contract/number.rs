//! Numbers as texts have them: whole ones of any size, and doubles.

use serde_json::Number;

/// More digits are no number that Python reads.
const MOST_DIGITS: usize = 4300;

/// The text as a whole number, if it is one: `5`, ` -007`, `5.0`, `1e3`.
pub(super) fn whole(text: &str) -> Option<Number> {
    let text = text.trim();
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{before}{after}");
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let point = i64::try_from(before.len()).ok()? + i64::from(exponent.parse::<i32>().ok()?);
    let point = usize::try_from(point.max(0)).ok()?;
    let fraction = digits.split_off(point.min(digits.len()));
    if fraction.bytes().any(|digit| digit != b'0') {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    let zeros = if significant.is_empty() { 0 } else { point - digits.len() };
    if significant.len() + zeros > MOST_DIGITS {
        return None;
    }
    let digits = format!("{significant}{}", "0".repeat(zeros));
    let sign = if negative && !digits.is_empty() { "-" } else { "" };
    let digits = if digits.is_empty() { "0" } else { &digits };
    serde_json::from_str(&format!("{sign}{digits}")).ok()
}

/// The text as a finite double, written so that it is no whole number: `5` becomes `5.0`.
pub(super) fn float(text: &str) -> Option<Number> {
    let text = text.trim();
    // Not `nan` nor `infinity`, which JSON has not.
    if !text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) {
        return None;
    }
    let value = text.parse::<f64>().ok().filter(|value| value.is_finite())?;
    serde_json::from_str(&format!("{value:?}")).ok()
}

pub(super) fn is_int(number: &Number) -> bool {
    let text = number.to_string();
    text.len() <= MOST_DIGITS + 1 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

pub(super) fn is_float(number: &Number) -> bool {
    let text = number.to_string();
    text.contains(['.', 'e', 'E']) && text.parse::<f64>().is_ok_and(f64::is_finite)
}
