//! What proves that a call comes from whom it should, as set for a hook. Checking a call against it is `service`'s.
//!
//! Secrets show nowhere but in [`Signature::to_stored`], which is for the database.

use std::fmt;

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};

/// More secrets than a rotation needs; each is tried for every call.
const MOST_SECRETS: usize = 5;
const LONGEST_SECRET: usize = 1_000;
/// The header of [`Scheme::Header`], if none is named.
const DEFAULT_HEADER: &str = "X-Api-Key";

/// How calls are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// `X-Hub-Signature-256` over the body.
    Github,
    /// `Stripe-Signature`, with a timestamp.
    Stripe,
    /// `X-Slack-Signature`, with a timestamp.
    Slack,
    /// Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
    Standard,
    /// No signature: a header holds the secret itself.
    Header,
}

/// What the caller and this server both know.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself. Never for a log, an error or a page.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// How a hook's calls are signed, and with what. Serialises to what the API shows: `true` in place of the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    scheme: Scheme,
    /// At least one. Any of them will do, so that callers can go over to a new one.
    secrets: Vec<Secret>,
    /// The header's name, for [`Scheme::Header`].
    header: Option<String>,
}

impl Signature {
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    /// The header that holds the secret itself, in lowercase, if one does.
    pub fn secret_header(&self) -> Option<String> {
        self.header.as_ref().map(|name| name.to_ascii_lowercase())
    }

    /// What the database keeps: what the API shows, with the secrets.
    #[must_use]
    pub fn to_stored(&self) -> Value {
        let secrets: Vec<&str> = self.secrets.iter().map(Secret::expose).collect();
        let mut stored = json!({"scheme": self.scheme, "secret": secrets});
        if let Some(header) = &self.header {
            stored["header"] = header.as_str().into();
        }
        stored
    }

    /// Reads what a deploy or a PATCH says; null is none. Where it has `true` in place of a secret, those of `kept` stay.
    ///
    /// # Errors
    /// Says what is wrong, and nothing of what was sent.
    pub(super) fn read(value: Value, kept: Option<&Self>) -> Result<Option<Self>, String> {
        let read = Self::parse(value, kept)?;
        let name = read.as_ref().and_then(|read| read.header.as_ref());
        let is_kept = || kept.is_some_and(|kept| kept.header.as_ref() == name);
        match name {
            Some(name) if !name.bytes().all(is_plain) && !is_kept() => {
                Err("`header` must be the name of a header, of letters, digits, `-` and `_`".to_owned())
            }
            _ => Ok(read),
        }
    }

    /// Reads what [`Self::to_stored`] wrote, also of a server that took more names of headers.
    ///
    /// # Errors
    /// Says what is wrong.
    pub(super) fn from_stored(value: Value) -> Result<Option<Self>, String> {
        Self::parse(value, None)
    }

    fn parse(value: Value, kept: Option<&Self>) -> Result<Option<Self>, String> {
        let mut fields = match value {
            Value::Null => return Ok(None),
            Value::Object(fields) => fields,
            _ => return Err("must be an object with `scheme` and `secret`".to_owned()),
        };
        let scheme = fields.remove("scheme").and_then(|scheme| serde_json::from_value(scheme).ok());
        let scheme: Scheme = scheme.ok_or("needs a `scheme`: github, stripe, slack, standard or header")?;
        let secrets = read_secrets(fields.remove("secret"), kept)?;
        secrets.iter().try_for_each(|secret| check(scheme, secret))?;
        let header = read_header(scheme, &mut fields)?;
        if fields.is_empty() {
            Ok(Some(Self { scheme, secrets, header }))
        } else {
            Err("has a field that is not known: it takes `scheme`, `secret` and `header`".to_owned())
        }
    }
}

fn read_secrets(value: Option<Value>, kept: Option<&Signature>) -> Result<Vec<Secret>, String> {
    let given = match value {
        None | Some(Value::Null) => return Err("needs a `secret`".to_owned()),
        Some(Value::Array(many)) => many,
        Some(one) => vec![one],
    };
    let mut secrets: Vec<Secret> = Vec::new();
    for value in given {
        match value {
            Value::String(text) => secrets.push(Secret(text)),
            Value::Bool(true) => {
                let kept = kept.ok_or("`secret` is `true`, which keeps the stored one, but none is stored: send it")?;
                secrets.extend_from_slice(&kept.secrets);
            }
            _ => return Err("`secret` must be text, or a list of texts".to_owned()),
        }
    }
    let mut different: Vec<Secret> = Vec::new();
    for secret in secrets {
        if !different.contains(&secret) {
            different.push(secret);
        }
    }
    match different.len() {
        1..=MOST_SECRETS => Ok(different),
        _ => Err(format!("`secret` must be 1 to {MOST_SECRETS} secrets")),
    }
}

fn check(scheme: Scheme, Secret(text): &Secret) -> Result<(), String> {
    if text.is_empty() || text.len() > LONGEST_SECRET {
        return Err(format!("`secret` must have 1 to {LONGEST_SECRET} bytes"));
    }
    match scheme {
        Scheme::Header if !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err("`secret` must be visible ASCII characters, to stand in a header".to_owned())
        }
        Scheme::Standard if !is_base64(text.strip_prefix("whsec_").unwrap_or(text)) => {
            Err("`secret` must be base64, with or without `whsec_` before it".to_owned())
        }
        _ => Ok(()),
    }
}

