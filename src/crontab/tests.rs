//! Against croner, which knows crontab's dialect, and by hand where clocks are turned.

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
}

/// The next times, in the time of the zone.
fn next(cron: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let zone: Zone = zone.parse().unwrap();
    let times = cron.parse::<Crontab>().unwrap().upcoming(at(after), zone, count);
    times.into_iter().map(|time| zone.show(time)).collect()
}

#[test]
fn fields_are_read_as_crontab_reads_them() {
    let utc = |cron| next(cron, "UTC", "2026-01-01T00:00:00Z", 3);
    assert_eq!(utc("0 9 * * mon-fri")[..2], ["2026-01-01T09:00:00Z", "2026-01-02T09:00:00Z"]);
    assert_eq!(utc("*/20 0 1 FEB *"), ["2026-02-01T00:00:00Z", "2026-02-01T00:20:00Z", "2026-02-01T00:40:00Z"]);
    assert_eq!(utc("0 12 * * 7"), utc("0 12 * * sun"));
    assert_eq!(utc("0 12 * * 0"), ["2026-01-04T12:00:00Z", "2026-01-11T12:00:00Z", "2026-01-18T12:00:00Z"]);
    assert_eq!(utc("0 0 * * 5-7"), ["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z"]);
    // Either kind of day, as both are restricted: the 13th, and Fridays.
    assert_eq!(utc("0 0 13 * fri"), ["2026-01-02T00:00:00Z", "2026-01-09T00:00:00Z", "2026-01-13T00:00:00Z"]);
    // Both, as one begins with a star: odd days that are Fridays.
    assert_eq!(utc("0 0 */2 * fri"), ["2026-01-09T00:00:00Z", "2026-01-23T00:00:00Z", "2026-02-13T00:00:00Z"]);
    assert_eq!(utc("@monthly"), ["2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"]);
    assert_eq!(utc("0 0 29 2 *")[..1], ["2028-02-29T00:00:00Z"]);
}

#[test]
fn what_is_wrong_is_told_by_its_field() {
    for (cron, named) in [
        ("", "five fields"),
        ("* * * *", "five fields"),
        ("0 0 9 * * *", "five fields"),
        ("60 * * * *", "the minute is `60`"),
        ("0 24 * * *", "the hour"),
        ("0 0 0 * *", "the day of the month"),
        ("0 0 * 13 *", "the month"),
        ("0 0 * * 8", "the day of the week"),
        ("0 0 * * fry", "sun, mon, tue"),
        ("5-1 * * * *", "the minute"),
        ("*/0 * * * *", "the minute"),
        ("5/2 * * * *", "the minute"),
        ("+1 * * * *", "the minute"),
        ("1,,2 * * * *", "the minute"),
        ("0 0 30 2 *", "never fires"),
        ("0 0 31 4,6,9,11 *", "never fires"),
        ("@reboot", "five fields"),
    ] {
        let wrong = cron.parse::<Crontab>().unwrap_err();
        assert!(wrong.field == "cron" && wrong.message.contains(named), "{cron}: {}", wrong.message);
    }
    assert_eq!("Mars/Olympus".parse::<Zone>().unwrap_err().field, "tz");
}

#[test]
fn a_time_of_day_fires_once_when_clocks_are_put_forward() {
    let of_day = |cron| next(cron, "Europe/Berlin", "2026-03-28T12:00:00Z", 2);
    assert_eq!(of_day("30 2 * * *"), ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]);
    // Two skipped times are one.
    assert_eq!(of_day("10,40 2 * * *"), ["2026-03-29T03:00:00+02:00", "2026-03-30T02:10:00+02:00"]);
    assert_eq!(of_day("0 3 * * *"), ["2026-03-29T03:00:00+02:00", "2026-03-30T03:00:00+02:00"]);
    assert_eq!(
        next("30 2 * * *", "America/New_York", "2026-03-08T00:00:00Z", 2),
        ["2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"]
    );
    // A day that a zone left out.
    assert_eq!(
        next("0 9 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", 2),
        ["2011-12-29T09:00:00-10:00", "2011-12-31T00:00:00+14:00"]
    );
}

