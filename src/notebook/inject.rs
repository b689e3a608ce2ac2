//! Putting a call's parameters into a notebook, as a cell of assignments in the kernel's language.
//!
//! The cell is tagged `injected-parameters`, as papermill's is. The notebook gets it with secrets masked; the source that
//! only the kernel may see is handed out beside it.

use std::fmt;

use serde_json::{Value, json};

use super::document::{self, Notebook, PARAMETERS};
use super::language::Language;
use super::parameters::{ParamValue, Parameters};
use super::{identifier, literal, redact};
use crate::model::Invalid;

const INJECTED: &str = "injected-parameters";

/// Whether a cell of these tags has the parameters of an earlier call.
pub(super) fn is_injected(tags: &[&str]) -> bool {
    tags.contains(&INJECTED) && !tags.contains(&PARAMETERS)
}

/// Where the parameters went.
#[derive(Clone, PartialEq)]
pub struct Injected {
    index: usize,
    source: String,
    secrets: Vec<String>,
    origins: Vec<Option<usize>>,
}

impl Injected {
    /// The index of the injected cell in the new notebook.
    pub fn index(&self) -> usize {
        self.index
    }

    /// What the kernel executes instead of the cell's source: the same with the secrets. Never to be stored or shown.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The texts that are masked in the notebook, longest first, to be masked wherever else they come up.
    /// Texts under four bytes are left out.
    pub fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// The index that a cell of the new notebook had in the deployed one; `None` for the injected cell.
    pub fn original_index(&self, index: usize) -> Option<usize> {
        self.origins.get(index).copied().flatten()
    }
}

/// Shows no source: it holds the secrets.
impl fmt::Debug for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Injected").field("index", &self.index).field("origins", &self.origins).finish_non_exhaustive()
    }
}

/// Puts the parameters into the notebook: right after the first cell tagged `parameters`; else in place of the first cell
/// tagged `injected-parameters`; else as the first cell. Injected cells of earlier runs go.
///
/// The cell assigns `params` (the query), `body` and `headers`, then every query and object-body parameter whose name can be
/// a variable, the body's over the query's; and `raw_body`, if the parameters have it. `sensitive` names parameters whose values
/// are masked.
///
/// Gives `None`, and leaves the notebook as it is, when the kernel's language is unknown and nothing was passed.
///
/// # Errors
/// [`Invalid`] naming the parameter that the language cannot hold, or the language, if it is unknown and something was
/// passed. The notebook is unchanged then.
pub fn inject(
    notebook: &mut Notebook,
    language: Option<Language>,
    parameters: &Parameters,
    sensitive: &[String],
) -> Result<Option<Injected>, Invalid> {
    let Some(language) = language else {
        if parameters.is_empty() {
            return Ok(None);
        }
        let name = notebook.language().unwrap_or_else(|| "unknown".into());
        let known = Language::ALL.map(Language::name).join(", ");
        let message = format!("cannot be written in the notebook's language ({name}); supported are {known}");
        return Err(Invalid::new("parameters", message));
    };
    check(language, parameters)?;
    let redacted = redact::redact(parameters, sensitive);
    let source = render(language, parameters);
    let cell = new_cell(notebook, &render(language, &redacted.parameters));
    let (index, origins) = place(notebook.cells_mut(), cell);
    Ok(Some(Injected { index, source, secrets: redacted.secrets, origins }))
}

/// Each parameter by itself, so that the error names it.
fn check(language: Language, parameters: &Parameters) -> Result<(), Invalid> {
    let one = |field: &str, name: &str, value: &ParamValue| {
        let pair = ParamValue::Object(vec![(name.to_owned(), value.clone())]);
        literal::check(language, field, &pair)
    };
    for (name, value) in parameters.query() {
        one(&format!("params.{name}"), name, value)?;
    }
    for (name, value) in parameters.headers() {
        one(&format!("headers.{name}"), name, &ParamValue::Str(value.clone()))?;
    }
    if let Some(raw) = parameters.raw_body() {
        literal::check(language, identifier::RAW_BODY, &raw_value(language, raw))?;
    }
    match parameters.body() {
        ParamValue::Object(pairs) => {
            pairs.iter().try_for_each(|(name, value)| one(&format!("body.{name}"), name, value))
        }
        body => literal::check(language, "body", body),
    }
}

