//! Tokens: what lets whoever has it do something.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `bytes` read as one big-endian number, written in `width` base-62 digits.
fn base62(bytes: &[u8; 20], width: usize) -> String {
    let mut number = *bytes;
    let mut digits = vec![b'0'; width];
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0u32;
        for byte in &mut number {
            let value = (remainder << 8) | u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX); // remainder < 62, so the quotient fits
            remainder = value % 62;
        }
        *digit = BASE62[remainder as usize];
    }
    digits.into_iter().map(char::from).collect()
}

/// Base-62 digits that 160 bits need.
const TOKEN_WIDTH: usize = 27;

/// Defines a token that is 160 random bits in base 62, and does not show in `Debug`.
macro_rules! random_token {
    ($(#[$doc:meta])* $name:ident, $field:literal, $refusal:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            #[must_use]
            pub fn from_random(bytes: [u8; 20]) -> Self {
                Self(base62(&bytes, TOKEN_WIDTH))
            }

            /// The token itself. Belongs to whom it was given to and, unless hashed, into the database; never into a log or an error.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                if text.len() == TOKEN_WIDTH && text.bytes().all(|b| b.is_ascii_alphanumeric()) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(Invalid::new($field, $refusal))
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(***)"))
            }
        }
    };
}

random_token!(
    /// The secret part of a hook's URL: 160 random bits in base 62. Whoever knows it may call the hook.
    HookToken,
    "token",
    "not a hook token"
);

random_token!(
    /// The secret part of an asset's URL: 160 random bits in base 62. Whoever knows it may read the asset.
    AssetToken,
    "token",
    "not an asset's token"
);

/// What lets the caller of an asynchronous run ask about that run, and nobody else: part of its task's URL.
#[derive(Clone, PartialEq, Eq)]
pub struct TaskKey(String);

impl TaskKey {
    /// From 160 bits that cannot be guessed.
    #[must_use]
    pub fn from_bits(bits: [u8; 20]) -> Self {
        Self(base62(&bits, TOKEN_WIDTH))
    }

    /// The key itself, for URLs given to the caller.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskKey(***)")
    }
}

/// What an API token begins with that was made here.
pub const API_PREFIX: &str = "nbh_";

/// An API token as its holder sends it: `nbh_` and 160 random bits in base 62. Shown once, stored only as a [`TokenHash`].
#[derive(Clone, PartialEq, Eq)]
pub struct ApiToken(String);

impl ApiToken {
    #[must_use]
    pub fn from_random(bytes: [u8; 20]) -> Self {
        Self(format!("{API_PREFIX}{}", base62(&bytes, TOKEN_WIDTH)))
    }

    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for ApiToken {
    type Err = Invalid;

    /// Accepts any token of 16 to 200 visible ASCII characters: an admin may set `NBHOOK_ADMIN_TOKEN` to one of their own.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if (16..=200).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("token", "expected 16 to 200 visible ASCII characters"))
        }
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiToken(***)")
    }
}

random_token!(
    /// What a browser is signed in with, as its cookie has it: 160 random bits in base 62. Stored only as a [`TokenHash`].
    SessionToken,
    "session",
    "not a session"
);

/// What the kernel of one run says who it is with, as long as that run goes on: `nbr_` and 160 random bits in base 62. It is in the
/// kernel's environment and nowhere else; the server keeps its hash, in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct RunToken(String);

/// What the token of a run begins with.
pub const RUN_PREFIX: &str = "nbr_";

impl RunToken {
    #[must_use]
    pub fn from_random(bytes: [u8; 20]) -> Self {
        Self(format!("{RUN_PREFIX}{}", base62(&bytes, TOKEN_WIDTH)))
    }

    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for RunToken {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix(RUN_PREFIX).unwrap_or_default();
        if digits.len() == TOKEN_WIDTH && digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("token", "not the token of a run"))
        }
    }
}

impl fmt::Debug for RunToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunToken(***)")
    }
}

/// SHA-256 of an API token or a session, in hex. Tokens hold 160 random bits, so a fast hash without salt is enough (no dictionary to try).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenHash(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base62_reads_the_bytes_as_one_number() {
        let mut bytes = [0u8; 20];
        assert_eq!(HookToken::from_random(bytes).expose(), "0".repeat(27));
        bytes[18] = 1; // 256 = 4 * 62 + 8
        assert_eq!(HookToken::from_random(bytes).expose(), format!("{}48", "0".repeat(25)));
        let largest = HookToken::from_random([255; 20]);
        assert_eq!(largest.expose().parse::<HookToken>().unwrap(), largest);
    }

    #[test]
    fn tokens_hide_in_debug() {
        let run = RunToken::from_random([7; 20]);
        assert_eq!(run.expose().parse(), Ok(run.clone()));
        let shown = format!("{:?} {:?} {run:?}", HookToken::from_random([7; 20]), ApiToken::from_random([7; 20]));
        assert_eq!(shown, "HookToken(***) ApiToken(***) RunToken(***)");
    }
}
