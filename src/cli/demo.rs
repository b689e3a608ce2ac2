//! `nbhook demo`: from nothing to a notebook's answer.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::api::Api;
use super::context::Context;
use super::error::CliError;
use super::serve::{ServerOptions, start, until_stopped};
use crate::app::App;
use crate::kernel::environment::Requirements;

const NOTEBOOK: &[u8] = include_bytes!("../../fixtures/notebooks/sales_report.ipynb");
const PATH: &str = "demo/sales_report.ipynb";
const PARAMETERS: [(&str, &str); 2] = [("region", "North"), ("top", "5")];

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
        settings.listen.set_port(0);
        let data = settings.data.clone();
        let app = start(ctx, settings, Requirements::Demo).await?;
        let shown = show(ctx, &app, data).await;
        match shown {
            Ok(()) if self.keep => {
                ctx.note("serving; stop it with Ctrl-C");
                until_stopped(app).await
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
    let server = app.public_url().to_owned();
    ctx.line(&format!("server    {server}"))?;
    let api = Api::new(server, app.admin_token().expose().to_owned())?;
    let notebook: serde_json::Value =
        serde_json::from_slice(NOTEBOOK).map_err(|error| CliError::Failed(error.to_string()))?;
    let deploy = json!({"path": PATH, "params": {"inline": true}, "notebook": notebook});
    let hook = api.post(&["hooks"], &deploy).await?;
    let url = hook.get("url").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let query: Vec<String> = PARAMETERS.iter().map(|(name, value)| format!("{name}={value}")).collect();
    ctx.line(&format!("deployed  {PATH}\ncalling   {url}?{}", query.join("&")))?;

    let bar = ctx.progress(1, "running the notebook in a fresh kernel");
    let answer = call(&url).await;
    bar.finish_and_clear();
    let (media_type, bytes, milliseconds) = answer?;
    let file = data.join("sales_report.png");
    let size = png_size(&bytes).map(|(width, height)| format!(", {width} × {height} pixels")).unwrap_or_default();
    ctx.line(&format!("answer    200 {media_type}, {} bytes{size}, after {milliseconds} ms", bytes.len()))?;
    save(&file, &bytes).await?;
    ctx.line(&format!("saved     {}", file.display()))
}
