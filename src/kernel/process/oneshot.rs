//! Helper processes that read something, write something and end.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;

use super::{Command, Exit, Process};

/// What a helper process left.
#[derive(Debug)]
pub struct Output {
    pub status: Exit,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// Why a helper process gave no [`Output`]. A lowercase fragment that fits "failed to …: ".
#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    #[error("cannot start the helper process: {0}")]
    Spawn(io::Error),
    #[error("the helper process did not end within {0:?}")]
    Timeout(Duration),
    #[error("the helper process wrote more than {0} bytes")]
    TooMuchOutput(usize),
    #[error("cannot talk to the helper process: {0}")]
    Io(#[from] io::Error),
}

/// Runs a process to its end: writes `stdin`, closes it, and collects what it prints. Kills its group when it takes longer
/// than `timeout` or when either stream exceeds `max_output` bytes.
///
/// # Errors
/// See [`HelperError`]. A status other than success is no error here.
pub async fn run_to_end(
    command: Command,
    stdin: &[u8],
    timeout: Duration,
    max_output: usize,
) -> Result<Output, HelperError> {
    let mut process = Process::spawn(command.piped_stdin()).await.map_err(HelperError::Spawn)?;
    let input = process.stdin.take().map(OwnedFd::from);
    let stdout = process.stdout.take().map(OwnedFd::from);
    let stderr = process.stderr.take().map(OwnedFd::from);
    let talk = async {
        let ((), stdout, stderr) =
            tokio::try_join!(write_all(input, stdin), read_all(stdout, max_output), read_all(stderr, max_output))?;
        Ok(Output { status: process.wait().await, stdout, stderr })
    };
    tokio::time::timeout(timeout, talk).await.map_err(|_| HelperError::Timeout(timeout))?
}

async fn write_all(file: Option<OwnedFd>, bytes: &[u8]) -> Result<(), HelperError> {
    let Some(file) = file else { return Ok(()) };
    match pipe::Sender::from_owned_fd(file)?.write_all(bytes).await {
        // It ended or closed its input before it read all: its own business.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

async fn read_all(file: Option<OwnedFd>, max: usize) -> Result<Vec<u8>, HelperError> {
    let Some(file) = file else { return Ok(Vec::new()) };
    let mut bytes = Vec::new();
    let one_more = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    pipe::Receiver::from_owned_fd(file)?.take(one_more).read_to_end(&mut bytes).await?;
    if bytes.len() > max { Err(HelperError::TooMuchOutput(max)) } else { Ok(bytes) }
}