/// The body as it was sent: bytes in Python, elsewhere text where it is some, as not all can do much with bytes.
fn raw_value(language: Language, raw: &[u8]) -> ParamValue {
    match std::str::from_utf8(raw) {
        Ok(text) if language != Language::Python && !raw.contains(&0) => ParamValue::Str(text.to_owned()),
        _ => ParamValue::Bytes(raw.to_vec()),
    }
}

/// The source of the cell: one assignment per line.
fn render(language: Language, parameters: &Parameters) -> String {
    let headers = parameters.headers().iter().map(|(name, value)| (name.clone(), ParamValue::Str(value.clone())));
    let query = ParamValue::Object(parameters.query().to_vec());
    let headers = ParamValue::Object(headers.collect());
    let raw_body = parameters.raw_body().map(|raw| raw_value(language, raw));
    let mut assigned = vec![("params", &query), ("body", parameters.body()), ("headers", &headers)];
    assigned.extend(raw_body.as_ref().map(|raw| (identifier::RAW_BODY, raw)));
    let variables = parameters.named().into_iter();
    assigned.extend(variables.filter(|(name, _)| identifier::is_variable(language, name)));
    let names: Vec<&str> = assigned.iter().map(|(name, _)| *name).collect();
    let mut lines = vec![literal::comment(language).to_owned()];
    lines.extend(literal::preamble(language, &names));
    lines.extend(assigned.iter().map(|(name, value)| literal::assignment(language, name, value)));
    lines.join("\n")
}

fn new_cell(notebook: &Notebook, source: &str) -> Value {
    let mut cell = json!({
        "cell_type": "code",
        "execution_count": null,
        "metadata": { "tags": [INJECTED] },
        "outputs": [],
        "source": source,
    });
    if notebook.has_cell_ids() {
        cell["id"] = free_id(notebook.cells()).into();
    }
    cell
}

/// The same id for every run, so that outputs of runs can be compared, unless a cell has it already.
fn free_id(cells: &[Value]) -> String {
    let taken: Vec<&str> = cells.iter().filter_map(|cell| cell["id"].as_str()).collect();
    let numbered = (2..).map(|number| format!("{INJECTED}-{number}"));
    std::iter::once(INJECTED.to_owned())
        .chain(numbered)
        .find(|id| !taken.contains(&id.as_str()))
        .unwrap_or_else(|| INJECTED.to_owned())
}

/// Puts the cell into its place and takes stale ones away; gives its index and where the cells came from.
fn place(cells: &mut Vec<Value>, cell: Value) -> (usize, Vec<Option<usize>>) {
    let tagged = |cells: &[Value], tag| cells.iter().position(|cell| document::tags(cell).contains(&tag));
    let before = match (tagged(cells, PARAMETERS), tagged(cells, INJECTED)) {
        (Some(parameters), _) => parameters + 1,
        (None, Some(injected)) => injected,
        (None, None) => 0,
    };
    let mut placed = Vec::with_capacity(cells.len() + 1);
    let mut origins = Vec::with_capacity(cells.len() + 1);
    let mut cell = Some(cell);
    let mut index = 0;
    for (origin, old) in std::mem::take(cells).into_iter().enumerate() {
        if origin == before {
            index = placed.len();
            placed.extend(cell.take());
            origins.push(None);
        }
        if !is_injected(&document::tags(&old)) {
            placed.push(old);
            origins.push(Some(origin));
        }
    }
    if let Some(cell) = cell {
        index = placed.len();
        placed.push(cell);
        origins.push(None);
    }
    *cells = placed;
    (index, origins)
}
