//! Inboxes: public URLs that keep what is sent to them until their owner reads it.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Builder;

use super::{Invalid, Owner, UserId};

/// Longest id that an admin may give, in characters.
const LONGEST_ID: usize = 64;

/// Names an inbox, in its public URL too: a random UUID, or what an admin chose. Whoever knows it may send something there.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct InboxId(String);

impl InboxId {
    /// From bits that cannot be guessed, of which 122 are used (RFC 9562, version 4).
    #[must_use]
    pub fn from_random(bits: [u8; 20]) -> Self {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&bits[..16]);
        Self(Builder::from_random_bytes(bytes).into_uuid().to_string())
    }

    /// The id itself, for its owner and the database; never for a log.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for InboxId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(legal) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("uuid", "expected 1 to 64 letters, digits, - or _"))
        }
    }
}

impl fmt::Debug for InboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InboxId(***)")
    }
}

/// How an inbox behaves, from its creation on.
#[derive(Debug, Clone, PartialEq)]
pub struct InboxSetup {
    /// What whoever sends something is answered.
    pub response: Option<Value>,
    /// Names and values, which are legal and allowed.
    pub response_headers: Option<Map<String, Value>>,
    /// It goes once its result was read.
    pub auto_delete: bool,
    /// What was sent first stays.
    pub no_override: bool,
    /// What it holds until something is sent.
    pub default_result: Option<Value>,
}

/// An inbox.
#[derive(Debug, Clone)]
pub struct Inbox {
    pub id: InboxId,
    pub owner: UserId,
    pub owner_name: Owner,
    pub setup: InboxSetup,
    /// How often something was sent.
    pub received: u64,
    /// What it keeps of that; lists do not have it.
    pub capture: Option<Capture>,
    pub received_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    /// When it was made or, roughly, read last.
    pub used_at: DateTime<Utc>,
}

/// What is kept of a request. It may hold anybody's secrets, so it shows in no log.
#[derive(Clone, PartialEq)]
pub struct Capture {
    pub result: Map<String, Value>,
    pub query: Map<String, Value>,
    /// By their lowercase names.
    pub headers: Map<String, Value>,
}

impl Capture {
    /// A request's body, if it had one, its query and its headers. Without a body the query is the result: so an OAuth redirect
    /// brings its code. A body that is no object becomes one.
    #[must_use]
    pub fn new(body: Option<Value>, query: Map<String, Value>, headers: Map<String, Value>) -> Self {
        let result = match body {
            None => query.clone(),
            Some(Value::Object(members)) => members,
            Some(other) => Map::from_iter([("data".to_owned(), other)]),
        };
        Self { result, query, headers }
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Capture(***)")
    }
}

/// Pairs as an object; a name that is there more than once has the list of its values.
#[must_use]
pub fn object_of(pairs: Vec<(String, Value)>) -> Map<String, Value> {
    let mut counts = std::collections::HashMap::new();
    for (name, _) in &pairs {
        *counts.entry(name.clone()).or_insert(0) += 1;
    }
    let mut object = Map::new();
    for (name, value) in pairs {
        if counts[&name] == 1 {
            object.insert(name, value);
        } else if let Value::Array(values) = object.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
            values.push(value);
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_id_is_random_or_an_admins_and_fits_into_a_url() {
        let id = InboxId::from_random([0xff; 20]);
        assert_eq!(id.expose(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(id.expose().parse::<InboxId>().unwrap(), id);
        assert_eq!(format!("{id:?}"), "InboxId(***)");
        for good in ["test", "A_b-9", &"x".repeat(64)] {
            assert!(good.parse::<InboxId>().is_ok(), "{good}");
        }
        for bad in ["", "a/b", "..", "a b", "é", "a\n", "a%2fb", &"x".repeat(65)] {
            assert!(bad.parse::<InboxId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_result_is_an_object() {
        let query = object_of(vec![("code".to_owned(), json!("4/x")), ("state".to_owned(), json!("s"))]);
        let result = |body: Option<Value>| Value::Object(Capture::new(body, query.clone(), Map::new()).result);
        assert_eq!(result(None), json!({"code": "4/x", "state": "s"}));
        assert_eq!(result(Some(json!({"a": [1]}))), json!({"a": [1]}));
        for other in [json!(null), json!(false), json!(0), json!("text"), json!([]), json!([{"a": 1}])] {
            assert_eq!(result(Some(other.clone())), json!({ "data": other }));
        }
    }

    #[test]
    fn a_repeated_name_has_all_its_values() {
        let pairs = [("a", json!([1])), ("b", json!(2)), ("a", json!([3]))];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value)).to_vec();
        assert_eq!(Value::Object(object_of(pairs)), json!({"a": [[1], [3]], "b": 2}));
    }

    #[test]
    fn what_was_sent_shows_in_no_log() {
        let capture = Capture::new(Some(json!({"password": "hush"})), Map::new(), Map::new());
        assert!(!format!("{capture:?}").contains("hush"));
    }
}
