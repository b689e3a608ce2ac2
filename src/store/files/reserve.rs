//! A file that takes up room, to be given back when the disk is full.
//!
//! To remove something, the database has to write that it is gone first: on a disk without any room left nothing could ever
//! be removed. Nor could a run that has filled the disk be marked as ended.

use std::fs;
use std::io;

use super::{Files, at};
use crate::store::Result;

/// More than the database's log grows to (SQLite writes it back at 4 MiB).
const SIZE: usize = 8 << 20;

impl Files {
    /// Takes up the room, if it is not taken up already. A disk that has less keeps none in reserve.
    pub fn fill_reserve(&self) -> Result<()> {
        let path = self.own("reserve");
        if path.exists() {
            return Ok(());
        }
        // Not zeros alone, which some file systems take no room for.
        let content: Vec<u8> = (0..SIZE).map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
        match self.write(&path, &content) {
            Err(error) if error.is_for_want_of_room() => Ok(()),
            written => written,
        }
    }

    /// Gives the room back; says whether there was any.
    pub fn release_reserve(&self) -> Result<bool> {
        let path = self.own("reserve");
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            removed => removed.map(|()| true).map_err(at(&path)),
        }
    }
}
