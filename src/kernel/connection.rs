//! Where a kernel and the server meet: a private directory with the connection file and the kernel's sockets.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::wire::{Codec, hex};
use crate::clock::SharedClock;

/// Longest directory whose sockets' paths fit into the 107 bytes that the system gives them.
const LONGEST_BASE: usize = 70;
/// How often to look whether the kernel has made its sockets; starting it takes some hundred milliseconds.
const BETWEEN_LOOKS: Duration = Duration::from_millis(3);

/// A channel of the protocol, by its number in the connection file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    Shell = 1,
    IoPub = 2,
    Stdin = 3,
    Control = 4,
    Heartbeat = 5,
}

/// The meeting place of one kernel. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Connection {
    dir: TempDir,
    /// The connection file, locked: the lock ends with the server, however it ends.
    _in_use: File,
    pub(super) codec: Codec,
}

/// Removes the meeting places that killed servers left. Blocks.
pub fn remove_leftovers() {
    let entries = std::fs::read_dir(base()).into_iter().flatten().flatten();
    for dir in entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes())) {
        // What cannot be opened is another user's, or is just being made.
        let Ok(file) = File::open(dir.path().join(CONNECTION_FILE)) else { continue };
        if file.try_lock().is_ok()
            && let Err(error) = std::fs::remove_dir_all(dir.path())
        {
            tracing::warn!(%error, folder = %dir.path().display(), "cannot remove what a killed server left");
        }
    }
}

impl Connection {
    /// Makes the directory (only its owner may enter) and the connection file with a fresh random key.
    pub(super) fn create(clock: SharedClock) -> io::Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-", std::process::id()))
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(base())?;
        let mut random = [0u8; 32];
        getrandom::fill(&mut random).map_err(io::Error::from)?;
        let key = hex(&random);
        let content = json!({
            "transport": "ipc",
            "ip": dir.path().join("k"),
            "shell_port": Channel::Shell as u8,
            "iopub_port": Channel::IoPub as u8,
            "stdin_port": Channel::Stdin as u8,
            "control_port": Channel::Control as u8,
            "hb_port": Channel::Heartbeat as u8,
            "signature_scheme": "hmac-sha256",
            "key": key,
        });
        // It gets its name only once it is locked, so that a server that starts meanwhile does not take it for a leftover.
        let unnamed = dir.path().join("new");
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unnamed)?;
        file.lock()?;
        file.write_all(content.to_string().as_bytes())?;
        std::fs::rename(unnamed, dir.path().join(CONNECTION_FILE))?;
        let codec = Codec::new(key.as_bytes(), uuid::Uuid::new_v4().to_string(), clock).map_err(io::Error::other)?;
        Ok(Self { dir, _in_use: file, codec })
    }

    pub(super) fn file(&self) -> PathBuf {
        self.dir.path().join(CONNECTION_FILE)
    }

    fn socket(&self, channel: Channel) -> PathBuf {
        self.dir.path().join(format!("k-{}", channel as u8))
    }

    /// Waits until the kernel has made a channel's socket, and gives its address. Never ends if it does not make it.
    pub(super) async fn address(&self, channel: Channel) -> String {
        let socket = self.socket(channel);
        while !socket.exists() {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        format!("ipc://{}", socket.display())
    }
}

const PREFIX: &str = "nbhook-";
const CONNECTION_FILE: &str = "c.json";

/// A directory with a short path: the user's runtime directory, else the temporary directory, else `/tmp`.
fn base() -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    runtime.into_iter().chain([std::env::temp_dir()]).find(|dir| usable(dir)).unwrap_or_else(|| PathBuf::from("/tmp"))
}

fn usable(dir: &Path) -> bool {
    // The path goes through JSON and through ZeroMQ addresses.
    dir.is_absolute() && dir.is_dir() && dir.to_str().is_some_and(|path| path.len() <= LONGEST_BASE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_may_enter_and_nothing_is_left() {
        let connection = Connection::create(std::sync::Arc::new(crate::clock::SystemClock)).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(connection.dir.path()), mode(&connection.file())), (0o700, 0o600));
        assert!(connection.socket(Channel::Heartbeat).as_os_str().len() < 107);
        let content: serde_json::Value = serde_json::from_slice(&std::fs::read(connection.file()).unwrap()).unwrap();
        assert_eq!(content["key"].as_str().unwrap().len(), 64);
        assert!(!format!("{connection:?}").contains(content["key"].as_str().unwrap()));
        let dir = connection.dir.path().to_owned();
        remove_leftovers();
        assert!(dir.exists(), "it is in use");
        drop(connection);
        assert!(!dir.exists());
    }
}
