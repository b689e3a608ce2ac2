//! `/v1/runs`: every execution on record.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;

use super::auth::Authenticated;
use super::error::{self, ApiError};
use super::hooks::{Id, notebook_response};
use super::list::ListQuery;
use super::tasks;
use crate::model::{HookId, Run, RunId, RunState, ScheduleId};
use crate::service::{RunQuery, Service};

pub(super) async fn list(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let mut list = ListQuery::of(&request)?;
    let query = RunQuery {
        hook: list.filter::<HookId>("hook", "must be the id of a hook")?,
        state: list.filter::<RunState>("state", &states())?,
        since: list.time("since")?,
        schedule: list.filter::<ScheduleId>("schedule", "must be the id of a schedule")?,
    };
    let runs = service.runs(&caller, query, list.page).await?;
    list.answer("id", &runs.iter().map(|run| view(run, &service)).collect::<Vec<_>>())
}

/// What a state may be.
pub(super) fn states() -> String {
    format!("must be one of {}", RunState::ALL.map(RunState::as_str).join(", "))
}

/// A run, with how far it says it has come.
pub(super) fn view(run: &Run, service: &Service) -> Value {
    let mut view = serde_json::to_value(run).unwrap_or_default();
    // What a failure is answered with is decided here, and so not on record.
    if let (Some(error), None) = (&run.error, run.status) {
        view["status"] = error::status_of(error.kind).as_u16().into();
        view["media_type"] = error::PROBLEM.into();
    }
    view["progress"] = serde_json::to_value(service.progress(run.id)).unwrap_or_default();
    view
}

pub(super) async fn show(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<RunId>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(view(&service.run_record(&caller, id.0).await?, &service)))
}

pub(super) async fn cancel(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<RunId>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(view(&service.cancel(&caller, id.0).await?, &service)))
}

pub(super) async fn rerun(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<RunId>,
) -> Result<HttpResponse, ApiError> {
    Ok(tasks::accepted(&service.into_inner().rerun(&caller, id.0).await?))
}

pub(super) async fn output(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<RunId>,
) -> Result<HttpResponse, ApiError> {
    Ok(notebook_response(service.run_output(&caller, id.0).await?))
}
