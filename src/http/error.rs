//! The only place where errors become statuses: `application/problem+json` (RFC 9457).
//!
//! Each says the same once more in a member `@error`, for clients that look for one.
//!
//! What goes wrong inside the server is logged here, once, and told as "internal error" only.

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, ResponseError};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::reply;
use crate::clock::{Clock as _, SystemClock};
use crate::model::{ErrorKind, Invalid, InvalidParameter, Run, RunError, RunId};
use crate::service::Error;

/// RFC 9457.
pub(super) const PROBLEM: &str = "application/problem+json";

/// Why a request was not carried out.
#[derive(Debug)]
pub(super) struct ApiError(Box<Problem>);

/// What a caller is told.
#[derive(Debug)]
pub(super) struct Problem {
    kind: &'static str,
    status: StatusCode,
    detail: String,
    retry_after: Option<u64>,
    /// When it was told first, if it is told again.
    at: Option<DateTime<Utc>>,
    more: Map<String, Value>,
}

impl Problem {
    fn new(kind: &'static str, status: StatusCode, detail: impl Into<String>) -> Self {
        Self { kind, status, detail: detail.into(), retry_after: None, at: None, more: Map::new() }
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// As it was told at that time, to the byte.
    pub(super) fn told_at(mut self, at: DateTime<Utc>) -> Self {
        self.at = Some(at);
        self
    }

    pub(super) fn response(&self) -> HttpResponse {
        let mut body = json!({
            "type": format!("urn:nbhook:problem:{}", self.kind),
            "title": self.kind.replace('-', " "),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "@error": {
                "@message": self.detail,
                "@httpStatusCode": self.status.as_u16(),
                "@time": reply::time(self.at.unwrap_or_else(|| SystemClock.now())),
            },
        });
        if let Some(members) = body.as_object_mut() {
            members.extend(self.more.clone());
        }
        let mut response = HttpResponse::build(self.status);
        response.insert_header((header::CONTENT_TYPE, PROBLEM));
        response.insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        response.body(body.to_string())
    }
}

impl ApiError {
    /// What it comes to: its status and what is told.
    pub(super) fn told(&self) -> (StatusCode, String) {
        (self.0.status, self.0.detail.clone())
    }

    pub(super) fn not_found(what: &'static str) -> Self {
        Error::NotFound(what).into()
    }

