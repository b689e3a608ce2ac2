//! JSON as kernels really send it.
//!
//! Three things that strict parsers refuse come from real kernels: strings with half of a surrogate pair (Python's text may
//! hold them), bytes that are no UTF-8 (Python writes such text so), and the numbers `NaN` and `Infinity`. Losing a whole
//! message over one of them would lose output, or the message that ends a cell. They become U+FFFD and null.

use serde_json::Value;

/// Parses a JSON text, mending it only when it has to be.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(bytes).or_else(|error| match serde_json::from_str(&mend(&String::from_utf8_lossy(bytes))) {
        Ok(value) => Ok(value),
        Err(_) => Err(error),
    })
}

/// Replaces lone surrogate escapes by `\ufffd` and, outside of strings, numbers that JSON does not have by `null`.
fn mend(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_string = false;
    while let Some(first) = rest.chars().next() {
        let (length, replacement) = if in_string { string_token(rest) } else { bare_token(rest) };
        in_string ^= first == '"';
        mended.push_str(replacement.unwrap_or(&rest[..length]));
        rest = &rest[length..];
    }
    mended
}

/// The length of what stands at the start of `rest`, inside a string, and what to put in its place.
fn string_token(rest: &str) -> (usize, Option<&'static str>) {
    if !rest.starts_with('\\') {
        // All up to the next character that matters at once.
        return (rest.find(['\\', '"']).filter(|at| *at > 0).unwrap_or_else(|| first_length(rest, 1)), None);
    }
    match surrogate(rest) {
        Some(0xD800..=0xDBFF) if matches!(rest.get(6..).and_then(surrogate), Some(0xDC00..=0xDFFF)) => (12, None),
        Some(0xD800..=0xDFFF) => (6, Some("\\ufffd")),
        _ => (first_length(rest, 2), None),
    }
}

/// The code unit of a `\uXXXX` escape at the start of `rest`.
fn surrogate(rest: &str) -> Option<u32> {
    u32::from_str_radix(rest.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

fn bare_token(rest: &str) -> (usize, Option<&'static str>) {
    for number in ["NaN", "-Infinity", "Infinity"] {
        if rest.starts_with(number) {
            return (number.len(), Some("null"));
        }
    }
    (first_length(rest, 1), None)
}

/// The length in bytes of the first `count` characters.
fn first_length(rest: &str, count: usize) -> usize {
    rest.char_indices().nth(count).map_or(rest.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn mends_what_kernels_send() {
        let cases: [(&[u8], Value); 8] = [
            (br#""a\ud800b""#, json!("a\u{fffd}b")),
            (br#""\ud83d\ude00 \ude00 \ud83d""#, json!("😀 \u{fffd} \u{fffd}")),
            (br#""\ud800\n\\ud800""#, json!("\u{fffd}\n\\ud800")),
            (br#""\ud800\ud83d\ude00""#, json!("\u{fffd}😀")),
            (
                br#"{"a":NaN,"b":[-Infinity,Infinity],"NaN":"NaN \"NaN"}"#,
                json!({"a":null,"b":[null,null],"NaN":"NaN \"NaN"}),
            ),
            (b"\"\xff\"", json!("\u{fffd}")),
            (br#"["\ud800", "\"", NaN]"#, json!(["\u{fffd}", "\"", null])),
            (br"123456789012345678901234567890.10", serde_json::from_str("123456789012345678901234567890.10").unwrap()),
        ];
        for (bytes, expected) in cases {
            assert_eq!(parse(bytes).unwrap(), expected, "{}", String::from_utf8_lossy(bytes));
        }
        for bytes in [&b"{"[..], b"", br#""\u12""#, br#""\ud8"#] {
            assert!(parse(bytes).is_err());
        }
    }

    proptest! {
        #[test]
        fn valid_json_is_left_alone(text in ".*", number in any::<f64>()) {
            let valid = json!({ &text: [text, number, "\\ud800", null] }).to_string();
            prop_assert_eq!(mend(&valid), valid);
        }
    }
}
