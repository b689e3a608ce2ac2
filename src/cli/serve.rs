//! `nbhook serve`: runs the server.

use std::io::IsTerminal as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::context::Context;
use super::error::CliError;
use crate::app::{App, Seams};
use crate::config::{LogFormat, Settings};
use crate::kernel::environment::Requirements;
use crate::kernel::process;

/// Run the server
///
/// Settings come from these options, else from variables such as `NBHOOK_KERNEL__PYTHON`, else from nbhook.toml.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    options: ServerOptions,
    /// Address and port to listen on, e.g. `0.0.0.0:8000` for other machines too; port 0 takes a free one [default:
    /// 127.0.0.1:8000]
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
        let mut signals = Signals::listen()?;
        let (data, format) = (settings.data.clone(), settings.log.format);
        let token_is_set = settings.admin_token.is_some();
        let app = tokio::select! {
            started = start(ctx, settings, Requirements::Kernel) => started?,
            () = signals.next() => return Err(CliError::Failed("stopped before it was ready".to_owned())),
        };
        // Whoever reads logs as JSON has no use for sentences between them.
        if format == LogFormat::Text {
            ctx.note(&welcome(&app, &data, token_is_set));
        }
        until_stopped(app, signals).await
    }
}

fn welcome(app: &App, data: &Path, token_is_set: bool) -> String {
    let (local, public) = (format!("http://{}", reachable(app.address())), app.public_url());
    let token = if token_is_set {
        "(the token is the setting admin_token)".to_owned()
    } else {
        let file = data.join("admin.token");
        format!("< '{}'", std::path::absolute(&file).unwrap_or(file).display())
    };
    format!(
        "nbhook serves {public}\nto deploy from this machine, log in once: nbhook login {local} {token}\nstop it with Ctrl-C"
    )
}

/// Where a client on this machine finds a server that listens on `address`.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// Starts a server, with a progress bar while the kernel environment is made.
pub(super) async fn start(ctx: &Context, settings: Settings, requirements: Requirements) -> Result<App, CliError> {
    // Notebooks run as the same user.
    if let Err(error) = process::hide() {
        tracing::warn!(%error, "cannot keep other processes from looking into the server");
    }
    let bar = ctx.progress(1, "starting");
    let shown = bar.clone();
    let started = App::start(settings, requirements, Seams::default(), move |progress| {
        shown.set_message(format!("{} {}", progress.step.as_str(), progress.detail));
    })
    .await;
    bar.finish_and_clear();
    started.map_err(|error| CliError::Failed(error.to_string()))
}

/// The signals that ask the process to end. Listen before the user is told how to stop it: from then on none is missed.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, CliError> {
        let listen = |kind| signal(kind).map_err(|error| CliError::Failed(format!("signals: {error}")));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Serves until the process is told to end, then drains. A second signal ends it at once.
pub(super) async fn until_stopped(app: App, mut signals: Signals) -> Result<(), CliError> {
    signals.next().await;
    tracing::info!("draining: new calls are turned away, running ones end; a second signal ends them at once");
    tokio::select! {
        () = app.stop() => Ok(()),
        () = signals.next() => Err(CliError::Failed("stopped before the runs ended".to_owned())),
    }
}

/// Logs go to standard error, so that a command's own output stays clean.
pub(super) fn start_logging(settings: &Settings) -> Result<(), CliError> {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_new(&settings.log.filter)
        .map_err(|error| CliError::Usage(format!("setting `log.filter`: {error}")))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match settings.log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    started.map_err(|error| CliError::Failed(format!("logging: {error}")))
}
