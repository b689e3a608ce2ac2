//! How busy the server was lately: calls that waited, runs that went on, kernels that waited for one.
//!
//! In memory only, and bounded: a new server knows nothing of the one before it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;

use super::Service;
use crate::model::Load;

/// Time between two samples.
pub const SAMPLE_EVERY: TimeDelta = TimeDelta::seconds(10);
/// How far back they reach.
pub const SAMPLES_REACH: TimeDelta = TimeDelta::hours(6);
/// How many that is, also if the clock stands still.
const MOST: usize = 6 * 360;

/// The samples of the last hours, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Samples(Mutex<VecDeque<Load>>);

impl Samples {
    fn add(&self, sample: Load) {
        let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back begins anew.
        samples.retain(|other| other.at < sample.at && sample.at - other.at <= SAMPLES_REACH);
        while samples.len() >= MOST {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    fn all(&self) -> Vec<Load> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

impl Service {
    /// Notes how busy the server is.
    pub fn take_sample(&self) {
        let traffic = self.admission.take_peak();
        let (at, warm) = (self.clock.now(), self.executor.waiting());
        self.samples.add(Load { at, waiting: traffic.waiting, running: traffic.running, warm });
    }

    /// How busy the server was lately, the oldest first. Everybody shares its kernels, so everybody may know.
    #[must_use]
    pub fn load(&self) -> Vec<Load> {
        self.samples.all()
    }

    /// How many runs may go on at once.
    #[must_use]
    pub fn kernel_limit(&self) -> usize {
        self.settings.kernel.limit
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn sample(seconds: i64) -> Load {
        Load { at: DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds), waiting: 0, running: 1, warm: 2 }
    }

    #[test]
    fn samples_are_of_the_last_hours_and_bounded() {
        let samples = Samples::default();
        for number in 0..3_000 {
            samples.add(sample(number * 10));
        }
        let all = samples.all();
        assert_eq!((all.len(), all[0], all[MOST - 1]), (MOST, sample((3_000 - 2_160) * 10), sample(29_990)));
        for number in 0..5_000 {
            samples.add(sample(30_000 + number));
        }
        assert_eq!(samples.all().len(), MOST, "however often");
        samples.add(sample(100_000));
        assert_eq!(samples.all(), [sample(100_000)], "what is too old goes");
        samples.add(sample(50));
        assert_eq!(samples.all(), [sample(50)], "a clock that was set back");
    }
}
