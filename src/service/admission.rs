//! Who may run now, who waits, and who is turned away.
//!
//! A place is taken the moment a call arrives, so the bound on waiting calls holds however many arrive at once. The hooks take
//! turns: whenever a kernel becomes free it goes to the next hook that has a call waiting and may run one more, and within a hook to
//! the call that came first. So a flood of one hook's calls delays another hook's call by no more than one run. Nor does it
//! keep that call out: a hook none of whose calls is here gets a place even when the server's queue is full.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::model::HookId;

/// What turned-away callers are told to wait, in seconds: about the time a short run takes to leave a place.
pub const RETRY_AFTER: u64 = 2;

/// The server's places.
#[derive(Debug)]
pub struct Admission {
    /// Calls that may be here at once: kernels and the queue.
    places: usize,
    limit: usize,
    queue: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Kernels that nobody uses.
    free: usize,
    /// Calls admitted and not yet answered.
    admitted: usize,
    hooks: HashMap<HookId, HookPlaces>,
    /// The hooks with waiting calls, the one whose turn is next first.
    turns: VecDeque<HookId>,
    /// The most at once since somebody asked.
    most: Traffic,
}

/// Calls that wait for a kernel, and runs that have one.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    pub waiting: usize,
    pub running: usize,
}

#[derive(Debug, Default)]
struct HookPlaces {
    admitted: usize,
    running: usize,
    concurrency: usize,
    waiting: VecDeque<oneshot::Sender<Slot>>,
}

/// A place of a call; given back when dropped.
#[derive(Debug)]
pub struct Ticket {
    admission: Arc<Admission>,
    hook: HookId,
}

/// Leave to run; given back when dropped.
#[derive(Debug)]
pub struct Slot {
    admission: Arc<Admission>,
    hook: HookId,
    ticket: Option<Ticket>,
}

/// There is no place left.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Admission {
    /// `limit` kernels at once, and `queue` calls that wait for one.
    #[must_use]
    pub fn new(limit: usize, queue: usize) -> Arc<Self> {
        let (hooks, turns, most) = (HashMap::new(), VecDeque::new(), Traffic::default());
        let state = State { free: limit, admitted: 0, hooks, turns, most };
        Arc::new(Self { places: limit.saturating_add(queue), limit, queue, state: Mutex::new(state) })
    }

    /// Takes a place for a call of `hook`, which runs `concurrency` calls at once and lets `queue` more wait.
    ///
    /// # Errors
    /// [`Full`] when the hook's queue has no place left, or the server's has none and a call of the hook is here already.
    pub fn admit(
        self: &Arc<Self>,
        hook: HookId,
        concurrency: Option<usize>,
        queue: Option<usize>,
    ) -> Result<Ticket, Full> {
        let concurrency = concurrency.unwrap_or(self.limit).min(self.limit);
        let mut state = self.state();
        let full = state.admitted >= self.places;
        let places = state.hooks.entry(hook).or_default();
        places.concurrency = concurrency; // it may have been changed; calls that wait already go by it too
        if places.admitted >= concurrency.saturating_add(queue.unwrap_or(self.queue)) || (full && places.admitted > 0) {
            return Err(Full);
        }
        places.admitted += 1;
        state.admitted += 1;
        Ok(Ticket { admission: self.clone(), hook })
    }

    /// A place for a run of `hook` that was let in before, by the last server perhaps; there is always one.
    pub fn readmit(self: &Arc<Self>, hook: HookId, concurrency: Option<usize>) -> Ticket {
        let mut state = self.state();
        let places = state.hooks.entry(hook).or_default();
        places.concurrency = concurrency.unwrap_or(self.limit).min(self.limit);
        places.admitted += 1;
        state.admitted += 1;
        Ticket { admission: self.clone(), hook }
    }

    /// Whether calls of a hook are here that have not been answered.
    #[must_use]
    pub fn has_calls(&self, hook: HookId) -> bool {
        self.state().hooks.contains_key(&hook)
    }

    /// The most calls that waited and the most runs that went on at once since this was asked last.
    #[must_use]
    pub fn take_peak(&self) -> Traffic {
        let mut state = self.state();
        let now = state.traffic(self.limit);
        std::mem::replace(&mut state.most, now)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, then lets those run who may now.
    fn change(self: &Arc<Self>, change: impl FnOnce(&mut State)) {
        let chosen = {
            let mut state = self.state();
            change(&mut state);
            let chosen = std::iter::from_fn(|| state.next()).collect::<Vec<_>>();
            let (now, most) = (state.traffic(self.limit), state.most);
            state.most = Traffic { waiting: most.waiting.max(now.waiting), running: most.running.max(now.running) };
            chosen
        };
        for (hook, waiting) in chosen {
            // Whoever does not wait any more gives it back, by dropping it.
            let _ = waiting.send(Slot { admission: self.clone(), hook, ticket: None });
        }
    }
}

