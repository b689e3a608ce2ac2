//! What has to be written on a full disk too: that a run has ended, that something is gone.

use super::{Result, Service, on_disk};
use crate::store::{self, Files};

impl Service {
    /// Does some work in the database; if there is no room for it, once more with the room that is kept in reserve.
    pub(super) async fn with_reserve<T, F>(&self, work: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = store::Result<T>>,
    {
        match work().await {
            Err(error) if error.is_for_want_of_room() && on_disk(&self.files, Files::release_reserve).await? => {
                tracing::warn!("the disk is full: the room in reserve is used up now");
                Ok(work().await?)
            }
            done => Ok(done?),
        }
    }

    /// Takes up the room again, if it was given back and there is some.
    pub(super) async fn fill_reserve(&self) {
        if let Err(error) = on_disk(&self.files, Files::fill_reserve).await {
            tracing::error!(%error, "cannot keep room in reserve");
        }
    }
}
