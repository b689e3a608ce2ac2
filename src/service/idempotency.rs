//! `Idempotency-Key`: a POST that is sent again is carried out once (draft-ietf-httpapi-idempotency-key-header).

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::call::{Called, Order};
use super::request::{Body, Call};
use super::{Error, RETRY_AFTER, Result, Service, hex, on_disk};
use crate::model::Mode;
use crate::store::{KeyClaim, KeyUse};

/// Whether a call is the first with its key.
pub(super) enum Claim {
    New,
    Replay(Called),
}

impl Service {
    /// Takes the key for this call, or finds what came of the call that has it.
    pub(super) async fn claim_key(&self, order: &mut Order, key: String) -> Result<Claim> {
        let Some(call) = order.call.take() else { return Ok(Claim::New) };
        let pinned = order.pinned.then(|| order.version.histo.to_string());
        let for_owner = order.for_owner;
        let fingerprinted = on_disk(&self.files, move |_| {
            let fingerprint = fingerprint(&call, pinned.as_deref(), for_owner)?;
            Ok::<_, Error>((call, fingerprint))
        });
        let (call, fingerprint) = fingerprinted.await?;
        order.call = Some(call);
        let wish = KeyUse { hook: order.hook.id, key, fingerprint };
        let now = self.clock.now();
        let (run, same) = match self.db.claim_key(&wish, order.id, now, now + self.answers_stay()).await? {
            KeyClaim::New => return Ok(Claim::New),
            KeyClaim::Used { run, same } => (run, same),
        };
        if !same {
            return Err(Error::KeyReused);
        }
        let Some(record) = self.db.run(run).await? else {
            return Err(Error::KeyInProgress { retry_after: RETRY_AFTER }); // not yet on record
        };
        if record.mode == Mode::Async && order.mode == Mode::Async {
            let mut task = self.accepted(run).await?;
            task.replayed = true;
            return Ok(Claim::Replay(Called::Accepted(task)));
        }
        match self.kept_reply(run).await? {
            Some(mut reply) => {
                reply.replayed = true;
                Ok(Claim::Replay(Called::Answered(reply)))
            }
            None if record.state.is_final() => Err(Error::Conflict(
                "the answer for this Idempotency-Key could not be kept: use another key".to_owned(),
            )),
            None => Err(Error::KeyInProgress { retry_after: RETRY_AFTER }),
        }
    }

    /// Gives the key of a call back that came to no run.
    pub(super) async fn release_key(&self, order: &Order) {
        if order.keep_answer
            && let Err(error) = self.db.release_key(order.id).await
        {
            tracing::error!(%error, "cannot give an idempotency key back");
        }
    }
}

/// Tells one payload from another: method, version, query and body, as they were understood. Headers may differ between tries, but
/// the owner's calls are its own: their answers have tracebacks.
fn fingerprint(call: &Call, pinned: Option<&str>, for_owner: bool) -> Result<String> {
    let body = match &call.body {
        Body::Empty => json!(null),
        Body::Json(value) => json!({ "json": value }),
        Body::Form(pairs) => json!({ "form": pairs }),
        Body::Text(text) => json!({ "text": text }),
        Body::Bytes(bytes) => json!({ "bytes": hex(&Sha256::digest(bytes)) }),
        Body::Multipart { fields, files } => {
            let mut sent = Vec::new();
            for upload in files {
                let mut digest = Sha256::new();
                std::io::copy(&mut std::fs::File::open(&upload.path)?, &mut digest)?;
                sent.push((&upload.field, &upload.name, hex(&digest.finalize())));
            }
            json!({ "fields": fields, "files": sent })
        }
    };
    let all = json!([call.method, pinned, call.query, body, for_owner]);
    Ok(hex(&Sha256::digest(all.to_string().as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_has_another_fingerprint() {
        let call = |query: &str, body| Call {
            method: "POST".into(),
            query: vec![("q".into(), query.into())],
            headers: vec![("date".into(), query.into())],
            body,
            raw_body: None,
            room: None,
        };
        let of = |call: &Call, pinned| fingerprint(call, pinned, false).unwrap();
        let first = of(&call("a", Body::Json(json!({"n": 1}))), None);
        assert_eq!(first, of(&call("a", Body::Json(json!({"n": 1}))), None));
        for other in [
            of(&call("b", Body::Json(json!({"n": 1}))), None),
            of(&call("a", Body::Json(json!({"n": 2}))), None),
            of(&call("a", Body::Form(vec![("n".into(), "1".into())])), None),
            of(&call("a", Body::Text("{\"n\":1}".into())), None),
            of(&call("a", Body::Json(json!({"n": 1}))), Some("20250309010203045678")),
        ] {
            assert_ne!(first, other);
        }
        assert_ne!(first, fingerprint(&call("a", Body::Json(json!({"n": 1}))), None, true).unwrap());
    }
}
