//! Plain types and pure rules, shared by every other module.
//!
//! A value of a type from here is valid: it was parsed where it came in. This module knows only `std`, serde, chrono, uuid
//! and base64; it does no I/O and reads no clock.

mod address;
mod answered;
mod callback;
mod callback_change;
mod contract;
mod cors;
mod declared;
pub mod delivery;
mod depth;
pub mod event;
mod figures;
mod filter;
mod hook;
mod hops;
mod ids;
mod inbox;
mod invalid;
mod media_type;
mod network;
pub mod notification;
mod page;
mod params;
mod path;
mod progress;
mod retention;
mod run;
mod run_event;
mod schedule;
mod secret;
mod signature;
mod signing;
mod stored;
mod subscription;
mod token;
mod topic;
mod user;
mod user_mail;

pub use address::{EmailAddress, NextUrl};
pub use answered::Answered;
pub use callback::{Callback, CallbackConfig, CallbackHeader, CallbackScheme, CallbackTrouble, Profile, SigningKeys};
pub use callback_change::{CallbackChange, CallbackSetup, Change, ConfigChange, HeaderChange};
pub use contract::{Contract, Parameter, describe};
pub use cors::{Cors, Origin};
pub use declared::{DeclaredCallback, DeclaredCallbacks};
pub use delivery::{Delivery, DeliveryAttempt, DeliveryStatus, NextStep};
pub use depth::is_too_deep;
pub use event::{Event, EventType};
pub use figures::{DeliveryFigures, DiskRoom, DiskUse, FailingHook, Load, Recorded, RunFigures};
pub use filter::{Filter, FilterTest};
pub use hook::{Hook, Imports, Version};
pub use hops::{HOPS_HEADER, hops};
pub use ids::{
    CallbackId, DeliveryId, EventId, Histo, HookId, NotificationId, ProfileId, RunId, ScheduleId, StoredId,
    SubscriptionId, TokenId, UserId,
};
pub use inbox::{Capture, Inbox, InboxId, InboxSetup, object_of};
pub use invalid::{Invalid, InvalidParameter, Place};
pub use media_type::is_json;
pub use network::Network;
pub use page::Page;
pub use params::{HookParams, HookParamsPatch, Keep, Mode, OnInterrupt, Warm, Workdir};
pub use path::{HookPath, RelativePath};
pub use progress::Progress;
pub use retention::{Bounds, Item, Kept, KeptRun, KeptVersion, Plan, Retention, excess};
pub use run::{CellStatus, CellTiming, ErrorKind, Run, RunError, RunState, Trigger};
pub use run_event::RunEvent;
pub use schedule::{Missed, Overlap, Schedule};
pub use secret::{SecretInfo, SecretKey, SecretName, SecretValue};
pub use signature::{Scheme, Secret, Signature};
pub use signing::{CallbackMethod, SigningSecret};
pub use stored::{Stored, StoredKind, StoredVersion, clash};
pub use subscription::{Subscription, SubscriptionKind, SubscriptionMode, SubscriptionStatus, Target};
pub use token::{API_PREFIX, ApiToken, AssetToken, HookToken, RUN_PREFIX, RunToken, SessionToken, TaskKey, TokenHash};
pub use topic::TopicName;
pub use user::{Caller, Owner, Role, TokenInfo, User};
pub use user_mail::{Attachment, MailRecord, MailState, UserMail, attachment_name};
