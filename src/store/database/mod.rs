//! The database: SQLite in WAL mode, its migrations, and every SQL statement of nbhook (one file per table).
//!
//! Each public method is one statement or one transaction. Transactions that write begin as `IMMEDIATE`, so two of them wait
//! for each other instead of failing half-way.

mod answered;
mod callbacks;
mod calls;
mod declared;
mod deliveries;
mod events;
mod figures;
mod firings;
mod hooks;
mod inboxes;
mod listed_hooks;
mod notices;
mod notifications;
mod outputs;
mod profiles;
mod retention;
mod runs;
mod schedules;
mod secrets;
mod sessions;
mod signatures;
mod stored;
mod subscriptions;
mod topics;
mod users;
mod versions;

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection as _, SqlSafeStr as _, Sqlite, SqliteConnection, Transaction};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use super::{Result, StoreError};
use crate::model::SigningSecret;

pub use callbacks::CallbackFilter;
pub use calls::{KeyClaim, KeyUse};
pub use deliveries::{AttemptEnd, ClaimLimits, Claimed, DeliveryFilter, DueDelivery, Recipient};
use events::Subscribers;
pub use events::{EventFilter, NewDeclared};
pub use figures::Span;
pub use firings::{Claim, Firing};
pub use hooks::{Deployed, NewDeploy};
pub use inboxes::{InboxReply, NewCapture, Received};
pub use listed_hooks::RecentRun;
pub use notices::{NewNotice, Notice, NoticeEvent, NoticeSubject};
pub use notifications::{DueMail, MailLimits, NewMail, QueuedMail};
pub use outputs::ListedOutput;
pub use retention::{OnRecord, RemovedRun};
pub use runs::{FinishedRun, NewRun, RunFilter, Unfinished};
pub use secrets::{KeptSecret, SealedSecret, SecretLimits};
pub use stored::{Neighbour, NewStored};
pub use subscriptions::{Subscribed, SubscriptionFilter};

/// How long to wait for the turn to write. Thousands are over in that time.
const LONGEST_TURN: Duration = Duration::from_mins(1);

/// A pool of connections to the one database of a data folder.
#[derive(Debug, Clone)]
pub struct Database {
    pool: SqlitePool,
    /// The turn to write, in the order of asking: SQLite itself would let whoever asks most often write most.
    turn: Arc<Semaphore>,
    bells: Arc<Bells>,
}

/// A transaction that writes.
struct Write {
    tx: Transaction<'static, Sqlite>,
    /// Whose subscriptions it has read.
    subscribers: Subscribers,
    news: News,
    bells: Arc<Bells>,
    _turn: OwnedSemaphorePermit,
}

/// Whom a transaction has something for.
#[derive(Debug, Default)]
struct News {
    deliveries: bool,
    topics: bool,
}

/// Who waits for what others write.
#[derive(Debug)]
struct Bells {
    deliveries: Notify,
    topics: watch::Sender<()>,
}

impl Write {
    /// Commits, and then wakes those who wait for what was written.
    async fn commit(self) -> Result<()> {
        self.tx.commit().await?;
        if self.news.deliveries {
            self.bells.deliveries.notify_one();
        }
        if self.news.topics {
            self.bells.topics.send_replace(());
        }
        Ok(())
    }
}

impl Deref for Write {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.tx
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }
}

/// Declares the columns that a query gives, by name; what sqlx's derive would do at the price of compiling sqlx twice.
macro_rules! row {
    ($visible:vis struct $name:ident { $($column:ident: $type:ty,)* }) => {
        $visible struct $name {
            $($column: $type,)*
        }

        impl sqlx::FromRow<'_, sqlx::sqlite::SqliteRow> for $name {
            fn from_row(row: &sqlx::sqlite::SqliteRow) -> sqlx::Result<Self> {
                Ok(Self { $($column: sqlx::Row::try_get(row, stringify!($column))?,)* })
            }
        }
    };
}
use row;

