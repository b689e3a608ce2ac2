//! crontab's five fields in a time zone: when a schedule fires. Pure.
//!
//! The semantics are those of Vixie's cron, as Debian has it: names of months and days, lists, ranges and steps, Sunday is 0 or 7; a day is
//! meant if the day of the month *or* the day of the week fits when both are restricted (do not begin with `*`), else if both do.
//!
//! When clocks are turned: what has a time of day (neither the minute nor the hour begins with `*`) fires once a day, also if that time
//! is skipped (then as soon as the clock has been put forward) or comes twice (then the first time). All else goes by the time that passes.
//!
//! The crate `cron` finds the times of a calendar, and `chrono-tz` knows the zones. Its dialect is another one, so fields are handed over as
//! lists of numbers and names that mean the same in both.

mod fields;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, LocalResult, NaiveDateTime, Offset as _, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use cron::Schedule;

use crate::model::Invalid;
use fields::Fields;

/// How far back a time of day is looked for that a change of the clock has moved.
const LOOK_BACK: TimeDelta = TimeDelta::hours(25);
/// Most times that are looked at for one answer; a zone has a few changes a year.
const MOST_LOOKS: usize = 10_000;

/// A valid expression.
#[derive(Debug, Clone)]
pub struct Crontab {
    text: String,
    /// One, or two of which either is meant.
    schedules: Vec<Schedule>,
    /// Whether it goes by the time that passes, and not by the time of day.
    is_wildcard: bool,
}

/// A time zone of the IANA database, e.g. `Europe/Berlin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

impl Crontab {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first time after `after` at which it fires; none if there is none that the calendar knows.
    #[must_use]
    pub fn next(&self, after: DateTime<Utc>, zone: Zone) -> Option<DateTime<Utc>> {
        if self.is_wildcard { self.next_passing(after, zone.0) } else { self.next_of_day(after, zone.0) }
    }

    /// The next `count` times.
    #[must_use]
    pub fn upcoming(&self, after: DateTime<Utc>, zone: Zone, count: usize) -> Vec<DateTime<Utc>> {
        std::iter::successors(self.next(after, zone), |last| self.next(*last, zone)).take(count).collect()
    }

    /// The next time that a clock shows, which knows no zone.
    fn on_clock(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let times = self.schedules.iter().filter_map(|schedule| schedule.after(&after.and_utc()).next());
        times.min().map(|time| time.naive_utc())
    }

    fn next_of_day(&self, after: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let mut clock = after.with_timezone(&zone).naive_local() - LOOK_BACK;
        for _ in 0..MOST_LOOKS {
            clock = self.on_clock(clock)?;
            let at = first(clock, zone);
            if at > after {
                return Some(at);
            }
        }
        None
    }

    fn next_passing(&self, after: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let (mut from, mut since) = (after, after);
        for _ in 0..MOST_LOOKS {
            let offset = zone.offset_from_utc_datetime(&since.naive_utc()).fix();
            let at = (self.on_clock(from.naive_utc() + offset)? - offset).and_utc();
            let Some(change) = change_between(since, at, zone) else { return Some(at) };
            // From a second before it, so that what fires at that very moment is found.
            (from, since) = (change - TimeDelta::seconds(1), change);
        }
        None
    }
}

/// When a clock shows this for the first time; if it never does, when it has been put forward over it.
fn first(clock: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&clock) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.with_timezone(&Utc),
        LocalResult::None => {
            // By the time before the change it is past the change, so that is found in between.
            let before = zone.offset_from_utc_datetime(&(clock - TimeDelta::hours(26))).fix();
            let at = (clock - before).and_utc();
            change_between(at - TimeDelta::hours(25), at, zone).unwrap_or(at)
        }
    }
}

/// When the zone's offset changes between two times, the last of them included: the first second of the new one.
fn change_between(from: DateTime<Utc>, to: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
    let offset = |at: DateTime<Utc>| zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    // Zones change at most once in some weeks; a step of a day finds also what is taken back later.
    let mut before = from;
    while before < to {
        let step = to.min(before + TimeDelta::days(1));
        if offset(step) != offset(before) {
            let (mut old, mut new) = (before, step);
            while new - old > TimeDelta::seconds(1) {
                let middle = old + (new - old) / 2;
                let middle = DateTime::from_timestamp(middle.timestamp(), 0).unwrap_or(middle);
                if middle <= old {
                    break;
                }
                if offset(middle) == offset(from) { old = middle } else { new = middle }
            }
            return Some(new);
        }
        before = step;
    }
    None
}

impl FromStr for Crontab {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let fields = Fields::parse(text)?;
        let schedule = |text: String| {
            Schedule::from_str(&text).map_err(|_| Invalid::new("cron", "is not a schedule that can be understood"))
        };
        let schedules = fields.for_the_crate().into_iter().map(schedule).collect::<Result<Vec<_>, _>>()?;
        let crontab = Self { text: text.trim().to_owned(), schedules, is_wildcard: fields.is_wildcard() };
        // Looked for from a year with a leap day behind it.
        let some_day = DateTime::from_timestamp(1_735_689_600, 0).unwrap_or_default();
        match crontab.on_clock(some_day.naive_utc()) {
            Some(_) => Ok(crontab),
            None => Err(Invalid::new("cron", "never fires: there is no such day in any month it names")),
        }
    }
}

impl fmt::Display for Crontab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Zone {
    pub const UTC: Self = Self(Tz::UTC);

    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0.name()
    }

    /// RFC 3339 in the time of the zone, e.g. `2026-03-29T03:00:00+02:00`.
    #[must_use]
    pub fn show(self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.0).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }
}

impl FromStr for Zone {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let zone = text
            .parse()
            .map_err(|_| Invalid::new("tz", "must be a time zone of the IANA database, e.g. Europe/Berlin"));
        zone.map(Self)
    }
}

#[cfg(test)]
mod tests;
