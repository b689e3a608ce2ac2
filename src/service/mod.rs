//! The use cases, one per file: what nbhook does, in terms of the model and the adapters.
//!
//! It knows no HTTP framework, no SQL and no socket. Every method checks who is calling before it touches anything.

mod admission;
mod answers;
mod attempt;
mod body_room;
mod call;
mod callbacks;
mod captures;
mod conclude;
mod contracts;
mod credential;
pub mod declared;
mod deliver;
mod deliveries;
mod dependencies;
mod deploy;
mod disk;
mod documents;
mod ending;
mod error;
mod events;
mod figures;
mod folders;
mod gate;
mod hook_pages;
mod hooks;
mod idempotency;
mod inbox;
mod keep;
mod kept;
mod kernels;
mod lifecycle;
mod load;
mod local;
mod notebooks;
mod notices;
mod notifications;
mod pages;
mod prepare;
mod profiles;
mod reply;
mod request;
mod retention;
mod room;
mod run_pages;
mod runs;
mod schedules;
mod secrets;
mod sessions;
mod signature;
mod stored;
mod subscriptions;
mod task_callback;
mod tasks;
mod topics;
mod unsaved;
mod users;
mod warm;
mod watch;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use admission::{Admission, RETRY_AFTER};
pub use body_room::BodyPart;
use body_room::BodyRoom;
pub use call::{Called, Target};
pub use callbacks::{CallbackQuery, NewCallback};
use captures::Captures;
use contracts::Checkers;
pub use contracts::inspect_notebook;
use deliver::Flights;
pub use deliveries::DeliveryQuery;
use dependencies::Dependencies;
pub use deploy::{Deploy, DeployReply, check_places};
pub use error::{Error, Result};
pub use events::EventQuery;
pub use figures::Overview;
pub use gate::Pass;
pub use hook_pages::CallGuide;
pub use inbox::NewInbox;
pub use kernels::Kernels;
use kernels::Wish;
use load::Samples;
pub use load::{SAMPLE_EVERY, SAMPLES_REACH};
pub use local::{Given, Local, LocalAnswer, LocalDone, LocalRun, Ready};
use notebooks::Notebooks;
pub use notifications::{LARGEST_MAIL, NewNotification};
pub use profiles::NewProfile;
pub use reply::{Content as AnswerContent, Reply, ReplyBody};
pub use request::{Body, Call, Prefer, RawBody, Upload, Wish as CallWish};
pub use retention::{Pruned, PrunedHook, Tally};
pub use run_pages::RunView;
pub use runs::{Events, RunQuery};
pub use schedules::NewSchedule;
pub use sessions::SESSION_LIFE;
pub use signature::{Proof, Unsigned};
pub use stored::{NewFile, OpenFile};
pub use subscriptions::{Aim, NewSubscription, SubscriptionQuery};
pub use tasks::{Asker, Task};
use topics::Readers;
pub use topics::{From as TopicFrom, TopicReader};
use unsaved::Unsaved;
pub use users::IssuedToken;
pub use warm::Warmth;
use watch::Live;
pub use watch::Watching;

use crate::clock::SharedClock;
use crate::config::Settings;
pub use crate::crontab::{Crontab, Zone};
use crate::kernel::Executor;
use crate::mail::Mailer;
pub use crate::notebook::{Excerpt, ShownCell, ShownNotebook};
use crate::random::SharedRandom;
pub use crate::response::Accept;
use crate::sealing::Sealer;
pub use crate::store::{Content as FileContent, InboxReply, RecentRun};
use crate::store::{Database, Files};
use crate::templates::Templates;
use crate::webhook::Sender;

/// The parts that `app` puts together.
#[expect(missing_debug_implementations, reason = "moved into a `Service` at once, which has one")]
pub struct Parts {
    pub settings: Settings,
    pub public_url: String,
    /// How kernels reach this server: they run on the same machine.
    pub local_url: String,
    pub db: Database,
    pub files: Files,
    pub clock: SharedClock,
    pub random: SharedRandom,
    pub executor: Arc<dyn Executor>,
    pub kernels: Kernels,
    pub mailer: Mailer,
    pub webhooks: Sender,
    pub templates: Templates,
    /// What the keys of tasks are made with.
    pub task_secret: Vec<u8>,
    /// What users' secrets are encrypted with.
    pub sealer: Sealer,
    /// Where runs go on when their callers are gone.
    pub runtime: Handle,
}

