//! What a process and everything below it use.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::sys;

/// What the processes of a session use together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub processes: usize,
    /// User and system time, also of those that have ended and been waited for.
    pub cpu: Duration,
}

/// A line of `/proc/<pid>/stat`, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: sys::Pid,
    session: sys::Pid,
    /// In clock ticks.
    cpu: u64,
}

/// Looks at the processes of a session and at their descendants. Blocks. What has left the session *and* lost its parent is
/// not seen; it is killed at the end of the run all the same.
pub fn usage(session: sys::Pid) -> Usage {
    let entries = std::fs::read_dir("/proc").into_iter().flatten();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<sys::Pid>().ok());
    let stats = pids.filter_map(|pid| Some((pid, parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?)));
    sum(session, &stats.collect(), sys::clock_ticks())
}

fn sum(session: sys::Pid, stats: &HashMap<sys::Pid, Stat>, ticks: u64) -> Usage {
    let mut children: HashMap<sys::Pid, Vec<sys::Pid>> = HashMap::new();
    for (pid, stat) in stats {
        children.entry(stat.parent).or_default().push(*pid);
    }
    let mut left: Vec<_> = stats.iter().filter(|(_, stat)| stat.session == session).map(|(pid, _)| *pid).collect();
    let mut seen = HashSet::new();
    let mut cpu = 0;
    while let Some(pid) = left.pop() {
        if seen.insert(pid) {
            cpu += stats.get(&pid).map_or(0, |stat| stat.cpu);
            left.extend(children.get(&pid).into_iter().flatten());
        }
    }
    Usage { processes: seen.len(), cpu: Duration::from_millis(cpu.saturating_mul(1000) / ticks) }
}

/// See proc(5). The name, in parentheses, may itself hold spaces and parentheses.
fn parse(line: &str) -> Option<Stat> {
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    // utime, stime, cutime, cstime
    let cpu = [11, 12, 13, 14].into_iter().map(|index| number(index).unwrap_or(0)).sum();
    Some(Stat { parent: fields.get(1)?.parse().ok()?, session: fields.get(3)?.parse().ok()?, cpu })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_the_system_writes_and_adds_up_the_family() {
        let line = |pid: i32, parent: i32, session: i32, cpu: u64| {
            format!("{pid} (a ) (b) S {parent} {pid} {session} 0 -1 4194560 1 0 0 0 {cpu} 1 2 3 20 0 1 0 100 0 0")
        };
        let processes = [(10, 1, 10, 100), (11, 10, 10, 50), (12, 11, 12, 44), (13, 1, 13, 1000), (14, 12, 14, 0)];
        let stats =
            processes.map(|(pid, parent, session, cpu)| (pid, parse(&line(pid, parent, session, cpu)).unwrap()));
        let usage = sum(10, &stats.into_iter().collect(), 100);
        assert_eq!(usage, Usage { processes: 4, cpu: Duration::from_millis(2180) });
        assert_eq!(parse("nonsense"), None);
        assert!(super::usage(sys::session()).processes >= 1, "this process");
    }
}
