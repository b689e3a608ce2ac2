//! Secrets: kept encrypted for their owner, who alone may read them, by an API token or in a run.

use super::{Error, Result, Service};
use crate::model::{Caller, Page, RunId, SecretInfo, SecretName, SecretValue, UserId};
use crate::store::{KeptSecret, SecretLimits};

/// What one user may keep; bounds what the runs that read it have to look for in their outputs.
const LIMITS: SecretLimits = SecretLimits { count: 200, bytes: 1 << 20 };

impl Service {
    /// Keeps a secret of the caller's; says whether it is new.
    pub async fn put_secret(
        &self,
        caller: &Caller,
        name: &SecretName,
        value: &SecretValue,
    ) -> Result<(SecretInfo, bool)> {
        let place = place(caller.user, name);
        let sealed = self.sealer.seal(self.random.bits160()?, &place, value.expose().as_bytes());
        let sealed = sealed.map_err(|error| Error::Internal(error.to_string()))?;
        let now = self.clock.now();
        match self.db.put_secret(caller.user, name, (self.sealer.id(), &sealed), LIMITS, now).await? {
            KeptSecret::New(info) => Ok((info, true)),
            KeptSecret::Changed(info) => Ok((info, false)),
            KeptSecret::TooMany => {
                let SecretLimits { count, bytes } = LIMITS;
                let why = format!("you may keep {count} secrets, of {} KiB together", bytes >> 10);
                Err(Error::Forbidden(why))
            }
        }
    }

    /// A secret of the caller's with its value, and nobody else's: not even an admin gets that. A `run` that is given it masks it
    /// from then on.
    pub async fn secret(
        &self,
        caller: &Caller,
        run: Option<RunId>,
        name: &SecretName,
    ) -> Result<(SecretInfo, SecretValue)> {
        let kept = self.db.secret(caller.user, name).await?.ok_or_else(not_found)?;
        let other_key = || Error::Conflict(format!("the secret `{name}` was encrypted with another key: add it again"));
        if kept.key_id != self.sealer.id() {
            return Err(other_key());
        }
        let opened = self.sealer.open(&place(caller.user, name), &kept.sealed).map_err(|_| other_key())?;
        let text = String::from_utf8(opened).map_err(|_| other_key())?;
        let value = SecretValue::try_from(text).map_err(|_| other_key())?;
        if let Some(run) = run {
            self.let_run_learn(run, value.expose())?;
        }
        Ok((kept.info, value))
    }

    /// The caller's secrets, by name, without values.
    pub async fn secrets(&self, caller: &Caller, page: Page) -> Result<Vec<SecretInfo>> {
        Ok(self.db.secrets(caller.user, page).await?)
    }

    pub async fn delete_secret(&self, caller: &Caller, name: &SecretName) -> Result<()> {
        let deleted = self.with_reserve(|| self.db.delete_secret(caller.user, name)).await?;
        if deleted { Ok(()) } else { Err(not_found()) }
    }

    /// Says at the start if there are secrets that this server's key does not open.
    pub(super) async fn check_secrets(&self) -> Result<()> {
        let lost = self.db.secrets_of_other_keys(self.sealer.id()).await?;
        if lost > 0 {
            tracing::warn!(
                secrets = lost,
                "secrets were encrypted with another key and cannot be read: give the server that key (secret_key, or \
                 .nbhook/secret.key in the data folder), or have their owners add them again"
            );
        }
        Ok(())
    }
}

/// What a secret is sealed for: opened for another owner or name, it is none.
fn place(owner: UserId, name: &SecretName) -> String {
    format!("secret\0{owner}\0{name}")
}

fn not_found() -> Error {
    Error::NotFound("secret")
}
