//! What is wrong with a template, or with a request for it.

use super::{Place, Source};

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (at character {})", .at + 1)]
pub struct Malformed {
    /// The character where it goes wrong, from 0.
    pub at: usize,
    pub reason: String,
}

/// Why an expression has no value that a URL can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{expression}` {reason}")]
pub struct Unresolved {
    /// As it was written.
    pub expression: String,
    pub origin: Origin,
    /// What it asked for there, as problems name fields: `callback_url`, `items[0].id`.
    pub field: String,
    pub reason: String,
}

/// Where an expression looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Url,
    Method,
    Header,
    Query,
    Path,
    Body,
    /// What the notebook is given, from the query or the body.
    Parameter,
    Response,
}

impl Source {
    /// What it asks for, and where.
    pub(super) fn field(&self) -> (Origin, String) {
        match self {
            Self::Url => (Origin::Url, "url".to_owned()),
            Self::Method => (Origin::Method, "method".to_owned()),
            Self::StatusCode => (Origin::Response, "status".to_owned()),
            Self::Parameter(name) => (Origin::Parameter, name.clone()),
            Self::Request(place) => place.field(),
            Self::Response(place) => (Origin::Response, place.field().1),
        }
    }
}

impl Place {
    fn field(&self) -> (Origin, String) {
        match self {
            Self::Header(name) => (Origin::Header, name.clone()),
            Self::Query(name) => (Origin::Query, name.clone()),
            Self::Path(name) => (Origin::Path, name.clone()),
            Self::Body(steps) => (Origin::Body, spelled(steps)),
        }
    }
}

/// `items[0].id`.
fn spelled(steps: &[String]) -> String {
    let spell = |(at, step): (usize, &String)| match step.parse::<usize>() {
        Ok(index) => format!("[{index}]"),
        Err(_) if at == 0 => step.clone(),
        Err(_) => format!(".{step}"),
    };
    if steps.is_empty() { "body".to_owned() } else { steps.iter().enumerate().map(spell).collect() }
}