/// Whether `text` is base64 with its padding (RFC 4648, section 4).
fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    !digits.is_empty()
        && text.len().is_multiple_of(4)
        && text.len() - digits.len() <= 2
        && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

fn read_header(scheme: Scheme, fields: &mut Map<String, Value>) -> Result<Option<String>, String> {
    let name = match fields.remove("header") {
        None | Some(Value::Null) => (scheme == Scheme::Header).then(|| DEFAULT_HEADER.to_owned()),
        Some(_) if scheme != Scheme::Header => return Err("`header` belongs to the scheme `header` only".to_owned()),
        Some(Value::String(name)) => Some(name),
        Some(_) => return Err("`header` must be the name of a header".to_owned()),
    };
    match name {
        // RFC 9110, section 5.6.2; `Authorization` is for API tokens.
        Some(name) if !name.bytes().all(is_token) || !(1..=100).contains(&name.len()) => {
            Err("`header` must be the name of a header".to_owned())
        }
        Some(name) if name.eq_ignore_ascii_case("authorization") => {
            Err("`header` must not be Authorization, which is for API tokens".to_owned())
        }
        name => Ok(name),
    }
}

/// People paste the name into programs.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut shown = serializer.serialize_map(None)?;
        shown.serialize_entry("scheme", &self.scheme)?;
        shown.serialize_entry("secret", &true)?;
        if let Some(header) = &self.header {
            shown.serialize_entry("header", header)?;
        }
        shown.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: Value) -> Result<Option<Signature>, String> {
        Signature::read(value, None)
    }

    #[test]
    fn a_secret_is_stored_and_shows_nowhere_else() {
        let given = json!({"scheme": "header", "secret": ["hush-1", "hush-2", "hush-1"], "header": "X-Key"});
        let signature = read(given).unwrap().unwrap();
        let shown = serde_json::to_value(&signature).unwrap();
        assert_eq!(shown, json!({"scheme": "header", "secret": true, "header": "X-Key"}));
        assert!(!format!("{signature:?}").contains("hush"));
        let stored = json!({"scheme": "header", "secret": ["hush-1", "hush-2"], "header": "X-Key"});
        assert_eq!(signature.to_stored(), stored);
        assert_eq!(read(stored).unwrap().unwrap(), signature);
        assert_eq!(Signature::read(shown, Some(&signature)).unwrap().unwrap(), signature);
    }

    #[test]
    fn a_new_secret_can_be_added_to_those_that_are_kept() {
        let old = read(json!({"scheme": "github", "secret": "old"})).unwrap();
        let both =
            Signature::read(json!({"scheme": "github", "secret": ["new", true]}), old.as_ref()).unwrap().unwrap();
        let secrets: Vec<_> = both.secrets().iter().map(Secret::expose).collect();
        assert_eq!(secrets, ["new", "old"]);
        // What is kept has to fit the scheme as well.
        assert!(Signature::read(json!({"scheme": "standard", "secret": true}), old.as_ref()).is_err());
    }

    #[test]
    fn a_header_has_a_plain_name_unless_it_had_another_before() {
        for name in ["X-`whoami`", "X-$A", "X'", "X!", "X|Y", "X.Y"] {
            let given = json!({"scheme": "header", "secret": "k", "header": name});
            assert!(read(given.clone()).unwrap_err().contains("letters"), "{name}");
            let stored = Signature::from_stored(given.clone()).unwrap().unwrap();
            assert_eq!(stored.secret_header(), Some(name.to_ascii_lowercase()));
            assert_eq!(stored.to_stored()["header"], name);
            let same = Signature::read(json!({"scheme": "header", "secret": true, "header": name}), Some(&stored));
            assert_eq!(same.unwrap().unwrap(), stored, "a deploy that changes nothing goes on");
            assert!(
                Signature::read(json!({"scheme": "header", "secret": true, "header": "Y`"}), Some(&stored)).is_err()
            );
        }
        assert!(read(json!({"scheme": "header", "secret": "k", "header": "X_api-Key2"})).is_ok());
        assert!(Signature::from_stored(json!({"scheme": "header", "secret": "k", "header": "X Y"})).is_err());
    }

    #[test]
    fn what_cannot_be_checked_is_refused_without_being_repeated() {
        for bad in [
            json!("hush-hush"),
            json!({"scheme": "hush-hush", "secret": "hush-hush"}),
            json!({"scheme": "github"}),
            json!({"scheme": "github", "secret": ""}),
            json!({"scheme": "github", "secret": true}),
            json!({"scheme": "github", "secret": {"hush-hush": 1}}),
            json!({"scheme": "github", "secret": []}),
            json!({"scheme": "github", "secret": ["1", "2", "3", "4", "5", "hush-hush"]}),
            json!({"scheme": "github", "secret": "hush-hush", "header": "X-Key"}),
            json!({"scheme": "github", "secret": "x", "hush-hush": 1}),
            json!({"scheme": "standard", "secret": "whsec_hush-hush"}),
            json!({"scheme": "standard", "secret": "whsec_"}),
            json!({"scheme": "header", "secret": "hush hush"}),
            json!({"scheme": "header", "secret": "hush-hush", "header": "X Key"}),
            json!({"scheme": "header", "secret": "hush-hush", "header": "authorization"}),
        ] {
            let error = read(bad.clone()).unwrap_err();
            assert!(!error.contains("hush"), "{bad}: {error}");
        }
        assert_eq!(read(Value::Null).unwrap(), None);
    }
}
