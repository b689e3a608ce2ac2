//! How far a run is, read from what its kernel publishes: the client's own display, and the bars that tqdm prints. Does no I/O.
//!
//! A bar is text for people, so what only looks like one is passed over: there has to be all that tqdm writes, a count, and
//! a clock in brackets.

use serde_json::Value;

use crate::model::Progress;

/// What `nbhook.progress()` displays.
const MEDIA_TYPE: &str = "/data/application~1vnd.nbhook.progress+json";
/// Longest line that is looked at, in bytes. A bar is as wide as a terminal, and its letters have three bytes at most.
const LONGEST_LINE: usize = 4096;
/// The suffixes of tqdm's `unit_scale`: each stands for a thousand of the one before.
const SCALES: &str = "kMGTPEZY";

/// The progress in the content of a `display_data` or `update_display_data` message.
pub fn in_display(content: &Value) -> Option<Progress> {
    let told = content.pointer(MEDIA_TYPE)?;
    let total = match told.get("total") {
        None | Some(Value::Null) => None,
        Some(total) => Some(total.as_f64()?),
    };
    let message = match told.get("message") {
        None | Some(Value::Null) => None,
        Some(message) => Some(message.as_str()?.to_owned()),
    };
    Progress::new(told.get("done")?.as_f64()?, total, message)
}

/// The last of tqdm's bars in a piece of stdout or stderr.
pub fn in_stream(text: &str) -> Option<Progress> {
    text.rsplit(['\r', '\n']).find_map(in_line)
}

/// `label: 45%|████▌     | 45/100 [00:01<00:01, 40.00it/s]`, or without a total `label: 45it [00:01, 40.00it/s]`.
fn in_line(line: &str) -> Option<Progress> {
    if line.len() > LONGEST_LINE {
        return None;
    }
    let line = without_escapes(line);
    // Labels may have brackets too.
    line.match_indices(" [").find_map(|(at, bracket)| {
        let before = &line[..at];
        match after_clock(&line[at + bracket.len()..])? {
            '<' => with_total(before),
            ',' => without_total(before),
            _ => None,
        }
    })
}

/// What follows on a time as tqdm writes it, `mm:ss` or `h:mm:ss`, at the start of `text`.
fn after_clock(text: &str) -> Option<char> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != ':')?;
    let mut parts = text[..end].split(':');
    let hours_or_minutes = parts.next()?;
    let rest: Vec<&str> = parts.collect();
    let sound =
        !hours_or_minutes.is_empty() && (1..=2).contains(&rest.len()) && rest.iter().all(|part| part.len() == 2);
    if sound { text[end..].chars().next() } else { None }
}

fn with_total(before: &str) -> Option<Progress> {
    let (head, count) = before.rsplit_once(' ')?;
    let (done, total) = count.split_once('/')?;
    // The bar itself is left out when there is no room for it.
    let (label, _) = head.rsplit_once('%')?;
    let label = label.trim_end_matches(|c: char| c.is_ascii_digit());
    let total = if total == "?" { None } else { Some(scaled(total)?) };
    Progress::new(scaled(done)?, total, message(label))
}

fn without_total(before: &str) -> Option<Progress> {
    let (label, count) = before.rsplit_once(": ").unwrap_or(("", before));
    let count = count.trim_start();
    let digits = count.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(count.len());
    let (number, unit) = count.split_at(digits);
    let end = if is_scaled(number, unit) { digits + 1 } else { digits };
    Progress::new(scaled(&count[..end])?, None, message(label))
}

/// Whether a unit begins with the scale of its number. Scaled numbers have three digits, which tells `1.20kB` from `7Parts`;
/// without a point among them, `100Parts` looks the same, so the unit has to be one that is scaled.
fn is_scaled(number: &str, unit: &str) -> bool {
    let Some(unit) = unit.strip_prefix(|c| SCALES.contains(c)) else { return false };
    let usual = || unit.is_empty() || unit.starts_with(' ') || ["B", "iB", "b", "it"].contains(&unit);
    number.bytes().filter(u8::is_ascii_digit).count() == 3 && (number.contains('.') || usual())
}

fn message(label: &str) -> Option<String> {
    let label = label.trim().trim_end_matches(':').trim_end();
    (!label.is_empty()).then(|| label.to_owned())
}

/// `45`, `0.5`, `1.20k`.
fn scaled(text: &str) -> Option<f64> {
    let digits = text.trim_end_matches(|c| SCALES.contains(c));
    // Rust reads `inf` and `1e5` as well.
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let number: f64 = digits.parse().ok()?;
    let mut scale = text[digits.len()..].chars();
    let power = match scale.next() {
        None => return Some(number),
        Some(scale) => SCALES.chars().position(|known| known == scale)? + 1,
    };
    // A number of things: what the multiplication adds behind the point is no part of it.
    let number = (number * 1000_f64.powi(i32::try_from(power).ok()?)).round();
    scale.next().is_none().then_some(number)
}

