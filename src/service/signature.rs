//! Whether a call is signed as its hook wants it, by the rules of those who send such calls. Pure.
//!
//! Two steps, so that most of what is refused is refused before its body is read: [`Proof::read`] looks at the headers,
//! [`Proof::verify`] at the body's bytes. Neither tells anything of what would have been right.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use chrono::{DateTime, Duration, Utc};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::model::{Scheme, Secret, Signature};

/// How far a timestamp may be from the server's time, in seconds; what Stripe, Slack and Standard Webhooks advise.
const TOLERANCE: u64 = 300;
/// How long a delivery of GitHub's, which has no timestamp, is remembered: so long it can be sent again.
const GITHUB_MEMORY: Duration = Duration::days(3);

const BASE64: GeneralPurpose =
    GeneralPurpose::new(&ALPHABET, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// Why a call is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    #[error("the call is not signed: the header {0} is missing")]
    Missing(String),
    #[error("the signature is not that of this body with the hook's secret")]
    Wrong,
    #[error("the timestamp is more than {TOLERANCE} s away from the server's time")]
    TooOld,
    #[error("this call was accepted before")]
    Replayed,
}

impl Unsigned {
    /// One word for programs.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing(_) => "missing",
            Self::Wrong => "wrong",
            Self::TooOld => "too-old",
            Self::Replayed => "replayed",
        }
    }
}

/// What the headers of a call say, before its body is looked at.
pub struct Proof(Option<Claim>);

/// A signature over the body; nothing where a header held the secret itself.
struct Claim {
    keys: Vec<Vec<u8>>,
    /// What is signed before the body.
    prefix: String,
    /// The signatures that were sent. One has to be right.
    macs: Vec<Vec<u8>>,
    expires_at: DateTime<Utc>,
}

/// By what a call that was let in is known again, and until when that matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) digest: String,
    pub(super) expires_at: DateTime<Utc>,
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof(***)")
    }
}

impl Proof {
    /// Reads the headers, whose names are in lowercase.
    ///
    /// # Errors
    /// When something is missing, or a timestamp is not of now.
    pub(super) fn read(
        signature: &Signature,
        headers: &[(String, String)],
        now: DateTime<Utc>,
    ) -> Result<Self, Unsigned> {
        let headers = Headers(headers);
        let claim = match signature.scheme() {
            Scheme::Github => github(&headers, now)?,
            Scheme::Stripe => stripe(&headers, now)?,
            Scheme::Slack => slack(&headers, now)?,
            Scheme::Standard => standard(&headers, now)?,
            Scheme::Header => {
                let name = signature.secret_header().unwrap_or_default();
                return is_one_of(headers.get(&name)?, signature.secrets())
                    .then_some(Self(None))
                    .ok_or(Unsigned::Wrong);
            }
        };
        let keys = signature.secrets().iter().filter_map(|secret| key(signature.scheme(), secret)).collect();
        Ok(Self(Some(Claim { keys, ..claim })))
    }

    /// Looks at the body. Gives what to know the call by, if it must not come again.
    ///
    /// # Errors
    /// `Wrong`.
    pub(super) fn verify(&self, body: &[u8]) -> Result<Option<Mark>, Unsigned> {
        let Some(claim) = &self.0 else { return Ok(None) };
        let right = claim.keys.iter().fold(Choice::from(0), |right, key| right | claim.is_right(key, body));
        if !bool::from(right) {
            return Err(Unsigned::Wrong);
        }
        // Of what was signed alone: of several signatures somebody else could leave one out, and write any header anew.
        let mut digest = Sha256::new();
        for part in [claim.prefix.as_bytes(), body] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Ok(Some(Mark { digest: format!("{:x}", digest.finalize()), expires_at: claim.expires_at }))
    }
}

