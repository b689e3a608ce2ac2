//! Calls from other origins' pages, and the methods that are answered without running a notebook.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::app::{TestApp, eventually, header, notebook, ok, url};

const PAGE: &str = "https://app.example.org";
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

const CELLS: [&str; 3] = [
    "from nbhook import webhook\nstatus = int(params.get('status', 200))",
    "if status == 500:\n    raise ValueError",
    "webhook.respond_text('hello', status=status, headers={'Access-Control-Allow-Origin': 'https://own.example',\n\
     'Access-Control-Allow-Credentials': 'true', 'Access-Control-Expose-Headers': 'X-Total, Location', 'Vary': 'Cookie'})",
];

async fn from(app: &TestApp, method: Method, url: &str, origin: &str, more: &[(&str, &str)]) -> Response {
    let request = app.http.request(method, url).header("origin", origin);
    more.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send().await.unwrap()
}

/// The values of a header, in order.
fn all<'a>(response: &'a Response, name: &str) -> Vec<&'a str> {
    response.headers().get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}

fn is_closed(response: &Response) -> bool {
    response.headers().keys().all(|name| !name.as_str().starts_with("access-control-"))
}

async fn run_count(app: &TestApp) -> usize {
    app.get("/v1/runs?limit=100").await["items"].as_array().unwrap().len()
}

