//! The manager's pages, rendered.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::{Error, Result, Service};

impl Service {
    /// Renders `templates/manager/<name>.html`.
    ///
    /// # Errors
    /// `Internal`, if the context lacks something that the template uses.
    pub fn page(&self, name: &str, context: impl Serialize) -> Result<String> {
        self.templates.page(name, context).map_err(|error| Error::Internal(error.to_string()))
    }

    /// The time by the server's clock.
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.clock.now()
    }

    /// Whether browsers reach this server by TLS, and so may keep cookies to it.
    pub fn is_behind_tls(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// Whether a proxy in front is to be believed how it was asked.
    pub fn is_behind_proxy(&self) -> bool {
        self.settings.behind_proxy
    }

    /// What tells a page's own scripts and styles from those that somebody got into it (Content-Security-Policy), once.
    ///
    /// # Errors
    /// `Internal`, if the system has no randomness.
    pub fn nonce(&self) -> Result<String> {
        Ok(URL_SAFE_NO_PAD.encode(self.random.bits160()?))
    }
}
