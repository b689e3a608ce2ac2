//! `nbhook serve`: runs the server.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::context::Context;
use super::error::CliError;
use crate::app::{App, Seams};
use crate::config::{LogFormat, Settings};
use crate::kernel::environment::Requirements;

/// Run the server
///
/// Settings come from these options, else from variables such as `NBHOOK_KERNEL__PYTHON`, else from nbhook.toml.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    options: ServerOptions,
    /// Address to listen on; port 0 takes a free one [default: 127.0.0.1:8000]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// How callers reach this server, e.g. `https://hooks.example.org`
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
}

/// What every command that works on the server's own machine takes.
#[derive(Debug, Args)]
pub(super) struct ServerOptions {
    /// Folder of notebooks, outputs and the database [default: production]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Python for kernels; if it has no ipykernel, a virtual environment is made with it [default: python3]
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Settings file [default: nbhook.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ServerOptions {
    /// The settings, these options over all else.
    pub(super) fn settings(self) -> Result<Settings, CliError> {
        let mut settings =
            Settings::load(self.config.as_deref()).map_err(|error| CliError::Usage(error.to_string()))?;
        if let Some(data) = self.data {
            settings.data = data;
        }
        if let Some(python) = self.python {
            settings.kernel.python = python;
        }
        settings.validate().map_err(|error| CliError::Usage(error.to_string()))?;
        Ok(settings)
    }
}

impl Serve {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let mut settings = self.options.settings()?;
        if let Some(listen) = self.listen {
            settings.listen = listen;
        }
        if self.public_url.is_some() {
            settings.public_url = self.public_url;
        }
        start_logging(&settings)?;
        let data = settings.data.clone();
        let app = start(ctx, settings, Requirements::Kernel).await?;
        let token = data.join("admin.token");
        ctx.note(&format!(
            "nbhook serves {}\nto deploy from this machine: nbhook login {} < {}\nstop it with Ctrl-C",
            app.public_url(),
            app.public_url(),
            token.display()
        ));
        until_stopped(app).await
    }
}

/// Starts a server, with a progress bar while the kernel environment is made.
pub(super) async fn start(ctx: &Context, settings: Settings, requirements: Requirements) -> Result<App, CliError> {
    let bar = ctx.progress(1, "starting");
    let shown = bar.clone();
    let started = App::start(settings, requirements, Seams::default(), move |progress| {
        shown.set_message(format!("{} {}", progress.step.as_str(), progress.detail));
    })
    .await;
    bar.finish_and_clear();
    started.map_err(|error| CliError::Failed(error.to_string()))
}

/// Serves until the process is told to end (SIGINT or SIGTERM), then drains. A second signal ends it at once.
pub(super) async fn until_stopped(app: App) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::Failed(format!("signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("draining: new calls are turned away, running ones end");
    tokio::select! {
        () = app.stop() => Ok(()),
        _ = interrupt.recv() => Err(CliError::Failed("stopped before the runs ended".to_owned())),
        _ = terminate.recv() => Err(CliError::Failed("stopped before the runs ended".to_owned())),
    }
}

/// Logs go to standard error, so that a command's own output stays clean.
pub(super) fn start_logging(settings: &Settings) -> Result<(), CliError> {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_new(&settings.log.filter)
        .map_err(|error| CliError::Usage(format!("setting `log.filter`: {error}")))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match settings.log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    started.map_err(|error| CliError::Failed(format!("logging: {error}")))
}
