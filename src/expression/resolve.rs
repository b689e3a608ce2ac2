//! What an expression stands for.

use std::borrow::Cow;

use serde_json::Value;

use super::{Place, Request, Response, Source};

/// What was found of a source; nothing, or its values.
pub(super) type Found<'v> = Result<Cow<'v, Value>, Lack>;

/// Why there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Lack {
    #[error("is missing")]
    Absent,
    #[error("is there more than once")]
    Repeated,
    #[error("cannot be read: the body is not JSON, a form or text")]
    Unreadable,
    #[error("is a list; it must be a string, a number or a boolean")]
    List,
    #[error("is an object; it must be a string, a number or a boolean")]
    Object,
}

/// None: it is not of the request.
pub(super) fn of_request<'v>(source: &Source, request: &Request<'v>, is_base: bool) -> Option<Found<'v>> {
    Some(match source {
        Source::Url => Ok(text(request.url)),
        Source::Method => Ok(text(request.method)),
        Source::Parameter(name) => {
            let default = || request.defaults.get(name).filter(|_| !is_base);
            request.parameters.get(name).or_else(default).map(Cow::Borrowed).ok_or(Lack::Absent)
        }
        Source::Request(Place::Header(name)) => one(request.headers, name),
        Source::Request(Place::Query(name)) => one(request.query, name),
        Source::Request(Place::Path(name)) => one(request.path, name),
        Source::Request(Place::Body(steps)) => inside(request.body, steps),
        Source::StatusCode | Source::Response(_) => return None,
    })
}

/// None: it is not of the response.
pub(super) fn of_response<'v>(source: &Source, response: &Response<'v>) -> Option<Found<'v>> {
    Some(match source {
        Source::StatusCode => Ok(Cow::Owned(Value::from(response.status))),
        Source::Response(Place::Header(name)) => one(response.headers, name),
        Source::Response(Place::Body(steps)) => inside(response.body, steps),
        _ => return None,
    })
}

/// A value as text. Null says as little as nothing does.
pub(super) fn scalar(found: Found<'_>) -> Result<String, Lack> {
    match &*found? {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Null => Err(Lack::Absent),
        Value::Array(_) => Err(Lack::List),
        Value::Object(_) => Err(Lack::Object),
    }
}

fn text(text: &str) -> Cow<'static, Value> {
    Cow::Owned(Value::from(text))
}

/// The value with a name, which stands for one thing only.
fn one(pairs: &[(String, String)], name: &str) -> Found<'static> {
    let mut values = pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (None, _) => Err(Lack::Absent),
        (Some(value), None) => Ok(text(value)),
        (Some(_), Some(_)) => Err(Lack::Repeated),
    }
}

/// What is at the end of a JSON pointer (RFC 6901, section 4).
fn inside<'v>(body: Option<&'v Value>, steps: &[String]) -> Found<'v> {
    let mut value = body.ok_or(Lack::Unreadable)?;
    for step in steps {
        let next = match value {
            Value::Object(members) => members.get(step),
            Value::Array(items) => index(step).and_then(|index| items.get(index)),
            _ => None,
        };
        value = next.ok_or(Lack::Absent)?;
    }
    Ok(Cow::Borrowed(value))
}

/// An index has no sign and no zeros in front.
fn index(step: &str) -> Option<usize> {
    let plain = step == "0" || (!step.starts_with('0') && step.bytes().all(|digit| digit.is_ascii_digit()));
    step.parse().ok().filter(|_| plain)
}
