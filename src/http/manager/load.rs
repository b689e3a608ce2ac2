//! How busy the server was lately, as lines over time and as a table; and what is on its disk.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::http::reply;
use crate::model::{DiskUse, Load};
use crate::service::SAMPLES_REACH;

/// The picture, in units of its own: so many columns, each so wide; the highest line is so high.
const COLUMNS: i32 = 120;
const STEP: i64 = 3;
const HEIGHT: usize = 60;
/// Spans of the picture, and of a row of the table: the shortest one that all of it is in.
const SPANS: [Span; 3] = [
    Span { reach: TimeDelta::minutes(10), row: TimeDelta::minutes(1), name: "10 minutes" },
    Span { reach: TimeDelta::hours(1), row: TimeDelta::minutes(5), name: "60 minutes" },
    Span { reach: SAMPLES_REACH, row: TimeDelta::minutes(30), name: "6 hours" },
];
/// What is too little room on disk.
const LITTLE: u64 = 1 << 30;

struct Span {
    reach: TimeDelta,
    row: TimeDelta,
    name: &'static str,
}

/// The most of each in a part of the time.
#[derive(Debug, Default, Clone, Copy)]
struct Most {
    waiting: usize,
    running: usize,
    warm: usize,
}

impl Most {
    fn of(self, sample: &Load) -> Self {
        Self {
            waiting: self.waiting.max(sample.waiting),
            running: self.running.max(sample.running),
            warm: self.warm.max(sample.warm),
        }
    }

    fn view(self) -> Value {
        json!({"waiting": self.waiting, "running": self.running, "warm": self.warm})
    }
}

/// Lines of the last minutes or hours, and the same as a table.
pub(super) fn chart(samples: &[Load], now: DateTime<Utc>, kernels: usize) -> Value {
    let age = samples.first().map_or(TimeDelta::zero(), |first| now - first.at);
    let span = SPANS.iter().find(|span| age <= span.reach).unwrap_or(&SPANS[SPANS.len() - 1]);
    let columns = most_by(samples, now, span.reach / COLUMNS, i64::from(COLUMNS));
    let most = columns.iter().map(|(_, most)| most.waiting.max(most.running).max(most.warm)).max().unwrap_or(0).max(1);
    let last = samples.last().map(|sample| Most::default().of(sample)).unwrap_or_default();
    let drawn = |name: &str, kind: &str, of: fn(&Most) -> usize| -> Value {
        json!({"name": name, "kind": kind, "points": steps(&columns, most, of), "last": of(&last)})
    };
    let rows = i64::from(i32::try_from(span.reach.num_seconds() / span.row.num_seconds()).unwrap_or(1));
    let table = most_by(samples, now, span.row, rows);
    let newest = now.timestamp_millis().div_euclid(span.row.num_milliseconds());
    let at = |row: i64| DateTime::from_timestamp_millis((newest + 1 - rows + row) * span.row.num_milliseconds());
    json!({
        "lines": [
            drawn("Calls waiting", "first", |most| most.waiting),
            drawn("Runs going on", "second", |most| most.running),
            drawn("Warm kernels", "third", |most| most.warm),
        ],
        "most": most,
        "span": span.name,
        "width": i64::from(COLUMNS) * STEP,
        "height": HEIGHT,
        "kernels": kernels,
        "rows": table.iter().rev().map(|(row, most)| json!({"at": at(*row).map(reply::time), "most": most.view()})).collect::<Vec<_>>(),
    })
}

/// A line that stays as high as it is until the next column that has a sample.
fn steps(columns: &[(i64, Most)], most: usize, of: fn(&Most) -> usize) -> String {
    let ends = columns.iter().skip(1).map(|(place, _)| *place).chain([i64::from(COLUMNS)]);
    let points = columns.iter().zip(ends).map(|((place, column), end)| {
        let y = HEIGHT - of(column) * HEIGHT / most;
        format!("{},{y} {},{y}", place * STEP, end * STEP)
    });
    points.collect::<Vec<_>>().join(" ")
}