impl Claim {
    /// A claim of now, which nobody needs to hear of again once it is too old.
    fn timed(timestamp: &str, now: DateTime<Utc>, prefix: String, macs: Vec<Vec<u8>>) -> Result<Self, Unsigned> {
        let seconds: i64 = timestamp.parse().map_err(|_| Unsigned::Wrong)?;
        if now.timestamp().abs_diff(seconds) > TOLERANCE {
            return Err(Unsigned::TooOld);
        }
        let expires_at = now + Duration::seconds(seconds - now.timestamp() + TOLERANCE.cast_signed() + 1);
        Ok(Self { keys: Vec::new(), prefix, macs, expires_at })
    }

    fn is_right(&self, key: &[u8], body: &[u8]) -> Choice {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Choice::from(0) };
        mac.update(self.prefix.as_bytes());
        mac.update(body);
        let right = mac.finalize().into_bytes();
        self.macs.iter().fold(Choice::from(0), |found, sent| found | right[..].ct_eq(sent))
    }
}

/// <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>
fn github(headers: &Headers<'_>, now: DateTime<Utc>) -> Result<Claim, Unsigned> {
    let sent = headers.get("x-hub-signature-256")?;
    Ok(Claim {
        keys: Vec::new(),
        prefix: String::new(),
        macs: sent.strip_prefix("sha256=").and_then(unhex).into_iter().collect(),
        expires_at: now + GITHUB_MEMORY,
    })
}

/// <https://docs.stripe.com/webhooks/signature>
fn stripe(headers: &Headers<'_>, now: DateTime<Utc>) -> Result<Claim, Unsigned> {
    let pairs = || headers.get("stripe-signature").map(|sent| sent.split(',').filter_map(|pair| pair.split_once('=')));
    let timestamp = pairs()?.find(|(name, _)| name.trim() == "t").ok_or(Unsigned::Wrong)?.1;
    let macs = pairs()?.filter(|(name, _)| name.trim() == "v1").filter_map(|(_, mac)| unhex(mac)).collect();
    Claim::timed(timestamp, now, format!("{timestamp}."), macs)
}

/// <https://docs.slack.dev/authentication/verifying-requests-from-slack>
fn slack(headers: &Headers<'_>, now: DateTime<Utc>) -> Result<Claim, Unsigned> {
    let macs = headers.get("x-slack-signature")?.strip_prefix("v0=").and_then(unhex).into_iter().collect();
    let timestamp = headers.get("x-slack-request-timestamp")?;
    Claim::timed(timestamp, now, format!("v0:{timestamp}:"), macs)
}

/// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
fn standard(headers: &Headers<'_>, now: DateTime<Utc>) -> Result<Claim, Unsigned> {
    let (id, timestamp) = (headers.get("webhook-id")?, headers.get("webhook-timestamp")?);
    let sent = headers.get("webhook-signature")?.split_ascii_whitespace();
    let macs = sent.filter_map(|mac| BASE64.decode(mac.strip_prefix("v1,")?).ok()).collect();
    Claim::timed(timestamp, now, format!("{id}.{timestamp}."), macs)
}

/// The key that a secret stands for.
fn key(scheme: Scheme, secret: &Secret) -> Option<Vec<u8>> {
    let text = secret.expose();
    match scheme {
        Scheme::Standard => BASE64.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok(),
        _ => Some(text.as_bytes().to_vec()),
    }
}

/// In a time that depends neither on where two texts differ nor on how long the secrets are.
fn is_one_of(sent: &str, secrets: &[Secret]) -> bool {
    let sent = Sha256::digest(sent.as_bytes());
    let same = |secret: &Secret| Sha256::digest(secret.expose().as_bytes())[..].ct_eq(&sent[..]);
    secrets.iter().fold(Choice::from(0), |found, secret| found | same(secret)).into()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.trim().chars().map(|digit| u8::try_from(digit.to_digit(16)?).ok()).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

struct Headers<'a>(&'a [(String, String)]);

impl<'a> Headers<'a> {
    fn get(&self, name: &str) -> Result<&'a str, Unsigned> {
        let found = self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim());
        found.ok_or_else(|| Unsigned::Missing(name.to_owned()))
    }
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
