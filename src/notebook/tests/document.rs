//! Reading, asking and patching notebooks.

use chrono::{TimeZone as _, Utc};
use serde_json::{Value, json};

use super::super::CellOutputs;
use super::{Notebook, notebook};

fn minimal() -> Value {
    json!({
        "cells": [
            { "cell_type": "markdown", "id": "a", "metadata": {}, "source": "# x" },
            { "cell_type": "code", "id": "b", "metadata": { "scrolled": "auto" }, "source": ["1\n", "2"], "execution_count": 7,
              "outputs": [{ "output_type": "stream", "name": "stdout", "text": ["x\n"] }] },
        ],
        "metadata": { "kernelspec": { "name": "python3", "language": "Python" }, "x-unknown": [1.5] },
        "nbformat": 4,
        "nbformat_minor": 5,
    })
}

/// The message with which the document is refused after a change.
fn refused(change: impl FnOnce(&mut Value)) -> String {
    let mut value = minimal();
    change(&mut value);
    let error = Notebook::from_value(value).unwrap_err();
    assert_eq!(error.field, "notebook");
    error.message
}

#[test]
fn the_file_survives_reading_and_writing() {
    let file = "{\n \"nbformat\": 4,\n \"x\": 1.10,\n \"nbformat_minor\": 9,\n \"metadata\": {\n  \"n\": 123456789012345678901\n },\n \
                \"cells\": []\n}\n";
    let notebook = Notebook::parse(file.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(notebook.to_vec()).unwrap(), file);
    let with_bom = [b"\xef\xbb\xbf", file.as_bytes()].concat();
    assert_eq!(Notebook::parse(&with_bom).unwrap(), notebook);
}

#[test]
fn files_that_jupyter_takes_are_taken() {
    Notebook::from_value(minimal()).unwrap();
    let mut old = minimal();
    old["nbformat_minor"] = 2.into();
    for cell in old["cells"].as_array_mut().unwrap() {
        cell.as_object_mut().unwrap().shift_remove("id");
    }
    old["cells"][0]["attachments"] = json!({ "a.png": { "image/png": "aGk=" } });
    Notebook::from_value(old).unwrap();
}

#[test]
fn what_is_no_notebook_is_refused_by_place() {
    let message = |bytes: &[u8]| Notebook::parse(bytes).unwrap_err().message;
    assert!(message(b"print(1)").starts_with("the file is not JSON: "));
    assert!(message(b"\xff").starts_with("the file is not JSON: "));
    assert!(message(b"[]").starts_with("nbformat: must be 4 (or 3)"));
    assert!(refused(|nb| nb["nbformat"] = 5.into()).starts_with("nbformat: 5 is not supported"));
    assert_eq!(refused(|nb| nb["nbformat_minor"] = "5".into()), "nbformat_minor: must be a whole number");
    assert_eq!(refused(|nb| nb["metadata"] = Value::Null), "metadata: must be an object");
    assert_eq!(refused(|nb| nb["metadata"]["kernelspec"] = json!({})), "metadata.kernelspec.name: must be a string");
    assert_eq!(refused(|nb| nb["cells"] = json!({})), "cells: must be a list");
    assert_eq!(refused(|nb| nb["cells"][1] = 1.into()), "cells[1]: must be an object");
    assert_eq!(
        refused(|nb| nb["cells"][1]["cell_type"] = "heading".into()),
        "cells[1].cell_type: must be \"code\", \"markdown\" or \"raw\""
    );
    assert_eq!(
        refused(|nb| nb["cells"][0]["source"] = json!(["a", 1])),
        "cells[0].source: must be a string or a list of strings"
    );
    assert_eq!(
        refused(|nb| nb["cells"][0]["metadata"]["tags"] = "parameters".into()),
        "cells[0].metadata.tags: must be a list of strings"
    );
    assert!(refused(|nb| nb["cells"][0]["id"] = "a b".into()).starts_with("cells[0].id: must be"));
    assert_eq!(refused(|nb| nb["cells"][1]["outputs"] = Value::Null), "cells[1].outputs: must be a list");
    assert_eq!(
        refused(|nb| nb["cells"][1]["execution_count"] = json!(1.5)),
        "cells[1].execution_count: must be a whole number or null"
    );
    assert_eq!(
        refused(|nb| nb["cells"][1]["outputs"][0]["name"] = Value::Null),
        "cells[1].outputs[0].name: must be a string"
    );
    assert!(
        refused(|nb| nb["cells"][1]["outputs"][0] = json!({ "output_type": "pyout" }))
            .starts_with("cells[1].outputs[0].output_type: must be")
    );
}