impl Database {
    /// Opens (and makes, and migrates) the database in `file`.
    pub async fn open(file: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: what was committed is on disk, even if the machine loses power.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(10))
            // SQLite ends a transaction by itself when the disk is full. sqlx does not notice, and lets its connection begin no
            // other: such a connection is closed.
            .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
            .connect_with(options)
            .await?;
        migrations().run(&pool).await?;
        let bells = Bells { deliveries: Notify::new(), topics: watch::channel(()).0 };
        Ok(Self { pool, turn: Arc::new(Semaphore::new(1)), bells: Arc::new(bells) })
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Writes everything back and closes the connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Writes on a connection that may make the database no larger than it is, until SQLite says that it is full.
    #[cfg(test)]
    pub(in crate::store) async fn fill_up(&self) -> sqlx::Result<()> {
        let mut connection = self.pool.acquire().await?;
        sqlx::query("PRAGMA max_page_count = 1").execute(&mut *connection).await?; // no less than there are
        sqlx::query("CREATE TABLE more (text TEXT)").execute(&mut *connection).await?;
        loop {
            sqlx::query("INSERT INTO more VALUES (hex(zeroblob(10000)))").execute(&mut *connection).await?;
        }
    }

    async fn write(&self) -> Result<Write> {
        let turn = self.turn().await?;
        Ok(Write {
            tx: self.pool.begin_with("BEGIN IMMEDIATE").await?,
            subscribers: Subscribers::default(),
            news: News::default(),
            bells: self.bells.clone(),
            _turn: turn,
        })
    }

    /// Ends when deliveries were queued since this ended last.
    pub async fn delivery_queued(&self) {
        self.bells.deliveries.notified().await;
    }

    /// Changes whenever something was published to a topic.
    #[must_use]
    pub fn topic_news(&self) -> watch::Receiver<()> {
        self.bells.topics.subscribe()
    }

    /// The turn to write; for single statements that callers wait for. Does not wait for ever for one that never ends.
    async fn turn(&self) -> Result<OwnedSemaphorePermit> {
        let turn = tokio::time::timeout(LONGEST_TURN, self.turn.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| sqlx::Error::PoolTimedOut)?;
        turn.map_err(|error| StoreError::Corrupt(error.to_string()))
    }
}

/// The migrations in `src/store/migrations`, in order. One that was released is never changed.
fn migrations() -> Migrator {
    let all = [
        (1, "hooks and runs", include_str!("../migrations/0001_hooks_and_runs.sql")),
        (2, "imports", include_str!("../migrations/0002_imports.sql")),
        (3, "contract", include_str!("../migrations/0003_contract.sql")),
        (4, "run control", include_str!("../migrations/0004_run_control.sql")),
        (5, "retention", include_str!("../migrations/0005_retention.sql")),
        (6, "signatures", include_str!("../migrations/0006_signatures.sql")),
        (7, "inboxes", include_str!("../migrations/0007_inboxes.sql")),
        (8, "events", include_str!("../migrations/0008_events.sql")),
        (9, "declared callbacks", include_str!("../migrations/0009_declared_callbacks.sql")),
        (10, "deliveries", include_str!("../migrations/0010_deliveries.sql")),
        (11, "hops", include_str!("../migrations/0011_hops.sql")),
        (12, "sessions", include_str!("../migrations/0012_sessions.sql")),
        (13, "schedules", include_str!("../migrations/0013_schedules.sql")),
        (14, "secrets", include_str!("../migrations/0014_secrets.sql")),
        (15, "files", include_str!("../migrations/0015_files.sql")),
        (16, "figures", include_str!("../migrations/0016_figures.sql")),
        (17, "runs and their events", include_str!("../migrations/0017_runs_and_their_events.sql")),
        (18, "schedules of runs", include_str!("../migrations/0018_schedules_of_runs.sql")),
    ];
    let migrations = all.map(|(version, description, sql)| {
        Migration::new(version, description.into(), MigrationType::Simple, AssertSqlSafe(sql).into_sql_str(), false)
    });
    Migrator { migrations: migrations.to_vec().into(), ..Migrator::DEFAULT }
}

fn millis(time: DateTime<Utc>) -> i64 {
    time.timestamp_millis()
}

fn time(millis: i64) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp_millis(millis).ok_or_else(|| StoreError::Corrupt(format!("time {millis}")))
}

/// Reads a text column into the type it was written from.
fn parse<T>(text: &str) -> Result<T>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| StoreError::Corrupt(error.to_string()))
}

/// Reads a signing secret; an error does not repeat it.
fn parse_secret(text: &str) -> Result<SigningSecret> {
    text.parse().map_err(|_| StoreError::Corrupt("a signing secret".to_owned()))
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn to_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// Turns the violation of a UNIQUE constraint into [`StoreError::Exists`].
fn unique(what: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |error| match error.as_database_error() {
        Some(database) if database.is_unique_violation() => StoreError::Exists(what),
        _ => StoreError::Database(error),
    }
}
