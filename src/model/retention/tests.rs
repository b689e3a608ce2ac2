//! What goes, from tables and for any list.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::*;

fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_750_000_000, 0).unwrap()
}

fn histo(days: i64) -> Histo {
    Histo::next(noon() - TimeDelta::days(days), None)
}

/// A run that ended so many days ago, with an output of 10 bytes.
fn run(days: i64, state: RunState) -> KeptRun {
    let at = noon() - TimeDelta::days(days);
    KeptRun { histo: histo(days), state, at, output: Some(10), mailing: false, answering: false }
}

fn version(days: i64, needed: bool) -> KeptVersion {
    KeptVersion { histo: histo(days), size: 10, created_at: noon() - TimeDelta::days(days), needed }
}

fn ages(items: &[Item<Histo>]) -> Vec<i64> {
    let mut days: Vec<_> = items.iter().map(|item| (0..1000).find(|day| histo(*day) == item.key).unwrap()).collect();
    days.sort_unstable();
    days
}

fn bounds(count: u32, days: u32, bytes: u64) -> Bounds {
    Keep { count: Some(count), days: Some(days), bytes: Some(bytes) }.or(Bounds::default())
}

fn retention(runs: Bounds, outputs: Bounds, versions: Bounds) -> Retention {
    Retention { versions, runs, outputs, failed: 2 }
}

const NONE: Bounds = Bounds { count: None, days: None, bytes: None };

#[test]
fn whatever_exceeds_a_bound_goes_the_oldest_first() {
    use RunState::Succeeded;
    let runs: Vec<_> = (0..10).map(|days| run(days, Succeeded)).collect();
    for (outputs, gone) in [
        (NONE, vec![]),
        (bounds(10, 9, 100), vec![]),
        (bounds(3, 0, 0), vec![3, 4, 5, 6, 7, 8, 9]),
        (bounds(0, 7, 0), vec![8, 9]),
        (bounds(0, 0, 25), vec![2, 3, 4, 5, 6, 7, 8, 9]),
        (bounds(9, 8, 80), vec![8, 9]),
        (bounds(0, 0, 9), (0..10).collect()),
    ] {
        let plan = retention(NONE, outputs, NONE).plan(&[], &runs, noon());
        assert_eq!((ages(&plan.outputs), plan.runs.len()), (gone, 0), "{outputs:?}");
    }
}

#[test]
fn a_run_takes_its_output_along_and_the_newest_stays_on_record() {
    let runs: Vec<_> = (0..5).map(|days| run(days * 100, RunState::Succeeded)).collect();
    let plan = retention(bounds(3, 0, 0), bounds(4, 0, 0), NONE).plan(&[], &runs, noon());
    assert_eq!((ages(&plan.runs), ages(&plan.outputs)), (vec![300, 400], vec![]), "what goes with its run goes once");
    let old: Vec<_> = (5..7).map(|days| run(days * 100, RunState::Succeeded)).collect();
    let plan = retention(bounds(0, 30, 0), bounds(0, 30, 0), NONE).plan(&[], &old, noon());
    assert_eq!((ages(&plan.runs), ages(&plan.outputs)), (vec![600], vec![500]));
}

#[test]
fn failed_runs_are_kept_longer() {
    use RunState::{Cancelled, Failed, Interrupted, Succeeded, TimedOut};
    for (state, days, goes) in [
        (Succeeded, 30, false),
        (Succeeded, 31, true),
        (Cancelled, 31, true),
        (Failed, 60, false),
        (TimedOut, 60, false),
        (Interrupted, 60, false),
        (Failed, 61, true),
    ] {
        let plan = retention(NONE, bounds(0, 30, 0), NONE).plan(&[], &[run(days, state)], noon());
        assert_eq!(plan.outputs.len(), usize::from(goes), "{state} {days}");
    }
    // A failure of 6 days counts as one of 3.
    let runs = [run(1, Succeeded), run(2, Succeeded), run(4, Succeeded), run(6, Failed), run(9, Failed)];
    let plan = retention(bounds(3, 0, 0), NONE, NONE).plan(&[], &runs, noon());
    assert_eq!(ages(&plan.runs), [4, 9]);
}

#[test]
fn what_is_still_needed_stays_and_takes_its_place() {
    let mut runs: Vec<_> = (0..6).map(|days| run(days, RunState::Succeeded)).collect();
    runs[3].mailing = true;
    runs[4].answering = true;
    (runs[5].state, runs[5].output) = (RunState::Running, None);
    let plan = retention(bounds(4, 0, 0), NONE, NONE).plan(&[], &runs, noon());
    assert_eq!(ages(&plan.runs), [1, 2], "the newest, and those three");
    let plan = retention(NONE, bounds(1, 0, 0), NONE).plan(&[], &runs, noon());
    assert_eq!(ages(&plan.outputs), [0, 1, 2, 4], "a mail leads to its output");
    let versions = [version(0, false), version(1, false), version(2, true), version(3, false), version(9, true)];
    let plan = retention(NONE, NONE, bounds(3, 2, 0)).plan(&versions, &[], noon());
    assert_eq!(ages(&plan.versions), [1, 3]);
}

