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
        let (found, is_one_beginning) = look(&entries);
        if found.is_empty() && !is_one_beginning {
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

/// The processes that were started with one of these environment entries, and whether some process has no environment yet, so that it
/// has to be looked at again. A zombie has none, so is not among them.
fn look(entries: &[Vec<u8>]) -> (Vec<sys::Pid>, bool) {
    let Ok(processes) = std::fs::read_dir("/proc") else { return (Vec::new(), false) };
    let ours = std::process::id();
    let (mut found, mut is_one_beginning) = (Vec::new(), false);
    for pid in processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<sys::Pid>().ok()) {
        if u32::try_from(pid) == Ok(ours) {
            continue;
        }
        // Unreadable: another user's process, or one that just ended.
        let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { continue };
        if environment.is_empty() {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            is_one_beginning |= is_in_exec(&stat);
        }
        if environment.split(|byte| *byte == 0).any(|variable| entries.iter().any(|entry| entry == variable)) {
            found.push(pid);
        }
    }
    (found, is_one_beginning)
}

/// Whether a process is in the middle of an exec, by its line in `/proc/<pid>/stat` (proc(5)): it has its new memory, and has closed what is
/// closed on exec, so whoever started it may have ended already; but its environment is not there yet.
fn is_in_exec(stat: &str) -> bool {
    const IS_KERNEL_THREAD: u64 = 0x0020_0000; // PF_KTHREAD
    let Some((_, rest)) = stat.rsplit_once(')') else { return false };
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3).and_then(|text| text.parse::<u64>().ok());
    let has_ended = fields.first().is_none_or(|state| matches!(*state, "Z" | "X" | "x"));
    let (flags, environment_end) = (number(9), number(51));
    !has_ended && flags.is_some_and(|flags| flags & IS_KERNEL_THREAD == 0) && environment_end == Some(0)
}

/// How many processes carry a run's mark.
#[cfg(test)]
pub(in crate::kernel) fn marked_by(run: RunId) -> usize {
    look(&[format!("{RUN_MARK}={run}").into_bytes()]).0.len()
}

#[cfg(test)]
mod tests {
    use super::is_in_exec;

    #[test]
    fn a_process_without_an_environment_is_one_that_begins_unless_it_has_ended_or_is_the_kernels() {
        let stat = |state: &str, flags: u64, end: u64| {
            let zeros = |count| vec!["0"; count].join(" ");
            format!("77 (a) b) {state} 1 77 77 0 -1 {flags} {} {end} 0\n", zeros(41))
        };
        assert!(is_in_exec(&stat("R", 0x40_0000, 0)));
        assert!(!is_in_exec(&stat("S", 0x40_0000, 140_000)), "it has an empty environment");
        assert!(!is_in_exec(&stat("Z", 0x40_0000, 0)) && !is_in_exec(&stat("I", 0x20_8040, 0)) && !is_in_exec(""));
        let ours = std::fs::read_to_string("/proc/self/stat").unwrap();
        assert!(!is_in_exec(&ours), "{ours}");
    }
}
