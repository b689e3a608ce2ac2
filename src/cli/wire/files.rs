//! Assets and dependencies.

use serde::Deserialize;

use super::HookUrl;

#[derive(Debug, Deserialize)]
pub(in crate::cli) struct StoredFile {
    pub(in crate::cli) id: String,
    pub(in crate::cli) path: String,
    pub(in crate::cli) owner: String,
    /// Of the live version, as the rest.
    pub(in crate::cli) histo: String,
    /// In bytes.
    pub(in crate::cli) size: u64,
    pub(in crate::cli) files: u64,
    pub(in crate::cli) sha256: String,
    pub(in crate::cli) created_at: String,
    pub(in crate::cli) updated_at: String,
    /// Of an asset.
    #[serde(default)]
    pub(in crate::cli) url: Option<HookUrl>,
    #[serde(default)]
    pub(in crate::cli) params: FileParams,
}

#[derive(Debug, Default, Deserialize)]
pub(in crate::cli) struct FileParams {
    #[serde(default)]
    pub(in crate::cli) inline: bool,
}

#[derive(Debug, Deserialize)]
pub(in crate::cli) struct FileVersion {
    pub(in crate::cli) histo: String,
    pub(in crate::cli) size: u64,
    pub(in crate::cli) files: u64,
    pub(in crate::cli) sha256: String,
    pub(in crate::cli) live: bool,
    pub(in crate::cli) created_at: String,
}
