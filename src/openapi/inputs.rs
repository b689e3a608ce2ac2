//! What a hook takes, in the words of OpenAPI: parameters of the query, and schemas of bodies.
//!
//! A query and a form hold text, so null cannot be said there; a default that is one is left out, which means the same.

use serde_json::{Map, Value, json};

use super::{Described, example, name, schema};
use crate::model::{Contract, HookParams, Parameter};

/// Schemas of a hook's bodies; the same parameters, in the three ways to send them.
pub(super) fn schemas(hook: &Described<'_>, name: &str) -> Map<String, Value> {
    let Some(contract) = hook.contract else { return Map::new() };
    let params = &hook.hook.params;
    let kind = name::type_name(name);
    [
        (format!("{kind}Parameters"), body(contract, params, &|schema| schema)),
        (format!("{kind}Form"), body(contract, params, &|schema| as_text(&schema))),
        (format!("{kind}Upload"), body(contract, params, &|schema| as_text(&schema))),
    ]
    .into_iter()
    .collect()
}

/// The schema of a body, each of its properties put through `change`.
fn body(contract: &Contract, params: &HookParams, change: &dyn Fn(Value) -> Value) -> Value {
    let properties: Map<_, _> =
        contract.parameters().map(|one| (one.name.to_owned(), change(shown(&one, params)))).collect();
    let required: Vec<_> = contract.parameters().filter(|one| one.required).map(|one| one.name).collect();
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if params.strict {
        schema["additionalProperties"] = json!(false);
    }
    schema
}

/// What a schema says with values, which may be secrets.
const VALUES: [&str; 4] = ["default", "examples", "const", "enum"];

/// The schema of a parameter as strangers may see it: no value that is a secret, or that holds one.
pub(super) fn shown(parameter: &Parameter<'_>, params: &HookParams) -> Value {
    let mut schema = without_own_words(parameter.schema);
    let secret = is_secret(parameter.name, params);
    if let Some(members) = schema.as_object_mut() {
        members.retain(|word, value| !VALUES.contains(&word.as_str()) || !(secret || holds_secret(value, params)));
        if secret {
            members.insert("writeOnly".to_owned(), json!(true));
        }
        if secret && members.get("type").is_some_and(|kind| kind == "string") {
            members.insert("format".to_owned(), json!("password"));
        }
    }
    schema
}

/// Whether the name is among the hook's sensitive ones, whatever its case.
pub(super) fn is_secret(name: &str, params: &HookParams) -> bool {
    let name = name.to_lowercase();
    params.sensitive.iter().any(|sensitive| sensitive.to_lowercase() == name)
}

fn holds_secret(value: &Value, params: &HookParams) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().any(|(name, value)| is_secret(name, params) || holds_secret(value, params))
        }
        Value::Array(items) => items.iter().any(|item| holds_secret(item, params)),
        _ => false,
    }
}

/// A schema without the keywords that only nbhook knows (`x-nbhook-…`).
fn without_own_words(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let told = members.iter().filter(|(member, _)| !member.starts_with("x-nbhook-"));
            Value::Object(told.map(|(member, value)| (member.clone(), without_own_words(value))).collect())
        }
        Value::Array(items) => items.iter().map(without_own_words).collect(),
        other => other.clone(),
    }
}

/// Parameters that a call may have; of the secret ones only those that it must have.
pub(super) fn example(contract: &Contract, params: &HookParams) -> Map<String, Value> {
    let told = contract.parameters().filter(|one| one.required || !is_secret(one.name, params));
    told.map(|one| (one.name.to_owned(), example::of(&shown(&one, params)))).collect()
}

