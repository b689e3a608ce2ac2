//! The composition root: the only place that chooses adapters and puts the parts together.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::clock::{SharedClock, SystemClock};
use crate::config::{ConfigError, ExecutorChoice, KernelSettings, Settings};
use crate::http;
use crate::kernel::environment::{Environment, EnvironmentError, Progress, Requirements};
use crate::kernel::{Executor, ForkExecutor, SpawnExecutor, python_kernel};
use crate::mail::{MailSettings, Mailer, SettingsError};
use crate::model::{ApiToken, SecretKey};
use crate::random::{SharedRandom, SystemRandom};
use crate::sealing::{Sealer, Unopened};
pub use crate::service::inspect_notebook;
pub use crate::service::{Error as RunRefused, Given, Local, LocalAnswer, LocalDone, LocalRun, Ready};
use crate::service::{Error, Kernels, Parts, Service};
use crate::store::{DataLock, Database, Files, StoreError};
use crate::templates::{TemplateError, Templates};
use crate::webhook::{OutboundPolicy, Resolve, Sender, SetupError, SystemResolver};
use crate::worker::Worker;

/// What a test may replace.
#[derive(Debug, Clone)]
pub struct Seams {
    pub clock: SharedClock,
    pub random: SharedRandom,
    /// How the hosts of outgoing requests are found.
    pub resolver: Arc<dyn Resolve>,
}

impl Default for Seams {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom), resolver: Arc::new(SystemResolver) }
    }
}

/// A running server.
#[derive(Debug)]
pub struct App {
    service: Arc<Service>,
    server: http::Server,
    worker: Worker,
    database: Database,
    address: SocketAddr,
    public_url: String,
    admin_token: ApiToken,
    grace: Duration,
    /// The last thing to go.
    _lock: DataLock,
}

