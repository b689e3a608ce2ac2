//! Figures of many runs, for those who look at them as a whole.

use std::collections::HashMap;

use super::{Result, Service};
use crate::model::{Caller, HookId, HookPath, Run};

impl Service {
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