/// The body of a call: JSON, a form, or a multipart form.
pub(super) fn request_body(hook: Option<&Described<'_>>, name: &str) -> Value {
    let Some((hook, contract)) = hook.and_then(|hook| Some((hook, hook.contract?))) else {
        let fields = json!({"type": "object"});
        return json!({
            "description": "Any parameters, by name. JSON that is no object, the notebook gets as `body`.",
            "content": {
                "application/json": {"schema": {}, "example": {}},
                "application/x-www-form-urlencoded": {"schema": fields},
                "multipart/form-data": {"schema": fields},
            },
        });
    };
    let params = &hook.hook.params;
    let kind = name::type_name(name);
    let example = example(contract, params);
    let mut text = example.clone();
    text.retain(|_, value| !value.is_null());
    let encoding: Map<_, _> = contract
        .parameters()
        .filter(|one| !is_text_or_list(&as_text(one.schema)))
        .map(|one| (one.name.to_owned(), json!({"contentType": "application/json"})))
        .collect();
    let form = |name: &str| json!({"schema": schema(&format!("{kind}{name}")), "example": text, "encoding": encoding});
    json!({
        "description": "The parameters. A file in a multipart form gives its path in the run's directory.",
        "required": contract.parameters().any(|one| one.required),
        "content": {
            "application/json": {"schema": schema(&format!("{kind}Parameters")), "example": example},
            "application/x-www-form-urlencoded": form("Form"),
            "multipart/form-data": form("Upload"),
        },
    })
}

/// The parameters of a call's query.
pub(super) fn query(hook: Option<&Described<'_>>) -> Vec<Value> {
    let Some((hook, contract)) = hook.and_then(|hook| Some((hook, hook.contract?))) else {
        return vec![json!({
            "name": "params", "in": "query", "style": "form", "explode": true,
            "description": "Any parameters, by name.",
            "schema": {"type": "object"},
        })];
    };
    contract.parameters().map(|one| in_query(&one, &hook.hook.params)).collect()
}

fn in_query(parameter: &Parameter<'_>, params: &HookParams) -> Value {
    let mut schema = as_text(&shown(parameter, params));
    let description = schema.as_object_mut().and_then(|members| members.shift_remove("description"));
    let mut query = json!({"name": parameter.name, "in": "query", "required": parameter.required});
    if let Some(description) = description {
        query["description"] = description;
    }
    let example = schema.get("default").cloned();
    if is_text_or_list(&schema) {
        if schema["type"] == "array" {
            query["style"] = json!("form");
            query["explode"] = json!(true);
        }
        if let Some(example) = example {
            query["example"] = example;
        }
        query["schema"] = schema;
    } else {
        let mut content = json!({"schema": schema});
        if let Some(example) = example {
            content["example"] = example;
        }
        query["content"] = json!({"application/json": content});
    }
    query
}

/// The schema of what can be said in a query: it has no null.
fn as_text(schema: &Value) -> Value {
    let mut schema = schema.clone();
    let Some(members) = schema.as_object_mut() else { return schema };
    if members.get("default").is_some_and(Value::is_null) {
        members.shift_remove("default");
    }
    if let Some(Value::Array(values)) = members.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(kinds)) = members.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [one] = kinds.as_slice() {
            let one = one.clone();
            members.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(choices)) = members.get_mut("anyOf") {
        choices.retain(|choice| choice["type"] != "null");
        if let [Value::Object(one)] = choices.as_slice() {
            let one = one.clone();
            members.shift_remove("anyOf");
            for (member, value) in one {
                members.entry(member).or_insert(value);
            }
        }
    }
    schema
}

/// Whether every value is one text, as numbers are; nothing is said of what may be anything.
fn is_text(schema: &Value) -> bool {
    if let Some(values) = schema["enum"].as_array() {
        return !values.iter().any(|value| value.is_array() || value.is_object());
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        return choices.iter().all(is_text);
    }
    let simple = |kind: &Value| kind == "string" || kind == "integer" || kind == "number" || kind == "boolean";
    match &schema["type"] {
        Value::Array(kinds) => kinds.iter().all(simple),
        Value::Null => true,
        kind => simple(kind),
    }
}

/// Whether a query says it without JSON: one text, or a key that repeats.
fn is_text_or_list(schema: &Value) -> bool {
    is_text(schema) || (schema["type"] == "array" && is_text(&schema["items"]))
}
