//! What every command works with: the way to the server, the clock, and the places it reads from and writes to.
//!
//! Commands print only through here, so that tests can read what they printed and nothing unfiltered reaches a terminal.

use std::fmt;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::api::Api;
use super::credentials::{self, ConnectionArgs};
use super::error::CliError;
use super::table::{Look, Table};
use super::text;
use super::wire::Progress;
use crate::clock::{SharedClock, SystemClock};

/// How finely a bar shows a part of a whole.
const STEPS: u16 = 1000;

/// Which of the standard streams are terminals.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each stands for itself")]
pub(super) struct Terminals {
    pub(super) input: bool,
    pub(super) output: bool,
    pub(super) errors: bool,
    /// How many columns standard output has, if that is known.
    pub(super) width: Option<u16>,
    /// Whether tables have colours.
    pub(super) colours: bool,
}

type Input = Box<dyn BufRead + Send>;
type Output = Box<dyn Write + Send>;

/// Standard input, output and error of a command.
pub(super) struct Streams {
    pub(super) input: Input,
    pub(super) output: Output,
    pub(super) errors: Output,
    pub(super) terminals: Terminals,
}

impl Streams {
    /// Those of the process.
    pub(super) fn standard() -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
        Self {
            input: Box::new(io::BufReader::new(io::stdin())),
            output: Box::new(io::stdout()),
            errors: Box::new(io::stderr()),
            terminals: Terminals {
                input: io::stdin().is_terminal(),
                output: io::stdout().is_terminal(),
                errors: io::stderr().is_terminal(),
                width: console::Term::stdout().size_checked().map(|(_, columns)| columns),
                colours: coloured(io::stdout().is_terminal(), set),
            },
        }
    }
}

/// Whether to colour, by the variables that say so (no-color.org, bixense.com/clicolors).
fn coloured(terminal: bool, set: impl Fn(&str) -> bool) -> bool {
    !set("NO_COLOR") && (terminal || set("CLICOLOR_FORCE"))
}

/// See the module's documentation.
pub(super) struct Context {
    pub(super) connection: ConnectionArgs,
    /// Where `nbhook login` keeps the server's URL and the token; none when the user has no home.
    pub(super) credentials: Option<PathBuf>,
    pub(super) clock: SharedClock,
    pub(super) terminals: Terminals,
    input: Arc<Mutex<Input>>,
    output: Mutex<Output>,
    errors: Arc<Mutex<Output>>,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("connection", &self.connection).finish_non_exhaustive()
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").field("terminals", &self.terminals).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Context {
    pub(super) fn new(connection: ConnectionArgs, streams: Streams) -> Self {
        Self {
            connection,
            credentials: credentials::default_path(),
            clock: Arc::new(SystemClock),
            terminals: streams.terminals,
            input: Arc::new(Mutex::new(streams.input)),
            output: Mutex::new(streams.output),
            errors: Arc::new(Mutex::new(streams.errors)),
        }
    }

    /// The server that the options, the environment or the credentials file name, in this order.
    pub(super) async fn api(&self) -> Result<Api, CliError> {
        let credentials = credentials::resolve(&self.connection, self.credentials.as_deref()).await?;
        Api::new(credentials.url, credentials.token)
    }

    /// Prints a line of text on standard output.
    pub(super) fn line(&self, line: &str) -> Result<(), CliError> {
        self.bytes(format!("{}\n", text::plain(line)).as_bytes())
    }

    pub(super) fn table(&self, table: &Table) -> Result<(), CliError> {
        let Terminals { output, width, colours, .. } = self.terminals;
        let look = Look { terminal: output, colours, width, now: self.clock.now() };
        self.bytes(table.render(look).as_bytes())
    }

    /// Prints JSON, indented by two spaces, with the fields in the server's order.
    pub(super) fn json(&self, value: &Value) -> Result<(), CliError> {
        self.bytes(format!("{value:#}\n").as_bytes())
    }

