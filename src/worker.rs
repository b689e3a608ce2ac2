//! What goes on in the background: sending mails, removing what exceeds its bounds.
//!
//! Decides only when; what is done is a use case of `service`.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::service::Service;

/// Longest time between two looks: mails that were due while the clock was set are not forgotten.
const LOOK: Duration = Duration::from_mins(1);

/// How long mails may hold up the end of the server: an SMTP server that is away can take half a minute for each.
const LAST_MAIL: Duration = Duration::from_secs(3);

/// Time between two sweeps, by the server's clock.
const SWEEP: chrono::Duration = chrono::Duration::minutes(10);

/// Time between two sweeps that look for leftovers too. There are some only after a crash, so the first one finds most.
const THOROUGH: chrono::Duration = chrono::Duration::days(1);

/// Longest time between two looks at the clock.
const GLANCE: Duration = Duration::from_secs(5);

/// The background tasks of a server.
#[derive(Debug)]
pub struct Worker {
    stop: CancellationToken,
    notices: JoinHandle<()>,
    sweeps: JoinHandle<()>,
}

impl Worker {
    #[must_use]
    pub fn start(service: Arc<Service>, clock: SharedClock) -> Self {
        let stop = CancellationToken::new();
        let sweeps = tokio::spawn(sweep(service.clone(), clock.clone(), stop.clone()));
        let notices = tokio::spawn(send_notices(service, clock, stop.clone()));
        Self { stop, notices, sweeps }
    }

    /// Ends what is going on. A mail that is not handed over soon is sent again at the next start.
    pub async fn stop(self) {
        self.stop.cancel();
        // A panic in one was logged by the runtime's hook.
        let _ = self.sweeps.await;
        let _ = self.notices.await;
    }
}

async fn send_notices(service: Arc<Service>, clock: SharedClock, stop: CancellationToken) {
    loop {
        let given_up = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_MAIL).await;
        };
        let sent = tokio::select! {
            sent = service.send_notices() => sent,
            () = given_up => return,
        };
        let wait = match sent {
            Ok(due) => due.map_or(LOOK, |due| (due - clock.now()).to_std().unwrap_or_default().min(LOOK)),
            Err(error) => {
                tracing::error!(%error, "cannot look for mails to send");
                LOOK
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = service.notice_queued() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Sweeps at the start and then every so often. One that the stop cuts short is gone on with by the next server's first.
async fn sweep(service: Arc<Service>, clock: SharedClock, stop: CancellationToken) {
    let (mut due, mut thorough) = (clock.now(), clock.now());
    loop {
        let now = clock.now();
        if due <= now {
            let swept = tokio::select! {
                swept = service.sweep(thorough <= now) => swept,
                () = stop.cancelled() => return,
            };
            match swept {
                Ok(_) if thorough <= now => thorough = now + THOROUGH,
                Ok(_) => {}
                Err(error) => tracing::error!(%error, "cannot remove what exceeds its bounds; it is tried again"),
            }
            due = now + SWEEP;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(GLANCE) => {}
        }
    }
}
