//! What can go wrong in a command, and the only place that says which exit code and message it becomes.

use std::io;
use std::path::{Path, PathBuf};

/// Exit codes, as `nbhook --help` documents them.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed: the server refused the request, or a local file could not be read or written
  2  the command line is wrong
  3  there is no such hook, version, output, run, file, inbox, callback, profile, subscription, topic, event, delivery, token or user
  4  the API token is missing, not valid, or may not do this
  5  the server cannot be reached or did not answer in time
  6  the notebook failed, timed out or was cancelled, or answered with a status of 400 or more
  7  the parameters do not fit what the notebook takes (`nbhook run`)
  130  stopped with Ctrl-C";

/// A failed command. Its text is a lowercase fragment that fits behind "failed to …: " and never holds a token.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// The command line asks for something that cannot be.
    #[error("{0}")]
    Usage(String),
    #[error(
        "no API token for {server}: log in with `nbhook login {server} < FILE-WITH-TOKEN`, or set NBHOOK_TOKEN (a server writes its first token to <data>/admin.token)"
    )]
    NoToken { server: String },
    /// The server answered with an error.
    #[error("{message}")]
    Refused { status: u16, message: String },
    /// The server has nothing under this name.
    #[error("{0}")]
    NotFound(String),
    #[error("cannot reach {server} ({cause}): is the server running there? give its URL with --server or NBHOOK_URL")]
    Unreachable { server: String, cause: String },
    /// The server answered with something that is not in its contract.
    #[error("the server's answer was not understood ({0}): is this the URL of an nbhook server of this version?")]
    Answer(String),
    /// The called notebook failed.
    #[error("{0}")]
    RunFailed(String),
    /// They are told one by one before.
    #[error("{0}")]
    Parameters(String),
    #[error("stopped")]
    Stopped,
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// One of several things that the command was given failed.
    #[error("{subject}: {source}")]
    About { subject: String, source: Box<CliError> },
    #[error("{0}")]
    Failed(String),
    /// Whoever read our output has gone, e.g. `nbhook list | head -1`.
    #[error("the output was closed")]
    OutputClosed,
}

impl CliError {
    /// Whether the same request may succeed soon.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }

    pub(super) fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }

    /// Says which of several things failed.
    pub(super) fn about(self, subject: impl Into<String>) -> Self {
        Self::About { subject: subject.into(), source: Box::new(self) }
    }

    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Usage(_) => 2,
            Self::NotFound(_) | Self::Refused { status: 404, .. } => 3,
            Self::NoToken { .. } | Self::Refused { status: 401 | 403, .. } => 4,
            Self::Unreachable { .. } => 5,
            Self::RunFailed(_) => 6,
            Self::Parameters(_) => 7,
            Self::Stopped => 130,
            Self::About { source, .. } => source.exit_code(),
            Self::Refused { .. } | Self::Answer(_) | Self::File { .. } | Self::Failed(_) => 1,
        }
    }

    /// What to print on standard error; none when there is nobody to tell.
    ///
    /// `purpose` is what the command is for, e.g. "list the hooks".
    pub(super) fn report(&self, purpose: &str) -> Option<String> {
        match self {
            Self::OutputClosed => None,
            _ => Some(format!("failed to {purpose}: {self}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_documented_exit_code() {
        let refused = |status| CliError::Refused { status, message: "no".to_owned() };
        let cases = [
            (CliError::OutputClosed, 0),
            (refused(409), 1),
            (refused(422), 1),
            (refused(500), 1),
            (CliError::file(Path::new("a"), io::ErrorKind::NotFound.into()), 1),
            (CliError::Usage("x".to_owned()), 2),
            (refused(404), 3),
            (CliError::NotFound("x".to_owned()), 3),
            (refused(401), 4),
            (refused(403), 4),
            (CliError::NoToken { server: "http://x".to_owned() }, 4),
            (CliError::Unreachable { server: "http://x".to_owned(), cause: "refused".to_owned() }, 5),
            (CliError::RunFailed("x".to_owned()), 6),
            (CliError::Parameters("x".to_owned()), 7),
            (CliError::Stopped, 130),
            (CliError::RunFailed("x".to_owned()).about("a.ipynb"), 6),
        ];
        for (error, code) in cases {
            assert_eq!(error.exit_code(), code, "{error:?}");
            assert!(EXIT_CODES.contains(&format!("\n  {code}  ")), "{code} is not documented");
        }
    }

    #[test]
    fn a_report_says_what_failed_and_about_what() {
        let error = CliError::Failed("it is a folder".to_owned()).about("b.ipynb");
        assert_eq!(error.report("deploy").as_deref(), Some("failed to deploy: b.ipynb: it is a folder"));
        assert_eq!(CliError::OutputClosed.report("deploy"), None);
    }
}
