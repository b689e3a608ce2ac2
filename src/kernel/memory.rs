//! Telling whether a kernel died for want of memory.

use super::process::Exit;

/// What a process writes when it gives up because an allocation failed.
const LAST_WORDS: [&str; 4] = ["bad_alloc", "MemoryError", "Cannot allocate memory", "out of memory"];

/// How often the system's out-of-memory killer had struck at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OomKills(Option<u64>);

impl OomKills {
    /// The count now. The system keeps none per process, and the process's own cgroup may be anyone's.
    pub(super) fn now() -> Self {
        Self(std::fs::read_to_string("/proc/vmstat").ok().and_then(|text| count(&text)))
    }

    /// Whether an end means that there was too little memory: a SIGKILL that we did not send while the out-of-memory killer
    /// struck, or an end by a failed allocation under a limit.
    pub(super) fn explain(self, exit: &Exit, limited: bool, last_words: &str) -> bool {
        let struck = matches!((self.0, Self::now().0), (Some(before), Some(now)) if now > before);
        let gave_up = limited && !exit.success() && LAST_WORDS.iter().any(|words| last_words.contains(words));
        (exit.killed() && struck) || gave_up
    }
}

fn count(vmstat: &str) -> Option<u64> {
    vmstat.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_counts_only_when_the_oom_killer_struck() {
        assert_eq!(count("pgfault 7\noom_kill 3\noom_kill_other 9\n"), Some(3));
        assert_eq!(count("pgfault 7\n"), None);
        let (quiet, before) =
            (OomKills::now(), OomKills(OomKills::now().0.and_then(|kills| kills.checked_sub(1)).or(Some(0))));
        assert!(!quiet.explain(&Exit::Signal(libc::SIGKILL), true, ""));
        assert!(!before.explain(&Exit::Signal(libc::SIGSEGV), true, ""));
        assert!(quiet.explain(&Exit::Signal(libc::SIGABRT), true, "terminate called after throwing 'std::bad_alloc'"));
        assert!(!quiet.explain(&Exit::Signal(libc::SIGABRT), false, "std::bad_alloc"));
    }
}
