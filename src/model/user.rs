//! Users, roles, and who is calling.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Invalid, TokenId, UserId};

/// A user's name, and the name of their folder in the production tree, e.g. `bob` or `bob@example.org`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Owner(String);

impl Owner {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Owner {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"._@+-".contains(&b);
        let starts_well = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        // `admin.token` and its like are files beside the owners' folders.
        let reserved = text.to_ascii_lowercase().ends_with(".token");
        if starts_well && text.len() <= 128 && text.bytes().all(legal) && !reserved {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new(
                "name",
                "expected 1 to 128 letters, digits or ._@+- that begin with a letter or digit and do not end in .token",
            ))
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a user may touch: a member what is theirs, an admin everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Admin,
    Member,
}

#[derive(Debug, Clone, Serialize)]
pub struct User {
    pub id: UserId,
    pub name: Owner,
    pub role: Role,
    pub created_at: DateTime<Utc>,
}

/// An API token without its value.
#[derive(Debug, Clone, Serialize)]
pub struct TokenInfo {
    pub id: TokenId,
    pub name: String,
    pub user: Owner,
    pub created_at: DateTime<Utc>,
}

/// The user behind an authenticated request.
#[derive(Debug, Clone)]
pub struct Caller {
    pub user: UserId,
    pub name: Owner,
    pub role: Role,
}

impl Caller {
    #[must_use]
    pub fn may_touch(&self, owner: UserId) -> bool {
        self.role == Role::Admin || self.user == owner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_folder_names_that_cannot_escape() {
        for good in ["admin", "bob@cashstory.com", "a", "R2-d2_x+y.z"] {
            assert!(good.parse::<Owner>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", ".nbhook", "a/b", "a b", "é", "admin.token", &"a".repeat(129)] {
            assert!(bad.parse::<Owner>().is_err(), "{bad}");
        }
    }
}
