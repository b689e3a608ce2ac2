//! What a hook takes, as a form asks for it: one field for each parameter of its contract.

use serde::Serialize;
use serde_json::{Value, json};

use super::inputs::{is_secret, shown};
use crate::model::{Contract, HookParams, Parameter, describe};

/// Longest JSON on one line, in characters.
const LINE: usize = 50;

/// A parameter in a form.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FormField {
    pub name: String,
    /// `text`, `lines`, `number`, `date`, `time`, `checkbox`, `choice`, `secret` or `json`.
    pub input: &'static str,
    /// What fits, in words.
    pub fits: String,
    pub description: Option<String>,
    pub required: bool,
    /// What is there before somebody changes it, as the field writes it.
    pub value: String,
    /// The default as JSON, if there is one that may be seen.
    pub default: Option<String>,
    pub is_checked: bool,
    pub is_whole: bool,
    pub least: Option<String>,
    pub most: Option<String>,
    pub choices: Vec<Choice>,
}

/// One value of a field that has few; `value` is JSON, empty where nothing is sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    pub value: String,
    pub label: String,
    pub is_chosen: bool,
}

/// The fields for all parameters of a contract, in its order.
#[must_use]
pub fn form(contract: &Contract, params: &HookParams) -> Vec<FormField> {
    contract.parameters().map(|one| field(&one, params)).collect()
}

fn field(parameter: &Parameter<'_>, params: &HookParams) -> FormField {
    let secret = is_secret(parameter.name, params);
    let schema = shown(parameter, params);
    let default = schema.get("default");
    let (kind, can_be_null) = of_one_kind(&schema);
    let input = input(kind, can_be_null, secret, parameter.required, default);
    let bound = |word: &str| kind.get(word).filter(|bound| bound.is_number()).map(ToString::to_string);
    FormField {
        name: parameter.name.to_owned(),
        input,
        fits: if secret { "secret".to_owned() } else { describe(&schema) },
        description: schema["description"].as_str().map(str::to_owned),
        required: parameter.required,
        value: default.map(|default| written(default, input)).unwrap_or_default(),
        default: default.map(ToString::to_string),
        is_checked: default == Some(&json!(true)),
        is_whole: kind["type"] == "integer",
        least: bound("minimum"),
        most: bound("maximum"),
        choices: if input == "choice" { choices(kind, can_be_null, parameter.required, default) } else { Vec::new() },
    }
}

/// A schema without the null that it may take beside one other kind, and whether it takes null.
fn of_one_kind(schema: &Value) -> (&Value, bool) {
    let Some(kinds) = schema["anyOf"].as_array() else { return (schema, false) };
    let others: Vec<&Value> = kinds.iter().filter(|kind| kind["type"] != "null").collect();
    match others[..] {
        [one] => (one, kinds.len() > 1),
        _ => (schema, false),
    }
}

fn input(kind: &Value, can_be_null: bool, secret: bool, required: bool, default: Option<&Value>) -> &'static str {
    let is_text = kind["type"] == "string" && kind.get("enum").is_none();
    match (kind["type"].as_str(), kind["format"].as_str()) {
        _ if secret && is_text => "secret",
        _ if secret => "json",
        _ if kind["enum"].is_array() => "choice",
        // A box is never empty, so it would always say something.
        (Some("boolean"), _) if can_be_null || (!required && default.is_none()) => "choice",
        (Some("boolean"), _) => "checkbox",
        (Some("integer" | "number"), _) => "number",
        (Some("string"), Some("date")) => "date",
        (Some("string"), Some("date-time")) => "time",
        (Some("string"), _) if default.and_then(Value::as_str).is_some_and(|text| text.contains('\n')) => "lines",
        (Some("string"), _) => "text",
        _ => "json",
    }
}

/// A value as a field writes it. Null is the empty field: nothing is sent, and the default holds.
fn written(value: &Value, input: &str) -> String {
    match (value, input) {
        (Value::Null, _) => String::new(),
        (_, "json") if value.to_string().chars().count() <= LINE => value.to_string(),
        (_, "json") => serde_json::to_string_pretty(value).unwrap_or_default(),
        (Value::String(text), _) => text.clone(),
        (other, _) => other.to_string(),
    }
}

