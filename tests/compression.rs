//! Answers compressed by `Accept-Encoding`: which are, and that they are the same once decoded.

use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use crate::app::{TestApp, header, notebook, run_python, url};

const CELLS: [&str; 2] = [
    "from nbhook import webhook\nimport pathlib, zlib\nkind = params['kind']\ntext = '<p>Ünder 100 %</p>\\n' * 400",
    "if kind == 'html':\n    webhook.respond_html(text)\n\
     elif kind == 'json':\n    webhook.respond_json([text])\n\
     elif kind == 'svg':\n    webhook.respond_svg('<svg xmlns=\"http://www.w3.org/2000/svg\">' + '<g/>' * 500 + '</svg>')\n\
     elif kind == 'small':\n    webhook.respond_text('x' * 1000)\n\
     elif kind == 'own':\n    webhook.respond_text('y' * 3000, headers={'Content-Encoding': 'x-mine', 'ETag': '\"own\"'})\n\
     elif kind == 'whole':\n    webhook.respond_text('y' * 3000, headers={'Cache-Control': 'no-transform'})\n\
     else:\n    pathlib.Path(kind).write_bytes(text.encode() * 50)\n    webhook.respond_file(kind)",
];

fn plain() -> Vec<u8> {
    "<p>Ünder 100 %</p>\n".repeat(400).into_bytes()
}

/// What Python makes of a body; the client's own decoder is not asked.
fn gunzip(body: &[u8]) -> Vec<u8> {
    let code = "import gzip, json, sys; print(list(gzip.decompress(bytes(json.load(sys.stdin)))))";
    serde_json::from_str(&run_python(&["-c", code], &json!(body).to_string())).unwrap()
}

fn unbrotli(body: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    brotli::BrotliDecompress(&mut &body[..], &mut decoded).unwrap();
    decoded
}

fn ask(app: &TestApp, hook: &Value, kind: &str, accepts: &str) -> RequestBuilder {
    let request = app.http.get(url(hook)).query(&[("kind", kind)]);
    if accepts.is_empty() { request } else { request.header("accept-encoding", accepts) }
}

fn encoding(response: &Response) -> Option<&str> {
    response.headers().get("content-encoding").map(|encoding| encoding.to_str().unwrap())
}

/// How often a header lists a name.
fn listed(response: &Response, name: &str, item: &str) -> usize {
    let values = response.headers().get_all(name).iter().flat_map(|value| value.to_str().unwrap().split(','));
    values.filter(|value| value.trim().eq_ignore_ascii_case(item)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_compressed_as_the_client_likes_it() {
    let app = TestApp::start().await;
    let hook = app.deploy("a.ipynb", &notebook(&CELLS), json!({})).await;
    for (accepts, expected) in [
        ("gzip", Some("gzip")),
        ("br", Some("br")),
        ("gzip, deflate, br", Some("br")),
        ("br;q=0.5, gzip", Some("gzip")),
        ("zstd, gzip;q=0.1", Some("gzip")),
        ("", None),
        ("identity", None),
        ("*;q=0", None), // nothing would do, and that is what we have
        ("identity;q=0", None),
        ("gzip;q=0", None),
        ("no such thing;;", None),
    ] {
        let answer = ask(&app, &hook, "html", accepts).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{accepts}");
        assert_eq!(encoding(&answer), expected, "{accepts}");
        assert_eq!(listed(&answer, "vary", "accept-encoding"), 1, "{accepts}: {:?}", answer.headers());
        assert_eq!(header(&answer, "content-type"), "text/html; charset=utf-8");
        assert_eq!(answer.headers().contains_key("content-length"), expected.is_none());
        let body = answer.bytes().await.unwrap();
        let decoded = match expected {
            Some("gzip") => gunzip(&body),
            Some(_) => unbrotli(&body),
            None => body.to_vec(),
        };
        assert_eq!(decoded, plain(), "{accepts}");
        assert!(expected.is_none() || body.len() * 10 < plain().len(), "{accepts}: {} bytes", body.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_not_gain_is_left_alone() {
    let app = TestApp::start().await;
    let hook = app.deploy("a.ipynb", &notebook(&CELLS), json!({})).await;
    for (kind, expected, varies) in [
        ("json", Some("gzip"), 1),
        ("svg", Some("gzip"), 1),
        ("small", None, 0),
        ("own", Some("x-mine"), 0),
        ("whole", None, 0),
        ("a.txt", Some("gzip"), 1),
        ("a.png", None, 0),
        ("a.zip", None, 0),
        ("a.xlsx", None, 0),
        ("a.mp3", None, 0),
    ] {
        let answer = ask(&app, &hook, kind, "gzip").send().await.unwrap();
        assert_eq!(answer.status(), 200, "{kind}");
        assert_eq!(encoding(&answer), expected, "{kind}");
        assert_eq!(listed(&answer, "vary", "accept-encoding"), varies, "{kind}: {:?}", answer.headers());
        if kind == "own" {
            assert_eq!(header(&answer, "etag"), "\"own\"");
        }
        let body = answer.bytes().await.unwrap();
        if kind.starts_with("a.") {
            let body = if expected.is_some() { gunzip(&body) } else { body.to_vec() };
            assert_eq!(body, plain().repeat(50), "{kind}");
        }
    }
    // The API and problems as well.
    for number in 0..4 {
        app.deploy(&format!("{number}.ipynb"), &notebook(&CELLS), json!({})).await;
    }
    let list = app.api(reqwest::Method::GET, "/v1/hooks").header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(encoding(&list), Some("gzip"));
    let list: Value = serde_json::from_slice(&gunzip(&list.bytes().await.unwrap())).unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 5);
    let health = app.http.get(format!("{}/healthz", app.url)).header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(encoding(&health), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_file_has_a_tag_of_its_own() {
    let app = TestApp::start().await;
    let params = json!({"workdir": "persistent"});
    let writes = ["import os, pathlib\nfrom nbhook import webhook\nfile = pathlib.Path('a.txt')\n\
        if not file.exists():\n    file.write_text('0123456789' * 500)\nwebhook.respond_file('a.txt')"];
    let hook = app.deploy("a.ipynb", &notebook(&writes), params).await;
    let get = |more: &[(&str, &str)]| {
        let request = app.http.get(url(&hook));
        more.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send()
    };
    let plain = get(&[]).await.unwrap();
    let strong = header(&plain, "etag").to_owned();
    assert!(strong.starts_with('"'), "{strong}");
    assert_eq!((header(&plain, "content-length"), listed(&plain, "vary", "accept-encoding")), ("5000", 1));
    let zipped = get(&[("accept-encoding", "gzip")]).await.unwrap();
    assert_eq!(header(&zipped, "etag"), format!("W/{strong}"));
    assert_eq!(gunzip(&zipped.bytes().await.unwrap()), b"0123456789".repeat(500));
    for tag in [strong.clone(), format!("W/{strong}")] {
        let same = get(&[("accept-encoding", "gzip"), ("if-none-match", &tag)]).await.unwrap();
        assert_eq!((same.status().as_u16(), header(&same, "etag")), (304, tag.as_str()));
        assert_eq!(encoding(&same), None);
    }
    let part = get(&[("accept-encoding", "gzip, br"), ("range", "bytes=10-14")]).await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!((encoding(&part), header(&part, "content-length"), header(&part, "etag")), (None, "5", strong.as_str()));
    assert_eq!(part.text().await.unwrap(), "01234");
}
