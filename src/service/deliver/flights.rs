//! The attempts that go on.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::model::DeliveryId;

/// Which deliveries are being attempted, and how many may be.
#[derive(Debug)]
pub(in crate::service) struct Flights {
    most: usize,
    going: Mutex<HashSet<DeliveryId>>,
    freed: Notify,
    pub(super) tasks: TaskTracker,
    pub(super) abandoned: CancellationToken,
}

/// A delivery's place among them, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    flights: Arc<Flights>,
    delivery: DeliveryId,
}

impl Flights {
    pub(in crate::service) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            going: Mutex::default(),
            freed: Notify::new(),
            tasks: TaskTracker::new(),
            abandoned: CancellationToken::new(),
        })
    }

    /// How many more may be attempted now.
    pub(super) fn room(&self) -> u32 {
        u32::try_from(self.most.saturating_sub(self.going().len())).unwrap_or(u32::MAX)
    }

    /// Nothing if the delivery is being attempted already: its lease may have ended by a clock that was set.
    pub(super) fn take(self: &Arc<Self>, delivery: DeliveryId) -> Option<Place> {
        self.going().insert(delivery).then(|| Place { flights: self.clone(), delivery })
    }

    /// Ends when an attempt has ended since this ended last.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }

    pub(super) async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    pub(super) fn abandon(&self) {
        self.abandoned.cancel();
    }

    fn going(&self) -> MutexGuard<'_, HashSet<DeliveryId>> {
        self.going.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.flights.going().remove(&self.delivery);
        self.flights.freed.notify_one();
    }
}
