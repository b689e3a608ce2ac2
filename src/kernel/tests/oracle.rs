//! nbclient as the oracle: the same notebook through both, compared cell by cell.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::support::{Notebook, executor, test_python};
use super::*;
use crate::kernel::process::{command, run_to_end};

/// What nbclient makes of a notebook.
async fn nbclient(notebook: &Value) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/nbclient_oracle.py");
    let dir = tempfile::tempdir().unwrap();
    let python = command(test_python()).args([script]).current_dir(dir.path());
    let output = run_to_end(python, notebook.to_string().as_bytes(), Duration::from_mins(3), 256 << 20).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What we make of it, in the same form.
async fn ours(notebook: &Value) -> Value {
    let mut job = Notebook::new(&[]);
    job.job.cells = code_cells(notebook);
    let execution = executor().complete(job.job).await.unwrap();
    let outcome = match execution.outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::CellError { .. } => "error",
        Outcome::KernelDied { .. } => "died",
        other => panic!("{other:?}"),
    };
    let cells = execution
        .cells
        .into_iter()
        .map(|cell| json!({"index": cell.index, "execution_count": cell.execution_count, "outputs": cell.outputs}));
    json!({"cells": cells.collect::<Value>(), "widgets": execution.widgets, "outcome": outcome})
}

fn code_cells(notebook: &Value) -> Vec<CodeCell> {
    let tagged =
        |cell: &Value, tag: &str| cell["metadata"]["tags"].as_array().is_some_and(|tags| tags.contains(&json!(tag)));
    let cells = notebook["cells"].as_array().unwrap().iter().enumerate();
    cells
        .filter(|(_, cell)| cell["cell_type"] == "code" && !tagged(cell, "skip-execution"))
        .map(|(index, cell)| CodeCell {
            index,
            source: text(&cell["source"]),
            raises_exception: tagged(cell, "raises-exception"),
        })
        .collect()
}

fn text(source: &Value) -> String {
    match source {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().unwrap().to_owned(),
    }
}

/// Joins adjacent outputs of the same stream: where the kernel cuts them depends on its flush timer.
fn joined(mut result: Value) -> Value {
    for cell in result["cells"].as_array_mut().unwrap() {
        let mut outputs: Vec<Value> = Vec::new();
        for output in cell["outputs"].as_array_mut().unwrap().drain(..) {
            match outputs.last_mut().filter(|last| last["name"].is_string() && last["name"] == output["name"]) {
                Some(last) => last["text"] = json!(text(&last["text"]) + output["text"].as_str().unwrap()),
                None => outputs.push(output),
            }
        }
        cell["outputs"] = Value::Array(outputs);
    }
    result
}

async fn compare(name: &str, notebook: &Value) -> Vec<String> {
    let (expected, actual) = tokio::join!(nbclient(notebook), ours(notebook));
    let (expected, actual) = (joined(expected), joined(actual));
    let mut differences = Vec::new();
    for field in ["outcome", "widgets"] {
        if expected[field] != actual[field] {
            differences.push(format!("{name}: {field}: nbclient {}, ours {}", expected[field], actual[field]));
        }
    }
    let cells = |result: &Value| result["cells"].as_array().unwrap().clone();
    let (expected, actual) = (cells(&expected), cells(&actual));
    if expected.len() != actual.len() {
        differences.push(format!("{name}: nbclient ran {} cells, we {}", expected.len(), actual.len()));
    }
    for (expected, actual) in expected.iter().zip(&actual).filter(|(expected, actual)| expected != actual) {
        differences.push(format!("{name}: nbclient\n{expected:.2000}\nours\n{actual:.2000}"));
    }
    differences
}

#[tokio::test(flavor = "multi_thread")]
async fn notebooks_end_as_with_nbclient() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/notebooks/outputs");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 12, "too few notebooks in {}", folder.display());
    let mut differences = Vec::new();
    for file in files {
        let notebook: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        differences.extend(compare(&file.file_name().unwrap().to_string_lossy(), &notebook).await);
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn widgets_end_as_with_nbclient() {
    let cells = [
        "from comm import create_comm\n\
         def widget(id, name, module, buffers=None, **state):\n\
         \x20   state = {'_model_name': name, '_model_module': module, '_model_module_version': '2', **state}\n\
         \x20   data = {'state': state, 'buffer_paths': [['pixels']] if buffers else []}\n\
         \x20   return create_comm(target_name='jupyter.widget', comm_id=id, data=data, buffers=buffers)\n\
         slider = widget('a' * 32, 'IntSliderModel', '@jupyter-widgets/controls', value=1)\n\
         image = widget('b' * 32, 'ImageModel', '@jupyter-widgets/controls', [b'\\x00\\xff'], width=2)\n\
         output = widget('c' * 32, 'OutputModel', '@jupyter-widgets/output', outputs=[], msg_id='')\n\
         def update(comm, **state):\n\
         \x20   comm.send({'method': 'update', 'state': state, 'buffer_paths': []})",
        "for value in range(5): update(slider, value=value)\nprint('moved')",
        "parent = get_ipython().kernel.get_parent()['header']['msg_id']\n\
         print('before', flush=True)\n\
         update(output, msg_id=parent)\n\
         print('captured', flush=True); print('too', flush=True); display('shown')\n\
         update(output, msg_id='')\n\
         print('after', flush=True)",
        "from IPython.display import clear_output\n\
         update(output, msg_id=get_ipython().kernel.get_parent()['header']['msg_id'])\n\
         clear_output(wait=True); print('replaced', flush=True)\n\
         update(output, msg_id='')\n\
         'a result'",
        "image.close()",
    ];
    let cells = cells.map(|source| {
        json!({"cell_type": "code", "id": uuid::Uuid::new_v4(), "metadata": {}, "outputs": [],
                                          "execution_count": null, "source": source})
    });
    let notebook = json!({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5});
    let differences = compare("widgets", &notebook).await;
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}
