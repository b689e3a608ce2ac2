//! Answers that are files: exact bytes, ranges, validators, and nothing from outside of the run's directory.

use reqwest::header::{ETAG, IF_NONE_MATCH, IF_RANGE, RANGE};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::app::{TestApp, fixture, header, notebook, ok, problem, run_of, run_python, url, write};
use crate::responses::{answer_with, check_guards};

/// A hook whose answer is every byte value, 200 times over, under an awkward name.
const ALL_BYTES: &str = "open('a.bin', 'wb').write(bytes(range(256)) * 200)";

fn all_bytes() -> Vec<u8> {
    (0..=255).collect::<Vec<u8>>().repeat(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_has_every_byte_and_its_parts_can_be_asked_for() {
    let app = TestApp::start().await;
    let answer = answer_with(
        "respond_file('a.bin', name='Größe \"1\" % ; 中.bin', media_type='application/x-thing', status=201)",
    );
    let hook = app.deploy("a.ipynb", &notebook(&[ALL_BYTES, &answer]), json!({})).await;
    let whole = app.call(&hook, &[]).await;
    check_guards(&whole);
    assert_eq!((whole.status().as_u16(), header(&whole, "content-type")), (201, "application/x-thing"));
    assert_eq!(
        header(&whole, "content-disposition"),
        "attachment; filename=\"Gr__e _1_ _ ; _.bin\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%221%22%20%25%20%3B%20%E4%B8%AD.bin"
    );
    assert_eq!((header(&whole, "content-length"), header(&whole, "accept-ranges")), ("51200", "bytes"));
    assert!(whole.bytes().await.unwrap() == all_bytes());
    for (range, content_range, from, to) in [
        ("bytes=0-0", "bytes 0-0/51200", 0, 1),
        ("bytes=255-511", "bytes 255-511/51200", 255, 512),
        ("bytes=51000-", "bytes 51000-51199/51200", 51000, 51200),
        ("bytes=-5", "bytes 51195-51199/51200", 51195, 51200),
        ("bytes=51199-99999", "bytes 51199-51199/51200", 51199, 51200),
    ] {
        let part = app.http.get(url(&hook)).header(RANGE, range).send().await.unwrap();
        check_guards(&part);
        assert_eq!((part.status().as_u16(), header(&part, "content-range")), (206, content_range), "{range}");
        assert_eq!(part.bytes().await.unwrap(), all_bytes()[from..to], "{range}");
    }
    let beyond = app.http.get(url(&hook)).header(RANGE, "bytes=51200-").send().await.unwrap();
    check_guards(&beyond);
    assert_eq!((beyond.status().as_u16(), header(&beyond, "content-range")), (416, "bytes */51200"));
    assert!(beyond.bytes().await.unwrap().is_empty());
    // Nothing else than a file has parts.
    let text = app.deploy("t.ipynb", &notebook(&[&answer_with("respond_text('whole')")]), json!({})).await;
    let text = app.http.get(url(&text)).header(RANGE, "bytes=0-1").send().await.unwrap();
    assert_eq!((text.status().as_u16(), text.text().await.unwrap()), (200, "whole".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_names_the_file_that_it_came_with() {
    let app = TestApp::start().await;
    let kept = "import os\nif not os.path.exists('a.bin') or int(globals().get('change', 0)):\n    ";
    let cells = [
        format!("{kept}{ALL_BYTES}"),
        "if int(globals().get('change', 0)) > 1:\n    open('a.bin', 'ab').write(b'more')".to_owned(),
        answer_with("respond_file('a.bin')"),
    ];
    let hook =
        app.deploy("a.ipynb", &notebook(&[&cells[0], &cells[1], &cells[2]]), json!({"workdir": "persistent"})).await;
    let first = app.call(&hook, &[]).await;
    let etag = first.headers()[ETAG].to_str().unwrap().to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "a strong one: {etag}");
    let ask = async |change: &str, headers: &[(&str, &str)]| -> Response {
        let request = app.http.get(url(&hook)).query(&[("change", change)]);
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send().await.unwrap()
    };
    let same = ask("0", &[(IF_NONE_MATCH.as_str(), &etag)]).await;
    check_guards(&same);
    assert_eq!((same.status(), header(&same, "etag")), (StatusCode::NOT_MODIFIED, etag.as_str()));
    assert!(same.bytes().await.unwrap().is_empty());
    let part = ask("0", &[(RANGE.as_str(), "bytes=1-2"), (IF_RANGE.as_str(), &etag)]).await;
    assert_eq!((part.status().as_u16(), part.bytes().await.unwrap().as_ref()), (206, [1, 2].as_slice()));
    // The next run writes the same anew: its parts fit those that the caller has.
    let again = ask("1", &[(RANGE.as_str(), "bytes=1-2"), (IF_RANGE.as_str(), &etag)]).await;
    assert_eq!((header(&again, "etag"), again.status().as_u16()), (etag.as_str(), 206));
    // Another content's would not.
    let changed = ask("2", &[(RANGE.as_str(), "bytes=1-2"), (IF_RANGE.as_str(), &etag)]).await;
    assert_ne!(header(&changed, "etag"), etag);
    assert_eq!((changed.status().as_u16(), changed.bytes().await.unwrap().len()), (200, 51204));
    assert_eq!(ask("0", &[(IF_NONE_MATCH.as_str(), &etag)]).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_comes_whole() {
    let app = TestApp::start().await;
    let write = "with open('big', 'wb') as f:\n    for i in range(200):\n        f.write(bytes([i]) * 262144)";
    let hook = app.deploy("a.ipynb", &notebook(&[write, &answer_with("respond_file('big')")]), json!({})).await;
    let mut response = app.call(&hook, &[]).await;
    check_guards(&response);
    assert_eq!(header(&response, "content-length"), "52428800");
    assert_eq!(header(&response, "content-type"), "application/octet-stream");
    let mut at = 0_usize;
    while let Some(chunk) = response.chunk().await.unwrap() {
        for byte in &chunk {
            assert!(usize::from(*byte) == at / 262_144, "byte {at}");
            at += 1;
        }
    }
    assert_eq!(at, 50 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_bundle_is_the_one_that_is_documented() {
    let app = TestApp::start().await;
    let hook = app.deploy_fixture("file_answer", json!({})).await;
    let body = app.call(&hook, &[]).await.bytes().await.unwrap();
    let digest = format!("{:x}", Sha256::digest(&body));
    assert_eq!(
        (body.len(), digest.as_str()),
        (3745, "128b90d68f777a17f5cf81251c17f314080b3c4112a16db8611e995346325c07")
    );
}

async fn deploy_with(app: &TestApp, path: &str, cells: &[&str], files: &[(&str, &[u8])]) -> Value {
    let meta = json!({"path": path, "params": {"inline": true}});
    ok(app.upload(&meta, notebook(cells).to_string().as_bytes(), files).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dependency_can_be_the_answer_and_is_whole_again_for_the_next_run() {
    let app = TestApp::start().await;
    let content: Vec<u8> = (0..=255).rev().collect();
    let cells = [
        "import os",
        &answer_with("respond_file('data/logo.png')"),
        "open('main.py', 'a').write('x'); os.listdir('data')",
    ];
    let files: [(&str, &[u8]); 2] = [("data/logo.png", &content), ("main.py", b"import sys")];
    let hook = deploy_with(&app, "reports/a.ipynb", &cells, &files).await;
    for _ in 0..2 {
        let response = app.call(&hook, &[]).await;
        assert_eq!((response.status().as_u16(), header(&response, "content-type")), (200, "image/png"));
        assert_eq!(header(&response, "content-disposition"), "inline; filename=\"logo.png\"");
        assert_eq!(response.bytes().await.unwrap(), content);
    }
    let spoil = [&answer_with("respond_file('main.py')"), "open('main.py', 'a').write('spoilt')"];
    let hook = deploy_with(&app, "reports/b.ipynb", &[spoil[1], spoil[0]], &files).await;
    for _ in 0..2 {
        assert_eq!(app.call(&hook, &[]).await.text().await.unwrap(), "import sysspoilt");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outside_of_the_runs_directory_is_given_out() {
    let app = TestApp::start().await;
    let secret = app.data.path().join("other-data.txt");
    write(&secret, b"root: the secret");
    let mark = "from IPython.display import display\nimport os\n\
                def mark(path): display({'text/plain': 'x'}, raw=True, metadata={'nbhook': {'response': {'kind': 'file', 'path': path}}})\n";
    let secret = secret.to_str().unwrap();
    let attempts = [
        answer_with("respond_file('/etc/passwd')"),
        format!("import os; os.symlink('/etc/passwd', 'report.txt')\n{}", answer_with("respond_file('report.txt')")),
        answer_with("respond_file('../../../other-data.txt')"),
        answer_with(&format!("respond_file({secret:?})")),
        answer_with("respond_file('../../nbhook.db')"),
        format!("{mark}mark('/proc/self/root/etc/passwd')"),
        format!("{mark}mark(os.getcwd() + '/../../../other-data.txt')"),
        format!("{mark}mark('/proc/%d/environ' % os.getpid())"),
        format!("{mark}os.makedirs('a'); os.symlink('/etc', 'a/b'); mark(os.getcwd() + '/a/b/passwd')"),
        format!("{mark}os.mkfifo('pipe'); mark(os.getcwd() + '/pipe')"),
        format!("{mark}os.mkdir('folder'); mark(os.getcwd() + '/folder')"),
        format!("{mark}mark(os.getcwd() + '/none')"),
        format!("{mark}mark('relative')"),
        format!("{mark}mark('/dev/zero')"),
        format!("{mark}mark('/dev/stdin\\0')"),
        // As naas marks a file.
        "from IPython.display import JSON, display\n\
         display(JSON({'path': '/etc/passwd'}, metadata={'naas_api': True, 'naas_type': 'text/plain'}))"
            .to_owned(),
    ];
    let data = app.data.path().file_name().unwrap().to_str().unwrap();
    for attempt in &attempts {
        let hook = app.deploy("a.ipynb", &notebook(&[attempt]), json!({})).await;
        let response = app.call(&hook, &[]).await;
        check_guards(&response);
        let run = run_of(&response);
        let problem = problem(response, 500).await;
        let text = problem.to_string();
        assert!(!text.contains("root:") && !text.contains("nologin") && !text.contains(data), "{attempt}: {text}");
        // The client itself refuses what is not there; the server what is not the run's.
        let kind = problem["type"].as_str().unwrap();
        assert!(kind.ends_with(":response-invalid") || problem["ename"] == "FileNotFoundError", "{attempt}: {text}");
        assert_eq!(app.get(&format!("/v1/runs/{run}")).await["state"], "failed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workbook_opens() {
    let app = TestApp::start().await;
    let hook = app.deploy("Zeiten.ipynb", &fixture("xlsx_answer"), json!({})).await;
    let workbook = app.call(&hook, &[("employee", "Zoë & Co")]).await.bytes().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xlsx");
    write(&path, &workbook);
    let read = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; \
                print(z.read('xl/worksheets/sheet1.xml').count('Zoë &amp; Co'.encode()))";
    assert_eq!(run_python(&["-c", read, path.to_str().unwrap()], "").trim(), "5");
}
