//! A hook and its versions.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Contract, DeclaredCallbacks, Histo, HookId, HookParams, HookPath, HookToken, Owner, UserId};

/// A notebook deployed as a URL.
#[derive(Debug, Clone)]
pub struct Hook {
    pub id: HookId,
    pub owner: UserId,
    pub owner_name: Owner,
    pub path: HookPath,
    pub token: HookToken,
    /// The live version.
    pub histo: Histo,
    pub params: HookParams,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// One deployed notebook of a hook.
#[derive(Debug, Clone)]
pub struct Version {
    pub histo: Histo,
    /// Size of the notebook in bytes.
    pub size: u64,
    /// The interpreter that the deploying kernel named, if this server may and can use it.
    pub python: Option<PathBuf>,
    /// What it imports, if that is known.
    pub imports: Option<Imports>,
    /// What it takes, if that is known: its `parameters` cell could be read.
    pub contract: Option<Contract>,
    /// What it sends to URLs that its callers name.
    pub callbacks: Option<DeclaredCallbacks>,
    pub live: bool,
    pub created_at: DateTime<Utc>,
}

/// What a Python notebook's cells import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imports {
    /// Dotted names, in the order of the cells.
    pub modules: Vec<String>,
    /// Why they should not be imported before the cells run, if there is a reason to be seen in the cells.
    pub hindrance: Option<String>,
}
