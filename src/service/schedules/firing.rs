//! Firing schedules.
//!
//! It is two steps, each a transaction. A schedule that is due is claimed: its next time and the run to be are written at once, so it
//! fires once, whoever looks at it. The run is then begun like any asynchronous call; what a killed server had claimed and not begun is
//! begun by the next one, or left out as late.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use super::when;
use crate::model::{Missed, Overlap, RunId, Schedule};
use crate::service::{Error, Result, Service};
use crate::store::{Claim, Firing};

/// How many schedules are looked at at once.
const BATCH: u32 = 50;
/// After how long a time is missed: nobody was there when it came.
const LATE: TimeDelta = TimeDelta::minutes(1);
/// How long a run that could not be begun waits until it is tried again, and for how long at all.
const SHORTEST_WAIT: TimeDelta = TimeDelta::seconds(15);
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(5);
const PATIENCE: TimeDelta = TimeDelta::hours(1);

const NOBODY_THERE: &str = "the server was not running at that time";
const NOT_ENDED: &str = "the run before had not ended";
const NOT_READ: &str = "its time zone is not known any more: set another one";

/// What has come of a schedule's times by now.
#[derive(Debug, PartialEq, Eq)]
struct Due {
    /// The time that it fires for: the newest one if that is on time, else the first one that was missed.
    at: DateTime<Utc>,
    is_late: bool,
    next: Option<DateTime<Utc>>,
}

impl Due {
    /// `first` is the first time that nobody looked at, `next` tells which one comes behind another.
    fn of(first: DateTime<Utc>, now: DateTime<Utc>, next: impl Fn(DateTime<Utc>) -> Option<DateTime<Utc>>) -> Self {
        let on_time = now - LATE;
        let newest = if first >= on_time { Some(first) } else { next(on_time - TimeDelta::milliseconds(1)) };
        let times = std::iter::successors(newest, |at| next(*at)).take_while(|at| *at <= now);
        let newest = times.last();
        Self { at: newest.unwrap_or(first), is_late: newest.is_none(), next: next(now) }
    }
}

/// How long a run that could not be begun is left alone; none: it is given up.
///
/// A place may become free at any moment. The server's own trouble is given longer and longer: as long as it has lasted.
fn wait(error: &Error, tried_for: TimeDelta) -> Option<TimeDelta> {
    if tried_for >= PATIENCE {
        return None;
    }
    match error {
        Error::QueueFull { .. } | Error::Draining { .. } | Error::NoRoom(_) => Some(SHORTEST_WAIT),
        Error::Internal(_) => Some(tried_for.clamp(SHORTEST_WAIT, LONGEST_WAIT)),
        _ => None,
    }
}

/// What an owner is told. What is the server's own trouble is told in its log only.
fn told(error: &Error) -> String {
    match error {
        Error::Internal(_) => "the server could not begin the run: its log says why".to_owned(),
        other => other.to_string(),
    }
}

impl Service {
    /// Fires what is due; gives the time at which something is due next.
    pub async fn fire_due(self: &Arc<Self>) -> Result<Option<DateTime<Utc>>> {
        let now = self.clock.now();
        if !self.is_draining() {
            // Before what is due now, which they would seem to be in the way of.
            for late in self.db.late_firings(now - LATE).await? {
                tracing::warn!(schedule = %late.schedule, why = NOBODY_THERE, "a run that was claimed is skipped");
                self.db.give_up_firing(&late, NOBODY_THERE).await?;
            }
            for schedule in self.db.due_schedules(now, BATCH).await? {
                self.claim(&schedule, now).await?;
            }
            let begun = self.db.due_firings(now, BATCH).await?;
            for settled in join_all(begun.iter().map(|firing| self.fire(firing, now))).await {
                settled?;
            }
        }
        Ok(self.db.next_firing().await?)
    }

    async fn claim(&self, schedule: &Schedule, now: DateTime<Utc>) -> Result<()> {
        let Some(first) = schedule.next_at else { return Ok(()) };
        let (due, run) = match when(schedule) {
            Ok((crontab, zone)) => {
                let due = Due::of(first, now, |after| crontab.next(after, zone));
                let run = self.run_to_be(schedule, due.is_late).await?;
                (due, run)
            }
            Err(error) => {
                tracing::error!(schedule = %schedule.id, %error, "cannot read a schedule");
                (Due { at: first, is_late: false, next: None }, Err(NOT_READ))
            }
        };
        if let Err(why) = &run {
            tracing::warn!(schedule = %schedule.id, hook = %schedule.hook, why, "a schedule is skipped");
        }
        metrics::counter!("nbhook_schedules_fired_total", "skipped" => run.is_err().to_string()).increment(1);
        self.db.claim_firing(&Claim { schedule, at: due.at, next_at: due.next, run, now }).await?;
        Ok(())
    }

