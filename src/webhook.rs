//! Sending HTTP requests to addresses that users chose: signed, bounded, and only to where the policy lets them go.
//!
//! A [`Sender`] makes one attempt and says what came of it. What is sent, when, and how often it is tried is the business
//! of the service. No redirect is followed, no proxy asked, no connection used twice: so each attempt goes to addresses
//! that were checked for it.

mod client;
mod failure;
mod headers;
mod policy;
mod resolver;
mod response;
mod retry_after;
mod signature;
mod target;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

pub use client::SetupError;
pub use headers::header_problem;
pub use policy::OutboundPolicy;
pub use resolver::{Resolve, SystemResolver};
pub use retry_after::RetryAfter;
pub use target::Refused;

use crate::model::{CallbackMethod, SigningSecret};
use resolver::Gate;
use response::Answer;
use target::Target;

/// How much is kept of an answer, in bytes.
pub const KEPT_OF_ANSWER: usize = 20_000;

/// One request that is to be sent.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    pub url: &'a str,
    pub method: CallbackMethod,
    /// Beside those of the signature, which they cannot replace. See [`header_problem`].
    pub headers: &'a [(String, String)],
    /// For everything together: name, connection, headers and body.
    pub timeout: Duration,
    /// What the receiver knows the message by, the same on every attempt.
    pub id: &'a str,
    /// How many deliveries, this one included, lead to what comes of it. Its receiver may be this server.
    pub hops: u32,
    /// Seconds since 1970, from the caller's clock.
    pub timestamp: i64,
    /// One, or two while the receiver goes over to a new one; none leaves the signature out.
    pub secrets: &'a [&'a SigningSecret],
    pub content_type: Option<&'a str>,
    pub body: &'a [u8],
}

impl fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL's query and the headers may hold secrets.
        f.debug_struct("Outgoing").field("id", &self.id).field("method", &self.method).finish_non_exhaustive()
    }
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub outcome: Outcome,
    pub duration: Duration,
    /// The first [`KEPT_OF_ANSWER`] bytes of the answer's body, as text.
    pub response: String,
    /// Whether the answer says that it is JSON.
    pub is_json: bool,
    pub retry_after: Option<RetryAfter>,
}

/// How an attempt ended. The texts hold nothing of the URL's query, of headers or secrets, and no address that the
/// user did not write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// With this status, whatever became of the body.
    Answered(u16),
    TimedOut,
    /// By the policy, as it is now.
    Refused(String),
    /// The URL, the name, the connection, TLS or the protocol.
    Failed(String),
}

/// Sends requests. Cheap to clone.
#[derive(Clone)]
pub struct Sender {
    gate: Gate,
    client: reqwest::Client,
}

impl Sender {
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(policy: OutboundPolicy, resolver: Arc<dyn Resolve>) -> Result<Self, SetupError> {
        let gate = Gate::new(policy, resolver);
        Ok(Self { client: client::build(&gate)?, gate })
    }

    /// Whether the policy lets requests go there, now. For the creation of what sends them later.
    ///
    /// # Errors
    /// Says why not.
    pub async fn check(&self, url: &str) -> Result<(), Refused> {
        let target = Target::parse(url)?;
        target.check(self.gate.policy())?;
        match target.name() {
            Some(name) => self.gate.addresses(name, target.port()).await.map(drop),
            None => Ok(()),
        }
    }

    /// Makes one attempt, which takes `timeout` at most.
    pub async fn send(&self, outgoing: &Outgoing<'_>) -> Attempt {
        let begun = Instant::now();
        let mut answer = Answer::default();
        let exchange = self.exchange(outgoing, &mut answer);
        let outcome = tokio::time::timeout(outgoing.timeout, exchange).await.unwrap_or(Outcome::TimedOut);
        Attempt {
            outcome,
            duration: begun.elapsed(),
            is_json: answer.is_json,
            retry_after: answer.retry_after,
            response: answer.into_text(),
        }
    }

    /// Sends, and reads into `answer` as much as is kept. What is dropped closes its connection.
    async fn exchange(&self, outgoing: &Outgoing<'_>, answer: &mut Answer) -> Outcome {
        let target = match Target::parse(outgoing.url).and_then(|target| {
            target.check(self.gate.policy())?;
            Ok(target)
        }) {
            Ok(target) => target,
            Err(refused) => return refused.into(),
        };
        let request = match client::request(&self.client, target, outgoing) {
            Ok(request) => request,
            Err(problem) => return Outcome::Failed(problem),
        };
        match self.client.execute(request).await {
            Ok(response) => {
                let status = response.status().as_u16();
                answer.read(response).await;
                Outcome::Answered(status)
            }
            Err(error) => failure::outcome(error),
        }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("gate", &self.gate).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
