//! What callers get: every answering fixture over HTTP, with the right bytes, media type, name and headers.

use std::path::Path;

use reqwest::header::ACCEPT;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::app::{TestApp, header, notebook, ok, problem, run_of, run_python, url};

/// A fixture, a query, and what the answer must look like.
struct Case(&'static str, &'static [(&'static str, &'static str)], &'static str, &'static str);

const CSV: &str = "text/csv; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

const CASES: [Case; 12] = [
    Case("csv_export", &[("rows", "400")], CSV, "csv_export.csv"),
    Case("html_report", &[("warehouse", "<b>\"Süd\" & 'Co'</b>"), ("days", "30")], HTML, "html_report.html"),
    Case("json_scorer", &[("age", "63"), ("tickets", "[1, 5, 9]")], "application/json", "json_scorer.json"),
    Case("svg_badge", &[("label", "a < b & c"), ("value", "12.5")], "image/svg+xml", "svg_badge.svg"),
    Case("markdown_memo", &[("team", "R&D <ops>")], "text/markdown; charset=utf-8", "markdown_memo.md"),
    Case("text_answer", &[("text", "Émile's 3 cats… don't purr!")], TEXT, "text_answer.txt"),
    Case("file_answer", &[("name", "Müller"), ("n", "7"), ("size", "70000")], "application/zip", "Müller.zip"),
    Case("xlsx_answer", &[("employee", "Ada <L>"), ("days", "31")], XLSX, "timesheet_Ada_L_.xlsx"),
    Case("nbformat3", &[("capital", "250"), ("years", "3")], TEXT, "nbformat3.txt"),
    Case("no_parameters_cell", &[("name", "Zoë"), ("language", "fr")], TEXT, "no_parameters_cell.txt"),
    Case("Übersicht & Zahlen 2025", &[("währung", "CHF")], HTML, "Übersicht & Zahlen 2025.html"),
    Case("deploys_itself", &[("name", "O'Neil")], TEXT, "deploys_itself.txt"),
];

/// What each case must answer: the fixtures run as plain Python, see `oracle/answers.py`.
fn expected(folder: &Path) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let jobs: Vec<Value> = CASES
        .iter()
        .enumerate()
        .map(|(number, Case(name, query, ..))| {
            let query: serde_json::Map<_, _> = query.iter().map(|(k, v)| ((*k).to_owned(), json!(v))).collect();
            json!([root.join(format!("fixtures/notebooks/{name}.ipynb")), query, folder.join(number.to_string())])
        })
        .collect();
    run_python(&[root.join("tests/oracle/answers.py").to_str().unwrap()], &json!(jobs).to_string());
    (0..CASES.len()).map(|number| std::fs::read(folder.join(number.to_string())).unwrap()).collect()
}

/// RFC 6266 as a browser reads it: the true name, whether it is spelled plainly or in RFC 8187's encoding.
fn disposition(response: &Response) -> (String, String) {
    let text = header(response, "content-disposition").to_owned();
    let (kind, parameters) = text.split_once(';').expect("a name");
    let name = match parameters.split_once("filename*=UTF-8''") {
        Some((_, encoded)) => {
            let pairs = format!("name={}", encoded.replace('+', "%2B").replace('&', "%26"));
            serde_urlencoded::from_str::<Vec<(String, String)>>(&pairs).unwrap().remove(0).1
        }
        None => parameters.trim().strip_prefix("filename=\"").unwrap().strip_suffix('"').unwrap().to_owned(),
    };
    assert!(text.is_ascii(), "{text}");
    (kind.to_owned(), name)
}

