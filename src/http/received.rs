//! What comes with a call of a hook: read, found to be signed if the hook wants it to be, parsed.
//!
//! A body that has to be signed is read as a whole before anything of it is parsed, or, of a form, written to disk.

use std::sync::Arc;

use actix_web::{HttpRequest, web};

use super::body;
use super::error::ApiError;
use crate::model::{Caller, Hook};
use crate::service::{Body, BodyPart, Pass, RawBody, Service};

pub(super) struct Received {
    pub(super) body: Body,
    /// As it was sent, if the hook wants it so.
    pub(super) raw_body: Option<RawBody>,
    pub(super) room: BodyPart,
    pub(super) pass: Pass,
}

/// Takes in the body of a call. `headers` have lowercase names.
pub(super) async fn receive(
    service: &Arc<Service>,
    request: &HttpRequest,
    payload: web::Payload,
    hook: &Hook,
    caller: Option<&Caller>,
    headers: &[(String, String)],
) -> Result<Received, ApiError> {
    let proof = service.proof(hook, caller, headers)?;
    let mut room = service.room_for_body();
    if proof.is_none() && !hook.params.raw_body {
        let body = body::of_call(request, payload, service, &mut room).await?;
        return Ok(Received { body, raw_body: None, room, pass: Pass::unasked() });
    }
    let bytes = body::raw(request, payload, service, &mut room).await?;
    let pass = service.let_in(hook, proof, &bytes).await?;
    let raw_body = hook.params.raw_body.then(|| RawBody(bytes.clone()));
    let (pass, body) = pass.after(body::of_bytes(request, bytes, service, &mut room).await).await?;
    Ok(Received { body, raw_body, room, pass })
}