    /// Writes to standard output as it is: answers of notebooks, and text that was filtered already.
    pub(super) fn bytes(&self, bytes: &[u8]) -> Result<(), CliError> {
        let mut output = lock(&self.output);
        output.write_all(bytes).and_then(|()| output.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => CliError::OutputClosed,
            _ => CliError::Failed(format!("standard output: {error}")),
        })
    }

    /// Tells the user something that is no part of the command's output.
    pub(super) fn note(&self, line: &str) {
        let mut errors = lock(&self.errors);
        // With standard error closed there is nobody left to tell.
        let _ = writeln!(errors, "{}", text::plain(line));
    }

    /// As [`Self::note`], keeping colours when standard error is a terminal; for tracebacks.
    pub(super) fn note_coloured(&self, lines: &str) {
        let shown = if self.terminals.errors { text::coloured(lines) } else { text::plain(lines) };
        let mut errors = lock(&self.errors);
        let _ = writeln!(errors, "{}", shown.trim_end());
    }

    /// Standard error, for who writes to it from elsewhere.
    pub(super) fn error_output(&self) -> ErrorOutput {
        ErrorOutput { output: Arc::clone(&self.errors), coloured: self.terminals.errors }
    }

    /// Standard input, to its end.
    pub(super) async fn input(&self) -> Result<Vec<u8>, CliError> {
        let input = Arc::clone(&self.input);
        let read = move || {
            let mut bytes = Vec::new();
            lock(&input).read_to_end(&mut bytes).map(|_| bytes)
        };
        let read = tokio::task::spawn_blocking(read).await.map_err(io::Error::other).and_then(|bytes| bytes);
        read.map_err(|error| CliError::Failed(format!("standard input: {error}")))
    }

    /// Asks on standard error and reads one line of standard input, without its line feed; empty at the end of input.
    pub(super) async fn ask(&self, question: &str) -> Result<String, CliError> {
        if !question.is_empty() {
            let mut errors = lock(&self.errors);
            let _ = write!(errors, "{question}").and_then(|()| errors.flush());
        }
        let input = Arc::clone(&self.input);
        let read = move || {
            let mut line = String::new();
            lock(&input).read_line(&mut line).map(|_| line)
        };
        let line = tokio::task::spawn_blocking(read).await.map_err(io::Error::other).and_then(|line| line);
        let line = line.map_err(|error| CliError::Failed(format!("standard input: {error}")))?;
        Ok(line.trim().to_owned())
    }

    /// Asks on standard error for what must not be shown, and reads a line of it from a terminal; from anything else all there is,
    /// without the line feed at its end.
    pub(super) async fn ask_hidden(&self, question: &str) -> Result<String, CliError> {
        if !self.terminals.input {
            let all = self.rest_of_input().await?;
            return Ok(all.strip_suffix('\n').map_or(all.as_str(), |all| all.trim_end_matches('\r')).to_owned());
        }
        {
            let mut errors = lock(&self.errors);
            let _ = write!(errors, "{question}").and_then(|()| errors.flush());
        }
        let line = tokio::task::spawn_blocking(|| console::Term::stderr().read_secure_line()).await;
        let line = line.map_err(io::Error::other).and_then(|line| line);
        line.map_err(|error| CliError::Failed(format!("standard input: {error}")))
    }

    /// All that is left of standard input, as text.
    pub(super) async fn rest_of_input(&self) -> Result<String, CliError> {
        let input = Arc::clone(&self.input);
        let read = move || {
            let mut all = String::new();
            lock(&input).read_to_string(&mut all).map(|_| all)
        };
        let all = tokio::task::spawn_blocking(read).await.map_err(io::Error::other).and_then(|all| all);
        all.map_err(|error| CliError::Failed(format!("standard input: {error}")))
    }

    /// Shows on standard error that something slow goes on: a bar over `steps`, or a spinner for a single one. Shows
    /// nothing when standard error is no terminal.
    pub(super) fn progress(&self, steps: usize, doing: &str) -> ProgressBar {
        if !self.terminals.errors {
            return ProgressBar::hidden();
        }
        let bar = if steps > 1 { ProgressBar::new(steps as u64) } else { ProgressBar::new_spinner() };
        set_template(&bar, if steps > 1 { "{spinner} {bar:30} {pos}/{len} {msg}" } else { "{spinner} {msg}" });
        bar.set_message(text::plain(doing));
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }
}

/// Shows that something is transferred, and how much of it, if that is known.
pub(super) fn transfer(ctx: &Context, total: Option<u64>) -> ProgressBar {
    let bar = ctx.progress(1, "");
    set_template(
        &bar,
        match total {
            Some(_) => "{spinner} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}",
            None => "{spinner} {bytes} {bytes_per_sec}",
        },
    );
    if let Some(total) = total {
        bar.set_length(total);
    }
    bar
}

/// See [`Context::error_output`].
#[derive(Clone)]
pub(super) struct ErrorOutput {
    output: Arc<Mutex<Output>>,
    coloured: bool,
}

impl fmt::Debug for ErrorOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErrorOutput")
    }
}

impl ErrorOutput {
    /// Writes what a notebook printed, as it comes.
    pub(super) fn write(&self, printed: &str) {
        let shown = if self.coloured { text::coloured(printed) } else { text::plain(printed) };
        let mut output = lock(&self.output);
        let _ = output.write_all(shown.as_bytes()).and_then(|()| output.flush());
    }
}

/// Shows how far something is: a spinner with a total becomes a bar.
pub(super) fn measure(bar: &ProgressBar, progress: &Progress) {
    if let Some(part) = progress.part() {
        set_template(bar, "{spinner} {bar:30} {msg}");
        bar.set_length(u64::from(STEPS));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1000")]
        bar.set_position((part * f64::from(STEPS)) as u64);
    }
    bar.set_message(text::plain(&progress.to_string()));
}

fn set_template(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}

#[cfg(test)]
mod tests {
    use super::coloured;

    #[test]
    fn colours_are_for_terminals_unless_the_environment_says_otherwise() {
        let with = |terminal, variables: &[&str]| coloured(terminal, |name| variables.contains(&name));
        assert!(with(true, &[]) && !with(false, &[]));
        assert!(with(false, &["CLICOLOR_FORCE"]) && !with(true, &["NO_COLOR"]));
        assert!(!with(true, &["NO_COLOR", "CLICOLOR_FORCE"]));
    }
}
