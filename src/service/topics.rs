//! Reading topics: the events of a name, from a place on, as they come.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Error, RETRY_AFTER, Result, Service};
use crate::model::{Caller, Event, EventId, Owner, TopicName, UserId};
use crate::store::Database;

/// Events that are read at once. A slow reader holds no more than these.
const PAGE: u32 = 100;
/// Most readers of a user.
const MOST_READERS: usize = 50;
/// After so long a reader has to come again, with a token that is still valid.
const LONGEST: Duration = Duration::from_hours(1);

/// Where a reader begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// With the oldest event that is kept.
    Start,
    /// With what comes next.
    Now,
    /// After this event, which need not be kept any more.
    After(EventId),
}

/// How many readers each user has.
#[derive(Debug, Default)]
pub(super) struct Readers(Mutex<HashMap<UserId, usize>>);

/// A reader's place among those of its user.
#[derive(Debug)]
struct Seat {
    readers: Arc<Readers>,
    user: UserId,
}

/// Reads a topic.
#[derive(Debug)]
pub struct TopicReader {
    db: Database,
    news: watch::Receiver<()>,
    owner: UserId,
    topic: TopicName,
    seen: Option<EventId>,
    until: Instant,
    closing: CancellationToken,
    _seat: Seat,
}

impl Readers {
    fn seat(self: &Arc<Self>, user: UserId) -> Option<Seat> {
        let mut readers = self.lock();
        let taken = readers.entry(user).or_default();
        if *taken >= MOST_READERS {
            return None;
        }
        *taken += 1;
        drop(readers);
        Some(Seat { readers: self.clone(), user })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut readers = self.readers.lock();
        if let Some(taken) = readers.get_mut(&self.user) {
            *taken -= 1;
            if *taken == 0 {
                readers.remove(&self.user);
            }
        }
    }
}

impl Service {
    /// Reads a topic of the caller's or, by an admin, of the named user's.
    pub async fn read_topic(
        &self,
        caller: &Caller,
        user: Option<&Owner>,
        topic: TopicName,
        from: From,
    ) -> Result<TopicReader> {
        let (owner, _) = self.owner(caller, "user", user).await?;
        if !self.db.has_topic(owner, &topic).await? {
            return Err(Error::NotFound("topic"));
        }
        let seat = self.readers.seat(caller.user).ok_or(Error::TooManyReaders { retry_after: RETRY_AFTER })?;
        let news = self.db.topic_news(); // before the first look
        let seen = match from {
            From::Start => None,
            From::After(event) => Some(event),
            From::Now => self.db.last_of_topic(owner, &topic).await?,
        };
        let (db, until, closing) = (self.db.clone(), Instant::now() + LONGEST, self.parking.clone());
        Ok(TopicReader { db, news, owner, topic, seen, until, closing, _seat: seat })
    }
}

impl TopicReader {
    /// The next events; none when the reader has to come again, with the last id that it saw. May be dropped and called
    /// once more.
    pub async fn next(&mut self) -> Option<Vec<Event>> {
        loop {
            if self.closing.is_cancelled() || Instant::now() >= self.until {
                return None;
            }
            self.news.borrow_and_update();
            let found = match self.db.topic_events(self.owner, &self.topic, self.seen, PAGE).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::error!(%error, "cannot read a topic");
                    return None;
                }
            };
            if let Some(last) = found.last() {
                self.seen = Some(last.id);
                return Some(found);
            }
            tokio::select! {
                changed = self.news.changed() => changed.ok()?,
                () = sleep_until(self.until) => {}
                () = self.closing.cancelled() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_so_many_readers_at_once() {
        let readers = Arc::new(Readers::default());
        let (ann, bob) = (UserId::new(), UserId::new());
        let mut seats: Vec<_> = (0..MOST_READERS).map(|_| readers.seat(ann).unwrap()).collect();
        assert!(readers.seat(ann).is_none() && readers.seat(bob).is_some());
        seats.pop();
        assert!(readers.seat(ann).is_some());
        drop(seats);
        assert!(readers.lock().is_empty());
    }
}
