//! The `AsyncAPI` 3.0 document: the events that are read from topics and sent to subscribers.

use serde_json::{Value, json};

/// The document of a server that is reached at the URL `server`.
#[must_use]
pub fn of_events(server: &str) -> Value {
    let mut document = Value::Object(super::embedded(include_str!("asyncapi.json")));
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    let (protocol, rest) = server.split_once("://").unwrap_or(("http", server));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let this = &mut document["servers"]["this"];
    this["protocol"] = json!(protocol);
    this["host"] = json!(host);
    if !path.is_empty() {
        this["pathname"] = json!(format!("/{}", path.trim_end_matches('/')));
    }
    document
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::EventType;

    #[test]
    fn every_type_of_event_is_a_message() {
        let document = of_events("https://x.example/deep/");
        let messages = document["channels"]["events"]["messages"].as_object().unwrap();
        let told: BTreeSet<&str> = messages.keys().map(String::as_str).collect();
        assert_eq!(told, EventType::ALL.into_iter().map(EventType::as_str).collect());
        for kind in EventType::ALL {
            let payload = &document["components"]["messages"][kind.as_str()]["payload"]["allOf"][1]["properties"];
            assert_eq!(payload["type"]["const"], kind.as_str());
            assert_eq!(payload["data_type"]["const"], kind.parts().0);
        }
        let this = &document["servers"]["this"];
        assert_eq!((&this["protocol"], &this["host"]), (&json!("https"), &json!("x.example")));
        assert_eq!(this["pathname"], "/deep");
        assert_eq!(of_events("http://h:1")["servers"]["this"].get("pathname"), None);
    }
}
