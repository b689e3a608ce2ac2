//! JSON that comes from outside.

use serde::de::DeserializeOwned;

use crate::model::Invalid;

/// The name under which `serde_json` hands on numbers by their text (`arbitrary_precision`): an object that has it as its first key would
/// be read as a number.
const PRIVATE: &[u8] = b"$serde_json::private::Number";

/// Reads JSON; `field` is what it is called when it is refused.
pub(super) fn parse<T: DeserializeOwned>(field: &str, bytes: &[u8]) -> Result<T, Invalid> {
    if has_private_key(bytes) {
        return Err(Invalid::new(field, "has a key `$serde_json::private::Number`, which cannot be passed"));
    }
    serde_json::from_slice(bytes).map_err(|error| Invalid::new(field, format!("is not what is expected here: {error}")))
}

/// Looks for it where a text begins: after a quote that stands inside of a text is a backslash before its next one, so no text that only
/// speaks of the key is taken for it.
fn has_private_key(bytes: &[u8]) -> bool {
    let begins = |(_, pair): &(usize, &[u8])| *pair == b"\"$" || *pair == b"\"\\";
    bytes.windows(2).enumerate().filter(begins).any(|(at, _)| is_private_key(&bytes[at + 1..]))
}

/// Whether this is the rest of the key behind its opening quote, however its characters are escaped.
fn is_private_key(mut rest: &[u8]) -> bool {
    for &byte in PRIVATE {
        let escaped = || rest.split_at_checked(6).filter(|(escape, _)| is_escape_of(escape, byte));
        rest = match rest.split_first() {
            Some((&first, after)) if first == byte => after,
            _ => match escaped() {
                Some((_, after)) => after,
                None => return false,
            },
        };
    }
    rest.strip_prefix(b"\"").is_some_and(|rest| rest.trim_ascii_start().starts_with(b":"))
}

/// Whether this is `\u0024`, if the byte is a `$`.
fn is_escape_of(escape: &[u8], byte: u8) -> bool {
    let digits = escape.strip_prefix(b"\\u").and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) == Some(u32::from(byte))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_key_that_would_be_read_as_a_number_is_refused() {
        for text in [
            r#"{"$serde_json::private::Number": "5"}"#,
            r#"[{"a": {"$serde_json::private::Number" : "5", "b": 1}}]"#,
            r#"{"\u0024serde_json::private::Number":"5"}"#,
            r#"{"$serde_json\u003a\u003A\u0070rivate::Numbe\u0072":"5"}"#,
            r#"{"\u0024serde_json::privat\u0065::Number":"#,
        ] {
            assert_eq!(parse::<Value>("body", text.as_bytes()).unwrap_err().message.get(..5), Some("has a"), "{text}");
        }
        for text in [
            r#""$serde_json::private::Number""#,
            r#"{"a": "$serde_json::private::Number"}"#,
            r#"{"a": "\"$serde_json::private::Number\": 5"}"#,
            r#"{"$serde_json::private::Numbers": "5", "$": 1}"#,
            r#"{"$serde_json\\u003a:private::Number": "5"}"#,
            r#"{"\ud83d\ude00": 1e400}"#,
        ] {
            let value: Value = parse("body", text.as_bytes()).unwrap();
            assert!(!value.is_number(), "{text}");
        }
        assert_eq!(parse::<Value>("body", b"{").unwrap_err().field, "body");
    }
}
