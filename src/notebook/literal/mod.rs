//! Values and assignments as source text, per language.
//!
//! The whole safety of a call stands here: whatever a value holds, its text is one literal of the language that evaluates to
//! that value. No text spans lines, and none holds a control character, a quote or an interpolation sign that is not escaped.
//! [`check`] comes first; what passes it can be written.

mod bash;
mod julia;
mod python;
mod r;
mod scala;

use std::fmt::{self, Write as _};

use serde_json::Number;

use super::identifier;
use super::language::Language;
use super::parameters::ParamValue;
use crate::model::Invalid;

/// Longer integers are refused: Python itself does not read them (`sys.get_int_max_str_digits`).
const MOST_DIGITS: usize = 4300;

/// A line of source that only says where the cell comes from. The first line, so that no caller's text can be a magic.
pub(super) fn comment(language: Language) -> &'static str {
    match language {
        Language::Scala => "// Parameters of this call, written by nbhook.",
        _ => "# Parameters of this call, written by nbhook.",
    }
}

/// What must stand before the assignments to `names`.
pub(super) fn preamble(language: Language, names: &[&str]) -> Option<String> {
    (language == Language::Bash).then(|| bash::preamble(names))
}

/// One line of source that gives the variable `name` the value.
///
/// `name` must have passed [`super::identifier::is_variable`] (or be one of the dicts), `value` [`check`].
pub(super) fn assignment(language: Language, name: &str, value: &ParamValue) -> String {
    match language {
        Language::Python => python::assignment(name, value),
        Language::R => r::assignment(name, value),
        Language::Julia => julia::assignment(name, value),
        Language::Scala => scala::assignment(name, value),
        Language::Bash => bash::assignment(name, value),
    }
}

/// Whether the language can hold the value.
///
/// # Errors
/// [`Invalid`] of the field given, which tells the reason but nothing of the value.
pub(super) fn check(language: Language, field: &str, value: &ParamValue) -> Result<(), Invalid> {
    Check { language, field }.value(value, 0)
}

struct Check<'a> {
    language: Language,
    field: &'a str,
}

impl Check<'_> {
    /// How deep lists and objects may stand in one another. R's parser has a stack of 50 open brackets, of which an object
    /// takes two; Python's, the next, 200.
    fn deepest(&self) -> usize {
        if self.language == Language::R { 20 } else { 64 }
    }

    fn value(&self, value: &ParamValue, depth: usize) -> Result<(), Invalid> {
        if depth > self.deepest() {
            return Err(self.wrong(format!("lists and objects must not stand more than {} deep", self.deepest())));
        }
        match value {
            ParamValue::Number(number) => self.number(number),
            ParamValue::Str(text) => self.text(text),
            ParamValue::Bytes(bytes) if self.language == Language::Bash && bytes.contains(&0) => Err(self.nul()),
            ParamValue::Null
            | ParamValue::Bool(_)
            | ParamValue::Bytes(_)
            | ParamValue::Date(_)
            | ParamValue::DateTime { .. } => Ok(()),
            ParamValue::Made { by, .. } if !identifier::is_variable(Language::Python, by) => {
                Err(self.wrong("must be made by something that has a name".into()))
            }
            ParamValue::Made { of, .. } => self.value(of, depth + 1),
            ParamValue::List(items) => items.iter().try_for_each(|item| self.value(item, depth + 1)),
            ParamValue::Object(pairs) => pairs.iter().try_for_each(|(key, value)| {
                if key.is_empty() && self.language == Language::Bash {
                    return Err(self.wrong("an empty name cannot be a key of a bash array".into()));
                }
                self.text(key)?;
                self.value(value, depth + 1)
            }),
        }
    }

    fn text(&self, text: &str) -> Result<(), Invalid> {
        if matches!(self.language, Language::R | Language::Bash) && text.contains('\0') {
            return Err(self.nul());
        }
        Ok(())
    }

    fn number(&self, number: &Number) -> Result<(), Invalid> {
        let text = number.to_string();
        // A `Number` can be built unchecked; its text becomes source, so it is read once more.
        if serde_json::from_str::<Number>(&text).is_err() {
            return Err(self.wrong("must be a number as JSON writes it".into()));
        }
        match Numeric::of(number) {
            Numeric::Int(digits) if digits.len() > MOST_DIGITS => {
                Err(self.wrong(format!("a whole number must not have more than {MOST_DIGITS} digits")))
            }
            _ => Ok(()),
        }
    }

    fn nul(&self) -> Invalid {
        self.wrong(format!("must not contain a NUL character, which {} cannot hold", self.language.name()))
    }

    fn wrong(&self, message: String) -> Invalid {
        Invalid::new(self.field, message)
    }
}

/// A JSON number, as languages tell numbers apart.
#[derive(Debug, Clone, PartialEq)]
enum Numeric {
    /// The digits, with a sign if negative.
    Int(String),
    /// A number with a fraction or exponent, rounded to a double; infinite when it is too large for one.
    Float(f64),
}

impl Numeric {
    fn of(number: &Number) -> Self {
        let text = number.to_string();
        if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
            return Self::Int(if text == "-0" { "0".into() } else { text });
        }
        Self::Float(text.parse().unwrap_or(f64::NAN))
    }
}

/// The shortest text that reads back as the same finite double, with a point or an exponent: `0.1`, `1e16`, `-0.0`.
fn float(value: f64) -> String {
    format!("{value:?}")
}

/// Writes `items` with ", " between them.
fn list<T>(out: &mut String, items: impl IntoIterator<Item = T>, write: impl FnMut(&mut String, T)) {
    separated(out, ", ", items, write);
}

fn separated<T>(
    out: &mut String,
    separator: &str,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push_str(separator);
        }
        write(out, item);
    }
}

/// Writes a double-quoted string: `\\`, `\"`, `\n`, `\r` and `\t` by their letters, what `keep` says as it is, and all else by
/// `escape`.
fn quoted<'a>(
    out: &mut String,
    text: impl IntoIterator<Item = &'a char>,
    keep: fn(char) -> bool,
    escape: fn(&mut String, char),
) {
    out.push('"');
    for &c in text {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if keep(c) => out.push(c),
            c => escape(out, c),
        }
    }
    out.push('"');
}

fn is_printable_ascii(c: char) -> bool {
    matches!(c, ' '..='~')
}

/// Printable ASCII, and letters and digits of every script, which are inert in source that is UTF-8 by definition. Marks,
/// spaces, and whatever turns the direction of text are not among them.
fn is_readable(c: char) -> bool {
    is_printable_ascii(c) || c.is_alphanumeric()
}

/// `\uXXXX`, or `\UXXXXXXXX` beyond the basic plane: always all digits, so that a digit behind does not become part of it.
fn unicode_escape(out: &mut String, c: char) {
    match u32::from(c) {
        code @ ..0x1_0000 => put(out, format_args!("\\u{code:04x}")),
        code => put(out, format_args!("\\U{code:08x}")),
    }
}

fn put(out: &mut String, text: fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok(), "writing to a string cannot fail");
}
