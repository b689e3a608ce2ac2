//! From what a run's cells left to what its caller gets.
//!
//! Pure: it decides status, headers, media type and body, and says which file or conversion a body still needs. It reads no
//! file, renders no notebook and writes no HTTP.

mod accept;
mod callback;
mod header;
mod marking;
mod naas;
mod text;

use std::path::PathBuf;

use serde_json::Value;

pub use accept::Accept;
pub use callback::{Callback, callback};
pub use header::HeaderRule;

/// A cell of an executed notebook.
#[derive(Debug)]
pub struct Cell<'a> {
    pub tags: Vec<&'a str>,
    /// nbformat 4 outputs.
    pub outputs: &'a [Value],
}

/// What a notebook answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    /// Set by the notebook; checked to be legal and allowed.
    pub headers: Vec<(String, String)>,
    pub content: Content,
    /// What was odd but not fatal; for the run's record.
    pub warnings: Vec<String>,
    /// Whether its caller gets it at once, while the notebook runs on.
    pub early: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Nothing was marked as the answer.
    Done,
    Bytes {
        media_type: String,
        body: Vec<u8>,
    },
    /// A file of the run's; whether it may be read is for the caller of this module to check.
    File {
        path: PathBuf,
        name: Option<String>,
        media_type: Option<String>,
    },
    NotebookHtml,
    NotebookJson,
    /// `respond_error`: `failed` says whether the run counts as failed.
    Error {
        detail: String,
        failed: bool,
    },
}

/// Why a marked output cannot be answered with. A sentence for whoever wrote the notebook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the notebook marked a response that cannot be sent: {0}")]
pub struct BadResponse(pub String);

/// Finds the answer among the outputs of a run: the first marked one, else the last output of a cell tagged `response`.
///
/// # Errors
/// When the marked output lacks what its kind needs.
pub fn answer(cells: &[Cell<'_>], accept: &Accept) -> Result<Answer, BadResponse> {
    let mut marked = cells.iter().flat_map(|cell| cell.outputs).filter_map(marking::find);
    let Some(first) = marked.next() else {
        return Ok(tagged(cells, accept).unwrap_or_else(|| Answer::of(Content::Done)));
    };
    let mut answer = first.answer(accept)?;
    match marked.count() {
        0 => {}
        n => answer.warnings.push(format!("{n} further output(s) were marked as the response; the first was sent")),
    }
    Ok(answer)
}

/// The answer in one output, as it comes, if it is to be sent before the run has ended. The first marked output of a run is its
/// answer: whoever asks this has to stop at the first one that [`is_marked`].
///
/// None also for the notebook itself, which is not complete before the run's end.
#[must_use]
pub fn early(output: &Value, accept: &Accept) -> Option<Result<Answer, BadResponse>> {
    marking::find(output).filter(marking::Marked::is_early).map(|marked| marked.answer(accept))
}

/// Whether an output says that it is to be sent before the run has ended.
#[must_use]
pub fn is_early(output: &Value) -> bool {
    marking::find(output).is_some_and(|marked| marked.is_early())
}

/// Whether an output says that it is the answer.
#[must_use]
pub fn is_marked(output: &Value) -> bool {
    marking::find(output).is_some()
}

impl Answer {
    fn of(content: Content) -> Self {
        Self { status: 200, headers: Vec::new(), content, warnings: Vec::new(), early: false }
    }
}

/// Media types of a tagged cell's output, from the richest to the plainest.
const RICHEST_FIRST: [&str; 10] = [
    "text/html",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "text/markdown",
    "text/csv",
    "application/json",
    "text/plain",
];

/// For kernels without the client package: the last output of a cell tagged `response`.
fn tagged(cells: &[Cell<'_>], accept: &Accept) -> Option<Answer> {
    let mut tagged = cells.iter().rev().filter(|cell| cell.tags.contains(&"response"));
    let outputs = tagged.find(|cell| !cell.outputs.is_empty())?.outputs;
    let output = outputs.last()?;
    if output.get("text").is_some() {
        return Some(Answer::of(text::plain(&stream(outputs)?)));
    }
    let data = output.get("data")?;
    let best = RICHEST_FIRST
        .iter()
        .enumerate()
        .filter(|(_, media_type)| data.get(media_type).is_some())
        .max_by(|(i, a), (j, b)| accept.quality(a).total_cmp(&accept.quality(b)).then(j.cmp(i)))?;
    let (_, media_type) = best;
    marking::bytes(media_type, data.get(media_type)?).ok().map(Answer::of)
}

/// The text that outputs end with. Where a kernel cuts it into pieces depends on when it flushes, so they belong together.
fn stream(outputs: &[Value]) -> Option<String> {
    let name = outputs.last()?.get("name");
    let pieces = outputs.iter().rev().take_while(|output| output.get("text").is_some() && output.get("name") == name);
    let mut texts = pieces.map(|output| marking::joined(&output["text"])).collect::<Option<Vec<_>>>()?;
    texts.reverse();
    Some(texts.concat())
}

#[cfg(test)]
mod tests;
