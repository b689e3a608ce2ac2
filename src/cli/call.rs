//! `nbhook call`: calls a hook's URL as any HTTP client would, without the API token.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, header};
use serde_json::Value;

use super::api::{Api, connection_error, http_client, problem_message, read_body, read_problem};
use super::context::Context;
use super::download::Target;
use super::error::CliError;
use super::get::tell;
use super::hook_arg::HookArg;
use super::params::{self, Pair};
use super::polling;
use super::wire::{self, Hook, Run};
use crate::model::Histo;

/// How long a run may take if its hook does not say.
const DEFAULT_TIMEOUT: u64 = 600;
/// Waited on top of the hook's timeout, for the queue and the transfer.
const GRACE: u64 = 300;
/// Names the run that an answer came from.
const RUN_HEADER: &str = "x-nbhook-run";

/// Call a hook and print its answer
///
/// Parameters go as a JSON body, as a query with GET and DELETE, and as form fields beside files. The answer's bytes go to
/// standard output or to a new file. When the run fails, its error goes to standard error and the exit code is 6. A run that is
/// not waited for goes on: the URL of its task goes to standard output (see `nbhook task`).
#[derive(Debug, Args)]
pub(super) struct Call {
    #[command(flatten)]
    hook: HookArg,
    /// Parameter of the notebook; VALUE is JSON where it parses as such, else text; repeated keys give a list
    #[arg(short, long = "param", value_name = "KEY=VALUE", value_parser = params::parse_pair)]
    params: Vec<Pair>,
    /// File to send; its parameter is NAME, or `file`
    #[arg(short, long = "file", value_name = "[NAME=]FILE", value_parser = parse_file)]
    files: Vec<FileArg>,
    /// HTTP method [default: POST with parameters, files or a key, else GET]
    #[arg(short = 'X', long, ignore_case = true)]
    method: Option<Verb>,
    /// Call this version instead of the live one
    #[arg(long)]
    histo: Option<Histo>,
    /// File to save the answer to; it must not exist
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Do not wait for the answer
    #[arg(long = "async", conflicts_with_all = ["wait", "output"])]
    at_once: bool,
    /// Wait for the answer for so many seconds, up to 600
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(0..=600))]
    wait: Option<u16>,
    /// Name of this call: calling again with it gives the same answer, and does not run the notebook again
    #[arg(long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    idempotency_key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Patch => Method::PATCH,
            Self::Delete => Method::DELETE,
        }
    }

    fn has_body(self) -> bool {
        !matches!(self, Self::Get | Self::Delete)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct FileArg {
    name: String,
    path: PathBuf,
}

/// `NAME=FILE` if NAME is an identifier, else a file whose parameter is called `file`.
#[expect(clippy::unnecessary_wraps, reason = "the type that clap asks for")]
fn parse_file(text: &str) -> Result<FileArg, String> {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    Ok(match text.split_once('=') {
        Some((name, path)) if is_name(name) => FileArg { name: name.to_owned(), path: path.into() },
        _ => FileArg { name: "file".to_owned(), path: text.into() },
    })
}

impl Call {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let verb = self.verb()?;
        let target = target(self.output.as_deref())?;
        let api = ctx.api().await?;
        let (hook, _) = self.hook.find(&api).await?;
        let url = self.url(&hook)?;
        let timeout = hook.params.get("timeout").and_then(Value::as_u64).unwrap_or(DEFAULT_TIMEOUT);
        let http = http_client(&url, Duration::from_secs(timeout.saturating_add(GRACE)))?;
        let request = self.filled(http.request(verb.method(), url.clone()), verb).await?;
        let bar = ctx.progress(1, &format!("running {}", hook.path));
        let response = request.send().await;
        bar.finish_and_clear();
        let response = response.map_err(|error| connection_error(&url, error).about("its URL"))?;
        answer(ctx, &api, &target, response).await
    }

    fn verb(&self) -> Result<Verb, CliError> {
        let plain = self.params.is_empty() && self.files.is_empty() && self.idempotency_key.is_none();
        let default = if plain { Verb::Get } else { Verb::Post };
        let verb = self.method.unwrap_or(default);
        if !self.files.is_empty() && !verb.has_body() {
            return Err(CliError::Usage("files cannot be sent with GET or DELETE".to_owned()));
        }
        Ok(verb)
    }

    fn url(&self, hook: &Hook) -> Result<Url, CliError> {
        let wrong = || CliError::Answer("the hook's URL is no URL".to_owned());
        let mut url = Url::parse(hook.url.expose()).map_err(|_| wrong())?;
        if let Some(histo) = &self.histo {
            url.path_segments_mut().map_err(|()| wrong())?.extend(["versions", histo.as_str()]);
        }
        Ok(url)
    }

    async fn filled(self, mut request: RequestBuilder, verb: Verb) -> Result<RequestBuilder, CliError> {
        if self.at_once {
            request = request.header("prefer", "respond-async");
        } else if let Some(seconds) = self.wait {
            request = request.header("prefer", format!("wait={seconds}"));
        }
        if let Some(key) = &self.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        if !self.files.is_empty() {
            return Ok(request.multipart(form(self.params, self.files).await?));
        }
        if self.params.is_empty() {
            return Ok(request);
        }
        Ok(if verb.has_body() {
            request.json(&params::object(self.params))
        } else {
            request.query(&params::fields(self.params))
        })
    }
}

