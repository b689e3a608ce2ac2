//! Filters: rules that an event has to meet, for a subscription to want it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest text, in bytes, that a pattern is held against: it is done for each subscription of each event, while all others who
/// want to write wait.
const LONGEST_MATCHED: usize = 1_000;

/// A rule that an event has to meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// A path into the event as the API shows it: `data.hook`.
    pub field: String,
    #[serde(flatten)]
    pub test: FilterTest,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not: bool,
}

/// How a filter tests its field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FilterTest {
    /// It is this value.
    Eq(Value),
    /// It is one of these.
    In(Vec<Value>),
    /// It is text of this shape, where `*` stands for any characters and `?` for one. Text that is long has none.
    Match(String),
}

impl Filter {
    /// Whether an event, as the API shows it, meets it. A field that is not there is null.
    #[must_use]
    pub fn accepts(&self, view: &Value) -> bool {
        let value = self.field.split('.').try_fold(view, |value, part| match value {
            Value::Array(items) => part.parse::<usize>().ok().and_then(|index| items.get(index)),
            _ => value.get(part),
        });
        let value = value.unwrap_or(&Value::Null);
        let met = match &self.test {
            FilterTest::Eq(wanted) => value == wanted,
            FilterTest::In(wanted) => wanted.contains(value),
            FilterTest::Match(pattern) => {
                value.as_str().is_some_and(|text| text.len() <= LONGEST_MATCHED && matches(pattern, text))
            }
        };
        met != self.not
    }
}

/// Whether text has the shape of a pattern, which has up to 127 characters beside its `*`. All ways to match are followed at once, a
/// bit each, so that a text takes no longer than its length.
fn matches(pattern: &str, text: &str) -> bool {
    let (mut length, mut stars, mut any) = (0_u32, 0_u128, 0_u128);
    let mut places: HashMap<char, u128> = HashMap::new();
    for c in pattern.chars() {
        if length == 127 && c != '*' {
            return false;
        }
        let here = 1 << length;
        match c {
            '*' => {
                stars |= here;
                continue;
            }
            '?' => any |= here,
            c => *places.entry(c).or_default() |= here,
        }
        length += 1;
    }
    let step = |ways: u128, c: char| ((ways & (places.get(&c).unwrap_or(&0) | any)) << 1) | (ways & stars);
    text.chars().fold(1, step) & (1 << length) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_matched_in_no_time() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1b2", false),
            ("?", "é", true),
            ("**a", "bba", true),
            ("a*?c", "abbc", true),
            ("a*?c", "ac", false),
            ("*ab?*", "aaab", false),
            ("*ab?*", "aababc", true),
            ("a", "A", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
        assert!(!matches(&"*a".repeat(50), &"a".repeat(49)) && matches(&"*a".repeat(50), &"a".repeat(50)));
        assert!(matches(&"a".repeat(127), &"a".repeat(127)) && !matches(&"a".repeat(128), &"a".repeat(128)));
        assert!(!matches(&format!("{}b", "*a".repeat(200)), &"a".repeat(20_000)));
    }
}
