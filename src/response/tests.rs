use super::*;
use serde_json::json;

fn cells_of(outputs: &[Value]) -> Result<Answer, BadResponse> {
    answer(&[Cell { tags: vec![], outputs }], &Accept::default())
}

#[expect(clippy::needless_pass_by_value, reason = "called with json!(…)")]
fn marked(response: Value, data: Value) -> Value {
    json!({"output_type": "display_data", "data": data, "metadata": {"nbhook": {"response": response}}})
}

fn bytes_of(answer: &Answer) -> (&str, &[u8]) {
    match &answer.content {
        Content::Bytes { media_type, body } => (media_type, body),
        other => panic!("not bytes: {other:?}"),
    }
}

#[test]
fn nothing_marked_is_done() {
    let stream = json!({"output_type": "stream", "name": "stdout", "text": "hello"});
    assert_eq!(cells_of(&[stream]).unwrap().content, Content::Done);
}

#[test]
fn the_first_marked_output_wins_and_the_second_is_a_warning() {
    let text = |text: &str| marked(json!({"kind": "text"}), json!({"text/plain": text}));
    let answer = cells_of(&[text("one"), text("two")]).unwrap();
    assert_eq!(bytes_of(&answer), ("text/plain; charset=utf-8", b"one".as_slice()));
    assert_eq!(answer.warnings.len(), 1);
}

#[test]
fn falsy_json_is_an_answer() {
    for (value, expected) in [(json!({}), "{}"), (json!([]), "[]"), (json!(null), "null"), (json!(0), "0")] {
        let answer = cells_of(&[marked(json!({"kind": "json"}), json!({"application/json": value}))]).unwrap();
        assert_eq!(bytes_of(&answer), ("application/json", expected.as_bytes()));
    }
}

#[test]
fn images_are_decoded_to_the_byte() {
    let data = json!({"image/gif": ["R0lG\n", "ODlh\n"], "text/plain": "<Image>"});
    let answer = cells_of(&[marked(json!({"kind": "image"}), data)]).unwrap();
    assert_eq!(bytes_of(&answer), ("image/gif", b"GIF89a".as_slice()));
}

#[test]
fn status_and_headers_are_the_notebooks_within_limits() {
    let response = json!({"kind": "text", "status": 201, "headers": {"X-Total": 7, "Set-Cookie": "a=b",
        "Content-Security-Policy": "none", "Transfer-Encoding": "x"}});
    let answer = cells_of(&[marked(response, json!({"text/plain": ""}))]).unwrap();
    assert_eq!(answer.status, 201);
    assert_eq!(answer.headers, [("X-Total".to_owned(), "7".to_owned())]);
    assert_eq!(answer.warnings.len(), 3);
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let plain = json!({"text/plain": "x"});
    for response in [
        json!({"kind": "text", "status": 100}),
        json!({"kind": "text", "status": 600}),
        json!({"kind": "text", "status": "200"}),
        json!({"kind": "text", "headers": {"X-A": "b\r\nX-C: d"}}),
        json!({"kind": "text", "headers": {"X A": "b"}}),
        json!({"kind": "html"}),
        json!({"kind": "image"}),
        json!({"kind": "file", "path": "relative.txt"}),
        json!({"kind": "poem"}),
        json!({}),
    ] {
        assert!(cells_of(&[marked(response.clone(), plain.clone())]).is_err(), "{response}");
    }
}

#[test]
fn an_early_response_is_answered_with_as_soon_as_it_is_there() {
    let text =
        |early: Value| marked(json!({"kind": "text", "status": 202, "early": early}), json!({"text/plain": "x"}));
    let answer = early(&text(json!(true)), &Accept::default()).unwrap().unwrap();
    assert_eq!((bytes_of(&answer).1, answer.status, answer.early), (b"x".as_slice(), 202, true));
    assert!(cells_of(&[text(json!(true))]).unwrap().early, "and it still is the answer when the run has ended");
    let plain = marked(json!({"kind": "text"}), json!({"text/plain": "x"}));
    let whole = marked(json!({"kind": "notebook", "early": true}), json!({"text/plain": ""}));
    let naas = json!({"data": {"text/html": "x"}, "metadata": {"text/html": {"naas_api": true}, "early": true}});
    for output in [text(json!(false)), text(json!(1)), text(json!(null)), plain, whole, naas] {
        assert!(early(&output, &Accept::default()).is_none(), "{output}");
        assert!(is_marked(&output), "{output}");
        assert!(!cells_of(&[output]).unwrap().early);
    }
    let stream = json!({"output_type": "stream", "name": "stdout", "text": "hello"});
    let unmarked = json!({"data": {"text/plain": "x"}, "metadata": {"early": true, "nbhook": {"early": true}}});
    for output in [stream, unmarked] {
        assert!(early(&output, &Accept::default()).is_none() && !is_marked(&output), "{output}");
    }
    let bad = marked(json!({"kind": "html", "early": true}), json!({"text/plain": "x"}));
    assert!(early(&bad, &Accept::default()).unwrap().is_err(), "what cannot be sent is known at once, too");
}

