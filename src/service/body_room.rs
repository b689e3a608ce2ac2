//! The memory that the bodies of calls may take together, whoever sends them.
//!
//! What arrives takes its part piece by piece, and a parsed body what it takes when it is parsed; who finds no room is turned away
//! and may try again. What one call takes is bounded by the whole, so the largest body that is allowed finds room when it is alone.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Error, Result};

const KIB: usize = 1 << 10;
/// After how many seconds a caller may try again.
const RETRY_AFTER: u64 = 1;

/// All there is.
#[derive(Debug, Clone)]
pub(super) struct BodyRoom {
    free: Arc<Semaphore>,
    /// In KiB.
    whole: usize,
}

impl BodyRoom {
    pub(super) fn new(bytes: usize) -> Self {
        let whole = bytes.div_ceil(KIB).clamp(1, u32::MAX as usize);
        Self { free: Arc::new(Semaphore::new(whole)), whole }
    }

    /// Nothing yet.
    pub(super) fn part(&self) -> BodyPart {
        BodyPart { room: self.clone(), taken: None }
    }
}

/// What one call has of it, until this is dropped.
#[derive(Debug)]
pub struct BodyPart {
    room: BodyRoom,
    taken: Option<OwnedSemaphorePermit>,
}

impl BodyPart {
    fn size(&self) -> usize {
        self.taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }

    fn wanted(&self, bytes: usize) -> usize {
        bytes.div_ceil(KIB).min(self.room.whole)
    }

    /// Takes what is missing to so many bytes.
    ///
    /// # Errors
    /// `Busy` when others have it.
    pub fn grow_to(&mut self, bytes: usize) -> Result<()> {
        let missing = self.wanted(bytes).saturating_sub(self.size());
        if missing == 0 {
            return Ok(());
        }
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let more = self.room.free.clone().try_acquire_many_owned(missing);
        let more = more.map_err(|_| Error::Busy { retry_after: RETRY_AFTER })?;
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }

    /// Gives back what is more than so many bytes.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        let over = self.size().saturating_sub(self.wanted(bytes));
        drop(self.taken.as_mut().and_then(|taken| taken.split(over)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_takes_another_cannot_have_until_it_is_given_back() {
        let room = BodyRoom::new(10 * KIB);
        let (mut one, mut other) = (room.part(), room.part());
        one.grow_to(1).unwrap();
        one.grow_to(6 * KIB).unwrap();
        assert!(matches!(other.grow_to(5 * KIB), Err(Error::Busy { retry_after: 1 })));
        other.grow_to(4 * KIB).unwrap();
        one.shrink_to(5 * KIB);
        other.grow_to(5 * KIB).unwrap();
        drop(other);
        one.grow_to(1_000 * KIB).unwrap(); // all there is, as it is alone
        assert_eq!((one.size(), room.free.available_permits()), (10, 0));
        drop(one);
        assert_eq!(room.free.available_permits(), 10);
    }
}
