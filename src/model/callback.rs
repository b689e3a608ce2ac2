//! Callbacks: URLs that are called when something happens, and the profiles of those who look after them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{CallbackId, CallbackMethod, DeliveryId, EmailAddress, ProfileId, SigningSecret, UserId};

/// Whether a callback's URL has to be encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallbackScheme {
    #[default]
    #[serde(rename = "HTTPS")]
    Https,
    #[serde(rename = "HTTP")]
    Http,
}

impl CallbackScheme {
    /// What a URL needs.
    #[must_use]
    pub fn of(url: &str) -> Self {
        let is_plain = url.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("http://"));
        if is_plain { Self::Http } else { Self::Https }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Https => "HTTPS",
            Self::Http => "HTTP",
        }
    }
}

impl std::str::FromStr for CallbackScheme {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "HTTPS" => Ok(Self::Https),
            "HTTP" => Ok(Self::Http),
            _ => Err("must be HTTPS or HTTP"),
        }
    }
}

/// A header that is sent along. Its value shows nowhere: it may be a secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackHeader {
    pub name: String,
    pub value: String,
}

/// Headers whose values are secrets, and parts of names of others.
const SECRET_NAMES: [&str; 4] = ["authorization", "proxy-authorization", "x-api-key", "cookie"];
const SECRET_PARTS: [&str; 8] =
    ["token", "secret", "password", "api-key", "apikey", "api_key", "signature", "credential"];

impl CallbackHeader {
    /// Whether its value is a secret by its name: that is not shown to its owner either.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        SECRET_NAMES.contains(&name.as_str()) || SECRET_PARTS.iter().any(|part| name.contains(part))
    }
}

impl std::fmt::Debug for CallbackHeader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ***", self.name)
    }
}

/// What is called, and how. As the database keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackConfig {
    pub url: String,
    pub method: CallbackMethod,
    pub headers: Option<Vec<CallbackHeader>>,
    /// In seconds; none: the server's.
    pub timeout: Option<u32>,
    /// Attempts per minute; none: as many as there are.
    pub rate_limit: Option<u32>,
}

/// What its deliveries are signed with: two secrets for some time after it was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeys {
    pub secret: SigningSecret,
    pub before: Option<(SigningSecret, DateTime<Utc>)>,
}

impl SigningKeys {
    /// Those that sign now.
    #[must_use]
    pub fn at(&self, now: DateTime<Utc>) -> Vec<&SigningSecret> {
        let before = self.before.as_ref().filter(|(_, until)| now < *until).map(|(secret, _)| secret);
        [Some(&self.secret), before].into_iter().flatten().collect()
    }
}

/// See the module's documentation.
#[derive(Debug, Clone)]
pub struct Callback {
    pub id: CallbackId,
    pub owner: UserId,
    pub name: Option<String>,
    pub profile: Option<ProfileId>,
    pub fallback: Option<CallbackId>,
    pub enabled: bool,
    pub mode: CallbackScheme,
    pub config: CallbackConfig,
    pub keys: SigningKeys,
    /// Why the server disabled it.
    pub disabled_reason: Option<String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What went wrong with a callback, for whom a mail tells of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CallbackTrouble {
    pub callback: CallbackId,
    pub name: Option<String>,
    /// Where its URL leads, without the rest, which may hold secrets.
    pub receiver: String,
    pub reason: String,
    pub delivery: DeliveryId,
    pub at: DateTime<Utc>,
}

/// Who is told when a callback is in trouble.
#[derive(Debug, Clone)]
pub struct Profile {
    pub id: ProfileId,
    pub owner: UserId,
    pub name: String,
    pub support_email: EmailAddress,
    pub created_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_named_like_secrets_are() {
        let is_secret = |name: &str| CallbackHeader { name: name.to_owned(), value: String::new() }.is_secret();
        for name in [
            "Authorization",
            "PROXY-AUTHORIZATION",
            "x-Api-Key",
            "Cookie",
            "X-Gitlab-Token",
            "client-secret",
            "X-Password-2",
            "my-api-key",
            "X-ApiKey",
            "x_api_key",
            "X-Signature-256",
            "X-Credentials",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["Content-Type", "X-Kind", "Accept", "X-Key", "X-Api-Version"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
