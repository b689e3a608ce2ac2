//! What a run's kernel says who it is with, and what the run must not show: what it was called with, was given and has read that
//! is secret.
//!
//! In memory only, and as long as the attempt goes on: a credential that was copied out of a kernel is nothing afterwards.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::watch::LiveRun;
use super::{Error, Result, Service};
use crate::model::{Caller, Hook, Role, RunId, RunToken};
use crate::notebook::{Secrets, spellings};

/// Whom the bearer of a token acts for. The token itself is in the kernel's environment only.
pub(super) struct Credential {
    hash: [u8; 32],
    owner: Caller,
}

/// Shows nothing.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(***)")
    }
}

/// The texts that are masked in whatever is kept or told of a run.
#[derive(Default)]
pub(super) struct Masks(Mutex<Arc<Secrets>>);

impl Masks {
    /// Masks these from now on, however they are written.
    pub(super) fn add<'a>(&self, secrets: impl IntoIterator<Item = &'a str>) {
        let mut known = lock(&self.0);
        if let Some(all) = known.with(secrets.into_iter().flat_map(spellings)) {
            *known = Arc::new(all);
        }
    }

    pub(super) fn texts(&self) -> Arc<Secrets> {
        lock(&self.0).clone()
    }
}

impl fmt::Debug for Masks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Masks(***)")
    }
}

/// A run's kernel is let in as long as this is there.
pub(super) struct LetIn(Arc<LiveRun>);

impl LetIn {
    /// Lets in whoever has the token, for the owner of the hook, and never as an admin: a notebook is not its author.
    pub(super) fn new(run: &Arc<LiveRun>, token: &RunToken, hook: &Hook) -> Self {
        let owner = Caller { user: hook.owner, name: hook.owner_name.clone(), role: Role::Member };
        run.masks.add([token.expose()]);
        *lock(&run.credential) = Some(Credential { hash: hash(token), owner });
        Self(run.clone())
    }
}

impl Drop for LetIn {
    fn drop(&mut self) {
        lock(&self.0.credential).take();
    }
}

impl LiveRun {
    /// Whom the bearer of the token with this hash acts for, if it is this run's.
    pub(super) fn admits(&self, hash: &[u8; 32]) -> Option<Caller> {
        let credential = lock(&self.credential);
        let credential = credential.as_ref()?;
        bool::from(credential.hash.ct_eq(hash)).then(|| credential.owner.clone())
    }

    /// Masks a secret that the run is about to be given; not if it has ended, as what it left may have been looked through already.
    fn learn(&self, secret: &str) -> bool {
        let credential = lock(&self.credential);
        if credential.is_some() {
            self.masks.add([secret]);
        }
        credential.is_some()
    }
}

impl Service {
    /// Whom a run's kernel acts for, and which run that is.
    pub fn run_caller(&self, token: &RunToken) -> Option<(Caller, RunId)> {
        self.live.admits(&hash(token))
    }

    /// Before a run is given a secret.
    pub(super) fn let_run_learn(&self, run: RunId, secret: &str) -> Result<()> {
        let learnt = self.live.get(run).is_some_and(|live| live.learn(secret));
        if learnt { Ok(()) } else { Err(Error::Unauthorized) }
    }

    /// What is masked in a run that goes on.
    pub(super) fn masks_of(&self, run: RunId) -> Arc<Secrets> {
        self.live.get(run).map(|live| live.masks.texts()).unwrap_or_default()
    }
}

fn hash(token: &RunToken) -> [u8; 32] {
    Sha256::digest(token.expose().as_bytes()).into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notebook::mask;

    #[test]
    fn masks_know_what_was_added_and_show_in_no_debug() {
        let masks = Masks::default();
        masks.add(["hush", "hush-hush"]);
        let texts = masks.texts();
        let mut text = "hush-hush, aHVzaA==".to_owned();
        mask(&mut text, &texts);
        assert_eq!(text, "***, ***");
        masks.add(["hush"]);
        assert!(Arc::ptr_eq(&texts, &masks.texts()), "nothing new");
        assert!(!format!("{masks:?}").contains("hush"));
    }
}
