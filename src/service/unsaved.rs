//! Runs whose callers have their answer and whose outputs are still being saved.
//!
//! An answer does not wait for the disk. Whoever asks about runs and outputs does, for those that were answered before: who
//! has an answer finds its run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::{CancellationToken, DropGuard};

use crate::model::RunId;

/// How long a question waits. Saving takes milliseconds; a disk that takes longer than this is the worse problem.
const PATIENCE: Duration = Duration::from_secs(10);

/// The runs that are being saved.
#[derive(Debug, Clone, Default)]
pub(super) struct Unsaved(Arc<Mutex<HashMap<RunId, CancellationToken>>>);

/// One of them; it counts as saved when this is dropped.
#[derive(Debug)]
pub(super) struct Saving {
    run: RunId,
    all: Unsaved,
    _end: DropGuard,
}

impl Unsaved {
    /// Notes a run that is about to be answered.
    pub(super) fn add(&self, run: RunId) -> Saving {
        let saved = CancellationToken::new();
        self.runs().insert(run, saved.clone());
        Saving { run, all: self.clone(), _end: saved.drop_guard() }
    }

    /// Waits until all runs that have been answered so far are saved.
    pub(super) async fn settled(&self) {
        let runs: Vec<_> = self.runs().values().cloned().collect();
        let all = async {
            for saved in runs {
                saved.cancelled().await;
            }
        };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            tracing::warn!("saving the output of a run takes long");
        }
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<RunId, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Saving {
    fn drop(&mut self) {
        self.all.runs().remove(&self.run);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_question_waits_for_the_runs_answered_before_it_and_no_others() {
        let unsaved = Unsaved::default();
        unsaved.settled().await;
        let before = unsaved.add(RunId::new());
        let question = tokio::spawn({
            let unsaved = unsaved.clone();
            async move { unsaved.settled().await }
        });
        tokio::task::yield_now().await;
        let _after = unsaved.add(RunId::new());
        assert!(!question.is_finished());
        drop(before);
        question.await.unwrap();
    }
}