impl State {
    /// Takes a kernel for the call whose turn it is, if there are both.
    fn next(&mut self) -> Option<(HookId, oneshot::Sender<Slot>)> {
        if self.free == 0 {
            return None;
        }
        let may_run = |places: &HookPlaces| places.running < places.concurrency && !places.waiting.is_empty();
        let at = self.turns.iter().position(|hook| self.hooks.get(hook).is_some_and(may_run))?;
        let hook = self.turns.remove(at)?;
        let places = self.hooks.get_mut(&hook)?;
        let waiting = places.waiting.pop_front()?;
        if !places.waiting.is_empty() {
            self.turns.push_back(hook);
        }
        places.running += 1;
        self.free -= 1;
        Some((hook, waiting))
    }

    fn traffic(&self, limit: usize) -> Traffic {
        let waiting =
            self.turns.iter().filter_map(|hook| self.hooks.get(hook)).map(|places| places.waiting.len()).sum();
        Traffic { waiting, running: limit - self.free }
    }

    fn wait(&mut self, hook: HookId, waiting: oneshot::Sender<Slot>) {
        let places = self.hooks.entry(hook).or_default();
        if places.waiting.is_empty() {
            self.turns.push_back(hook);
        }
        places.waiting.push_back(waiting);
    }

    fn leave_queue(&mut self, hook: HookId) {
        self.admitted -= 1;
        if let Some(places) = self.hooks.get_mut(&hook) {
            places.admitted -= 1;
            places.waiting.retain(|waiting| !waiting.is_closed());
        }
        self.forget_if_idle(hook);
    }

    fn end_run(&mut self, hook: HookId) {
        self.free += 1;
        if let Some(places) = self.hooks.get_mut(&hook) {
            places.running -= 1;
        }
        self.forget_if_idle(hook);
    }

    fn forget_if_idle(&mut self, hook: HookId) {
        let places = self.hooks.get(&hook);
        if places.is_none_or(|places| places.waiting.is_empty()) {
            self.turns.retain(|turn| *turn != hook);
        }
        if places.is_some_and(|places| places.admitted == 0 && places.running == 0) {
            self.hooks.remove(&hook);
        }
    }
}

impl Ticket {
    /// Waits for its turn.
    pub async fn ready(self) -> Result<Slot, Full> {
        let (waiting, turn) = oneshot::channel();
        self.admission.change(|state| state.wait(self.hook, waiting));
        let mut slot = turn.await.map_err(|_| Full)?;
        slot.ticket = Some(self);
        Ok(slot)
    }
}

impl Slot {
    /// Gives the leave to run back, and keeps the place in the queue.
    pub fn into_ticket(mut self) -> Option<Ticket> {
        self.ticket.take()
    }

