//! Changes of a hook's parameters, as they come from outside: each is read and checked by its name.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::super::{Cors, EmailAddress, Invalid, NextUrl, Signature};
use super::{HookParams, Keep, Mode, OnInterrupt, Warm, Workdir};

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
