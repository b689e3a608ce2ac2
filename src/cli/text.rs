//! Text as it may reach a terminal, and how times, sizes and durations are shown. Pure.
//!
//! What a notebook or a server sends can hold escape sequences that rewrite the screen or the clipboard; nothing from there
//! is printed before it went through [`plain`] or [`coloured`].

use chrono::{DateTime, Utc};

/// `text` without escape sequences and control characters other than line feed and tab.
pub(super) fn plain(text: &str) -> String {
    filter(text, false)
}

/// As [`plain`], but keeps ANSI colours (the SGR sequences, ECMA-48 8.3.117), which tracebacks carry.
pub(super) fn coloured(text: &str) -> String {
    filter(text, true)
}

fn filter(text: &str, keep_colours: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let Some((sequence, after)) = control_sequence(rest) {
            if keep_colours && is_colour(sequence) {
                shown.push_str(sequence);
            }
            rest = after;
            continue;
        }
        if !next.is_control() || matches!(next, '\n' | '\t') {
            shown.push(next);
        }
        rest = &rest[next.len_utf8()..];
    }
    shown
}

/// Splits off a control sequence, `ESC [ parameters final`, from the start of `text` (ECMA-48 5.4).
fn control_sequence(text: &str) -> Option<(&str, &str)> {
    let body = text.strip_prefix("\u{1b}[")?;
    let length = body.bytes().take_while(|byte| (0x20..=0x3f).contains(byte)).count();
    let last = *body.as_bytes().get(length)?;
    (0x40..=0x7e).contains(&last).then(|| text.split_at(2 + length + 1))
}

fn is_colour(sequence: &str) -> bool {
    sequence.ends_with('m') && sequence[2..sequence.len() - 1].bytes().all(|b| b.is_ascii_digit() || b == b';')
}

/// A time of the API (RFC 3339) to the second, in UTC; what does not parse is shown as it is.
pub(super) fn time(rfc3339: &str) -> String {
    DateTime::parse_from_rfc3339(rfc3339)
        .map_or_else(|_| rfc3339.to_owned(), |time| time.with_timezone(&Utc).format("%Y-%m-%d %H:%M:%S").to_string())
}

/// How long ago a time is, or how far away, e.g. `3 min ago`; the day, if that is more than a month.
pub(super) fn age(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - time).num_seconds();
    let amount = match seconds.abs() {
        0 if seconds == 0 => return "now".to_owned(),
        less @ 0..60 => format!("{less} s"),
        less @ 60..3600 => format!("{} min", less / 60),
        less @ 3600..86_400 => format!("{} h", less / 3600),
        less @ 86_400..172_800 => format!("{} day", less / 86_400),
        less @ 172_800..2_678_400 => format!("{} days", less / 86_400),
        _ => return time.format("%Y-%m-%d").to_string(),
    };
    if seconds > 0 { format!("{amount} ago") } else { format!("in {amount}") }
}

/// A number of bytes, in the largest unit that leaves at least one, e.g. `1.5 KiB`.
pub(super) fn size(bytes: u64) -> String {
    let mut unit = 1;
    for name in ["B", "KiB", "MiB"] {
        if bytes < unit * 1024 {
            return in_units(bytes, unit, name);
        }
        unit *= 1024;
    }
    in_units(bytes, unit, "GiB")
}

fn in_units(amount: u64, unit: u64, name: &str) -> String {
    if unit == 1 {
        return format!("{amount} {name}");
    }
    let tenths = amount.saturating_mul(10) / unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// A number of milliseconds, e.g. `48 ms` or `12.3 s`.
pub(super) fn duration(millis: u64) -> String {
    if millis < 1000 { format!("{millis} ms") } else { in_units(millis, 1000, "s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_terminal_passes() {
        let nasty = "a\u{1b}[2Jb\u{1b}]0;title\u{7}c\u{9b}31md\r\u{8}e\u{1b}[31mred\u{1b}[0m\n\tü";
        assert_eq!(plain(nasty), "ab]0;titlec31mdered\n\tü");
        assert_eq!(coloured(nasty), "ab]0;titlec31mde\u{1b}[31mred\u{1b}[0m\n\tü");
    }

    #[test]
    fn ages_are_readable() {
        let now: DateTime<Utc> = "2026-01-02T03:04:05Z".parse().unwrap();
        let of = |seconds| age(now - chrono::Duration::seconds(seconds), now);
        let shown = [0, 59, 60, 3599, 7200, 86_400, 259_200, 8_640_000, -61].map(of);
        let expected = [
            "now",
            "59 s ago",
            "1 min ago",
            "59 min ago",
            "2 h ago",
            "1 day ago",
            "3 days ago",
            "2025-09-24",
            "in 1 min",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn odd_sequences_do_not_confuse_the_filter() {
        assert_eq!(coloured("\u{1b}[>4;2mx"), "x", "a private sequence is no colour");
        assert_eq!(coloured("\u{1b}["), "[");
        assert_eq!(coloured("\u{1b}[31ü"), "[31ü");
        assert_eq!(plain("\u{1b}"), "");
    }

    #[test]
    fn amounts_are_readable() {
        assert_eq!(
            [0, 1023, 1024, 1536, 5 << 20, 3 << 40].map(size),
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 MiB", "3072.0 GiB"]
        );
        assert_eq!([0, 999, 1000, 12_345].map(duration), ["0 ms", "999 ms", "1.0 s", "12.3 s"]);
        assert_eq!(time("2026-01-02T03:04:05.678901Z"), "2026-01-02 03:04:05");
        assert_eq!(time("2026-01-02T03:04:05+01:00"), "2026-01-02 02:04:05");
        assert_eq!(time("soon"), "soon");
    }
}
