//! Deliveries: carrying out what is due.
//!
//! Events put them on record (see `store/database/events.rs`). Here they are claimed, as many as there is room for, and attempted,
//! each in a task of its own; `next.rs` says what comes of an attempt, and that is written with it in one transaction. Whatever is
//! cut short in between is due again: a receiver may get an event twice, with the same id, but never not at all.

mod flights;
mod next;
mod sending;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

pub(super) use flights::Flights;

use super::{Result, Service};
use crate::store::ClaimLimits;

/// Attempts at once at one receiver.
const PER_RECEIVER: u32 = 4;
/// For how long a delivery is claimed: for longer than any attempt may take, and the writing of what came of it.
const LEASE: TimeDelta = TimeDelta::minutes(3);

impl Service {
    /// Begins attempts of what is due; gives when something more will be. Without room for more it gives no time:
    /// [`Self::delivery_news`] tells when there is some.
    pub async fn deliver_due(self: &Arc<Self>) -> Result<Option<DateTime<Utc>>> {
        loop {
            let room = self.flights.room();
            if room == 0 {
                return Ok(None);
            }
            let limits = ClaimLimits {
                lease: LEASE,
                most: room,
                per_receiver: PER_RECEIVER,
                rate_limit: self.settings.outbound.rate_limit,
            };
            let now = self.clock.now();
            let claimed = self.db.claim_deliveries(&limits, now).await?;
            for due in claimed.due {
                self.begin(due);
            }
            if claimed.taken == 0 {
                return Ok(self.db.next_delivery_due(now).await?);
            }
        }
    }

    /// Ends when there may be something to send, or room to send it.
    pub async fn delivery_news(&self) {
        tokio::select! {
            () = self.db.delivery_queued() => {}
            () = self.flights.freed() => {}
        }
    }

    /// Ends when no attempt goes on. No further one may be begun.
    pub async fn deliveries_ended(&self) {
        self.flights.ended().await;
    }

    /// Cuts short the attempts that go on; the next server makes them again.
    pub fn abandon_deliveries(&self) {
        self.flights.abandon();
    }
}
