//! How else a secret may come to stand in an output: the ways in which a notebook writes a text without wanting to hide it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::Value;

/// Values shorter than this are not masked: replacing every `1` in an output would destroy it.
pub(super) const SHORTEST_SECRET: usize = 4;

/// Shortest line of a secret of several lines that is masked by itself.
const SHORTEST_LINE: usize = 8;

/// A secret as it is, and escaped or encoded as a whole: as JSON, Python, HTML, a URL and base64 have it. Of several lines also each
/// line, as they are seldom printed all at once.
#[must_use]
pub fn spellings(secret: &str) -> Vec<String> {
    let mut found: Vec<String> = vec![secret.to_owned()];
    let trimmed = secret.trim();
    for text in if trimmed == secret { vec![secret] } else { vec![secret, trimmed] } {
        found.push(text.to_owned());
        found.extend(as_written(text));
        found.push(text.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t"));
        found.extend(in_html(text));
        found.extend(["", "/", "!'()*"].map(|kept| percent(text, kept)));
        found.push(percent(text, "").replace("%20", "+"));
        let bytes = text.as_bytes();
        found.extend([STANDARD.encode(bytes), STANDARD_NO_PAD.encode(bytes)]);
        found.extend([URL_SAFE.encode(bytes), URL_SAFE_NO_PAD.encode(bytes)]);
    }
    let lines = trimmed.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE && *line != trimmed);
    found.extend(lines.map(str::to_owned));
    found.retain(|text| text.len() >= SHORTEST_SECRET);
    found.sort();
    found.dedup();
    found
}

/// A text within a JSON string, within one in ASCII only, and within a form.
pub(super) fn as_written(text: &str) -> [String; 3] {
    let json = Value::from(text).to_string();
    let json = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or_default();
    let mut ascii = String::new();
    for c in json.chars() {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            ascii.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    let form = serde_urlencoded::to_string([("", text)]).unwrap_or_default();
    [json.to_owned(), ascii, form.trim_start_matches('=').to_owned()]
}

/// As pandas and Jupyter write it, and as Python's `html.escape` does.
fn in_html(text: &str) -> [String; 2] {
    let some = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let all = some.replace('"', "&quot;").replace('\'', "&#x27;");
    [some, all]
}

/// Percent-encoded (RFC 3986), but for what is unreserved and `kept`.
fn percent(text: &str, kept: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if byte.is_ascii_alphanumeric() || "-._~".contains(c) || (byte.is_ascii() && kept.contains(c)) {
            written.push(c);
        } else {
            let _ = write!(written, "%{byte:02X}"); // writing to a String cannot fail
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_as_others_write_it() {
        let found = spellings("a\"b/ü &<'c\n");
        for written in [
            "a\"b/ü &<'c\n",
            "a\"b/ü &<'c",
            "a\\\"b/ü &<'c\\n",            // json.dumps(…, ensure_ascii=False)
            "a\\\"b/\\u00fc &<'c",         // json.dumps(….strip())
            "a\"b/ü &<'c\\n",              // repr, more or less
            "a\"b/ü &amp;&lt;'c",          // html.escape(…, quote=False)
            "a&quot;b/ü &amp;&lt;&#x27;c", // html.escape
            "a%22b/%C3%BC%20%26%3C%27c",   // urllib.parse.quote
            "a%22b%2F%C3%BC+%26%3C%27c",   // quote_plus
            "a%22b%2F%C3%BC%20%26%3C'c",   // encodeURIComponent
            "YSJiL8O8ICY8J2MK",            // base64
            "YSJiL8O8ICY8J2M=",
            "YSJiL8O8ICY8J2M",
        ] {
            assert!(found.contains(&written.to_owned()), "{written}: {found:?}");
        }
    }

    #[test]
    fn of_several_lines_each_is_a_secret() {
        let found = spellings("-----BEGIN KEY-----\nMIIEvQIBADAN\nab\n-----END KEY-----\n");
        assert!(found.contains(&"MIIEvQIBADAN".to_owned()) && !found.contains(&"ab".to_owned()), "{found:?}");
        assert!(spellings("abc").iter().all(|text| text.len() >= SHORTEST_SECRET));
    }
}
