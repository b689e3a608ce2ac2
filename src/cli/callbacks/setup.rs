//! What a callback is to be like, from the command line to the request. Pure.

use std::fmt;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use crate::model::CallbackMethod;

#[derive(Debug, Args)]
pub(super) struct SetupArgs {
    /// What you call it
    #[arg(long)]
    pub(super) name: Option<String>,
    /// By which method it is called: GET, POST, PUT, PATCH or DELETE [default: POST]
    #[arg(long)]
    method: Option<CallbackMethod>,
    /// A header that is sent along, e.g. "X-Api-Key: abc"; may be repeated
    #[arg(long = "header", value_name = "NAME: VALUE")]
    pub(super) headers: Vec<Header>,
    /// How long an attempt may take, from 1 to 60 seconds
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// How many attempts a minute may have, from 1 to 6000
    #[arg(long, value_name = "ATTEMPTS")]
    rate_limit: Option<u32>,
    /// Who is told of trouble, as `nbhook profiles list` shows it
    #[arg(long, value_name = "ID")]
    profile: Option<u32>,
    /// Which callback stands in when this one fails
    #[arg(long, value_name = "ID")]
    fallback: Option<u32>,
    /// Do not try the URL out with a test request (admins only)
    #[arg(long)]
    no_verify: bool,
}

/// A header of the command line. Its value shows nowhere.
#[derive(Clone)]
pub(super) struct Header {
    name: String,
    value: String,
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ***", self.name)
    }
}

impl std::str::FromStr for Header {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once(':').ok_or("expected a name, a colon and a value")?;
        Ok(Self { name: name.trim().to_owned(), value: value.trim().to_owned() })
    }
}

/// What can go back to what is usual.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Field {
    Name,
    Profile,
    Fallback,
    Method,
    Headers,
    Timeout,
    RateLimit,
}

impl Field {
    /// Puts it into a request.
    pub(super) fn clear(self, body: &mut Value) {
        match self {
            Self::Name => body["name"] = Value::Null,
            Self::Profile => body["profile_id"] = Value::Null,
            Self::Fallback => body["fallback_callback_id"] = Value::Null,
            Self::Method => body["config"]["method"] = Value::Null,
            Self::Headers => body["config"]["headers"] = Value::Null,
            Self::Timeout => body["config"]["timeout"] = Value::Null,
            Self::RateLimit => body["config"]["rate_limit"] = Value::Null,
        }
    }
}

impl SetupArgs {
    /// The request that sets what is given, and keeps these headers, unless they are given too.
    pub(super) fn body(&self, url: Option<&str>, kept: &[String]) -> Value {
        let mut body = Map::new();
        let config = self.config(url, kept);
        if !config.is_empty() {
            body.insert("config".to_owned(), config.into());
        }
        let is_plain = |url: &str| url.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"));
        add(&mut body, "mode", url.map(|url| if is_plain(url) { "HTTP" } else { "HTTPS" }));
        add(&mut body, "name", self.name.as_deref());
        add(&mut body, "profile_id", self.profile);
        add(&mut body, "fallback_callback_id", self.fallback);
        add(&mut body, "verify", self.no_verify.then_some(false));
        body.into()
    }

    fn config(&self, url: Option<&str>, kept: &[String]) -> Map<String, Value> {
        let mut config = Map::new();
        let is_given = |name: &String| self.headers.iter().any(|header| header.name.eq_ignore_ascii_case(name));
        let kept = kept.iter().filter(|name| !is_given(name)).map(|name| json!({"name": name, "value": true}));
        let given = self.headers.iter().map(|header| json!({"name": header.name, "value": header.value}));
        let headers: Vec<Value> = kept.chain(given).collect();
        add(&mut config, "url", url);
        add(&mut config, "method", self.method.map(CallbackMethod::as_str));
        add(&mut config, "headers", (!headers.is_empty()).then_some(headers));
        add(&mut config, "timeout", self.timeout);
        add(&mut config, "rate_limit", self.rate_limit);
        config
    }
}

fn add(map: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        map.insert(name.to_owned(), value.into());
    }
}
