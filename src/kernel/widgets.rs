//! The state of Jupyter widgets, kept as nbclient keeps it. Does no I/O.
//!
//! Two things a notebook's front end does for widgets have to be done without one: remembering every widget's state, which
//! nbformat keeps in `metadata.widgets` so that viewers can draw them, and playing the part of `Output` widgets, which
//! capture the outputs of a cell and must tell the kernel what they captured.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::wire::Message;

const WIDGET_STATE: &str = "application/vnd.jupyter.widget-state+json";

/// All widgets of a run.
#[derive(Debug, Default)]
pub(super) struct Widgets {
    /// By comm id, in the order in which they came.
    states: Map<String, Value>,
    /// The binary parts of states: by comm id, then by path.
    buffers: HashMap<String, Map<String, Value>>,
    outputs: HashMap<String, OutputWidget>,
    /// Which output widgets capture what belongs to a request; the last one does.
    capturing: HashMap<String, Vec<String>>,
}

/// An `Output` widget: outputs go into its state while it captures.
#[derive(Debug, Default)]
struct OutputWidget {
    outputs: Vec<Value>,
    clear_next: bool,
    /// The request it captures the outputs of.
    captures: Option<String>,
}

/// What the kernel has to be told about a widget: a `comm_msg` in the name of the request that brought it about.
#[derive(Debug, PartialEq)]
pub(super) struct Update {
    pub(super) parent_header: Value,
    pub(super) content: Value,
}

impl Widgets {
    /// Takes in a `comm_open`, `comm_msg` or `comm_close`.
    pub(super) fn comm(&mut self, message: &Message) {
        let (content, data) = (&message.content, &message.content["data"]);
        let (Some(id), Some(state)) = (content["comm_id"].as_str(), data["state"].as_object()) else { return };
        let known = self.states.entry(id).or_insert_with(|| json!({}));
        for (key, value) in state {
            known[key] = value.clone();
        }
        self.remember_buffers(id, &data["buffer_paths"], &message.buffers);
        let is_output = state.get("_model_module") == Some(&json!("@jupyter-widgets/output"))
            && state.get("_model_name") == Some(&json!("OutputModel"));
        if message.kind == "comm_open" && content["target_name"] == "jupyter.widget" && is_output {
            let outputs = state.get("outputs").and_then(Value::as_array).cloned().unwrap_or_default();
            self.outputs.insert(id.to_owned(), OutputWidget { outputs, ..OutputWidget::default() });
        } else if message.kind == "comm_msg" {
            self.capture(id, state.get("msg_id"));
        }
    }

    fn remember_buffers(&mut self, id: &str, paths: &Value, buffers: &[Bytes]) {
        for (path, buffer) in paths.as_array().into_iter().flatten().zip(buffers) {
            let entry = json!({"data": STANDARD.encode(buffer), "encoding": "base64", "path": path});
            self.buffers.entry(id.to_owned()).or_default().insert(path.to_string(), entry);
        }
    }

    /// An output widget begins to capture a request's outputs, or with an empty id stops.
    fn capture(&mut self, id: &str, request: Option<&Value>) {
        let (Some(widget), Some(request)) = (self.outputs.get_mut(id), request.and_then(Value::as_str)) else { return };
        if let Some(before) = widget.captures.take()
            && let Some(stack) = self.capturing.get_mut(&before)
            && let Some(position) = stack.iter().rposition(|capturing| capturing == id)
        {
            stack.remove(position);
        }
        if !request.is_empty() {
            widget.captures = Some(request.to_owned());
            self.capturing.entry(request.to_owned()).or_default().push(id.to_owned());
        }
    }

    /// The output widget that captures a message, if one does.
    pub(super) fn captor(&self, message: &Message) -> Option<String> {
        self.capturing.get(message.parent.as_ref()?)?.last().cloned()
    }

    /// A captured output.
    pub(super) fn output(&mut self, id: &str, output: Value, parent_header: Value) -> Option<Update> {
        let widget = self.outputs.get_mut(id)?;
        if std::mem::take(&mut widget.clear_next) {
            widget.outputs.clear();
        }
        let continues = |last: &&mut Value| {
            output["output_type"] == "stream" && last["output_type"] == "stream" && last["name"] == output["name"]
        };
        match widget.outputs.last_mut().filter(continues) {
            Some(last) => {
                let text = [&last["text"], &output["text"]].map(|text| text.as_str().unwrap_or_default()).concat();
                last["text"] = Value::String(text);
            }
            None => widget.outputs.push(output),
        }
        self.synchronise(id, parent_header)
    }

