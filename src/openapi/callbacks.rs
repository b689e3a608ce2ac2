//! What a hook sends to URLs that its callers name: Callback Objects of OpenAPI.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::{Described, name, schema};
use crate::model::{CallbackMethod, DeclaredCallback};

/// The callbacks of a hook, and the schemas that they need.
#[derive(Debug, Default)]
pub(super) struct Callbacks {
    /// By their names, each with a path item for every expression, which stays as its author wrote it.
    pub(super) objects: Map<String, Value>,
    pub(super) schemas: Map<String, Value>,
}

impl Callbacks {
    /// `name` is that of the hook.
    pub(super) fn of(hook: &Described<'_>, name: &str) -> Self {
        let (mut callbacks, mut taken) = (Self::default(), HashSet::new());
        for one in hook.callbacks.iter().flat_map(|declared| declared.iter()) {
            let kind = name::type_name(&name::unique(&format!("{name}_{}.", one.name), &mut taken));
            let operation = callbacks.operation(one, &kind);
            let method = one.method.as_str().to_ascii_lowercase();
            let object = callbacks.objects.entry(one.name.clone()).or_insert_with(|| json!({}));
            object[&one.key] = json!({ method: operation });
        }
        callbacks
    }

    fn operation(&mut self, one: &DeclaredCallback, kind: &str) -> Value {
        let mut operation = json!({
            "summary": one.summary.as_deref().unwrap_or(&one.name),
            "description": "What the receiver has to implement. It is signed as Standard Webhooks has it, and sent again if it is \
                            not answered with a 2xx status.",
            "security": [],
            "parameters": headers(),
        });
        if one.method != CallbackMethod::Get {
            let body = one.body.as_ref().map_or_else(|| json!({}), |body| self.keep(format!("{kind}Body"), body));
            operation["requestBody"] = json!({"required": true, "content": {"application/json": {"schema": body}}});
        }
        let mut received = json!({"description": "It was received; any 2xx status says so."});
        if let Some(response) = &one.response {
            let response = self.keep(format!("{kind}Response"), response);
            received["content"] = json!({"application/json": {"schema": response}});
        }
        operation["responses"] = json!({"200": received});
        operation
    }

    /// Puts a schema among the others of the document, and gives a reference to it.
    fn keep(&mut self, name: String, of: &Value) -> Value {
        let mut of = of.clone();
        if let Some(members) = of.as_object_mut() {
            members.shift_remove("$schema");
        }
        let reference = schema(&name);
        lead_on(&mut of, reference["$ref"].as_str().unwrap_or_default());
        self.schemas.insert(name, of);
        reference
    }
}

/// A schema that refers to parts of itself (`#/$defs/x`) stands at another place in the document.
fn lead_on(value: &mut Value, root: &str) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                match value {
                    Value::String(text) if member == "$ref" && (text == "#" || text.starts_with("#/")) => {
                        *text = format!("{root}{}", &text[1..]);
                    }
                    value => lead_on(value, root),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| lead_on(item, root)),
        _ => {}
    }
}

/// What stands in the head of every delivery (Standard Webhooks).
fn headers() -> Value {
    let headers = [
        ("webhook-id", "Names what happened: the same whenever it is sent again."),
        ("webhook-timestamp", "When it was sent, in seconds since 1970."),
        (
            "webhook-signature",
            "`v1,` and the HMAC-SHA256 of `id.timestamp.body` with the secret of the hook; there may be two.",
        ),
    ];
    let header = |(name, description): (&str, &str)| json!({"name": name, "in": "header", "required": true, "description": description, "schema": {"type": "string"}});
    headers.map(header).to_vec().into()
}
