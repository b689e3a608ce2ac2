//! The parameters of a notebook as a table. Pure.

use serde_json::Value;

use super::table::Table;
use crate::model::{Contract, Parameter, describe};

/// A row for each parameter; nothing when there are none.
pub(super) fn table(contract: &Contract) -> Option<Table> {
    let mut table = Table::new(&["PARAMETER", "TYPE", "DEFAULT", "DESCRIPTION"]);
    let mut parameters = contract.parameters().peekable();
    parameters.peek()?;
    for parameter in parameters {
        let description = parameter.schema["description"].as_str().unwrap_or_default().to_owned();
        table.row(vec![parameter.name.to_owned(), describe(parameter.schema), default(&parameter), description]);
    }
    Some(table)
}

/// What the notebook takes where nothing is passed, if that can be known without running it.
fn default(parameter: &Parameter<'_>) -> String {
    match parameter.schema.get("default") {
        _ if parameter.required => "(required)".to_owned(),
        Some(value) => Value::to_string(value),
        None => "(computed)".to_owned(),
    }
}