/// Why a server could not start; says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("cannot listen on {address}: {source}{hint}")]
    Listen { address: SocketAddr, source: std::io::Error, hint: &'static str },
    #[error("cannot use the data folder: {0}{hint}", hint = data_hint(.0))]
    Data(#[from] StoreError),
    #[error("cannot prepare the kernel environment: {0}")]
    Environment(#[from] EnvironmentError),
    #[error("cannot use the mail settings: {0}")]
    Mail(#[from] SettingsError),
    #[error(transparent)]
    Outbound(#[from] SetupError),
    #[error("a template is broken: {0}")]
    Template(#[from] TemplateError),
    #[error("cannot use the key of secrets: {0}")]
    Sealing(#[from] Unopened),
    #[error("cannot make the admin's token: {0}")]
    Admin(Error),
    #[error("cannot clean up after the last server: {0}")]
    Recover(Error),
    #[error("cannot start the server: {0}")]
    Server(#[from] std::io::Error),
}

impl App {
    /// Starts a server; `progress` hears of the kernel environment being made.
    pub async fn start(
        settings: Settings,
        requirements: Requirements,
        seams: Seams,
        progress: impl Fn(Progress) + Send + Sync,
    ) -> Result<Self, StartError> {
        settings.validate()?;
        let listener = listen(settings.listen)?; // first: the most likely thing to fail, and the quickest
        let address = listener.local_addr()?;
        let public_url = settings.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
        let public_url = public_url.trim_end_matches('/').to_owned();
        let (files, lock) = Files::open(&settings.data)?;
        let database = open_database(&files).await?;
        let environment =
            Environment::prepare(&settings.kernel.python, &files.own_folder(), requirements, progress).await?;
        let webhooks = Sender::new(outbound_policy(&settings), seams.resolver)?;
        let mailer = Mailer::new(&mail_settings(&settings, files.own("mail")))?;
        if settings.smtp.url.is_none() {
            tracing::warn!(folder = %files.own("mail").display(), "no SMTP server is set (smtp.url): mails are written to files");
        }
        if address.ip().is_unspecified() && settings.public_url.is_none() {
            tracing::warn!(%public_url, "hooks' URLs begin with this, which no other machine can reach: set public_url");
        }
        if settings.is_exposed() {
            tracing::warn!(%address, "others can reach this server without TLS: put a proxy in front and set behind_proxy");
        }
        let executor = executor(&settings.kernel, &environment, seams.clock.clone());
        let grace = Duration::from_secs(settings.grace);
        let fresh = seams.random.bits160()?;
        let task_secret = files.task_secret(fresh)?;
        let sealer = sealer(&settings, &files, seams.random.bits256()?)?;
        let service = Service::new(Parts {
            task_secret,
            sealer,
            local_url: local_url(address),
            kernels: Kernels::new(environment, &settings.kernel),
            settings,
            public_url: public_url.clone(),
            db: database.clone(),
            files,
            clock: seams.clock.clone(),
            random: seams.random,
            executor,
            mailer,
            webhooks,
            templates: Templates::load()?,
            runtime: Handle::current(),
        });
        service.recover().await.map_err(StartError::Recover)?;
        let admin_token = service.ensure_admin().await.map_err(StartError::Admin)?;
        let worker = Worker::start(service.clone(), seams.clock);
        let server = http::start(listener, service.clone())?;
        tracing::info!(%address, "serving");
        Ok(Self { service, server, worker, database, address, public_url, admin_token, grace, _lock: lock })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How callers reach it.
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    pub fn admin_token(&self) -> &ApiToken {
        &self.admin_token
    }

    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Turns new calls away, lets running runs end within the grace time, and stops.
    pub async fn stop(self) {
        self.service.drain();
        if tokio::time::timeout(self.grace, self.service.drained()).await.is_err() {
            tracing::warn!("the grace time is over: the runs that are left are interrupted");
            self.service.interrupt_runs();
            self.service.drained().await;
        }
        self.server.stop().await;
        // Calls that were let in before and whose bodies took until now.
        self.service.interrupt_runs();
        self.service.drained().await;
        self.worker.stop().await;
        self.database.close().await;
        tracing::info!("stopped");
    }
}

/// Opens the database, on a full disk with the room in reserve.
async fn open_database(files: &Files) -> Result<Database, StoreError> {
    let file = files.own("nbhook.db");
    match Database::open(&file).await {
        Err(error) if error.is_for_want_of_room() && files.release_reserve()? => Database::open(&file).await,
        opened => opened,
    }
}

/// How this machine reaches the server.
fn local_url(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    format!("http://{address}")
}

/// What users' secrets are encrypted with: the key of the settings, else the one in the data folder.
fn sealer(settings: &Settings, files: &Files, fresh: [u8; 32]) -> Result<Sealer, StartError> {
    let key = match &settings.secret_key {
        Some(key) => {
            let invalid = |message: &str| ConfigError::Invalid { name: "secret_key", message: message.to_owned() };
            key.expose().parse().map_err(invalid)?
        }
        None => files.secret_key(SecretKey::from_random(fresh))?,
    };
    Ok(Sealer::new(key.bytes())?)
}

fn executor(settings: &KernelSettings, environment: &Environment, clock: SharedClock) -> Arc<dyn Executor> {
    match settings.executor {
        ExecutorChoice::Spawn => Arc::new(SpawnExecutor::new(clock)),
        ExecutorChoice::Auto => {
            let executor = ForkExecutor::new(clock, settings.pool, settings.templates << 20);
            executor.prepare(&python_kernel(environment.python(), environment.client_folder()), settings.output << 20);
            Arc::new(executor)
        }
    }
}

fn data_hint(error: &StoreError) -> &'static str {
    match error {
        StoreError::File { .. } => ": make it a folder that this user may write to, or choose another with --data",
        _ => "",
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|source| {
        let hint = match source.kind() {
            std::io::ErrorKind::AddrInUse => ": another program uses this port; choose one with --listen (port 0: any)",
            std::io::ErrorKind::PermissionDenied => {
                ": ports below 1024 need a privilege; choose a higher one with --listen"
            }
            _ => "",
        };
        StartError::Listen { address, source, hint }
    })
}

/// What runs notebooks without a server: in the interpreter that is `given` if it has ipykernel, else in a virtual environment
/// that is made from it in `folder`, as a server makes one in its data folder.
///
/// # Errors
/// When there is no Python that could run notebooks, and none can be made.
pub async fn local(
    settings: &KernelSettings,
    given: &Path,
    folder: &Path,
    progress: impl Fn(Progress) + Send + Sync,
) -> Result<Local, EnvironmentError> {
    let environment = Environment::prepare(given, folder, Requirements::Run, progress).await?;
    // A template takes longer to start than the one kernel that would be forked from it.
    let executor = Arc::new(SpawnExecutor::new(Arc::new(SystemClock)));
    Ok(Local::new(Kernels::new(environment, settings), executor, settings.output << 20))
}

/// What is wrong with the mail settings, if anything is.
///
/// # Errors
/// As [`App::start`] would give it.
pub fn check_mail(settings: &Settings) -> Result<(), StartError> {
    Ok(Mailer::new(&mail_settings(settings, PathBuf::new())).map(drop)?)
}

fn outbound_policy(settings: &Settings) -> OutboundPolicy {
    OutboundPolicy { allow: settings.outbound.allow.clone(), allow_http: settings.outbound.allow_http }
}

fn mail_settings(settings: &Settings, dir: PathBuf) -> MailSettings {
    MailSettings {
        url: settings.smtp.url.as_ref().map(|url| url.expose().to_owned()),
        from: settings.smtp.from.clone().unwrap_or_else(|| "nbhook <nbhook@localhost>".to_owned()),
        dir,
    }
}
