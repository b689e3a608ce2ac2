//! Plain types and pure rules, shared by every other module.
//!
//! A value of a type from here is valid: it was parsed where it came in. This module knows only `std`, serde, chrono and
//! uuid; it does no I/O and reads no clock.

mod hook;
mod ids;
mod invalid;
mod page;
mod path;
mod run;
mod user;

pub use hook::{EmailAddress, Hook, HookParams, HookParamsPatch, Imports, NextUrl, Version, Warm, Workdir};
pub use ids::{ApiToken, Histo, HookId, HookToken, RunId, TokenHash, TokenId, UserId};
pub use invalid::Invalid;
pub use page::Page;
pub use path::{HookPath, RelativePath};
pub use run::{ErrorKind, Run, RunError, RunState, Trigger};
pub use user::{Caller, Owner, Role, TokenInfo, User};
