//! The system calls that std has no safe name for. With `config/taken.rs` the only unsafe code of the crate; nothing here decides
//! anything.
#![expect(
    unsafe_code,
    reason = "prctl, setrlimit, kill, waitid, socketpair, sendmsg and statvfs have no safe counterpart in std"
)]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::Resources;
use crate::model::DiskRoom;

/// A process id as the system calls take it.
pub(super) type Pid = libc::pid_t;

/// Makes the child the leader of its own session and process group, lets it die with the thread that starts it, gives it
/// default signal handlers and none of the server's files, and bounds what it may use.
pub(super) fn isolate(command: &mut Command, resources: Resources) {
    let parent = std::process::id();
    // SAFETY: the closure runs between fork and exec. It allocates nothing, takes no lock and calls only functions that
    // POSIX or Linux document as async-signal-safe (plain system calls); it captures plain numbers.
    unsafe {
        command.pre_exec(move || {
            check(libc::setsid())?;
            die_with_parent(parent)?;
            for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGHUP] {
                // A server started with `nohup` or in the background ignores some of these, and Python would inherit that.
                libc::signal(signal, libc::SIG_DFL);
            }
            limit(libc::RLIMIT_CORE, 0, 0)?;
            let Resources { memory_bytes, cpu_seconds, open_files } = resources;
            if let Some(bytes) = memory_bytes {
                limit(libc::RLIMIT_AS, bytes, bytes)?;
            }
            if let Some(seconds) = cpu_seconds {
                limit(libc::RLIMIT_CPU, seconds, seconds.saturating_add(1))?;
            }
            if let Some(files) = open_files {
                limit(libc::RLIMIT_NOFILE, files, files)?;
            }
            close_files_on_exec();
            Ok(())
        });
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(target_os = "linux")]
fn die_with_parent(parent: u32) -> io::Result<()> {
    // SAFETY: prctl and getppid take and give plain numbers.
    unsafe {
        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
        // The server may have died between fork and prctl, in which case the signal never comes.
        if u32::try_from(libc::getppid()) != Ok(parent) {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_parent: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(target_os = "linux"))]
type Resource = libc::c_int;

/// Lets no process of the same user look into this one, unless it may look into all: its environment, memory and files, and by a
/// debugger. No core is dumped of it either. What it starts is as any other process, once it is another program.
#[cfg(target_os = "linux")]
pub fn hide() -> io::Result<()> {
    const NO: libc::c_ulong = 0;
    // SAFETY: prctl takes plain numbers.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, NO, NO, NO, NO) })
}

#[cfg(not(target_os = "linux"))]
pub fn hide() -> io::Result<()> {
    Ok(())
}

/// Sets a soft and a hard limit, neither above the hard limit that there is.
fn limit(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid rlimit for the length of the calls.
    unsafe {
        check(libc::getrlimit(resource, &raw mut limit))?;
        limit.rlim_cur = limit.rlim_max.min(soft as libc::rlim_t);
        limit.rlim_max = limit.rlim_max.min(hard as libc::rlim_t);
        check(libc::setrlimit(resource, &raw const limit))
    }
}

/// The unit of CPU times in `/proc`: so many to a second.
pub(super) fn clock_ticks() -> u64 {
    // SAFETY: sysconf takes and gives plain numbers.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u64::try_from(ticks).ok().filter(|ticks| *ticks > 0).unwrap_or(100)
}

/// The session of this process.
#[cfg(test)]
pub(super) fn session() -> Pid {
    // SAFETY: getsid takes and gives plain numbers.
    unsafe { libc::getsid(0) }
}

/// Marks every file but stdin, stdout and stderr to be closed by exec. What the server itself opens is so marked already;
/// this is for what the server inherited and for libraries that forget.
#[cfg(target_os = "linux")]
fn close_files_on_exec() {
    const FIRST: libc::c_uint = 3;
    // SAFETY: close_range and fcntl take plain numbers; a number that is no open file is an error without effect.
    unsafe {
        let done =
            libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_uint);
        if done == -1 {
            // A Linux before 5.11.
            for file in 3..1024 {
                libc::fcntl(file, libc::F_SETFD, libc::FD_CLOEXEC);
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn close_files_on_exec() {
    for file in 3..1024 {
        // SAFETY: fcntl takes plain numbers; a number that is no open file is an error without effect.
        unsafe { libc::fcntl(file, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Sends a signal to every process of a group. Gone processes are no error.
pub(super) fn signal_group(group: Pid, signal: libc::c_int) {
    // SAFETY: killpg takes plain numbers.
    unsafe { libc::killpg(group, signal) };
}

/// Sends SIGKILL to one process.
pub(super) fn kill(pid: Pid) {
    // SAFETY: kill takes plain numbers.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

/// Blocks until a child has ended, and leaves it a zombie: until it is reaped its id cannot be given to another process.
pub(super) fn wait_without_reaping(pid: Pid) {
    let Ok(id) = libc::id_t::try_from(pid) else { return };
    loop {
        let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: `info` is valid memory for a siginfo_t during the call.
        let result = unsafe { libc::waitid(libc::P_PID, id, info.as_mut_ptr(), libc::WEXITED | libc::WNOWAIT) };
        if result == 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return;
        }
    }
}

/// A pair of connected sockets that keep packets apart, both closed by exec.
pub(in crate::kernel) fn packet_sockets() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut pair: [RawFd; 2] = [-1; 2];
    // SAFETY: `pair` has room for the two numbers that socketpair writes; if it succeeds, they are files that nobody else owns.
    unsafe {
        check(libc::socketpair(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0, pair.as_mut_ptr()))?;
        let pair = (OwnedFd::from_raw_fd(pair[0]), OwnedFd::from_raw_fd(pair[1]));
        for file in [&pair.0, &pair.1] {
            check(libc::fcntl(file.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC))?;
        }
        Ok(pair)
    }
}

/// How many files [`send_with_files`] can send.
const MOST_FILES: usize = 8;

/// Writes to a Unix stream socket and attaches files to what is written (`SCM_RIGHTS`, see unix(7)). Gives how many bytes were
/// written; the files go with the first.
pub(in crate::kernel) fn send_with_files(socket: impl AsFd, bytes: &[u8], files: &[OwnedFd]) -> io::Result<usize> {
    let numbers: Vec<RawFd> = files.iter().map(AsRawFd::as_raw_fd).collect();
    let payload = size_of_val(numbers.as_slice());
    if files.len() > MOST_FILES {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let length = libc::c_uint::try_from(payload).map_err(io::Error::other)?;
    // Words, so that it is aligned as a cmsghdr must be.
    let mut control = [0_u64; 16];
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: all-zero is a valid msghdr. The pointers in it point to `part`, `control` and `bytes`, which outlive the call, and
    // `sendmsg` only reads them. CMSG_SPACE(MOST_FILES numbers) is 48 bytes, less than `control` has, so the header and the numbers
    // that are written behind it lie within.
    let sent = unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(length) as _;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(length) as _;
        std::ptr::copy_nonoverlapping(numbers.as_ptr().cast::<u8>(), libc::CMSG_DATA(header), payload);
        libc::sendmsg(socket.as_fd().as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL)
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Asks for the room of the file system that `path` is on. Blocks.
///
/// # Errors
/// When it does not say.
pub fn disk_room(path: &Path) -> io::Result<DiskRoom> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut told = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: `path` ends with a zero, `told` is valid memory for a statvfs during the call, and all-zero is a valid one.
    let told = unsafe {
        check(libc::statvfs(path.as_ptr(), told.as_mut_ptr()))?;
        told.assume_init()
    };
    let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
    Ok(DiskRoom { total: bytes(told.f_blocks), available: bytes(told.f_bavail) })
}
