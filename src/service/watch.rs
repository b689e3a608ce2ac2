//! The runs that have not ended: what happens in them, for those who watch, and the means to cancel them.
//!
//! What happened is kept, bounded, as long as the run goes on, so who comes late sees it too. In memory only: a run that has
//! ended is told of by its record.

mod watcher;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(super) use self::watcher::Watcher;
use super::credential::{Credential, Masks};
use crate::clock::SharedClock;
use crate::model::{Caller, CellStatus, CellTiming, Progress, RunEvent, RunId, RunState};
use crate::notebook::Excerpt;

/// What is kept of a run: so many events, and so many bytes of text.
const MOST_EVENTS: usize = 2_000;
const MOST_BYTES: usize = 1 << 20;

/// The runs that have not ended.
#[derive(Debug)]
pub(super) struct Live {
    clock: SharedClock,
    runs: Mutex<HashMap<RunId, Arc<LiveRun>>>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct LiveRun {
    clock: SharedClock,
    cancel: CancellationToken,
    answered: CancellationToken,
    /// What its kernel says who it is with, while it has one.
    pub(super) credential: Mutex<Option<Credential>>,
    /// What may not show of it.
    pub(super) masks: Masks,
    log: Mutex<Log>,
    /// What its notebook shows of its parameters.
    parameters: Mutex<Option<Excerpt>>,
    /// How many events there have been; closed with the run.
    count: Mutex<Option<watch::Sender<u64>>>,
}

#[derive(Debug, Default)]
struct Log {
    events: VecDeque<(u64, RunEvent)>,
    count: u64,
    bytes: usize,
    state: Option<RunState>,
    attempt: u32,
    progress: Option<Progress>,
}

/// Reads the events of a run, from the first that is kept.
#[derive(Debug)]
pub struct Watching {
    run: Arc<LiveRun>,
    count: Option<watch::Receiver<u64>>,
    seen: u64,
    /// Whether what the run prints is told too.
    with_text: bool,
}

impl Live {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self { clock, runs: Mutex::default() }
    }

    pub(super) fn add(&self, run: RunId) -> Arc<LiveRun> {
        let live = Arc::new(LiveRun {
            clock: self.clock.clone(),
            cancel: CancellationToken::new(),
            answered: CancellationToken::new(),
            credential: Mutex::default(),
            masks: Masks::default(),
            log: Mutex::default(),
            parameters: Mutex::default(),
            count: Mutex::new(Some(watch::Sender::new(0))),
        });
        self.runs().insert(run, live.clone());
        live
    }

    pub(super) fn get(&self, run: RunId) -> Option<Arc<LiveRun>> {
        self.runs().get(&run).cloned()
    }

    /// Whom the bearer of the token with this hash acts for, and in which run.
    pub(super) fn admits(&self, hash: &[u8; 32]) -> Option<(Caller, RunId)> {
        self.runs().iter().find_map(|(id, run)| Some((run.admits(hash)?, *id)))
    }

    /// The run has ended, or will go on elsewhere: nobody finds it any more, and those who watch it come to their end.
    pub(super) fn remove(&self, run: RunId) {
        let removed = self.runs().remove(&run);
        if let Some(run) = removed {
            run.answered.cancel();
            lock(&run.count).take();
        }
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<RunId, Arc<LiveRun>>> {
        lock(&self.runs)
    }
}

impl LiveRun {
    pub(super) fn cancel(&self) {
        self.cancel.cancel();
    }

    pub(super) async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }

    /// Notes that its answer can be had.
    pub(super) fn note_answered(&self) {
        self.answered.cancel();
    }

    /// Ends when its answer can be had, or never will.
    pub(super) async fn answered(&self) {
        self.answered.cancelled().await;
    }

    pub(super) fn was_answered(&self) -> bool {
        self.answered.is_cancelled()
    }

    pub(super) fn progress(&self) -> Option<Progress> {
        self.log().progress.clone()
    }

    /// What is shown of its parameters, once they are in its notebook.
    pub(super) fn parameters(&self) -> Option<Excerpt> {
        lock(&self.parameters).clone()
    }

    pub(super) fn show_parameters(&self, parameters: Option<Excerpt>) {
        *lock(&self.parameters) = parameters;
    }

    /// When the cells of this attempt began and ended, as far as they have.
    pub(super) fn timings(&self) -> Vec<CellTiming> {
        timings(self.log().events.iter().map(|(_, event)| event))
    }

    pub(super) fn begin_attempt(&self) {
        let attempt = {
            let mut log = self.log();
            log.attempt += 1;
            log.progress = None;
            log.attempt
        };
        self.state(RunState::Running, attempt);
    }

    pub(super) fn state(&self, state: RunState, attempt: u32) {
        self.log().state = Some(state);
        self.happened(RunEvent::State { state, attempt });
    }

    /// Whether it goes on. Its record may not say so yet: the cells do not wait for that.
    pub(super) fn is_running(&self) -> bool {
        self.log().state == Some(RunState::Running)
    }

    /// How often it was begun.
    pub(super) fn attempt(&self) -> u32 {
        self.log().attempt
    }

    fn happened(&self, event: RunEvent) {
        let count = {
            let mut log = self.log();
            if let RunEvent::Progress(progress) = &event {
                log.progress = Some(progress.clone());
            }
            log.push(event);
            log.count
        };
        if let Some(told) = lock(&self.count).as_ref() {
            told.send_replace(count);
        }
    }

