//! From names to addresses, all of which the policy lets requests go to.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolving};
use tokio::sync::Semaphore;

use super::policy::OutboundPolicy;
use super::target::Refused;

/// How long a name may take to be found.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Lookups that may go on at once. Each has a thread of those that also do the work on files, and may have it for long.
static LOOKUPS: Semaphore = Semaphore::const_new(32);

/// Finds the addresses of a name. The seam for tests, which let names change their addresses.
#[async_trait]
pub trait Resolve: Send + Sync + fmt::Debug {
    /// A `port` of 0 stands for the one that the URL has.
    ///
    /// # Errors
    /// When the name has no address, or none was found in time.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// As the machine finds names.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let host = host.to_owned();
        let lookup = async move {
            let turn = LOOKUPS.acquire().await.map_err(io::Error::other)?;
            // A task of its own, as the lookup goes on, on its thread, when nobody waits for it any more.
            let lookup = tokio::spawn(async move {
                let _turn = turn;
                Ok(tokio::net::lookup_host((host, port)).await?.collect())
            });
            lookup.await?
        };
        match tokio::time::timeout(TIMEOUT, lookup).await {
            Ok(found) => found,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer within 5 s")),
        }
    }
}

/// What stands between names and connections: the connector has no addresses but those that came through here.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    policy: Arc<OutboundPolicy>,
    resolver: Arc<dyn Resolve>,
}

impl Gate {
    pub(super) fn new(policy: OutboundPolicy, resolver: Arc<dyn Resolve>) -> Self {
        Self { policy: Arc::new(policy), resolver }
    }

    pub(super) fn policy(&self) -> &OutboundPolicy {
        &self.policy
    }

    /// The addresses of a name. If one of them is refused, all are: a name that mixes them is up to no good.
    pub(super) async fn addresses(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, Refused> {
        let unresolvable = |why: &dyn fmt::Display| Refused::Unresolvable(format!("cannot find `{name}`: {why}"));
        let found = self.resolver.resolve(name, port).await.map_err(|error| unresolvable(&error))?;
        if found.is_empty() {
            return Err(unresolvable(&"it has no address"));
        }
        if found.iter().all(|address| self.policy.permits(address.ip())) {
            Ok(found)
        } else {
            Err(Refused::address(name))
        }
    }
}

impl reqwest::dns::Resolve for Gate {
    fn resolve(&self, name: Name) -> Resolving {
        let gate = self.clone();
        Box::pin(async move {
            let found = gate.addresses(name.as_str(), 0).await.map_err(Box::<dyn Error + Send + Sync>::from)?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
