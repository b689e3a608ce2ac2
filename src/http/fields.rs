//! The fields of a JSON object that a request has, one by one: what is wrong with one is told by its name.

use std::ops::RangeInclusive;

use actix_web::web;
use serde_json::{Map, Value};

use super::body;
use super::error::ApiError;
use crate::model::{Change, Invalid, Owner};
use crate::service::Service;

/// How much is told of a name that nobody knows, in characters.
const LONGEST_UNKNOWN: usize = 100;

/// A name that somebody made up, as it may be told.
pub(super) fn told(name: &str) -> String {
    let name: String = name.chars().take(LONGEST_UNKNOWN).collect();
    name.escape_debug().to_string()
}

/// An object whose fields are taken out as they are read.
pub(super) struct Fields {
    /// Where it is in the body, with a dot behind it.
    at: String,
    map: Map<String, Value>,
}

impl Fields {
    /// Those of a request's body.
    pub(super) async fn of_body(payload: web::Payload, service: &Service) -> Result<Self, ApiError> {
        Ok(Self::of_map(body::json(payload, service).await?))
    }

    /// Those of a body that was read before.
    pub(super) fn of_map(map: Map<String, Value>) -> Self {
        Self { at: String::new(), map }
    }

    /// Those of an object within a body.
    pub(super) fn of_object(at: &str, value: Value) -> Result<Self, Invalid> {
        match value {
            Value::Object(map) => Ok(Self { at: format!("{at}."), map }),
            _ => Err(Invalid::new(at, "must be an object")),
        }
    }

    /// How the field is called from the body on.
    pub(super) fn name(&self, field: &str) -> String {
        format!("{}{field}", self.at)
    }

    /// A field that is read as one likes; null: back to what is usual.
    pub(super) fn take<T>(
        &mut self,
        field: &str,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Change<T>, Invalid> {
        match self.map.shift_remove(field) {
            None => Ok(Change::Keep),
            Some(Value::Null) => Ok(Change::Clear),
            Some(value) => read(&value).map(Change::Set).ok_or_else(|| Invalid::new(self.name(field), expected)),
        }
    }

    /// A field whose parts are looked at further.
    pub(super) fn raw(&mut self, field: &str) -> Change<Value> {
        match self.map.shift_remove(field) {
            None => Change::Keep,
            Some(Value::Null) => Change::Clear,
            Some(value) => Change::Set(value),
        }
    }

    /// Text of so many characters at most, and no control characters.
    pub(super) fn line(&mut self, field: &str, most: usize) -> Result<Change<String>, Invalid> {
        let expected = format!("must be text of {most} characters at most, in one line");
        self.take(field, &expected, |value| {
            let fits = |text: &&str| text.chars().count() <= most && !text.chars().any(char::is_control);
            value.as_str().filter(fits).map(str::to_owned)
        })
    }

    pub(super) fn number(&mut self, field: &str, range: RangeInclusive<u32>) -> Result<Change<u32>, Invalid> {
        let expected = format!("must be a whole number from {} to {}", range.start(), range.end());
        self.take(field, &expected, |value| {
            value.as_u64().and_then(|number| number.try_into().ok()).filter(|number| range.contains(number))
        })
    }

    pub(super) fn flag(&mut self, field: &str) -> Result<Change<bool>, Invalid> {
        self.take(field, "must be true or false", Value::as_bool)
    }

    /// Takes out what nobody can change, if it is as it was shown: so that what was read may be sent back.
    pub(super) fn pass_over(&mut self, names: &[&str], shown: &Value) -> Result<(), Invalid> {
        for name in names {
            match self.map.shift_remove(*name) {
                Some(value) if shown.get(name) != Some(&value) => {
                    return Err(Invalid::new(self.name(name), "cannot be changed"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The user whom an admin acts for.
    pub(super) fn user(&mut self) -> Result<Option<Owner>, Invalid> {
        Ok(self.take("user", "must be the name of a user", |value| value.as_str()?.parse().ok())?.given())
    }

    /// Refuses what was not taken.
    pub(super) fn end(self) -> Result<(), Invalid> {
        match self.map.keys().next() {
            Some(unknown) => Err(Invalid::new(self.name(&told(unknown)), "is not known here")),
            None => Ok(()),
        }
    }
}
