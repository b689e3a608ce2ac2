//! Runtime expressions of OpenAPI 3.1: URLs made of parts of a request, and of what it was answered.
//!
//! Pure. The grammar is OpenAPI's (section "Runtime Expressions"), with two short forms of our own: `{$name}` is a parameter of
//! the notebook, and `{$request.body.a.b}` is `{$request.body#/a/b}`. What stands first may be an expression and then gives the
//! base of the URL as it is; every other value is encoded, so that it stays one segment of a path or one part of a query:
//! whoever gives a value never chooses another host or another path with it.

mod assemble;
mod error;
mod parse;
mod resolve;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

pub use error::{Malformed, Origin, Unresolved};

/// A URL with expressions in it. Which ones are left depends on what is known by now.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
}

/// A part of a URL.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    /// As its author wrote it.
    Literal(String),
    /// What an expression gave, encoded.
    Value(String, Expression),
    /// What an expression at the beginning gave, as it is.
    Base(String, Expression),
    Open(Expression),
}

/// One expression, and how it was written, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Expression {
    written: String,
    source: Source,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Url,
    Method,
    StatusCode,
    /// A parameter of the notebook.
    Parameter(String),
    Request(Place),
    Response(Place),
}

/// A place in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// In lowercase: names of headers have no case.
    Header(String),
    Query(String),
    Path(String),
    /// The steps of a JSON pointer; without any, all of the body.
    Body(Vec<String>),
}

/// What a call was, as far as expressions may ask.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub url: &'a str,
    pub method: &'a str,
    /// By their lowercase names.
    pub headers: &'a [(String, String)],
    /// In the order of the URL; names may repeat.
    pub query: &'a [(String, String)],
    /// The variable parts of the path.
    pub path: &'a [(String, String)],
    /// None: there was none, or it was neither JSON nor a form nor text.
    pub body: Option<&'a Value>,
    /// What the call gives the notebook.
    pub parameters: &'a Map<String, Value>,
    /// What the notebook takes where the call gives nothing. Never the base of a URL: who gives none wants no callback.
    pub defaults: &'a Map<String, Value>,
}

/// What it was answered, as far as expressions may ask.
#[derive(Debug, Clone, Copy)]
pub struct Response<'a> {
    pub status: u16,
    pub headers: &'a [(String, String)],
    /// None: it is not JSON.
    pub body: Option<&'a Value>,
}

/// A URL that a caller gave. Whether requests may go there is for others to say.
#[derive(Debug, Clone, Copy)]
pub struct Unchecked<'a> {
    pub url: &'a str,
    of: &'a Expression,
}

impl Unchecked<'_> {
    /// What said so.
    #[must_use]
    pub fn field(&self) -> String {
        self.of.source.field().1
    }

    /// What to tell its caller if they may not.
    #[must_use]
    pub fn refused(&self, reason: impl Into<String>) -> Unresolved {
        self.of.unresolved(reason)
    }
}

