//! `/v1/schedules`: when hooks run by themselves.

mod hidden;

use std::sync::Arc;

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value, json};

use self::hidden::Hidden;
use super::auth::Authenticated;
use super::error::ApiError;
use super::fields::Fields;
use super::hooks::Id;
use super::list::ListQuery;
use super::{reply, tasks};
use crate::model::{Caller, Change, HookId, HookPath, Invalid, Missed, Overlap, Owner, Page, Schedule, ScheduleId};
use crate::service::{Crontab, Error, NewSchedule, Service, Zone};

/// How many of its next times are told.
const SHOWN: usize = 5;
/// Longest expression and name of a zone, in characters.
const LONGEST: usize = 200;
/// Largest parameters, in bytes of JSON.
const LARGEST: usize = 64 << 10;

/// What a change may have as it was read, and not otherwise.
const READ_ONLY: &[&str] =
    &["id", "hook", "path", "owner", "next", "last_at", "last_run", "problem", "created_at", "updated_at"];

/// A schedule; what its hook calls sensitive is not shown.
pub(super) async fn view(service: &Service, schedule: &Schedule) -> Result<Value, ApiError> {
    let mut params = schedule.params.clone();
    hidden(service, schedule.hook).await?.hide(&mut params);
    Ok(json!({
        "id": schedule.id,
        "hook": schedule.hook,
        "path": schedule.path,
        "owner": schedule.owner_name,
        "cron": schedule.cron,
        "tz": schedule.tz,
        "params": params,
        "overlap": schedule.overlap,
        "missed": schedule.missed,
        "enabled": schedule.enabled,
        "next": service.upcoming(schedule, SHOWN),
        "last_at": schedule.last_at.map(reply::time),
        "last_run": schedule.last_run,
        "problem": schedule.problem,
        "created_at": reply::time(schedule.created_at),
        "updated_at": reply::time(schedule.updated_at),
    }))
}

async fn hidden(service: &Service, hook: HookId) -> Result<Hidden, ApiError> {
    Ok(Hidden::new(&service.hidden_params(hook).await?))
}

/// The fields that a schedule is made of, where they are given.
struct Wanted {
    cron: Change<Crontab>,
    tz: Change<Zone>,
    params: Change<Map<String, Value>>,
    overlap: Change<Overlap>,
    missed: Change<Missed>,
    enabled: Change<bool>,
}

impl Wanted {
    fn take(fields: &mut Fields) -> Result<Self, Invalid> {
        let params = fields.take("params", "must be an object of up to 64 KiB", |value| {
            value.as_object().filter(|_| value.to_string().len() <= LARGEST).cloned()
        });
        Ok(Self {
            cron: parsed(fields.line("cron", LONGEST)?)?,
            tz: parsed(fields.line("tz", LONGEST)?)?,
            params: params?,
            overlap: parsed(fields.line("overlap", LONGEST)?)?,
            missed: parsed(fields.line("missed", LONGEST)?)?,
            enabled: fields.flag("enabled")?,
        })
    }

    /// With the parameters that were shown as hidden as they are kept.
    fn keeping(mut self, hidden: &Hidden, kept: Option<&Schedule>) -> Result<Self, Invalid> {
        if let Change::Set(params) = &mut self.params {
            hidden.keep(params, kept.map(|schedule| &schedule.params))?;
        }
        Ok(self)
    }

    /// With what is not given as it was, or as is usual.
    fn over(self, before: Option<&Schedule>) -> Result<NewSchedule, Invalid> {
        let crontab = match (self.cron.given(), before) {
            (Some(cron), _) => cron,
            (None, Some(before)) => before.cron.parse()?,
            (None, None) => return Err(Invalid::new("cron", "is missing")),
        };
        Ok(NewSchedule {
            crontab,
            zone: merged(self.tz, before.map(|before| before.tz.parse()).transpose()?, Zone::UTC),
            params: merged(self.params, before.map(|before| before.params.clone()), Map::new()),
            overlap: merged(self.overlap, before.map(|before| before.overlap), Overlap::default()),
            missed: merged(self.missed, before.map(|before| before.missed), Missed::default()),
            enabled: merged(self.enabled, before.map(|before| before.enabled), true),
        })
    }
}