    /// Everything from the event after number `seen` on. More than there has been was seen on a server before this one.
    pub(super) fn watch(self: Arc<Self>, seen: u64) -> Watching {
        let count = lock(&self.count).as_ref().map(watch::Sender::subscribe);
        let seen = if seen > self.log().count { 0 } else { seen };
        Watching { run: self, count, seen, with_text: true }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.log)
    }
}

impl Log {
    fn push(&mut self, event: RunEvent) {
        self.count += 1;
        self.bytes += event.weight();
        self.events.push_back((self.count, event));
        while self.events.len() > MOST_EVENTS || self.bytes > MOST_BYTES {
            // Text goes first, then how far it was once: what state a run is in says more.
            let oldest = |is: fn(&RunEvent) -> bool| self.events.iter().position(|(_, event)| is(event));
            let oldest = oldest(|event| event.weight() > 0)
                .or_else(|| oldest(|event| matches!(event, RunEvent::Progress(_))))
                .unwrap_or(0);
            let Some((_, event)) = self.events.remove(oldest) else { return };
            self.bytes -= event.weight();
        }
    }
}

impl Watching {
    /// Leaves out what the run prints: that is its owner's.
    #[must_use]
    pub(super) fn without_text(self) -> Self {
        Self { with_text: false, ..self }
    }

    /// The next events with their numbers; none when the run has ended.
    pub async fn next(&mut self) -> Option<Vec<(u64, RunEvent)>> {
        loop {
            let news: Vec<_> = {
                let log = self.run.log();
                log.events.iter().filter(|(number, _)| *number > self.seen).cloned().collect()
            };
            if let Some((last, _)) = news.last() {
                self.seen = *last;
                let told = |event: &RunEvent| self.with_text || !matches!(event, RunEvent::Stream { .. });
                let news: Vec<_> = news.into_iter().filter(|(_, event)| told(event)).collect();
                if news.is_empty() {
                    continue;
                }
                return Some(news);
            }
            let count = self.count.as_mut()?;
            if count.changed().await.is_err() {
                self.count = None; // it has ended; what happened last is read once more
            }
        }
    }
}

/// When the cells of the last attempt began and ended, from what happened.
fn timings<'a>(events: impl Iterator<Item = &'a RunEvent>) -> Vec<CellTiming> {
    let mut timings: Vec<CellTiming> = Vec::new();
    for event in events {
        match event {
            RunEvent::State { state, .. } if !state.is_final() => timings.clear(),
            RunEvent::Cell { cell, status: CellStatus::Started, at } => timings.push(CellTiming {
                cell: *cell,
                started_at: *at,
                finished_at: None,
                duration_ms: None,
                status: CellStatus::Started,
            }),
            RunEvent::Cell { cell, status, at } => {
                if let Some(timing) = timings.last_mut().filter(|timing| timing.cell == *cell) {
                    timing.finished_at = Some(*at);
                    timing.duration_ms = Some((*at - timing.started_at).num_milliseconds());
                    timing.status = *status;
                }
            }
            _ => {}
        }
    }
    timings
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn text(length: usize) -> RunEvent {
        RunEvent::Stream { cell: Some(0), name: "stdout".to_owned(), text: "x".repeat(length) }
    }

    #[tokio::test]
    async fn who_comes_late_sees_what_is_kept_and_the_end() {
        let live = Live::new(Arc::new(SystemClock));
        let id = RunId::new();
        let run = live.add(id);
        run.begin_attempt();
        for _ in 0..5 {
            run.happened(text(MOST_BYTES / 4));
        }
        let mut watching = live.get(id).unwrap().watch(0);
        let numbers = |events: Vec<(u64, RunEvent)>| events.iter().map(|(number, _)| *number).collect::<Vec<_>>();
        assert_eq!(numbers(watching.next().await.unwrap()), [1, 3, 4, 5, 6]);
        let mut resumed = run.clone().watch(5);
        run.state(RunState::Succeeded, 1);
        live.remove(id);
        assert!(live.get(id).is_none());
        assert_eq!(numbers(watching.next().await.unwrap()), [7]);
        assert!(watching.next().await.is_none());
        assert_eq!(numbers(resumed.next().await.unwrap()), [6, 7]);
        assert!(resumed.next().await.is_none());
    }

    #[tokio::test]
    async fn the_cells_of_the_last_attempt_are_told_however_much_it_says() {
        let live = Live::new(Arc::new(SystemClock));
        let run = live.add(RunId::new());
        let cell = |cell, status| RunEvent::Cell { cell, status, at: chrono::DateTime::UNIX_EPOCH };
        run.begin_attempt();
        run.happened(cell(Some(0), CellStatus::Error));
        run.begin_attempt();
        for (index, status) in [(None, CellStatus::Started), (None, CellStatus::Ok), (Some(0), CellStatus::Started)] {
            run.happened(cell(index, status));
        }
        for done in 0..MOST_EVENTS {
            #[expect(clippy::cast_precision_loss, reason = "small")]
            run.happened(RunEvent::Progress(Progress { done: done as f64, total: None, message: None }));
            run.happened(text(1));
        }
        let told: Vec<_> =
            run.timings().iter().map(|timing| (timing.cell, timing.status, timing.duration_ms)).collect();
        assert_eq!(told, [(None, CellStatus::Ok, Some(0)), (Some(0), CellStatus::Started, None)]);
    }

    #[tokio::test]
    async fn the_number_of_events_is_bounded() {
        let live = Live::new(Arc::new(SystemClock));
        let run = live.add(RunId::new());
        for _ in 0..=MOST_EVENTS {
            run.state(RunState::Running, 1);
        }
        assert_eq!(run.watch(0).next().await.unwrap().len(), MOST_EVENTS);
    }
}
