//! Topics: names under which events are read instead of being sent.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::Invalid;

/// Longest name, in characters.
const LONGEST: usize = 100;

/// The name of a topic: letters, digits, `.`, `_` and `-`, so that it is a part of a path as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct TopicName(String);

impl TopicName {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TopicName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
        // `.` and `..` in a path mean something else.
        if (1..=LONGEST).contains(&text.len()) && text.bytes().all(legal) && !matches!(text, "." | "..") {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("topic", "must have 1 to 100 letters, digits, dots, dashes or underscores"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_part_of_a_path() {
        let longest = "x".repeat(LONGEST);
        for good in ["a", "Sales.2026_eu-1", "...", longest.as_str()] {
            assert_eq!(good.parse::<TopicName>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", "a/b", "a b", "ä", "a%2f", "a\n", &"x".repeat(LONGEST + 1)] {
            assert_eq!(bad.parse::<TopicName>().unwrap_err().field, "topic", "{bad:?}");
        }
    }
}
