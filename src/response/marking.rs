//! How an output says that it is the answer: nbhook's own marking, and the naas package's.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::header::{HeaderRule, is_media_type};
use super::{Accept, Answer, BadResponse, Content, naas, text};

/// An output that is marked as the answer.
pub(super) enum Marked<'a> {
    Nbhook { response: &'a Value, data: &'a Map<String, Value> },
    Naas(naas::Marked<'a>),
}

/// The marking of an output, if it has one.
pub(super) fn find(output: &Value) -> Option<Marked<'_>> {
    let data = output.get("data")?.as_object()?;
    let metadata = output.get("metadata")?;
    if let Some(response) = metadata.get("nbhook").and_then(|ours| ours.get("response")) {
        return Some(Marked::Nbhook { response, data });
    }
    naas::find(metadata, data).map(Marked::Naas)
}

impl Marked<'_> {
    pub(super) fn is_early(&self) -> bool {
        let Self::Nbhook { response, .. } = self else { return false };
        response.get("early") == Some(&Value::Bool(true)) && response.get("kind").is_none_or(|kind| kind != "notebook")
    }

    pub(super) fn answer(&self, accept: &Accept) -> Result<Answer, BadResponse> {
        match self {
            Self::Naas(marked) => marked.content(accept).map(Answer::of),
            Self::Nbhook { response, data } => {
                let content = content(response, data, accept)?;
                let (headers, warnings) = headers(response.get("headers"))?;
                Ok(Answer { status: status(response, &content)?, headers, content, warnings, early: self.is_early() })
            }
        }
    }
}

fn bad(why: impl Into<String>) -> BadResponse {
    BadResponse(why.into())
}

fn status(response: &Value, content: &Content) -> Result<u16, BadResponse> {
    match response.get("status") {
        None | Some(Value::Null) => Ok(if matches!(content, Content::Error { .. }) { 500 } else { 200 }),
        Some(status) => status
            .as_u64()
            .and_then(|status| u16::try_from(status).ok())
            // 1xx are not answers (RFC 9110, section 15.2).
            .filter(|status| (200..=599).contains(status))
            .ok_or_else(|| bad(format!("status {status} is not from 200 to 599"))),
    }
}

fn content(response: &Value, data: &Map<String, Value>, accept: &Accept) -> Result<Content, BadResponse> {
    let kind = response.get("kind").and_then(Value::as_str).ok_or_else(|| bad("it has no kind"))?;
    let of_type = |media_type: &str| {
        let value = data.get(media_type).ok_or_else(|| bad(format!("a {kind} response has no {media_type}")))?;
        bytes(media_type, value)
    };
    match kind {
        "html" => of_type("text/html"),
        "json" => of_type("application/json"),
        "svg" => of_type("image/svg+xml"),
        "text" => of_type("text/plain"),
        "csv" => of_type("text/csv"),
        "image" => {
            let media_type = IMAGES.iter().find(|media_type| data.contains_key(**media_type));
            of_type(media_type.ok_or_else(|| bad("an image response has no png, jpeg, gif or webp"))?)
        }
        "markdown" => {
            let source = data.get("text/markdown").and_then(joined);
            Ok(text::markdown(&source.ok_or_else(|| bad("a markdown response has no text/markdown"))?, accept))
        }
        "file" => file(response),
        "notebook" => Ok(notebook(response.get("format").and_then(Value::as_str), accept)),
        "error" => Ok(Content::Error {
            detail: response
                .get("detail")
                .and_then(Value::as_str)
                .unwrap_or("the notebook reported an error")
                .to_owned(),
            failed: response.get("failed").and_then(Value::as_bool).unwrap_or(true),
        }),
        other => Err(bad(format!("`{}` is not a kind of response", other.escape_debug()))),
    }
}

const IMAGES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

fn file(response: &Value) -> Result<Content, BadResponse> {
    let text = |name: &str| response.get(name).and_then(Value::as_str).map(str::to_owned);
    let path = text("path").map(PathBuf::from).filter(|path| path.is_absolute());
    Ok(Content::File {
        path: path.ok_or_else(|| bad("a file response needs an absolute path"))?,
        name: text("name"),
        media_type: text("media_type").filter(|media_type| is_media_type(media_type)),
    })
}

pub(super) fn notebook(format: Option<&str>, accept: &Accept) -> Content {
    let as_json = match format {
        Some(format) => format == "ipynb",
        None => ["application/x-ipynb+json", "application/json"].iter().any(|json| accept.prefers(json, "text/html")),
    };
    if as_json { Content::NotebookJson } else { Content::NotebookHtml }
}

/// The value of one MIME type of a bundle as it goes over the wire.
pub(super) fn bytes(media_type: &str, value: &Value) -> Result<Content, BadResponse> {
    let textual = || joined(value).ok_or_else(|| bad(format!("its {media_type} is not text")));
    Ok(match media_type {
        "application/json" => Content::Bytes {
            media_type: media_type.to_owned(),
            body: serde_json::to_vec(value).map_err(|error| bad(error.to_string()))?,
        },
        "image/svg+xml" => Content::Bytes { media_type: media_type.to_owned(), body: textual()?.into_bytes() },
        _ if IMAGES.contains(&media_type) => {
            let encoded: String = textual()?.split_ascii_whitespace().collect();
            let body =
                STANDARD.decode(encoded).map_err(|error| bad(format!("its {media_type} is not base64: {error}")))?;
            Content::Bytes { media_type: media_type.to_owned(), body }
        }
        _ => text::of(media_type, &textual()?),
    })
}

/// A string, or nbformat's list of lines.
pub(super) fn joined(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(lines) => lines.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

type Headers = Vec<(String, String)>;

fn headers(given: Option<&Value>) -> Result<(Headers, Vec<String>), BadResponse> {
    let map = match given {
        None | Some(Value::Null) => return Ok((Vec::new(), Vec::new())),
        Some(Value::Object(map)) => map,
        Some(_) => return Err(bad("headers are not an object")),
    };
    let (mut headers, mut warnings) = (Vec::new(), Vec::new());
    for (name, value) in map {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match HeaderRule::of(name, &value) {
            HeaderRule::Illegal => {
                return Err(bad(format!("header `{}` has an illegal name or value", name.escape_debug())));
            }
            HeaderRule::Reserved => {
                warnings.push(format!("the notebook may not set the header `{name}`; it was left out"));
            }
            HeaderRule::Allowed => headers.push((name.clone(), value)),
        }
    }
    Ok((headers, warnings))
}