/// Without the colours, and the movements by which several bars share a terminal.
fn without_escapes(line: &str) -> String {
    let mut pieces = line.split("\u{1b}[");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        text.push_str(piece.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').get(1..).unwrap_or_default());
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn progress(done: f64, total: impl Into<Option<f64>>, message: &str) -> Option<Progress> {
        Progress::new(done, total.into(), (!message.is_empty()).then(|| message.to_owned()))
    }

    #[test]
    fn bars_are_read() {
        for (text, expected) in [
            ("\r 45%|████▌     | 45/100 [00:01<00:01, 40.00it/s]", progress(45.0, 100.0, "")),
            ("\r  0%|          | 0/9 [00:00<?, ?it/s]", progress(0.0, 9.0, "")),
            ("loading: 100%|##########| 9/9 [1:02:03<00:00, 413.7s/it]", progress(9.0, 9.0, "loading")),
            (
                "Epoch 3/10:  50%|█████     | 1/2 [00:01<00:01,  1.00s/it, loss=[0.1, 0.2]]",
                progress(1.0, 2.0, "Epoch 3/10"),
            ),
            (
                "a: b [x] 7%: \u{1b}[32m 12%|█▏        |\u{1b}[0m 1.20k/10.0k [00:00<00:01, 1.2kB/s]\u{1b}[A",
                progress(1200.0, 10_000.0, "a: b [x] 7%"),
            ),
            (" 33%|███▎      | 4.35M/13.1G [00:00<00:01, 1.2MB/s]", progress(4_350_000.0, 13_100_000_000.0, "")),
            (" 45% 45/100 [00:01<00:01, 40.00it/s]", progress(45.0, 100.0, "")),
            ("  3%|▎         | 0.25/7.5 [00:01<00:01, 40.00it/s]", progress(0.25, 7.5, "")),
            ("reading: 45it [00:01, 40.00it/s]", progress(45.0, None, "reading")),
            ("0it [00:00, ?it/s]", progress(0.0, None, "")),
            ("1.20kB [00:00, 12.0kB/s]", progress(1200.0, None, "")),
            ("123kB [00:00, 12.0kB/s]", progress(123_000.0, None, "")),
            ("7Parts [00:00, 12.00Parts/s]", progress(7.0, None, "")),
            ("100Parts [00:00, 12.00Parts/s]", progress(100.0, None, "")),
            ("12 big files [00:01, 40.00 big files/s]", progress(12.0, None, "")),
        ] {
            assert!(expected.is_some());
            assert_eq!(in_stream(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_last_bar_of_a_piece_counts() {
        let bars =
            "\r 10%|█         | 1/10 [00:00<00:01, 9.00it/s]\r 20%|██        | 2/10 [00:00<00:01, 9.00it/s]\nhello\n";
        assert_eq!(in_stream(bars), progress(2.0, 10.0, ""));
        let cut = format!("{bars}\r 30%|███       | 3/10 [00:");
        assert_eq!(in_stream(&cut), progress(2.0, 10.0, ""));
    }

    #[test]
    fn other_text_is_no_bar() {
        for text in [
            "",
            "\r\n\r",
            "45%",
            "3/4 [00:01<00:02, 1it/s]",
            "45%|████| 45/x [00:01<00:01, 40.00it/s]",
            "45%|████| inf/nan [00:01<00:01, 40.00it/s]",
            "45%|████| 1/2kk [00:01<00:01, 40.00it/s]",
            "45%|████| 1.2.3/4 [00:01<00:01, 40.00it/s]",
            "2026-01-02 [10:15:00] 45it",
            "45it [0:1, 40.00it/s]",
            "45it [00:01:02:03, 40.00it/s]",
            "it [00:01, 40.00it/s]",
            "[00:01, 40.00it/s]",
            "45it [00:01",
            "\u{1b}[",
            "\u{1b}[1;2ü 45it [00:01] ",
        ] {
            assert_eq!(in_stream(text), None, "{text:?}");
        }
        assert_eq!(in_stream(&format!("{}: 45it [00:01, 40.00it/s]", "x".repeat(LONGEST_LINE))), None);
        assert_eq!(
            in_stream(&format!("{}: 45it [00:01, 40.00it/s]", "x".repeat(600))),
            None,
            "no message is that long"
        );
    }

    #[test]
    fn the_clients_display_is_read() {
        #[expect(clippy::needless_pass_by_value, reason = "called with json!(…)")]
        fn shown(told: Value) -> Option<Progress> {
            in_display(
                &json!({"data": {"application/vnd.nbhook.progress+json": told, "text/plain": "x"}, "metadata": {}}),
            )
        }
        assert_eq!(shown(json!({"done": 3, "total": 9, "message": "loading"})), progress(3.0, 9.0, "loading"));
        assert_eq!(shown(json!({"done": 0.5, "total": null, "message": null})), progress(0.5, None, ""));
        assert_eq!(shown(json!({"done": 0})), progress(0.0, None, ""));
        for told in [
            json!({}),
            json!(3),
            json!({"done": "3"}),
            json!({"done": -1}),
            json!({"done": 3, "total": "9"}),
            json!({"done": 3, "message": 9}),
            json!({"done": 3, "message": "x".repeat(100_000)}),
        ] {
            assert_eq!(shown(told.clone()), None, "{told}");
        }
        let huge: Value = serde_json::from_str(r#"{"done": 1e999}"#).unwrap();
        assert_eq!(shown(huge), None);
        assert_eq!(in_display(&json!({"data": {"text/plain": "3/9"}})), None);
        assert_eq!(in_display(&Value::Null), None);
    }
}