/// The most in each of so many places of a width that has a sample, the last place being now's. Places stand at fixed times, so
/// that they do not change as time goes by.
fn most_by(samples: &[Load], now: DateTime<Utc>, width: TimeDelta, places: i64) -> Vec<(i64, Most)> {
    let number = |at: DateTime<Utc>| at.timestamp_millis().div_euclid(width.num_milliseconds().max(1));
    let first = number(now) + 1 - places;
    let mut found: Vec<(i64, Most)> = Vec::new();
    for sample in samples {
        let place = number(sample.at) - first;
        match found.last_mut() {
            _ if !(0..places).contains(&place) => {}
            Some((last, most)) if *last == place => *most = most.of(sample),
            _ => found.push((place, Most::default().of(sample))),
        }
    }
    found
}

/// What is kept, against what may be, and the disk as a bar of a hundred.
pub(super) fn disk(kept: &DiskUse) -> Value {
    let recorded = kept.recorded;
    let own = recorded.outputs + recorded.left_outputs + recorded.versions + recorded.files + kept.database;
    let rows = [
        ("Outputs of runs", recorded.outputs, kept.outputs_limit),
        ("Outputs of deleted hooks", recorded.left_outputs, None),
        ("Versions of notebooks", recorded.versions, None),
        ("Dependencies and assets", recorded.files, None),
        ("Database", kept.database, None),
    ];
    let rows = rows.iter().filter(|(_, bytes, limit)| *bytes > 0 || limit.is_some());
    let disk = kept.disk.filter(|disk| disk.total > 0).map(|disk| {
        let of_hundred = |bytes: u64| (u128::from(bytes) * 100 / u128::from(disk.total)).min(100);
        let taken = of_hundred(disk.total.saturating_sub(disk.available));
        let ours = of_hundred(own).min(taken);
        json!({
            "total": disk.total, "available": disk.available, "is_little": disk.available < LITTLE,
            "taken": taken, "ours": ours, "others": taken - ours,
        })
    });
    json!({
        "own": own,
        "rows": rows.map(|(name, bytes, limit)| json!({"name": name, "bytes": bytes, "limit": limit})).collect::<Vec<_>>(),
        "disk": disk,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(now: DateTime<Utc>, seconds_ago: i64, waiting: usize, running: usize) -> Load {
        Load { at: now - TimeDelta::seconds(seconds_ago), waiting, running, warm: 1 }
    }

    #[test]
    fn lines_are_steps_of_the_most_in_each_column() {
        let now = DateTime::from_timestamp(3_600_002, 0).unwrap(); // 2 s into a column of 5 s
        let samples = [sample(now, 25, 4, 2), sample(now, 8, 0, 1), sample(now, 2, 0, 2), sample(now, 0, 1, 0)];
        let chart = chart(&samples, now, 2);
        assert_eq!((&chart["most"], &chart["span"], &chart["width"]), (&json!(4), &json!("10 minutes"), &json!(360)));
        // A column without a sample is as the one before.
        assert_eq!(chart["lines"][0]["points"], "342,0 351,0 351,60 357,60 357,45 360,45");
        assert_eq!(chart["lines"][1]["points"], "342,30 351,30 351,45 357,45 357,30 360,30");
        let last: Vec<_> = chart["lines"].as_array().unwrap().iter().map(|line| &line["last"]).collect();
        assert_eq!(last, [1, 0, 1]);
        let rows = chart["rows"].as_array().unwrap();
        assert_eq!(rows.iter().map(|row| row["most"]["waiting"].clone()).collect::<Vec<_>>(), [json!(1), json!(4)]);
        assert!(rows[0]["at"].as_str().unwrap().starts_with("1970-02-11T16:00:00"), "{rows:?}");
        assert_eq!(super::chart(&[], now, 2)["lines"][0]["points"], "");
    }

    #[test]
    fn the_span_is_as_long_as_it_has_to_be() {
        let now = DateTime::from_timestamp(3_600_000, 0).unwrap();
        let spans =
            [600, 601, 3_601].map(|age| chart(&[sample(now, age, 1, 1), sample(now, 0, 1, 1)], now, 2)["span"].clone());
        assert_eq!(spans, ["10 minutes", "60 minutes", "6 hours"]);
        let old = chart(&[sample(now, 7 * 3_600, 9, 9), sample(now, 0, 1, 1)], now, 2);
        assert_eq!(
            (&old["span"], &old["most"]),
            (&json!("6 hours"), &json!(1)),
            "what is out of the picture does not count"
        );
    }
}
