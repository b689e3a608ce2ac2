//! Schedules: hooks that run by themselves. How they fire is in `schedules/firing.rs`.

mod firing;

use std::sync::Arc;

use serde_json::{Map, Value};

use super::call::Origin;
use super::contracts::checked;
use super::{Body, Call, CallWish, Called, Error, Prefer, Result, Service, Task};
use crate::crontab::{Crontab, Zone};
use crate::model::{
    Caller, Hook, HookId, HookPath, Invalid, Missed, Overlap, Owner, Page, Role, RunId, Schedule, ScheduleId,
};
use crate::notebook::{ParamValue, Parameters};

/// What a schedule is to be.
#[derive(Debug)]
pub struct NewSchedule {
    pub crontab: Crontab,
    pub zone: Zone,
    pub params: Map<String, Value>,
    pub overlap: Overlap,
    pub missed: Missed,
    pub enabled: bool,
}

impl Service {
    /// Makes the schedule of a hook, or replaces it; says whether it had none.
    ///
    /// # Errors
    /// `Parameters` if the hook's live version does not take them.
    pub async fn set_schedule(&self, caller: &Caller, hook: HookId, new: NewSchedule) -> Result<(Schedule, bool)> {
        let hook = self.hook(caller, hook).await?;
        self.check_scheduled(&hook, &new.params).await?;
        let now = self.clock.now();
        let next_at = new.crontab.next(now, new.zone).filter(|_| new.enabled);
        let schedule = Schedule {
            id: ScheduleId::new(),
            hook: hook.id,
            owner: hook.owner,
            owner_name: hook.owner_name,
            path: hook.path,
            cron: new.crontab.as_str().to_owned(),
            tz: new.zone.as_str().to_owned(),
            params: new.params,
            overlap: new.overlap,
            missed: new.missed,
            enabled: new.enabled,
            next_at,
            last_at: None,
            last_run: None,
            problem: None,
            created_at: now,
            updated_at: now,
        };
        let is_new = self.db.set_schedule(&schedule).await?.ok_or(Error::NotFound("hook"))?;
        self.schedule_news.notify_one();
        let kept = self.db.schedule_of_hook(hook.id).await?.ok_or(Error::NotFound("hook"))?;
        Ok((kept, is_new))
    }

    async fn check_scheduled(&self, hook: &Hook, params: &Map<String, Value>) -> Result<()> {
        let Some(version) = self.db.version(hook.id, &hook.histo).await? else { return Err(Error::NotFound("hook")) };
        let checker = self.checkers.get(hook, &version)?;
        let parameters = Parameters::new(Vec::new(), ParamValue::from(Value::Object(params.clone())), Vec::new());
        checked(parameters, checker.as_deref(), &hook.params).map(drop)
    }

    /// The schedule of what is in the caller's reach.
    pub async fn schedule(&self, caller: &Caller, id: ScheduleId) -> Result<Schedule> {
        let found = self.db.schedule(id).await?;
        found.filter(|schedule| caller.may_touch(schedule.owner)).ok_or(Error::NotFound("schedule"))
    }

    pub async fn schedules(
        &self,
        caller: &Caller,
        user: Option<&Owner>,
        hook: Option<HookId>,
        path: Option<&HookPath>,
        page: Page,
    ) -> Result<Vec<Schedule>> {
        Ok(self.db.schedules(self.scope(caller, "user", user).await?, hook, path, page).await?)
    }

    pub async fn delete_schedule(&self, caller: &Caller, id: ScheduleId) -> Result<()> {
        self.schedule(caller, id).await?;
        if self.db.delete_schedule(id).await? { Ok(()) } else { Err(Error::NotFound("schedule")) }
    }

    /// Which parameters of a hook nobody is shown.
    pub async fn hidden_params(&self, hook: HookId) -> Result<Vec<String>> {
        Ok(self.db.hook(hook).await?.map(|hook| hook.params.secret_names()).unwrap_or_default())
    }

    /// Runs it now, at no time of its own.
    pub async fn run_schedule(self: &Arc<Self>, caller: &Caller, id: ScheduleId) -> Result<Task> {
        let schedule = self.schedule(caller, id).await?;
        self.begin_scheduled(&schedule, RunId::new()).await
    }

    async fn begin_scheduled(self: &Arc<Self>, schedule: &Schedule, run: RunId) -> Result<Task> {
        let hook = self.db.hook(schedule.hook).await?.ok_or(Error::NotFound("hook"))?;
        let caller = Caller { user: hook.owner, name: hook.owner_name.clone(), role: Role::Member };
        let has_params = !schedule.params.is_empty();
        let call = Call {
            method: if has_params { "POST" } else { "GET" }.to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            body: if has_params { Body::Json(Value::Object(schedule.params.clone())) } else { Body::Empty },
            raw_body: None,
            room: None,
        };
        let target = self.target(hook, None).await?;
        let prefer = Prefer { respond_async: true, wait: None };
        let wish = CallWish { prefer, key: None, caller: Some(caller) };
        match self.begin_call(target, call, wish, Origin::schedule(schedule.id, run)).await? {
            Called::Accepted(task) => Ok(task),
            Called::Answered(_) => Err(Error::Internal("a scheduled run answered at once".to_owned())),
        }
    }

    /// Ends when a schedule was made or changed.
    pub async fn schedule_news(&self) {
        self.schedule_news.notified().await;
    }

    /// The next times of a schedule, in the time of its zone; none of one that is not enabled.
    pub fn upcoming(&self, schedule: &Schedule, count: usize) -> Vec<String> {
        let Ok((crontab, zone)) = when(schedule) else { return Vec::new() };
        let Some(next) = schedule.next_at else { return Vec::new() };
        let more = crontab.upcoming(next, zone, count.saturating_sub(1));
        std::iter::once(next).chain(more).map(|at| zone.show(at)).collect()
    }
}

/// When a schedule fires, as it is kept.
///
/// # Errors
/// `Invalid`, if a newer version of the time zones no longer has its zone.
pub(super) fn when(schedule: &Schedule) -> Result<(Crontab, Zone), Invalid> {
    Ok((schedule.cron.parse()?, schedule.tz.parse()?))
}
