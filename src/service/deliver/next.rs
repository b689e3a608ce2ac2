//! What comes of an attempt. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::OutboundSettings;
use crate::model::NextStep;
use crate::webhook::{Outcome, RetryAfter};

/// By how much waits differ, so that what failed together is not tried again together: by a fifth, either way.
const JITTER: f64 = 0.2;

/// What comes of an attempt that ended so, after `tries` others. `chance` is anything from 0 to 1.
pub(super) fn after(
    outcome: &Outcome,
    retry_after: Option<RetryAfter>,
    tries: u32,
    settings: &OutboundSettings,
    now: DateTime<Utc>,
    chance: f64,
) -> NextStep {
    match outcome {
        Outcome::Answered(200..300) => return NextStep::Delivered,
        Outcome::Answered(403) => return NextStep::Rejected,
        Outcome::Answered(410) => return NextStep::Gone,
        _ => {}
    }
    let scheduled = usize::try_from(tries).ok().and_then(|tries| settings.retry_schedule.get(tries));
    let Some(scheduled) = scheduled else { return NextStep::Dead };
    let longest = TimeDelta::seconds(settings.longest_retry_after.min(1 << 32).cast_signed());
    let wished = match retry_after {
        None => TimeDelta::zero(),
        Some(RetryAfter::Seconds(seconds)) => TimeDelta::seconds(seconds.min(1 << 32).cast_signed()),
        Some(RetryAfter::At(at)) => at - now,
    };
    NextStep::Retry(now + around(*scheduled, chance).max(wished.min(longest)))
}

/// So many seconds, more or less.
fn around(seconds: u64, chance: f64) -> TimeDelta {
    let factor = 1.0 + JITTER * (2.0 * chance.clamp(0.0, 1.0) - 1.0);
    let millis = std::time::Duration::from_secs(seconds).mul_f64(factor).as_millis();
    TimeDelta::milliseconds(i64::try_from(millis).unwrap_or(i64::MAX / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(outcome: &Outcome, retry_after: Option<RetryAfter>, tries: u32, chance: f64) -> NextStep {
        after(outcome, retry_after, tries, &OutboundSettings::default(), now(), chance)
    }

    fn now() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn waits(step: NextStep) -> i64 {
        match step {
            NextStep::Retry(at) => (at - now()).num_milliseconds(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn answers_say_what_comes_next() {
        for (status, expected) in [
            (200, NextStep::Delivered),
            (202, NextStep::Delivered),
            (204, NextStep::Delivered),
            (299, NextStep::Delivered),
            (403, NextStep::Rejected),
            (410, NextStep::Gone),
        ] {
            assert_eq!(next(&Outcome::Answered(status), None, 0, 0.5), expected, "{status}");
        }
        let failures = [199, 300, 301, 302, 304, 307, 308, 400, 401, 404, 408, 409, 422, 429, 500, 502, 503, 599];
        let failures = failures.map(Outcome::Answered).into_iter();
        let others = [Outcome::TimedOut, Outcome::Refused(String::new()), Outcome::Failed(String::new())];
        for outcome in failures.chain(others) {
            assert_eq!(waits(next(&outcome, None, 0, 0.5)), 5_000, "{outcome:?}");
        }
    }

    #[test]
    fn waits_grow_by_the_schedule_with_jitter_and_then_it_is_dead() {
        let failed = Outcome::Answered(500);
        for (tries, seconds) in (0..).zip([5, 300, 1_800, 7_200, 18_000, 36_000, 36_000]) {
            let wait = |chance| waits(next(&failed, None, tries, chance));
            assert_eq!([wait(0.0), wait(0.5), wait(1.0)], [seconds * 800, seconds * 1_000, seconds * 1_200]);
        }
        assert_eq!(next(&failed, None, 7, 0.5), NextStep::Dead);
        assert_eq!(next(&failed, None, u32::MAX, 0.5), NextStep::Dead);
        assert_eq!(next(&failed, Some(RetryAfter::Seconds(5)), 7, 0.5), NextStep::Dead, "whatever is wished");
        let never = OutboundSettings { retry_schedule: Vec::new(), ..OutboundSettings::default() };
        assert_eq!(after(&failed, None, 0, &never, now(), 0.5), NextStep::Dead);
    }

    #[test]
    fn the_receivers_wish_makes_a_wait_longer_within_bounds_and_never_shorter() {
        let busy = Outcome::Answered(429);
        let wait = |wish| waits(next(&busy, Some(wish), 0, 0.5)) / 1_000;
        assert_eq!(wait(RetryAfter::Seconds(120)), 120);
        assert_eq!(wait(RetryAfter::Seconds(1)), 5);
        assert_eq!(wait(RetryAfter::Seconds(u64::MAX)), 86_400);
        assert_eq!(wait(RetryAfter::At(now() + TimeDelta::minutes(3))), 180);
        assert_eq!(wait(RetryAfter::At(now() - TimeDelta::days(1))), 5);
        assert_eq!(wait(RetryAfter::At(DateTime::<Utc>::MAX_UTC)), 86_400);
        // The schedule itself knows no bound but its own.
        assert_eq!(waits(next(&busy, Some(RetryAfter::Seconds(90_000)), 5, 0.5)), 86_400_000);
    }
}
