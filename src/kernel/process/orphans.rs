//! Finding processes of a run that are in no group we know: those that called `setsid`, and those a killed server left.

use std::time::Duration;

use super::{RUN_MARK, sys};
use crate::model::RunId;

/// A process that forks while it is being looked for is found in a later round.
const ROUNDS: u32 = 100;
const BETWEEN_ROUNDS: Duration = Duration::from_millis(5);

/// Kills every process of these runs, however it is related to us, and tells how many there were. Blocks: call it at the
/// start of the server, for the runs that were going on when the last one was killed.
///
/// The parent-death signal kills kernels when their server dies, but not the processes that kernels started.
#[must_use]
pub fn kill_orphans(runs: &[RunId]) -> usize {
    let marks: Vec<String> = runs.iter().map(ToString::to_string).collect();
    if marks.is_empty() { 0 } else { kill_marked(&marks) }
}

/// Kills every process whose environment has [`RUN_MARK`] set to one of `marks`, until none is left.
pub(super) fn kill_marked(marks: &[String]) -> usize {
    let entries: Vec<Vec<u8>> = marks.iter().map(|mark| format!("{RUN_MARK}={mark}").into_bytes()).collect();
    let mut killed = 0;
    for round in 0..ROUNDS {
        let found = marked(&entries);
        if found.is_empty() {
            break;
        }
        if round == 0 {
            killed = found.len();
        }
        found.into_iter().for_each(sys::kill);
        std::thread::sleep(BETWEEN_ROUNDS);
    }
    killed
}

/// The processes that were started with one of these environment entries. A zombie has no environment, so is not among them.
fn marked(entries: &[Vec<u8>]) -> Vec<sys::Pid> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let ours = std::process::id();
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<sys::Pid>().ok())
        .filter(|pid| u32::try_from(*pid) != Ok(ours))
        .filter(|pid| {
            // Unreadable: another user's process, or one that just ended.
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| entries.iter().any(|entry| entry == variable))
        })
        .collect()
}

/// How many processes carry a run's mark.
#[cfg(test)]
pub(in crate::kernel) fn marked_by(run: RunId) -> usize {
    marked(&[format!("{RUN_MARK}={run}").into_bytes()]).len()
}
