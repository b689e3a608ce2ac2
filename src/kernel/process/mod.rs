//! Starting and ending processes: the one place of the crate that does either.
//!
//! Every process has a [`Process`] as its owner. It leads a session and a process group of its own, is killed with all of
//! its group when the owner is dropped, and dies with the server. Nothing here knows what the processes are for.
//!
//! Each process has a thread of the server that starts it, waits for it and reaps it. One thread per process looks
//! wasteful, but gives three things at once: the kernel's parent-death signal is tied to the *thread* that forked, and this
//! one lives exactly as long as the child; the group is killed while its leader is still a zombie, so that the number
//! cannot have gone to a stranger; and reaping depends on no async runtime.

mod adopted;
mod command;
mod exit;
mod oneshot;
pub(in crate::kernel) mod orphans;
mod sys;
#[cfg(test)]
pub(in crate::kernel) mod tests;
mod usage;

use std::io;
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::{oneshot as reply, watch};

use crate::model::RunId;

pub use adopted::Adopted;
pub use command::{Command, Resources, command};
pub use exit::Exit;
pub use oneshot::{HelperError, Output, run_to_end};
pub use orphans::kill_orphans;
pub use sys::{disk_room, hide};
pub(in crate::kernel) use sys::{packet_sockets, send_with_files};
pub use usage::{Usage, usage};

/// The environment variable that marks the processes of a run; its value is the run's id.
pub const RUN_MARK: &str = "NBHOOK_RUN";

/// The stack of a thread that only waits.
const OWNER_STACK: usize = 128 * 1024;

/// A running process and everything it started. Dropping it kills them all.
#[derive(Debug)]
pub struct Process {
    group: Arc<Group>,
    mark: Arc<OnceLock<String>>,
    exit: watch::Receiver<Option<Exit>>,
    /// The server's ends of the pipes, until someone takes them.
    pub stdin: Option<ChildStdin>,
    pub stdout: Option<ChildStdout>,
    pub stderr: Option<ChildStderr>,
}

impl Process {
    /// Starts a process.
    ///
    /// # Errors
    /// What the system says when it cannot: no such program, not executable, no such working directory, out of processes.
    pub async fn spawn(command: Command) -> io::Result<Self> {
        let (sender, receiver) = reply::channel();
        std::thread::Builder::new()
            .name("process".to_owned())
            .stack_size(OWNER_STACK)
            .spawn(move || own(command, sender))?;
        receiver.await.unwrap_or_else(|_| Err(io::Error::other("the thread that starts processes ended")))
    }

    /// The process's id, which is also the id of its group.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.group.id
    }

    /// Tells whose process it is, if it was started without knowing; see [`Command::run`]. The process carries the mark already.
    pub fn belongs_to(&self, run: RunId) {
        // A process that has a run keeps it.
        let _ = self.mark.set(run.to_string());
    }

    /// Waits until the process and what was left of its group have ended. May be called often.
    pub async fn wait(&self) -> Exit {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(exit) => exit.clone().unwrap_or(Exit::Unknown),
            Err(_) => Exit::Unknown,
        }
    }

    /// How the process ended, if it has.
    #[must_use]
    pub fn ended(&self) -> Option<Exit> {
        self.exit.borrow().clone()
    }

    /// Sends SIGINT to the whole group, as Ctrl-C in a terminal does.
    pub fn interrupt(&self) {
        self.group.signal(libc::SIGINT);
    }

    /// Sends SIGKILL to the whole group; [`Process::wait`] tells when it is gone.
    pub fn kill_group(&self) {
        self.group.signal(libc::SIGKILL);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_group();
    }
}

/// A process group that may be signalled as long as its leader has not been reaped.
#[derive(Debug)]
struct Group {
    id: sys::Pid,
    reaped: Mutex<bool>,
}

impl Group {
    fn signal(&self, signal: libc::c_int) {
        let reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if !*reaped {
            if signal == libc::SIGKILL {
                // An adopted one may have been forked just now and not lead its group yet.
                sys::kill(self.id);
            }
            sys::signal_group(self.id, signal);
        }
    }

    /// Kills what is left of the group of an ended leader, and reaps the leader.
    fn end(&self, child: &mut std::process::Child) -> Exit {
        let mut reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        sys::signal_group(self.id, libc::SIGKILL);
        let status = child.wait();
        *reaped = true;
        status.map_or(Exit::Unknown, Exit::from)
    }
}

/// The life of a process, on a thread of its own.
fn own(mut command: Command, reply: reply::Sender<io::Result<Process>>) {
    let mark = Arc::new(command.mark.take().map_or_else(OnceLock::new, OnceLock::from));
    let started = command.start().and_then(|child| match sys::Pid::try_from(child.id()) {
        Ok(id) => Ok((child, id)),
        Err(_) => Err(io::Error::other("the process id is out of range")),
    });
    let (mut child, id) = match started {
        Ok(started) => started,
        Err(error) => {
            // Nobody waits for the answer any more: nothing was started, so nothing is left.
            let _ = reply.send(Err(error));
            return;
        }
    };
    let group = Arc::new(Group { id, reaped: Mutex::new(false) });
    let (exit, watched) = watch::channel(None);
    let process = Process {
        group: Arc::clone(&group),
        mark: Arc::clone(&mark),
        exit: watched,
        stdin: child.stdin.take(),
        stdout: child.stdout.take(),
        stderr: child.stderr.take(),
    };
    // When the caller is gone, the process comes back here, is dropped, and so is killed.
    let _ = reply.send(Ok(process));
    sys::wait_without_reaping(id);
    let status = group.end(&mut child);
    if let Some(mark) = mark.get() {
        orphans::kill_marked(std::slice::from_ref(mark));
    }
    // Nobody is left to hear of it: all the same to us.
    let _ = exit.send(Some(status));
}
