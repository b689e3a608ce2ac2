//! What outgoing requests are signed with, and by which method they are sent.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};

const PREFIX: &str = "whsec_";
/// How many bytes Standard Webhooks has a secret have.
const SIZE: std::ops::RangeInclusive<usize> = 24..=64;
/// Writes padding, and reads secrets of those who leave it out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The key of Standard Webhooks signatures, which the receiver has as well.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(Vec<u8>);

impl SigningSecret {
    #[must_use]
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(bytes.to_vec())
    }

    /// The key itself.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.0
    }

    /// As receivers are given it: `whsec_…`. For the database and the owner, never for a log or an error.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}", BASE64.encode(&self.0))
    }
}

impl FromStr for SigningSecret {
    type Err = &'static str;

    /// Reads base64 with or without `whsec_` before it, as the libraries of Standard Webhooks do.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let key = BASE64.decode(text.strip_prefix(PREFIX).unwrap_or(text)).unwrap_or_default();
        if SIZE.contains(&key.len()) {
            Ok(Self(key))
        } else {
            Err("must be 24 to 64 bytes in base64, with or without `whsec_` before it")
        }
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(***)")
    }
}

/// How a callback is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CallbackMethod {
    Get,
    #[default]
    Post,
    Put,
    Patch,
    Delete,
}

impl CallbackMethod {
    pub const ALL: [Self; 5] = [Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Display for CallbackMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CallbackMethod {
    type Err = &'static str;

    /// Reads a method in upper or lower case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(text));
        known.ok_or("must be GET, POST, PUT, PATCH or DELETE")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_as_receivers_write_it_and_shows_nowhere() {
        let bare = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let secret: SigningSecret = bare.parse().unwrap();
        assert_eq!(secret.expose(), format!("whsec_{bare}"));
        assert_eq!(secret.expose().parse(), Ok(secret.clone()));
        assert_eq!(format!("{secret:?}"), "SigningSecret(***)");
        let random = SigningSecret::from_random([7; 32]);
        assert_eq!(random.expose().parse(), Ok(random.clone()));
        assert_eq!(random.expose().trim_end_matches('=').parse(), Ok(random));
    }

    #[test]
    fn a_secret_of_another_size_or_alphabet_is_refused_without_being_repeated() {
        for bad in
            ["", "whsec_", "hush-hush", &"A".repeat(31), &"A".repeat(87), "whsec_*fKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
        {
            let error = bad.parse::<SigningSecret>().unwrap_err();
            assert!(error.contains("24 to 64 bytes") && !error.contains("hush"), "{bad}");
        }
        assert!("A".repeat(32).parse::<SigningSecret>().is_ok() && "A".repeat(86).parse::<SigningSecret>().is_ok());
    }
}