#[test]
fn a_hooks_own_bound_takes_the_place_of_the_servers() {
    let server = retention(bounds(9, 8, 7), bounds(6, 5, 4), NONE);
    let keep_outputs = Keep { count: Some(2), ..Keep::default() };
    let own = server.of(&HookParams { keep_outputs, ..HookParams::default() });
    assert_eq!((own.runs, own.outputs, own.versions), (bounds(9, 8, 7), bounds(2, 5, 4), NONE));
    assert_eq!(Keep { days: Some(0), ..Keep::default() }.or(bounds(1, 2, 3)), bounds(1, 0, 3), "0: no bound");
}

fn items() -> impl Strategy<Value = Vec<Item<u32>>> {
    let item = (0..40_i64, 0..50_u64, prop::bool::weighted(0.2));
    prop::collection::vec(item, 0..30).prop_map(|items| {
        let numbered = (0_u32..).zip(items);
        numbered.map(|(key, (days, bytes, stays))| Item { key, age: TimeDelta::days(days), bytes, stays }).collect()
    })
}

fn any_bounds() -> impl Strategy<Value = Bounds> {
    (0..20_u32, 0..30_u32, 0..300_u64).prop_map(|(count, days, bytes)| bounds(count, days, bytes))
}

fn within(kept: &[&Item<u32>], bounds: Bounds) -> bool {
    let bytes = kept.iter().map(|item| item.bytes).sum();
    let oldest = kept.iter().map(|item| item.age).max().unwrap_or(TimeDelta::zero());
    bounds.hold(kept.len() as u64, bytes, oldest)
}

proptest! {
    #[test]
    fn the_bounds_hold_afterwards_and_nothing_goes_without_need(items in items(), bounds in any_bounds()) {
        let gone = excess(items.clone(), bounds);
        let kept: Vec<_> = items.iter().filter(|item| !gone.contains(item)).collect();
        prop_assert!(gone.iter().all(|item| !item.stays));
        prop_assert_eq!(gone.len() + kept.len(), items.len());
        // What stays anyway may be over the bounds by itself; then nothing else is left.
        let others: Vec<_> = kept.iter().filter(|item| !item.stays).collect();
        let young = |item: &&Item<u32>| !item.stays || bounds.days.is_none_or(|days| item.age <= TimeDelta::days(days.into()));
        let counted: Vec<_> = kept.iter().copied().filter(|item| young(item)).collect();
        prop_assert!(others.is_empty() || within(&counted, bounds), "{:?}", kept);
        // The youngest that went for want of room cannot come back.
        let alone = |item: &&Item<u32>| within(&[item], bounds);
        if let Some(back) = gone.iter().filter(alone).min_by_key(|item| (item.age, std::cmp::Reverse(item.key))) {
            let count = kept.len() as u64 + 1;
            let bytes = kept.iter().map(|item| item.bytes).sum::<u64>() + back.bytes;
            prop_assert!(!bounds.hold(count, bytes, TimeDelta::zero()), "{:?} went without need", back);
            // And whatever is older went too.
            prop_assert!(others.iter().all(|item| (item.age, std::cmp::Reverse(item.key)) < (back.age, std::cmp::Reverse(back.key))));
        }
    }

    #[test]
    fn the_quick_look_misses_nothing(
        versions in prop::collection::vec((0..40_i64, any::<bool>()), 0..10),
        runs in prop::collection::vec((0..40_i64, 0..7_usize, prop::option::of(0..50_u64), any::<bool>()), 0..20),
        (of_runs, of_outputs, of_versions) in (any_bounds(), any_bounds(), any_bounds()),
    ) {
        let retention = retention(of_runs, of_outputs, of_versions);
        let versions: Vec<_> = versions.into_iter().map(|(days, needed)| version(days, needed)).collect();
        let runs: Vec<_> = runs
            .into_iter()
            .map(|(days, state, output, mailing)| KeptRun { output, mailing, ..run(days, RunState::ALL[state]) })
            .collect();
        let outputs: Vec<_> = runs.iter().filter(|run| run.output.is_some()).collect();
        let kept = Kept {
            versions: versions.len() as u64,
            version_bytes: versions.iter().map(|version| version.size).sum(),
            oldest_version: versions.iter().map(|version| version.created_at).min(),
            runs: runs.len() as u64,
            oldest_run: runs.iter().map(|run| run.at).min(),
            outputs: outputs.len() as u64,
            output_bytes: outputs.iter().filter_map(|run| run.output).sum(),
            oldest_output: outputs.iter().map(|run| run.at).min(),
        };
        let plan = retention.plan(&versions, &runs, noon());
        prop_assert!(plan.is_empty() || !retention.holds(&kept, noon()));
        let live = |item: &Item<Histo>| versions.iter().any(|version| version.histo == item.key && version.needed);
        // Two versions of one day share a histo here; real ones do not.
        let single = |item: &&Item<Histo>| versions.iter().filter(|version| version.histo == item.key).count() == 1;
        prop_assert!(!plan.versions.iter().filter(single).any(live), "a version that is needed goes");
    }
}
