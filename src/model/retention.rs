//! What is kept and what goes: which versions, runs and outputs exceed their bounds.
//!
//! Decides only. What it says goes is removed by `service/retention.rs`, where the database has the last word on what may.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Histo, HookParams, Keep, RunState};

#[cfg(test)]
mod tests;

/// How much is kept; none is no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    pub count: Option<u32>,
    pub days: Option<u32>,
    pub bytes: Option<u64>,
}

impl Keep {
    /// The bounds that this comes to where `otherwise` holds for what it leaves out; 0 is no bound.
    #[must_use]
    pub fn or(self, otherwise: Bounds) -> Bounds {
        Bounds {
            count: self.count.or(otherwise.count).filter(|count| *count > 0),
            days: self.days.or(otherwise.days).filter(|days| *days > 0),
            bytes: self.bytes.or(otherwise.bytes).filter(|bytes| *bytes > 0),
        }
    }
}

impl Bounds {
    /// Whether so many things, so large together, the oldest of them of this age, are within the bounds.
    #[must_use]
    pub fn hold(&self, count: u64, bytes: u64, oldest: TimeDelta) -> bool {
        !self.are_outlived_by(oldest)
            && self.count.is_none_or(|most| count <= u64::from(most))
            && self.bytes.is_none_or(|most| bytes <= most)
    }

    fn are_outlived_by(&self, age: TimeDelta) -> bool {
        self.days.is_some_and(|days| age > TimeDelta::days(i64::from(days)))
    }
}

/// Something that is kept for a while. Of two of one age, the one with the greater key is the newer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item<K> {
    pub key: K,
    pub age: TimeDelta,
    pub bytes: u64,
    /// Whatever the bounds say.
    pub stays: bool,
}

/// Those of `items` that have to go for the bounds to hold: the oldest ones, and no more than it takes.
///
/// What stays anyway takes its place within the bounds. What alone is larger than all may be together goes alone.
#[must_use]
pub fn excess<K: Ord>(mut items: Vec<Item<K>>, bounds: Bounds) -> Vec<Item<K>> {
    items.sort_by(|a, b| b.stays.cmp(&a.stays).then(a.age.cmp(&b.age)).then(b.key.cmp(&a.key)));
    let (mut count, mut bytes, mut full) = (0_u32, 0_u64, false);
    items.retain(|item| {
        if !item.stays {
            if bounds.are_outlived_by(item.age) || bounds.bytes.is_some_and(|most| item.bytes > most) {
                return true;
            }
            full = full
                || bounds.count.is_some_and(|most| count >= most)
                || bounds.bytes.is_some_and(|most| bytes.saturating_add(item.bytes) > most);
            if full {
                return true;
            }
        }
        count = count.saturating_add(1);
        bytes = bytes.saturating_add(item.bytes);
        false
    });
    items
}

/// A version, as far as it matters here.
#[derive(Debug, Clone)]
pub struct KeptVersion {
    pub histo: Histo,
    /// Bytes of its notebook.
    pub size: u64,
    pub created_at: DateTime<Utc>,
    /// It is live, or a run that has not ended is of it.
    pub needed: bool,
}

/// A run, as far as it matters here.
#[derive(Debug, Clone)]
pub struct KeptRun {
    pub histo: Histo,
    pub state: RunState,
    /// When it ended, or was asked for if it has not.
    pub at: DateTime<Utc>,
    /// Bytes of the output that is kept of it.
    pub output: Option<u64>,
    /// A mail about it is still to be sent, or was sent so lately that the next one waits for it.
    pub mailing: bool,
    /// Its answer may still be asked for: as the result of a task, or by the same `Idempotency-Key`.
    pub answering: bool,
}

impl KeptRun {
    fn has_failed(&self) -> bool {
        matches!(self.state, RunState::Failed | RunState::TimedOut | RunState::Interrupted)
    }
}

/// How much of one hook is on record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    pub versions: u64,
    /// Bytes of the versions' notebooks.
    pub version_bytes: u64,
    pub oldest_version: Option<DateTime<Utc>>,
    pub runs: u64,
    pub oldest_run: Option<DateTime<Utc>>,
    pub outputs: u64,
    pub output_bytes: u64,
    pub oldest_output: Option<DateTime<Utc>>,
}

/// The bounds of one hook.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    pub versions: Bounds,
    pub runs: Bounds,
    pub outputs: Bounds,
    /// A failed run counts as this many times younger than it is.
    pub failed: u32,
}

/// What goes of one hook.
#[derive(Debug, Default)]
pub struct Plan {
    pub versions: Vec<Item<Histo>>,
    /// With their outputs.
    pub runs: Vec<Item<Histo>>,
    /// Of runs that stay on record.
    pub outputs: Vec<Item<Histo>>,
}

impl Plan {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty() && self.runs.is_empty() && self.outputs.is_empty()
    }

    /// Bytes of all outputs that go.
    #[must_use]
    pub fn output_bytes(&self) -> u64 {
        self.runs.iter().chain(&self.outputs).map(|item| item.bytes).sum()
    }
}

impl Retention {
    /// The bounds of a hook with these parameters, where these are the server's.
    #[must_use]
    pub fn of(self, params: &HookParams) -> Self {
        Self {
            versions: params.keep_versions.or(self.versions),
            runs: params.keep_runs.or(self.runs),
            outputs: params.keep_outputs.or(self.outputs),
            failed: self.failed,
        }
    }

    /// The output of a run, by the age that it counts as.
    #[must_use]
    pub fn item<K>(&self, key: K, run: &KeptRun, now: DateTime<Utc>) -> Item<K> {
        let age = now - run.at;
        let slower = i32::try_from(self.failed.max(1)).unwrap_or(i32::MAX);
        Item {
            key,
            age: if run.has_failed() { age / slower } else { age },
            bytes: run.output.unwrap_or_default(),
            stays: run.mailing || !run.state.is_final(),
        }
    }

    /// Whether nothing of a hook can be over its bounds: a quick look, to leave the close one out.
    #[must_use]
    pub fn holds(&self, kept: &Kept, now: DateTime<Utc>) -> bool {
        let age = |time: Option<DateTime<Utc>>| time.map_or(TimeDelta::MIN, |time| now - time);
        self.versions.hold(kept.versions, kept.version_bytes, age(kept.oldest_version))
            && self.runs.hold(kept.runs, kept.output_bytes, age(kept.oldest_run))
            && self.outputs.hold(kept.outputs, kept.output_bytes, age(kept.oldest_output))
    }

    /// What goes of a hook. Its newest run stays on record: the next one's histo comes behind it.
    #[must_use]
    pub fn plan(&self, versions: &[KeptVersion], runs: &[KeptRun], now: DateTime<Utc>) -> Plan {
        let newest = runs.iter().map(|run| &run.histo).max();
        let item = |run: &KeptRun, stays: bool| {
            let item = self.item(run.histo.clone(), run, now);
            Item { stays: stays || item.stays, ..item }
        };
        let all = runs.iter().map(|run| item(run, run.answering || newest == Some(&run.histo)));
        let gone = excess(all.collect(), self.runs);
        let going: HashSet<&Histo> = gone.iter().map(|run| &run.key).collect();
        let left = runs.iter().filter(|run| run.output.is_some() && !going.contains(&run.histo));
        let outputs = excess(left.map(|run| item(run, false)).collect(), self.outputs);
        let versions = versions.iter().map(|version| Item {
            key: version.histo.clone(),
            age: now - version.created_at,
            bytes: version.size,
            stays: version.needed,
        });
        Plan { versions: excess(versions.collect(), self.versions), runs: gone, outputs }
    }
}
