//! Removing what exceeds its bounds: versions, runs, outputs; and what has expired.
//!
//! `model/retention.rs` says what goes. Here it goes: off the record first, in small transactions, then from disk. Whoever is
//! killed in between leaves files without a record, which [`leftovers`] finds; a record never points to a file that is gone.

mod events;
mod leftovers;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Duration, Utc};
use serde::Serialize;

use super::{Error, Result, Service, on_disk};
use crate::model::{Bounds, Caller, Histo, Hook, HookId, HookPath, Item, Kept, Owner, Plan, RunId, UserId, excess};
use crate::store::StoreError;

/// Records that go in one transaction.
const BATCH: usize = 50;
/// The same for records that are small and many.
const MANY: u32 = 500;
/// Hooks that are looked at at once.
const PAGE: u32 = 100;

/// How much goes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub versions: u64,
    pub runs: u64,
    /// Those of the runs that go included.
    pub outputs: u64,
    /// Of outputs and of versions' notebooks.
    pub bytes: u64,
}

/// How much goes of one hook.
#[derive(Debug, Serialize)]
pub struct PrunedHook {
    pub hook: HookId,
    pub path: HookPath,
    pub owner: Owner,
    #[serde(flatten)]
    pub tally: Tally,
}

/// What a sweep removed, or would.
#[derive(Debug, Default, Serialize)]
pub struct Pruned {
    pub dry_run: bool,
    /// Those of which something goes.
    pub hooks: Vec<PrunedHook>,
    pub total: Tally,
    /// Answers and `Idempotency-Key`s that have expired.
    pub answers: u64,
    pub idempotency_keys: u64,
    /// Inboxes that nobody has read for long.
    pub inboxes: u64,
    /// Files and folders that nothing on record refers to.
    pub leftovers: u64,
}

/// What a sweep looks at.
#[derive(Debug, Clone, Copy)]
struct Sweep {
    /// Only this user's hooks.
    owner: Option<UserId>,
    dry_run: bool,
    leftovers: bool,
}

impl Service {
    /// Removes what exceeds its bounds, or only says what would go: a member's own, by an admin everyone's.
    pub async fn prune(&self, caller: &Caller, dry_run: bool) -> Result<Pruned> {
        let owner = self.scope(caller, "owner", None).await?;
        self.unsaved.settled().await;
        self.sweep_up(Sweep { owner, dry_run, leftovers: true }).await
    }

    /// Removes what exceeds its bounds; looks for `leftovers` too, which takes longer.
    pub async fn sweep(&self, leftovers: bool) -> Result<Pruned> {
        self.sweep_up(Sweep { owner: None, dry_run: false, leftovers }).await
    }

    /// How much there is of a hook.
    pub async fn kept(&self, hook: &Hook) -> Result<Kept> {
        self.unsaved.settled().await;
        Ok(self.db.kept(hook.id).await?)
    }

    async fn sweep_up(&self, sweep: Sweep) -> Result<Pruned> {
        let _turn = self.sweeper.acquire().await.map_err(|error| Error::Internal(error.to_string()))?;
        let now = self.clock.now();
        let mut plans = self.pruning_plans(sweep.owner, now).await?;
        if sweep.owner.is_none() {
            self.plan_total_pruning(&mut plans, now).await?;
        }
        let mut pruned = Pruned { dry_run: sweep.dry_run, ..Pruned::default() };
        for (hook, plan) in plans {
            let tally = if sweep.dry_run { Tally::of(&plan) } else { self.prune_hook(&hook, &plan, now).await? };
            if tally != Tally::default() {
                pruned.total.add(tally);
                pruned.hooks.push(PrunedHook { hook: hook.id, path: hook.path, owner: hook.owner_name, tally });
            }
        }
        if sweep.owner.is_none() {
            (pruned.answers, pruned.idempotency_keys) = self.remove_expired(sweep.dry_run, now).await?;
            if !sweep.dry_run {
                self.remove_old_events(now).await?;
                self.forget_notifications(now).await?;
                self.sweep_subscriptions(now).await?;
            }
        }
        pruned.inboxes = self.remove_unread_inboxes(sweep.owner, sweep.dry_run, now).await?;
        if sweep.leftovers {
            pruned.leftovers = self.leftovers(sweep.owner, sweep.dry_run).await?;
        }
        if !sweep.dry_run {
            tell(&pruned);
            self.fill_reserve().await;
        }
        Ok(pruned)
    }

