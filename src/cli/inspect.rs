//! `nbhook inspect`: what a notebook takes, without a server.

use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::contract;
use super::error::CliError;
use crate::app::inspect_notebook;

/// Show the parameters of a notebook that is not deployed
///
/// Reads its `parameters` cell with a Python interpreter, which runs nothing of it.
#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// Notebook (.ipynb)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Python interpreter to read it with
    #[arg(long, value_name = "PATH", default_value = "python3")]
    python: PathBuf,
    /// Print the contract as JSON Schema
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let bytes = tokio::fs::read(&self.file).await.map_err(|error| CliError::file(&self.file, error))?;
        // The interpreter is started in another folder; a bare name is looked for on PATH.
        let python = match self.python.components().count() {
            0 | 1 => self.python,
            _ => std::path::absolute(&self.python).map_err(|error| CliError::file(&self.python, error))?,
        };
        let read = inspect_notebook(&bytes, &python).await;
        let contract = read.map_err(|why| CliError::Failed(why).about(self.file.display().to_string()))?;
        if self.json {
            return ctx.json(contract.schema());
        }
        if let Some(table) = contract::table(&contract) {
            return ctx.table(&table);
        }
        ctx.note("it has no parameters: tag the cell that sets them `parameters`");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::cli::testing::TestServer;

    fn notebook(source: &str, tags: &Value) -> Vec<u8> {
        let cell = json!({"cell_type": "code", "metadata": {"tags": tags}, "source": source, "outputs": [], "execution_count": null});
        json!({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}).to_string().into_bytes()
    }

    #[tokio::test]
    async fn the_parameters_are_shown_as_a_table_and_as_a_schema() {
        let server = TestServer::start().await;
        let python = crate::testing::python();
        let python = python.to_str().unwrap();
        let source = "region: str  # Where\nn = 5\nat = open('/tmp/nbhook-was-run', 'w')";
        let file = server.write("a.ipynb", &notebook(source, &json!(["parameters"])));
        let ran = server.run(&["inspect", &file, "--python", python]).await;
        let table = "PARAMETER\tTYPE\tDEFAULT\tDESCRIPTION\nregion\tstring\t(required)\tWhere\nn\tinteger\t5\t\nat\tanything\t(computed)\t\n";
        assert_eq!((ran.code, ran.out.as_str()), (0, table), "{}", ran.err);
        let ran = server.run(&["inspect", &file, "--python", python, "--json"]).await;
        let schema: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!((&schema["required"], &schema["properties"]["n"]["default"]), (&json!(["region"]), &json!(5)));
        let file = server.write("none.ipynb", &notebook("n = 5", &json!([])));
        let ran = server.run(&["inspect", &file, "--python", python]).await;
        assert_eq!((ran.code, ran.out.as_str()), (0, ""));
        assert!(ran.err.starts_with("it has no parameters"), "{}", ran.err);
        assert!(!std::path::Path::new("/tmp/nbhook-was-run").exists());
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_said() {
        let server = TestServer::start().await;
        let python = crate::testing::python();
        let bad = server.write("bad.ipynb", &notebook("x = (", &json!(["parameters"])));
        let good = server.write("good.ipynb", &notebook("x = 1", &json!(["parameters"])));
        let text = server.write("text.ipynb", b"text");
        for (file, python, said) in [
            (&bad, python.to_str().unwrap(), "line 1"),
            (&text, python.to_str().unwrap(), "not JSON"),
            (&good, "/nonexistent/python", "no Python interpreter"),
            (&server.path("gone.ipynb"), "python3", "No such file"),
        ] {
            let ran = server.run(&["inspect", file, "--python", python]).await;
            assert_eq!((ran.code, ran.out.as_str()), (1, ""));
            assert!(ran.err.contains(said) && ran.err.starts_with("failed to inspect the notebook"), "{}", ran.err);
        }
    }
}
