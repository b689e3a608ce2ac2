//! How far a run says it is.

use serde::{Serialize, Serializer};

/// Longest message of a progress, in characters. Whatever is longer was not meant for people.
const LONGEST: usize = 500;

/// How far a run says it is: so much of so much, and what it is doing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    #[serde(serialize_with = "number")]
    pub done: f64,
    #[serde(serialize_with = "optional")]
    pub total: Option<f64>,
    pub message: Option<String>,
}

impl Progress {
    /// None if it cannot be: numbers that are negative or not finite, a message longer than 500 characters.
    #[must_use]
    pub fn new(done: f64, total: Option<f64>, message: Option<String>) -> Option<Self> {
        let possible = |number: f64| number.is_finite() && number >= 0.0;
        let short = |text: &String| text.chars().nth(LONGEST).is_none();
        let sound = possible(done) && total.is_none_or(possible) && message.as_ref().is_none_or(short);
        sound.then_some(Self { done, total, message })
    }
}

/// Numbers of things are whole nearly always, and are to look like it.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn number<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2⁵³
    if number.fract() == 0.0 && *number <= EXACT {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and within the range")]
        return serializer.serialize_u64(*number as u64);
    }
    serializer.serialize_f64(*number)
}

#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
fn optional<S: Serializer>(total: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match total {
        Some(total) => number(total, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whole_numbers_look_whole() {
        let shown = |done, total| serde_json::to_value(Progress::new(done, total, None)).unwrap();
        assert_eq!(shown(3.0, Some(9.0)), json!({"done": 3, "total": 9, "message": null}));
        assert_eq!(shown(0.0, None), json!({"done": 0, "total": null, "message": null}));
        assert_eq!(shown(0.5, Some(1e300)), json!({"done": 0.5, "total": 1e300, "message": null}));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (done, total) in [(f64::NAN, None), (f64::INFINITY, None), (-1.0, None), (1.0, Some(f64::NAN))] {
            assert_eq!(Progress::new(done, total, None), None, "{done} {total:?}");
        }
        assert_eq!(Progress::new(1.0, Some(-1.0), None), None);
        assert!(Progress::new(10.0, Some(9.0), Some("ü".repeat(LONGEST))).is_some());
        assert!(Progress::new(1.0, None, Some("x".repeat(LONGEST + 1))).is_none());
    }
}
