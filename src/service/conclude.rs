//! What a run comes to: its caller's answer, and what is left to do after it.

use super::admission::{Slot, Ticket};
use super::attempt::{Marked, Run};
use super::call::Called;
use super::ending::{self, Ending};
use super::prepare::Prepared;
use super::reply::{Reply, ReplyBody};
use super::unsaved::Saving;
use super::{Error, Service, kept, on_disk};
use crate::kernel::{Execution, Leaving};
use crate::model::{ErrorKind, Mode, RunError};
use crate::response;

/// A run whose cells have run.
pub(super) struct Answered {
    pub(super) prepared: Prepared,
    pub(super) ending: Ending,
    /// Unless the answer had to wait for its end.
    kernel: Option<Leaving>,
    /// What its caller gets; none if that is sent already.
    body: Option<ReplyBody>,
    saving: Option<Saving>,
    /// Held until the kernel has ended, because the next run of a shared directory may not be there together with it.
    slot: Option<Slot>,
}

impl Answered {
    pub(super) fn error(&self) -> Option<&RunError> {
        self.ending.error.as_ref()
    }
}

impl Service {
    /// Decides what came of the run.
    pub(super) async fn conclude(
        &self,
        run: &mut Run,
        mut prepared: Prepared,
        executed: Result<(Execution, Leaving), RunError>,
        slot: Option<Slot>,
    ) -> Answered {
        let (executed, mut kernel) = match executed {
            Ok((execution, kernel)) => (Ok(execution), Some(kernel)),
            Err(error) => (Err(error), None),
        };
        let mut ending = Ending::of(&mut prepared.notebook, prepared.injected.as_deref(), executed, &prepared.accept);
        ending.note_cells(run.live.timings());
        run.live.masks.add(prepared.secrets().iter().map(String::as_str));
        let secrets = run.live.masks.texts();
        ending.mask(&secrets);
        prepared.notebook.mask_outputs(&secrets);
        // A kernel that ends by itself writes what a file still lacks; and what was killed is gone when its caller hears of it.
        let at_once = |kernel: &mut Leaving| ending.answers_with_a_file() || kernel.is_killed();
        if let Some(kernel) = kernel.take_if(at_once) {
            self.end(kernel).await;
        }
        let mut body = None;
        if !run.live.was_answered() {
            let mut told = self.body(run, &prepared, &mut ending, false).await;
            if let ReplyBody::Failed(error) = &mut told
                && !prepared.for_owner
            {
                error.traceback.clear();
            }
            ending.answered = told.answered();
            body = Some(told);
        }
        Answered { prepared, ending, kernel, body, saving: None, slot }
    }

    /// Gives the caller the answer.
    pub(super) async fn answer(&self, run: &mut Run, answered: &mut Answered) {
        answered.saving = Some(self.unsaved.add(run.order.id));
        if let Some(slot) = &mut answered.slot {
            slot.answered();
        }
        if let Some(body) = answered.body.take() {
            self.tell(run, body).await;
        }
    }

    /// Tells what a run answers, and keeps it where it may be asked for again.
    async fn tell(&self, run: &mut Run, body: ReplyBody) {
        let id = run.order.id;
        let now = self.clock.now();
        let body = if run.order.keep_answer { self.keep_reply(id, body, now).await } else { body };
        tracing::debug!("the answer is ready");
        if run.order.mode == Mode::Sync {
            run.respond.send(Ok(Called::Answered(Reply::new(id, body, now))));
        }
        run.live.note_answered();
    }

    /// Sends what the notebook answers before it has ended.
    pub(super) async fn answer_early(&self, run: &mut Run, prepared: &Prepared, output: &Marked) {
        if run.live.was_answered() {
            return; // by the last server
        }
        let mut ending = match response::early(output, &prepared.accept) {
            Some(Ok(answer)) => Ending::early(answer),
            // The run's end will tell what is wrong with it.
            Some(Err(_)) | None => return,
        };
        let body = self.body(run, prepared, &mut ending, true).await;
        if ending.error.is_none() {
            run.early = body.answered();
            self.tell(run, body).await;
        }
    }

