//! A time on the command line: as RFC 3339, or how long ago.

use chrono::{DateTime, Duration, SecondsFormat, Utc};

use super::context::Context;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    At(DateTime<Utc>),
    Ago(Duration),
}

impl Since {
    /// As the server reads it.
    pub(super) fn rfc3339(self, ctx: &Context) -> String {
        let time = match self {
            Self::At(time) => time,
            Self::Ago(age) => ctx.clock.now() - age,
        };
        time.to_rfc3339_opts(SecondsFormat::Millis, true)
    }
}

pub(super) fn parse(text: &str) -> Result<Since, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(Since::At(time.with_timezone(&Utc)));
    }
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        _ => 0,
    };
    let count = text.get(..text.len().saturating_sub(1)).and_then(|count| count.parse::<u32>().ok());
    match count {
        Some(count) if unit > 0 => Ok(Since::Ago(Duration::seconds(i64::from(count) * unit))),
        _ => Err("expected a time like 2026-01-02T03:04:05Z or an age like 30m, 2h or 7d".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_or_an_age() {
        let ago = |seconds| Ok(Since::Ago(Duration::seconds(seconds)));
        assert_eq!(["45s", "30m", "2h", "7d"].map(parse), [ago(45), ago(1800), ago(7200), ago(604_800)]);
        assert!(matches!(parse("2026-01-02T03:04:05Z"), Ok(Since::At(_))));
        for text in ["", "h", "2", "-2h", "2w", "yesterday", "2ü", "9999999999d"] {
            assert!(parse(text).is_err(), "{text:?} was accepted");
        }
    }
}
