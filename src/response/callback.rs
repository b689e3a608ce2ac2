//! How an output says that a declared callback is to be sent.

use serde_json::Value;

/// A callback that the notebook sends.
#[derive(Debug, Clone, PartialEq)]
pub struct Callback {
    pub name: String,
    pub body: Value,
}

/// The callback in an output, if it is one.
#[must_use]
pub fn callback(output: &Value) -> Option<Callback> {
    let name = output.get("metadata")?.get("nbhook")?.get("callback")?.get("name")?.as_str()?;
    let body = output.get("data")?.get("application/json")?;
    Some(Callback { name: name.to_owned(), body: body.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_output_is_a_callback_or_none() {
        let output = |metadata: Value, data: Value| json!({"metadata": {"nbhook": metadata}, "data": data});
        let good = output(json!({"callback": {"name": "paid"}}), json!({"application/json": null, "text/plain": "x"}));
        assert_eq!(callback(&good), Some(Callback { name: "paid".to_owned(), body: Value::Null }));
        for other in [
            json!({}),
            output(json!({}), json!({"application/json": 1})),
            output(json!({"response": {"kind": "json"}}), json!({"application/json": 1})),
            output(json!({"callback": {"name": 7}}), json!({"application/json": 1})),
            output(json!({"callback": {"name": "paid"}}), json!({"text/plain": "1"})),
        ] {
            assert_eq!(callback(&other), None, "{other}");
        }
    }
}
