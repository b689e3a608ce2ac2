//! What a request wants a callback to be, read field by field.

use serde_json::Value;

use super::super::fields::Fields;
use crate::model::{CallbackChange, CallbackId, Change, ConfigChange, HeaderChange, Invalid, ProfileId};

/// Longest name of a callback, in characters.
const LONGEST_NAME: usize = 200;
/// In seconds.
const TIMEOUT: std::ops::RangeInclusive<u32> = 1..=60;
/// Attempts per minute.
const RATE_LIMIT: std::ops::RangeInclusive<u32> = 1..=6_000;

/// What is to be changed, or set up, and whether the URL is to be tried out. Nothing else may be left in `fields`.
pub(super) fn read(mut fields: Fields) -> Result<(CallbackChange, bool), Invalid> {
    let change = CallbackChange {
        name: fields.line("name", LONGEST_NAME)?,
        profile: fields
            .take("profile_id", "must be the id of a profile", |value| value.as_i64().map(ProfileId::from_number))?,
        fallback: fields.take("fallback_callback_id", "must be the id of a callback", |value| {
            value.as_i64().map(CallbackId::from_number)
        })?,
        enabled: fields.flag("enabled")?,
        mode: fields.take("mode", "must be HTTPS or HTTP", |value| value.as_str()?.parse().ok())?,
        config: match fields.raw("config") {
            Change::Set(config) => Change::Set(config_of(Fields::of_object("config", config)?)?),
            Change::Keep => Change::Keep,
            Change::Clear => Change::Clear,
        },
    };
    let verify = !matches!(fields.flag("verify")?, Change::Set(false));
    fields.end()?;
    Ok((change, verify))
}

fn config_of(mut fields: Fields) -> Result<ConfigChange, Invalid> {
    let config = ConfigChange {
        url: fields.take("url", "must be a URL", |value| value.as_str().map(str::to_owned))?,
        method: fields
            .take("method", "must be GET, POST, PUT, PATCH or DELETE", |value| value.as_str()?.parse().ok())?,
        headers: match fields.raw("headers") {
            Change::Set(Value::Array(headers)) => Change::Set(headers_of(&fields.name("headers"), headers)?),
            Change::Set(_) => return Err(Invalid::new(fields.name("headers"), "must be a list of headers")),
            Change::Keep => Change::Keep,
            Change::Clear => Change::Clear,
        },
        timeout: fields.number("timeout", TIMEOUT)?,
        rate_limit: fields.number("rate_limit", RATE_LIMIT)?,
    };
    fields.end()?;
    Ok(config)
}

fn headers_of(at: &str, headers: Vec<Value>) -> Result<Vec<HeaderChange>, Invalid> {
    let headers = headers.into_iter().enumerate();
    headers.map(|(number, header)| header_of(Fields::of_object(&format!("{at}[{number}]"), header)?)).collect()
}

/// A header; `true` in place of its value is the stored one's.
fn header_of(mut fields: Fields) -> Result<HeaderChange, Invalid> {
    let Change::Set(name) = fields.take("name", "must be text", |value| value.as_str().map(str::to_owned))? else {
        return Err(Invalid::new(fields.name("name"), "is missing"));
    };
    let value = fields.take("value", "must be text, or true for the value that is stored", |value| match value {
        Value::String(text) => Some(Some(text.clone())),
        Value::Bool(true) => Some(None),
        _ => None,
    });
    let Change::Set(value) = value? else {
        return Err(Invalid::new(fields.name("value"), "is missing"));
    };
    fields.end()?;
    Ok(HeaderChange { name, value })
}