    /// Gives the place in the queue back, and keeps the leave to run: the caller has its answer and may come again at once.
    pub fn answered(&mut self) {
        self.ticket = None;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.admission.change(|state| state.leave_queue(self.hook));
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.admission.change(|state| state.end_run(self.hook));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(admission: &Arc<Admission>) -> usize {
        admission.state().admitted
    }

    #[test]
    fn the_queue_is_bounded_from_the_moment_of_arrival() {
        let admission = Admission::new(2, 1);
        let hook = HookId::new();
        let mut tickets: Vec<_> = (0..3).map(|_| admission.admit(hook, None, None).unwrap()).collect();
        assert_eq!(admission.admit(hook, None, None).unwrap_err(), Full);
        let other = HookId::new();
        let _one = admission.admit(other, None, None).expect("a hook that has no call here gets a place");
        assert_eq!(admission.admit(other, None, None).unwrap_err(), Full);
        tickets.clear();
        assert!(admission.admit(other, None, None).is_ok());
    }

    #[tokio::test]
    async fn a_hook_runs_as_many_at_once_as_it_says_and_others_are_not_held_up() {
        let admission = Admission::new(4, 10);
        let (slow, other) = (HookId::new(), HookId::new());
        let first = admission.admit(slow, Some(1), Some(1)).unwrap().ready().await.unwrap();
        let second = tokio::spawn(admission.admit(slow, Some(1), Some(1)).unwrap().ready());
        assert_eq!(admission.admit(slow, Some(1), Some(1)).unwrap_err(), Full);
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        admission.admit(other, None, None).unwrap().ready().await.unwrap();
        drop(first);
        second.await.unwrap().unwrap();
        assert_eq!((admitted(&admission), admission.state().free), (0, 4));
        assert!(admission.state().hooks.is_empty() && admission.state().turns.is_empty());
    }

    #[tokio::test]
    async fn hooks_take_turns_and_the_calls_of_one_keep_their_order() {
        let admission = Admission::new(1, 100);
        let (flood, single) = (HookId::new(), HookId::new());
        let running = admission.admit(flood, None, None).unwrap().ready().await.unwrap();
        let (done, mut order) = tokio::sync::mpsc::unbounded_channel();
        let call = |hook, name: &'static str| {
            let (ticket, done) = (admission.admit(hook, None, None).unwrap(), done.clone());
            tokio::spawn(async move {
                let slot = ticket.ready().await.unwrap();
                done.send(name).unwrap();
                drop(slot);
            })
        };
        for name in ["a", "b", "c", "d"] {
            call(flood, name);
            tokio::task::yield_now().await;
        }
        call(single, "single");
        tokio::task::yield_now().await;
        drop(running);
        let mut names = Vec::new();
        for _ in 0..5 {
            names.push(order.recv().await.unwrap());
        }
        assert_eq!(names, ["a", "single", "b", "c", "d"]);
    }

    #[tokio::test]
    async fn whoever_leaves_the_queue_holds_nobody_up() {
        let admission = Admission::new(1, 10);
        let hook = HookId::new();
        let mut running = admission.admit(hook, None, None).unwrap().ready().await.unwrap();
        let gone = tokio::spawn(admission.admit(hook, None, None).unwrap().ready());
        let next = tokio::spawn(admission.admit(hook, None, None).unwrap().ready());
        tokio::task::yield_now().await;
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        assert_eq!(admitted(&admission), 2);
        running.answered();
        assert_eq!(admitted(&admission), 1);
        tokio::task::yield_now().await;
        assert!(!next.is_finished(), "its kernel is still there");
        drop(running);
        drop(next.await.unwrap().unwrap());
        assert_eq!((admitted(&admission), admission.state().free), (0, 1));
    }

    #[tokio::test]
    async fn what_was_over_before_anybody_looked_is_seen_once() {
        let admission = Admission::new(1, 10);
        let hook = HookId::new();
        let running = admission.admit(hook, None, None).unwrap().ready().await.unwrap();
        assert_eq!(admission.take_peak(), Traffic { waiting: 0, running: 1 }, "it did not wait");
        let next: Vec<_> = (0..2).map(|_| tokio::spawn(admission.admit(hook, None, None).unwrap().ready())).collect();
        tokio::task::yield_now().await;
        drop(running);
        for call in next {
            drop(call.await.unwrap().unwrap());
        }
        assert_eq!(admission.take_peak(), Traffic { waiting: 2, running: 1 });
        assert_eq!(admission.take_peak(), Traffic::default());
    }

    #[tokio::test]
    async fn a_raised_concurrency_is_for_those_who_wait_too() {
        let admission = Admission::new(4, 10);
        let hook = HookId::new();
        let _first = admission.admit(hook, Some(1), None).unwrap().ready().await.unwrap();
        let second = tokio::spawn(admission.admit(hook, Some(1), None).unwrap().ready());
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        let third = admission.admit(hook, Some(3), None).unwrap().ready().await;
        assert!(third.is_ok() && second.await.unwrap().is_ok());
    }
}