impl Template {
    /// Reads a template: a text with expressions in braces, or one expression without them.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let parts = parse::parts(text)?;
        let template = Self { parts };
        template.check_base(text)?;
        Ok(template)
    }

    /// Whether it cannot be told before the request is answered.
    #[must_use]
    pub fn needs_response(&self) -> bool {
        self.open().any(|expression| expression.source.is_of_response())
    }

    /// The parameters of the notebook that it names.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.open().filter_map(|expression| match &expression.source {
            Source::Parameter(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The URL for a request, and for its response where that is needed. None: the request says nothing of the base, so it
    /// wants no callback.
    ///
    /// # Errors
    /// The first expression without a usable value.
    pub fn render(&self, request: &Request<'_>, response: Option<&Response<'_>>) -> Result<Option<String>, Unresolved> {
        let Some(bound) = self.bind(request)? else { return Ok(None) };
        match response {
            Some(response) => bound.url(response),
            None => bound.url_now().map(Some),
        }
    }

    /// Puts in what the request says. None: nothing about the base.
    ///
    /// # Errors
    /// The first expression on the request without a usable value.
    pub fn bind(&self, request: &Request<'_>) -> Result<Option<Self>, Unresolved> {
        let bound = self.resolve(|source, is_base| resolve::of_request(source, request, is_base))?;
        if let Some(bound) = &bound
            && !bound.needs_response()
        {
            bound.url_now()?; // it says what is wrong with it
        }
        Ok(bound)
    }

    /// The URL, if it needs no response.
    ///
    /// # Errors
    /// When it does, or when the parts do not make a URL.
    pub fn url_now(&self) -> Result<String, Unresolved> {
        assemble::url(&self.parts)
    }

    /// The URL. None: the response says nothing of the base.
    ///
    /// # Errors
    /// The first expression without a usable value.
    pub fn url(&self, response: &Response<'_>) -> Result<Option<String>, Unresolved> {
        let complete = self.resolve(|source, _| resolve::of_response(source, response))?;
        complete.map(|complete| complete.url_now()).transpose()
    }

    /// The base that a request gave.
    #[must_use]
    pub fn base(&self) -> Option<Unchecked<'_>> {
        match self.parts.first() {
            Some(Part::Base(url, of)) => Some(Unchecked { url, of }),
            _ => None,
        }
    }

    /// Where it leads, if its author says so.
    #[must_use]
    pub fn fixed(&self) -> Option<&str> {
        match self.parts.first() {
            Some(Part::Literal(text)) => Some(text),
            _ => None,
        }
    }

    fn open(&self) -> impl Iterator<Item = &Expression> {
        self.parts.iter().filter_map(|part| if let Part::Open(expression) = part { Some(expression) } else { None })
    }

    /// Puts values in. `value_of` has nothing to say of sources that are another's.
    fn resolve<'v>(
        &self,
        value_of: impl Fn(&Source, bool) -> Option<resolve::Found<'v>>,
    ) -> Result<Option<Self>, Unresolved> {
        let mut parts = Vec::with_capacity(self.parts.len());
        for (index, part) in self.parts.iter().enumerate() {
            let is_base = index == 0;
            let Part::Open(expression) = part else {
                parts.push(part.clone());
                continue;
            };
            let Some(found) = value_of(&expression.source, is_base) else {
                parts.push(part.clone());
                continue;
            };
            let text = match resolve::scalar(found) {
                Ok(text) => text,
                Err(resolve::Lack::Absent) if is_base => return Ok(None),
                Err(lack) => return Err(expression.unresolved(lack.to_string())),
            };
            if !is_base && text.is_empty() && !self.is_in_query(index) {
                return Err(expression.unresolved("is empty, and a segment of a path cannot be"));
            }
            let value = |text: &str| Part::Value(assemble::encoded(text), expression.clone());
            parts.push(if is_base { expression.base(text)? } else { value(&text) });
        }
        Ok(Some(Self { parts }))
    }

    /// Whether a part stands behind a `?` of its author's.
    fn is_in_query(&self, index: usize) -> bool {
        self.parts[..index].iter().any(|part| matches!(part, Part::Literal(text) if text.contains('?')))
    }

    /// Where the URL leads may not depend on anything but its first part.
    fn check_base(&self, text: &str) -> Result<(), Malformed> {
        assemble::check(&self.parts).map_err(|(part, reason)| Malformed { at: self.position(part, text), reason })
    }

    /// The character where a part begins.
    fn position(&self, part: usize, text: &str) -> usize {
        if self.parts.len() == 1 {
            return 0;
        }
        let before = self.parts[..part].iter().map(|part| match part {
            Part::Literal(text) => text.chars().count(),
            Part::Value(_, of) | Part::Base(_, of) | Part::Open(of) => of.written.chars().count() + 2,
        });
        before.sum::<usize>().min(text.chars().count())
    }
}

impl Expression {
    fn unresolved(&self, reason: impl Into<String>) -> Unresolved {
        let (origin, field) = self.source.field();
        Unresolved { expression: self.written.clone(), origin, field, reason: reason.into() }
    }

    fn base(&self, text: String) -> Result<Part, Unresolved> {
        match assemble::base_trouble(&text) {
            None => Ok(Part::Base(text, self.clone())),
            Some(reason) => Err(self.unresolved(reason)),
        }
    }
}

impl Source {
    fn is_of_response(&self) -> bool {
        matches!(self, Self::StatusCode | Self::Response(_))
    }
}
