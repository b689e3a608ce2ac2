//! Secrets: what a user gives the server to keep, for their own runs and themselves.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Invalid;

/// Longest name, in characters.
const LONGEST_NAME: usize = 100;
/// Largest value, in bytes.
const LARGEST: usize = 64 << 10;
/// A shorter value could not be masked: every output would have it somewhere.
const SHORTEST: usize = 4;

/// Names a secret among its owner's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct SecretName(String);

impl SecretName {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SecretName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let begins = |b: u8| b.is_ascii_alphabetic() || b == b'_';
        let goes_on = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
        if text.len() <= LONGEST_NAME && text.bytes().next().is_some_and(begins) && text.bytes().all(goes_on) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("name", "expected 1 to 100 letters, digits or _.- that begin with a letter or _"))
        }
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The value of a secret: text.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(String);

impl SecretValue {
    /// The value itself, for its owner and their runs; never for a log or an error.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SecretValue {
    type Error = Invalid;

    /// An error does not repeat the value.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.len() > LARGEST {
            return Err(Invalid::new("value", format!("must have {LARGEST} bytes at most")));
        }
        if text.trim().chars().count() < SHORTEST {
            let why = format!("must have {SHORTEST} characters at least: less cannot be masked in outputs");
            return Err(Invalid::new("value", why));
        }
        Ok(Self(text))
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(***)")
    }
}

/// What is told of a secret: all but its value.
#[derive(Debug, Clone)]
pub struct SecretInfo {
    pub name: SecretName,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What secrets are encrypted with.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    #[must_use]
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// In hexadecimal, for the file that holds it; never for a log.
    #[must_use]
    pub fn expose(&self) -> String {
        self.0.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}"); // writing to a String cannot fail
            hex
        })
    }
}

impl FromStr for SecretKey {
    type Err = &'static str;

    /// Reads hexadecimal or base64.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let bytes = if text.len() == 64 { from_hex(text) } else { STANDARD.decode(text).ok() };
        let key = bytes.and_then(|bytes| bytes.try_into().ok());
        key.map(Self).ok_or("must be 32 bytes in base64 or hexadecimal, e.g. of `openssl rand -hex 32`")
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes().chunks(2).map(|pair| Some((digit(pair[0])? << 4) | digit(*pair.get(1)?)?)).collect()
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_words() {
        for good in ["a", "_", "API_KEY", "db.main-2", &"x".repeat(100)] {
            assert!(good.parse::<SecretName>().is_ok(), "{good}");
        }
        for bad in ["", "1a", "-a", ".a", "a b", "a/b", "ä", "a\n", &"x".repeat(101)] {
            assert_eq!(bad.parse::<SecretName>().unwrap_err().field, "name", "{bad}");
        }
    }

    #[test]
    fn what_could_not_be_masked_is_no_value_and_no_value_shows() {
        for bad in ["", "abc", "  abc \n", &"x".repeat(65_537)] {
            let error = SecretValue::try_from(bad.to_owned()).unwrap_err();
            assert!(error.field == "value" && !error.message.contains("abc"), "{error:?}");
        }
        let value = SecretValue::try_from("hush".to_owned()).unwrap();
        assert_eq!(format!("{value:?} {:?}", SecretKey::from_random([7; 32])), "SecretValue(***) SecretKey(***)");
    }

    #[test]
    fn a_key_is_read_in_either_way() {
        let key = SecretKey::from_random(std::array::from_fn(|n| u8::try_from(n * 8).unwrap()));
        let hex = key.expose();
        assert_eq!(hex.parse(), Ok(key.clone()));
        assert_eq!(format!(" {}\n", hex.to_uppercase()).parse(), Ok(key.clone()));
        assert_eq!(STANDARD.encode(key.bytes()).parse(), Ok(key));
        for bad in ["", "hush", &"0".repeat(63), &"g".repeat(64), &"ä".repeat(32), &STANDARD.encode([1; 31])] {
            assert!(bad.parse::<SecretKey>().is_err(), "{bad}");
        }
    }
}
