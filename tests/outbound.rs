//! What the server sends, and where it may send to.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use nbhook::webhook::{Refused, Resolve};

use crate::app::{TestApp, World, allow_local};

/// Every name is this machine.
#[derive(Debug)]
struct Here;

#[async_trait]
impl Resolve for Here {
    async fn resolve(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![([127, 0, 0, 1], port).into()])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_go_to_public_receivers_over_tls_unless_the_settings_allow_others() {
    let world = || World { resolver: Arc::new(Here), ..World::default() };
    let strict = TestApp::start_in(world(), |_| {}).await;
    for url in ["https://receiver.test/", "http://1.1.1.1/", "https://127.0.0.1/", "https://[::1]/"] {
        let refused = strict.app().service().webhooks().check(url).await;
        assert!(matches!(refused, Err(Refused::Forbidden(_))), "{url}: {refused:?}");
    }
    let open = TestApp::start_in(world(), allow_local).await;
    for url in ["https://receiver.test/", "http://1.1.1.1/", "http://127.0.0.1:8000/", "http://[::1]/"] {
        assert_eq!(open.app().service().webhooks().check(url).await, Ok(()), "{url}");
    }
}
