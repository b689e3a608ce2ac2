//! Callers that mean no good: requests that no client sends, clients that are slow on purpose, and very many at once.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::multipart::{Form, Part};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tempfile::TempDir;

use crate::app::{ADMIN, TestApp, notebook, ok, problem, url};
use crate::binary::{Server, count, eventually, files, resident};

const SETTINGS: [(&str, &str); 4] = [
    ("NBHOOK_BODY_LIMIT", "2000000"),
    ("NBHOOK_BODY_TIMEOUT", "1"),
    ("NBHOOK_KERNEL__LIMIT", "2"),
    ("NBHOOK_KERNEL__QUEUE", "10"),
];

fn connect(server: &Server) -> TcpStream {
    let connection = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    connection
}

/// What comes back on a connection: all of it until the server ends it, or until this many answers are there. (After an answer to
/// a body that it does not want, the server listens on for a while.)
fn exchange(server: &Server, request: &[u8], answers: usize) -> String {
    let mut connection = connect(server);
    let _ = connection.write_all(request); // the server may have had enough before
    let (mut answer, mut buffer) = (Vec::new(), vec![0; 65536]);
    while whole_answers(&answer) < answers {
        match connection.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error} after {:?} to {:?}", show(&answer), show(request)),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// How many answers, with their bodies, there are.
fn whole_answers(bytes: &[u8]) -> usize {
    let text = String::from_utf8_lossy(bytes);
    let (mut rest, mut number) = (text.as_ref(), 0);
    while let Some((head, after)) = rest.split_once("\r\n\r\n") {
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let Some(after) = after.get(length.map_or(0, |length| length.parse().unwrap())..) else { break };
        (rest, number) = (after, number + 1);
    }
    number
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned()
}

/// What must hold after an attack: it serves, it logged no panic and no internal error, and it is not swollen.
async fn is_well(server: &Server) {
    ok(server.http.get(format!("{}/healthz", server.url)).send().await.unwrap()).await;
    let log = server.log();
    assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
    let metrics = server.http.get(format!("{}/metrics", server.url)).send().await.unwrap().text().await.unwrap();
    assert!(!metrics.contains("status=\"5"), "{metrics}");
    let memory = resident(server.pid()) >> 10;
    assert!(memory < 250, "{memory} MiB");
}

/// A request: its first line, its headers, its body. Unless said otherwise the connection ends with the answer.
fn request(line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut request = format!("{line}\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").into_bytes();
    request.extend_from_slice(body);
    request
}

fn with_length(line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    request(line, &format!("{headers}Content-Length: {}\r\n", body.len()), body)
}

fn form(line: &str, parts: usize, part: impl Fn(usize) -> String) -> Vec<u8> {
    let body: Vec<String> = (0..parts).map(|index| format!("--B\r\n{}\r\n", part(index))).collect();
    let body = body.concat();
    with_length(line, "Content-Type: multipart/form-data; boundary=B\r\n", (body + "--B--\r\n").as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_requests_are_answered_or_refused_and_do_no_harm() {
    let data = TempDir::new().unwrap();
    let server = Server::start_with(data.path(), &SETTINGS);
    let hook = server.deploy("echo.ipynb", &notebook(&["1"]), json!({})).await;
    let token = url(&hook).rsplit('/').next().unwrap();
    let other_case: String =
        token.chars().map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }).collect();
    let get = |path: &str, headers: &str| request(&format!("GET {path} HTTP/1.1"), headers, b"");
    let post = format!("POST /hooks/{token} HTTP/1.1");
    let json = "Content-Type: application/json\r\n";
    let here = format!("/hooks/{token}");
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("slashes", get(&format!("//hooks//{token}/"), ""), 200),
        ("a whole URL", get(&format!("http://elsewhere{here}"), ""), 200),
        ("HTTP/1.0", format!("GET {here} HTTP/1.0\r\n\r\n").into_bytes(), 200),
        ("a token in another case", get(&format!("/hooks/{other_case}"), ""), 404),
        ("a route in another case", get(&format!("/HOOKS/{token}"), ""), 404),
        ("a NUL", get(&format!("{here}%00"), ""), 404),
        ("a raw NUL", get(&format!("{here}\0"), ""), 400),
        ("no UTF-8 in the path", get("/hooks/%ff%fe%", ""), 404),
        ("bad escapes in the query", get(&format!("{here}?a=%zz&b=%&%=1&c=%ff%fe"), ""), 200),
        ("dots", get("/hooks/../v1/hooks", ""), 404),
        ("a very long histo", get(&format!("{here}/versions/{}", "9".repeat(50_000)), ""), 404),
        ("thousands of parameters", get(&format!("{here}?{}", "a=1&".repeat(5_000)), ""), 200),
        ("a URL that is too long", get(&format!("{here}?{}", "a=1&".repeat(20_000)), ""), 400),
        ("a huge header", get(&here, &format!("X: {}\r\n", "x".repeat(300_000))), 431),
        ("too many headers", get(&here, &"X: 1\r\n".repeat(300)), 431),
        ("headers that repeat", get(&here, "X: 1\r\nX: 2\r\nAuthorization: a\r\nAuthorization: b\r\n"), 200),
        ("a WebSocket", get(&here, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"), 200),
        ("no HTTP", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n".to_vec(), 400),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), 400),
        ("a method that hooks do not have", request(&format!("TRACE {here} HTTP/1.1"), "", b""), 405),
        ("two lengths", request(&post, "Content-Length: 1\r\nContent-Length: 2\r\n", b"ab"), 400),
        ("length and chunks", request(&post, "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), 400),
        ("a negative length", request(&post, "Content-Length: -1\r\n", b""), 400),
        ("a length beyond numbers", request(&post, "Content-Length: 99999999999999999999999\r\n", b""), 400),
        ("a length beyond the limit", request(&post, "Content-Length: 9999999999\r\n", b"a"), 413),
        ("chunks beyond the limit", chunks(&post, 200, 16_000), 413),
        ("a body that stops", request(&post, "Content-Length: 100\r\n", b"a"), 408),
        ("deep JSON", with_length(&post, json, deep.as_bytes()), 422),
        ("JSON that is none", with_length(&post, json, b"\xff\xfe{}"), 422),
        ("a lone surrogate", with_length(&post, json, br#"{"a": "\ud800"}"#), 422),
        ("a number of a million digits", with_length(&post, json, "1".repeat(1_000_000).as_bytes()), 422),
        ("a form of many fields", form(&post, 20_000, |i| part(&format!("name=\"f{i}\""))), 422),
        ("a form of many files", form(&post, 20_000, |i| part(&format!("name=\"f\"; filename=\"{i}\""))), 422),
        (
            "a form without an end",
            with_length(&post, "Content-Type: multipart/form-data; boundary=B\r\n", b"--B\r\n"),
            422,
        ),
        ("a form without a boundary", with_length(&post, "Content-Type: multipart/form-data\r\n", b"--B\r\n"), 422),
        ("a file named `..`", form(&post, 1, |_| part("name=\"f\"; filename=\"..\"")), 422),
        ("a file named like a path", form(&post, 1, |_| part("name=\"f\"; filename=\"../../../../etc/x\"")), 200),
        ("a token that is no text", request("GET /v1/hooks HTTP/1.1", "Authorization: Bearer \u{fe}\r\n", b""), 401),
    ];
    for (name, request, status) in cases {
        let answer = exchange(&server, &request, 1);
        let got = answer.split(' ').nth(1).unwrap_or_default();
        assert_eq!(got, status.to_string(), "{name}: {answer}\n{}", server.log());
    }
    let pipelined = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(20);
    let answers = exchange(&server, &[pipelined, get("/readyz", "")].concat(), 21);
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 21, "{answers}");
    let expects = request(&post, "Expect: 100-continue\r\nContent-Length: 1\r\n", b"a");
    let answer = exchange(&server, &expects, 2);
    assert!(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"), "{answer}");
    let scratch = data.path().join(".nbhook/scratch");
    eventually("the scratch folder is empty", || (count(&scratch) == 0).then_some(()));
    is_well(&server).await;
}

fn part(disposition: &str) -> String {
    format!("Content-Disposition: form-data; {disposition}\r\n\r\nx")
}

fn chunks(line: &str, number: usize, size: usize) -> Vec<u8> {
    let chunk = format!("{size:x}\r\n{}\r\n", "x".repeat(size));
    request(line, "Transfer-Encoding: chunked\r\n", (chunk.repeat(number) + "0\r\n\r\n").as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_reached_outside_of_what_a_user_owns() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let server = Server::start_with(&data, &SETTINGS);
    let document = notebook(&["1"]).to_string();
    for path in ["../x.ipynb", "/x.ipynb", "a/../../x.ipynb", "..\\x.ipynb/../../..", "a\0.ipynb", "", ".", "x.txt"] {
        let body = json!({"path": path, "notebook": notebook(&["1"])});
        let answer = server.api(Method::POST, "/v1/hooks").json(&body).send().await.unwrap();
        assert_eq!(problem(answer, 422).await["field"], "path", "{path}");
    }
    for name in ["../x", "/etc/x", "a/../../x", "", "..", "a\u{1}b", &"x".repeat(300), &"x/".repeat(2_000)] {
        let part = |text: &str, name: &str| Part::bytes(text.as_bytes().to_vec()).file_name(name.to_owned());
        let form = Form::new().text("meta", json!({"path": "x.ipynb"}).to_string());
        let form = form.part("notebook", part(&document, "x.ipynb")).part("dependency", part("evil", name));
        let answer = server.api(Method::POST, "/v1/hooks").multipart(form).send().await.unwrap();
        let refused = problem(answer, 422).await;
        assert!(refused["field"] == "dependency" || refused["field"] == "body", "{name}: {refused}");
    }
    for (query, field) in [
        ("path=../../etc", "path"),
        ("path=/etc/passwd", "path"),
        ("path=%00", "path"),
        ("owner=../admin", "owner"),
        ("limit=0", "limit"),
        ("limit=251", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("offset=-1", "offset"),
        ("offset=99999999999", "offset"),
    ] {
        let answer = server.api(Method::GET, &format!("/v1/hooks?{query}")).send().await.unwrap();
        assert_eq!(problem(answer, 422).await["field"], field, "{query}");
    }
    for query in ["since=yesterday", "hook='%20OR%201=1", "state=x"] {
        let answer = server.api(Method::GET, &format!("/v1/runs?{query}")).send().await.unwrap();
        problem(answer, 422).await;
    }
    assert_eq!(server.get("/v1/hooks?offset=4294967295&limit=250").await["items"], json!([]));
    let outside = files(folder.path()).into_iter().filter(|file| !file.starts_with(data.join(".nbhook")));
    let outside: Vec<_> = outside.collect();
    assert_eq!(outside, [data.join("admin.token")], "nothing was written");
    is_well(&server).await;
}

/// Whether the server has ended a connection, or answered on it.
fn is_over(connection: &mut TcpStream) -> bool {
    connection.set_nonblocking(true).unwrap();
    let read = connection.read(&mut [0; 1024]);
    !matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_and_many_clients_do_not_keep_others_out() {
    let data = TempDir::new().unwrap();
    let server = Server::start_with(data.path(), &SETTINGS);
    let hook = server.deploy("echo.ipynb", &notebook(&["1"]), json!({})).await;
    let mut slow: Vec<_> = (0..200).map(|_| connect(&server)).collect();
    for connection in &mut slow {
        connection.write_all(b"GET /healthz HTTP/1.1\r\nX: ").unwrap();
    }
    assert_eq!(ok(server.call(&hook, &[]).await).await["status"], "Done");
    tokio::task::block_in_place(|| {
        eventually("slow heads are given up", || {
            slow.retain_mut(|connection| !is_over(connection) && connection.write_all(b"x").is_ok());
            slow.is_empty().then_some(())
        });
    });
    // The queue has 12 places; those who take them and then do not go on lose them.
    let line = format!("POST /hooks/{} HTTP/1.1", url(&hook).rsplit('/').next().unwrap());
    let mut slow: Vec<_> = (0..12).map(|_| connect(&server)).collect();
    for connection in &mut slow {
        connection.write_all(&request(&line, "Content-Length: 1000\r\n", b"a")).unwrap();
    }
    tokio::task::block_in_place(|| {
        eventually("slow bodies are given up", || {
            slow.retain_mut(|connection| !is_over(connection));
            slow.is_empty().then_some(())
        });
    });
    assert_eq!(ok(server.call(&hook, &[]).await).await["status"], "Done");

    let calls: Vec<_> = (0..500).map(|_| server.calling(&hook, &[])).collect();
    let (mut done, mut refused) = (0, 0);
    for call in calls {
        let answer = call.await.unwrap().unwrap();
        match answer.status() {
            StatusCode::OK => done += 1,
            StatusCode::TOO_MANY_REQUESTS if answer.headers().contains_key("retry-after") => refused += 1,
            other => panic!("{other}: {}", answer.text().await.unwrap()),
        }
    }
    assert!(done >= 12 && refused > 0 && done + refused == 500, "{done} done, {refused} refused");
    is_well(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_called_cannot_act_as_the_caller() {
    let app = TestApp::start().await;
    let hook = app
        .deploy("a.ipynb", &notebook(&["from nbhook import webhook\nwebhook.respond_json(headers)"]), json!({}))
        .await;
    let inbox =
        ok(app.api(Method::POST, "/v1/inboxes").json(&json!({"auto_delete": false})).send().await.unwrap()).await;
    let inbox_url =
        inbox["url"].as_str().or(inbox["callbackUrl"].as_str()).unwrap_or_else(|| panic!("{inbox}")).to_owned();
    let at = app.member("ann").await;
    for (given, is_shown) in [
        (ADMIN, false),
        (at.as_str(), false),
        ("nbh_of-another-server", false),
        ("nbr_of-a-run", false),
        ("the callers own", true),
    ] {
        let send = |url: &str| {
            let cookies = "a=1; nbhook_session=hush-hush; b=2";
            let request = app.http.post(url).header("cookie", cookies).header("x-csrf-token", "hush-hush");
            request.bearer_auth(given).json(&json!({})).send()
        };
        let seen = ok(send(url(&hook)).await.unwrap()).await;
        assert_eq!(seen["authorization"].is_string(), is_shown, "{given}: {seen}");
        assert!(!seen.to_string().contains("hush-hush") && seen["cookie"].as_str().unwrap().contains("b=2"), "{seen}");
        ok(send(&inbox_url).await.unwrap()).await;
        let path = format!("/v1/inboxes/{}", inbox["uuid"].as_str().unwrap());
        let kept = app.get(&path).await.to_string();
        assert!(!kept.contains("hush-hush") && (is_shown || !kept.contains(given)), "{given}: {kept}");
    }
}
