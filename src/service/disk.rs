//! What the data folder takes of the disk, and how much room there is.

use super::users::require_admin;
use super::{Error, Result, Service, on_disk};
use crate::kernel::process::disk_room;
use crate::model::{Caller, DiskUse};

impl Service {
    /// What is kept of everybody, and how much room is left.
    ///
    /// # Errors
    /// `Forbidden` for everybody but admins.
    pub async fn disk_use(&self, caller: &Caller) -> Result<DiskUse> {
        require_admin(caller)?;
        let (database, disk) = on_disk(&self.files, |files| {
            let disk =
                disk_room(files.data()).inspect_err(|error| tracing::warn!(%error, "cannot ask for the room on disk"));
            Ok::<_, Error>((files.database_size(), disk.ok()))
        })
        .await?;
        let outputs_limit = self.settings.keep.total_bytes();
        Ok(DiskUse { recorded: self.db.recorded().await?, database, outputs_limit, disk })
    }
}
