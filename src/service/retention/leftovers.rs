//! Files that nothing on record refers to: a server was killed, or a disk failed, between the record and the files.

use std::collections::HashSet;

use super::{PAGE, cannot_remove};
use crate::model::{Histo, Hook, RunId, UserId};
use crate::service::{Result, Service, on_disk};
use crate::store::{Files, OnRecord, StoreError};

impl OnRecord {
    fn is_nothing(&self) -> bool {
        !self.live && self.versions.is_empty() && self.outputs.is_empty()
    }
}

impl Service {
    /// Removes leftovers of all hooks, or one owner's; gives their number.
    pub(super) async fn leftovers(&self, owner: Option<UserId>, dry_run: bool) -> Result<u64> {
        let (mut number, mut last, mut seen) = (0, None, HashSet::new());
        loop {
            let hooks = self.db.hooks_behind(last, owner, PAGE).await?;
            let Some((hook, _)) = hooks.last() else { break };
            last = Some(hook.id);
            for (hook, _) in hooks {
                if seen.insert((hook.owner, hook.path.clone())) {
                    number += self.leftovers_at(&hook, dry_run).await?;
                }
            }
        }
        Ok(if owner.is_none() {
            number + self.leftover_answers(dry_run).await? + self.leftover_contents(dry_run).await?
        } else {
            number
        })
    }

    /// Those at the path of a hook.
    async fn leftovers_at(&self, hook: &Hook, dry_run: bool) -> Result<u64> {
        // No deploy puts a version there meanwhile, which is on record only afterwards.
        let turn = self.use_folder().await?;
        let of = hook.clone();
        // First what is there, then what is on record: an output is written before its run has ended.
        let found = on_disk(&self.files, move |files| files.found(&of)).await?;
        if !found.folder {
            return Ok(0);
        }
        let known = self.db.on_record(hook.owner, &hook.path).await?;
        if known.is_nothing() {
            drop(turn);
            return self.leftover_folder(hook, dry_run).await;
        }
        let versions: Vec<Histo> = found.versions.into_iter().filter(|it| !known.versions.contains(it)).collect();
        let outputs: Vec<Histo> = found.outputs.into_iter().filter(|it| !known.outputs.contains(it)).collect();
        let number = (versions.len() + outputs.len()) as u64;
        if number > 0 && !dry_run {
            let of = hook.clone();
            let removed = on_disk::<_, StoreError>(&self.files, move |files| {
                files.remove_versions(&of, &versions)?;
                files.remove_outputs(&of, &outputs)
            });
            removed.await.unwrap_or_else(|error| cannot_remove(&error));
        }
        Ok(number)
    }

    /// The folder of a hook that was deleted with all its files.
    async fn leftover_folder(&self, hook: &Hook, dry_run: bool) -> Result<u64> {
        let _turn = self.change_folders().await?;
        // Somebody may have deployed there before it was our turn.
        if !dry_run && self.db.on_record(hook.owner, &hook.path).await?.is_nothing() {
            let of = hook.clone();
            let removed = on_disk(&self.files, move |files| files.remove_hook(&of)).await;
            removed.unwrap_or_else(|error| cannot_remove(&error));
        }
        Ok(1)
    }

    /// Those of dependencies and assets.
    async fn leftover_contents(&self, dry_run: bool) -> Result<u64> {
        // Nobody puts one there meanwhile, which is on record only afterwards.
        let _turn = self.change_folders().await?;
        let mut number = 0;
        for (id, found) in on_disk(&self.files, Files::contents).await? {
            let known = self.db.stored_histos(id).await?;
            let leftover: Vec<Histo> = found.into_iter().filter(|histo| !known.contains(histo)).collect();
            number += leftover.len() as u64;
            if dry_run || leftover.is_empty() {
                continue;
            }
            let removed = on_disk(&self.files, move |files| files.remove_contents(id, &leftover)).await;
            removed.unwrap_or_else(|error| cannot_remove(&error));
        }
        Ok(number)
    }

    async fn leftover_answers(&self, dry_run: bool) -> Result<u64> {
        let mut leftover: Vec<RunId> = Vec::new();
        for run in on_disk(&self.files, Files::answers).await? {
            if !self.db.has_answer(run).await? {
                leftover.push(run);
            }
        }
        let number = leftover.len() as u64;
        if number > 0 && !dry_run {
            let removed = on_disk(&self.files, move |files| files.remove_answers(&leftover)).await;
            removed.unwrap_or_else(|error| cannot_remove(&error));
        }
        Ok(number)
    }
}
