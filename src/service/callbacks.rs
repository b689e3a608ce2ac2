//! Callbacks: making, changing and removing them, and trying out whether their URLs answer.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Error, Result, Service};
use crate::model::{
    Callback, CallbackChange, CallbackConfig, CallbackId, CallbackMethod, CallbackSetup, Caller, EventId, Invalid,
    Owner, Page, ProfileId, Role, SigningKeys, SigningSecret,
};
use crate::store::CallbackFilter;
use crate::webhook::{Attempt, Outcome, Outgoing, Refused, header_problem};

/// Most headers that a callback sends along.
const MOST_HEADERS: usize = 50;
/// Of all their names and values together, in bytes.
const LARGEST_HEADERS: usize = 32_000;
/// What a callback has to take before it is made.
const TEST: &[u8] = br#"{"test":1}"#;
/// How long whoever makes a callback is let wait for that.
const LONGEST_TEST: Duration = Duration::from_secs(30);
/// How much is told of the answer to it, in characters.
const TOLD_OF_ANSWER: usize = 200;

/// A callback that is wished for.
#[derive(Debug)]
pub struct NewCallback {
    pub setup: CallbackChange,
    /// Whose it is to be; only admins may name another user.
    pub user: Option<Owner>,
    /// Whether its URL is tried out; only admins may leave that out.
    pub verify: bool,
}

/// Which callbacks are listed; none: all that the caller may see.
#[derive(Debug)]
pub struct CallbackQuery {
    pub user: Option<Owner>,
    pub name: Option<String>,
    pub profile: Option<ProfileId>,
    pub fallback: Option<CallbackId>,
}

impl Service {
    pub async fn create_callback(&self, caller: &Caller, new: NewCallback) -> Result<(Callback, Owner)> {
        may_leave_out(caller, new.verify)?;
        let (owner, user) = self.owner(caller, "user", new.user.as_ref()).await?;
        let setup = new.setup.onto(None)?;
        check_headers(&setup.config)?;
        self.db.check_callback(owner, None, &setup).await?;
        let secret = SigningSecret::from_random(self.random.bits256()?);
        self.try_out(&setup, &[&secret], new.verify).await?;
        let now = self.clock.now();
        let id = self.db.create_callback(owner, &setup, &secret, now).await?;
        let CallbackSetup { name, profile, fallback, enabled, mode, config } = setup;
        let keys = SigningKeys { secret, before: None };
        let (disabled_reason, created_at, updated_at) = (None, now, now);
        let callback = Callback {
            id,
            owner,
            name,
            profile,
            fallback,
            enabled,
            mode,
            config,
            keys,
            disabled_reason,
            created_at,
            updated_at,
        };
        Ok((callback, user))
    }

    pub async fn callbacks(&self, caller: &Caller, query: CallbackQuery, page: Page) -> Result<Vec<(Callback, Owner)>> {
        let owner = self.scope(caller, "user", query.user.as_ref()).await?;
        let CallbackQuery { name, profile, fallback, .. } = query;
        Ok(self.db.callbacks(&CallbackFilter { owner, name, profile, fallback }, page).await?)
    }

    /// A callback, and whose it is.
    pub async fn callback(&self, caller: &Caller, id: CallbackId) -> Result<(Callback, Owner)> {
        let found = self.db.callback(id).await?;
        found.filter(|(callback, _)| caller.may_touch(callback.owner)).ok_or_else(not_found)
    }

    /// Changes what is given; another URL is tried out first.
    pub async fn change_callback(
        &self,
        caller: &Caller,
        id: CallbackId,
        change: &CallbackChange,
        verify: bool,
    ) -> Result<(Callback, Owner)> {
        let (stored, user) = self.callback(caller, id).await?;
        may_leave_out(caller, verify)?;
        let setup = change.onto(Some(&stored.setup()))?;
        check_headers(&setup.config)?;
        self.db.check_callback(stored.owner, Some(id), &setup).await?;
        if setup.config.url != stored.config.url {
            self.try_out(&setup, &stored.keys.at(self.clock.now()), verify).await?;
        }
        let changed = self.db.change_callback(id, change, self.clock.now()).await?;
        Ok((changed.ok_or_else(not_found)?, user))
    }

