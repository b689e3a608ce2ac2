//! How a hook behaves, as set when it is deployed or changed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use super::Invalid;

/// What is imported before a run begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Warm {
    /// What the notebook imports, where nothing speaks against it.
    #[default]
    Auto,
    /// What the notebook imports, whatever the notebook and the hook's other parameters say.
    Imports,
    None,
}

/// Whether callers wait for their answer, if they do not say so themselves (`Prefer`, RFC 7240).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    #[default]
    Sync,
    /// A call is answered with a task at once.
    Async,
}

/// What becomes of an asynchronous run that the server did not live to end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnInterrupt {
    /// It ends as `interrupted`: what it did is not done twice.
    #[default]
    Report,
    /// It is run again.
    Retry,
}

/// How much is kept: whatever exceeds one of the bounds goes, the oldest first. An absent bound is the server's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keep {
    pub count: Option<u32>,
    pub days: Option<u32>,
    pub bytes: Option<u64>,
}

/// Where a run's files go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Workdir {
    /// A directory of its own for every run, removed after the answer.
    #[default]
    Scratch,
    /// One directory per hook that stays; its runs wait for one another.
    Persistent,
}

/// An absolute http or https URL that callers are sent to after a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct NextUrl(String);

impl NextUrl {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for NextUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if is_web_url(&text) { Ok(Self(text)) } else { Err("must be an absolute http or https URL".to_owned()) }
    }
}

/// Whether `text` is an absolute http(s) URL with a host, in visible ASCII only (RFC 3986), so it can stand in a header as it is.
fn is_web_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
        && text.bytes().all(|b| b.is_ascii_graphic())
        && !host.is_empty()
        && !host.starts_with(':')
}

/// An e-mail address of the shape `local@domain`, checked fully by the mailer when it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EmailAddress(String);

impl EmailAddress {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = String;

    /// Accepts RFC 5321's dot-string local part and a domain of letter-digit-hyphen labels: what a mail server will take.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let atext = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
        let label = |part: &str| {
            !part.is_empty()
                && !part.starts_with('-')
                && !part.ends_with('-')
                && part.chars().all(|c| c.is_alphanumeric() || c == '-')
        };
        let valid = text.rsplit_once('@').is_some_and(|(local, domain)| {
            local.len() <= 64
                && domain.len() <= 255
                && local.split('.').all(|part| !part.is_empty() && part.chars().all(atext))
                && domain.split('.').all(label)
        });
        if valid { Ok(Self(text)) } else { Err(format!("`{}` is not an e-mail address", text.escape_debug())) }
    }
}

/// How a hook behaves, as set at deploy time. Serialises to what the API shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HookParams {
    /// Who is told of failed runs.
    pub notif_down: Vec<EmailAddress>,
    /// Who is told of successful runs.
    pub notif_up: Vec<EmailAddress>,
    /// Where a caller is sent (303) after a successful run.
    pub next_url: Option<NextUrl>,
    /// Shown in the browser (true) or downloaded (false).
    pub inline: bool,
    /// Longest time a run may take, in seconds.
    pub timeout: u32,
    /// How many runs of this hook go on at once; none means the server's limit.
    pub concurrency: Option<u32>,
    /// How many further calls may wait; none means the server's limit.
    pub queue: Option<u32>,
    pub workdir: Workdir,
    /// Added to the kernel's environment.
    pub env: BTreeMap<String, String>,
    /// The Python interpreter to run in, instead of the one the notebook was deployed from.
    pub python: Option<PathBuf>,
    /// What kernels have imported before their run begins.
    pub warm: Warm,
    /// Parameters whose values are redacted wherever they would be seen.
    pub sensitive: Vec<String>,
    /// Whether names that the notebook's contract does not have are refused.
    pub strict: bool,
    pub mode: Mode,
    /// How often a run that fails is tried again, with growing waits.
    pub retries: u32,
    pub on_interrupt: OnInterrupt,
    pub keep_outputs: Keep,
    pub keep_runs: Keep,
    pub keep_versions: Keep,
}

