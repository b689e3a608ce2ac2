//! `Retry-After`, in both forms of RFC 9110, section 10.2.3.

use chrono::{DateTime, NaiveDateTime, Utc};

/// When the receiver wants to be asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    Seconds(u64),
    At(DateTime<Utc>),
}

/// The three forms of a date that RFC 9110, section 5.6.7 has recipients accept. All are in UTC.
const DATES: [&str; 3] = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

impl RetryAfter {
    /// Nothing where the header makes no sense.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Self::Seconds(text.parse().unwrap_or(u64::MAX)));
        }
        let date = DATES.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?;
        Some(Self::At(date.and_utc()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_nonsense_is_not() {
        let at = "1994-11-06T08:49:37Z".parse().map(RetryAfter::At).unwrap();
        for (text, expected) in [
            ("120", Some(RetryAfter::Seconds(120))),
            (" 0 ", Some(RetryAfter::Seconds(0))),
            ("99999999999999999999999", Some(RetryAfter::Seconds(u64::MAX))),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(at)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(at)),
            ("Sun Nov  6 08:49:37 1994", Some(at)),
            ("", None),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("Sun, 32 Nov 1994 08:49:37 GMT", None),
        ] {
            assert_eq!(RetryAfter::parse(text), expected, "{text}");
        }
    }
}
