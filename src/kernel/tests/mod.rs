//! The spawn executor with real kernels.

mod support;

use super::*;
use support::{Notebook, run};

#[tokio::test]
async fn runs_cells_in_order() {
    let execution = run(Notebook::new(&["x = 20", "print('hello')", "  ", "x + 1"])).await;
    assert_eq!(execution.outcome, Outcome::Succeeded);
    let counts: Vec<_> = execution.cells.iter().map(|cell| (cell.index, cell.execution_count)).collect();
    assert_eq!(counts, [(0, Some(1)), (1, Some(2)), (3, Some(3))]);
    assert_eq!(execution.cells[1].outputs[0]["text"], "hello\n");
    assert_eq!(execution.cells[2].outputs[0]["data"]["text/plain"], "21");
    assert_eq!(execution.language_info.unwrap()["name"], "python");
}