impl Default for HookParams {
    fn default() -> Self {
        Self {
            notif_down: Vec::new(),
            notif_up: Vec::new(),
            next_url: None,
            inline: false,
            timeout: 600,
            concurrency: None,
            queue: None,
            workdir: Workdir::Scratch,
            env: BTreeMap::new(),
            python: None,
            warm: Warm::Auto,
            sensitive: Vec::new(),
            strict: false,
            mode: Mode::Sync,
            retries: 0,
            on_interrupt: OnInterrupt::Report,
            keep_outputs: Keep::default(),
            keep_runs: Keep::default(),
            keep_versions: Keep::default(),
        }
    }
}

impl HookParams {
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.timeout))
    }

    /// Reads a deploy's `params`: a field that is absent or null has its default.
    ///
    /// # Errors
    /// Names the first field that is unknown or has a bad value.
    pub fn parse(value: serde_json::Value) -> Result<Self, Invalid> {
        HookParamsPatch::parse(value)?.apply(Self::default())
    }
}

/// Some of a hook's parameters: an absent field stays as it is, null goes back to the default.
#[derive(Debug, Clone, Default)]
pub struct HookParamsPatch(serde_json::Map<String, serde_json::Value>);

impl HookParamsPatch {
    /// # Errors
    /// When `value` is neither an object nor null.
    pub fn parse(value: serde_json::Value) -> Result<Self, Invalid> {
        match value {
            serde_json::Value::Object(map) => Ok(Self(map)),
            serde_json::Value::Null => Ok(Self::default()),
            _ => Err(Invalid::new("params", "must be an object")),
        }
    }

    /// # Errors
    /// Names the first field that is unknown or has a bad value; `params` is then unchanged.
    pub fn apply(self, mut params: HookParams) -> Result<HookParams, Invalid> {
        for (name, value) in self.0 {
            set(&mut params, &name, value).map_err(|message| Invalid::new(format!("params.{name}"), message))?;
        }
        Ok(params)
    }
}

fn set(params: &mut HookParams, name: &str, value: serde_json::Value) -> Result<(), String> {
    match name {
        "notif_down" => params.notif_down = addresses(value)?,
        "notif_up" => params.notif_up = addresses(value)?,
        "next_url" => params.next_url = read::<Option<String>>(value)?.map(NextUrl::try_from).transpose()?,
        "inline" => params.inline = read::<Option<bool>>(value)?.unwrap_or_default(),
        "timeout" => params.timeout = between(value, 1, 86_400)?.unwrap_or(HookParams::default().timeout),
        "concurrency" => params.concurrency = between(value, 1, 1_000)?,
        "queue" => params.queue = between(value, 0, 10_000)?,
        "workdir" => params.workdir = read::<Option<Workdir>>(value)?.unwrap_or_default(),
        "env" => params.env = environment(value)?,
        "python" => params.python = absolute(value)?,
        "warm" => params.warm = read::<Option<Warm>>(value)?.unwrap_or_default(),
        "sensitive" => params.sensitive = read::<Option<Vec<String>>>(value)?.unwrap_or_default(),
        "strict" => params.strict = read::<Option<bool>>(value)?.unwrap_or_default(),
        "mode" => params.mode = read::<Option<Mode>>(value)?.unwrap_or_default(),
        "retries" => params.retries = between(value, 0, 10)?.unwrap_or_default(),
        "on_interrupt" => params.on_interrupt = read::<Option<OnInterrupt>>(value)?.unwrap_or_default(),
        "keep_outputs" => params.keep_outputs = keep(value)?,
        "keep_runs" => params.keep_runs = keep(value)?,
        "keep_versions" => params.keep_versions = keep(value)?,
        _ => return Err("is not a parameter of hooks".to_owned()),
    }
    Ok(())
}

fn read<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

fn between(value: serde_json::Value, least: u32, most: u32) -> Result<Option<u32>, String> {
    match read::<Option<f64>>(value)? {
        None => Ok(None),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be a whole number in range"
        )]
        Some(n) if n.fract() == 0.0 && (f64::from(least)..=f64::from(most)).contains(&n) => Ok(Some(n as u32)),
        Some(_) => Err(format!("must be a whole number from {least} to {most}")),
    }
}