#[test]
fn a_time_of_day_fires_once_when_clocks_are_put_back() {
    assert_eq!(
        next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
        ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]
    );
    assert_eq!(
        next("30 1 * * *", "America/New_York", "2026-11-01T02:00:00Z", 2),
        ["2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"]
    );
    // Half an hour, in New South Wales' neighbour.
    assert_eq!(
        next("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", 2),
        ["2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"]
    );
}

#[test]
fn what_goes_by_the_time_that_passes_goes_on_when_clocks_are_turned() {
    assert_eq!(
        next("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:15:00Z", 3),
        ["2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"]
    );
    assert_eq!(
        next("30 * * * *", "Europe/Berlin", "2026-10-24T23:45:00Z", 3),
        ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-25T03:30:00+01:00"]
    );
    assert_eq!(
        next("0 */2 * * *", "America/New_York", "2026-03-08T05:30:00Z", 2),
        ["2026-03-08T04:00:00-04:00", "2026-03-08T06:00:00-04:00"]
    );
    assert_eq!(
        next("0 */1 * * *", "America/New_York", "2026-11-01T04:30:00Z", 3),
        ["2026-11-01T01:00:00-04:00", "2026-11-01T01:00:00-05:00", "2026-11-01T02:00:00-05:00"]
    );
}

fn field(first: u32, last: u32) -> impl Strategy<Value = String> {
    let number = first..=last;
    prop_oneof![
        3 => Just("*".to_owned()),
        2 => number.clone().prop_map(|number| number.to_string()),
        1 => (number.clone(), number.clone()).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        1 => (number.clone(), number.clone(), 1u32..9)
            .prop_map(|(a, b, step)| format!("{}-{}/{step}", a.min(b), a.max(b))),
        1 => (2u32..20).prop_map(|step| format!("*/{step}")),
        1 => proptest::collection::vec(number, 1..4)
            .prop_map(|list| list.iter().map(u32::to_string).collect::<Vec<_>>().join(",")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// In UTC, where no clock is turned, croner agrees; both take `*/n` among the days for unrestricted or neither is restricted so.
    #[test]
    fn croner_finds_the_same_times(
        minute in field(0, 59), hour in field(0, 23), day in field(1, 28), month in field(1, 12), weekday in field(0, 6),
        start in 1_700_000_000i64..2_000_000_000,
    ) {
        prop_assume!(!day.starts_with("*/") && !weekday.starts_with("*/"));
        let text = format!("{minute} {hour} {day} {month} {weekday}");
        let after = DateTime::from_timestamp(start, 0).unwrap();
        let oracle: croner::Cron = text.parse().unwrap();
        let expected: Vec<_> = oracle.iter_after(after).take(4).collect();
        prop_assert_eq!(text.parse::<Crontab>().unwrap().upcoming(after, Zone::UTC, 4), expected, "{}", text);
    }

    /// Wherever it is and whatever its clocks do: times come one behind another, and none is left out for longer than a day and a bit.
    #[test]
    fn a_daily_time_fires_every_day(hour in 0u32..24, minute in 0u32..60, zone in 0usize..5, start in 1_500_000_000i64..1_900_000_000) {
        let zone: Zone = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kolkata"][zone].parse().unwrap();
        let crontab: Crontab = format!("{minute} {hour} * * *").parse().unwrap();
        let times = crontab.upcoming(DateTime::from_timestamp(start, 0).unwrap(), zone, 400);
        for pair in times.windows(2) {
            let gap = pair[1] - pair[0];
            prop_assert!((TimeDelta::hours(22)..=TimeDelta::hours(26)).contains(&gap), "{} {} {}", gap, pair[0], zone.as_str());
        }
    }
}

/// What the documentation says, minute by minute: which ones fire, by what a zone's clocks show then.
struct Oracle {
    days: croner::Cron,
    /// By the minutes of a day.
    minutes: Vec<bool>,
    goes_by_time_of_day: bool,
}

impl Oracle {
    fn of(minute: &str, hour: &str, days: &str) -> Self {
        let midnight = at("2026-01-01T00:00:00Z");
        let times: croner::Cron = format!("{minute} {hour} * * *").parse().unwrap();
        let minutes =
            (0..24 * 60).map(|count| times.is_time_matching(&(midnight + TimeDelta::minutes(count))).unwrap());
        Self {
            days: format!("0 0 {days}").parse().unwrap(),
            minutes: minutes.collect(),
            goes_by_time_of_day: !minute.starts_with('*') && !hour.starts_with('*'),
        }
    }

    /// Whether it is meant when clocks show this.
    fn means(&self, wall: NaiveDateTime) -> bool {
        let midnight = wall.date().and_time(chrono::NaiveTime::MIN);
        let minute = usize::try_from((wall - midnight).num_minutes()).unwrap();
        self.minutes[minute] && self.days.is_time_matching(&midnight.and_utc()).unwrap()
    }

    fn fires(&self, at: DateTime<Utc>, zone: Tz) -> bool {
        let wall = |at: DateTime<Utc>| at.with_timezone(&zone).naive_local();
        let (now, expected) = (wall(at), wall(at - TimeDelta::minutes(1)) + TimeDelta::minutes(1));
        if !self.goes_by_time_of_day {
            return self.means(now);
        }
        let is_first = zone.from_local_datetime(&now).earliest().is_some_and(|first| first == at);
        let skipped = std::iter::successors(Some(expected), |wall| Some(*wall + TimeDelta::minutes(1)));
        is_first && self.means(now) || skipped.take_while(|skipped| *skipped < now).any(|skipped| self.means(skipped))
    }
}

/// When the zone's clocks are turned next, within 400 days; most of the zones' never are.
fn turned_after(start: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
    let offset = |at: DateTime<Utc>| zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    let mut days = (0..400).map(|day| start + TimeDelta::days(day));
    days.find(|day| offset(*day) != offset(start))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, max_shrink_iters: 20, failure_persistence: None, ..ProptestConfig::default() })]

    /// In every zone there is, on the days around the next change of its clocks: no time is left out, and none is too much.
    #[test]
    fn every_zone_fires_as_its_clocks_say(
        minute in field(0, 59), hour in prop_oneof![field(0, 23), field(0, 3)], day in prop_oneof![3 => Just("*".to_owned()), 1 => field(1, 31)],
        weekday in prop_oneof![3 => Just("*".to_owned()), 1 => field(0, 6)], start in 946_684_800i64..2_000_000_000,
    ) {
        prop_assume!(!day.starts_with("*/") && !weekday.starts_with("*/"));
        let crontab: Crontab = format!("{minute} {hour} {day} * {weekday}").parse().unwrap();
        let oracle = Oracle::of(&minute, &hour, &format!("{day} * {weekday}"));
        for zone in chrono_tz::TZ_VARIANTS {
            let start = DateTime::from_timestamp(start / 60 * 60, 0).unwrap();
            let start = turned_after(start, zone).unwrap_or(start) - TimeDelta::hours(30);
            let end = start + TimeDelta::hours(36);
            let minutes = (1..=36 * 60).map(|count| start + TimeDelta::minutes(count));
            let expected: Vec<_> = minutes.filter(|minute| oracle.fires(*minute, zone)).collect();
            let times = std::iter::successors(crontab.next(start, Zone(zone)), |last| crontab.next(*last, Zone(zone)));
            let times: Vec<_> = times.take_while(|time| *time <= end).take(expected.len() + 1).collect();
            prop_assert_eq!(times, expected, "{} in {} from {}", crontab, zone, start);
        }
    }
}
