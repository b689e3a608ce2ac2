//! How else a secret may come to stand in an output: the ways in which a notebook writes a text without wanting to hide it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::Value;

/// Values shorter than this are not masked: replacing every `1` in an output would destroy it.
pub(super) const SHORTEST_SECRET: usize = 4;

/// Shortest line of a secret of several lines that is masked by itself.
const SHORTEST_LINE: usize = 8;

/// Longest secret that is looked for in all its spellings; of a longer one in the usual ones.
const LONGEST_SPELT: usize = 4096;

/// A secret as it is, and escaped or encoded as a whole: as JSON, Python, HTML, a URL and base64 have it. Of several lines also each
/// line, as they are seldom printed all at once.
///
/// They are a hundred at most, and few of a secret of letters and digits.
#[must_use]
pub fn spellings(secret: &str) -> Vec<String> {
    let trimmed = secret.trim();
    // But for base64, what is written of the whole has in it what is written of less.
    let least = if trimmed.is_empty() { secret } else { trimmed };
    let mut found: Vec<String> = vec![secret.to_owned(), least.to_owned()];
    found.extend(in_base64(secret));
    found.extend(in_base64(least));
    let json = as_written(least);
    found.extend(in_html(least).into_iter().take(2));
    found.extend(in_urls(least));
    found.extend([in_python(least, false, false), in_python(least, true, false)]);
    if least.len() <= LONGEST_SPELT {
        found.push(least.escape_debug().to_string()); // as this server's own errors have it
        found.extend(in_html(least));
        found.extend(in_html(least).iter().map(|text| in_ascii(text, |c| format!("&#{};", u32::from(c)))));
        found.extend([in_python(least, false, true), in_python(least, true, true)]);
        found.extend([false, true].map(|quote| in_python_bytes(least, quote)));
        found.extend(json[..2].iter().flat_map(|json| in_json_again(json)));
    }
    found.extend(json);
    let lines = trimmed.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE && *line != trimmed);
    found.extend(lines.map(str::to_owned));
    found.retain(|text| text.len() >= SHORTEST_SECRET);
    found.sort();
    found.dedup();
    found
}

/// A text within a JSON string, within one in ASCII only, and within a form.
pub(super) fn as_written(text: &str) -> [String; 3] {
    let json = in_json(text);
    let ascii = in_ascii(&json, |c| utf16(c, false));
    let form = serde_urlencoded::to_string([("", text)]).unwrap_or_default();
    [json, ascii, form.trim_start_matches('=').to_owned()]
}

fn in_json(text: &str) -> String {
    let json = Value::from(text).to_string();
    json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or_default().to_owned()
}

/// What is in a JSON string already as others write it, and as it is in a string that is JSON.
fn in_json_again(json: &str) -> Vec<String> {
    let slashes = json.replace('/', "\\/");
    let for_html = json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    let quotes_too = for_html.replace('\'', "\\u0027");
    let upper = in_ascii(json, |c| utf16(c, true));
    let twice = in_json(json);
    let ascii = in_ascii(&twice, |c| utf16(c, false));
    let again = [in_json(&slashes), in_python(json, false, false), in_python(json, true, true)];
    [slashes, for_html, quotes_too, upper, twice, ascii].into_iter().chain(again).collect()
}

/// With `written` for what is not ASCII.
fn in_ascii(text: &str, written: impl Fn(char) -> String) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut ascii, c| {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            ascii.push_str(&written(c));
        }
        ascii
    })
}

fn utf16(c: char, upper: bool) -> String {
    let unit = |unit: &u16| if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
    c.encode_utf16(&mut [0; 2]).iter().map(unit).collect()
}

/// As Python's `repr` and `ascii` have it. They escape `'` in what has both kinds of quotes.
fn in_python(text: &str, ascii: bool, quote: bool) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut written, c| {
        let shows = !c.is_control() && (c == ' ' || !c.is_whitespace()) && !('\u{200b}'..='\u{206f}').contains(&c);
        // Writing to a String cannot fail.
        let _ = match (c, u32::from(c)) {
            ('\\', _) => written.write_str("\\\\"),
            ('\n', _) => written.write_str("\\n"),
            ('\r', _) => written.write_str("\\r"),
            ('\t', _) => written.write_str("\\t"),
            ('\'', _) if quote => written.write_str("\\'"),
            _ if shows && c != '\u{ad}' && (c.is_ascii() || !ascii) => written.write_char(c),
            (_, code @ ..=0xff) => write!(written, "\\x{code:02x}"),
            (_, code @ ..=0xffff) => write!(written, "\\u{code:04x}"),
            (_, code) => write!(written, "\\U{code:08x}"),
        };
        written
    })
}

/// As `repr` has its bytes.
fn in_python_bytes(text: &str, quote: bool) -> String {
    in_python(&text.bytes().map(char::from).collect::<String>(), true, quote)
}

/// As pandas and Jupyter write it, as Python's `html.escape` does, and with other names for quotes.
fn in_html(text: &str) -> Vec<String> {
    let some = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let with = |(double, single): (&str, &str)| some.replace('"', double).replace('\'', single);
    // The two that are most usual come first.
    let mut found: Vec<String> = [("\"", "'"), ("&quot;", "&#x27;")].map(with).into();
    for double in ["\"", "&quot;", "&#34;"] {
        found.extend(["'", "&#x27;", "&#39;", "&apos;"].map(|single| with((double, single))));
    }
    found
}

/// Percent-encoded, by the rules of several libraries.
fn in_urls(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for kept in ["", "/", "!'()*", ";,/?:@&=+$#!'()*"] {
        for upper in [true, false] {
            let written = percent(text, kept, upper);
            found.push(written.replace("%20", "+"));
            found.push(written);
        }
    }
    // As forms have it.
    found.push(percent(text, "*", false).replace('~', "%7e").replace("%20", "+"));
    found
}