    /// What goes of each hook by its own bounds.
    async fn pruning_plans(&self, owner: Option<UserId>, now: DateTime<Utc>) -> Result<Vec<(Hook, Plan)>> {
        let (mut plans, mut last) = (Vec::new(), None);
        loop {
            let hooks = self.db.hooks_behind(last, owner, PAGE).await?;
            let Some((hook, _)) = hooks.last() else { return Ok(plans) };
            last = Some(hook.id);
            for (hook, deleted) in hooks {
                let plan = self.pruning_plan(&hook, deleted, now).await?;
                if !plan.is_empty() {
                    plans.push((hook, plan));
                }
            }
        }
    }

    async fn pruning_plan(&self, hook: &Hook, deleted: bool, now: DateTime<Utc>) -> Result<Plan> {
        let retention = self.settings.keep.retention().of(&hook.params);
        if retention.holds(&self.db.kept(hook.id).await?, now) {
            return Ok(Plan::default());
        }
        let mut runs = self.db.kept_runs(hook.id, now).await?;
        if deleted {
            // What its owner wanted to keep when it was deleted is not touched.
            runs.retain(|run| run.output.is_none());
            return Ok(retention.plan(&[], &runs, now));
        }
        Ok(retention.plan(&self.db.kept_versions(hook.id).await?, &runs, now))
    }

    /// Adds what has to go for the outputs of all hooks together to have room.
    async fn plan_total_pruning(&self, plans: &mut Vec<(Hook, Plan)>, now: DateTime<Utc>) -> Result<()> {
        let Some(most) = self.settings.keep.total_bytes() else { return Ok(()) };
        let going: u64 = plans.iter().map(|(_, plan)| plan.output_bytes()).sum();
        if self.db.output_bytes().await?.saturating_sub(going) <= most {
            return Ok(());
        }
        let retention = self.settings.keep.retention();
        let planned: HashSet<(HookId, Histo)> = plans
            .iter()
            .flat_map(|(hook, plan)| plan.runs.iter().chain(&plan.outputs).map(|item| (hook.id, item.key.clone())))
            .collect();
        let left = self.db.runs_with_output(now).await?.into_iter();
        let left = left.filter(|(hook, run)| !planned.contains(&(*hook, run.histo.clone())));
        let items = left.map(|(hook, run)| retention.item((run.histo.clone(), hook), &run, now)).collect();
        let mut more: HashMap<HookId, Vec<Item<Histo>>> = HashMap::new();
        for Item { key: (key, hook), age, bytes, stays } in
            excess(items, Bounds { bytes: Some(most), ..Bounds::default() })
        {
            more.entry(hook).or_default().push(Item { key, age, bytes, stays });
        }
        for (hook, plan) in plans.iter_mut() {
            plan.outputs.extend(more.remove(&hook.id).unwrap_or_default());
        }
        for (id, outputs) in more {
            if let Some(hook) = self.db.hook(id).await? {
                plans.push((hook, Plan { outputs, ..Plan::default() }));
            }
        }
        Ok(())
    }

    async fn prune_hook(&self, hook: &Hook, plan: &Plan, now: DateTime<Utc>) -> Result<Tally> {
        let mut tally = Tally::default();
        for batch in plan.runs.chunks(BATCH) {
            let histos = keys(batch);
            let removed = self.with_reserve(|| self.db.remove_runs(hook.id, &histos, now)).await?;
            tally.runs += removed.len() as u64;
            tally.outputs += removed.iter().filter(|run| run.output.is_some()).count() as u64;
            tally.bytes += removed.iter().filter_map(|run| run.output).sum::<u64>();
            let (ids, outputs) = removed.into_iter().map(|run| (run.id, run.histo)).unzip();
            self.remove_files_of_runs(hook, outputs, ids).await;
        }
        for batch in plan.outputs.chunks(BATCH) {
            let histos = keys(batch);
            let removed = self.with_reserve(|| self.db.remove_outputs(hook.id, &histos)).await?;
            tally.outputs += removed.len() as u64;
            tally.bytes += removed.iter().map(|(_, size)| size).sum::<u64>();
            self.remove_files_of_runs(hook, removed.into_iter().map(|(histo, _)| histo).collect(), Vec::new()).await;
        }
        if self.may_need_older_versions(hook, now) {
            return Ok(tally); // the next sweep takes them
        }
        for version in &plan.versions {
            if self.with_reserve(|| self.db.remove_version(hook.id, &version.key)).await? {
                tally.versions += 1;
                tally.bytes += version.bytes;
                let (of, histo) = (hook.clone(), version.key.clone());
                let removed = on_disk(&self.files, move |files| files.remove_versions(&of, &[histo])).await;
                removed.unwrap_or_else(|error| cannot_remove(&error));
            }
        }
        Ok(tally)
    }