/// A number is the count.
fn keep(value: serde_json::Value) -> Result<Keep, String> {
    let keep = match value {
        count @ serde_json::Value::Number(_) => Keep { count: between(count, 1, u32::MAX)?, ..Keep::default() },
        other => read::<Option<Keep>>(other)?.unwrap_or_default(),
    };
    if keep.count == Some(0) || keep.days == Some(0) || keep.bytes == Some(0) {
        return Err("must be at least 1; leave it out for the server's own bound".to_owned());
    }
    Ok(keep)
}

fn addresses(value: serde_json::Value) -> Result<Vec<EmailAddress>, String> {
    let list = match value {
        serde_json::Value::Null => Vec::new(),
        serde_json::Value::String(one) => vec![one],
        many => read::<Vec<String>>(many).map_err(|_| "must be an e-mail address or a list of them".to_owned())?,
    };
    list.into_iter().map(EmailAddress::try_from).collect()
}

fn environment(value: serde_json::Value) -> Result<BTreeMap<String, String>, String> {
    let env = read::<Option<BTreeMap<String, String>>>(value)?.unwrap_or_default();
    for (name, value) in &env {
        let legal = !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0');
        if !legal || name.starts_with("NBHOOK_") {
            return Err(format!("`{}` cannot be set", name.escape_debug()));
        }
    }
    Ok(env)
}

fn absolute(value: serde_json::Value) -> Result<Option<PathBuf>, String> {
    match read::<Option<PathBuf>>(value)? {
        Some(path) if !path.is_absolute() => Err("must be the absolute path of a Python interpreter".to_owned()),
        path => Ok(path),
    }
}

impl<'de> Deserialize<'de> for HookParams {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Self::parse(value).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for NextUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn params_read_back_as_they_show() {
        let given = json!({"notif_down": "bob@naas.ai", "notif_up": ["a@b.c", "d@e.f"], "next_url": "https://x.org/a?b=c",
            "inline": true, "timeout": 5, "workdir": "persistent", "env": {"A": "b"}, "python": "/usr/bin/python3"});
        let params = HookParams::parse(given).unwrap();
        let shown = serde_json::to_value(&params).unwrap();
        assert_eq!(shown["notif_down"], json!(["bob@naas.ai"]));
        assert_eq!(HookParams::parse(shown).unwrap(), params);
    }

    #[test]
    fn a_bad_field_is_named() {
        for (field, value) in [
            ("next_url", json!("javascript:alert(1)")),
            ("next_url", json!("/relative")),
            ("next_url", json!("http://")),
            ("next_url", json!("https://x.org/\r\nSet-Cookie: a=b")),
            ("notif_down", json!("bob")),
            ("notif_up", json!(["a@b.c", "bob@\r\nBcc: x@y.z"])),
            ("notif_up", json!(7)),
            ("timeout", json!(0)),
            ("timeout", json!(1.5)),
            ("timeout", json!("5")),
            ("workdir", json!("somewhere")),
            ("env", json!({"A=B": "c"})),
            ("env", json!({"NBHOOK_RUN": "c"})),
            ("python", json!("python3")),
            ("inlin", json!(true)),
            ("retries", json!(11)),
            ("mode", json!("later")),
            ("keep_outputs", json!(0)),
            ("keep_runs", json!({"count": 0})),
            ("keep_versions", json!({"years": 1})),
        ] {
            let error = HookParams::parse(json!({ field: value })).unwrap_err();
            assert_eq!(error.field, format!("params.{field}"), "{value}");
        }
    }

    #[test]
    fn a_patch_leaves_what_it_does_not_name_and_null_resets() {
        let params = HookParams::parse(json!({"inline": true, "timeout": 5})).unwrap();
        let patch = HookParamsPatch::parse(json!({"timeout": null, "notif_up": "a@b.c"})).unwrap();
        let params = patch.apply(params).unwrap();
        assert!(params.inline);
        assert_eq!((params.timeout, params.notif_up.len()), (600, 1));
    }
}