    /// Keeps what came of the run, ends its kernel, and gives its place to the next.
    pub(super) async fn clear_up(&self, mut run: Run, answered: Answered) {
        let Answered { prepared, mut ending, kernel, saving, slot, .. } = answered;
        ending.answered = ending.answered.or(run.early.take());
        self.call_back_at_end(&mut run, &prepared, &mut ending).await;
        // What has come since it was masked may quote the notebook too.
        ending.mask(&run.live.masks.texts());
        let (id, attempt) = (run.order.id, run.live.attempt());
        let state = ending.state();
        let request = self.rest_of_request(&run).await;
        self.keep(&run.order, prepared.histo, prepared.notebook, ending, request).await;
        run.live.state(state, attempt);
        self.live.remove(id);
        drop(saving);
        tracing::debug!("the output is saved");
        if let Some(kernel) = kernel {
            self.end(kernel).await;
        }
        if run.order.mode == Mode::Async {
            self.forget_uploads(id).await;
        }
        on_disk(&self.files, move |_| prepared.scratch.close().map_err(Error::from)).await.unwrap_or_else(|error| {
            tracing::error!(%error, "cannot remove the run's directory");
        });
        drop(slot);
    }

    /// Lets go of an attempt that is followed by another; gives back its place in the queue.
    pub(super) async fn discard(&self, answered: Answered) -> Option<Ticket> {
        let Answered { prepared, kernel, slot, .. } = answered;
        if let Some(kernel) = kernel {
            self.end(kernel).await;
        }
        on_disk(&self.files, move |_| prepared.scratch.close().map_err(Error::from)).await.unwrap_or_else(|error| {
            tracing::error!(%error, "cannot remove the run's directory");
        });
        slot.and_then(Slot::into_ticket)
    }

    /// Ends a run whose notebook was never ready.
    pub(super) async fn end_unprepared(&self, mut run: Run, error: RunError) {
        let id = run.order.id;
        let saving = self.unsaved.add(id);
        let ending = Ending::failed(error.clone());
        let state = ending.state();
        self.tell(&mut run, ReplyBody::Failed(error)).await;
        let request = self.rest_of_request(&run).await;
        self.keep_record(&run.order, ending, None, request).await;
        run.live.state(state, run.live.attempt());
        self.live.remove(id);
        self.forget_uploads(id).await;
        drop(saving);
    }

    /// What is kept of an asynchronous run's request once it has ended.
    async fn rest_of_request(&self, run: &Run) -> Option<String> {
        if run.order.mode == Mode::Sync {
            return None;
        }
        match self.kept_call(run.order.id).await {
            Ok((call, _)) => kept::for_rerun(&call, &run.order.hook.params).ok(),
            Err(_) => kept::gone("it could not be read").ok(),
        }
    }

    /// Lets a kernel end, but does not hold up the server's own end; dropped it is killed.
    async fn end(&self, kernel: Leaving) {
        tokio::select! {
            () = kernel.end() => tracing::debug!("the kernel has ended"),
            () = self.interrupt.cancelled() => {}
        }
    }

    /// What the caller gets; a response that turns out not to be possible makes the run a failed one.
    async fn body(&self, run: &Run, prepared: &Prepared, ending: &mut Ending, goes_on: bool) -> ReplyBody {
        if let Some(error) = ending.error.clone().filter(|error| error.kind != ErrorKind::Reported) {
            return ReplyBody::Failed(error);
        }
        let Prepared { hook, notebook, workdir, scratch, .. } = prepared;
        let roots = [workdir.clone(), scratch.path().to_owned()];
        match ending::reply(ending, hook, notebook, roots, &self.kernels, self.clock.now(), goes_on).await {
            Ok(body) => body,
            Err(mut error) => {
                ending::mask_error(&mut error, &run.live.masks.texts());
                ending.error = Some(error.clone());
                ReplyBody::Failed(error)
            }
        }
    }
}
