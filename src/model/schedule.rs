//! When a hook runs by itself.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{HookId, HookPath, Invalid, Owner, RunId, ScheduleId, UserId};

/// What is done when it fires while the run before goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    #[default]
    Skip,
    Allow,
}

/// What is done about times at which no server was running.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// One run for all of them, as soon as a server runs.
    #[default]
    RunOnce,
    Skip,
}

/// A hook's schedule. Expression and zone are texts here; what reads them is `crontab`.
#[derive(Debug, Clone)]
pub struct Schedule {
    pub id: ScheduleId,
    pub hook: HookId,
    pub owner: UserId,
    pub owner_name: Owner,
    pub path: HookPath,
    pub cron: String,
    pub tz: String,
    pub params: Map<String, Value>,
    pub overlap: Overlap,
    pub missed: Missed,
    pub enabled: bool,
    /// None: it is not enabled, or fires no more.
    pub next_at: Option<DateTime<Utc>>,
    /// The time that it fired for last.
    pub last_at: Option<DateTime<Utc>>,
    pub last_run: Option<RunId>,
    /// Why there was no run the last time.
    pub problem: Option<String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Overlap {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Allow => "allow",
        }
    }
}

impl Missed {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunOnce => "run_once",
            Self::Skip => "skip",
        }
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Overlap {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let known = [Self::Skip, Self::Allow].into_iter().find(|one| one.as_str() == text);
        known.ok_or_else(|| Invalid::new("overlap", "must be skip or allow"))
    }
}

impl FromStr for Missed {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let known = [Self::RunOnce, Self::Skip].into_iter().find(|one| one.as_str() == text);
        known.ok_or_else(|| Invalid::new("missed", "must be run_once or skip"))
    }
}
