//! What is wrong with a field of an input.

use std::fmt;

/// A field that cannot be accepted, and what to do about it.
///
/// `message` is a lowercase fragment that fits behind "failed to …: ".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The field as the caller wrote it, e.g. `params.next_url`.
    pub field: String,
    pub message: String,
}

impl Invalid {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl std::error::Error for Invalid {}

/// What a call may not pass as a parameter of a notebook, or has to and does not. Holds nothing of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidParameter {
    pub place: Place,
    /// With the path inside of it: `items[2].price`.
    pub name: String,
    pub message: String,
    /// What would fit, in words.
    pub expected: Option<String>,
    /// The beginning of what was passed, as JSON.
    pub got: Option<String>,
}

/// Where a call has a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Query,
    Body,
}

impl Place {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Body => "body",
        }
    }
}