/// nbhook, behind its interfaces.
pub struct Service {
    settings: Settings,
    public_url: String,
    local_url: String,
    db: Database,
    files: Files,
    clock: SharedClock,
    random: SharedRandom,
    executor: Arc<dyn Executor>,
    kernels: Kernels,
    mailer: Mailer,
    webhooks: Sender,
    templates: Templates,
    runtime: Handle,
    admission: Arc<Admission>,
    bodies: BodyRoom,
    notebooks: Arc<Notebooks>,
    checkers: Checkers,
    dependencies: Dependencies,
    runs: TaskTracker,
    live: Live,
    samples: Samples,
    captures: Captures,
    /// Of topics.
    readers: Arc<Readers>,
    unsaved: Unsaved,
    task_secret: Vec<u8>,
    sealer: Sealer,
    draining: AtomicBool,
    /// Asynchronous runs that wait are left to the next server.
    parking: CancellationToken,
    interrupt: CancellationToken,
    notices: Notify,
    schedule_news: Notify,
    /// The turn to make or remove the folder of a hook.
    folders: Semaphore,
    /// Leave to send mails.
    sender: Semaphore,
    /// Leave to render outputs for the manager: each takes a process for a second.
    renders: Semaphore,
    /// Leave to remove what exceeds its bounds.
    sweeper: Semaphore,
    /// The deliveries that are being attempted.
    flights: Arc<Flights>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Service {
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        let kernel = &parts.settings.kernel;
        let flights = Flights::new(parts.settings.outbound.concurrency);
        Arc::new(Self {
            admission: Admission::new(kernel.limit, kernel.queue),
            bodies: BodyRoom::new(parts.settings.body_memory),
            live: Live::new(parts.clock.clone()),
            samples: Samples::default(),
            captures: Captures::start(parts.db.clone(), &parts.runtime),
            settings: parts.settings,
            public_url: parts.public_url,
            local_url: parts.local_url,
            db: parts.db,
            files: parts.files,
            clock: parts.clock,
            random: parts.random,
            executor: parts.executor,
            kernels: parts.kernels,
            mailer: parts.mailer,
            webhooks: parts.webhooks,
            templates: parts.templates,
            runtime: parts.runtime,
            notebooks: Arc::default(),
            checkers: Checkers::default(),
            dependencies: Dependencies::default(),
            readers: Arc::default(),
            runs: TaskTracker::new(),
            unsaved: Unsaved::default(),
            task_secret: parts.task_secret,
            sealer: parts.sealer,
            draining: AtomicBool::new(false),
            parking: CancellationToken::new(),
            interrupt: CancellationToken::new(),
            notices: Notify::new(),
            schedule_news: Notify::new(),
            folders: folders::turns(),
            sender: Semaphore::new(1),
            renders: Semaphore::new(2),
            sweeper: Semaphore::new(1),
            flights,
        })
    }

    /// The URL of a hook: whoever has it may call the hook.
    #[must_use]
    pub fn url(&self, hook: &crate::model::Hook) -> String {
        format!("{}/hooks/{}", self.public_url, hook.token.expose())
    }

    /// The public URL of an inbox.
    #[must_use]
    pub fn inbox_url(&self, id: &crate::model::InboxId) -> String {
        format!("{}/inbox/{}", self.public_url, id.expose())
    }

    /// Largest body that is sent to an inbox or sets one up, in bytes.
    pub fn inbox_body_limit(&self) -> usize {
        self.settings.inbox.body_limit
    }

    /// What requests to callbacks are sent with.
    pub fn webhooks(&self) -> &Sender {
        &self.webhooks
    }

    /// Room for the body of a call.
    pub fn room_for_body(&self) -> BodyPart {
        self.bodies.part()
    }

    /// Largest request body, in bytes.
    pub fn body_limit(&self) -> usize {
        self.settings.body_limit
    }

    /// How long the next piece of a request body may take.
    pub fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.settings.body_timeout)
    }

    /// A file for an upload, removed if nobody takes it.
    pub async fn upload(&self) -> Result<tempfile::NamedTempFile> {
        on_disk(&self.files, Files::upload).await
    }
}

/// Bytes in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}"); // writing to a String cannot fail
        hex
    })
}

/// Does blocking work on files away from the async threads.
async fn on_disk<T, E>(files: &Files, work: impl FnOnce(&Files) -> Result<T, E> + Send + 'static) -> Result<T>
where
    T: Send + 'static,
    E: Into<Error> + Send + 'static,
{
    let files = files.clone();
    tokio::task::spawn_blocking(move || work(&files)).await?.map_err(Into::into)
}