fn pinned(hook: &Value) -> String {
    format!("{}/versions/{}", url(hook), hook["histo"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_a_hook_is_open_to_the_pages_it_names() {
    let app = TestApp::start().await;
    let params = json!({"cors": ["https://other.example.org", "HTTPS://app.example.org:443"], "signature": {"scheme": "header", "secret": "k"}});
    let hook = app.deploy("a.ipynb", &notebook(&CELLS), params).await;
    assert_eq!(hook["params"]["cors"], json!(["https://other.example.org", PAGE]));
    let key = [("x-api-key", "k"), ("content-type", "application/json")];
    for (target, status) in [
        (url(&hook).to_owned(), 200),
        (pinned(&hook), 200),
        (format!("{}?status=404", url(&hook)), 404),
        (format!("{}?status=500", url(&hook)), 500),
        (format!("{}/versions/20200101000000000000", url(&hook)), 404),
    ] {
        let answer = from(&app, Method::GET, &target, PAGE, &key).await;
        assert_eq!(answer.status(), status, "{target}");
        assert_eq!(all(&answer, "access-control-allow-origin"), [PAGE], "{target}");
        assert!(answer.headers().get("access-control-allow-credentials").is_none());
        assert!(header(&answer, "vary").contains("Origin"), "{target}");
        let exposed = all(&answer, "access-control-expose-headers").join(", ");
        for name in ["X-Nbhook-Run", "Location", "Retry-After", "Preference-Applied", "Idempotent-Replayed"] {
            assert_eq!(exposed.matches(name).count(), 1, "{exposed}");
        }
        // What the notebook says beside that stays.
        assert_eq!(exposed.contains("X-Total"), header(&answer, "vary").contains("Cookie"), "{exposed}");
    }
    // Refused before anything runs.
    for (body, more, status) in [("{", &key[..], 422), ("{}", &key[1..], 401)] {
        let request = app.http.post(url(&hook)).header("origin", PAGE).body(body);
        let answer =
            more.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), header(&answer, "access-control-allow-origin")), (status, PAGE));
    }
    // Other pages, and who is no page, are answered all the same, and told to keep it apart.
    for origin in ["https://evil.example.org", "null", "https://app.example.org.evil.net", "https://own.example"] {
        let answer = from(&app, Method::GET, url(&hook), origin, &key).await;
        assert!(answer.status().is_success() && is_closed(&answer), "{origin}: {answer:?}");
        assert!(header(&answer, "vary").contains("Origin"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_and_any_page_are_answered_with_the_headers_too() {
    let app = TestApp::start().await;
    let waits =
        ["import time\nfrom nbhook import webhook\ntime.sleep(float(params.get('s', 0)))\nwebhook.respond_text('x')"];
    let params = json!({"cors": "*", "concurrency": 1, "queue": 0});
    let hook = app.deploy("a.ipynb", &notebook(&waits), params).await;
    let (first, second) = (format!("{}?s=2", url(&hook)), format!("{}?s=2", url(&hook)));
    let (first, second) = tokio::join!(
        from(&app, Method::GET, &first, PAGE, &[]),
        from(&app, Method::GET, &second, "https://any.example", &[])
    );
    let mut statuses = [first.status().as_u16(), second.status().as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 429]);
    for answer in [first, second] {
        assert_eq!(all(&answer, "access-control-allow-origin"), ["*"]);
        assert!(header(&answer, "access-control-expose-headers").contains("Retry-After"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_may_ask_first() {
    let app = TestApp::start().await;
    let hook = app.deploy("a.ipynb", &notebook(&CELLS), json!({"cors": PAGE})).await;
    let asks = [("access-control-request-method", "PUT"), ("access-control-request-headers", "content-type,x-api-key")];
    for target in [url(&hook).to_owned(), pinned(&hook)] {
        let answer = from(&app, Method::OPTIONS, &target, PAGE, &asks).await;
        assert_eq!(answer.status(), 204);
        assert_eq!(header(&answer, "access-control-allow-origin"), PAGE);
        assert_eq!(header(&answer, "access-control-allow-methods"), METHODS);
        assert_eq!(header(&answer, "access-control-allow-headers"), "content-type,x-api-key");
        assert_eq!(header(&answer, "access-control-max-age"), "600");
        assert_eq!(header(&answer, "allow"), METHODS);
        let vary = header(&answer, "vary");
        for name in ["Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"] {
            assert!(vary.contains(name), "{vary}");
        }
        assert!(answer.bytes().await.unwrap().is_empty());
        let other = from(&app, Method::OPTIONS, &target, "https://evil.example.org", &asks).await;
        assert!(other.status() == 204 && is_closed(&other), "{other:?}");
    }
    let off = app.deploy("b.ipynb", &notebook(&CELLS), json!({})).await;
    let answer = from(&app, Method::OPTIONS, url(&off), PAGE, &asks).await;
    assert!(answer.status() == 204 && is_closed(&answer), "{answer:?}");
    assert_eq!(header(&answer, "allow"), METHODS);
    // Where the hook says nothing, the notebook has its say.
    let answer = from(&app, Method::GET, url(&off), PAGE, &[]).await;
    assert_eq!(all(&answer, "access-control-allow-origin"), ["https://own.example"]);
    assert_eq!(all(&answer, "access-control-allow-credentials"), ["true"]);
    ok(answer).await;
    assert_eq!(run_count(&app).await, 1);
    let bad = json!({"path": "c.ipynb", "notebook": notebook(&CELLS), "params": {"cors": ["https://a.org/x"]}});
    let answer = app.api(Method::POST, "/v1/hooks").json(&bad).send().await.unwrap();
    assert_eq!(crate::app::problem(answer, 422).await["field"], "params.cors");
}

#[tokio::test(flavor = "multi_thread")]
async fn head_tells_what_is_known_without_a_run() {
    let app = TestApp::start().await;
    let params = json!({"cors": PAGE, "signature": {"scheme": "header", "secret": "k"}});
    let hook = app.deploy("a.ipynb", &notebook(&CELLS), params).await;
    let targets = [url(&hook).to_owned(), pinned(&hook)];
    for target in &targets {
        let answer = from(&app, Method::HEAD, target, PAGE, &[]).await;
        assert_eq!(answer.status(), 200);
        assert!(answer.headers().get("content-type").is_none());
        assert!(answer.headers().get("content-length").is_none(), "how long the answer will be is not known");
    }
    let answer = app.http.get(url(&hook)).header("x-api-key", "k").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    for target in &targets {
        let answer = from(&app, Method::HEAD, target, PAGE, &[("accept-encoding", "gzip")]).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(header(&answer, "content-type"), "text/plain; charset=utf-8");
        assert_eq!(header(&answer, "access-control-allow-origin"), PAGE);
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        assert!(answer.headers().get("content-length").is_none());
        assert!(answer.headers().get("content-encoding").is_none());
    }
    assert_eq!(run_count(&app).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_404_for_every_method() {
    let app = TestApp::start().await;
    let hook = app.deploy("a.ipynb", &notebook(&CELLS), json!({"cors": "*"})).await;
    let unknown = format!("{}/hooks/{}", app.url, "0".repeat(27));
    let none = format!("{}/versions/20200101000000000000", url(&hook));
    let targets = [
        unknown.clone(),
        format!("{}/hooks/x", app.url),
        format!("{unknown}/versions/20200101000000000000"),
        none,
        format!("{}/versions/x", url(&hook)),
    ];
    for target in &targets {
        for method in [Method::OPTIONS, Method::HEAD, Method::GET, Method::POST] {
            let answer = from(&app, method.clone(), target, PAGE, &[("access-control-request-method", "GET")]).await;
            assert_eq!(answer.status(), 404, "{method} {target}");
        }
    }
    let answer = app.http.request(Method::TRACE, url(&hook)).send().await.unwrap();
    assert_eq!(answer.status(), 405);
    for method in METHODS.split(", ") {
        assert!(header(&answer, "allow").contains(method), "{}", header(&answer, "allow"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_can_come_back_for_its_answer() {
    let app = TestApp::start().await;
    let hook = app.deploy("a.ipynb", &notebook(&CELLS), json!({"cors": PAGE})).await;
    let accepted = from(&app, Method::GET, url(&hook), PAGE, &[("prefer", "respond-async")]).await;
    assert_eq!((accepted.status().as_u16(), header(&accepted, "access-control-allow-origin")), (202, PAGE));
    let task = format!("{}{}", app.url, header(&accepted, "location"));
    eventually("the run ends", async || from(&app, Method::GET, &task, PAGE, &[]).await.status() == 303).await;
    let done = from(&app, Method::GET, &task, PAGE, &[]).await;
    assert_eq!(header(&done, "access-control-allow-origin"), PAGE);
    let result = format!("{}{}", app.url, header(&done, "location"));
    let answer = from(&app, Method::GET, &result, PAGE, &[]).await;
    assert_eq!(all(&answer, "access-control-allow-origin"), [PAGE]);
    assert_eq!(answer.text().await.unwrap(), "hello");
    let events = result.replace("/result", "/events");
    let answer = from(&app, Method::GET, &events, PAGE, &[("accept-encoding", "gzip")]).await;
    assert_eq!(
        (header(&answer, "content-type"), answer.headers().get("content-encoding")),
        ("text/event-stream", None)
    );
    assert_eq!(all(&answer, "access-control-allow-origin"), [PAGE]);
    for closed in [
        from(&app, Method::GET, &result, "https://evil.example.org", &[]).await,
        from(&app, Method::GET, result.split('?').next().unwrap(), PAGE, &[]).await,
        from(&app, Method::GET, &format!("{result}x"), PAGE, &[]).await,
    ] {
        assert!(is_closed(&closed), "{closed:?}");
    }
}
