//! What a run may use, and watching that its processes together use no more.
//!
//! What the system can bound for each process, it does ([`Resources`]: memory, CPU time, open files). How many processes a run
//! has and what they use together it bounds only in control groups, which a server seldom may make; so they are counted.

use std::time::Duration;

use super::process::{Resources, usage};

/// How often to count. A run that goes over a limit goes on for so long.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// What a run may use.
#[derive(Debug, Clone)]
pub struct Limits {
    /// From the first cell's start.
    pub wall: Duration,
    /// For the kernel to answer after it was started.
    pub start: Duration,
    /// All outputs of all cells together, in bytes as they arrive.
    pub output_bytes: usize,
    /// Processes at once, the kernel's own included.
    pub processes: Option<usize>,
    /// Of each process; the CPU time also of all together.
    pub resources: Resources,
}

/// The limit that a run's processes went over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exceeded {
    CpuTime(u64),
    Processes(usize),
}

impl Limits {
    /// Ends when the processes of a kernel (by its id) use more than they may together; never, if they do not.
    pub(super) async fn exceeded(&self, kernel: i32) -> Exceeded {
        let (cpu, processes) = (self.resources.cpu_seconds, self.processes);
        if cpu.is_none() && processes.is_none() {
            std::future::pending::<()>().await;
        }
        loop {
            tokio::time::sleep(BETWEEN_LOOKS).await;
            let Ok(usage) = tokio::task::spawn_blocking(move || usage(kernel)).await else { continue };
            match (cpu, processes) {
                (Some(most), _) if usage.cpu >= Duration::from_secs(most) => return Exceeded::CpuTime(most),
                (_, Some(most)) if usage.processes > most => return Exceeded::Processes(most),
                _ => {}
            }
        }
    }
}
