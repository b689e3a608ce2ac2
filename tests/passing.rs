//! How parameters get into the notebook: where their cell goes, what of it is masked, and that nothing in it is ever code.

use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, COOKIE};
use serde_json::{Value, json};

use crate::app::{TestApp, eventually, form, notebook, ok, run_of, url};
use crate::parameters::echo;
use crate::responses::answer_with;

fn tag(mut notebook: Value, cell: usize, tag: &str) -> Value {
    notebook["cells"][cell]["metadata"]["tags"] = json!(["x", tag]);
    notebook
}

fn sources(output: &Value) -> Vec<(String, String)> {
    let cells = output["cells"].as_array().unwrap().iter();
    cells.map(|cell| (cell["metadata"]["tags"].to_string(), cell["source"].as_str().unwrap().to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parameters_cell_goes_where_it_belongs() {
    let app = TestApp::start().await;
    let answer = answer_with("respond_text(str(a))");
    let plain = || notebook(&["a = 'first'", "a = a.upper()", &answer]);
    let both = tag(
        tag(notebook(&["a = 'first'", "a = 'stale'", "a = a + '!'", &answer]), 0, "parameters"),
        1,
        "injected-parameters",
    );
    for (name, notebook, at, count, text) in [
        ("no tag: first of all", plain(), 0, 4, "FIRST"),
        ("after the first `parameters`", tag(tag(plain(), 0, "parameters"), 1, "parameters"), 1, 4, "PASSED"),
        ("in place of `injected-parameters`", tag(plain(), 1, "injected-parameters"), 1, 3, "passed"),
        ("after `parameters`, and the stale one goes", both, 1, 4, "passed!"),
    ] {
        let hook = app.deploy("a.ipynb", &notebook, json!({})).await;
        let response = app.call(&hook, &[("a", "passed")]).await;
        let run = run_of(&response);
        assert_eq!(response.text().await.unwrap(), text, "{name}");
        let output = app.get(&format!("/v1/runs/{run}/output")).await;
        let cells = sources(&output);
        assert_eq!(cells.len(), count, "{name}");
        assert_eq!(cells[at].0, "[\"injected-parameters\"]", "{name}: {cells:?}");
        assert!(cells[at].1.contains("a = \"passed\"") || cells[at].1.contains("a = 'passed'"), "{name}: {cells:?}");
        assert_eq!(cells.iter().filter(|(tags, _)| tags.contains("injected-parameters")).count(), 1, "{name}");
        let deployed = hook["histo"].as_str().unwrap();
        let kept = app.get(&format!("/v1/hooks/{}/versions/{deployed}/notebook", hook["id"].as_str().unwrap())).await;
        assert_eq!(kept["cells"], notebook["cells"], "{name}: the version itself is not touched");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_reach_the_kernel_and_stay_out_of_what_is_kept() {
    let app = TestApp::start().await;
    let secrets =
        ["of-the-header-1", "of-the-cookie-2", "of-the-query-3", "of-the-body-4", "of-the-key-5", "of-the-depth-6"];
    let cells = [
        "print(headers['authorization'], headers['cookie'], pin, body)",
        "got = [headers['authorization'], headers['cookie'], headers['x-api-key'], pin, password, body['deep'][0]['PIN']]",
        &answer_with("respond_notebook() if params['as'] == 'notebook' else webhook.respond_json(got)"),
    ];
    let hook = app.deploy("secret.ipynb", &notebook(&cells), json!({"sensitive": ["pin", "password"]})).await;
    let ask = async |kind: &str, accept: &str| {
        let request = app.http.post(url(&hook)).query(&[("as", kind), ("pin", secrets[2])]);
        let request =
            request.header(AUTHORIZATION, format!("Basic {}", secrets[0])).header(COOKIE, format!("s={}", secrets[1]));
        let body = json!({"password": secrets[3], "deep": [{"PIN": secrets[5]}], "open": "seen"});
        request.header("X-Api-Key", secrets[4]).header(ACCEPT, accept).json(&body).send().await.unwrap()
    };
    let response = ask("json", "*/*").await;
    let run = run_of(&response);
    let basic = format!("Basic {}", secrets[0]);
    let cookie = format!("s={}", secrets[1]);
    assert_eq!(ok(response).await, json!([basic, cookie, secrets[4], secrets[2], secrets[3], secrets[5]]));
    let kept = app.api(Method::GET, &format!("/v1/runs/{run}/output")).send().await.unwrap().text().await.unwrap();
    let ipynb = ask("notebook", "application/x-ipynb+json").await.text().await.unwrap();
    let page = ask("notebook", "text/html").await.text().await.unwrap();
    for (what, text) in [("the output", kept), ("the notebook", ipynb), ("the page", page)] {
        for secret in secrets {
            assert!(!text.contains(secret), "{what} has {secret}: {text}");
        }
        assert!(text.contains("***") && text.contains("seen"), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_passed_is_ever_run() {
    let app = TestApp::start().await;
    let hook = app.deploy("echo.ipynb", &echo(), json!({})).await;
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("pwned");
    let mark = mark.to_str().unwrap();
    let code = format!("__import__('os').system('touch {mark}')");
    let attempts: Vec<String> = [
        "{}",
        "';{};'",
        "\";{};\"",
        "\n{}\n",
        "\r{}\r",
        "\u{2028}{}\u{85}{}\u{c}{}",
        "'''\n{}\n'''",
        "\"\"\"\n{}\n\"\"\"",
        "\\';{}#",
        "\\\";{}#",
        "\\\n{}",
        "{{{}}}",
        "\0{}",
        "#\n{}",
        "f'{{{}}}'",
        "%system {}",
        "!{}",
        "\n!touch MARK\n",
        "\n%%bash\ntouch MARK\n",
        "`{}`",
        "$({})",
        "${{{}}}",
        "\u{1b}[0m{}",
        "x);{};(",
        "x]={};[",
        "\u{202e}{}",
    ]
    .iter()
    .map(|template| template.replace("{{", "{").replace("}}", "}").replace("{}", &code).replace("MARK", mark))
    .collect();
    let mut object = serde_json::Map::new();
    for (number, attempt) in attempts.iter().enumerate() {
        object.insert(format!("v{number}"), json!(attempt));
        object.insert(attempt.clone(), json!({attempt.clone(): [attempt]}));
        object.insert(format!("a{number};{code}"), json!(1));
        object.insert(format!("b{number}={code}"), json!(1));
    }
    let pairs: Vec<(&str, &str)> = attempts.iter().map(|attempt| (attempt.as_str(), attempt.as_str())).collect();
    let named: Vec<(String, &String)> =
        attempts.iter().enumerate().map(|(i, attempt)| (format!("v{i}"), attempt)).collect();

    let post = || app.http.post(url(&hook));
    let urlencoded = |body: String| post().header("content-type", "application/x-www-form-urlencoded").body(body);
    let printable = |text: &String| text.chars().all(|c| c.is_ascii() && !c.is_ascii_control());
    let mut with_headers = post();
    for (number, attempt) in attempts.iter().filter(|attempt| printable(attempt)).enumerate() {
        with_headers = with_headers.header(format!("x-h{number}"), attempt);
    }
    let parts: Vec<(&str, Option<&str>, &[u8])> =
        attempts.iter().map(|attempt| ("field", None, attempt.as_bytes())).collect();
    let (media_type, multipart) = form(&parts);
    // A file's name is a caller's text too.
    let (file_type, file) = form(&[("f", Some(&format!("';{code};'").replace('/', "")), b"x")]);
    let text = attempts.join("\n");
    for request in [
        post().query(&pairs).query(&named),
        urlencoded(serde_urlencoded::to_string(&pairs).unwrap()),
        urlencoded(serde_urlencoded::to_string(&named).unwrap()),
        post().json(&object),
        post().json(&attempts),
        with_headers,
        post().header("content-type", media_type).body(multipart),
        post().header("content-type", file_type).body(file),
        post().header("content-type", "text/plain").body(text.clone()),
        post().header("content-type", "application/octet-stream").body(text.clone()),
    ] {
        ok(request.send().await.unwrap()).await;
        assert!(!std::path::Path::new(mark).exists());
    }
    let answer = ok(post().json(&object).send().await.unwrap()).await;
    assert_eq!(answer["named"].as_object().unwrap().len(), attempts.len(), "each has its value: {answer}");
    // It would have been seen: the same code, run by a notebook.
    let hook = app.deploy("run.ipynb", &notebook(&[&code]), json!({})).await;
    ok(app.call(&hook, &[]).await).await;
    eventually("the code itself works", async || std::path::Path::new(mark).exists()).await;
}
