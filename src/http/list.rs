//! The envelope that every list shares: `{filters, sort, limit, offset, items}`.

use std::str::FromStr;

use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::{fields, reply};
use crate::model::{Invalid, Page};

const DEFAULT_LIMIT: u32 = 25;
const MOST: u32 = 250;

/// The query of a list request, each of its fields used once.
pub(super) struct ListQuery {
    pairs: Vec<(String, String)>,
    /// What was asked for, by the names of the query.
    known: Vec<&'static str>,
    filters: Map<String, Value>,
    pub(super) page: Page,
}

impl ListQuery {
    pub(super) fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let pairs = super::body::query(request);
        let mut query =
            Self { pairs, known: Vec::new(), filters: Map::new(), page: Page { limit: DEFAULT_LIMIT, offset: 0 } };
        if let Some(limit) = query.take::<u32>("limit", "must be a whole number from 1 to 250")? {
            if !(1..=MOST).contains(&limit) {
                return Err(Invalid::new("limit", "must be a whole number from 1 to 250").into());
            }
            query.page.limit = limit;
        }
        query.page.offset = query.take("offset", "must be a whole number from 0")?.unwrap_or(0);
        Ok(query)
    }

    /// A field that the list is filtered by; `expected` says what it has to be. One called `filters[name]` is told as `name`.
    pub(super) fn filter<T: FromStr + ToString>(
        &mut self,
        name: &'static str,
        expected: &str,
    ) -> Result<Option<T>, ApiError> {
        let Some(value) = self.take::<T>(name, expected)? else { return Ok(None) };
        let told = name.strip_prefix("filters[").and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        self.filters.insert(told.to_owned(), value.to_string().into());
        Ok(Some(value))
    }

    /// A time that the list is filtered by.
    pub(super) fn time(&mut self, name: &'static str) -> Result<Option<DateTime<Utc>>, ApiError> {
        let time = self.take(name, "must be a time as RFC 3339 has it, e.g. 2026-01-31T08:00:00Z")?;
        self.filters.extend(time.map(|time| (name.to_owned(), reply::time(time).into())));
        Ok(time)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    fn take<T: FromStr>(&mut self, name: &'static str, expected: &str) -> Result<Option<T>, Invalid> {
        self.known.push(name);
        self.text(name).map(|text| text.parse().map_err(|_| Invalid::new(name, expected))).transpose()
    }

    /// Refuses a filter that the list does not have: who misspells one would take all there is for what fits.
    fn end(&self) -> Result<(), Invalid> {
        let is_unknown = |name: &&String| name.starts_with("filters[") && !self.known.contains(&name.as_str());
        match self.pairs.iter().map(|(name, _)| name).find(is_unknown) {
            Some(name) => Err(Invalid::new(fields::told(name), "is not a filter of this list")),
            None => Ok(()),
        }
    }

    /// The answer: `items`, sorted by `sort`, newest first.
    ///
    /// # Errors
    /// If the query has a filter that nobody asked for.
    pub(super) fn answer(self, sort: &str, items: &impl Serialize) -> Result<HttpResponse, ApiError> {
        self.answer_in(sort, "desc", items)
    }

    /// The same as another media type of JSON.
    pub(super) fn answer_as(
        self,
        media_type: &'static str,
        sort: &str,
        items: &impl Serialize,
    ) -> Result<HttpResponse, ApiError> {
        let mut response = self.answer(sort, items)?;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        Ok(response)
    }

    /// The answer, sorted the other way: `order` is `asc` or `desc`.
    pub(super) fn answer_in(self, sort: &str, order: &str, items: &impl Serialize) -> Result<HttpResponse, ApiError> {
        self.end()?;
        Ok(HttpResponse::Ok().json(json!({
            "filters": self.filters,
            "sort": { sort: order },
            "limit": self.page.limit,
            "offset": self.page.offset,
            "items": items,
        })))
    }
}