fn choices(kind: &Value, can_be_null: bool, required: bool, default: Option<&Value>) -> Vec<Choice> {
    let mut values = kind["enum"].as_array().cloned().unwrap_or_else(|| vec![json!(true), json!(false)]);
    if can_be_null && !values.contains(&Value::Null) {
        values.push(Value::Null);
    }
    let label = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let choice =
        |value: &Value| Choice { value: value.to_string(), label: label(value), is_chosen: default == Some(value) };
    let unsaid = Choice {
        value: String::new(),
        label: if required { "choose…" } else { "not said" }.to_owned(),
        is_chosen: default.is_none(),
    };
    let first = default.is_none().then_some(unsaid);
    first.into_iter().chain(values.iter().map(choice)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(properties: &Value, required: &Value, sensitive: &[&str]) -> Vec<FormField> {
        let contract = Contract::new(json!({"type": "object", "properties": properties, "required": required}));
        let sensitive = sensitive.iter().map(|name| (*name).to_owned()).collect();
        form(&contract, &HookParams { sensitive, ..HookParams::default() })
    }

    #[test]
    fn every_kind_of_parameter_has_its_field() {
        for (schema, input, value) in [
            (json!({"type": "integer", "default": 5}), "number", "5"),
            (json!({"type": "number"}), "number", ""),
            (json!({"type": "string", "default": "a \"b\""}), "text", "a \"b\""),
            (json!({"type": "string", "default": "a\nb"}), "lines", "a\nb"),
            (json!({"type": "boolean", "default": false}), "checkbox", "false"),
            (json!({"type": "boolean"}), "choice", ""),
            (json!({"enum": ["a", 1], "default": "a"}), "choice", "a"),
            (json!({"type": "string", "format": "date", "default": "2026-01-31"}), "date", "2026-01-31"),
            (json!({"type": "string", "format": "date-time"}), "time", ""),
            (json!({"type": "array", "default": [1]}), "json", "[1]"),
            (json!({"type": "object"}), "json", ""),
            (json!({}), "json", ""),
            (json!({"anyOf": [{"type": "integer"}, {"type": "null"}], "default": null}), "number", ""),
            (json!({"anyOf": [{"type": "integer"}, {"type": "string"}]}), "json", ""),
        ] {
            let field = &fields(&json!({"x": schema}), &json!([]), &[])[0];
            assert_eq!((field.input, field.value.as_str()), (input, value), "{schema}");
        }
    }

    #[test]
    fn a_field_of_few_values_says_which_is_usual() {
        let choices = |schema: &Value, required: &Value| -> Vec<(String, bool)> {
            let all = fields(&json!({"x": schema}), required, &[]).remove(0).choices;
            all.into_iter().map(|choice| (choice.value, choice.is_chosen)).collect()
        };
        let texts =
            |pairs: &[(&str, bool)]| pairs.iter().map(|(text, is)| ((*text).to_owned(), *is)).collect::<Vec<_>>();
        assert_eq!(
            choices(&json!({"enum": ["a", 1], "default": 1}), &json!([])),
            texts(&[("\"a\"", false), ("1", true)])
        );
        assert_eq!(choices(&json!({"enum": ["a"]}), &json!(["x"])), texts(&[("", true), ("\"a\"", false)]));
        let maybe = json!({"anyOf": [{"type": "boolean"}, {"type": "null"}], "default": null});
        assert_eq!(choices(&maybe, &json!([])), texts(&[("true", false), ("false", false), ("null", true)]));
    }

    #[test]
    fn what_is_secret_is_not_in_the_form() {
        let properties = json!({"Pin": {"type": "string", "default": "hush"}, "deep": {"type": "object", "default": {"pin": "hush"}}});
        let fields = fields(&properties, &json!([]), &["pin"]);
        assert_eq!((fields[0].input, fields[1].input), ("secret", "json"));
        assert!(!format!("{fields:?}").contains("hush"));
    }
}
