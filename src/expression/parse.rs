//! From a text to the parts of a URL.

use super::{Expression, Malformed, Part, Place, Source};

/// The literal texts and the expressions of a template, in order.
pub(super) fn parts(text: &str) -> Result<Vec<Part>, Malformed> {
    if text.is_empty() {
        return Err(Malformed { at: 0, reason: "is empty".to_owned() });
    }
    if text.starts_with('$') {
        if text.contains("{$") {
            return Err(Malformed { at: 0, reason: "among others an expression stands in braces".to_owned() });
        }
        return Ok(vec![Part::Open(expression(text, 0)?)]);
    }
    let (mut parts, mut at, mut rest) = (Vec::new(), 0, text);
    while !rest.is_empty() {
        let end = rest.find('{').unwrap_or(rest.len());
        let (plain, behind) = rest.split_at(end);
        if !plain.is_empty() {
            check_literal(plain, at)?;
            parts.push(Part::Literal(plain.to_owned()));
        }
        at += plain.chars().count();
        let Some(inside) = behind.strip_prefix('{') else { break };
        let Some(close) = inside.find('}') else {
            return Err(Malformed { at, reason: "a `{` that is not closed".to_owned() });
        };
        let written = &inside[..close];
        parts.push(Part::Open(expression(written, at + 1)?));
        at += written.chars().count() + 2;
        rest = &inside[close + 1..];
    }
    Ok(parts)
}

/// What may stand in a URL by itself: visible ASCII that no URL has to encode (RFC 3986), and no fragment, which nobody sends.
fn check_literal(text: &str, at: usize) -> Result<(), Malformed> {
    for (offset, character) in text.chars().enumerate() {
        let reason = match character {
            '}' => "a `}` without a `{`".to_owned(),
            '#' => "a fragment, which is never sent".to_owned(),
            c if !c.is_ascii_graphic() || "\"<>\\^`|".contains(c) => {
                format!("`{}` cannot stand in a URL as it is", c.escape_debug())
            }
            _ => continue,
        };
        return Err(Malformed { at: at + offset, reason });
    }
    Ok(())
}

fn expression(written: &str, at: usize) -> Result<Expression, Malformed> {
    source(written)
        .map(|source| Expression { written: written.to_owned(), source })
        .map_err(|(offset, reason)| Malformed { at: at + offset, reason })
}

/// An offset in characters, and what is wrong there.
type Trouble = (usize, String);

fn source(written: &str) -> Result<Source, Trouble> {
    let Some(name) = written.strip_prefix('$') else {
        return Err((0, "an expression begins with `$`, as `{$request.body#/id}` or `{$name}`".to_owned()));
    };
    match name {
        "url" => return Ok(Source::Url),
        "method" => return Ok(Source::Method),
        "statusCode" => return Ok(Source::StatusCode),
        _ => {}
    }
    if let Some(place) = name.strip_prefix("request.") {
        return self::place(place, "$request.").map(Source::Request);
    }
    if let Some(place) = name.strip_prefix("response.") {
        let place = self::place(place, "$response.")?;
        if let Place::Query(_) | Place::Path(_) = place {
            return Err((0, "a response has headers and a body, but no query and no path".to_owned()));
        }
        return Ok(Source::Response(place));
    }
    if name == "request" || name == "response" {
        return Err((written.chars().count(), format!("what of the {name}? e.g. `${name}.body#/id`")));
    }
    if is_name(name) {
        return Ok(Source::Parameter(name.to_owned()));
    }
    let reason = "expected $url, $method, $statusCode, $request.…, $response.…, or $ and the name of a parameter";
    Err((0, reason.to_owned()))
}

/// The name of a parameter: a variable of the notebook's language.
fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && letters.all(|c| c.is_alphanumeric() || c == '_')
}

fn place(text: &str, prefix: &str) -> Result<Place, Trouble> {
    let at = prefix.len(); // ASCII
    let named = |name: &str, keyword: &str| match name {
        "" => Err((at + keyword.len(), format!("`{prefix}{keyword}` needs a name"))),
        name => Ok(name.to_owned()),
    };
    if let Some(name) = text.strip_prefix("header.") {
        if let Some(offset) = name.chars().position(|c| !is_token(c)) {
            return Err((at + "header.".len() + offset, "this cannot stand in the name of a header".to_owned()));
        }
        return named(name, "header.").map(|name| Place::Header(name.to_ascii_lowercase()));
    }
    if let Some(name) = text.strip_prefix("query.") {
        return named(name, "query.").map(Place::Query);
    }
    if let Some(name) = text.strip_prefix("path.") {
        return named(name, "path.").map(Place::Path);
    }
    let Some(rest) = text.strip_prefix("body") else {
        return Err((at, "expected `header.`, `query.`, `path.` or `body`".to_owned()));
    };
    let at = at + "body".len();
    if rest.is_empty() {
        return Ok(Place::Body(Vec::new()));
    }
    if let Some(pointer) = rest.strip_prefix('#') {
        return steps(pointer, at + 1).map(Place::Body);
    }
    match rest.strip_prefix('.') {
        Some(path) if path.split('.').all(|name| !name.is_empty()) => {
            Ok(Place::Body(path.split('.').map(str::to_owned).collect()))
        }
        Some(_) => Err((at, "a name is empty".to_owned())),
        None => Err((at, "expected the end, `#/…` (a JSON pointer) or `.` and a name".to_owned())),
    }
}

/// The steps of a JSON pointer (RFC 6901).
fn steps(pointer: &str, at: usize) -> Result<Vec<String>, Trouble> {
    if pointer.is_empty() {
        return Ok(Vec::new());
    }
    if !pointer.starts_with('/') {
        return Err((at, "a JSON pointer begins with `/`".to_owned()));
    }
    let mut at = at;
    let mut steps = Vec::new();
    for written in pointer[1..].split('/') {
        at += 1; // the slash
        let mut pieces = written.split('~');
        let mut step = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (escaped, rest) = match piece.chars().next() {
                Some('0') => ('~', &piece[1..]),
                Some('1') => ('/', &piece[1..]),
                _ => return Err((at, "in a JSON pointer a `~` is followed by 0 or 1".to_owned())),
            };
            step.push(escaped);
            step.push_str(rest);
        }
        at += written.chars().count();
        steps.push(step);
    }
    Ok(steps)
}

/// A character of a token (RFC 9110, section 5.6.2).
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}
