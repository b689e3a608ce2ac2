//! Bounds for dependencies and assets: `[files]`.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileSettings {
    /// Dependencies, and as many assets, of each user.
    pub limit: u32,
    /// Largest upload, in bytes.
    pub body_limit: usize,
    /// Versions that are kept of each, the live one included; 0 sets no bound.
    pub versions: u32,
}

impl Default for FileSettings {
    fn default() -> Self {
        Self { limit: 1_000, body_limit: 500 << 20, versions: 20 }
    }
}
