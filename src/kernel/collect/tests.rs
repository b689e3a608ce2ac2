use super::*;

/// A message of the current cell, as recorded from a kernel.
fn message(kind: &str, content: Value) -> Message {
    Message {
        kind: kind.to_owned(),
        parent: Some("cell".to_owned()),
        parent_header: json!({"msg_id": "cell"}),
        content,
        buffers: Vec::new(),
    }
}

fn collect(cells: &[&[(&str, Value)]]) -> Vec<CellOutputs> {
    let mut collector = Collector::default();
    for cell in cells {
        collector.begin_cell();
        for (kind, content) in *cell {
            assert_eq!(collector.message(message(kind, content.clone())), None);
        }
    }
    collector.finish().0
}

fn outputs(messages: &[(&str, Value)]) -> Vec<Value> {
    collect(&[messages]).remove(0).outputs
}

fn stream(text: &str) -> (&'static str, Value) {
    ("stream", json!({"name": "stdout", "text": text}))
}

fn display(kind: &'static str, id: &str, text: &str) -> (&'static str, Value) {
    (kind, json!({"data": {"text/plain": text}, "metadata": {"m": text}, "transient": {"display_id": id}}))
}

fn shown(text: &str) -> Value {
    json!({"data": {"text/plain": text}, "metadata": {"m": text}, "output_type": "display_data"})
}

fn printed(text: &str) -> Value {
    json!({"name": "stdout", "output_type": "stream", "text": text})
}

#[test]
fn each_kind_of_output_is_saved_as_nbformat_has_it() {
    let error = json!({"ename": "E", "evalue": "v", "traceback": ["t"], "extra": 1});
    let result = json!({"data": {"a": 1, "b": [1]}, "metadata": {}, "execution_count": 7, "transient": {"x": 1}});
    let saved = outputs(&[
        ("status", json!({"execution_state": "busy"})),
        ("execute_input", json!({"code": "x", "execution_count": 7})),
        stream("one"),
        stream("two"),
        ("execute_result", result),
        ("error", error),
        ("display_data", json!({"data": {}, "metadata": {}, "transient": null})),
        ("unheard_of", json!({"data": 1})),
    ]);
    let texts: Vec<String> = saved.iter().map(Value::to_string).collect();
    assert_eq!(
        texts,
        [
            r#"{"name":"stdout","output_type":"stream","text":"one"}"#,
            r#"{"name":"stdout","output_type":"stream","text":"two"}"#,
            r#"{"data":{"a":1,"b":[1]},"execution_count":7,"metadata":{},"output_type":"execute_result"}"#,
            r#"{"ename":"E","evalue":"v","output_type":"error","traceback":["t"]}"#,
            r#"{"data":{},"metadata":{},"output_type":"display_data"}"#,
        ]
    );
}

#[test]
fn the_count_is_the_kernels_until_the_cell_is_over() {
    let mut collector = Collector::default();
    for _ in 0..2 {
        collector.begin_cell();
        collector.message(message("execute_input", json!({"execution_count": 40})));
    }
    collector.end_cell();
    let counts: Vec<_> = collector.finish().0.iter().map(|cell| cell.execution_count).collect();
    assert_eq!(counts, [Some(40), Some(2)]);
}

#[test]
fn clear_output_clears_now_or_with_the_next_output() {
    let clear = |wait: bool| ("clear_output", json!({"wait": wait}));
    assert_eq!(outputs(&[stream("a"), clear(false), stream("b")]), [printed("b")]);
    assert_eq!(outputs(&[stream("a"), clear(true)]), [printed("a")]);
    assert_eq!(outputs(&[stream("a"), clear(true), stream("b"), stream("c")]), [printed("b"), printed("c")]);
    // A wait ends with its cell.
    let cells = collect(&[&[stream("a"), clear(true)], &[stream("b"), stream("c")]]);
    assert_eq!([cells[0].outputs.len(), cells[1].outputs.len()], [1, 2]);
}

#[test]
fn displays_are_updated_wherever_they_stand() {
    let cells = collect(&[
        &[display("display_data", "d", "1"), stream("x")],
        &[display("display_data", "other", "o"), display("display_data", "d", "2")],
        &[display("update_display_data", "d", "3"), display("update_display_data", "unknown", "4")],
    ]);
    assert_eq!(cells[0].outputs, [shown("3"), printed("x")]);
    assert_eq!(cells[1].outputs, [shown("o"), shown("3")]);
    assert!(cells[2].outputs.is_empty());
}

#[test]
fn a_cleared_display_is_not_updated_any_more() {
    let clear = ("clear_output", json!({"wait": false}));
    let saved = outputs(&[
        display("display_data", "d", "1"),
        clear,
        stream("in its place"),
        display("update_display_data", "d", "2"),
    ]);
    assert_eq!(saved, [printed("in its place")]);
}