    /// Whether a call may be here that found another version live than is now, and is not on record as a run yet.
    fn may_need_older_versions(&self, hook: &Hook, now: DateTime<Utc>) -> bool {
        let longest_body = Duration::seconds(i64::try_from(self.settings.body_timeout).unwrap_or(i64::MAX / 1000) * 20);
        self.admission.has_calls(hook.id) && now - hook.updated_at < longest_body + Duration::minutes(1)
    }

    /// Removes files whose record is gone.
    async fn remove_files_of_runs(&self, hook: &Hook, outputs: Vec<Histo>, answers: Vec<RunId>) {
        let of = hook.clone();
        let removed = on_disk::<_, StoreError>(&self.files, move |files| {
            files.remove_outputs(&of, &outputs)?;
            files.remove_answers(&answers)
        });
        removed.await.unwrap_or_else(|error| cannot_remove(&error));
    }

    /// Removes the answers and the `Idempotency-Key`s that have expired; gives their numbers.
    async fn remove_expired(&self, dry_run: bool, now: DateTime<Utc>) -> Result<(u64, u64)> {
        if dry_run {
            return Ok(self.db.expired(now).await?);
        }
        let (mut answers, mut keys) = (0, 0);
        loop {
            let runs = self.with_reserve(|| self.db.expire_answers(now, MANY)).await?;
            if runs.is_empty() {
                break;
            }
            answers += runs.len() as u64;
            let removed = on_disk(&self.files, move |files| files.remove_answers(&runs)).await;
            removed.unwrap_or_else(|error| cannot_remove(&error));
        }
        loop {
            match self.with_reserve(|| self.db.expire_keys(now, MANY)).await? {
                0 => return Ok((answers, keys)),
                some => keys += some,
            }
        }
    }
}

impl Tally {
    fn of(plan: &Plan) -> Self {
        let with_output = plan.runs.iter().filter(|run| run.bytes > 0).count() + plan.outputs.len();
        let versions: u64 = plan.versions.iter().map(|version| version.bytes).sum();
        Self {
            versions: plan.versions.len() as u64,
            runs: plan.runs.len() as u64,
            outputs: with_output as u64,
            bytes: versions + plan.output_bytes(),
        }
    }

    fn add(&mut self, other: Self) {
        self.versions += other.versions;
        self.runs += other.runs;
        self.outputs += other.outputs;
        self.bytes += other.bytes;
    }
}

fn keys(items: &[Item<Histo>]) -> Vec<Histo> {
    items.iter().map(|item| item.key.clone()).collect()
}

fn cannot_remove(error: &Error) {
    tracing::error!(%error, "cannot remove files that are not on record any more; it is tried again");
}

/// One line in the log, and the metrics.
fn tell(pruned: &Pruned) {
    let Pruned { total, answers, idempotency_keys, inboxes, leftovers, .. } = pruned;
    metrics::counter!("nbhook_sweeps_total").increment(1);
    metrics::counter!("nbhook_pruned_bytes_total").increment(total.bytes);
    let (versions, runs, outputs) = (total.versions, total.runs, total.outputs);
    let counts = [
        ("versions", versions),
        ("runs", runs),
        ("outputs", outputs),
        ("answers", *answers),
        ("idempotency_keys", *idempotency_keys),
        ("inboxes", *inboxes),
        ("leftovers", *leftovers),
    ];
    for (what, number) in counts {
        metrics::counter!("nbhook_pruned_total", "what" => what).increment(number);
    }
    if counts.iter().any(|(_, number)| *number > 0) {
        let bytes = total.bytes;
        tracing::info!(versions, runs, outputs, bytes, answers, idempotency_keys, inboxes, leftovers, "pruned");
    }
}
