//! `nbhook demo`: from nothing to a notebook's answer.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use reqwest::Url;
use serde_json::{Value, json};

use super::api::{Api, connection_error, http_client, read_body};
use super::call::media_type;
use super::context::Context;
use super::error::CliError;
use super::serve::{ServerOptions, Signals, start, until_stopped};
use super::wire::{self, Hook};
use crate::app::App;
use crate::kernel::environment::Requirements;
use crate::store::write_atomic;

const NOTEBOOK: &[u8] = include_bytes!("../../fixtures/notebooks/sales_report.ipynb");
const PATH: &str = "demo/sales_report.ipynb";
const PARAMETERS: [(&str, &str); 2] = [("region", "North"), ("top", "5")];
const ANSWER: &str = "sales_report.png";
const TIMEOUT: Duration = Duration::from_mins(2);

/// Start a server, deploy a sales report, call it and show the answer
///
/// The first time this makes a Python environment with ipykernel, pandas and matplotlib, which needs the network.
#[derive(Debug, Args)]
pub(super) struct Demo {
    #[command(flatten)]
    options: ServerOptions,
    /// Go on serving until Ctrl-C
    #[arg(long)]
    keep: bool,
}

impl Demo {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let mut settings = self.options.settings()?;
        settings.listen = ([127, 0, 0, 1], 0).into();
        settings.public_url = None; // the demo calls itself
        let data = settings.data.clone();
        let app = start(ctx, settings, Requirements::Demo).await?;
        let shown = show(ctx, &app, data).await;
        match shown {
            Ok(()) if self.keep => {
                let signals = Signals::listen()?;
                ctx.note("serving; call the URL again, or stop it with Ctrl-C");
                until_stopped(app, signals).await
            }
            done => {
                app.stop().await;
                done?;
                ctx.note("stopped; `nbhook demo --keep` leaves the server running, `nbhook serve` starts your own");
                Ok(())
            }
        }
    }
}

async fn show(ctx: &Context, app: &App, data: PathBuf) -> Result<(), CliError> {
    let server: Url = app.public_url().parse().map_err(|_| CliError::Failed("the server has no URL".to_owned()))?;
    ctx.line(&format!("server    {server}"))?;
    let api = Api::new(server, app.admin_token().clone())?;
    let notebook: Value = serde_json::from_slice(NOTEBOOK).map_err(|error| CliError::Failed(error.to_string()))?;
    let deploy = json!({"path": PATH, "params": {"inline": true}, "notebook": notebook});
    let hook: Hook = wire::read(&api.post(&["hooks"], &deploy).await?)?;
    let url = Url::parse_with_params(hook.url.expose(), PARAMETERS)
        .map_err(|_| CliError::Answer("the hook's URL is no URL".to_owned()))?;
    ctx.line(&format!("deployed  {PATH}\ncalling   {url}"))?;

    let bar = ctx.progress(1, "running the notebook in a fresh kernel");
    let started = Instant::now();
    let response = http_client(&url, TIMEOUT)?.get(url.clone()).send().await;
    bar.finish_and_clear();
    let response = response.map_err(|error| connection_error(&url, error))?;
    let (status, media) = (response.status(), media_type(&response));
    let answer = read_body(response, &url).await?;
    let milliseconds = started.elapsed().as_millis();
    ctx.line(&format!(
        "answer    {status} {media}, {} bytes{}, after {milliseconds} ms",
        answer.len(),
        pixels(&answer)
    ))?;
    if !status.is_success() {
        return Err(CliError::RunFailed(String::from_utf8_lossy(&answer).into_owned()));
    }
    // Beside the hook's own folder, where no other hook can be.
    let folder = data.join("admin/demo");
    let file = folder.join(ANSWER);
    let saved = file.clone();
    tokio::task::spawn_blocking(move || write_atomic(&saved, &answer, &folder))
        .await
        .map_err(|error| CliError::Failed(error.to_string()))?
        .map_err(|error| CliError::Failed(error.to_string()))?;
    ctx.line(&format!("saved     {}", file.display()))
}

/// The size of a PNG, from the first of its chunks (RFC 2083, section 4.1.1).
fn pixels(png: &[u8]) -> String {
    let number = |at: usize| png.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_be_bytes);
    match (png.starts_with(b"\x89PNG"), number(16), number(20)) {
        (true, Some(width), Some(height)) => format!(", {width} × {height} pixels"),
        _ => String::new(),
    }
}
