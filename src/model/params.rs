//! How a hook behaves, as set when it is deployed or changed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Cors, EmailAddress, Invalid, NextUrl, Signature};

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

/// How a hook behaves, as set at deploy time. Serialises to what the API shows, which is without secrets; what the database
/// keeps is [`HookParams::to_stored`].
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
    /// What has to prove that a call comes from whom it should.
    pub signature: Option<Signature>,
    /// Whether the notebook also gets the body as it was sent.
    pub raw_body: bool,
    /// Which pages' scripts may read the answers.
    pub cors: Cors,
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
            signature: None,
            raw_body: false,
            cors: Cors::Off,
        }
    }
}

impl HookParams {
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.timeout))
    }

    /// The names of parameters and headers whose values are secret: those that are set, and that of the header with the key.
    #[must_use]
    pub fn secret_names(&self) -> Vec<String> {
        let header = self.signature.as_ref().and_then(Signature::secret_header);
        self.sensitive.iter().cloned().chain(header).collect()
    }

    /// Reads what [`HookParams::to_stored`] wrote: a field that is absent or null has its default.
    ///
    /// # Errors
    /// Names the first field that is unknown or has a bad value.
    pub fn from_stored(value: serde_json::Value) -> Result<Self, Invalid> {
        HookParamsPatch::parse(value)?.apply(Self::default())
    }

    /// What the database keeps: what the API shows, and the secrets.
    ///
    /// # Errors
    /// When a path is not UTF-8.
    pub fn to_stored(&self) -> Result<serde_json::Value, serde_json::Error> {
        let mut stored = serde_json::to_value(self)?;
        stored["signature"] = self.signature.as_ref().map(Signature::to_stored).into();
        Ok(stored)
    }
}

/// Some of a hook's parameters: an absent field stays as it is, null goes back to the default.
#[derive(Clone, Default)]
pub struct HookParamsPatch(serde_json::Map<String, serde_json::Value>);

/// Shows names only: values may be secrets.
impl fmt::Debug for HookParamsPatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

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

    /// Changes `params`. Secrets that are given as `true` stay those of `params`.
    ///
    /// # Errors
    /// Names the first field that is unknown or has a bad value; `params` is then unchanged.
    pub fn apply(self, params: HookParams) -> Result<HookParams, Invalid> {
        let kept = params.signature.clone();
        self.apply_keeping(params, kept.as_ref())
    }

    /// All of a hook's parameters, as a deploy sets them: a field that is absent or null has its default. Of those that the
    /// hook had `before`, only secrets that are given as `true` stay.
    ///
    /// # Errors
    /// Names the first field that is unknown or has a bad value.
    pub fn anew(self, before: Option<&HookParams>) -> Result<HookParams, Invalid> {
        self.apply_keeping(HookParams::default(), before.and_then(|params| params.signature.as_ref()))
    }

    fn apply_keeping(self, mut params: HookParams, kept: Option<&Signature>) -> Result<HookParams, Invalid> {
        for (name, value) in self.0 {
            set(&mut params, &name, value, kept).map_err(|message| Invalid::new(format!("params.{name}"), message))?;
        }
        Ok(params)
    }
}

fn set(params: &mut HookParams, name: &str, value: serde_json::Value, kept: Option<&Signature>) -> Result<(), String> {
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
        "signature" => params.signature = Signature::read(value, kept)?,
        "raw_body" => params.raw_body = read::<Option<bool>>(value)?.unwrap_or_default(),
        "cors" => params.cors = Cors::read(value)?,
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(value: serde_json::Value) -> Result<HookParams, Invalid> {
        HookParamsPatch::parse(value)?.anew(None)
    }

    #[test]
    fn params_read_back_as_they_show() {
        let given = json!({"notif_down": "bob@naas.ai", "notif_up": ["a@b.c", "d@e.f"], "next_url": "https://x.org/a?b=c",
            "inline": true, "timeout": 5, "workdir": "persistent", "env": {"A": "b"}, "python": "/usr/bin/python3"});
        let params = parse(given).unwrap();
        let shown = serde_json::to_value(&params).unwrap();
        assert_eq!(shown["notif_down"], json!(["bob@naas.ai"]));
        assert_eq!(parse(shown).unwrap(), params);
    }

    #[test]
    fn the_database_keeps_what_the_api_does_not_show() {
        let given = json!({"signature": {"scheme": "header", "secret": "hush", "header": "X-Key"}, "sensitive": ["pin"],
            "raw_body": true, "cors": ["https://a.org"], "timeout": 5});
        let patch = HookParamsPatch::parse(given).unwrap();
        assert!(!format!("{patch:?}").contains("hush"));
        let params = patch.anew(None).unwrap();
        assert_eq!(HookParams::from_stored(params.to_stored().unwrap()).unwrap(), params);
        assert_eq!(params.secret_names(), ["pin", "x-key"]);
        let shown = serde_json::to_value(&params).unwrap();
        assert!(!format!("{shown} {params:?}").contains("hush"));
        // Sent back as it was shown, it is the same; by itself it is not enough.
        let back = HookParamsPatch::parse(shown.clone()).unwrap();
        assert_eq!(back.clone().anew(Some(&params)).unwrap(), params);
        assert_eq!(back.clone().apply(params).unwrap().to_stored().unwrap()["signature"]["secret"], json!(["hush"]));
        assert_eq!(back.anew(None).unwrap_err().field, "params.signature");
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
            ("signature", json!({"scheme": "github"})),
            ("raw_body", json!("yes")),
            ("cors", json!(["https://a.org/"])),
        ] {
            let error = parse(json!({ field: value })).unwrap_err();
            assert_eq!(error.field, format!("params.{field}"), "{value}");
        }
    }

    #[test]
    fn a_patch_leaves_what_it_does_not_name_and_null_resets() {
        let params = parse(json!({"inline": true, "timeout": 5})).unwrap();
        let patch = HookParamsPatch::parse(json!({"timeout": null, "notif_up": "a@b.c"})).unwrap();
        let params = patch.apply(params).unwrap();
        assert!(params.inline);
        assert_eq!((params.timeout, params.notif_up.len()), (600, 1));
    }
}