    /// Gives a callback a new secret. The old one signs as well for some time, so that its receiver can go over.
    pub async fn rotate_secret(&self, caller: &Caller, id: CallbackId) -> Result<(Callback, Owner)> {
        let (_, user) = self.callback(caller, id).await?;
        let secret = SigningSecret::from_random(self.random.bits256()?);
        let rotated = self.db.rotate_secret(id, &secret, self.both_sign_until(), self.clock.now()).await?;
        Ok((rotated.ok_or_else(not_found)?, user))
    }

    /// Until when an old secret signs beside the one that takes its place now.
    pub(super) fn both_sign_until(&self) -> DateTime<Utc> {
        self.clock.now() + chrono::Duration::hours(self.settings.outbound.rotation_hours.into())
    }

    pub async fn delete_callback(&self, caller: &Caller, id: CallbackId) -> Result<()> {
        self.callback(caller, id).await?;
        let now = self.clock.now();
        if self.with_reserve(|| self.db.delete_callback(id, now)).await? { Ok(()) } else { Err(not_found()) }
    }

    /// Whether the callback may be sent to, and, if that is to be verified, takes what is sent.
    async fn try_out(&self, setup: &CallbackSetup, secrets: &[&SigningSecret], verify: bool) -> Result<()> {
        let config = &setup.config;
        self.webhooks.check(&config.url).await.map_err(refused)?;
        if !verify {
            return Ok(());
        }
        let headers = config.headers.iter().flatten();
        let headers: Vec<_> = headers.map(|header| (header.name.clone(), header.value.clone())).collect();
        let seconds = config.timeout.map_or(self.settings.outbound.timeout, u64::from);
        let timeout = Duration::from_secs(seconds).min(LONGEST_TEST);
        let outgoing = Outgoing {
            url: &config.url,
            method: CallbackMethod::Post,
            headers: &headers,
            timeout,
            id: &EventId::new().to_string(),
            hops: 1,
            timestamp: self.clock.now().timestamp(),
            secrets,
            content_type: Some("application/json"),
            body: TEST,
        };
        verdict(&self.webhooks.send(&outgoing).await, timeout)
    }
}

fn not_found() -> Error {
    Error::NotFound("callback")
}

fn may_leave_out(caller: &Caller, verify: bool) -> Result<()> {
    if verify || caller.role == Role::Admin {
        return Ok(());
    }
    Err(Error::Forbidden("only an admin may have a callback that was not verified".to_owned()))
}

fn refused(refused: Refused) -> Error {
    match refused {
        Refused::Forbidden(why) => Error::Forbidden(format!("config.url: {why}")),
        Refused::Malformed(why) | Refused::Unresolvable(why) => Invalid::new("config.url", why).into(),
    }
}

/// What came of a test, told to whoever makes the callback.
fn verdict(attempt: &Attempt, timeout: Duration) -> Result<()> {
    let why = match &attempt.outcome {
        Outcome::Answered(200 | 201) => return Ok(()),
        Outcome::Refused(why) => return Err(Error::Forbidden(format!("config.url: {why}"))),
        Outcome::Answered(status) => {
            let said: String = attempt.response.chars().take(TOLD_OF_ANSWER).collect();
            format!("a test request has to be answered with 200 or 201; it was with {status}: {said}")
        }
        Outcome::TimedOut => format!("a test request was not answered within {} s", timeout.as_secs()),
        Outcome::Failed(why) => format!("a test request failed: {why}"),
    };
    Err(Invalid::new("config.url", why).into())
}

/// Refuses headers that cannot be sent. Says nothing of their values.
fn check_headers(config: &CallbackConfig) -> Result<(), Invalid> {
    let headers = config.headers.as_deref().unwrap_or_default();
    let size: usize = headers.iter().map(|header| header.name.len() + header.value.len()).sum();
    if headers.len() > MOST_HEADERS || size > LARGEST_HEADERS {
        let message = format!("must be {MOST_HEADERS} headers of together {LARGEST_HEADERS} bytes at most");
        return Err(Invalid::new("config.headers", message));
    }
    for (number, header) in headers.iter().enumerate() {
        for (part, value) in [("name", ""), ("value", header.value.as_str())] {
            if let Some(problem) = header_problem(&header.name, value) {
                return Err(Invalid::new(format!("config.headers[{number}].{part}"), problem));
            }
        }
    }
    Ok(())
}