#[test]
fn markdown_becomes_sanitised_html_for_a_browser() {
    let outputs =
        [marked(json!({"kind": "markdown"}), json!({"text/markdown": "# Hi<br />\n<script>alert(1)</script>"}))];
    let cells = [Cell { tags: vec![], outputs: &outputs }];
    let raw = answer(&cells, &Accept::default()).unwrap();
    assert_eq!(bytes_of(&raw).0, "text/markdown; charset=utf-8");
    let html = answer(&cells, &Accept::parse("text/html,*/*;q=0.8")).unwrap();
    let (media_type, body) = bytes_of(&html);
    let body = std::str::from_utf8(body).unwrap();
    assert_eq!(media_type, "text/html; charset=utf-8");
    assert!(body.contains("<h1>Hi<br></h1>") && !body.contains("script"), "{body}");
}

#[test]
fn a_notebook_is_html_unless_asked_otherwise() {
    let outputs = |response: Value| [marked(response, json!({"text/plain": ""}))];
    let ask = |response: Value, accept: &str| {
        answer(&[Cell { tags: vec![], outputs: &outputs(response) }], &Accept::parse(accept)).unwrap().content
    };
    assert_eq!(ask(json!({"kind": "notebook"}), "*/*"), Content::NotebookHtml);
    assert_eq!(ask(json!({"kind": "notebook"}), "application/x-ipynb+json"), Content::NotebookJson);
    assert_eq!(ask(json!({"kind": "notebook", "format": "ipynb"}), "text/html"), Content::NotebookJson);
    assert_eq!(ask(json!({"kind": "notebook", "format": "html"}), "application/json"), Content::NotebookHtml);
}

#[test]
fn a_tagged_cell_answers_with_its_last_output_in_the_richest_accepted_type() {
    let rich = [
        json!({"output_type": "stream", "name": "stdout", "text": "first"}),
        json!({"output_type": "execute_result", "data": {"text/plain": "p", "text/html": "<b>h</b>", "application/json": 1}}),
    ];
    let ask = |outputs: &[Value], accept: &str| {
        let answer = answer(&[Cell { tags: vec!["response"], outputs }], &Accept::parse(accept)).unwrap();
        bytes_of(&answer).0.to_owned()
    };
    assert_eq!(ask(&rich, ""), "text/html; charset=utf-8");
    assert_eq!(ask(&rich, "application/json, text/html;q=0.5"), "application/json");
    assert_eq!(ask(&rich[..1], ""), "text/plain; charset=utf-8");
}

#[test]
fn a_tagged_cell_answers_with_a_text_in_pieces_as_a_whole() {
    let piece = |name: &str, text: Value| json!({"output_type": "stream", "name": name, "text": text});
    let outputs = [
        piece("stdout", json!("not this: ")),
        piece("stderr", json!("careful")),
        piece("stdout", json!("1: hello\n")),
        piece("stdout", json!(["2: hello\n", "3"])),
    ];
    let answer = answer(&[Cell { tags: vec!["response"], outputs: &outputs }], &Accept::parse("")).unwrap();
    assert_eq!(bytes_of(&answer).1, "1: hello\n2: hello\n3".as_bytes());
}

#[test]
fn a_marked_output_wins_over_a_tagged_cell() {
    let tagged = [json!({"output_type": "stream", "name": "stdout", "text": "tagged"})];
    let explicit = [marked(json!({"kind": "text"}), json!({"text/plain": "marked"}))];
    let cells = [Cell { tags: vec!["response"], outputs: &tagged }, Cell { tags: vec![], outputs: &explicit }];
    assert_eq!(bytes_of(&answer(&cells, &Accept::default()).unwrap()).1, b"marked");
}

#[test]
fn naas_marking_is_understood_at_the_top_and_under_the_mime_key() {
    let output =
        |data: Value, metadata: Value| json!({"output_type": "display_data", "data": data, "metadata": metadata});
    let under = |mime: &str, naas_type: Value| {
        let mut marking = json!({"naas_api": true});
        if !naas_type.is_null() {
            marking["naas_type"] = naas_type;
        }
        json!({ mime: marking })
    };
    let html = json!({"text/html": "a < b", "text/plain": "<IPython.core.display.HTML object>"});
    for (data, metadata, media_type, body) in [
        (html.clone(), under("text/html", json!(null)), "text/html; charset=utf-8", "a < b"),
        (html.clone(), json!({"naas_api": true}), "text/html; charset=utf-8", "a < b"),
        (html.clone(), under("text/html", json!("text")), "text/plain; charset=utf-8", "a < b"),
        (
            json!({"application/json": {"path": "/x"}}),
            under("application/json", json!(null)),
            "application/json",
            "{\"path\":\"/x\"}",
        ),
        (json!({"image/png": "UE5H"}), under("image/png", json!(null)), "image/png", "PNG"),
    ] {
        let answer = cells_of(&[output(data, metadata)]).unwrap();
        assert_eq!(bytes_of(&answer), (media_type, body.as_bytes()));
    }
    let file = output(
        json!({"application/json": {"path": "/tmp/a.bin"}}),
        json!({"application/json": {"naas_api": true, "naas_type": null}}),
    );
    let expected = Content::File { path: "/tmp/a.bin".into(), name: None, media_type: None };
    assert_eq!(cells_of(&[file]).unwrap().content, expected);
    let notebook =
        output(json!({"text/markdown": "Response Set as Notebook !"}), under("text/markdown", json!("notebook")));
    assert_eq!(cells_of(&[notebook]).unwrap().content, Content::NotebookHtml);
    let unmarked = output(json!({"text/html": "x"}), json!({"text/html": {"naas_api": false}}));
    assert_eq!(cells_of(&[unmarked]).unwrap().content, Content::Done);
}
