//! Whose turn it is at the folders of hooks: many put something into them, one makes or removes them.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Error, Result, Service};

/// How many runs may put something into hooks' folders at once.
const FOLDER_USERS: u32 = 64;

/// All the turns that there are.
pub(super) fn turns() -> Semaphore {
    Semaphore::new(FOLDER_USERS as usize)
}

impl Service {
    /// The turn to make or remove a hook's folder, which nobody else uses meanwhile: a deletion must not take away what a
    /// deploy has just put there, nor a run's output come to lie in the folder of the path's next hook.
    pub(super) async fn change_folders(&self) -> Result<SemaphorePermit<'_>> {
        self.folders.acquire_many(FOLDER_USERS).await.map_err(|error| Error::Internal(error.to_string()))
    }

    /// The turn to put something into a hook's folder.
    pub(super) async fn use_folder(&self) -> Result<SemaphorePermit<'_>> {
        self.folders.acquire().await.map_err(|error| Error::Internal(error.to_string()))
    }
}
