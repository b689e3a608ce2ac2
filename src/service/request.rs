//! What a caller passes, and the parameters that it gives the notebook.

use std::path::Path;

use serde_json::Value;
use tempfile::NamedTempFile;

use super::Result;
use crate::model::Caller;
use crate::notebook::{ParamValue, Parameters};
use crate::response::Accept;

/// What a caller passes.
#[derive(Debug)]
pub struct Call {
    pub method: String,
    /// In the order of the URL; keys may repeat.
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub body: Body,
    pub accept: Accept,
    /// Who calls, if an API token was sent along.
    pub caller: Option<Caller>,
}

/// The body of a call, parsed by its media type.
#[derive(Debug)]
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
    Bytes(Vec<u8>),
}

/// A file that came with a call.
#[derive(Debug)]
pub struct Upload {
    pub field: String,
    /// Its name as the caller gave it, without any folder.
    pub name: String,
    pub file: NamedTempFile,
}

/// What the notebook is given. Uploaded files move into the run's directory; their parameter is the path there.
pub(super) fn parameters(call: Call, scratch: &Path) -> Result<Parameters> {
    let text = |pairs: Vec<(String, String)>| -> Vec<(String, ParamValue)> {
        pairs.into_iter().map(|(name, value)| (name, ParamValue::Str(value))).collect()
    };
    let body = match call.body {
        Body::Empty => ParamValue::Null,
        Body::Json(value) => ParamValue::from(value),
        Body::Form(pairs) => ParamValue::merged(text(pairs)),
        Body::Text(text) => ParamValue::Str(text),
        Body::Bytes(bytes) => ParamValue::Bytes(bytes),
        Body::Multipart { fields, files } => {
            let mut pairs = text(fields);
            for upload in files {
                // A folder for each, so that two files of one name, or of a dependency's, do not meet.
                let folder = tempfile::Builder::new().prefix("upload-").tempdir_in(scratch)?;
                let path = folder.keep().join(&upload.name);
                upload.file.persist(&path).map_err(|error| error.error)?;
                pairs.push((upload.field, ParamValue::Str(path.to_string_lossy().into_owned())));
            }
            ParamValue::merged(pairs)
        }
    };
    Ok(Parameters::new(text(call.query), body, call.headers))
}
