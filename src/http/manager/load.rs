//! How busy the server was lately, as lines over time and as a table; and what is on its disk.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::http::reply;
use crate::service::{DiskUse, SAMPLES_REACH, Sample};

/// The picture, in units of its own: so many columns, each so wide; the highest line is so high.
const COLUMNS: i32 = 120;
const STEP: i32 = 3;
const HEIGHT: usize = 60;
/// A younger server's hours would be a picture of nothing.
const SHORT: TimeDelta = TimeDelta::hours(1);
/// Columns that a row of the table is for.
const IN_A_ROW: i32 = 10;
/// What is too little room on disk.
const LITTLE: u64 = 1 << 30;

/// The most of each in a part of the time.
#[derive(Debug, Default, Clone, Copy)]
struct Most {
    waiting: usize,
    running: usize,
    warm: usize,
}

impl Most {
    fn of(self, sample: &Sample) -> Self {
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

/// Lines of the last hour, or hours if there are as many.
pub(super) fn chart(samples: &[Sample], now: DateTime<Utc>, kernels: usize) -> Value {
    let is_young = samples.first().is_none_or(|first| now - first.at <= SHORT);
    let reach = if is_young { SHORT } else { SAMPLES_REACH };
    let width = (reach / COLUMNS).num_milliseconds().max(1);
    // Columns stand at fixed times, so that they do not change their heights as time goes by.
    let newest = now.timestamp_millis().div_euclid(width);
    let place = |sample: &Sample, width: i64, newest: i64, columns: i32| -> Option<i32> {
        let place = i64::from(columns) - 1 - (newest - sample.at.timestamp_millis().div_euclid(width));
        i32::try_from(place).ok().filter(|place| (0..columns).contains(place))
    };
    let columns = most_by(samples, |sample| place(sample, width, newest, COLUMNS));
    let most = columns.iter().map(|(_, most)| most.waiting.max(most.running).max(most.warm)).max().unwrap_or(0).max(1);
    let line = |of: fn(&Most) -> usize| -> String {
        let points = columns.iter().flat_map(|(place, column)| {
            let y = HEIGHT - of(column) * HEIGHT / most;
            [format!("{},{y}", place * STEP), format!("{},{y}", (place + 1) * STEP)]
        });
        points.collect::<Vec<_>>().join(" ")
    };
    let (rows, wide) = (COLUMNS / IN_A_ROW, width * i64::from(IN_A_ROW));
    let newest_row = now.timestamp_millis().div_euclid(wide);
    let table = most_by(samples, |sample| place(sample, wide, newest_row, rows));
    let at =
        |row: i32| DateTime::from_timestamp_millis((newest_row - i64::from(rows - 1 - row)) * wide).map(reply::time);
    let last = samples.last().map(|sample| Most::default().of(sample)).unwrap_or_default();
    let drawn = |name: &str, kind: &str, of: fn(&Most) -> usize| -> Value {
        json!({"name": name, "kind": kind, "points": line(of), "last": of(&last)})
    };
    json!({
        "lines": [
            drawn("Calls waiting", "first", |most| most.waiting),
            drawn("Runs going on", "second", |most| most.running),
            drawn("Warm kernels", "third", |most| most.warm),
        ],
        "most": most,
        "hours": reach.num_hours(),
        "width": COLUMNS * STEP,
        "height": HEIGHT,
        "kernels": kernels,
        "rows": table.iter().rev().map(|(row, most)| json!({"at": at(*row), "most": most.view()})).collect::<Vec<_>>(),
    })
}

/// The most in each place that has a sample, in their order.
fn most_by(samples: &[Sample], place: impl Fn(&Sample) -> Option<i32>) -> Vec<(i32, Most)> {
    let mut found: Vec<(i32, Most)> = Vec::new();
    for (sample, place) in samples.iter().filter_map(|sample| Some((sample, place(sample)?))) {
        match found.last_mut() {
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

    fn sample(now: DateTime<Utc>, seconds_ago: i64, waiting: usize, running: usize) -> Sample {
        Sample { at: now - TimeDelta::seconds(seconds_ago), waiting, running, warm: 1 }
    }

    #[test]
    fn lines_are_steps_of_the_most_in_each_column() {
        let now = DateTime::from_timestamp(3_600_010, 0).unwrap(); // 10 s into a column of half a minute
        let samples = [sample(now, 45, 4, 2), sample(now, 25, 0, 1), sample(now, 5, 0, 2), sample(now, 0, 1, 0)];
        let chart = chart(&samples, now, 2);
        assert_eq!((&chart["most"], &chart["hours"], &chart["width"]), (&json!(4), &json!(1), &json!(360)));
        assert_eq!(chart["lines"][0]["points"], "351,0 354,0 354,60 357,60 357,45 360,45");
        assert_eq!(chart["lines"][1]["points"], "351,30 354,30 354,45 357,45 357,30 360,30");
        let last: Vec<_> = chart["lines"].as_array().unwrap().iter().map(|line| &line["last"]).collect();
        assert_eq!(last, [1, 0, 1]);
        let rows = chart["rows"].as_array().unwrap();
        assert_eq!(rows.iter().map(|row| row["most"]["waiting"].clone()).collect::<Vec<_>>(), [json!(1), json!(4)]);
        assert!(rows[0]["at"].as_str().unwrap().starts_with("1970-02-11T16:00:00"), "{rows:?}");
        assert_eq!(super::chart(&[], now, 2)["lines"][0]["points"], "");
    }

    #[test]
    fn what_is_older_than_an_hour_makes_it_six() {
        let now = DateTime::from_timestamp(3_600_000, 0).unwrap();
        let old = chart(&[sample(now, 7 * 3_600, 9, 9), sample(now, 3_601, 1, 1), sample(now, 0, 1, 1)], now, 2);
        assert_eq!((&old["hours"], &old["most"]), (&json!(6), &json!(1)), "what is out of the picture does not count");
        assert_eq!(old["rows"].as_array().unwrap().len(), 2);
    }
}
