//! Processes that a process of ours forked: its parent waits for it and reaps it, and tells us.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::watch;

use super::{Exit, Group, Process, orphans, sys};

/// The duty to tell the [`Process`] of its end. Dropping it tells an unknown end.
#[derive(Debug)]
pub struct Adopted {
    group: Arc<Group>,
    mark: Arc<OnceLock<String>>,
    exit: watch::Sender<Option<Exit>>,
}

impl Process {
    /// Takes ownership of a process that another process of ours forked, and that leads its group or is about to. Its parent
    /// must not reap it before [`Adopted::end`].
    #[must_use]
    pub fn adopt(id: i32) -> (Self, Adopted) {
        let group = Arc::new(Group { id, reaped: Mutex::new(false) });
        let mark = Arc::new(OnceLock::new());
        let (exit, watched) = watch::channel(None);
        let adopted = Adopted { group: Arc::clone(&group), mark: Arc::clone(&mark), exit };
        (Self { group, mark, exit: watched, stdin: None, stdout: None, stderr: None }, adopted)
    }
}

impl Adopted {
    /// Kills what is left of the group of an ended process, which may then be reaped, and tells its owner how it ended.
    pub fn end(self, exit: Exit) {
        {
            let mut reaped = self.group.reaped.lock().unwrap_or_else(PoisonError::into_inner);
            sys::signal_group(self.group.id, libc::SIGKILL);
            *reaped = true;
        }
        // Looks through all processes of the machine, so not here.
        tokio::task::spawn_blocking(move || {
            if let Some(mark) = self.mark.get() {
                orphans::kill_marked(std::slice::from_ref(mark));
            }
            // Nobody is left to hear of it: all the same to us.
            let _ = self.exit.send(Some(exit));
        });
    }
}
