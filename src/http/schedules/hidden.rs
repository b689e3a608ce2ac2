//! Parameters of a schedule that its hook calls sensitive: they are not shown, and what stands in their place means that they stay.

use serde_json::{Map, Value};

use crate::model::Invalid;

/// What is shown of them.
const SHOWN: &str = "***";

/// The names whose values are hidden, whatever their case, at any depth.
pub(super) struct Hidden {
    names: Vec<String>,
    /// All of them are.
    all: bool,
}

impl Hidden {
    pub(super) fn new(names: &[String]) -> Self {
        let names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
        Self { all: names.iter().any(|name| name == "body"), names }
    }

    fn hides(&self, name: &str) -> bool {
        self.all || self.names.contains(&name.to_lowercase())
    }

    /// Puts something else in their place.
    pub(super) fn hide(&self, params: &mut Map<String, Value>) {
        for (name, value) in params {
            if self.hides(name) {
                *value = SHOWN.into();
            } else {
                self.hide_within(value);
            }
        }
    }

    fn hide_within(&self, value: &mut Value) {
        match value {
            Value::Object(params) => self.hide(params),
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_within(item)),
            _ => {}
        }
    }

    /// Puts back what was hidden, from what there was `before`.
    ///
    /// # Errors
    /// When there was nothing: then it was not read, and nobody wants the value `***` for a password.
    pub(super) fn keep(
        &self,
        params: &mut Map<String, Value>,
        before: Option<&Map<String, Value>>,
    ) -> Result<(), Invalid> {
        for (name, value) in params {
            let stored = before.and_then(|before| before.get(name));
            if !self.hides(name) {
                self.keep_within(value, stored)?;
            } else if value == SHOWN {
                *value = stored.cloned().ok_or_else(|| {
                    let message = format!(
                        "`{}` is `{SHOWN}`, which stands for the value that is kept, and none is",
                        name.escape_debug()
                    );
                    Invalid::new("params", message)
                })?;
            }
        }
        Ok(())
    }

    fn keep_within(&self, value: &mut Value, before: Option<&Value>) -> Result<(), Invalid> {
        match value {
            Value::Object(params) => self.keep(params, before.and_then(Value::as_object)),
            Value::Array(items) => {
                let before = before.and_then(Value::as_array);
                let of = |index: usize| before.and_then(|before| before.get(index));
                items.iter_mut().enumerate().try_for_each(|(index, item)| self.keep_within(item, of(index)))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn what_was_shown_and_is_sent_back_stays_as_it_was() {
        let hidden = Hidden::new(&["Pin".to_owned()]);
        let stored =
            object(&json!({"PIN": 1, "a": [{"pin": [2]}, {"pin": "x"}], "b": "***", "c": {"d": {"pin": null}}}));
        let mut shown = stored.clone();
        hidden.hide(&mut shown);
        let expected =
            json!({"PIN": "***", "a": [{"pin": "***"}, {"pin": "***"}], "b": "***", "c": {"d": {"pin": "***"}}});
        assert_eq!(json!(shown), expected);
        hidden.keep(&mut shown, Some(&stored)).unwrap();
        assert_eq!(shown, stored);
        let mut new = object(&json!({"PIN": "new", "a": [{"pin": "***"}]}));
        hidden.keep(&mut new, Some(&stored)).unwrap();
        assert_eq!(json!(new), json!({"PIN": "new", "a": [{"pin": [2]}]}));
        for unknown in [json!({"pin": "***"}), json!({"a": [{}, {}, {"pin": "***"}]})] {
            let error = hidden.keep(&mut object(&unknown), Some(&stored)).unwrap_err();
            assert_eq!(error.field, "params");
        }
        assert!(hidden.keep(&mut object(&json!({"pin": "***"})), None).is_err());
        let all = Hidden::new(&["body".to_owned()]);
        let mut shown = object(&json!({"region": {"a": 1}}));
        all.hide(&mut shown);
        assert_eq!(json!(shown), json!({"region": "***"}));
    }
}
