//! How a hook behaves, as set when it is deployed or changed.

mod patch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Cors, EmailAddress, Invalid, NextUrl, Signature};

pub use patch::HookParamsPatch;

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
    pub fn from_stored(mut value: serde_json::Value) -> Result<Self, Invalid> {
        let signature = value.as_object_mut().and_then(|fields| fields.remove("signature")).unwrap_or_default();
        let signature = Signature::from_stored(signature).map_err(|wrong| Invalid::new("params.signature", wrong))?;
        Ok(Self { signature, ..HookParamsPatch::parse(value)?.apply(Self::default())? })
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
