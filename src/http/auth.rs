//! Who is calling: `Authorization: Bearer <API token>` (RFC 6750), or a browser that is signed in to the manager.

use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, web};

use super::error::ApiError;
use super::manager::SessionCookie;
use crate::model::{API_PREFIX, ApiToken, Caller, RUN_PREFIX, RunId, RunToken};
use crate::service::{Error, Service};

/// A request with a valid API token, or of who is signed in.
pub(super) struct Authenticated(pub(super) Caller);

impl FromRequest for Authenticated {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { caller(&request).await?.map(Self).ok_or_else(|| Error::Unauthorized.into()) })
    }
}

/// As [`Authenticated`], and also for the kernel of a run that goes on, which acts for the owner of its hook: a route that takes
/// this is open to notebooks. With the run, if it is one.
pub(super) struct OrRun(pub(super) Caller, pub(super) Option<RunId>);

impl FromRequest for OrRun {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let service = request.app_data::<web::Data<Service>>();
            let of_run = bearer::<RunToken>(&request).zip(service).and_then(|(token, all)| all.run_caller(&token));
            if let Some((caller, run)) = of_run {
                return Ok(Self(caller, Some(run)));
            }
            let caller = caller(&request).await?.ok_or(Error::Unauthorized)?;
            Ok(Self(caller, None))
        })
    }
}

/// The caller behind a request's token or session, if it has one that is valid.
pub(super) async fn caller(request: &HttpRequest) -> Result<Option<Caller>, ApiError> {
    let Some(service) = request.app_data::<web::Data<Service>>() else { return Ok(None) };
    let known = match (bearer::<ApiToken>(request), SessionCookie::of(request)) {
        (Some(token), _) => service.authenticate(&token).await,
        (None, Some(session)) => session.caller(service).await,
        (None, None) => return Ok(None),
    };
    match known {
        Ok(caller) => Ok(Some(caller)),
        Err(Error::Unauthorized) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

fn bearer<T: FromStr>(request: &HttpRequest) -> Option<T> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().parse().ok())?
}

/// Whether the value of an `Authorization` header has a token in it that this server, or one like it, has given out.
pub(super) fn has_token(value: &str) -> bool {
    value.split([' ', ',']).any(|word| word.starts_with(API_PREFIX) || word.starts_with(RUN_PREFIX))
}
