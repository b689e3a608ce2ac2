//! `/v1/tasks`: asynchronous runs as their callers see them (`application/hal+json`).

use actix_web::http::header::{CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::accept::{self, HAL, JSON};
use super::auth::{self, Authenticated};
use super::error::{self, ApiError};
use super::hooks::Id;
use super::list::ListQuery;
use super::{body, reply};
use crate::model::{RunId, RunState, SigningSecret, TaskKey, notification};
use crate::service::{Asker, Error, Service, Task};

/// What tasks may be asked for as.
const OFFERED: [&str; 3] = [HAL, JSON, error::PROBLEM];
/// After how many seconds it is worth while to ask again.
const ASK_AGAIN: u64 = 2;

fn link(resource: &str, task: &Task, rest: &str) -> String {
    format!("/v1/{resource}/{}{rest}{}", task.run.id, query(task))
}

/// What lets the caller of a run see it.
fn query(task: &Task) -> String {
    task.key.as_ref().map(TaskKey::expose).map(|key| format!("?key={key}")).unwrap_or_default()
}

fn message(state: RunState) -> &'static str {
    match state {
        RunState::Queued => "The run waits for its turn.",
        RunState::Running => "The run goes on.",
        RunState::Succeeded => "The run has ended; its result can be fetched.",
        RunState::Cancelled => "The run was cancelled.",
        RunState::Failed | RunState::TimedOut | RunState::Interrupted => "The run has ended without success.",
    }
}

fn show(task: &Task) -> Value {
    let ended = task.run.state.is_final();
    let mut links = json!({"self": {"href": link("tasks", task, "")}});
    if ended {
        links["result"] = json!({"href": link("runs", task, "/result")});
    }
    if let Some(subscription) = task.subscription {
        links["subscription"] = json!({"href": format!("{}{}", notification::link(subscription), query(task))});
    }
    json!({
        "_links": links,
        "UUID": task.run.id,
        "state": task.run.state,
        "message": message(task.run.state),
        "progress": task.progress,
        "retryAfter": (!ended).then_some(ASK_AGAIN),
    })
}

/// The answer to a call whose run goes on by itself.
pub(super) fn accepted(task: &Task) -> HttpResponse {
    let mut response = HttpResponse::Accepted();
    response
        .insert_header((CONTENT_TYPE, HAL))
        .insert_header((LOCATION, link("tasks", task, "")))
        .insert_header((RETRY_AFTER, ASK_AGAIN.to_string()))
        .insert_header((HeaderName::from_static("x-nbhook-run"), task.run.id.to_string()));
    if task.replayed {
        response.insert_header((HeaderName::from_static("idempotent-replayed"), "true"));
    }
    let mut view = show(task);
    if let Some(secret) = task.secret.as_ref().map(SigningSecret::expose) {
        view["callbackSecret"] = secret.into();
    }
    response.body(view.to_string())
}

/// Who asks: with a task's key, or with an API token.
pub(super) async fn asker(request: &HttpRequest) -> Result<Asker, ApiError> {
    // A program that sends its own token along everywhere is still the caller who has the key.
    if let Some((_, key)) = body::query(request).into_iter().find(|(name, _)| name == "key") {
        return Ok(Asker::Key(key));
    }
    let caller = auth::caller(request).await?;
    caller.map(Asker::User).ok_or_else(|| Error::Unauthorized.into())
}

pub(super) async fn list(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let media_type = accept::chosen(&request, &[JSON, HAL])?;
    let mut query = ListQuery::of(&request)?;
    let state = query.filter::<RunState>("state", &super::runs::states())?;
    let tasks = service.tasks(&caller, state, query.page).await?;
    query.answer_as(media_type, "UUID", &tasks.iter().map(show).collect::<Vec<_>>())
}

pub(super) async fn one(
    service: web::Data<Service>,
    request: HttpRequest,
    id: Id<RunId>,
) -> Result<HttpResponse, ApiError> {
    let asker = asker(&request).await?;
    accept::chosen(&request, &OFFERED)?;
    let task = service.task(&asker, id.0).await?;
    Ok(match (&task.run.state, &task.run.error) {
        (RunState::Succeeded, _) => {
            HttpResponse::SeeOther().insert_header((LOCATION, link("runs", &task, "/result"))).finish()
        }
        (state, Some(error)) if state.is_final() => error::of_task(&task.run, error),
        (state, _) => {
            let mut response = HttpResponse::Ok();
            response.insert_header((CONTENT_TYPE, HAL));
            if !state.is_final() {
                response.insert_header((RETRY_AFTER, ASK_AGAIN.to_string()));
            }
            response.body(show(&task).to_string())
        }
    })
}

/// The answer of a run, as its caller would have got it.
pub(super) async fn result(
    service: web::Data<Service>,
    request: HttpRequest,
    id: Id<RunId>,
) -> Result<HttpResponse, ApiError> {
    let asker = asker(&request).await?;
    Ok(reply::write(&request, service.result(&asker, id.0).await?))
}