    /// A run, or why there is to be none.
    async fn run_to_be(&self, schedule: &Schedule, is_late: bool) -> Result<Result<RunId, &'static str>> {
        Ok(if is_late && schedule.missed == Missed::Skip {
            Err(NOBODY_THERE)
        } else if schedule.overlap == Overlap::Skip && self.db.is_schedule_running(schedule.id).await? {
            Err(NOT_ENDED)
        } else {
            Ok(RunId::new())
        })
    }

    /// Begins a claimed run, or says why it is not begun.
    async fn fire(self: &Arc<Self>, firing: &Firing, now: DateTime<Utc>) -> Result<()> {
        let Some(schedule) = self.db.schedule(firing.schedule).await? else { return Ok(()) };
        let Err(error) = self.begin_scheduled(&schedule, firing.run).await else { return Ok(()) };
        let since = firing.tried_at.unwrap_or(now);
        let wait = wait(&error, now - since);
        tracing::warn!(
            schedule = %schedule.id, hook = %schedule.hook, %error, given_up = wait.is_none(), "a scheduled run was not begun"
        );
        let told = told(&error);
        match wait {
            Some(wait) => {
                let problem = format!("{told}; it is tried again");
                self.db.postpone_firing(firing, since, now + wait, &problem).await?;
            }
            None => self.db.give_up_firing(firing, &told).await?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
    }

    fn due(cron: &str, first: &str, now: &str) -> Due {
        let crontab: crate::crontab::Crontab = cron.parse().unwrap();
        Due::of(at(first), at(now), |after| crontab.next(after, crate::crontab::Zone::UTC))
    }

    #[test]
    fn what_is_on_time_is_not_late_for_what_was_missed_before_it() {
        let nine = "2026-01-01T09:00:00Z";
        let on = |day: u32, time: &str| at(&format!("2026-01-{day:02}T{time}Z"));
        let daily = |now: &str| due("0 9 * * *", nine, now);
        let fires = |at, is_late, next| Due { at, is_late, next: Some(next) };
        assert_eq!(daily(nine), fires(at(nine), false, on(2, "09:00:00")));
        assert_eq!(daily("2026-01-01T09:01:00Z"), fires(at(nine), false, on(2, "09:00:00")));
        assert_eq!(daily("2026-01-01T09:01:00.001Z"), fires(at(nine), true, on(2, "09:00:00")));
        // Days later: none on time, and one that is.
        assert_eq!(daily("2026-01-04T08:59:59Z"), fires(at(nine), true, on(4, "09:00:00")));
        assert_eq!(daily("2026-01-04T09:00:30Z"), fires(on(4, "09:00:00"), false, on(5, "09:00:00")));
        // Two of them are on time, and the newest is it.
        let two = due("* * * * *", nine, "2026-01-02T00:01:00Z");
        assert_eq!(two, fires(on(2, "00:01:00"), false, on(2, "00:02:00")));
        // A time that newer rules of its zone do not have.
        assert_eq!(due("0 12 * * *", nine, nine), fires(at(nine), false, on(1, "12:00:00")));
    }

    #[test]
    fn trouble_of_the_server_is_waited_for_longer_and_longer_and_not_for_ever() {
        let internal = Error::Internal("disk".to_owned());
        let (mut tried_for, mut waits) = (TimeDelta::zero(), Vec::new());
        while let Some(wait) = wait(&internal, tried_for) {
            tried_for += wait;
            waits.push(wait.num_seconds());
        }
        assert_eq!(waits[..7], [15, 15, 30, 60, 120, 240, 300]);
        assert!((3600..3900).contains(&tried_for.num_seconds()), "{tried_for}");
        let full = Error::QueueFull { retry_after: 1 };
        assert_eq!(wait(&full, PATIENCE - SHORTEST_WAIT), Some(SHORTEST_WAIT));
        assert_eq!(wait(&full, PATIENCE), None);
        assert_eq!(wait(&Error::NotFound("version"), TimeDelta::zero()), None, "time does not help");
    }
}
