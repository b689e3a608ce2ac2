//! The manager's pages, rendered.

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
}