/// Percent-encoded (RFC 3986), but for what is unreserved and `kept`.
fn percent(text: &str, kept: &str, upper: bool) -> String {
    let mut written = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if byte.is_ascii_alphanumeric() || "-._~".contains(c) || (byte.is_ascii() && kept.contains(c)) {
            written.push(c);
        } else if upper {
            let _ = write!(written, "%{byte:02X}");
        } else {
            let _ = write!(written, "%{byte:02x}");
        }
    }
    written
}

fn in_base64(text: &str) -> [String; 4] {
    [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].map(|engine| engine.encode(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notebook::{Secrets, mask};

    /// Whether nothing of this is left but white space.
    fn is_masked(written: &str, secrets: &Secrets) -> bool {
        let mut text = written.to_owned();
        mask(&mut text, secrets);
        ["\\\\n", "\\n", "%0A", "%0a"].iter().fold(text, |text, end| text.replace(end, "")).trim() == "***"
    }

    #[test]
    fn a_secret_is_known_as_others_write_it() {
        let secrets = Secrets::new(spellings("a\"b/ü &<'c~\u{20ac}😀\u{7}\n"));
        for written in [
            "a\"b/ü &<'c~€😀\u{7}",
            r#"a\"b/ü &<'c~€😀\u0007\n"#, // json.dumps(…, ensure_ascii=False)
            r#"a\"b/\u00fc &<'c~\u20ac\ud83d\ude00\u0007"#, // json.dumps(….strip())
            r#"a\"b/\u00FC &<'c~\u20AC\uD83D\uDE00\u0007"#, // … of others
            r#"a\"b\/\u00fc &<'c~\u20ac\ud83d\ude00\u0007"#, // … of PHP
            r#"a\"b/ü \u0026\u003c'c~€😀\u0007"#, // … of Go
            r#"a\"b/\u00fc \u0026\u003c\u0027c~\u20ac\ud83d\ude00\u0007"#, // … of Jinja
            r#"a\\\"b/ü &<'c~€😀\\u0007\\n"#, // JSON in JSON
            r#"a\\\"b/\\u00fc &<'c~\\u20ac\\ud83d\\ude00\\u0007"#,
            r#"a\\\"b\\/\\u00fc &<'c~\\u20ac\\ud83d\\ude00\\u0007"#,
            r#"a\\"b/\\u00fc &<'c~\\u20ac\\ud83d\\ude00\\u0007"#, // repr(json.dumps(…))
            r#"a"b/ü &<\'c~€😀\x07\n"#,                           // repr
            r#"a"b/ü &<'c~€😀\x07\n"#,                            // … of what has no "
            r#"a"b/\xfc &<\'c~\u20ac\U0001f600\x07"#,             // ascii
            r#"a"b/\xfc &<'c~\u20ac\U0001f600\x07"#,
            r#"a"b/\xc3\xbc &<\'c~\xe2\x82\xac\xf0\x9f\x98\x80\x07"#, // repr(….encode())
            r#"a"b/\xc3\xbc &<'c~\xe2\x82\xac\xf0\x9f\x98\x80\x07"#,
            "a\"b/ü &amp;&lt;'c~€😀\u{7}",                   // html.escape(…, quote=False)
            "a&quot;b/ü &amp;&lt;&#x27;c~€😀\u{7}",          // html.escape
            "a&#34;b/ü &amp;&lt;&#39;c~€😀\u{7}",            // markupsafe, Go
            "a&quot;b/ü &amp;&lt;&#39;c~€😀\u{7}",           // Django, PHP
            "a\"b/&#252; &amp;&lt;'c~&#8364;&#128512;\u{7}", // lxml
            "a%22b/%C3%BC%20%26%3C%27c~%E2%82%AC%F0%9F%98%80%07", // urllib.parse.quote
            "a%22b/%c3%bc%20%26%3c%27c~%e2%82%ac%f0%9f%98%80%07",
            "a%22b%2F%C3%BC+%26%3C%27c~%E2%82%AC%F0%9F%98%80%07%0A", // quote_plus
            "a%22b%2f%c3%bc+%26%3c%27c~%e2%82%ac%f0%9f%98%80%07%0a",
            "a%22b%2f%c3%bc+%26%3c%27c%7e%e2%82%ac%f0%9f%98%80%07", // as forms have it
            "a%22b%2F%C3%BC+%26%3C%27c%7E%E2%82%AC%F0%9F%98%80%07",
            "a%22b%2F%C3%BC%20%26%3C'c~%E2%82%AC%F0%9F%98%80%07", // encodeURIComponent
            "a%22b/%C3%BC%20&%3C'c~%E2%82%AC%F0%9F%98%80%07",     // encodeURI
            "YSJiL8O8ICY8J2N+4oKs8J+YgAcK",                       // base64
            "YSJiL8O8ICY8J2N+4oKs8J+YgAc=",
            "YSJiL8O8ICY8J2N-4oKs8J-YgAc",
        ] {
            assert!(is_masked(written, &secrets), "{written}");
        }
        assert!(secrets.count() <= 100, "{}", secrets.count());
        assert!(spellings("hunter2-of-alice").len() <= 5);
    }

    #[test]
    fn of_several_lines_each_is_a_secret() {
        let found = spellings("-----BEGIN KEY-----\nMIIEvQIBADAN\nab\n-----END KEY-----\n");
        assert!(found.contains(&"MIIEvQIBADAN".to_owned()) && !found.contains(&"ab".to_owned()), "{found:?}");
        assert!(spellings("abc").iter().all(|text| text.len() >= SHORTEST_SECRET));
    }
}
