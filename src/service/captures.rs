//! What is sent to inboxes, on its way to the database, and those who wait for it.
//!
//! One task writes everything that has come meanwhile in one transaction, so that the disk is waited for once for many. What waits
//! is bounded in number and in bytes; beyond that senders are turned away. Readers are told when the transaction is done.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::{Error, Result};
use crate::model::InboxId;
use crate::store::{Database, InboxReply, NewCapture, StoreError};

/// Captures that wait.
const QUEUE: usize = 2_000;
/// What they may take in memory, in KiB.
const ROOM: u32 = 64 << 10;
/// Captures in one transaction: what else wants to write waits for no longer than these take.
const BATCH: usize = 200;
/// After how many seconds a sender may try again.
const RETRY_AFTER: u64 = 1;

type Told = Result<Option<InboxReply>>;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Captures {
    queue: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
    news: Arc<News>,
}

#[derive(Debug)]
struct Waiting {
    capture: NewCapture,
    sender: oneshot::Sender<Told>,
    /// What it takes of the room.
    place: OwnedSemaphorePermit,
}

impl Captures {
    /// Starts the writer, which ends with the last user of this.
    pub(super) fn start(db: Database, runtime: &Handle) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let news = Arc::<News>::default();
        drop(runtime.spawn(write(db, waiting, news.clone())));
        Self { queue, room: Arc::new(Semaphore::new(ROOM as usize)), news }
    }

    /// Stores a capture; what its sender is answered, if there is such an inbox. It is on disk then.
    ///
    /// # Errors
    /// `Busy` when too much waits already.
    pub(super) async fn store(&self, capture: NewCapture) -> Told {
        let size = u32::try_from(capture.size() >> 10).unwrap_or(ROOM).clamp(1, ROOM);
        let busy = || Error::Busy { retry_after: RETRY_AFTER };
        let place = self.room.clone().try_acquire_many_owned(size).map_err(|_| busy())?;
        let (sender, told) = oneshot::channel();
        self.queue.try_send(Waiting { capture, sender, place }).map_err(|_| busy())?;
        told.await.map_err(|_| Error::Internal("the writer of captures has ended".to_owned()))?
    }

    /// Watches for what happens to an inbox from now on.
    pub(super) fn watch(&self, id: &InboxId) -> Watch {
        let mut watched = self.news.lock();
        let receiver = watched.entry(id.clone()).or_insert_with(|| watch::channel(()).0).subscribe();
        Watch { id: id.clone(), receiver, news: self.news.clone() }
    }

    /// Tells those who watch an inbox to look at it again.
    pub(super) fn tell(&self, id: &InboxId) {
        self.news.tell(id);
    }
}

async fn write(db: Database, mut waiting: mpsc::Receiver<Waiting>, news: Arc<News>) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let (mut captures, mut senders) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
        for Waiting { capture, sender, place } in batch.drain(..) {
            captures.push(capture);
            senders.push((sender, place));
        }
        match db.capture(&captures).await {
            Ok(replies) => {
                metrics::counter!("nbhook_captures_total").increment(captures.len() as u64);
                for capture in &captures {
                    news.tell(capture.inbox());
                }
                for ((sender, _), reply) in senders.into_iter().zip(replies) {
                    let _ = sender.send(Ok(reply)); // who hung up does not want to know
                }
            }
            Err(error) => {
                for (sender, _) in senders {
                    let _ = sender.send(Err(one_of_many(&error)));
                }
            }
        }
    }
}

/// What failed for all, for one of them.
fn one_of_many(error: &StoreError) -> Error {
    let cause = error.to_string();
    if error.is_for_want_of_room() { Error::NoRoom(cause) } else { Error::Internal(cause) }
}

/// Who watches which inbox. An entry is there as long as somebody does.
#[derive(Debug, Default)]
struct News(Mutex<HashMap<InboxId, watch::Sender<()>>>);

impl News {
    fn lock(&self) -> MutexGuard<'_, HashMap<InboxId, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, id: &InboxId) {
        if let Some(watched) = self.lock().get(id) {
            watched.send_replace(());
        }
    }
}

/// Somebody who watches an inbox.
#[derive(Debug)]
pub(super) struct Watch {
    id: InboxId,
    receiver: watch::Receiver<()>,
    news: Arc<News>,
}

impl Watch {
    /// Ends when something has happened to the inbox that was not looked at yet.
    pub(super) async fn news(&mut self) {
        if self.receiver.changed().await.is_err() {
            std::future::pending::<()>().await; // the entry is there as long as we are
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = self.news.lock();
        if watched.get(&self.id).is_some_and(|sender| sender.receiver_count() <= 1) {
            watched.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn captures() -> (Captures, mpsc::Receiver<Waiting>) {
        let (queue, waiting) = mpsc::channel(2);
        (Captures { queue, room: Arc::new(Semaphore::new(ROOM as usize)), news: Arc::default() }, waiting)
    }

    fn capture(size: usize) -> NewCapture {
        let body = serde_json::Value::String("x".repeat(size));
        let capture = crate::model::Capture::new(Some(body), serde_json::Map::new(), serde_json::Map::new());
        NewCapture::new("test".parse().unwrap(), &capture, 0, chrono::DateTime::UNIX_EPOCH).unwrap()
    }

    #[tokio::test]
    async fn more_than_can_wait_is_turned_away() {
        let (captures, mut waiting) = captures();
        let captures = Arc::new(captures);
        let store = |size| {
            let captures = captures.clone();
            tokio::spawn(async move { captures.store(capture(size)).await })
        };
        let (first, second) = (store(1), store(1));
        while captures.queue.capacity() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(captures.store(capture(1)).await, Err(Error::Busy { retry_after: 1 })), "two wait");
        let all: Vec<_> = [waiting.recv().await.unwrap(), waiting.recv().await.unwrap()].into();
        for one in all {
            one.sender.send(Ok(None)).unwrap();
        }
        assert!(first.await.unwrap().unwrap().is_none() && second.await.unwrap().unwrap().is_none());

        let large = store((ROOM as usize) << 10);
        let waits = waiting.recv().await.unwrap();
        assert!(matches!(captures.store(capture(1)).await, Err(Error::Busy { .. })), "no room is left");
        drop(waits);
        assert!(large.await.unwrap().is_err());
        assert_eq!(captures.room.available_permits(), ROOM as usize);
    }

    #[tokio::test]
    async fn who_watches_hears_of_what_happens_and_leaves_nothing_behind() {
        let (captures, _waiting) = captures();
        let (id, other): (InboxId, InboxId) = ("test".parse().unwrap(), "other".parse().unwrap());
        let (mut one, mut two) = (captures.watch(&id), captures.watch(&id));
        captures.tell(&other);
        assert!(tokio::time::timeout(Duration::ZERO, one.news()).await.is_err());
        captures.tell(&id);
        one.news().await;
        two.news().await;
        drop(one);
        assert_eq!(captures.news.lock().len(), 1);
        captures.tell(&id);
        two.news().await;
        drop(two);
        assert!(captures.news.lock().is_empty());
        captures.tell(&id);
    }
}
