//! From parts to a URL that leads where it should.

use super::{Expression, Part, Source, Unresolved};

/// Longest URL, in bytes.
const LONGEST: usize = 2_048;

/// A value as one segment of a path, or as part of a query: only what is never encoded stays (RFC 3986, section 2.3).
pub(super) fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}"); // writing to a String cannot fail
        }
        encoded
    })
}

/// Why a text cannot be the base of a URL.
pub(super) fn base_trouble(text: &str) -> Option<String> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Some("must be an absolute http or https URL".to_owned());
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if !(scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
        || host.is_empty()
        || host.starts_with(':')
    {
        return Some("must be an absolute http or https URL".to_owned());
    }
    if let Some(illegal) = text.chars().find(|c| !c.is_ascii_graphic() || "\"<>\\^`{|}".contains(*c)) {
        return Some(format!("must be a URL, in which `{}` cannot stand as it is", illegal.escape_debug()));
    }
    text.contains('#').then(|| "must be a URL without a fragment, which is never sent".to_owned())
}

/// Whether the parts of a template as its author wrote it can make a URL; else the number of the part that is wrong, and why.
pub(super) fn check(parts: &[Part]) -> Result<(), (usize, String)> {
    match parts {
        [Part::Literal(first), rest @ ..] => {
            if base_trouble(first).is_some() {
                return Err((0, "begins with neither an expression nor an absolute http or https URL".to_owned()));
            }
            let authority = first.split_once("://").map_or("", |(_, rest)| rest);
            if !rest.is_empty() && !authority.contains(['/', '?']) {
                let reason =
                    "the host cannot be made of expressions: put a `/` before this, or begin with an expression";
                return Err((1, reason.to_owned()));
            }
        }
        [Part::Open(Expression { source: Source::Method | Source::StatusCode, .. }), ..] => {
            return Err((0, "is no URL, so it cannot be the base of one".to_owned()));
        }
        [_, Part::Literal(next), ..] if !next.starts_with(['/', '?']) => {
            return Err((1, "what follows the base of a URL begins with `/` or `?`".to_owned()));
        }
        [_, Part::Literal(_), ..] | [] | [_] => {}
        [_, _, ..] => return Err((1, "what follows the base of a URL begins with `/` or `?`".to_owned())),
    }
    let (_, tail) = split(parts, |_| "x".to_owned());
    if has_dots(&tail) { Err((0, "has `.` or `..` as a segment of its path".to_owned())) } else { Ok(()) }
}

/// The URL of parts that are all known.
pub(super) fn url(parts: &[Part]) -> Result<String, Unresolved> {
    if let Some(open) = parts.iter().find_map(|part| if let Part::Open(open) = part { Some(open) } else { None }) {
        return Err(open.unresolved("is not known before the call is answered"));
    }
    let (base, tail) = split(parts, |_| String::new());
    if has_dots(&tail) {
        return Err(blame(parts, "would be `.` or `..` as a segment of the path", |text| matches!(text, "." | "..")));
    }
    let url = join(&base, &tail);
    if url.len() > LONGEST {
        Err(blame(parts, "makes the URL too long", |text| text.len() > LONGEST / 2))
    } else {
        Ok(url)
    }
}

/// Names the value that is at fault; if none is in particular, the first.
fn blame(parts: &[Part], reason: &str, is_at_fault: impl Fn(&str) -> bool) -> Unresolved {
    let values = || {
        parts.iter().filter_map(|part| match part {
            Part::Value(text, of) | Part::Base(text, of) => Some((text, of)),
            Part::Literal(_) | Part::Open(_) => None,
        })
    };
    match values().find(|(text, _)| is_at_fault(text)).or_else(|| values().next()) {
        Some((_, of)) => of.unresolved(reason),
        None => Expression { written: String::new(), source: Source::Url }.unresolved(reason), // its author made it so
    }
}

/// The base of the URL, and what its author put behind it.
fn split(parts: &[Part], open: impl Fn(&Expression) -> String) -> (String, String) {
    let text = |part: &Part| match part {
        Part::Literal(text) | Part::Value(text, _) | Part::Base(text, _) => text.clone(),
        Part::Open(expression) => open(expression),
    };
    let tail: String = parts.iter().skip(1).map(text).collect();
    let Some(first) = parts.first() else { return (String::new(), tail) };
    let base = text(first);
    let Part::Literal(_) = first else { return (base, tail) };
    // Its own path belongs to what has to be looked at.
    let host = base.find("://").map_or(0, |at| at + 3);
    let end = base[host..].find(['/', '?']).map_or(base.len(), |at| host + at);
    (base[..end].to_owned(), format!("{}{tail}", &base[end..]))
}

/// Whether a segment of the path would be taken for another folder, however its dots are spelt (URL Standard, section 4.1).
fn has_dots(tail: &str) -> bool {
    let path = tail.split('?').next().unwrap_or_default();
    path.split('/').any(|segment| matches!(&*segment.to_ascii_lowercase().replace("%2e", "."), "." | ".."))
}

/// A path goes before the base's own query, and a query behind it.
fn join(base: &str, tail: &str) -> String {
    if tail.is_empty() {
        return base.to_owned();
    }
    let (mut path, own) = halves(base);
    let (added, query) = halves(tail);
    if added.starts_with('/') {
        path = path.trim_end_matches('/');
    }
    let queries: Vec<&str> = [own, query].into_iter().flatten().filter(|query| !query.is_empty()).collect();
    let mark = if queries.is_empty() { "" } else { "?" };
    format!("{path}{added}{mark}{}", queries.join("&"))
}

fn halves(text: &str) -> (&str, Option<&str>) {
    text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)))
}
