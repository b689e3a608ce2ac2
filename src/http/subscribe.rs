//! What `POST /v1/subscriptions` takes, read field by field.

use chrono::{DateTime, Datelike as _, Utc};
use serde_json::{Map, Value};

use crate::model::{CallbackId, Filter, FilterTest, Invalid, SubscriptionMode};
use crate::service::{Aim, NewSubscription};

/// Each event is held against all of this, so there is not too much of it.
const MOST_SETS: usize = 20;
const MOST_TAGS: usize = 20;
const LONGEST_TAG: usize = 200;
const MOST_FILTERS: usize = 20;
const MOST_VALUES: usize = 100;
const LONGEST_FIELD: usize = 200;
const LONGEST_PATTERN: usize = 127;

/// Tags and filters together, as JSON, in bytes.
const LARGEST_FILTERS: usize = 8 << 10;

const FIELDS: [&str; 7] = ["callbackUrl", "callback_id", "topic", "mode", "tags", "filters", "expires_at"];
/// Where the field of a filter may begin: what an event has.
const ROOTS: [&str; 6] = ["uuid", "type", "timestamp", "tags", "data_type", "data"];
const TESTS: [&str; 3] = ["eq", "in", "match"];

pub(super) fn read(mut body: Map<String, Value>) -> Result<NewSubscription, Invalid> {
    if let Some(unknown) = body.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(Invalid::new(unknown, format!("is not a field of a subscription: {}", FIELDS.join(", "))));
    }
    body.retain(|_, value| !value.is_null());
    let size: usize =
        ["tags", "filters"].iter().filter_map(|name| body.get(*name)).map(|all| all.to_string().len()).sum();
    if size > LARGEST_FILTERS {
        let kib = LARGEST_FILTERS >> 10;
        return Err(Invalid::new("filters", format!("are, with the tags, larger than {kib} KiB")));
    }
    let mut take = |name: &str| body.remove(name);
    Ok(NewSubscription {
        aim: aim(take("callbackUrl"), take("callback_id"), take("topic"))?,
        mode: take("mode").map(|mode| text("mode", mode)?.parse::<SubscriptionMode>()).transpose()?,
        tags: take("tags").map(tags).transpose()?.unwrap_or_default(),
        filters: take("filters").map(filters).transpose()?.unwrap_or_default(),
        expires_at: take("expires_at").map(time).transpose()?,
    })
}

fn aim(url: Option<Value>, callback: Option<Value>, topic: Option<Value>) -> Result<Aim, Invalid> {
    match (url, callback, topic) {
        (Some(url), None, None) => Ok(Aim::Url(text("callbackUrl", url)?)),
        (None, Some(id), None) => {
            let id = id.as_i64().filter(|id| *id > 0);
            let id = id.ok_or_else(|| Invalid::new("callback_id", "must be the id of a callback, a number"))?;
            Ok(Aim::Callback(CallbackId::from_number(id)))
        }
        (None, None, Some(topic)) => Ok(Aim::Topic(text("topic", topic)?.parse()?)),
        (None, None, None) => Err(Invalid::new("callbackUrl", "is missing: give it, or callback_id, or topic")),
        _ => Err(Invalid::new("callbackUrl", "must be the only one of callbackUrl, callback_id and topic")),
    }
}

fn time(value: Value) -> Result<DateTime<Utc>, Invalid> {
    let text = text("expires_at", value)?;
    let time = DateTime::parse_from_rfc3339(&text).ok().map(|time| time.to_utc());
    // A later year, which another zone can bring, could not be told as RFC 3339 has it.
    time.filter(|time| time.year() <= 9_999)
        .ok_or_else(|| Invalid::new("expires_at", "must be a time as RFC 3339 has it, e.g. 2026-01-31T08:00:00Z"))
}

fn tags(value: Value) -> Result<Vec<Vec<String>>, Invalid> {
    let sets = list("tags", value, MOST_SETS, "a list of lists of tags")?;
    let one = |(number, set): (usize, Value)| {
        let name = format!("tags[{number}]");
        let tags = list(&name, set, MOST_TAGS, "a list of tags")?;
        if tags.is_empty() {
            return Err(Invalid::new(name, "has no tags"));
        }
        tags.into_iter()
            .enumerate()
            .map(|(place, tag)| bounded(&format!("{name}[{place}]"), tag, LONGEST_TAG))
            .collect()
    };
    sets.into_iter().enumerate().map(one).collect()
}

fn filters(value: Value) -> Result<Vec<Filter>, Invalid> {
    let all = list("filters", value, MOST_FILTERS, "a list of filters")?;
    all.into_iter().enumerate().map(|(number, filter)| one_filter(&format!("filters[{number}]"), filter)).collect()
}

