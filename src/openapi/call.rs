//! The operations of calling a hook.

use serde_json::{Map, Value, json};

use super::{Described, answers, inputs, security};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The names of the operations below, which no hook may take.
pub(super) fn reserved() -> impl Iterator<Item = String> {
    ["hook", "hook_version"].into_iter().flat_map(|name| METHODS.map(|method| in_general(name, method)))
}

/// What a call of any hook is called.
fn in_general(name: &str, method: &str) -> String {
    if method == "get" { name.to_owned() } else { format!("{name}_by_{method}") }
}

/// The calls of a hook that nothing is known of.
pub(super) fn any_hook() -> Map<String, Value> {
    let token = json!({"$ref": "#/components/parameters/Token"});
    let histo = json!({"$ref": "#/components/parameters/Histo"});
    let live = ("/hooks/{token}", "hook", "Run the live version of a hook", json!([token.clone()]));
    let pinned =
        ("/hooks/{token}/versions/{histo}", "hook_version", "Run one version of a hook", json!([token, histo]));
    [live, pinned]
        .map(|(path, name, summary, parameters)| {
            let mut item = json!({"parameters": parameters});
            for method in METHODS {
                item[method] = operation(None, method, name, summary);
            }
            (path.to_owned(), item)
        })
        .into_iter()
        .collect()
}

/// The calls of one hook. The server takes PUT, PATCH and DELETE as it takes POST; generators would make three more functions
/// of each notebook that do the same, so they are only said.
pub(super) fn one_hook(hook: &Described<'_>, name: &str, callbacks: &Map<String, Value>) -> Value {
    let summary = hook.title.unwrap_or(hook.hook.path.as_str());
    let mut item = json!({});
    for method in ["get", "post"] {
        item[method] = operation(Some(hook), method, name, summary);
        if !callbacks.is_empty() {
            item[method]["callbacks"] = callbacks.clone().into();
        }
    }
    item
}

fn operation(hook: Option<&Described<'_>>, method: &str, name: &str, summary: &str) -> Value {
    let id = match (hook, method) {
        (None, _) => format!("call_{}", in_general(name, method)),
        (Some(_), "get") => format!("call_{name}"),
        (Some(_), _) => format!("{method}_{name}"),
    };
    let mut parameters = if method == "get" || hook.is_none() { inputs::query(hook) } else { Vec::new() };
    parameters.extend(headers(method));
    let mut operation = json!({
        "operationId": id,
        "tags": [if hook.is_some() { "calls" } else { "any hook" }],
        "summary": summary,
        "description": description(hook, method),
        "security": Value::from_iter(hook.and_then(|hook| security::scheme(hook.hook)).map(|(name, _)| json!({name: []}))),
        "parameters": parameters,
    });
    if method != "get" {
        operation["requestBody"] = inputs::request_body(hook, name);
    }
    operation["responses"] = answers::of(hook, method).into();
    operation
}

fn description(hook: Option<&Described<'_>>, method: &str) -> String {
    let how = match (hook, method) {
        (None, "get") => "Parameters come from the query.",
        (None, _) => "Parameters come from the body, and from the query.",
        (Some(_), "get") => "With the parameters in the query.",
        (Some(_), _) => "With the parameters in the body. PUT, PATCH and DELETE do the same.",
    };
    let text = hook.and_then(|hook| hook.text);
    text.map_or_else(|| how.to_owned(), |text| format!("{text}\n\n{how}"))
}

/// The headers that mean something to the server (RFC 7240, and the draft on `Idempotency-Key`).
fn headers(method: &str) -> Vec<Value> {
    let mut headers = vec![json!({
        "name": "Prefer", "in": "header",
        "description": "`respond-async`: do not wait, answer with a task; `wait=10`: wait so many seconds at most. With either, the \
                        end of the run is posted to a `callbackUrl` in the query or in a JSON body.",
        "schema": {"type": "string"},
    })];
    if method == "post" {
        headers.push(json!({
            "name": "Idempotency-Key", "in": "header",
            "description": "A name for this call, e.g. a UUID: another one with the same name gets the same answer, and nothing \
                            runs twice.",
            "schema": {"type": "string", "pattern": "^[!-~]([ -~]{0,253}[!-~])?$"},
        }));
    }
    headers
}
