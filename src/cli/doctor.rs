//! `nbhook doctor`: what stands in the way of running and calling notebooks from here, and what to do about it.

mod client;
mod machine;

use clap::Args;
use serde_json::{Value, json};

use super::context::Context;
use super::error::CliError;
use super::serve::ServerOptions;
use super::table::Table;

/// Check what a server needs on this machine, and the server that you are logged in to
///
/// Looks at the data folder, the port, Python and its packages, kernelspecs, mail and the public URL, at the clock, and at whether
/// the server answers and takes your token. Each finding that is not well says what to do. Exits with 1 when one is a problem.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    options: ServerOptions,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    /// Works, but the user should know.
    Note,
    Bad,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Note => "note",
            Self::Bad => "problem",
        }
    }
}

#[derive(Debug)]
struct Finding {
    subject: &'static str,
    state: State,
    /// What was found.
    detail: String,
    /// What to do, unless it is well.
    fix: Option<String>,
}

fn good(subject: &'static str, detail: impl Into<String>) -> Finding {
    Finding { subject, state: State::Good, detail: detail.into(), fix: None }
}

fn note(subject: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { subject, state: State::Note, detail: detail.into(), fix: Some(fix.into()) }
}

fn bad(subject: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { state: State::Bad, ..note(subject, detail, fix) }
}

impl Doctor {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let settings = self.options.settings()?;
        let bar = ctx.progress(1, "looking at this machine");
        let mut findings = machine::findings(&settings).await;
        bar.set_message("looking for the server");
        findings.extend(client::findings(ctx).await);
        bar.finish_and_clear();
        report(ctx, &findings, self.json)?;
        match findings.iter().filter(|finding| finding.state == State::Bad).count() {
            0 => Ok(()),
            n => Err(CliError::Failed(format!("{n} of {} checks found a problem", findings.len()))),
        }
    }
}

fn report(ctx: &Context, findings: &[Finding], as_json: bool) -> Result<(), CliError> {
    if as_json {
        let item = |Finding { subject, state, detail, fix }: &Finding| json!({"subject": subject, "state": state.as_str(), "detail": detail, "fix": fix});
        return ctx.json(&Value::Array(findings.iter().map(item).collect()));
    }
    let mut table = Table::new(&["CHECK", "STATE", "FOUND"]);
    for finding in findings {
        table.row(vec![finding.subject.to_owned(), finding.state.as_str().to_owned(), finding.detail.clone()]);
    }
    ctx.table(&table)?;
    for Finding { subject, fix, .. } in findings {
        if let Some(fix) = fix {
            ctx.note(&format!("{subject}: {fix}"));
        }
    }
    Ok(())
}
