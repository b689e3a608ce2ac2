//! `nbhook doctor`: what this machine lacks to run notebooks, and how to get it.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::context::Context;
use super::error::CliError;
use super::serve::ServerOptions;
use super::table::Table;
use crate::app::check_mail;
use crate::config::Settings;
use crate::kernel::Kernelspecs;
use crate::kernel::environment::{Code, Inspector};
use crate::store::{Files, StoreError};

/// Check the data folder, the kernel environment, kernelspecs and mail
///
/// Exits with 1 when something that runs need is missing.
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

#[derive(Debug)]
struct Finding {
    subject: &'static str,
    state: State,
    /// What was found and, unless it is good, what to do.
    detail: String,
}

fn finding(subject: &'static str, state: State, detail: impl Into<String>) -> Finding {
    Finding { subject, state, detail: detail.into() }
}

impl Doctor {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let settings = self.options.settings()?;
        let bar = ctx.progress(1, "looking at this machine");
        let mut findings = vec![data_folder(&settings.data)];
        let python = kernel_python(&settings);
        findings.extend(environment(&python).await);
        findings.push(kernelspecs(python).await);
        findings.push(mail(&settings));
        if settings.is_exposed() {
            let advice = "others can reach it without TLS: put a proxy in front and set behind_proxy";
            findings.push(finding("listen", State::Note, format!("{}: {advice}", settings.listen)));
        }
        bar.finish_and_clear();
        report(ctx, &findings, self.json)?;
        match findings.iter().filter(|finding| finding.state == State::Bad).count() {
            0 => Ok(()),
            n => Err(CliError::Failed(format!("{n} of {} checks found a problem", findings.len()))),
        }
    }
}

fn report(ctx: &Context, findings: &[Finding], as_json: bool) -> Result<(), CliError> {
    let word = |state| match state {
        State::Good => "ok",
        State::Note => "note",
        State::Bad => "problem",
    };
    if as_json {
        let items: Vec<Value> = findings
            .iter()
            .map(|finding| json!({"subject": finding.subject, "state": word(finding.state), "detail": finding.detail}))
            .collect();
        return ctx.json(&Value::Array(items));
    }
    let mut table = Table::new(&["CHECK", "STATE", "FOUND"]);
    for finding in findings {
        table.row(vec![finding.subject.to_owned(), word(finding.state).to_owned(), finding.detail.clone()]);
    }
    ctx.table(&table)
}

fn data_folder(data: &Path) -> Finding {
    if !data.exists() {
        return new_data_folder(data);
    }
    match Files::open(data) {
        Ok((files, _lock)) => finding("data folder", State::Good, files.data().display().to_string()),
        Err(StoreError::InUse(folder)) => {
            finding("data folder", State::Note, format!("{} is in use by a running server", folder.display()))
        }
        Err(error) => {
            finding("data folder", State::Bad, format!("{error}: make it writable, or choose another --data"))
        }
    }
}

/// Whether a data folder that is not there yet could be made; looking makes nothing.
fn new_data_folder(data: &Path) -> Finding {
    let data = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    let parent = data.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    match tempfile::tempfile_in(parent) {
        Ok(_) => finding("data folder", State::Good, format!("{} (made at the first start)", data.display())),
        Err(error) => {
            let advice = format!("{} cannot be written ({error}): choose another --data", parent.display());
            finding("data folder", State::Bad, format!("{} cannot be made: {advice}", data.display()))
        }
    }
}

/// The interpreter that the server would run kernels in: the one it made for itself, if it has.
fn kernel_python(settings: &Settings) -> PathBuf {
    let made = settings.data.join(".nbhook/venv/bin/python");
    if made.is_file() { std::path::absolute(&made).unwrap_or(made) } else { settings.kernel.python.clone() }
}

async fn environment(python: &Path) -> Vec<Finding> {
    let inspection =
        match Inspector::default().inspect(python, Code { cells: &["import nbconvert"], ..Code::default() }).await {
            Ok(inspection) => inspection,
            Err(error) => return vec![finding("python", State::Bad, error.to_string())],
        };
    let interpreter = inspection.interpreter;
    let advice = format!(
        "`nbhook serve` makes an environment at its first start; or: {} -m pip install ipykernel nbconvert",
        interpreter.executable.display()
    );
    let found = format!("{} ({})", interpreter.version, interpreter.executable.display());
    let mut findings = vec![finding("python", State::Good, found)];
    findings.push(match interpreter.ipykernel {
        Some(version) => finding("ipykernel", State::Good, version),
        None => finding("ipykernel", State::Bad, format!("6 or newer is not there: {advice}")),
    });
    findings.push(if inspection.missing_imports.is_empty() {
        finding("nbconvert", State::Good, "there")
    } else {
        finding("nbconvert", State::Bad, format!("not there, so notebooks cannot be answered as HTML: {advice}"))
    });
    findings
}

async fn kernelspecs(python: PathBuf) -> Finding {
    let names =
        tokio::task::spawn_blocking(move || Kernelspecs::new(&python, Path::new("")).names()).await.unwrap_or_default();
    finding("kernelspecs", State::Good, names.join(", "))
}

fn mail(settings: &Settings) -> Finding {
    if let Err(error) = check_mail(settings) {
        finding("mail", State::Bad, error.to_string())
    } else if settings.smtp.url.is_some() {
        finding("mail", State::Good, "an SMTP server is set")
    } else {
        finding("mail", State::Note, "no SMTP server is set (smtp.url): mails are written to files")
    }
}
