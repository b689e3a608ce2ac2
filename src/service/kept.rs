//! What is kept of a call: everything while its run has not ended and may have to be begun again; afterwards, for a re-run,
//! what holds no secret and is not large.

use serde::{Deserialize, Serialize};

use super::call::Order;
use super::request::{Body, Call, RawBody};
use super::{Error, Result};
use crate::model::{HookParams, Mode};
use crate::notebook::is_secret_header;

/// Largest request that is kept for a re-run, in bytes.
const LARGEST: usize = 64 << 10;

/// A call as it is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    Whole { call: Call, for_owner: bool },
    Gone { because: String },
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum View<'a> {
    Whole { call: &'a Call, for_owner: bool },
    Gone { because: &'a str },
}

/// What is kept of a call while its run has not ended.
pub(super) fn request(call: &Call, order: &Order) -> Result<String> {
    match order.mode {
        Mode::Async => text(&View::Whole { call, for_owner: order.for_owner }),
        Mode::Sync => for_rerun(call, &order.hook.params),
    }
}

/// What is kept of a call when its run has ended.
pub(super) fn for_rerun(call: &Call, params: &HookParams) -> Result<String> {
    if matches!(&call.body, Body::Multipart { files, .. } if !files.is_empty()) {
        return gone("the files that were uploaded are not kept");
    }
    if has_sensitive(call, params) {
        return gone("its sensitive parameters are not kept");
    }
    let large = || gone("its request is larger than what is kept");
    if matches!(&call.body, Body::Text(text) if text.len() > LARGEST)
        || matches!(&call.body, Body::Bytes(bytes) if bytes.len() > LARGEST)
        || call.raw_body.as_ref().is_some_and(|RawBody(bytes)| bytes.len() > LARGEST)
    {
        return large();
    }
    let secret = params.secret_names();
    let is_secret =
        |name: &str| is_secret_header(name) || secret.iter().any(|secret| secret.eq_ignore_ascii_case(name));
    let headers = call.headers.iter().filter(|(name, _)| !is_secret(name)).cloned().collect();
    let raw_body = call.raw_body.as_ref();
    let kept = Kept { method: &call.method, query: &call.query, headers, body: &call.body, raw_body };
    let kept = text(&Whole { whole: WholeCall { call: kept, for_owner: false } })?;
    if kept.len() > LARGEST { large() } else { Ok(kept) }
}

/// What is kept where nothing is to be kept.
pub(super) fn gone(because: &str) -> Result<String> {
    text(&View::Gone { because })
}

/// As [`Call`] and [`Request::Whole`] are written, without copying the body.
#[derive(Serialize)]
struct Kept<'a> {
    method: &'a str,
    query: &'a [(String, String)],
    headers: Vec<(String, String)>,
    body: &'a Body,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_body: Option<&'a RawBody>,
}

#[derive(Serialize)]
struct WholeCall<'a> {
    call: Kept<'a>,
    for_owner: bool,
}

#[derive(Serialize)]
struct Whole<'a> {
    whole: WholeCall<'a>,
}

/// Reads it back.
pub(super) fn read(kept: &str) -> Result<Request> {
    serde_json::from_str(kept).map_err(|error| Error::Internal(format!("a kept request cannot be read: {error}")))
}

fn text(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Internal(format!("a request cannot be kept: {error}")))
}

/// Whether the call has a value for a sensitive parameter, at any depth.
fn has_sensitive(call: &Call, params: &HookParams) -> bool {
    if params.sensitive.is_empty() {
        return false;
    }
    let is = |name: &str| params.sensitive.iter().any(|sensitive| sensitive.to_lowercase() == name.to_lowercase());
    let mut pairs = call.query.iter();
    let has_body = !matches!(call.body, Body::Empty);
    pairs.any(|(name, text)| is(name) || text_names_one(text, &is))
        || (is("params") && !call.query.is_empty())
        || (is("body") && has_body)
        || is("headers")
        || match &call.body {
            Body::Form(pairs) | Body::Multipart { fields: pairs, .. } => {
                pairs.iter().any(|(name, text)| is(name) || text_names_one(text, &is))
            }
            Body::Json(value) => names_one(value, &is),
            // What a raw body holds nobody knows.
            Body::Text(_) | Body::Bytes(_) => true,
            Body::Empty => false,
        }
}

fn names_one(value: &serde_json::Value, is: &impl Fn(&str) -> bool) -> bool {
    match value {
        serde_json::Value::Object(map) => map.iter().any(|(name, value)| is(name) || names_one(value, is)),
        serde_json::Value::Array(items) => items.iter().any(|item| names_one(item, is)),
        serde_json::Value::String(text) => text_names_one(text, is),
        _ => false,
    }
}

/// The same of a text: that of a list or a dict is read as JSON, as a contract has it (`notebook/contract/coerce.rs`).
fn text_names_one(text: &str, is: &impl Fn(&str) -> bool) -> bool {
    text.trim_start().starts_with(['{', '[']) && serde_json::from_str(text).is_ok_and(|value| names_one(&value, is))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call(body: Body) -> Call {
        Call {
            method: "POST".into(),
            query: vec![("region".into(), "North".into())],
            headers: vec![
                ("authorization".into(), "Bearer secret".into()),
                ("accept".into(), "*/*".into()),
                ("x-proof".into(), "open-sesame".into()),
            ],
            body,
            raw_body: Some(RawBody(b"\xff".to_vec())),
            room: None,
        }
    }

    #[test]
    fn a_rerun_gets_what_was_sent_without_secret_headers() {
        let body = Body::Json(json!({"n": 12_345_678_901_234_567_890_u64}));
        let signature = json!({"signature": {"scheme": "header", "secret": "open-sesame", "header": "X-Proof"}});
        let params = HookParams::from_stored(signature).unwrap();
        let Request::Whole { call, .. } = read(&for_rerun(&call(body), &params).unwrap()).unwrap() else {
            panic!("not kept")
        };
        assert_eq!(call.headers, [("accept".to_owned(), "*/*".to_owned())]);
        assert_eq!(call.raw_body.unwrap().0, b"\xff");
        assert!(matches!(call.body, Body::Json(value) if value == json!({"n": 12_345_678_901_234_567_890_u64})));
    }

    #[test]
    fn what_is_secret_or_large_is_not_kept() {
        let params = HookParams::from_stored(json!({"sensitive": ["Password"]})).unwrap();
        let nested = Body::Json(json!([{"user": {"password": "x"}}]));
        let large = Body::Text("x".repeat(LARGEST + 1));
        let text = || " {\"user\": [{\"password\": \"x\"}]}".to_owned();
        for (body, params) in [
            (nested, &params),
            (Body::Form(vec![("user".into(), text())]), &params),
            (Body::Json(json!({"user": text()})), &params),
            (Body::Form(vec![("PASSWORD".into(), "x".into())]), &params),
            (Body::Bytes(vec![1, 2]), &params),
            (large, &HookParams::default()),
        ] {
            let kept = for_rerun(&call(body), params).unwrap();
            assert!(matches!(read(&kept).unwrap(), Request::Gone { .. }), "{kept}");
        }
        let in_query = Call { query: vec![("user".into(), text())], ..call(Body::Empty) };
        assert!(matches!(read(&for_rerun(&in_query, &params).unwrap()).unwrap(), Request::Gone { .. }));
        let harmless = Body::Form(vec![("note".into(), "{the password is not here}".into())]);
        assert!(matches!(read(&for_rerun(&call(harmless), &params).unwrap()).unwrap(), Request::Whole { .. }));
    }
}
