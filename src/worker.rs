//! What goes on in the background: sending mails and deliveries, removing what exceeds its bounds.
//!
//! Decides only when; what is done is a use case of `service`.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::service::{SAMPLE_EVERY, Service};

/// Longest time between two looks: mails that were due while the clock was set are not forgotten.
const LOOK: Duration = Duration::from_mins(1);

/// How long mails may hold up the end of the server: an SMTP server that is away can take half a minute for each.
const LAST_MAIL: Duration = Duration::from_secs(3);

/// Time between two sweeps, by the server's clock.
const SWEEP: chrono::Duration = chrono::Duration::minutes(10);

/// Time between two sweeps that look for leftovers too. There are some only after a crash, so the first one finds most.
const THOROUGH: chrono::Duration = chrono::Duration::days(1);

/// Longest time between two looks at the clock while how busy the server is is noted now and then.
const BEAT: Duration = Duration::from_secs(1);

/// Longest time between two looks at the clock.
const GLANCE: Duration = Duration::from_secs(5);

/// Longest time between two looks at the clock while a mail or a delivery waits for its time.
const BLINK: Duration = Duration::from_millis(200);

/// How long deliveries that go on may hold up the end of the server.
const LAST_DELIVERIES: Duration = Duration::from_secs(3);

/// Waits after the database did not answer.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The background tasks of a server.
#[derive(Debug)]
pub struct Worker {
    stop: CancellationToken,
    notices: JoinHandle<()>,
    sweeps: JoinHandle<()>,
    deliveries: JoinHandle<()>,
    schedules: JoinHandle<()>,
    samples: JoinHandle<()>,
}

impl Worker {
    #[must_use]
    pub fn start(service: Arc<Service>, clock: SharedClock) -> Self {
        let stop = CancellationToken::new();
        let sweeps = tokio::spawn(sweep(service.clone(), clock.clone(), stop.clone()));
        let deliveries = tokio::spawn(deliver(service.clone(), clock.clone(), stop.clone()));
        let schedules = tokio::spawn(fire(service.clone(), clock.clone(), stop.clone()));
        let samples = tokio::spawn(sample(service.clone(), clock.clone(), stop.clone()));
        let notices = tokio::spawn(send_notices(service, clock, stop.clone()));
        Self { stop, notices, sweeps, deliveries, schedules, samples }
    }

    /// Ends what is going on. A mail or a delivery that is not handed over soon is sent again at the next start.
    pub async fn stop(self) {
        self.stop.cancel();
        // A panic in one was logged by the runtime's hook.
        let _ = self.samples.await;
        let _ = self.sweeps.await;
        let _ = self.schedules.await;
        let _ = self.notices.await;
        let _ = self.deliveries.await;
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
        let due = sent.unwrap_or_else(|error| {
            tracing::error!(%error, "cannot look for mails to send");
            None
        });
        tokio::select! {
            () = stop.cancelled() => return,
            () = service.notice_queued() => {}
            () = come(due, &clock, LOOK) => {}
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

/// Notes how busy the server is, at the start and then every so often.
async fn sample(service: Arc<Service>, clock: SharedClock, stop: CancellationToken) {
    let mut last = None;
    loop {
        let now = clock.now();
        // A clock that was set back is no reason to wait.
        if last.is_none_or(|last| now < last || now - last >= SAMPLE_EVERY) {
            service.take_sample();
            last = Some(now);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(BEAT) => {}
        }
    }
}

/// Fires schedules at their times.
async fn fire(service: Arc<Service>, clock: SharedClock, stop: CancellationToken) {
    let mut wait = FIRST_WAIT;
    loop {
        let fired = tokio::select! {
            fired = service.fire_due() => fired,
            () = stop.cancelled() => return,
        };
        let due = match fired {
            Ok(due) => {
                wait = FIRST_WAIT;
                due
            }
            Err(error) => {
                tracing::error!(%error, "cannot fire schedules; it is tried again");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(wait) => {}
                }
                wait = (wait * 2).min(LONGEST_WAIT);
                continue;
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = service.schedule_news() => {}
            () = come(due, &clock, GLANCE) => {}
        }
    }
}

/// Begins what is due, whenever something is.
async fn deliver(service: Arc<Service>, clock: SharedClock, stop: CancellationToken) {
    let mut wait = FIRST_WAIT;
    loop {
        let begun = tokio::select! {
            begun = service.deliver_due() => begun,
            () = stop.cancelled() => break,
        };
        match begun {
            Ok(due) => {
                wait = FIRST_WAIT;
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = service.delivery_news() => {}
                    () = come(due, &clock, GLANCE) => {}
                }
            }
            Err(error) => {
                if wait == FIRST_WAIT {
                    tracing::error!(%error, "cannot look for deliveries; it is tried again and again");
                }
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(wait) => {}
                }
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }
    if tokio::time::timeout(LAST_DELIVERIES, service.deliveries_ended()).await.is_err() {
        service.abandon_deliveries();
        service.deliveries_ended().await;
    }
}

/// Ends when the time has come by the server's clock, which may be set, and after `longest` in any case.
async fn come(due: Option<DateTime<Utc>>, clock: &SharedClock, longest: Duration) {
    let end = tokio::time::Instant::now() + longest;
    loop {
        let rest = end.saturating_duration_since(tokio::time::Instant::now());
        let left = due.map(|due| (due - clock.now()).to_std().unwrap_or_default().min(BLINK));
        let nap = left.unwrap_or(longest).min(rest);
        if nap.is_zero() {
            return;
        }
        tokio::time::sleep(nap).await;
    }
}
