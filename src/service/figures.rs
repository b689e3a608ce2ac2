//! Figures of many runs, for those who look at them as a whole.

use std::collections::HashMap;

use chrono::TimeDelta;

use super::{Result, Service};
use crate::model::{Caller, DeliveryFigures, FailingHook, HookId, HookPath, Run, RunFigures};
use crate::store::Span;

/// How many hooks with failures are told of.
const MOST_FAILING: u32 = 8;

/// What happened lately, in the caller's reach.
#[derive(Debug)]
pub struct Overview {
    /// Of all runs that ended in the span. How long they took is told of a sample, if they are very many.
    pub all: RunFigures,
    /// By slot of the span, the first one 0; those without a run are left out.
    pub slots: Vec<(i64, RunFigures)>,
    pub failing: Vec<FailingHook>,
    pub deliveries: DeliveryFigures,
}

impl Service {
    /// What happened in the last `slots` times `width`.
    pub async fn overview(&self, caller: &Caller, slots: i32, width: TimeDelta) -> Result<Overview> {
        // What ends at this very moment belongs to the last slot.
        let since = self.clock.now() - width * slots + TimeDelta::milliseconds(1);
        let span = Span { owner: self.scope(caller, "owner", None).await?, since };
        let (all, by_slot) = self.db.run_figures(span, width, slots).await?;
        Ok(Overview {
            all,
            slots: by_slot,
            failing: self.db.failing_hooks(span, MOST_FAILING).await?,
            deliveries: self.db.delivery_figures(span).await?,
        })
    }

    /// Runs of the caller that have not ended, at most so many, and how many there are.
    pub async fn runs_going_on(&self, caller: &Caller, most: u32) -> Result<(Vec<Run>, u64)> {
        let owner = self.scope(caller, "owner", None).await?;
        Ok(self.db.runs_going_on(owner, most).await?)
    }

    /// The paths of the hooks of runs that the caller may see, also of hooks that are deleted.
    pub async fn hook_paths(&self, runs: &[Run]) -> Result<HashMap<HookId, HookPath>> {
        let mut hooks: Vec<HookId> = runs.iter().map(|run| run.hook).collect();
        hooks.dedup();
        Ok(self.db.hook_paths(&hooks).await?.into_iter().collect())
    }
}
