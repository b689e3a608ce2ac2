//! The notebook: an nbformat 4 document that keeps its JSON as it came and is patched in place.
//!
//! It knows cells, tags, outputs and metadata; it knows nothing of parameters, kernels or responses.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize as _;
use serde_json::{Map, Value, json};

use super::{check, upgrade};
use crate::model::Invalid;

/// The tag of the cell that has the parameters' defaults.
pub(super) const PARAMETERS: &str = "parameters";

/// A valid nbformat 4 notebook.
///
/// Keys, key order and number texts of the file survive; only what a method names is changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Notebook(Value);

/// What executing one code cell left.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CellOutputs {
    pub execution_count: Option<u64>,
    /// nbformat 4 outputs, in order.
    pub outputs: Vec<Value>,
    /// When the kernel began and finished the cell; kept as `metadata.execution`, as nbclient does.
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
}

impl Notebook {
    /// Reads the bytes of an `.ipynb` file: nbformat 4 as it is, nbformat 3 upgraded to 4.5; a UTF-8 BOM is skipped.
    ///
    /// # Errors
    /// [`Invalid`] of field `notebook` that says where the file breaks which rule.
    pub fn parse(bytes: &[u8]) -> Result<Self, Invalid> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let value: Value = serde_json::from_slice(bytes)
            .map_err(|error| Invalid::new("notebook", format!("the file is not JSON: {error}")))?;
        Self::from_value(value)
    }

    /// As [`Notebook::parse`], for a document that is parsed JSON already.
    ///
    /// # Errors
    /// As [`Notebook::parse`].
    pub fn from_value(value: Value) -> Result<Self, Invalid> {
        let value = match value.get("nbformat").and_then(Value::as_u64) {
            Some(4) => value,
            Some(3) => upgrade::from_v3(value)?,
            Some(other) => {
                let message = format!(
                    "nbformat: {other} is not supported; open the notebook in Jupyter and save it as nbformat 4"
                );
                return Err(Invalid::new("notebook", message));
            }
            None => return Err(Invalid::new("notebook", "nbformat: must be 4 (or 3); this is not a Jupyter notebook")),
        };
        check::notebook(&value)?;
        Ok(Self(value))
    }

    /// The `.ipynb` file: JSON with an indent of one space and a newline at the end, as Jupyter writes it.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
        let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
        let written = self.0.serialize(&mut serializer);
        debug_assert!(written.is_ok(), "writing a JSON value to memory cannot fail");
        bytes.push(b'\n');
        bytes
    }

    pub fn as_value(&self) -> &Value {
        &self.0
    }

    /// `metadata.kernelspec.name`, e.g. `python3`.
    pub fn kernelspec_name(&self) -> Option<&str> {
        self.0["metadata"]["kernelspec"]["name"].as_str()
    }

    /// The programming language in lowercase: `metadata.kernelspec.language`, else `metadata.language_info.name`.
    pub fn language(&self) -> Option<String> {
        let metadata = &self.0["metadata"];
        let named = metadata["kernelspec"]["language"].as_str().filter(|name| !name.is_empty());
        named.or_else(|| metadata["language_info"]["name"].as_str()).map(str::to_lowercase)
    }

    /// The number of cells of all kinds.
    pub fn cell_count(&self) -> usize {
        self.cells().len()
    }

    /// The cells that are executed, in order: index, source, and whether an error in it lets the run go on
    /// (tag `raises-exception`).
    ///
    /// These are the cells nbclient executes: code cells whose source is not blank and that have no `skip-execution` tag.
    pub fn code_cells(&self) -> Vec<(usize, String, bool)> {
        let executed = |(index, cell): (usize, &Value)| {
            let source = joined(&cell["source"]);
            let tags = tags(cell);
            let skipped = source.chars().all(is_python_space) || tags.contains(&"skip-execution");
            (cell["cell_type"] == "code" && !skipped).then(|| (index, source, tags.contains(&"raises-exception")))
        };
        self.cells().iter().enumerate().filter_map(executed).collect()
    }

    /// The source of the first cell tagged `parameters`, if it is one of code.
    pub fn parameters_source(&self) -> Option<String> {
        let cell = self.cells().iter().find(|cell| tags(cell).contains(&PARAMETERS))?;
        (cell["cell_type"] == "code").then(|| joined(&cell["source"]))
    }

    /// The sources of the Markdown cells, in order.
    pub fn markdown(&self) -> impl Iterator<Item = String> {
        let cells = self.cells().iter().filter(|cell| cell["cell_type"] == "markdown");
        cells.map(|cell| joined(&cell["source"]))
    }

    /// The tags of a cell; none when there is no such cell.
    pub fn cell_tags(&self, index: usize) -> Vec<&str> {
        self.cells().get(index).map(tags).unwrap_or_default()
    }

    /// The outputs of every code cell, with the cell's index.
    pub fn outputs(&self) -> impl Iterator<Item = (usize, &[Value])> {
        let cells = self.cells().iter().enumerate();
        cells.filter_map(|(index, cell)| Some((index, cell["outputs"].as_array()?.as_slice())))
    }

    /// The source of a cell of any kind, its lines joined.
    pub fn cell_source(&self, index: usize) -> Option<String> {
        self.cells().get(index).map(|cell| joined(&cell["source"]))
    }

    /// Empties every code cell: no outputs, no execution count, no execution times.
    pub fn strip_outputs(&mut self) {
        for cell in self.cells_mut().iter_mut().filter(|cell| cell["cell_type"] == "code") {
            cell["outputs"] = json!([]);
            cell["execution_count"] = Value::Null;
            if let Some(metadata) = cell["metadata"].as_object_mut() {
                metadata.shift_remove("execution");
            }
        }
    }

    /// Writes what came of executing a code cell; other cells and indexes out of range are left alone.
    pub fn record(&mut self, index: usize, outputs: CellOutputs) {
        let Some(cell) = self.cells_mut().get_mut(index).filter(|cell| cell["cell_type"] == "code") else { return };
        cell["execution_count"] = outputs.execution_count.map_or(Value::Null, Value::from);
        cell["outputs"] = Value::Array(outputs.outputs);
        let times = [
            ("iopub.status.busy", outputs.started_at),
            ("iopub.execute_input", outputs.started_at),
            ("iopub.status.idle", outputs.finished_at),
            ("shell.execute_reply", outputs.finished_at),
        ];
        let times: Map<String, Value> =
            times.into_iter().filter_map(|(key, time)| Some((key.to_owned(), timestamp(time?)))).collect();
        if !times.is_empty() {
            cell["metadata"]["execution"] = Value::Object(times);
        }
    }

    /// Sets `metadata.language_info` to what the kernel said of itself.
    pub fn set_language_info(&mut self, info: Map<String, Value>) {
        self.0["metadata"]["language_info"] = Value::Object(info);
    }

    /// Names the kernelspec to run it with, and its language.
    pub fn set_kernelspec(&mut self, name: &str, language: &str) {
        self.0["metadata"]["kernelspec"] = json!({"display_name": name, "language": language, "name": name});
    }

    /// Sets `metadata.widgets`: what is needed to show the notebook's widgets as they were.
    pub fn set_widgets(&mut self, widgets: Value) {
        self.0["metadata"]["widgets"] = widgets;
    }

    /// The state of its widgets, if it has any.
    pub(super) fn widgets_mut(&mut self) -> Option<&mut Value> {
        self.0.get_mut("metadata")?.get_mut("widgets")
    }

    /// Replaces the source of a cell; an index out of range is left alone.
    pub fn set_cell_source(&mut self, index: usize, source: &str) {
        if let Some(cell) = self.cells_mut().get_mut(index) {
            cell["source"] = source.into();
        }
    }

    pub(super) fn cells(&self) -> &[Value] {
        self.0["cells"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// Every user of this must leave valid nbformat 4 cells behind.
    pub(super) fn cells_mut(&mut self) -> &mut Vec<Value> {
        // `parse` has made sure of the list; an empty one stands in so that this cannot panic.
        if !self.0["cells"].is_array() {
            self.0["cells"] = json!([]);
        }
        match &mut self.0["cells"] {
            Value::Array(cells) => cells,
            _ => unreachable!("made a list above"),
        }
    }

    /// Whether cells have an `id` (nbformat 4.5 and later).
    pub(super) fn has_cell_ids(&self) -> bool {
        self.0["nbformat_minor"].as_u64().is_some_and(|minor| minor >= 5)
    }
}

/// The tags of a cell.
pub(super) fn tags(cell: &Value) -> Vec<&str> {
    cell["metadata"]["tags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A multi-line string of nbformat 4: a string, or a list of strings to be put together.
pub(super) fn joined(text: &Value) -> String {
    match text {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}

/// What Python's `str.strip` takes off: Unicode white space and the four ASCII separators.
fn is_python_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// As nbclient writes times: ISO 8601 with microseconds, in UTC.
fn timestamp(time: DateTime<Utc>) -> Value {
    time.to_rfc3339_opts(SecondsFormat::Micros, true).into()
}
