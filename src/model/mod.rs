//! Plain types and pure rules, shared by every other module.
//!
//! A value of a type from here is valid: it was parsed where it came in. This module knows only `std`, serde, chrono and
//! uuid; it does no I/O and reads no clock.

mod answered;
mod contract;
mod hook;
mod ids;
mod invalid;
mod page;
mod params;
mod path;
mod progress;
mod retention;
mod run;
mod run_event;
mod user;

pub use answered::Answered;
pub use contract::{Contract, Parameter, describe};
pub use hook::{Hook, Imports, Version};
pub use ids::{ApiToken, Histo, HookId, HookToken, RunId, TaskKey, TokenHash, TokenId, UserId};
pub use invalid::{Invalid, InvalidParameter, Place};
pub use page::Page;
pub use params::{EmailAddress, HookParams, HookParamsPatch, Keep, Mode, NextUrl, OnInterrupt, Warm, Workdir};
pub use path::{HookPath, RelativePath};
pub use progress::Progress;
pub use retention::{Bounds, Item, Kept, KeptRun, KeptVersion, Plan, Retention, excess};
pub use run::{CellStatus, CellTiming, ErrorKind, Run, RunError, RunState, Trigger};
pub use run_event::RunEvent;
pub use user::{Caller, Owner, Role, TokenInfo, User};
