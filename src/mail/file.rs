//! The file transport: one `.eml` file per mail, for servers without SMTP.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::MailError;

/// Writes the mail as a new file in `folder`, which is made when it is missing. The names sort by time.
pub(super) async fn send(folder: PathBuf, bytes: Vec<u8>) -> Result<(), MailError> {
    let target = folder.clone();
    let written = tokio::task::spawn_blocking(move || write(&target, &bytes)).await;
    written.unwrap_or_else(|panic| Err(io::Error::other(panic))).map_err(|source| MailError::File { folder, source })
}

fn write(folder: &Path, bytes: &[u8]) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".").suffix(".tmp").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(folder.join(format!("{}.eml", Uuid::now_v7())))?;
    Ok(())
}