    pub(super) fn method_not_allowed(method: &Method) -> Self {
        let detail = format!("{method} is not a method of this resource");
        Self(Box::new(Problem::new("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, detail)))
    }

    /// RFC 9110, section 15.5.7.
    pub(super) fn not_acceptable(offered: &str) -> Self {
        let detail = format!("this resource is there as {offered} only");
        Self(Box::new(Problem::new("not-acceptable", StatusCode::NOT_ACCEPTABLE, detail)))
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let detail = format!("the body is larger than {limit} bytes");
        Self(Box::new(Problem::new("body-too-large", StatusCode::PAYLOAD_TOO_LARGE, detail)))
    }

    pub(super) fn too_slow() -> Self {
        let detail = "the rest of the body did not come in time";
        Self(Box::new(Problem::new("request-timeout", StatusCode::REQUEST_TIMEOUT, detail)))
    }
}

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> Self {
        Error::Invalid(invalid).into()
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let told = error.to_string();
        Self(Box::new(match error {
            Error::Invalid(Invalid { field, message }) => {
                Problem::new("parameters-invalid", StatusCode::UNPROCESSABLE_ENTITY, told)
                    .with("field", field.as_str())
                    .with("errors", json!([{"name": field, "message": message}]))
            }
            Error::Parameters(errors) => {
                let problem = Problem::new("parameters-invalid", StatusCode::UNPROCESSABLE_ENTITY, told);
                let field = errors.first().map(|first| first.name.clone());
                problem.with("field", field).with("errors", errors.iter().map(entry).collect::<Value>())
            }
            Error::NotFound(_) => Problem::new("not-found", StatusCode::NOT_FOUND, told),
            Error::Conflict(_) => Problem::new("conflict", StatusCode::CONFLICT, told),
            Error::NotFinished => Problem::new("not-finished", StatusCode::CONFLICT, told),
            Error::KeyReused => Problem::new("idempotency-key-reused", StatusCode::UNPROCESSABLE_ENTITY, told),
            Error::KeyInProgress { retry_after } => {
                Problem::new("idempotency-in-progress", StatusCode::CONFLICT, told).retry_after(retry_after)
            }
            Error::Forbidden(_) => Problem::new("forbidden", StatusCode::FORBIDDEN, told),
            Error::Unauthorized => Problem::new("unauthorized", StatusCode::UNAUTHORIZED, told),
            Error::Unsigned(unsigned) => {
                Problem::new("signature-invalid", StatusCode::UNAUTHORIZED, told).with("reason", unsigned.reason())
            }
            Error::QueueFull { retry_after } => {
                Problem::new("queue-full", StatusCode::TOO_MANY_REQUESTS, told).retry_after(retry_after)
            }
            Error::TooManyReaders { retry_after } => {
                Problem::new("too-many-readers", StatusCode::TOO_MANY_REQUESTS, told).retry_after(retry_after)
            }
            Error::TooManyMails { retry_after } => {
                Problem::new("too-many-mails", StatusCode::TOO_MANY_REQUESTS, told).retry_after(retry_after)
            }
            Error::TooLarge { .. } => Problem::new("body-too-large", StatusCode::PAYLOAD_TOO_LARGE, told),
            Error::Loop => Problem::new("loop-detected", StatusCode::LOOP_DETECTED, told),
            Error::Draining { retry_after } => {
                Problem::new("shutting-down", StatusCode::SERVICE_UNAVAILABLE, told).retry_after(retry_after)
            }
            Error::Busy { retry_after } => {
                Problem::new("busy", StatusCode::SERVICE_UNAVAILABLE, told).retry_after(retry_after)
            }
            Error::NoRoom(cause) => {
                tracing::error!(%cause, "the disk is full");
                Problem::new("insufficient-storage", StatusCode::INSUFFICIENT_STORAGE, told)
            }
            Error::Internal(cause) => {
                tracing::error!(%cause, "internal error");
                Problem::new(
                    "internal",
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal error; the server's log has the cause",
                )
            }
        }))
    }
}

/// One of the parameters that are not valid.
fn entry(error: &InvalidParameter) -> Value {
    json!({
        "in": error.place.as_str(),
        "name": error.name,
        "message": error.message,
        "expected": error.expected,
        "got": error.got,
    })
}

/// What the caller of a run that failed is answered with.
pub(super) fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Interrupted => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Cancelled => StatusCode::CONFLICT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The problem of a run that failed. The traceback is told only if it is still there: it is the owner's alone.
pub(super) fn of_run(run: RunId, error: &RunError) -> Problem {
    let status = status_of(error.kind);
    let mut problem = Problem::new(error.kind.as_str(), status, error.detail.as_str()).with("run", run.to_string());
    for (name, value) in [
        ("cell", error.cell.map(Value::from)),
        ("ename", error.ename.as_deref().map(Value::from)),
        ("evalue", error.evalue.as_deref().map(Value::from)),
        ("traceback", (!error.traceback.is_empty()).then(|| error.traceback.clone().into())),
    ] {
        if let Some(value) = value {
            problem = problem.with(name, value);
        }
    }
    problem
}

/// A task that did not succeed, as those see it who poll it: the question was answered, so the status is 200.
pub(super) fn of_task(run: &Run, error: &RunError) -> HttpResponse {
    let mut told = error.clone();
    told.traceback.clear();
    let mut response = of_run(run.id, &told).with("state", run.state.as_str()).response();
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().remove(header::RETRY_AFTER);
    response
}

/// The problem that a notebook answered by itself.
pub(super) fn reported(run: RunId, status: u16, detail: &str) -> Problem {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Problem::new("reported", status, detail).with("run", run.to_string())
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.detail)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    fn error_response(&self) -> HttpResponse {
        self.0.response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_insufficient_storage_and_its_cause_is_not_told() {
        let full = std::io::Error::from_raw_os_error(libc::ENOSPC);
        let error = ApiError::from(Error::from(full));
        assert_eq!(error.error_response().status(), 507);
        assert_eq!(error.0.kind, "insufficient-storage");
        assert!(error.to_string().contains("nbhook prune") && !error.to_string().contains("os error"), "{error}");
        let other = ApiError::from(Error::from(std::io::Error::from_raw_os_error(libc::EIO)));
        assert_eq!(other.error_response().status(), 500);
    }
}
