//! Letting in the calls of a hook that wants them signed: each of them once.

use std::sync::Arc;

use super::signature::{Mark, Proof, Unsigned};
use super::{Error, Result, Service};
use crate::model::{Caller, Hook, HookId};

/// A call that was let in. It is forgotten, so that its sender may try again, if this is dropped before the call was carried out.
#[derive(Debug)]
pub struct Pass(Option<Remembered>);

#[derive(Debug)]
struct Remembered {
    service: Arc<Service>,
    hook: HookId,
    mark: Mark,
}

impl Service {
    /// What a call's headers say of where it comes from; none, if nobody asks: the hook wants no signature, or it is its
    /// owner who calls.
    ///
    /// # Errors
    /// `Unsigned`.
    pub fn proof(&self, hook: &Hook, caller: Option<&Caller>, headers: &[(String, String)]) -> Result<Option<Proof>> {
        match &hook.params.signature {
            Some(signature) if !caller.is_some_and(|caller| caller.may_touch(hook.owner)) => {
                Proof::read(signature, headers, self.clock.now()).map(Some).map_err(refused)
            }
            _ => Ok(None),
        }
    }

    /// Lets a call in with its body as it was sent, and remembers it.
    ///
    /// # Errors
    /// `Unsigned`, also when the same call was let in before.
    pub async fn let_in(self: &Arc<Self>, hook: &Hook, proof: Option<Proof>, body: &[u8]) -> Result<Pass> {
        let Some(proof) = proof else { return Ok(Pass(None)) };
        let Some(mark) = proof.verify(body).map_err(refused)? else { return Ok(Pass(None)) };
        let now = self.clock.now();
        if !self.db.remember_signature(hook.id, &mark.digest, mark.expires_at, now).await? {
            return Err(refused(Unsigned::Replayed));
        }
        Ok(Pass(Some(Remembered { service: self.clone(), hook: hook.id, mark })))
    }
}

fn refused(unsigned: Unsigned) -> Error {
    metrics::counter!("nbhook_calls_unsigned_total", "reason" => unsigned.reason()).increment(1);
    Error::Unsigned(unsigned)
}

impl Pass {
    /// For a call that nobody has to know again.
    #[must_use]
    pub fn unasked() -> Self {
        Self(None)
    }

    /// Goes on with what came of the call so far; forgets the call if that is an error.
    pub async fn after<T, E>(self, step: Result<T, E>) -> Result<(Self, T), E> {
        match step {
            Ok(value) => Ok((self, value)),
            Err(error) => {
                self.forget().await;
                Err(error)
            }
        }
    }

    /// Carries the call out, in a task of its own if it is remembered: what came of it has to be seen also when its caller
    /// hangs up. It is forgotten if it could not be carried out, or if `failed` says so of what came of it.
    pub async fn carry_out<T: Send + 'static>(
        self,
        work: impl Future<Output = Result<T>> + Send + 'static,
        failed: fn(&T) -> bool,
    ) -> Result<T> {
        let Some(remembered) = &self.0 else { return work.await };
        let runtime = remembered.service.runtime.clone();
        let done = runtime.spawn(async move {
            let done = work.await;
            if done.as_ref().is_ok_and(|done| !failed(done)) {
                self.keep();
            } else {
                self.forget().await;
            }
            done
        });
        done.await?
    }

    fn keep(mut self) {
        self.0 = None;
    }

    async fn forget(mut self) {
        if let Some(remembered) = self.0.take() {
            remembered.forget().await;
        }
    }
}

impl Remembered {
    async fn forget(self) {
        if let Err(error) = self.service.db.forget_signature(self.hook, &self.mark.digest).await {
            tracing::error!(%error, "cannot forget a signed call: it will be refused if it comes again");
        }
    }
}

impl Drop for Pass {
    /// The caller hung up before its call was carried out.
    fn drop(&mut self) {
        if let Some(remembered) = self.0.take() {
            let runtime = remembered.service.runtime.clone();
            drop(runtime.spawn(remembered.forget()));
        }
    }
}
