//! Signing in to the manager: an API token becomes a session, which a browser holds as a cookie.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::users::hash;
use super::{Error, Result, Service, hex};
use crate::model::{ApiToken, Caller, SessionToken, TokenHash};

/// How long a browser stays signed in.
pub const SESSION_LIFE: Duration = Duration::from_hours(7 * 24);

fn digest(prefix: &str, session: &SessionToken) -> String {
    hex(&Sha256::new().chain_update(prefix).chain_update(session.expose()).finalize())
}

impl Service {
    /// Begins a session, which ends when its token is revoked.
    ///
    /// # Errors
    /// `Unauthorized` when the token is not valid.
    pub async fn sign_in(&self, token: &ApiToken) -> Result<SessionToken> {
        let session = SessionToken::from_random(self.random.bits160()?);
        let (now, stored) = (self.clock.now(), TokenHash(digest("", &session)));
        let is_known = self.db.create_session(&stored, &hash(token), now, now + SESSION_LIFE).await?;
        if is_known { Ok(session) } else { Err(Error::Unauthorized) }
    }

    /// The user who is signed in.
    ///
    /// # Errors
    /// `Unauthorized` when the session is over.
    pub async fn signed_in(&self, session: &SessionToken) -> Result<Caller> {
        let stored = TokenHash(digest("", session));
        self.db.caller_by_session(&stored, self.clock.now()).await?.ok_or(Error::Unauthorized)
    }

    pub async fn sign_out(&self, session: &SessionToken) -> Result<()> {
        Ok(self.db.delete_session(&TokenHash(digest("", session))).await?)
    }

    /// What the pages of a session send along with whatever changes something, and other sites' pages cannot know.
    #[must_use]
    pub fn csrf_token(session: &SessionToken) -> String {
        digest("csrf:", session)
    }
}