fn one_filter(name: &str, value: Value) -> Result<Filter, Invalid> {
    let Value::Object(mut fields) = value else { return Err(Invalid::new(name, "must be an object")) };
    let at = |field: &str| format!("{name}.{field}");
    let field = fields.remove("field").ok_or_else(|| Invalid::new(at("field"), "is missing"))?;
    let field = bounded(&at("field"), field, LONGEST_FIELD)?;
    let mut parts = field.split('.');
    if !parts.next().is_some_and(|root| ROOTS.contains(&root)) || parts.any(str::is_empty) {
        let roots = ROOTS.join(", ");
        return Err(Invalid::new(
            at("field"),
            format!("must be a path into an event, which begins with one of {roots}"),
        ));
    }
    let not = match fields.remove("not") {
        None => false,
        Some(Value::Bool(not)) => not,
        Some(_) => return Err(Invalid::new(at("not"), "must be true or false")),
    };
    let mut tests = fields.into_iter();
    let (Some((test, wanted)), None) = (tests.next(), tests.next()) else {
        return Err(Invalid::new(name, format!("must have one of {}", TESTS.join(", "))));
    };
    let test = match test.as_str() {
        "eq" => FilterTest::Eq(wanted),
        "in" => FilterTest::In(list(&at("in"), wanted, MOST_VALUES, "a list of values")?),
        "match" => FilterTest::Match(bounded(&at("match"), wanted, LONGEST_PATTERN)?),
        other => return Err(Invalid::new(at(other), format!("is not a test: {}", TESTS.join(", ")))),
    };
    Ok(Filter { field, test, not })
}

fn list(name: &str, value: Value, most: usize, what: &str) -> Result<Vec<Value>, Invalid> {
    match value {
        Value::Array(items) if items.len() <= most => Ok(items),
        Value::Array(_) => Err(Invalid::new(name, format!("has more than {most} items"))),
        _ => Err(Invalid::new(name, format!("must be {what}"))),
    }
}

fn bounded(name: &str, value: Value, longest: usize) -> Result<String, Invalid> {
    let text = text(name, value)?;
    if (1..=longest).contains(&text.len()) {
        Ok(text)
    } else {
        Err(Invalid::new(name, format!("must have 1 to {longest} bytes")))
    }
}

fn text(name: &str, value: Value) -> Result<String, Invalid> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(Invalid::new(name, "must be text")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_value(value: Value) -> Result<NewSubscription, Invalid> {
        let Value::Object(body) = value else { panic!("no object") };
        read(body)
    }

    #[test]
    fn every_field_is_read() {
        let new = read_value(json!({
            "topic": "sales", "callbackUrl": null, "mode": "once", "tags": [["run", "failed"], ["hook:1"]],
            "filters": [{"field": "data.hook", "eq": null, "not": true}, {"field": "type", "match": "run.*"}],
            "expires_at": "2026-01-31T08:00:00+01:00",
        }));
        let new = new.unwrap();
        assert!(matches!(new.aim, Aim::Topic(topic) if topic.as_str() == "sales"));
        assert_eq!(new.mode, Some(SubscriptionMode::Once));
        assert_eq!(new.tags.len(), 2);
        assert_eq!(new.filters[0], Filter { field: "data.hook".into(), test: FilterTest::Eq(Value::Null), not: true });
        assert_eq!(new.expires_at.unwrap().to_rfc3339(), "2026-01-31T07:00:00+00:00");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let filter = |filter: Value| json!({"topic": "t", "filters": [{"field": "type", "eq": 1}, filter]});
        let many: Vec<_> = (0..21).map(|_| json!(["a"])).collect();
        for (body, field) in [
            (json!({}), "callbackUrl"),
            (json!({"topic": "t", "callback_id": 1}), "callbackUrl"),
            (json!({"callbackUrl": 1}), "callbackUrl"),
            (json!({"callback_id": "1"}), "callback_id"),
            (json!({"callback_id": -1}), "callback_id"),
            (json!({"topic": "a/b"}), "topic"),
            (json!({"topic": "t", "user": "bob"}), "user"),
            (json!({"topic": "t", "mode": "twice"}), "mode"),
            (json!({"topic": "t", "tags": "run"}), "tags"),
            (json!({"topic": "t", "tags": ["run"]}), "tags[0]"),
            (json!({"topic": "t", "tags": [["a"], []]}), "tags[1]"),
            (json!({"topic": "t", "tags": [["a", 1]]}), "tags[0][1]"),
            (json!({"topic": "t", "tags": many}), "tags"),
            (json!({"topic": "t", "expires_at": "tomorrow"}), "expires_at"),
            (json!({"topic": "t", "expires_at": "9999-12-31T23:59:59-01:00"}), "expires_at"),
            (json!({"topic": "t", "filters": {}}), "filters"),
            (filter(json!({"field": "type", "eq": "x".repeat(LARGEST_FILTERS)})), "filters"),
            (filter(json!("type")), "filters[1]"),
            (filter(json!({"eq": 1})), "filters[1].field"),
            (filter(json!({"field": "owner", "eq": 1})), "filters[1].field"),
            (filter(json!({"field": "data..x", "eq": 1})), "filters[1].field"),
            (filter(json!({"field": "data.x"})), "filters[1]"),
            (filter(json!({"field": "data.x", "eq": 1, "in": [1]})), "filters[1]"),
            (filter(json!({"field": "data.x", "is": 1})), "filters[1].is"),
            (filter(json!({"field": "data.x", "in": 1})), "filters[1].in"),
            (filter(json!({"field": "data.x", "match": 1})), "filters[1].match"),
            (filter(json!({"field": "data.x", "eq": 1, "not": "no"})), "filters[1].not"),
        ] {
            assert_eq!(read_value(body.clone()).unwrap_err().field, field, "{body}");
        }
    }
}
