//! What a run answered, asked for later: the same as whoever waits for it gets.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::app::{TestApp, header, notebook, problem, run_of};
use crate::responses::{answer_with, check_guards};
use crate::tasks::{at, ended, start};

/// Notebooks whose answers differ in everything an answer can differ in.
fn answers() -> Vec<(&'static str, Value, Value)> {
    let one = |call: &str| notebook(&[&answer_with(call)]);
    let bytes = "open('a ü.bin', 'wb').write(bytes(range(256)) * 300)";
    let file = "respond_file('a ü.bin', media_type='application/x-thing', status=203, headers={'X-A': 'b'})";
    vec![
        (
            "json",
            one("respond_json({'a': [1, None, 'ü']}, status=201, headers={'X-Total': '7'})"),
            json!({"inline": true}),
        ),
        ("file", notebook(&[bytes, &answer_with(file)]), json!({})),
        ("html", one("respond_html('<script>alert(1)</script>')"), json!({"inline": true})),
        ("empty", one("respond_text('')"), json!({})),
        ("error", notebook(&["raise ValueError('no ünit')"]), json!({})),
        ("reported", one("respond_error(418, 'tea', failed=False, headers={'X-A': 'b'})"), json!({})),
        ("next", one("respond_text('x')"), json!({"next_url": "https://example.org/thanks?a=b"})),
        ("done", notebook(&["1"]), json!({})),
    ]
}

/// An answer without what differs from run to run: status, headers, body.
async fn essence(response: Response) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let run = run_of(&response);
    let fleeting = ["date", "x-nbhook-run", "etag", "last-modified", "preference-applied"];
    let mut headers: Vec<(String, String)> = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .filter(|(name, _)| !fleeting.contains(&name.as_str()))
        .collect();
    headers.sort();
    let (status, mut body) = (response.status().as_u16(), response.bytes().await.unwrap().to_vec());
    if let Ok(Value::Object(mut object)) = serde_json::from_slice::<Value>(&body)
        && object.get("run").or(object.get("id")) == Some(&json!(run))
    {
        object.insert("run".to_owned(), json!("it"));
        object.shift_remove("id");
        object.shift_remove("time");
        if let Some(error) = object.get_mut("@error") {
            error["@time"].take();
        }
        body = Value::Object(object).to_string().into_bytes();
    }
    (status, headers, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_the_synchronous_answer() {
    let app = TestApp::start().await;
    for (name, notebook, params) in answers() {
        let hook = app.deploy(&format!("{name}.ipynb"), &notebook, params).await;
        let response = app.call(&hook, &[]).await;
        let run = run_of(&response);
        let expected = essence(response).await;
        app.quiet().await;
        let path = format!("/v1/runs/{run}/result");
        problem(app.api(Method::GET, &path).send().await.unwrap(), 404).await; // whoever waited has it

        let task = start(&app, &hook, &[]).await;
        let _ = ended(&app, &task).await;
        let location = format!("/v1/runs/{}/result{}", task.id, task.key());
        for _ in 0..2 {
            let response = at(&app, &location).send().await.unwrap();
            check_guards(&response);
            assert_eq!(run_of(&response), task.id);
            let (status, headers, body) = essence(response).await;
            assert_eq!((status, &headers), (expected.0, &expected.1), "{name}");
            assert!(body == expected.2, "{name}: {:?}", String::from_utf8_lossy(&body));
        }
        if name == "file" {
            let whole = at(&app, &location).send().await.unwrap();
            let tag = header(&whole, "etag").to_owned();
            let part = at(&app, &location).header("range", "bytes=1-3").send().await.unwrap();
            assert_eq!((part.status().as_u16(), header(&part, "etag")), (206, tag.as_str()));
            assert_eq!(part.bytes().await.unwrap().as_ref(), [1, 2, 3]);
            let known = at(&app, &location).header("if-none-match", &tag).send().await.unwrap();
            assert_eq!(known.status(), 304);
        }
    }
    app.quiet().await;
    assert!(app.scratch().is_empty(), "what is kept of an answer is not kept there");
}