    /// A captured `clear_output`.
    pub(super) fn clear(&mut self, id: &str, wait: bool, parent_header: Value) -> Option<Update> {
        let widget = self.outputs.get_mut(id)?;
        if wait {
            widget.clear_next = true;
            return None;
        }
        widget.outputs.clear();
        self.synchronise(id, parent_header)
    }

    fn synchronise(&mut self, id: &str, parent_header: Value) -> Option<Update> {
        let outputs = Value::Array(self.outputs.get(id)?.outputs.clone());
        let state = json!({"outputs": outputs});
        self.states.get_mut(id)?["outputs"] = outputs;
        let data = json!({"method": "update", "state": state, "buffer_paths": []});
        Some(Update { parent_header, content: json!({"data": data, "comm_id": id}) })
    }

    /// The notebook's `metadata.widgets`; `None` when there were no widgets.
    pub(super) fn into_metadata(mut self) -> Option<Value> {
        if self.states.is_empty() {
            return None;
        }
        let mut widgets = Map::new();
        for (id, state) in std::mem::take(&mut self.states) {
            if state.get("_model_name").is_none() {
                continue;
            }
            let field = |name: &str| state.get(name).cloned().unwrap_or_default();
            let mut widget = json!({
                "model_module": field("_model_module"),
                "model_module_version": field("_model_module_version"),
                "model_name": field("_model_name"),
            });
            widget["state"] = state;
            if let Some(buffers) = self.buffers.remove(&id) {
                widget["buffers"] = buffers.into_iter().map(|(_, buffer)| buffer).collect();
            }
            widgets.insert(id, widget);
        }
        Some(json!({WIDGET_STATE: {"state": widgets, "version_major": 2, "version_minor": 0}}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comm(kind: &str, state: &Value, paths: &Value, buffers: Vec<Bytes>) -> Message {
        Message {
            kind: kind.to_owned(),
            parent: Some("cell".to_owned()),
            parent_header: json!({"msg_id": "cell"}),
            content: json!({"comm_id": "w", "target_name": "jupyter.widget", "data": {"state": state, "buffer_paths": paths}}),
            buffers,
        }
    }

    #[test]
    fn the_last_state_is_kept_with_its_buffers() {
        let mut widgets = Widgets::default();
        let model = json!({"_model_name": "IntModel", "_model_module": "m", "_model_module_version": "1", "value": 1});
        widgets.comm(&comm("comm_open", &model, &json!([["a"], ["b", 0]]), vec![Bytes::from("x"), Bytes::from("y")]));
        widgets.comm(&comm("comm_msg", &json!({"value": 2}), &json!([["a"]]), vec![Bytes::from("z")]));
        let metadata = widgets.into_metadata().unwrap();
        let widget = &metadata[WIDGET_STATE]["state"]["w"];
        assert_eq!((&widget["model_name"], &widget["state"]["value"]), (&json!("IntModel"), &json!(2)));
        let buffer = |data: &str, path: Value| json!({"data": data, "encoding": "base64", "path": path});
        assert_eq!(widget["buffers"], json!([buffer("eg==", json!(["a"])), buffer("eQ==", json!(["b", 0]))]));
        assert_eq!(Widgets::default().into_metadata(), None);
    }

    #[test]
    fn output_widgets_capture_while_they_are_told_to() {
        let mut widgets = Widgets::default();
        let model = json!({"_model_name": "OutputModel", "_model_module": "@jupyter-widgets/output", "outputs": [], "msg_id": ""});
        let none = json!([]);
        widgets.comm(&comm("comm_open", &model, &none, vec![]));
        let message = comm("stream", &json!({}), &none, vec![]);
        assert_eq!(widgets.captor(&message), None);
        widgets.comm(&comm("comm_msg", &json!({"msg_id": "cell"}), &none, vec![]));
        assert_eq!(widgets.captor(&message).as_deref(), Some("w"));
        let line = |text: &str| json!({"name": "stdout", "output_type": "stream", "text": text});
        widgets.output("w", line("a"), json!({})).unwrap();
        let update = widgets.output("w", line("b"), json!({"msg_id": "cell"})).unwrap();
        assert_eq!(update.parent_header, json!({"msg_id": "cell"}));
        assert_eq!(update.content["data"]["state"], json!({"outputs": [line("ab")]}));
        assert_eq!(widgets.clear("w", true, json!({})), None);
        widgets.output("w", line("c"), json!({})).unwrap();
        widgets.comm(&comm("comm_msg", &json!({"msg_id": ""}), &none, vec![]));
        assert_eq!(widgets.captor(&message), None);
        assert_eq!(
            widgets.into_metadata().unwrap()[WIDGET_STATE]["state"]["w"]["state"]["outputs"],
            json!([line("c")])
        );
    }
}
