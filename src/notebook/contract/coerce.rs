//! From what a caller wrote to what the notebook declares. A value that cannot be had stays as it was given: whether it fits is
//! asked afterwards.

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, Timelike as _};
use serde_json::Value;

use super::super::ParamValue;
use super::number;
use super::shape::Shape;

impl Shape {
    pub(super) fn coerce(&self, value: ParamValue) -> ParamValue {
        use ParamValue as V;
        match (self, value) {
            (Self::Null, V::Str(text)) if is_null(&text) => V::Null,
            (Self::Bool, V::Str(text)) => boolean(&text).map_or(V::Str(text), V::Bool),
            (Self::Int, V::Str(text)) => number::whole(&text).map_or(V::Str(text), V::Number),
            (Self::Int, V::Number(given)) => number::whole(&given.to_string()).map_or(V::Number(given), V::Number),
            (Self::Float, V::Str(text)) => number::float(&text).map_or(V::Str(text), V::Number),
            (Self::Float, V::Number(given)) => number::float(&given.to_string()).map_or(V::Number(given), V::Number),
            (Self::Date, V::Str(text)) => date(&text).map_or(V::Str(text), V::Date),
            (Self::DateTime { naive }, V::Str(text)) => date_time(&text, *naive).unwrap_or(V::Str(text)),
            (Self::List { item, made_by }, value) => self.made(list(item, value), made_by.as_deref()),
            (Self::Dict(inner), value) => dict(inner, value),
            (Self::OneOf { values, made_by }, value) => self.made(member(values, &value), made_by.as_deref()),
            (Self::Union(parts), value) => union(parts, value),
            (_, value) => value,
        }
    }

    fn made(&self, value: ParamValue, by: Option<&str>) -> ParamValue {
        match by {
            Some(by) if self.fits(&value) => ParamValue::Made { by: by.to_owned(), of: Box::new(value) },
            _ => value,
        }
    }

    /// The order in which the parts of a union are tried: what says most about a text first, and what would take anything last.
    fn rank(&self) -> u8 {
        match self {
            Self::Date | Self::DateTime { .. } | Self::OneOf { .. } => 0,
            Self::Str => 1,
            Self::Null | Self::Bool | Self::Int | Self::Float => 2,
            Self::List { .. } | Self::Dict(_) | Self::Union(_) | Self::Any => 3,
        }
    }
}

/// A form's empty field is none too.
fn is_null(text: &str) -> bool {
    ["", "null", "none"].contains(&text.trim().to_ascii_lowercase().as_str())
}

fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Python's dates begin with the year 1.
fn is_pythons(year: i32) -> bool {
    (1..=9999).contains(&year)
}

fn date(text: &str) -> Option<NaiveDate> {
    let text = text.trim();
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (is_pythons(date.year()) && date.to_string() == text).then_some(date)
}

/// RFC 3339, to the microsecond; not a leap second, which Python has not.
fn date_time(text: &str, naive: bool) -> Option<ParamValue> {
    let time = DateTime::parse_from_rfc3339(text.trim()).ok()?;
    let micros = |local: NaiveDateTime| local.with_nanosecond(local.nanosecond() / 1000 * 1000);
    let leap = time.nanosecond() >= 1_000_000_000;
    let (local, offset) = if naive { (time.naive_utc(), None) } else { (time.naive_local(), Some(*time.offset())) };
    (is_pythons(local.year()) && !leap).then_some(ParamValue::DateTime { local: micros(local)?, offset })
}

/// A list, the JSON text of one, or its only item.
fn list(item: &Shape, value: ParamValue) -> ParamValue {
    let all = |items: Vec<ParamValue>| ParamValue::List(items.into_iter().map(|each| item.coerce(each)).collect());
    match value {
        ParamValue::List(items) => all(items),
        ParamValue::Str(text) => {
            let parsed = json_text(&text, '[').map(ParamValue::from);
            let only = item.coerce(ParamValue::Str(text));
            match parsed {
                Some(ParamValue::List(items)) => {
                    let parsed = all(items);
                    let fits = matches!(&parsed, ParamValue::List(items) if items.iter().all(|each| item.fits(each)));
                    if fits || !item.fits(&only) { parsed } else { ParamValue::List(vec![only]) }
                }
                _ => ParamValue::List(vec![only]),
            }
        }
        value @ (ParamValue::Null | ParamValue::Bytes(_)) => value,
        only => ParamValue::List(vec![item.coerce(only)]),
    }
}

fn dict(inner: &Shape, value: ParamValue) -> ParamValue {
    let value = match value {
        ParamValue::Str(text) => json_text(&text, '{').map_or(ParamValue::Str(text), ParamValue::from),
        value => value,
    };
    match value {
        ParamValue::Object(pairs) => {
            ParamValue::Object(pairs.into_iter().map(|(name, each)| (name, inner.coerce(each))).collect())
        }
        value => value,
    }
}

fn json_text(text: &str, opening: char) -> Option<Value> {
    let text = text.trim();
    if text.starts_with(opening) { serde_json::from_str(text).ok() } else { None }
}

/// The value of the `enum` that is meant.
fn member(values: &[Value], value: &ParamValue) -> ParamValue {
    let given = value.json();
    if values.contains(&given) {
        return given.into();
    }
    let has_text = values.iter().any(Value::is_string);
    let meant = |one: &&Value| {
        let shape = match one {
            Value::Null if !has_text => Shape::Null,
            Value::Bool(_) => Shape::Bool,
            Value::Number(number) if number::is_int(number) => Shape::Int,
            Value::Number(_) => Shape::Float,
            _ => return false,
        };
        shape.coerce(value.clone()) == shape.coerce((*one).clone().into())
    };
    values.iter().find(meant).map_or_else(|| value.clone(), |one| one.clone().into())
}

/// As the first part has it that takes the value as it is, else the first that can have it. A text stays one, where texts fit.
fn union(parts: &[Shape], value: ParamValue) -> ParamValue {
    let mut ordered: Vec<&Shape> = parts.iter().collect();
    ordered.sort_by_key(|part| part.rank());
    let taken = |part: &&Shape| {
        let coerced = part.coerce(value.clone());
        part.fits(&coerced).then_some(coerced)
    };
    let at_once = ordered.iter().filter(|part| part.rank() == 0 || part.fits(&value));
    at_once.chain(&ordered).find_map(taken).unwrap_or(value)
}
