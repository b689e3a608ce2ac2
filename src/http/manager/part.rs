//! The part of a list that a page shows: what its address asks for, and where those before and after are.

use std::str::FromStr;

use actix_web::HttpRequest;
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value, json};

use crate::http::body;
use crate::model::{self, Invalid};

/// How many things a page lists.
const SIZE: u32 = 25;
/// How much of a value is shown, in bytes.
const SHOWN: usize = 64 << 10;

/// The query of a page with a list. A field that is empty is none: so are those of a form that nobody has filled in.
pub(super) struct Part {
    pairs: Vec<(String, String)>,
    offset: u32,
}

impl Part {
    pub(super) fn of(request: &HttpRequest) -> Result<Self, Invalid> {
        let pairs = body::query(request).into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let mut part = Self { pairs, offset: 0 };
        part.offset = part.field("offset", "must be a whole number from 0")?.unwrap_or(0);
        Ok(part)
    }

    /// One more than is shown, which tells whether there are more.
    pub(super) fn page(&self) -> model::Page {
        model::Page { limit: SIZE + 1, offset: self.offset }
    }

    pub(super) fn field<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, Invalid> {
        let text = self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim());
        text.map(|text| text.parse().map_err(|_| Invalid::new(name, expected))).transpose()
    }

    /// A day, or a time.
    pub(super) fn time(&self, name: &str) -> Result<Option<DateTime<Utc>>, Invalid> {
        if let Ok(Some(day)) = self.field::<NaiveDate>(name, "") {
            return Ok(day.and_hms_opt(0, 0, 0).map(|start| start.and_utc()));
        }
        self.field(name, "must be a day, e.g. 2026-01-31")
    }

    /// What is shown of what was found, and what the page says of the list.
    pub(super) fn shown<T>(&self, mut found: Vec<T>) -> (Vec<T>, Value) {
        let has_more = found.len() > SIZE as usize;
        found.truncate(SIZE as usize);
        let asked: Map<String, Value> = self.pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let list = json!({
            "asked": asked,
            "is_filtered": self.pairs.iter().any(|(name, _)| name != "offset"),
            "first": self.offset.saturating_add(1),
            "last": self.offset as usize + found.len(),
            "before": (self.offset > 0).then(|| self.link(self.offset.saturating_sub(SIZE))),
            "after": has_more.then(|| self.link(self.offset.saturating_add(SIZE))),
        });
        (found, list)
    }

    /// The query of another part of the same list.
    fn link(&self, offset: u32) -> String {
        let rest = self.pairs.iter().filter(|(name, _)| name != "offset").cloned();
        let pairs: Vec<_> = rest.chain([("offset".to_owned(), offset.to_string())]).collect();
        format!("?{}", serde_urlencoded::to_string(pairs).unwrap_or_default())
    }
}

/// JSON as people read it, and whether there is more of it.
pub(super) fn pretty(value: &Value) -> Value {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let end = (0..=SHOWN.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    json!({"text": &text[..end], "is_cut": end < text.len()})
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn part(query: &str) -> Part {
        Part::of(&TestRequest::with_uri(&format!("/x?{query}")).to_http_request()).unwrap()
    }

    #[test]
    fn a_page_tells_where_the_others_are_and_keeps_what_was_asked() {
        let (shown, list) = part("status=dead&callback=&offset=25").shown((0..26).collect());
        assert_eq!((shown.len(), &list["first"], &list["last"]), (25, &json!(26), &json!(50)));
        assert_eq!(list["before"], "?status=dead&offset=0");
        assert_eq!(list["after"], "?status=dead&offset=50");
        let (_, list) = part("offset=3").shown(vec![1]);
        assert_eq!(
            (&list["before"], &list["after"], &list["is_filtered"]),
            (&json!("?offset=0"), &json!(null), &json!(false))
        );
    }

    #[test]
    fn a_time_is_a_day_or_a_moment() {
        let time = |query: &str| part(query).time("since").map(|time| time.map(|time| time.to_rfc3339()));
        assert_eq!(time("since=2026-01-31").unwrap().unwrap(), "2026-01-31T00:00:00+00:00");
        assert_eq!(time("since=2026-01-31T08:00:00Z").unwrap().unwrap(), "2026-01-31T08:00:00+00:00");
        assert_eq!(time("since=").unwrap(), None);
        assert!(time("since=soon").is_err());
    }

    #[test]
    fn what_is_long_is_cut_between_characters() {
        let long = pretty(&json!("é".repeat(SHOWN)));
        assert_eq!(long["is_cut"], true);
        assert_eq!(pretty(&json!({"a": [1]}))["text"], "{\n  \"a\": [\n    1\n  ]\n}");
    }
}
