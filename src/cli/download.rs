//! Saving an answer: to standard output, or to a new file. A file that exists is never touched.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use reqwest::{Response, Url};
use tempfile::TempPath;
use tokio::io::AsyncWriteExt;

use super::api::connection_error;
use super::context::{Context, transfer};
use super::error::CliError;

/// Where an answer goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    Stdout,
    /// A file that did not exist when it was asked for.
    New(PathBuf),
}

impl Target {
    /// `-` is standard output; a folder gets a file called `name`; anything else is the file itself.
    ///
    /// # Errors
    /// When the file exists.
    pub(super) fn new(output: &Path, name: &str) -> Result<Self, CliError> {
        if output == Path::new("-") {
            return Ok(Self::Stdout);
        }
        let path = if output.is_dir() { output.join(name) } else { output.to_owned() };
        // A dangling symbolic link exists too.
        if path.symlink_metadata().is_ok() { Err(exists(&path)) } else { Ok(Self::New(path)) }
    }

    /// Reads the answer to its end and puts it there as it is; on an error no file appears.
    pub(super) async fn save(&self, response: Response, ctx: &Context) -> Result<(), CliError> {
        let server = response.url().clone();
        match self {
            Self::New(path) => {
                let bar = transfer(ctx, response.content_length());
                let saved = save_new(response, &server, path, &bar).await;
                bar.finish_and_clear();
                saved
            }
            Self::Stdout => print(response, &server, ctx).await,
        }
    }
}

async fn print(mut response: Response, server: &Url, ctx: &Context) -> Result<(), CliError> {
    let mut last = b'\n';
    while let Some(chunk) = response.chunk().await.map_err(|error| connection_error(server, error))? {
        ctx.bytes(&chunk)?;
        last = chunk.last().copied().unwrap_or(last);
    }
    // So that the shell's next prompt has a line of its own; a file or a pipe gets the bytes and nothing else.
    if ctx.terminals.output && last != b'\n' { ctx.bytes(b"\n") } else { Ok(()) }
}

fn exists(path: &Path) -> CliError {
    CliError::Failed(format!("{} exists and is never overwritten: name another file with --output", path.display()))
}

async fn save_new(mut response: Response, server: &Url, path: &Path, bar: &ProgressBar) -> Result<(), CliError> {
    let failed = |error| CliError::file(path, error);
    let (file, temporary) = temporary_beside(path).map_err(failed)?;
    let mut file = tokio::fs::File::from_std(file);
    while let Some(chunk) = response.chunk().await.map_err(|error| connection_error(server, error))? {
        file.write_all(&chunk).await.map_err(failed)?;
        bar.inc(chunk.len() as u64);
    }
    file.flush().await.map_err(failed)?;
    file.sync_all().await.map_err(failed)?;
    temporary.persist_noclobber(path).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => failed(error.error),
    })
}

/// Writes a file at once or not at all, in place of one that may be there.
pub(super) async fn replace(path: &Path, content: Vec<u8>) -> Result<(), CliError> {
    let file = path.to_owned();
    let write = move || {
        let (mut open, temporary) = temporary_beside(&file)?;
        std::io::Write::write_all(&mut open, &content)?;
        open.sync_all()?;
        temporary.persist(&file).map_err(|error| error.error)
    };
    let written = tokio::task::spawn_blocking(write).await.map_err(io::Error::other).and_then(|written| written);
    written.map_err(|error| CliError::file(path, error))
}

fn temporary_beside(path: &Path) -> io::Result<(std::fs::File, TempPath)> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // As any new file, the user's umask takes from these permissions.
    let permissions = Permissions::from_mode(0o666);
    Ok(tempfile::Builder::new().prefix(".nbhook-").permissions(permissions).tempfile_in(folder)?.into_parts())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::cli::api::http_client;
    use crate::cli::context::{Streams, Terminals};
    use crate::cli::credentials::ConnectionArgs;

    fn context() -> Context {
        let streams = Streams {
            input: Box::new(io::empty()),
            output: Box::new(io::sink()),
            errors: Box::new(io::sink()),
            terminals: Terminals::default(),
        };
        Context::new(ConnectionArgs::default(), streams)
    }

    /// A server that says it sends ten bytes and hangs up after five.
    async fn broken_answer() -> Response {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 4096]).await.unwrap();
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello").await.unwrap();
        });
        http_client(&url, Duration::from_secs(10)).unwrap().get(url).send().await.unwrap()
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::new(&folder.path().join("a.ipynb"), "").unwrap();
        let error = target.save(broken_answer().await, &context()).await.unwrap_err();
        assert_eq!(error.exit_code(), 5, "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_file_that_appears_while_the_answer_is_read_is_not_touched() {
        let server = wiremock::MockServer::start().await;
        let answer = wiremock::ResponseTemplate::new(200).set_body_string("theirs");
        wiremock::Mock::given(wiremock::matchers::path("/")).respond_with(answer).mount(&server).await;
        let url = Url::parse(&server.uri()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ipynb");
        let target = Target::new(&path, "").unwrap();
        let response = http_client(&url, Duration::from_secs(10)).unwrap().get(url).send().await.unwrap();
        let mut mine = tempfile::NamedTempFile::new_in(folder.path()).unwrap();
        io::Write::write_all(&mut mine, b"mine").unwrap();
        mine.persist(&path).unwrap();
        let error = target.save(response, &context()).await.unwrap_err();
        assert!(error.to_string().contains("never overwritten"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_exists_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken.ipynb");
        tempfile::NamedTempFile::new_in(folder.path()).unwrap().persist(&taken).unwrap();
        let link = folder.path().join("link.ipynb");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        for path in [&taken, &link] {
            let error = Target::new(path, "x").unwrap_err();
            assert!(error.to_string().contains("never overwritten"), "{error}");
        }
        assert!(Target::new(folder.path(), "taken.ipynb").is_err());
        let new = folder.path().join("new.ipynb");
        assert_eq!(Target::new(folder.path(), "new.ipynb").unwrap(), Target::New(new));
        assert_eq!(Target::new(Path::new("-"), "x").unwrap(), Target::Stdout);
    }
}
