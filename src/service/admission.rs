//! Who may run now, who waits, and who is turned away.
//!
//! A place is taken the moment a call arrives, so the bound on waiting calls holds however many arrive at once. A call first
//! waits for its hook's concurrency, then for one of the server's kernels.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::HookId;

/// What turned-away callers are told to wait, in seconds: about the time a short run takes to leave a place.
pub const RETRY_AFTER: u64 = 2;

/// The server's places.
#[derive(Debug)]
pub struct Admission {
    kernels: Arc<Semaphore>,
    limit: usize,
    queue: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Calls admitted and not yet done.
    admitted: usize,
    hooks: HashMap<HookId, HookPlaces>,
}

#[derive(Debug)]
struct HookPlaces {
    admitted: usize,
    concurrency: usize,
    slots: Arc<Semaphore>,
}

/// A place in the queue; given back when dropped.
#[derive(Debug)]
pub struct Ticket {
    admission: Arc<Admission>,
    hook: HookId,
    slots: Arc<Semaphore>,
}

/// Leave to run; given back when dropped.
#[derive(Debug)]
pub struct Slot {
    _kernel: OwnedSemaphorePermit,
    _hook: OwnedSemaphorePermit,
    _ticket: Ticket,
}

/// There is no place left.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Admission {
    /// `limit` kernels at once, and `queue` calls that wait for one.
    #[must_use]
    pub fn new(limit: usize, queue: usize) -> Arc<Self> {
        Arc::new(Self { kernels: Arc::new(Semaphore::new(limit)), limit, queue, state: Mutex::default() })
    }

    /// Takes a place for a call of `hook`, which runs `concurrency` calls at once and lets `queue` more wait.
    ///
    /// # Errors
    /// [`Full`] when the hook's queue or the server's has no place left.
    pub fn admit(
        self: &Arc<Self>,
        hook: HookId,
        concurrency: Option<usize>,
        queue: Option<usize>,
    ) -> Result<Ticket, Full> {
        let concurrency = concurrency.unwrap_or(self.limit).min(self.limit);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.admitted >= self.limit + self.queue {
            return Err(Full);
        }
        let places = state.hooks.entry(hook).or_insert_with(|| HookPlaces::new(concurrency));
        if places.concurrency != concurrency {
            // Changed by a deploy: calls that hold the old slots finish on them.
            *places = HookPlaces { admitted: places.admitted, ..HookPlaces::new(concurrency) };
        }
        if places.admitted >= concurrency + queue.unwrap_or(self.queue) {
            return Err(Full);
        }
        places.admitted += 1;
        let slots = places.slots.clone();
        state.admitted += 1;
        Ok(Ticket { admission: self.clone(), hook, slots })
    }

    /// Calls admitted and not yet done.
    pub fn admitted(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).admitted
    }
}

impl HookPlaces {
    fn new(concurrency: usize) -> Self {
        Self { admitted: 0, concurrency, slots: Arc::new(Semaphore::new(concurrency)) }
    }
}

impl Ticket {
    /// Waits for its turn.
    pub async fn ready(self) -> Result<Slot, Full> {
        let hook = self.slots.clone().acquire_owned().await.map_err(|_| Full)?;
        let kernel = self.admission.kernels.clone().acquire_owned().await.map_err(|_| Full)?;
        Ok(Slot { _kernel: kernel, _hook: hook, _ticket: self })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.admission.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.admitted -= 1;
        if let Some(places) = state.hooks.get_mut(&self.hook) {
            places.admitted -= 1;
            if places.admitted == 0 {
                state.hooks.remove(&self.hook);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_bounded_from_the_moment_of_arrival() {
        let admission = Admission::new(2, 1);
        let hook = HookId::new();
        let mut tickets: Vec<_> = (0..3).map(|_| admission.admit(hook, None, None).unwrap()).collect();
        assert_eq!(admission.admit(HookId::new(), None, None).unwrap_err(), Full);
        tickets.pop();
        assert!(admission.admit(HookId::new(), None, None).is_ok());
    }

    #[tokio::test]
    async fn a_hook_runs_as_many_at_once_as_it_says_and_others_are_not_held_up() {
        let admission = Admission::new(4, 10);
        let (slow, other) = (HookId::new(), HookId::new());
        let first = admission.admit(slow, Some(1), Some(1)).unwrap().ready().await.unwrap();
        let second = tokio::spawn(admission.admit(slow, Some(1), Some(1)).unwrap().ready());
        assert_eq!(admission.admit(slow, Some(1), Some(1)).unwrap_err(), Full);
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        admission.admit(other, None, None).unwrap().ready().await.unwrap();
        drop(first);
        second.await.unwrap().unwrap();
        assert_eq!(admission.admitted(), 0);
    }
}
