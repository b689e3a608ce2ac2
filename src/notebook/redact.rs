//! Which parameters and headers are secret, and the copy of a call that has them masked.

use chrono::NaiveDate;

use super::parameters::{ParamValue, Parameters, date_time};
use super::spellings::{SHORTEST_SECRET, as_written};

/// What stands in place of a secret.
pub(super) const MASK: &str = "***";

/// Parts of header names that mark a header as secret, in lowercase.
const SECRET_HEADERS: [&str; 10] = [
    "authorization",
    "cookie",
    "token",
    "secret",
    "password",
    "api-key",
    "apikey",
    "api_key",
    "signature",
    "credential",
];

/// The call with secrets masked, and the secrets.
pub(super) struct Redacted {
    pub(super) parameters: Parameters,
    /// The texts that were masked, longest first.
    pub(super) secrets: Vec<String>,
}

/// Masks secret headers, and the values of the `sensitive` names (compared without case) in query and body at any depth.
///
/// `body`, `params` and `headers` among the names mean all of it. The body as it was sent is masked as a whole as soon as anything
/// is: there is no telling where in it a secret stands.
pub(super) fn redact(parameters: &Parameters, sensitive: &[String]) -> Redacted {
    let mut redaction = Redaction { sensitive, secrets: Vec::new() };
    let query = if redaction.is_sensitive("params") {
        parameters.query().iter().map(|(name, value)| (name.clone(), redaction.mask(value))).collect()
    } else {
        redaction.pairs(parameters.query())
    };
    let body = match parameters.body() {
        ParamValue::Null => ParamValue::Null,
        ParamValue::Object(pairs) if redaction.is_sensitive("body") => {
            ParamValue::Object(pairs.iter().map(|(name, value)| (name.clone(), redaction.mask(value))).collect())
        }
        body if redaction.is_sensitive("body") => redaction.mask(body),
        body => redaction.value(body),
    };
    let all_headers = redaction.is_sensitive("headers");
    let header = |(name, value): &(String, String)| {
        if !all_headers && !is_secret_header(name) && !redaction.is_sensitive(name) {
            return (name.clone(), value.clone());
        }
        redaction.keep(value);
        if let Some((_scheme, credentials)) =
            value.split_once(' ').filter(|_| name.eq_ignore_ascii_case("authorization"))
        {
            redaction.keep(credentials.trim());
        }
        (name.clone(), MASK.to_owned())
    };
    let headers = parameters.headers().iter().map(header).collect();
    let raw_body = parameters.raw_body().map(|raw| redaction.raw(raw));
    let mut secrets = redaction.secrets;
    secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    secrets.dedup();
    Redacted { parameters: Parameters::new(query, body, headers).with_raw_body(raw_body), secrets }
}

/// Whether the name is among the sensitive ones, whatever its case.
pub(super) fn is_sensitive(name: &str, sensitive: &[String]) -> bool {
    let name = name.to_lowercase();
    sensitive.iter().any(|sensitive| sensitive.to_lowercase() == name)
}

/// The value with the sensitive ones among its members masked.
pub(super) fn without_secrets(value: &ParamValue, sensitive: &[String]) -> ParamValue {
    Redaction { sensitive, secrets: Vec::new() }.value(value)
}

/// Whether a header of this name is never shown.
pub fn is_secret_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_HEADERS.iter().any(|part| name.contains(part))
}

struct Redaction<'a> {
    sensitive: &'a [String],
    secrets: Vec<String>,
}

impl Redaction<'_> {
    fn is_sensitive(&self, name: &str) -> bool {
        is_sensitive(name, self.sensitive)
    }

    fn pairs(&mut self, pairs: &[(String, ParamValue)]) -> Vec<(String, ParamValue)> {
        let pair = |(name, value): &(String, ParamValue)| {
            let value = if self.is_sensitive(name) { self.mask(value) } else { self.value(value) };
            (name.clone(), value)
        };
        pairs.iter().map(pair).collect()
    }

    fn value(&mut self, value: &ParamValue) -> ParamValue {
        match value {
            ParamValue::List(items) => ParamValue::List(items.iter().map(|item| self.value(item)).collect()),
            ParamValue::Object(pairs) => ParamValue::Object(self.pairs(pairs)),
            ParamValue::Made { by, of } => ParamValue::Made { by: by.clone(), of: Box::new(self.value(of)) },
            other => other.clone(),
        }
    }

    fn mask(&mut self, value: &ParamValue) -> ParamValue {
        self.collect(value);
        ParamValue::Str(MASK.to_owned())
    }

    fn raw(&mut self, raw: &[u8]) -> Vec<u8> {
        if self.sensitive.is_empty() {
            return raw.to_vec();
        }
        // A notebook may well print it, and there secrets look as JSON and forms have them.
        let written: Vec<String> = self.secrets.iter().flat_map(|secret| as_written(secret)).collect();
        for secret in &written {
            self.keep(secret);
        }
        MASK.into()
    }

    fn collect(&mut self, value: &ParamValue) {
        match value {
            ParamValue::Null | ParamValue::Bool(_) => {}
            ParamValue::Number(number) => {
                self.keep(&number.to_string());
                // A float may print shorter than its text, and an integer that became one is still seen in it.
                self.keep(number.to_string().trim_end_matches(".0"));
            }
            ParamValue::Str(text) => self.keep(text),
            ParamValue::Bytes(bytes) => {
                if let Ok(text) = std::str::from_utf8(bytes) {
                    self.keep(text);
                }
            }
            ParamValue::List(items) => items.iter().for_each(|item| self.collect(item)),
            ParamValue::Object(pairs) => pairs.iter().for_each(|(_, value)| self.collect(value)),
            ParamValue::Made { of, .. } => self.collect(of),
            ParamValue::Date(date) => self.date(*date),
            ParamValue::DateTime { local, offset } => {
                self.date(local.date());
                for naive in ["", "Z"] {
                    self.keep(&date_time(local, offset.as_ref(), naive));
                }
                self.keep(&local.to_string());
            }
        }
    }

    /// As `str` and `repr` of Python show it.
    fn date(&mut self, date: NaiveDate) {
        self.keep(&date.to_string());
        self.keep(&date.format("%Y, %-m, %-d").to_string());
    }

    fn keep(&mut self, secret: &str) {
        if secret.len() >= SHORTEST_SECRET {
            self.secrets.push(secret.to_owned());
        }
    }
}
