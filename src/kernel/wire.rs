//! The Jupyter messaging protocol on the wire (version 5): framing, signatures and tolerant JSON. Does no I/O.
//!
//! A message is a list of frames: routing identities, a delimiter, the HMAC-SHA256 signature in hex, then header, parent
//! header, metadata and content as JSON, then raw buffers. The signature covers the four JSON frames.
//! See <https://jupyter-client.readthedocs.io/en/stable/messaging.html>.

use bytes::Bytes;
use hmac::digest::InvalidLength;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::json::parse;
use crate::clock::SharedClock;

const DELIMITER: &[u8] = b"<IDS|MSG>";
const PROTOCOL_VERSION: &str = "5.3";

/// A message from a kernel.
#[derive(Debug, Clone)]
pub(super) struct Message {
    /// `msg_type` of the header, e.g. `stream`.
    pub(super) kind: String,
    /// `msg_id` of the request it belongs to, if it belongs to one.
    pub(super) parent: Option<String>,
    /// Of the request, as the kernel repeats it; needed to answer in its name.
    pub(super) parent_header: Value,
    pub(super) content: Value,
    pub(super) buffers: Vec<Bytes>,
}

/// What is wrong with a message from a kernel.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum WireError {
    #[error("a message has too few parts")]
    Truncated,
    #[error("a message has a wrong signature")]
    Signature,
    #[error("a message is no JSON: {0}")]
    Json(String),
}

/// Signs what goes to one kernel and checks what comes from it.
#[derive(Clone)]
pub(super) struct Codec {
    /// With the key already in it; every message begins with a copy. None if nobody but the two can send.
    keyed: Option<Hmac<Sha256>>,
    session: String,
    clock: SharedClock,
}

impl std::fmt::Debug for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Codec(***)")
    }
}

impl Codec {
    /// `key` is what the connection file says; `session` identifies us as a client.
    pub(super) fn new(key: &[u8], session: String, clock: SharedClock) -> Result<Self, InvalidLength> {
        Ok(Self { keyed: Some(Hmac::new_from_slice(key)?), session, clock })
    }

    /// For a conversation over a socket that nobody else has.
    pub(super) fn unsigned(session: String, clock: SharedClock) -> Self {
        Self { keyed: None, session, clock }
    }

    /// Empty where there is no key, as in Jupyter.
    fn signature(&self, parts: &[Bytes]) -> String {
        let Some(mut mac) = self.keyed.clone() else { return String::new() };
        for part in parts {
            mac.update(part);
        }
        hex(&mac.finalize().into_bytes())
    }

    /// A request as frames, and its `msg_id`.
    pub(super) fn encode(&self, kind: &str, parent_header: &Value, content: &Value) -> (String, Vec<Bytes>) {
        let id = uuid::Uuid::new_v4().to_string();
        let header = json!({
            "msg_id": id,
            "session": self.session,
            "username": "nbhook",
            "date": self.clock.now().to_rfc3339(),
            "msg_type": kind,
            "version": PROTOCOL_VERSION,
        });
        let parts =
            [header.to_string(), parent_header.to_string(), "{}".to_owned(), content.to_string()].map(Bytes::from);
        let head = [Bytes::from_static(DELIMITER), Bytes::from(self.signature(&parts))];
        (id, head.into_iter().chain(parts).collect())
    }

    /// Checks the signature and reads the message.
    ///
    /// # Errors
    /// [`WireError`]; the message is then not to be trusted or not to be understood.
    pub(super) fn decode(&self, mut frames: Vec<Bytes>) -> Result<Message, WireError> {
        let delimiter = frames.iter().position(|frame| frame == DELIMITER).ok_or(WireError::Truncated)?;
        if frames.len() < delimiter + 6 {
            return Err(WireError::Truncated);
        }
        let buffers = frames.split_off(delimiter + 6);
        let parts = frames.split_off(delimiter + 2);
        let expected = self.signature(&parts);
        if !bool::from(expected.as_bytes().ct_eq(&frames[delimiter + 1])) {
            return Err(WireError::Signature);
        }
        let read = |part: &Bytes| parse(part).map_err(|error| WireError::Json(error.to_string()));
        let (header, parent_header) = (read(&parts[0])?, read(&parts[1])?);
        Ok(Message {
            kind: text(&header, "msg_type").unwrap_or_default(),
            parent: text(&parent_header, "msg_id"),
            parent_header,
            content: read(&parts[3])?,
            buffers,
        })
    }
}

fn text(object: &Value, key: &str) -> Option<String> {
    Some(object.get(key)?.as_str()?.to_owned())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]].map(char::from))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use std::sync::Arc;

    fn keyed(key: &str) -> Codec {
        Codec::new(key.as_bytes(), "session".to_owned(), Arc::new(SystemClock)).unwrap()
    }

    fn codec() -> Codec {
        keyed("key")
    }

    #[test]
    fn signature_is_hmac_sha256() {
        // RFC 4231, test case 2.
        let signature = keyed("Jefe").signature(&[Bytes::from("what do ya want "), Bytes::from("for nothing?")]);
        assert_eq!(signature, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    fn message(codec: &Codec, parts: [&str; 4], buffer: &'static [u8]) -> Vec<Bytes> {
        let parts = parts.map(|part| Bytes::from(part.to_owned()));
        let head =
            [Bytes::from_static(b"kernel.stream"), Bytes::from_static(DELIMITER), Bytes::from(codec.signature(&parts))];
        head.into_iter().chain(parts).chain([Bytes::from_static(buffer)]).collect()
    }

    #[test]
    fn reads_what_a_kernel_sends() {
        let parts = [r#"{"msg_type":"stream"}"#, r#"{"msg_id":"7"}"#, "{}", r#"{"text":"\ud800"}"#];
        let read = codec().decode(message(&codec(), parts, b"\x00\xff")).unwrap();
        assert_eq!((read.kind.as_str(), read.parent.as_deref()), ("stream", Some("7")));
        assert_eq!(read.parent_header, json!({"msg_id": "7"}));
        assert_eq!(read.content, json!({"text": "\u{fffd}"}));
        assert_eq!(read.buffers, [Bytes::from_static(b"\x00\xff")]);
    }

    #[test]
    fn refuses_what_is_forged_or_torn() {
        let parts = ["{}", "{}", "{}", "{}"];
        let forged = message(&keyed("other"), parts, b"");
        assert_eq!(codec().decode(forged).unwrap_err(), WireError::Signature);
        let torn = vec![Bytes::from_static(DELIMITER), Bytes::new()];
        assert_eq!(codec().decode(torn).unwrap_err(), WireError::Truncated);
        let garbled = message(&codec(), ["{}", "{}", "{}", "{"], b"");
        assert!(matches!(codec().decode(garbled), Err(WireError::Json(_))));
    }

    #[test]
    fn what_it_writes_it_can_read() {
        let (id, frames) = codec().encode("execute_request", &json!({}), &json!({"code": "π"}));
        assert_eq!(id.len(), 36);
        let read = codec().decode(frames).unwrap();
        assert_eq!((read.kind.as_str(), read.parent), ("execute_request", None));
        assert_eq!(read.content, json!({"code": "π"}));
    }
}
