//! What a caller passes, by every channel, and what the notebook gets of it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, form, notebook, ok, problem, url};

/// Answers with the `repr` of everything that was passed.
pub(crate) fn echo() -> Value {
    let answer = "from nbhook import webhook\n\
        mine = before | {'webhook', 'params', 'body', 'headers'}\n\
        named = {k: repr(v) for k, v in globals().items() if k not in mine and k != 'mine' and not k.startswith('_')}\n\
        webhook.respond_json({'params': repr(params), 'body': repr(body), 'named': named})";
    let mut echo = notebook(&["before = set(globals()) | {'before'}", answer]);
    echo["cells"][0]["metadata"]["tags"] = json!(["parameters"]);
    echo
}

/// Method, query, media type, body.
type Passed<'a> = (Method, &'a str, &'a str, &'a [u8]);

async fn pass(app: &TestApp, hook: &Value, (method, query, media_type, body): Passed<'_>) -> reqwest::Response {
    let mut request = app.http.request(method, format!("{}?{query}", url(hook)));
    if !media_type.is_empty() {
        request = request.header("content-type", media_type);
    }
    request.body(body.to_vec()).send().await.unwrap()
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test(flavor = "multi_thread")]
async fn every_channel_brings_its_values_with_their_types() {
    let app = TestApp::start().await;
    let hook = app.deploy("echo.ipynb", &echo(), json!({})).await;
    let (none, empty) = ("None", "{}");
    let get = |query| (Method::GET, query, "", b"".as_slice());
    let numbers: &str = "{'i': 123456789012345678901234567890, 'f': inf, 'g': -inf, 't': 0.0, 'h': 0.1, 'z': -0.0, 'e': 100.0, 'n': -7}";
    let nested =
        "{'a': {'b': [{'c': [None, True, False, '']}, [], {}]}, 's': 'it\\'s \"q\"\\n\\\\ \\x00 \\u2028 🐍 {0} %s $x'}";
    let cases: Vec<(Passed<'_>, &str, &str, Value)> = vec![
        (
            get("a=1&a=2&b=&c&d=%C3%BC+%2B%20%F0%9F%90%8D&a=3"),
            "{'a': ['1', '2', '3'], 'b': '', 'c': '', 'd': 'ü + 🐍'}",
            none,
            json!({"a": "['1', '2', '3']", "b": "''", "c": "''", "d": "'ü + 🐍'"}),
        ),
        (get("x=%ff%00&&=y&%zz=1"), "{'x': '\u{fffd}\\x00', '': 'y', '%zz': '1'}", none, json!({"x": "'\u{fffd}\\x00'"})),
        (
            (Method::POST, "", FORM, b"a=1&b=%26%3D+&a=2&__builtins__=0"),
            empty,
            "{'a': ['1', '2'], 'b': '&= ', '__builtins__': '0'}",
            json!({"a": "['1', '2']", "b": "'&= '"}),
        ),
        (
            (Method::PUT, "a=0&z=9", "application/JSON; charset=ISO-8859-1", b" {\"a\": 1, \"l\": [1, 2.5]} "),
            "{'a': '0', 'z': '9'}",
            "{'a': 1, 'l': [1, 2.5]}",
            json!({"a": "1", "l": "[1, 2.5]", "z": "'9'"}),
        ),
        ((Method::PATCH, "", "application/vnd.api+json", "[1, \"é\", {}]".as_bytes()), empty, "[1, 'é', {}]", json!({})),
        ((Method::DELETE, "", JSON, b"\"x\""), empty, "'x'", json!({})),
        ((Method::POST, "a=1", JSON, b"null"), "{'a': '1'}", none, json!({"a": "'1'"})),
        ((Method::POST, "", JSON, b""), empty, none, json!({})),
        ((Method::POST, "", JSON, b"false"), empty, "False", json!({})),
        (
            (
                Method::POST,
                "",
                JSON,
                b"{\"i\":123456789012345678901234567890,\"f\":1e400,\"g\":-1e400,\"t\":1e-400,\"h\":0.1,\"z\":-0.0,\"e\":1E2,\"n\":-7}",
            ),
            empty,
            numbers,
            json!({"i": "123456789012345678901234567890", "f": "inf", "g": "-inf", "t": "0.0", "h": "0.1", "z": "-0.0",
                "e": "100.0", "n": "-7"}),
        ),
        (
            (
                Method::POST,
                "",
                JSON,
                "{\"a\":{\"b\":[{\"c\":[null,true,false,\"\"]},[],{}]},\"s\":\"it's \\\"q\\\"\\n\\\\ \\u0000 \u{2028} 🐍 {0} %s $x\"}"
                    .as_bytes(),
            ),
            empty,
            nested,
            json!({"a": "{'b': [{'c': [None, True, False, '']}, [], {}]}", "s": "'it\\'s \"q\"\\n\\\\ \\x00 \\u2028 🐍 {0} %s $x'"}),
        ),
        // Names that are none of a variable stay in the dicts.
        (
            (
                Method::POST,
                "class=1&params=2&headers=3&a.b=4",
                JSON,
                "{\"body\":1,\"None\":2,\"a b\":3,\"x;import os\":4,\"__name__\":5,\"ｐarams\":6,\"é\":7,\"1a\":8,\"\":9,\"a\\nb\":10}"
                    .as_bytes(),
            ),
            "{'class': '1', 'params': '2', 'headers': '3', 'a.b': '4'}",
            "{'body': 1, 'None': 2, 'a b': 3, 'x;import os': 4, '__name__': 5, 'ｐarams': 6, 'é': 7, '1a': 8, '': 9, 'a\\nb': 10}",
            json!({"é": "7"}),
        ),
        ((Method::POST, "", "text/plain; charset=utf-8", "hé\r\n'\"".as_bytes()), empty, "'hé\\r\\n\\'\"'", json!({})),
        ((Method::POST, "", "text/csv; charset=ISO-8859-1", b"h\xe9"), empty, "'hé'", json!({})),
        ((Method::POST, "", "text/plain", b"\xff'\0"), empty, "b\"\\xff'\\x00\"", json!({})),
        ((Method::POST, "", "application/octet-stream", b"\x00\x80\xff\r\n\\"), empty, "b'\\x00\\x80\\xff\\r\\n\\\\'", json!({})),
        ((Method::POST, "", "", b"{\"a\": 1}"), empty, "b'{\"a\": 1}'", json!({})),
    ];
    for (passed, params, body, named) in cases {
        let what = format!("{passed:?}");
        let answer = ok(pass(&app, &hook, passed).await).await;
        assert_eq!(answer["params"], params, "{what}");
        assert_eq!(answer["body"], body, "{what}");
        // Python's dicts have an order, and the caller's is kept; that of `named` is not looked at.
        assert_eq!(answer["named"], named, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_passed_is_refused_before_a_run() {
    let app = TestApp::start_with(|settings| settings.body_limit = 100_000).await;
    let hook = app.deploy("echo.ipynb", &echo(), json!({})).await;
    let deep = |depth: usize| format!("{{\"deep\": {}{}}}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
    let digits = format!("{{\"many\": {}}}", "9".repeat(5000)).into_bytes();
    let large = vec![b' '; 100_001];
    let (media_type, multipart) = form(&[("large", Some("a"), &large)]);
    let (_, cut) = form(&[("a", None, b"b")]);
    let cut = &cut[..cut.len() - 8];
    let cases: [(&str, &[u8], u16, &str); 15] = [
        (JSON, b"{\"a\": 1,}", 422, "body"),
        (JSON, b"{\"a\": NaN}", 422, "body"),
        (JSON, b"{\"a\": \"\\ud800\"}", 422, "body"),
        (JSON, b"\xff", 422, "body"),
        (JSON, b"1 2", 422, "body"),
        (JSON, &deep(100), 422, "body.deep"),
        (JSON, &deep(40_000), 422, "body"),
        (JSON, &digits, 422, "body.many"),
        (JSON, &large, 413, ""),
        ("application/octet-stream", &large, 413, ""),
        (&media_type, &multipart, 413, ""),
        (&media_type, cut, 422, "body"),
        (&media_type, b"nothing of the kind", 422, "body"),
        ("multipart/form-data", b"--x--", 422, "body"),
        ("multipart/form-data; boundary=", b"--x--", 422, "body"),
    ];
    for (media_type, body, status, field) in cases {
        let start = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        let problem = problem(pass(&app, &hook, (Method::POST, "", media_type, body)).await, status).await;
        assert_eq!(problem["field"].as_str().unwrap_or_default(), field, "{media_type} {start}: {problem}");
        assert!(!problem.to_string().contains("99999"), "the value is not told: {problem}");
    }
    let runs = app.get(&format!("/v1/runs?hook={}", hook["id"].as_str().unwrap())).await;
    assert_eq!(runs["items"], json!([]));
    app.quiet().await;
    assert!(app.scratch().is_empty(), "{:?}", app.scratch());
    // The largest that goes.
    ok(pass(&app, &hook, (Method::POST, "", JSON, &deep(60))).await).await;
    ok(pass(&app, &hook, (Method::POST, "", "text/plain", &large[1..])).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploaded_files_arrive_whole_and_stay_in_the_runs_directory() {
    let app = TestApp::start().await;
    let answer = "import hashlib, os\nfrom nbhook import webhook\n\
        def show(path):\n    \
            inside = os.path.realpath(path).startswith(os.path.realpath(os.getcwd()) + os.sep)\n    \
            return [os.path.basename(path), inside, hashlib.sha256(open(path, 'rb').read()).hexdigest()]\n\
        webhook.respond_json({'data': [show(p) for p in data], 'one': show(one), 'note': note, 'same': body['one'] == one, \
            'keys': list(body), 'uploads': sorted(globals().get('a', []))})";
    let hook = app.deploy("files.ipynb", &notebook(&[answer]), json!({})).await;
    let all: Vec<u8> = (0..=255).collect::<Vec<u8>>().repeat(1000);
    let (media_type, body) = form(&[
        ("note", None, "é\r\n--".as_bytes()),
        ("data", Some("../../x"), &all),
        ("one", Some("C:\\\\My Files\\\\ü 中.bin"), b""),
        ("note", None, b"2"),
        ("data", Some("../../x"), b"\r\n--a-boundary\r\n"),
        ("data", Some("/etc/cron.d/y"), b"3"),
        ("data", Some("..."), b"4"),
        ("../../key", Some("k"), b"5"),
    ]);
    let answer = ok(pass(&app, &hook, (Method::POST, "one=query", &media_type, &body)).await).await;
    let sha = |bytes: &[u8]| format!("{:x}", <sha2::Sha256 as sha2::Digest>::digest(bytes));
    let expected = json!({
        "data": [
            ["x", true, sha(&all)], ["x", true, sha(b"\r\n--a-boundary\r\n")], ["y", true, sha(b"3")], ["...", true, sha(b"4")],
        ],
        "one": ["ü 中.bin", true, sha(b"")],
        "note": ["é\r\n--", "2"],
        "same": true,
        "keys": ["note", "data", "one", "../../key"],
        "uploads": [],
    });
    assert_eq!(answer.as_object().unwrap().len(), 6);
    let keys = |value: &Value| {
        let mut keys: Vec<String> = value["keys"].as_array().unwrap().iter().map(ToString::to_string).collect();
        keys.sort();
        keys
    };
    for name in ["data", "one", "note", "same", "uploads"] {
        assert_eq!(answer[name], expected[name], "{name}");
    }
    assert_eq!(keys(&answer), keys(&expected));
    app.quiet().await;
    assert!(app.scratch().is_empty(), "uploads go with the run");
    for name in ["..", "a\0b", ""] {
        let (media_type, body) = form(&[("data", Some(name), b"x")]);
        let response = pass(&app, &hook, (Method::POST, "", &media_type, &body)).await;
        assert!([422, 500].contains(&response.status().as_u16()), "{name:?}: {}", response.status());
        let problem: Value = response.json().await.unwrap();
        assert_ne!(problem["type"], "urn:nbhook:problem:internal", "{name:?}: {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_echo_fixture_answers_by_every_method() {
    let app = TestApp::start().await;
    let hook = app.deploy_fixture("echo", json!({})).await;
    for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let request = app.http.request(method.clone(), url(&hook)).query(&[("a", "1")]).header("X-Mine", "yes");
        let request = if method == Method::GET { request } else { request.json(&json!({"b": [2]})) };
        let response = request.send().await.unwrap();
        let run = crate::app::run_of(&response);
        let answer = ok(response).await;
        let (body, variables) = match method {
            Method::GET => (json!(null), json!({"a": "1"})),
            _ => (json!({"b": [2]}), json!({"a": "1", "b": [2]})),
        };
        assert_eq!((&answer["params"], &answer["body"], &answer["variables"]), (&json!({"a": "1"}), &body, &variables));
        assert!(answer["headers"].as_array().unwrap().contains(&json!("x-mine")), "{answer}");
        assert_eq!(app.get(&format!("/v1/runs/{run}")).await["method"], method.as_str());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bash_notebook_has_parameters_and_answers() {
    let app = TestApp::start().await;
    let hook = app.deploy_fixture("bash_hello", json!({"inline": true})).await;
    let marked = tempfile::tempdir().unwrap();
    let mark = marked.path().join("pwned");
    let names = ["Zoë & Co".to_owned(), format!("'; touch {0}; \"`touch {0}`$(touch {0})\\\nnext", mark.display())];
    for name in &names {
        let response = pass(
            &app,
            &hook,
            (Method::POST, "count=9", JSON, json!({"name": name, "count": 3}).to_string().as_bytes()),
        )
        .await;
        assert_eq!(
            (response.status().as_u16(), crate::app::header(&response, "content-type")),
            (200, "text/plain; charset=utf-8")
        );
        let expected = (1..=3).map(|i| format!("{i}: Hello, {name}!\n")).collect::<Vec<_>>().concat();
        assert_eq!(response.text().await.unwrap(), expected);
        assert!(!mark.exists());
    }
    let refused = pass(&app, &hook, (Method::POST, "", JSON, b"{\"name\": \"\\u0000\"}")).await;
    assert_eq!(problem(refused, 422).await["field"], "body.name", "Bash has no null bytes");
    assert_eq!(app.call(&hook, &[]).await.text().await.unwrap(), "1: Hello, world!\n2: Hello, world!\n");
}
