//! Declared callbacks: whether they can be sent as they are declared, and whether what is answered is as declared.

mod of_call;
mod of_run;
mod work;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

pub(super) use self::of_call::{Asked, Wanted, wanted};
pub(super) use self::of_run::{Calls, MOST, Sent};
use super::{Error, Result, Service};
use crate::expression::Template;
use crate::model::{
    Caller, Contract, DeclaredCallback, DeclaredCallbacks, HookId, Invalid, SigningKeys, SigningSecret,
};

/// Steps back that a pattern may take in one text.
const MOST_BACKTRACKING: usize = 10_000;

impl Service {
    /// The callbacks that a hook's live version declares, and what they are signed with.
    ///
    /// # Errors
    /// `NotFound`, also when it is somebody else's.
    pub async fn declared(
        &self,
        caller: &Caller,
        id: HookId,
    ) -> Result<(Option<DeclaredCallbacks>, Option<SigningKeys>)> {
        let hook = self.hook(caller, id).await?;
        let version = self.version(caller, id, &hook.histo).await?;
        Ok((version.callbacks, self.db.callback_keys(id).await?))
    }

    /// Has a hook's callbacks signed with a new secret; with the one before too, for some time.
    ///
    /// # Errors
    /// `NotFound`, and `Conflict` when there is nothing to sign.
    pub async fn rotate_callback_secret(&self, caller: &Caller, id: HookId) -> Result<SigningKeys> {
        self.hook(caller, id).await?;
        let secret = SigningSecret::from_random(self.random.bits256()?);
        if !self.db.rotate_callback_secret(id, &secret, self.both_sign_until()).await? {
            return Err(Error::Conflict("this hook has never declared a callback, so it has no secret".to_owned()));
        }
        self.db.callback_keys(id).await?.ok_or(Error::NotFound("hook"))
    }
}

/// Reads every expression and every schema.
///
/// # Errors
/// Names the first that cannot be read, as `callbacks.invoice.body`.
pub(super) fn check(callbacks: &DeclaredCallbacks) -> Result<(), Invalid> {
    for one in callbacks.iter() {
        let field = format!("callbacks.{}", one.name);
        Template::parse(&one.key)
            .map_err(|error| Invalid::new(&field, format!("has the URL `{}`: {error}", one.key)))?;
        for (part, schema) in [("body", &one.body), ("response", &one.response)] {
            let Some(schema) = schema else { continue };
            let no_schema = |error| Invalid::new(format!("{field}.{part}"), format!("is no JSON Schema: {error}"));
            validator(schema).map_err(no_schema)?;
        }
        if let Some(answer) = &one.response {
            work::check(answer).map_err(|reason| Invalid::new(format!("{field}.response"), reason))?;
        }
    }
    Ok(())
}

/// What the author of callbacks should know: names in their URLs that the notebook does not declare.
pub(super) fn doubts(callbacks: &DeclaredCallbacks, contract: Option<&Contract>) -> Vec<String> {
    let Some(contract) = contract else { return Vec::new() };
    let unknown = |one: &DeclaredCallback| -> Vec<String> {
        let template = Template::parse(&one.key).ok();
        let named: Vec<String> = template.iter().flat_map(Template::parameters).map(str::to_owned).collect();
        let is_known = |name: &String| contract.parameters().any(|parameter| parameter.name == name);
        let unknown = named.into_iter().filter(|name| !is_known(name));
        unknown
            .map(|name| {
                format!("the callback `{}` needs `{name}`, which is not a parameter of this notebook", one.name)
            })
            .collect()
    };
    callbacks.iter().flat_map(unknown).collect()
}

/// What those lose who rely on the version before.
pub(super) fn breaking(before: Option<&DeclaredCallbacks>, now: Option<&DeclaredCallbacks>) -> Vec<String> {
    let names = |callbacks: Option<&DeclaredCallbacks>| -> Vec<String> {
        callbacks.map(|callbacks| callbacks.names().into_iter().map(str::to_owned).collect()).unwrap_or_default()
    };
    let now = names(now);
    let lost = names(before).into_iter().filter(|name| !now.contains(name));
    lost.map(|name| format!("the callback `{name}` is not sent any more")).collect()
}

/// Whether an answer is JSON of the declared schema.
#[must_use]
pub fn fits(schema: &Value, response: &str) -> bool {
    let Ok(answer) = serde_json::from_str::<Value>(response) else { return false };
    validator(schema).is_ok_and(|validator| validator.is_valid(&answer))
}

/// Of draft 2020-12, as OpenAPI 3.1 has it; formats are asserted. Nothing is fetched from elsewhere.
fn validator(schema: &Value) -> Result<Validator, String> {
    let patterns = PatternOptions::fancy_regex().backtrack_limit(MOST_BACKTRACKING);
    let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
    options.with_pattern_options(patterns).build(schema).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn declared(value: Value) -> DeclaredCallbacks {
        DeclaredCallbacks::parse(value).unwrap().unwrap()
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (value, field, message) in [
            (json!({"a": {"{$callback_url}{$id}": {}}}), "callbacks.a", "{$callback_url}{$id}"),
            (json!({"a": {"$url": {"body": {"type": "thing"}}}}), "callbacks.a.body", "is no JSON Schema"),
            (json!({"a": {"$url": {"response": {"pattern": "("}}}}), "callbacks.a.response", "is no JSON Schema"),
            (json!({"a": {"$url": {"body": {"$ref": "http://h/schema"}}}}), "callbacks.a.body", "is no JSON Schema"),
            (json!({"a": {"$url": {"body": {"$ref": "#/$defs/none"}}}}), "callbacks.a.body", "is no JSON Schema"),
            (json!({"a": {"$url": {"response": {"items": {"$ref": "#"}}}}}), "callbacks.a.response", "itself"),
        ] {
            let error = check(&declared(value)).unwrap_err();
            assert_eq!(error.field, field);
            assert!(error.message.contains(message), "{error}");
        }
        check(&declared(json!({"a": {"$url": {"body": {"type": "object"}, "response": true}}}))).unwrap();
    }

    #[test]
    fn an_answer_fits_or_it_does_not() {
        let schema = json!({"type": "object", "required": ["ok"], "properties": {"ok": {"type": "boolean"}}});
        assert!(fits(&schema, r#"{"ok": true}"#));
        for other in [r#"{"ok": "yes"}"#, r#"{"no": 1}"#, "ok", "", "{\"ok\": true", "[]"] {
            assert!(!fits(&schema, other), "{other}");
        }
        assert!(fits(&json!({"format": "date"}), "\"2025-01-31\"") && !fits(&json!({"format": "date"}), "\"31.1.\""));
    }

    #[test]
    fn unknown_names_and_lost_callbacks_are_told() {
        let contract = Contract::new(json!({"properties": {"callback_url": {"type": "string"}}}));
        let callbacks = declared(json!({"a": {"{$callback_url}/{$id}/{$request.body.x}": {}}, "b": {"$url": {}}}));
        let doubts = doubts(&callbacks, Some(&contract));
        assert_eq!(doubts, ["the callback `a` needs `id`, which is not a parameter of this notebook"]);
        let fewer = declared(json!({"b": {"$method": {}}}));
        assert_eq!(breaking(Some(&callbacks), Some(&fewer)), ["the callback `a` is not sent any more"]);
        assert!(breaking(Some(&fewer), Some(&callbacks)).is_empty());
        assert_eq!(breaking(Some(&fewer), None).len(), 1);
    }
}
