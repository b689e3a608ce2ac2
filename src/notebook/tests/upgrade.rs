//! nbformat 3, held against what Python's nbformat 5.11 makes of the same file.
//!
//! `v3-upgraded.ipynb` is `nbformat.reads(v3, as_version=4)`, which `nbformat.validate` accepted, with its random cell ids
//! replaced by `cell-0`, `cell-1`, …

use serde_json::{Value, json};

use super::Notebook;

const V3: &[u8] = include_bytes!("v3.ipynb");
const UPGRADED: &[u8] = include_bytes!("v3-upgraded.ipynb");

#[test]
fn gives_what_pythons_nbformat_gives() {
    let mut ours = Notebook::parse(V3).unwrap().as_value().clone();
    let theirs: Value = serde_json::from_slice(UPGRADED).unwrap();
    assert_eq!(ours["metadata"]["language_info"], json!({ "name": "python" }));
    ours["metadata"].as_object_mut().unwrap().shift_remove("language_info");
    assert_eq!(ours, theirs);
}

#[test]
fn the_upgraded_notebook_has_its_language() {
    assert_eq!(Notebook::parse(V3).unwrap().language().as_deref(), Some("python"));
}

#[test]
fn a_kernelspec_wins_over_the_language_of_the_cells() {
    let mut v3: Value = serde_json::from_slice(V3).unwrap();
    v3["metadata"]["kernelspec"] = json!({ "name": "ir", "display_name": "R", "language": "R" });
    let notebook = Notebook::from_value(v3).unwrap();
    assert_eq!(notebook.language().as_deref(), Some("r"));
    assert!(notebook.as_value()["metadata"].get("language_info").is_none());
}

#[test]
fn what_is_no_nbformat_3_is_refused_by_place() {
    let refused = |change: fn(&mut Value)| {
        let mut v3: Value = serde_json::from_slice(V3).unwrap();
        change(&mut v3);
        Notebook::from_value(v3).unwrap_err().to_string()
    };
    let message = refused(|v3| v3["worksheets"] = json!({}));
    assert_eq!(message, "notebook: worksheets: must be a list");
    let message = refused(|v3| v3["worksheets"][1]["cells"][0]["cell_type"] = "sheet".into());
    assert!(message.starts_with("notebook: worksheets[1].cells[0].cell_type: must be"), "{message}");
    let message = refused(|v3| v3["worksheets"][0]["cells"][5]["outputs"][1]["output_type"] = "stdin".into());
    assert!(message.starts_with("notebook: worksheets[0].cells[5].outputs[1].output_type: must be"), "{message}");
}

#[test]
fn a_prompt_number_that_is_none_becomes_null() {
    let mut v3: Value = serde_json::from_slice(V3).unwrap();
    v3["worksheets"][0]["cells"][5]["prompt_number"] = "*".into();
    assert_eq!(Notebook::from_value(v3).unwrap().as_value()["cells"][5]["execution_count"], Value::Null);
}
