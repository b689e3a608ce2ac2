//! Folds what a kernel publishes into the outputs of cells, exactly as nbclient folds it. Does no I/O.
//!
//! The rules are those of nbclient's `process_message`: a message belongs to the cell whose request it answers, and is
//! ignored when that cell is over; displays with an id are updated wherever they stand, in earlier cells too; `clear_output`
//! with `wait` clears when the next output comes; consecutive stream messages stay apart; `transient` is dropped.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::widgets::{Update, Widgets};
use super::wire::Message;

/// The outputs of a run, cell by cell, while they come in.
#[derive(Debug, Default)]
pub(super) struct Collector {
    cells: Vec<CellOutputs>,
    /// Where displays with an id stand: (cell, output) positions by display id.
    displays: HashMap<String, Vec<(usize, usize)>>,
    /// Whether the next output clears those before it.
    clear_next: bool,
    widgets: Widgets,
}

/// The outputs of one cell.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct CellOutputs {
    pub(super) execution_count: Option<u64>,
    pub(super) outputs: Vec<Value>,
}

impl Collector {
    /// A new cell begins; what comes from now on is its.
    pub(super) fn begin_cell(&mut self) {
        self.cells.push(CellOutputs::default());
        self.clear_next = false;
    }

    /// The current cell is complete: it was the n-th that was executed.
    pub(super) fn end_cell(&mut self) {
        let count = self.cells.len() as u64;
        if let Some(cell) = self.cells.last_mut() {
            cell.execution_count = Some(count);
        }
    }

    /// The cells that were begun, and the notebook's `metadata.widgets` if there were any widgets.
    pub(super) fn finish(self) -> (Vec<CellOutputs>, Option<Value>) {
        (self.cells, self.widgets.into_metadata())
    }

    /// Takes in a message of the current cell, and says what the kernel must hear of it.
    pub(super) fn message(&mut self, message: Message) -> Option<Update> {
        let captor = self.widgets.captor(&message);
        if message.kind.starts_with("comm_") {
            self.widgets.comm(&message);
            return None;
        }
        let Message { kind, mut content, parent_header, .. } = message;
        let display_id = content.pointer("/transient/display_id").and_then(Value::as_str).map(str::to_owned);
        if let Some(cell) = self.cells.last_mut()
            && let Some(count) = content.get("execution_count")
        {
            cell.execution_count = count.as_u64();
        }
        if let (Some(id), "execute_result" | "display_data" | "update_display_data") = (&display_id, kind.as_str()) {
            self.update(id, &content);
        }
        if kind == "clear_output" {
            let wait = content.get("wait").is_some_and(truthy);
            match captor {
                Some(widget) => return self.widgets.clear(&widget, wait, parent_header),
                None if wait => self.clear_next = true,
                None => self.clear(),
            }
        } else if let Some(output) = output(&kind, &mut content) {
            match captor {
                Some(widget) => return self.widgets.output(&widget, output, parent_header),
                None => self.append(output, display_id),
            }
        }
        None
    }

    fn append(&mut self, output: Value, display_id: Option<String>) {
        if std::mem::take(&mut self.clear_next) {
            self.clear();
        }
        let current = self.cells.len().saturating_sub(1);
        let Some(cell) = self.cells.last_mut() else { return };
        if let Some(id) = display_id {
            self.displays.entry(id).or_default().push((current, cell.outputs.len()));
        }
        cell.outputs.push(output);
    }

    fn clear(&mut self) {
        let current = self.cells.len().saturating_sub(1);
        if let Some(cell) = self.cells.last_mut() {
            cell.outputs.clear();
        }
        for positions in self.displays.values_mut() {
            positions.retain(|(cell, _)| *cell != current);
        }
    }

    fn update(&mut self, display_id: &str, content: &Value) {
        for (cell, position) in self.displays.get(display_id).into_iter().flatten() {
            if let Some(output) = self.cells.get_mut(*cell).and_then(|cell| cell.outputs.get_mut(*position)) {
                output["data"] = content.get("data").cloned().unwrap_or_else(|| json!({}));
                output["metadata"] = content.get("metadata").cloned().unwrap_or_else(|| json!({}));
            }
        }
    }
}

/// The nbformat 4 output of a message, its keys in the order in which nbformat writes them; `None` for other messages.
fn output(kind: &str, content: &mut Value) -> Option<Value> {
    let fields: &[(&str, Value)] = match kind {
        "stream" => &[("name", json!("stdout")), ("text", json!(""))],
        "display_data" => &[("data", json!({})), ("metadata", json!({}))],
        "execute_result" => &[("data", json!({})), ("execution_count", Value::Null), ("metadata", json!({}))],
        "error" => &[("ename", json!("")), ("evalue", json!("")), ("traceback", json!([]))],
        _ => return None,
    };
    let mut output: Map<String, Value> = Map::new();
    for (field, default) in fields {
        let value = content.get_mut(*field).map_or_else(|| default.clone(), Value::take);
        output.insert((*field).to_owned(), value);
    }
    output.insert("output_type".to_owned(), json!(kind));
    output.sort_keys();
    Some(Value::Object(output))
}

/// Whether Python would take the value for true.
fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

#[cfg(test)]
mod tests;
