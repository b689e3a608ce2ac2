//! What is wrong with one field of an input.

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