/// What every answer of a notebook has, whatever it is.
pub(crate) fn check_guards(response: &Response) {
    assert_eq!(header(response, "content-security-policy"), "sandbox allow-scripts allow-forms allow-popups");
    assert_eq!(header(response, "x-content-type-options"), "nosniff");
    assert!(response.headers().get("set-cookie").is_none());
    assert!(uuid::Uuid::parse_str(&run_of(response)).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fixture_answers_to_the_byte() {
    let app = TestApp::start().await;
    let folder = tempfile::tempdir().unwrap();
    let expected = expected(folder.path());
    for (number, (Case(name, query, media_type, file_name), expected)) in CASES.iter().zip(&expected).enumerate() {
        let inline = number % 2 == 0;
        let hook = app.deploy_fixture(name, json!({"inline": inline})).await;
        let response = app.call(&hook, query).await;
        assert_eq!(response.status(), 200, "{name}: {}", response.text().await.unwrap());
        check_guards(&response);
        assert_eq!(header(&response, "content-type"), *media_type, "{name}");
        let kind = if inline { "inline" } else { "attachment" };
        assert_eq!(disposition(&response), (kind.to_owned(), (*file_name).to_owned()));
        match *name {
            "json_scorer" => assert_eq!(header(&response, "x-model"), "churn-2025.3"),
            "text_answer" => assert_eq!(header(&response, "x-word-count"), "5"),
            _ => {}
        }
        let run = run_of(&response);
        let body = response.bytes().await.unwrap();
        if *name == "json_scorer" {
            let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
            assert_eq!(json(&body), json(expected));
        } else {
            assert!(body == expected.as_slice(), "{name}: {:?}", String::from_utf8_lossy(&body));
        }
        let record = app.get(&format!("/v1/runs/{run}")).await;
        assert_eq!((&record["state"], &record["warnings"]), (&json!("succeeded"), &json!([])), "{record}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_is_a_png_and_the_same_for_the_same_call() {
    let app = TestApp::start().await;
    let hook = app.deploy_fixture("sales_report", json!({"inline": true})).await;
    let mut charts = Vec::new();
    for region in ["North", "North", "South"] {
        let response = app.call(&hook, &[("region", region), ("top", "3")]).await;
        check_guards(&response);
        assert_eq!((response.status().as_u16(), header(&response, "content-type")), (200, "image/png"));
        assert_eq!(header(&response, "content-disposition"), "inline; filename=\"sales_report.png\"");
        charts.push(response.bytes().await.unwrap());
    }
    assert!(charts[0].starts_with(b"\x89PNG\r\n\x1a\n") && charts[0].ends_with(b"IEND\xaeB`\x82"));
    assert!(charts[0] == charts[1] && charts[0] != charts[2]);
    problem(app.call(&hook, &[("region", "Nowhere")]).await, 500).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn markdown_is_raw_or_sanitised_html_as_the_caller_prefers() {
    let app = TestApp::start().await;
    let source = "# Hi\n\n<img src=x onerror=alert(1)><script>alert(2)</script>\n\n[a](javascript:alert(3)) | ~~b~~";
    let hook =
        app.deploy("memo.ipynb", &notebook(&[&answer_with(&format!("respond_markdown({source:?})"))]), json!({})).await;
    for (accept, media_type, file) in [
        ("text/html,application/xhtml+xml,*/*;q=0.8", HTML, "memo.html"),
        ("*/*", "text/markdown; charset=utf-8", "memo.md"),
    ] {
        let response = app.http.get(url(&hook)).header(ACCEPT, accept).send().await.unwrap();
        check_guards(&response);
        assert_eq!(header(&response, "content-type"), media_type);
        assert_eq!(disposition(&response).1, file);
        let body = response.text().await.unwrap();
        if media_type == HTML {
            assert!(body.contains("<h1>Hi</h1>") && body.contains("<del>b</del>"), "{body}");
            for harmful in ["script", "onerror", "javascript"] {
                assert!(!body.contains(harmful), "{body}");
            }
        } else {
            assert_eq!(body, source);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notebook_is_answered_as_html_or_as_ipynb() {
    let app = TestApp::start().await;
    let hook = app.deploy_fixture("notebook_answer", json!({"inline": true})).await;
    let request = || app.http.get(url(&hook)).query(&[("heads", "260")]);
    let page = request().send().await.unwrap();
    check_guards(&page);
    assert_eq!(header(&page, "content-type"), HTML);
    assert_eq!(header(&page, "content-disposition"), "inline; filename=\"notebook_answer.html\"");
    let page = page.text().await.unwrap();
    for part in ["260 heads in 400 throws", "data:image/svg+xml;base64,", "The coin is not fair", "not rejected"] {
        assert!(page.contains(part), "no {part}");
    }
    let ipynb = request().header(ACCEPT, "application/x-ipynb+json").send().await.unwrap();
    assert_eq!(header(&ipynb, "content-type"), "application/x-ipynb+json");
    assert_eq!(header(&ipynb, "content-disposition"), "inline; filename=\"notebook_answer.ipynb\"");
    let run = run_of(&ipynb);
    let saved = app.api(Method::GET, &format!("/v1/runs/{run}/output")).send().await.unwrap().bytes().await.unwrap();
    let ipynb = ipynb.bytes().await.unwrap();
    assert!(ipynb == saved, "the answer is the executed notebook as it was saved");
    let ipynb: Value = serde_json::from_slice(&ipynb).unwrap();
    assert!(ipynb["cells"].to_string().contains("260 heads in 400 throws"));

    for (format, accept, media_type) in
        [("ipynb", "text/html", "application/x-ipynb+json"), ("html", "application/json", HTML)]
    {
        let cells = [answer_with(&format!("respond_notebook(format={format:?}, status=203)"))];
        let hook = app.deploy("fixed.ipynb", &notebook(&[&cells[0]]), json!({})).await;
        let response = app.http.get(url(&hook)).header(ACCEPT, accept).send().await.unwrap();
        assert_eq!((response.status().as_u16(), header(&response, "content-type")), (203, media_type));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn naas_marking_answers_as_naas_did() {
    let app = TestApp::start().await;
    let hook = app.deploy_fixture("naas_marking", json!({"inline": true})).await;
    let csv = "\"\";\"name\";\"note\"\n\"0\";\"Sally & Co\";\"3.75\"\n\"1\";\"Jeff; Smith\";\"NaN\"\n";
    let page = "<h1>Hello friends</h1>\n\n<p>Do you love <em>markdown</em>?</p>\n";
    for (kind, media_type, body) in [
        ("file", CSV, "name,note\nSally,3.75\nJeff,3.20\n"),
        ("html", HTML, "<h1>Hello, world!</h1>"),
        ("json", "application/json", "{\"foo\":\"bar\",\"nothing\":null,\"list\":[1,2.5,\"é\"]}"),
        ("text", TEXT, "Hello <friends> & others"),
        ("markdown", HTML, page),
        ("csv", CSV, csv),
        ("svg", "image/svg+xml", ""),
        ("image", "image/png", ""),
        ("notebook", HTML, ""),
    ] {
        let response = app.call(&hook, &[("kind", kind)]).await;
        check_guards(&response);
        assert_eq!((response.status().as_u16(), header(&response, "content-type")), (200, media_type), "{kind}");
        if kind == "file" {
            assert_eq!(disposition(&response).1, "grades.csv");
        }
        let got = response.bytes().await.unwrap();
        match kind {
            "svg" => assert!(got.starts_with(b"<svg xmlns=") && got.ends_with(b"</svg>")),
            "image" => assert_eq!((got.len(), &got[..8]), (70, b"\x89PNG\r\n\x1a\n".as_slice())),
            "notebook" => assert!(String::from_utf8_lossy(&got).contains("Written for naas")),
            _ => assert_eq!(String::from_utf8_lossy(&got), body, "{kind}"),
        }
    }
    problem(app.call(&hook, &[("kind", "poem")]).await, 500).await;

    let top = "from IPython.display import display\n\
               display({'text/html': '<i>x</i>', 'text/plain': 'x'}, metadata={'naas_api': True}, raw=True)";
    let hook = app.deploy("top.ipynb", &notebook(&[top]), json!({})).await;
    let response = app.call(&hook, &[]).await;
    assert_eq!(header(&response, "content-type"), HTML);
    assert_eq!(response.text().await.unwrap(), "<i>x</i>");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_answer_tells_the_caller_and_may_fail_the_run() {
    let app = TestApp::start().await;
    let hook = app.deploy_fixture("error_answer", json!({"next_url": "https://example.org/thanks"})).await;
    for (query, status, detail, state, kind) in [
        (("broken", "true"), 503, "the order book cannot be read, try again in a minute", "failed", json!("reported")),
        // Not a failed run: the caller is sent on, as after any success.
        (("order", "A-1"), 303, "", "succeeded", Value::Null),
    ] {
        let response = app.call(&hook, &[query]).await;
        check_guards(&response);
        let run = run_of(&response);
        if status == 303 {
            assert_eq!(
                (response.status().as_u16(), header(&response, "location")),
                (303, "https://example.org/thanks")
            );
        } else {
            let problem = problem(response, status).await;
            assert_eq!((&problem["detail"], &problem["run"]), (&json!(detail), &json!(run)));
            assert!(problem.get("cell").is_none() && problem.get("traceback").is_none(), "{problem}");
        }
        let record = app.get(&format!("/v1/runs/{run}")).await;
        assert_eq!((record["state"].as_str().unwrap(), &record["error"]["kind"]), (state, &kind), "{record}");
    }
    let hook = app.deploy_fixture("error_answer", json!({})).await;
    let problem = problem(app.call(&hook, &[("order", "<A>")]).await, 404).await;
    assert_eq!(
        (&problem["type"], &problem["detail"]),
        (&json!("urn:nbhook:problem:reported"), &json!("there is no order <A>"))
    );
    assert_eq!(app.get(&format!("/v1/runs/{}", problem["run"].as_str().unwrap())).await["state"], "succeeded");
    assert_eq!(ok(app.call(&hook, &[]).await).await, json!({"order": "A-1002", "state": "on its way", "parcels": 2}));
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_headers_are_the_notebooks_but_not_those_that_guard() {
    let app = TestApp::start().await;
    let headers = "{'X-Total': '7', 'Cache-Control': 'max-age=60', 'Content-Language': 'de'}";
    let raw = "from IPython.display import display\n\
               h = {'Set-Cookie': 'a=b', 'set-cookie': 'c=d', 'Content-Security-Policy': 'none', 'X-Content-Type-Options': 'x', \
               'X-Nbhook-Run': 'me', 'Transfer-Encoding': 'chunked', 'Content-Length': '3', 'X-Fine': 1}\n\
               display({'text/plain': 'four'}, raw=True, metadata={'nbhook': {'response': {'kind': 'text', 'status': 418, 'headers': h}}})";
    let first = answer_with(&format!("respond_json([1], status=202, headers={headers})"));
    let hook = app
        .deploy("a.ipynb", &notebook(&[&first, &answer_with("respond_text('second')"), "print('after')"]), json!({}))
        .await;
    let response = app.call(&hook, &[]).await;
    check_guards(&response);
    assert_eq!(response.status(), 202);
    assert_eq!((header(&response, "x-total"), header(&response, "content-language")), ("7", "de"));
    assert_eq!(header(&response, "cache-control"), "max-age=60");
    let run = run_of(&response);
    assert_eq!(response.text().await.unwrap(), "[1]");
    let warnings = app.get(&format!("/v1/runs/{run}")).await["warnings"].clone();
    assert_eq!(warnings.as_array().unwrap().len(), 1, "a second marked output is a warning: {warnings}");

    let hook = app.deploy("b.ipynb", &notebook(&[raw]), json!({})).await;
    let response = app.call(&hook, &[]).await;
    check_guards(&response);
    assert_eq!((response.status().as_u16(), header(&response, "x-fine")), (418, "1"));
    let run = run_of(&response);
    assert_eq!(response.text().await.unwrap(), "four");
    let record = app.get(&format!("/v1/runs/{run}")).await;
    assert_eq!((&record["state"], record["warnings"].as_array().unwrap().len()), (&json!("succeeded"), 7), "{record}");
}

/// Browsers would tell a stranger the URLs of the origin, which are secrets, or take a cookie; a proxy would answer with a file of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_notebook_speaks_neither_for_the_origin_nor_to_the_proxy() {
    let app = TestApp::start().await;
    let given = json!({"NEL": "{\"report_to\":\"x\"}", "Report-To": "{\"endpoints\":[]}", "reporting-endpoints": "x=\"https://evil.example\"",
        "Alt-Svc": "h3=\":1\"", "Set-Login": "logged-out", "Sec-Session-Registration": "(ES256)", "X-Accel-Redirect": "/", "X-Sendfile": "/etc/passwd",
        "WWW-Authenticate": "Basic", "Refresh": "0;url=/", "Content-Type": "multipart/x-mixed-replace; boundary=b", "X-Fine": "1",
        "Cross-Origin-Resource-Policy": "cross-origin"});
    let cells = [
        format!(
            "import json\nfrom nbhook import webhook\nh = json.loads({:?})\nkind = params.get('kind')",
            given.to_string()
        ),
        "open('f.bin', 'wb').write(b'--b')\nmixed = 'multipart/x-mixed-replace; boundary=b'".to_owned(),
        "if kind == 'file': webhook.respond_file('f.bin', media_type=mixed, headers=h)\n\
         elif kind == 'error': webhook.respond_error(403, 'no', headers=h, failed=False)\n\
         else: webhook.respond_text('x', headers=h, early=kind == 'early')"
            .to_owned(),
    ];
    let hook = app.deploy("a.ipynb", &notebook(&[&cells[0], &cells[1], &cells[2]]), json!({})).await;
    for (kind, media_type) in
        [("text", TEXT), ("early", TEXT), ("file", "application/octet-stream"), ("error", "application/problem+json")]
    {
        let response = app.call(&hook, &[("kind", kind)]).await;
        check_guards(&response);
        assert_eq!(header(&response, "content-type"), media_type, "{kind}");
        let names = given.as_object().unwrap().keys().map(|name| name.to_ascii_lowercase());
        let sent: Vec<_> = names.filter(|name| response.headers().contains_key(name)).collect();
        assert_eq!(sent, ["content-type", "x-fine", "cross-origin-resource-policy"].map(str::to_owned), "{kind}");
        if kind == "text" {
            let record = app.get(&format!("/v1/runs/{}", run_of(&response))).await;
            assert_eq!(record["warnings"].as_array().unwrap().len(), 11, "{record}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_an_answer_says_done_or_sends_the_caller_on() {
    let app = TestApp::start().await;
    let silent = notebook(&["if int(globals().get('fail', 0)): 1 / 0"]);
    let hook = app.deploy("silent.ipynb", &silent, json!({})).await;
    let response = app.call(&hook, &[]).await;
    check_guards(&response);
    let run = run_of(&response);
    let done = ok(response).await;
    assert_eq!((&done["id"], &done["status"], done.as_object().unwrap().len()), (&json!(run), &json!("Done"), 3));
    assert!(chrono::DateTime::parse_from_rfc3339(done["time"].as_str().unwrap()).is_ok());

    let hook = app.deploy("silent.ipynb", &silent, json!({"next_url": "https://example.org/?a=1&b=%20"})).await;
    let response = app.call(&hook, &[]).await;
    assert_eq!((response.status().as_u16(), header(&response, "location")), (303, "https://example.org/?a=1&b=%20"));
    check_guards(&response);
    let response = app.call(&hook, &[("fail", "1")]).await;
    assert!(response.headers().get("location").is_none(), "only a success goes on");
    problem(response, 500).await;
}

pub(crate) fn answer_with(call: &str) -> String {
    format!("from nbhook import webhook\nwebhook.{call}")
}