async fn form(params: Vec<Pair>, files: Vec<FileArg>) -> Result<Form, CliError> {
    let mut form = Form::new().percent_encode_noop();
    for (name, value) in params::fields(params) {
        if name.contains(['"', '\r', '\n']) {
            return Err(CliError::Usage(
                "a parameter beside files cannot have a quote or line break in its name".to_owned(),
            ));
        }
        form = form.text(name, value);
    }
    for FileArg { name, path } in files {
        let content = tokio::fs::read(&path).await.map_err(|error| CliError::file(&path, error))?;
        let shown = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let media = mime_guess::from_path(&path).first_or_octet_stream();
        let part = Part::bytes(content).file_name(shown).mime_str(media.essence_str());
        form = form.part(name, part.map_err(|error| CliError::Failed(error.to_string()))?);
    }
    Ok(form)
}

/// Where an answer goes: to standard output, or to a file that is not there yet.
pub(super) fn target(output: Option<&Path>) -> Result<Target, CliError> {
    match output {
        None => Ok(Target::Stdout),
        Some(folder) if folder.is_dir() => Err(CliError::Usage(format!("{} is a folder", folder.display()))),
        Some(file) => Target::new(file, ""),
    }
}

/// Prints or saves what a hook answered, or says why it did not.
pub(super) async fn answer(ctx: &Context, api: &Api, target: &Target, response: Response) -> Result<(), CliError> {
    let status = response.status();
    if status == StatusCode::ACCEPTED && is_task(&response) {
        let url = polling::location(&response)?;
        let body = read_body(response, &url).await?;
        let task = serde_json::from_slice(&body).map_err(|_| CliError::Answer("the task is not JSON".to_owned()))?;
        return polling::started(ctx, &wire::read(&task)?, &url);
    }
    if status.is_redirection() {
        let next = response.headers().get(header::LOCATION).and_then(|next| next.to_str().ok()).unwrap_or("elsewhere");
        ctx.note(&format!("done; the hook sends its callers to {next}"));
        return Ok(());
    }
    let run = response.headers().get(RUN_HEADER).and_then(|run| run.to_str().ok()).map(str::to_owned);
    let media = media_type(&response);
    if status.is_success() {
        return show(ctx, target, response, &media).await;
    }
    match run {
        Some(_) if media != "application/problem+json" => {
            show(ctx, target, response, &media).await?;
            Err(CliError::RunFailed(format!("the notebook answered {status}")))
        }
        Some(run) => {
            let problem = read_problem(response).await;
            Err(run_failed(ctx, api, status, problem, &run).await)
        }
        None => Err(not_run(response).await),
    }
}

/// Whether it is the server that answers for a run that goes on; a notebook's own 202 comes from a run.
fn is_task(response: &Response) -> bool {
    let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
    media_type(response) == "application/hal+json" && location.is_some_and(|location| location.contains("/v1/tasks/"))
}

pub(super) fn media_type(response: &Response) -> String {
    let value = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

async fn show(ctx: &Context, target: &Target, response: Response, media: &str) -> Result<(), CliError> {
    if *target == Target::Stdout && ctx.terminals.output && !is_text(media) {
        return Err(CliError::Failed(format!(
            "the answer is {media}, not text for a terminal: save it with --output FILE"
        )));
    }
    target.save(response, ctx).await?;
    tell(ctx, target)
}

fn is_text(media: &str) -> bool {
    media.is_empty()
        || media.starts_with("text/")
        || ["json", "xml", "javascript", "yaml"].iter().any(|end| media.ends_with(end))
}

/// A run that failed: its traceback, which only the owner may see, goes to standard error.
pub(super) async fn run_failed(
    ctx: &Context,
    api: &Api,
    status: StatusCode,
    problem: Option<Value>,
    run: &str,
) -> CliError {
    let known = api.get(&["runs", run]).await.ok().and_then(|value| wire::read::<Run>(&value).ok());
    let error = known.and_then(|run| run.error);
    if let Some(traceback) = error.as_ref().and_then(|error| error.traceback.as_ref()).filter(|lines| !lines.is_empty())
    {
        ctx.note_coloured(&traceback.join("\n"));
    }
    let said = problem_message(status, problem.as_ref());
    let raised = error.map(|error| error.summary()).filter(|summary| !said.contains(summary.as_str()));
    let raised = raised.map_or_else(String::new, |summary| format!(": {summary}"));
    CliError::RunFailed(format!("{said}{raised} (see `nbhook logs {run}`)"))
}

/// The server did not run the notebook: no such hook, a bad parameter, too many calls.
async fn not_run(response: Response) -> CliError {
    let status = response.status();
    let after = response.headers().get(header::RETRY_AFTER).and_then(|after| after.to_str().ok()).map(str::to_owned);
    let mut message = problem_message(status, read_problem(response).await.as_ref());
    if let Some(after) =
        after.filter(|_| matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE))
    {
        message = format!("{message}; try again in {after} s");
    }
    CliError::Refused { status: status.as_u16(), message }
}

#[cfg(test)]
#[path = "call_tests.rs"]
mod tests;