#[test]
fn kernel_and_language_are_found() {
    let mut value = minimal();
    let notebook = Notebook::from_value(value.clone()).unwrap();
    assert_eq!((notebook.kernelspec_name(), notebook.language().as_deref()), (Some("python3"), Some("python")));
    value["metadata"] = json!({ "language_info": { "name": "R" } });
    let notebook = Notebook::from_value(value).unwrap();
    assert_eq!((notebook.kernelspec_name(), notebook.language().as_deref()), (None, Some("r")));
}

#[test]
fn the_cells_nbclient_executes_are_executed() {
    let notebook = notebook(&[
        ("markdown", &[], "1"),
        ("code", &[], "a = 1"),
        ("code", &[], " \n\t\u{1c}\u{a0}"),
        ("code", &["skip-execution"], "b"),
        ("raw", &[], "2"),
        ("code", &["x", "raises-exception"], "1/0"),
    ]);
    let expected = [(1, "a = 1".to_owned(), false), (5, "1/0".to_owned(), true)];
    assert_eq!(notebook.code_cells(), expected);
    assert_eq!(notebook.cell_tags(5), ["x", "raises-exception"]);
    assert_eq!(notebook.cell_tags(99), [""; 0]);
    let minimal = Notebook::from_value(minimal()).unwrap();
    assert_eq!(minimal.code_cells(), [(1, "1\n2".to_owned(), false)]);
    assert_eq!(minimal.cell_source(0).as_deref(), Some("# x"));
}

#[test]
fn outputs_are_stripped_and_recorded() {
    let mut value = minimal();
    value["cells"][1]["metadata"]["execution"] = json!({ "iopub.status.busy": "2020-01-01T00:00:00Z" });
    let mut notebook = Notebook::from_value(value).unwrap();
    notebook.strip_outputs();
    let cell = &notebook.as_value()["cells"][1];
    assert_eq!((&cell["outputs"], &cell["execution_count"]), (&json!([]), &Value::Null));
    assert_eq!(cell["metadata"], json!({ "scrolled": "auto" }));

    let outputs = vec![json!({ "output_type": "stream", "name": "stdout", "text": "y" })];
    let started_at = Utc.timestamp_micros(1_700_000_000_000_001).single();
    let finished_at = Utc.timestamp_micros(1_700_000_001_500_000).single();
    notebook.record(1, CellOutputs { execution_count: Some(3), outputs: outputs.clone(), started_at, finished_at });
    notebook.record(0, CellOutputs { execution_count: Some(4), ..CellOutputs::default() });
    notebook.record(9, CellOutputs::default());
    notebook.set_cell_source(1, "new");
    notebook.set_language_info(json!({ "name": "python", "version": "3" }).as_object().unwrap().clone());
    let cell = &notebook.as_value()["cells"][1];
    assert_eq!((&cell["outputs"], &cell["execution_count"]), (&Value::Array(outputs), &json!(3)));
    assert_eq!(
        cell["metadata"]["execution"],
        json!({
            "iopub.status.busy": "2023-11-14T22:13:20.000001Z",
            "iopub.execute_input": "2023-11-14T22:13:20.000001Z",
            "iopub.status.idle": "2023-11-14T22:13:21.500000Z",
            "shell.execute_reply": "2023-11-14T22:13:21.500000Z",
        })
    );
    assert_eq!(cell["source"], "new");
    assert!(notebook.as_value()["cells"][0].get("execution_count").is_none());
    assert_eq!(notebook.as_value()["metadata"]["language_info"]["version"], "3");
    Notebook::parse(&notebook.to_vec()).unwrap();
}

/// The nbformat crate is an independent, strict reader: what we write, others can read.
#[test]
fn what_is_written_reads_elsewhere() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/notebooks");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "ipynb") {
            continue;
        }
        let mut notebook = Notebook::parse(&std::fs::read(&path).unwrap()).unwrap();
        let (index, ..) = notebook.code_cells()[0];
        let outputs = vec![json!({ "output_type": "stream", "name": "stdout", "text": "hello\n" })];
        let now = Some(Utc.with_ymd_and_hms(2025, 1, 2, 3, 4, 5).unwrap());
        notebook.record(index, CellOutputs { execution_count: Some(1), outputs, started_at: now, finished_at: now });
        let written = String::from_utf8(notebook.to_vec()).unwrap();
        let parsed = nbformat::parse_notebook(&written).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(matches!(parsed, nbformat::Notebook::V4(_)), "{}", path.display());
        read += 1;
    }
    assert!(read >= 20, "only {read} fixtures");
}