fn parsed<T: std::str::FromStr<Err = Invalid>>(text: Change<String>) -> Result<Change<T>, Invalid> {
    Ok(match text {
        Change::Keep => Change::Keep,
        Change::Clear => Change::Clear,
        Change::Set(text) => Change::Set(text.parse()?),
    })
}

fn merged<T>(change: Change<T>, before: Option<T>, usual: T) -> T {
    match change {
        Change::Set(new) => new,
        Change::Keep => before.unwrap_or(usual),
        Change::Clear => usual,
    }
}

/// The hook that a request names, by its id or its path.
async fn hook(fields: &mut Fields, service: &Service, caller: &Caller) -> Result<HookId, ApiError> {
    let id = fields.take("hook", "must be the id of a hook", |value| value.as_str()?.parse::<HookId>().ok())?.given();
    let path =
        fields.take("path", "must be the path of a hook", |value| HookPath::parse(value.as_str()?).ok())?.given();
    let user = fields.user()?;
    match (id, path) {
        (Some(id), None) => Ok(service.hook(caller, id).await?.id),
        (None, Some(path)) => {
            let user = user.as_ref().unwrap_or(&caller.name);
            let page = Page { limit: 1, offset: 0 };
            let found = service.hooks(caller, Some(user), Some(&path), page).await?;
            let found =
                found.first().ok_or_else(|| Error::from(Invalid::new("path", "there is no hook at this path")))?;
            Ok(found.id)
        }
        _ => Err(Invalid::new("path", "is missing: name the hook by its path, or by its id as `hook`").into()),
    }
}

pub(super) async fn create(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let mut fields = Fields::of_body(payload, &service).await?;
    let wanted = Wanted::take(&mut fields)?;
    let hook = hook(&mut fields, &service, &caller).await?;
    fields.end()?;
    let page = Page { limit: 1, offset: 0 };
    let replaced = service.schedules(&caller, None, Some(hook), None, page).await?;
    let wanted = wanted.keeping(&hidden(&service, hook).await?, replaced.first())?;
    let (schedule, is_new) = service.set_schedule(&caller, hook, wanted.over(None)?).await?;
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    response.insert_header((LOCATION, format!("/v1/schedules/{}", schedule.id)));
    Ok(response.json(view(&service, &schedule).await?))
}

pub(super) async fn list(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let mut query = ListQuery::of(&request)?;
    let user = query.filter::<Owner>("owner", "must be the name of a user")?;
    let hook = query.filter::<HookId>("hook", "must be the id of a hook")?;
    let path = query.filter::<HookPath>("path", "must be the path of a notebook, as it was deployed")?;
    let mut items = Vec::new();
    for schedule in service.schedules(&caller, user.as_ref(), hook, path.as_ref(), query.page).await? {
        items.push(view(&service, &schedule).await?);
    }
    query.answer("id", &items)
}

pub(super) async fn show(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<ScheduleId>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(view(&service, &service.schedule(&caller, id.0).await?).await?))
}

pub(super) async fn change(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<ScheduleId>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let mut fields = Fields::of_body(payload, &service).await?;
    let before = service.schedule(&caller, id.0).await?;
    fields.pass_over(READ_ONLY, &view(&service, &before).await?)?;
    let wanted = Wanted::take(&mut fields)?;
    fields.end()?;
    let wanted = wanted.keeping(&hidden(&service, before.hook).await?, Some(&before))?;
    let (schedule, _) = service.set_schedule(&caller, before.hook, wanted.over(Some(&before))?).await?;
    Ok(HttpResponse::Ok().json(view(&service, &schedule).await?))
}

pub(super) async fn delete(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<ScheduleId>,
) -> Result<HttpResponse, ApiError> {
    service.delete_schedule(&caller, id.0).await?;
    Ok(HttpResponse::Ok().json(json!({"success": true})))
}

pub(super) async fn run(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<ScheduleId>,
) -> Result<HttpResponse, ApiError> {
    let service: Arc<Service> = service.into_inner();
    Ok(tasks::accepted(&service.run_schedule(&caller, id.0).await?))
}
