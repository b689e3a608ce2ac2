//! The last of what a process wrote, for messages about its end.

use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::task::JoinSet;

/// How much of it is kept, in bytes.
const KEPT: usize = 8 * 1024;
/// How long the pipes of an ended process may take to run dry.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(200);

/// Reads pipes for as long as it lives, so that the process never waits for a reader, and keeps the end of what comes.
#[derive(Debug)]
pub(super) struct Tail {
    kept: Arc<Mutex<VecDeque<u8>>>,
    readers: JoinSet<()>,
}

impl Tail {
    pub(super) fn of(pipes: impl IntoIterator<Item = OwnedFd>) -> std::io::Result<Self> {
        let kept = Arc::new(Mutex::new(VecDeque::with_capacity(KEPT)));
        let mut readers = JoinSet::new();
        for pipe in pipes {
            readers.spawn(read(pipe::Receiver::from_file(File::from(pipe))?, Arc::clone(&kept)));
        }
        Ok(Self { kept, readers })
    }

    /// What is kept, once the process has ended.
    pub(super) async fn text(mut self) -> String {
        let drained = async { while self.readers.join_next().await.is_some() {} };
        // A process that left the group may still hold the pipes; what came so far has to do.
        let _ = tokio::time::timeout(DRAIN_TIMEOUT, drained).await;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = kept.iter().copied().collect();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }
}

async fn read(mut pipe: pipe::Receiver, kept: Arc<Mutex<VecDeque<u8>>>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(&buffer[..length]);
        let surplus = kept.len().saturating_sub(KEPT);
        kept.drain(..surplus);
    }
}
