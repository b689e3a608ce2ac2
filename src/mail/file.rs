//! The file transport: one `.eml` file per mail, for servers without SMTP.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::MailError;

/// How the name of a file ends that is being written.
const UNFINISHED: &str = ".tmp";

/// Writes the mail as a new file in `folder`, which is made when it is missing. The names sort by time.
pub(super) async fn send(folder: PathBuf, bytes: Vec<u8>) -> Result<(), MailError> {
    let target = folder.clone();
    let written = tokio::task::spawn_blocking(move || write(&target, &bytes)).await;
    written.unwrap_or_else(|panic| Err(io::Error::other(panic))).map_err(|source| MailError::File { folder, source })
}

/// Removes what a server that was killed was writing: those mails are on record as unsent and are written again.
pub(super) fn tidy(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(UNFINISHED) {
            let _ = std::fs::remove_file(entry.path()); // it is tried again at the next start
        }
    }
}

fn write(folder: &Path, bytes: &[u8]) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".").suffix(UNFINISHED).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(folder.join(format!("{}.eml", Uuid::now_v7())))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn half_a_mail_of_a_killed_server_goes_and_whole_ones_stay() {
        let folder = tempfile::TempDir::new().unwrap();
        for name in [".abc.tmp", "whole.eml", "my.tmp", ".hidden"] {
            std::fs::File::options().create(true).write(true).truncate(true).open(folder.path().join(name)).unwrap();
        }
        super::tidy(folder.path());
        let left = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut left: Vec<_> = left.collect();
        left.sort();
        assert_eq!(left, [".hidden", "my.tmp", "whole.eml"]);
        super::tidy(&folder.path().join("nothing"));
    }
}
