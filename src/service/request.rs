//! What a caller passes, how it wants its answer, and the parameters that it gives the notebook.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::{NamedTempFile, TempPath};

use super::{BodyPart, Result};
use crate::model::Caller;
use crate::notebook::{ParamValue, Parameters};
use crate::response::Accept;

/// What a caller passes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Call {
    pub method: String,
    /// In the order of the URL; keys may repeat.
    pub query: Vec<(String, String)>,
    /// By their lowercase names, each once.
    pub headers: Vec<(String, String)>,
    pub body: Body,
    /// The body as it was sent, if the hook wants it so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_body: Option<RawBody>,
    /// What it takes of the memory for bodies.
    #[serde(skip)]
    pub room: Option<BodyPart>,
}

/// Bytes of a body, which are kept as base64.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawBody(#[serde(with = "base64_bytes")] pub Vec<u8>);

/// How it wants its answer.
#[derive(Debug, Default)]
pub struct Wish {
    pub prefer: Prefer,
    /// The `Idempotency-Key` of a POST.
    pub key: Option<String>,
    /// Who calls, if an API token was sent along.
    pub caller: Option<Caller>,
}

/// What a `Prefer` header says (RFC 7240).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prefer {
    pub respond_async: bool,
    /// Seconds to wait for the answer.
    pub wait: Option<u32>,
}

/// The body of a call, parsed by its media type.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    Empty,
    Json(Value),
    /// `application/x-www-form-urlencoded`; keys may repeat.
    Form(Vec<(String, String)>),
    /// `multipart/form-data`; field names may repeat.
    Multipart {
        fields: Vec<(String, String)>,
        files: Vec<Upload>,
    },
    Text(String),
    Bytes(#[serde(with = "base64_bytes")] Vec<u8>),
}

/// A file that came with a call.
#[derive(Debug, Serialize, Deserialize)]
pub struct Upload {
    pub(super) field: String,
    /// Its name as the caller gave it, without any folder.
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// Removes the file, unless it has found a place to stay.
    #[serde(skip)]
    pub(super) temporary: Option<TempPath>,
}

impl Upload {
    #[must_use]
    pub fn new(field: String, name: String, file: NamedTempFile) -> Self {
        let temporary = file.into_temp_path();
        Self { field, name, path: temporary.to_path_buf(), temporary: Some(temporary) }
    }

    /// The file, for what comes of it over the wire.
    ///
    /// # Errors
    /// As the file system has it.
    pub fn open(&self) -> std::io::Result<std::fs::File> {
        std::fs::File::options().write(true).open(&self.path)
    }

    /// Puts the file where a run finds it. Unless `last`, it stays for further attempts.
    fn place(&mut self, target: &Path, last: bool) -> std::io::Result<()> {
        match self.temporary.take_if(|_| last) {
            Some(temporary) => Ok(temporary.persist(target)?),
            None => std::fs::copy(&self.path, target).map(drop),
        }
    }
}

impl Call {
    pub(super) fn accept(&self) -> Accept {
        let header = self.headers.iter().find(|(name, _)| name == "accept");
        Accept::parse(header.map_or("", |(_, value)| value))
    }

    pub(super) fn uploads(&mut self) -> &mut [Upload] {
        match &mut self.body {
            Body::Multipart { files, .. } => files,
            _ => &mut [],
        }
    }
}

mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// What the notebook is given. Uploaded files move (or, unless this is the `last` attempt, are copied) into the run's
/// directory; their parameter is the path there.
pub(super) fn parameters(call: &mut Call, scratch: &Path, last: bool) -> Result<Parameters> {
    let text = |pairs: &[(String, String)]| -> Vec<(String, ParamValue)> {
        pairs.iter().map(|(name, value)| (name.clone(), ParamValue::Str(value.clone()))).collect()
    };
    let body = match &mut call.body {
        Body::Empty => ParamValue::Null,
        Body::Json(value) => ParamValue::from(given(value, last)),
        Body::Form(pairs) => ParamValue::merged(text(pairs)),
        Body::Text(text) => ParamValue::Str(given(text, last)),
        Body::Bytes(bytes) => ParamValue::Bytes(given(bytes, last)),
        Body::Multipart { fields, files } => {
            let mut pairs = text(fields);
            for upload in files {
                // A folder for each, so that two files of one name, or of a dependency's, do not meet.
                let folder = tempfile::Builder::new().prefix("upload-").tempdir_in(scratch)?;
                let path = folder.keep().join(&upload.name);
                upload.place(&path, last)?;
                pairs.push((upload.field.clone(), ParamValue::Str(path.to_string_lossy().into_owned())));
            }
            ParamValue::merged(pairs)
        }
    };
    let raw_body = call.raw_body.as_mut().map(|RawBody(bytes)| given(bytes, last));
    Ok(Parameters::new(text(&call.query), body, call.headers.clone()).with_raw_body(raw_body))
}

/// A value, or a copy of it if it is needed again: bodies may be large.
fn given<T: Clone + Default>(value: &mut T, last: bool) -> T {
    if last { std::mem::take(value) } else { value.clone() }
}
