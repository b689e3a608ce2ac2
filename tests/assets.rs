//! Assets and dependencies of owners: public URLs with validators, and what runs find beside them.

use reqwest::header::{ETAG, IF_NONE_MATCH, IF_RANGE, RANGE};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::app::{ADMIN, FormPart, TestApp, eventually, form, header, notebook, ok, problem, url, write};
use crate::responses::answer_with;

async fn add(app: &TestApp, token: &str, kind: &str, meta: &Value, files: &[(&str, &[u8])]) -> Response {
    let meta = meta.to_string();
    let mut parts: Vec<FormPart<'_>> = vec![("meta", None, meta.as_bytes())];
    parts.extend(files.iter().map(|(name, content)| ("file", Some(*name), *content)));
    let (media_type, body) = form(&parts);
    let request = app.api_as(token, Method::POST, &format!("/v1/{kind}")).header("content-type", media_type);
    request.body(body).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asset_has_a_public_url_with_validators_and_versions() {
    let app = TestApp::start().await;
    let page = json!({"path": "charts/a.html", "params": {"inline": true}});
    let first = ok(add(&app, ADMIN, "assets", &page, &[("a.html", b"<p>0123456789")]).await).await;
    let get = async |at: &str, headers: &[(&str, &str)]| {
        let mut request = app.http.get(at);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    };
    let whole = get(url(&first), &[]).await;
    let etag = header(&whole, ETAG.as_str()).to_owned();
    assert_eq!(etag, format!("\"{}\"", first["sha256"].as_str().unwrap()));
    assert_eq!(header(&whole, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&whole, "content-disposition"), "inline; filename=\"a.html\"");
    assert_eq!(
        (header(&whole, "cache-control"), header(&whole, "x-content-type-options")),
        ("public, no-cache", "nosniff")
    );
    assert!(header(&whole, "content-security-policy").starts_with("sandbox "));
    assert_eq!(header(&whole, "access-control-allow-origin"), "*");
    assert_eq!(whole.text().await.unwrap(), "<p>0123456789");
    assert_eq!(get(url(&first), &[(IF_NONE_MATCH.as_str(), &etag)]).await.status(), 304);
    let part = get(url(&first), &[(RANGE.as_str(), "bytes=3-5"), (IF_RANGE.as_str(), &etag)]).await;
    assert_eq!((part.status().as_u16(), part.text().await.unwrap().as_str()), (206, "012"));
    assert_eq!(get(url(&first), &[(RANGE.as_str(), "bytes=99-")]).await.status(), 416);
    let head = app.http.head(url(&first)).send().await.unwrap();
    assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, "13"));

    let second = ok(add(&app, ADMIN, "assets", &json!({"path": "charts/a.html"}), &[("a", b"new")]).await).await;
    assert_eq!((&second["url"], &second["id"]), (&first["url"], &first["id"]));
    let changed = get(url(&first), &[(RANGE.as_str(), "bytes=3-5"), (IF_RANGE.as_str(), &etag)]).await;
    assert_eq!(header(&changed, "content-disposition"), "attachment; filename=\"a.html\"");
    assert_eq!((changed.status().as_u16(), changed.text().await.unwrap().as_str()), (200, "new"));
    let set = async |change: Value| {
        app.api(Method::PATCH, &format!("/v1/assets/{}", first["id"].as_str().unwrap()))
            .json(&change)
            .send()
            .await
            .unwrap()
    };
    ok(set(json!({"params": {"inline": true}})).await).await;
    assert_eq!(header(&get(url(&first), &[]).await, "content-disposition"), "inline; filename=\"a.html\"");
    for wrong in [
        json!({}),
        json!({"params": {}}),
        json!({"params": {"inline": "yes"}}),
        json!({"params": {"inline": true}, "path": "b"}),
    ] {
        problem(set(wrong).await, 422).await;
    }
    let pinned = format!("{}/versions/{}", url(&first), first["histo"].as_str().unwrap());
    assert_eq!(get(&pinned, &[]).await.text().await.unwrap(), "<p>0123456789");
    let at = format!("/v1/assets/{}", first["id"].as_str().unwrap());
    let live = format!("{at}/versions/{}", second["histo"].as_str().unwrap());
    problem(app.api(Method::DELETE, &live).send().await.unwrap(), 409).await;
    let removed = ok(app.api(Method::DELETE, &format!("{at}/versions")).send().await.unwrap()).await;
    assert_eq!(removed, json!({"removed": [first["histo"]]}));
    assert_eq!(get(&pinned, &[]).await.status(), 404);

    let page = crate::manager::Visitor::sign_in(&app, ADMIN).await.page("/manager/assets").await;
    assert!(page.contains("charts/a.html") && page.contains(url(&first)), "{page}");

    let forced = json!({"path": "charts/a.html", "force": true});
    let forced = ok(add(&app, ADMIN, "assets", &forced, &[("a", b"new")]).await).await;
    assert_ne!(forced["url"], first["url"]);
    assert_eq!(get(url(&first), &[]).await.status(), 404);
    ok(app.api(Method::DELETE, &at).send().await.unwrap()).await;
    assert_eq!(get(url(&forced), &[]).await.status(), 404);
    let files = app.data.path().join(".nbhook/files").join(first["id"].as_str().unwrap());
    assert!(!files.exists() && app.scratch().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_find_their_owners_dependencies_and_their_own_first() {
    let app = TestApp::start().await;
    let bob = app.member("bob").await;
    let give = async |token: &str, path: &str, files: &[(&str, &[u8])]| {
        ok(add(&app, token, "dependencies", &json!({ "path": path }), files).await).await
    };
    let regions = give(ADMIN, "reports/data/regions.csv", &[("regions.csv", b"one")]).await;
    give(ADMIN, "reports/lib", &[("a.py", b"A"), ("sub/b.py", b"B"), ("own.py", b"owners")]).await;
    give(ADMIN, "other/c.csv", &[("c.csv", b"C")]).await;
    give(&bob, "reports/bobs.csv", &[("bobs.csv", b"bob")]).await;
    let list = "import os; found = {os.path.relpath(os.path.join(p, f)): open(os.path.join(p, f)).read() \
                for p, _, fs in os.walk('.') for f in fs}; open('data/regions.csv', 'a').write('spoilt')";
    let cells = notebook(&[list, &answer_with("respond_json(found)")]);
    for workdir in ["scratch", "persistent"] {
        let meta = json!({"path": format!("reports/{workdir}.ipynb"), "params": {"workdir": workdir}});
        let own: [(&str, &[u8]); 1] = [("lib/own.py", b"own")];
        let hook = ok(app.upload(&meta, cells.to_string().as_bytes(), &own).await).await;
        let found = json!({"data/regions.csv": "one", "lib/a.py": "A", "lib/sub/b.py": "B", "lib/own.py": "own"});
        for _ in 0..2 {
            assert_eq!(ok(app.call(&hook, &[]).await).await, found, "{workdir}");
        }
        give(ADMIN, "reports/data/regions.csv", &[("regions.csv", b"two")]).await;
        assert_eq!(ok(app.call(&hook, &[]).await).await["data/regions.csv"], "two", "{workdir}");
        give(ADMIN, "reports/data/regions.csv", &[("regions.csv", b"one")]).await;
    }
    let at = format!("/v1/dependencies/{}/versions", regions["id"].as_str().unwrap());
    assert_eq!(app.get(&at).await["items"].as_array().unwrap().len(), 5);
    let content = app.api(Method::GET, &format!("{at}/{}/content", regions["histo"].as_str().unwrap()));
    assert_eq!(content.send().await.unwrap().text().await.unwrap(), "one");
    for (path, files) in [
        ("../x", vec![("x", b"x".as_slice())]),
        ("/etc/passwd", vec![("x", b"x".as_slice())]),
        ("lib", vec![("../x", b"x".as_slice()), ("y", b"y".as_slice())]),
        ("lib", vec![("x", b"x".as_slice()), ("x/y", b"y".as_slice())]),
        ("lib", vec![]),
    ] {
        problem(add(&app, ADMIN, "dependencies", &json!({ "path": path }), &files).await, 422).await;
    }
    eventually("nothing is left of what was sent", async || app.scratch().is_empty()).await;
}

/// Publishes what it made in its folder, looks at it and at what it published before, and answers with the link.
const PUBLISHES: &str = r"
import os
os.makedirs('charts', exist_ok=True)
open('charts/chart.html', 'w').write(f'<h1>{text}</h1>')
link = asset.add('charts/chart.html', params={'inline': True})
os.chdir('charts')
assert asset.find('chart.html') == link == asset.find('reports/charts/chart.html')
assert open(asset.get('chart.html')).read() == f'<h1>{text}</h1>'
versions = [row['live'] for row in asset.list('chart.html')]
paths = sorted(row['path'] for row in asset.currents())
webhook.respond_json({'link': link, 'versions': versions, 'paths': paths, 'token': os.environ['NBHOOK_RUN_TOKEN']}, early=True)
import time
while wait and not os.path.exists(wait): time.sleep(0.01)
";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_publishes_files_for_its_owner_and_touches_nobody_elses() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.member("alice").await, app.member("bob").await);
    let cells = notebook(&["from nbhook import asset, dependency, webhook\nwait = globals().get('wait')", PUBLISHES]);
    let hook = app.deploy_as(&alice, "reports/sales.ipynb", &cells, json!({})).await;
    let first = ok(app.call(&hook, &[("text", "one")]).await).await;
    let link = first["link"].as_str().unwrap();
    assert!(link.starts_with(&format!("{}/assets/", app.url)), "{first}");
    let shown = app.http.get(link).send().await.unwrap();
    assert_eq!(header(&shown, "content-disposition"), "inline; filename=\"chart.html\"");
    assert_eq!(shown.text().await.unwrap(), "<h1>one</h1>");
    let again = ok(app.call(&hook, &[("text", "two")]).await).await;
    assert_eq!((&again["link"], &again["versions"]), (&first["link"], &json!([true, false])), "the same place");
    assert_eq!(again["paths"], json!(["reports/charts/chart.html"]), "beside the notebook");
    let hers = ok(app.api_as(&alice, Method::GET, "/v1/assets").send().await.unwrap()).await["items"][0].clone();
    assert_eq!((&hers["owner"], &hers["url"]), (&json!("alice"), &first["link"]));

    // Another owner's run, at the same path.
    let gate = app.data.path().join("gate");
    let his = app.deploy_as(&bob, "reports/sales.ipynb", &cells, json!({})).await;
    let his = ok(app.call(&his, &[("text", "bob's"), ("wait", gate.to_str().unwrap())]).await).await;
    assert_ne!(his["link"], first["link"]);
    assert_eq!((&his["versions"], &his["paths"]), (&json!([true]), &json!(["reports/charts/chart.html"])));
    let token = his["token"].as_str().unwrap();
    let at = format!("/v1/assets/{}", hers["id"].as_str().unwrap());
    let version = format!("{at}/versions/{}", hers["histo"].as_str().unwrap());
    for (method, path) in [
        (Method::GET, at.clone()),
        (Method::DELETE, at.clone()),
        (Method::GET, format!("{at}/versions")),
        (Method::DELETE, format!("{at}/versions")),
        (Method::DELETE, version.clone()),
        (Method::GET, format!("{version}/content")),
    ] {
        problem(app.api_as(token, method, &path).send().await.unwrap(), 404).await;
    }
    problem(app.api_as(token, Method::POST, &format!("{version}/promote")).send().await.unwrap(), 401).await;
    let for_her = json!({"path": "reports/charts/chart.html", "owner": "alice"});
    problem(add(&app, token, "assets", &for_her, &[("a", b"evil")]).await, 403).await;
    problem(add(&app, token, "dependencies", &json!({"path": "a.csv"}), &[("a", b"a")]).await, 401).await;
    ok(app.api_as(token, Method::GET, "/v1/dependencies").send().await.unwrap()).await;
    write(&gate, b"");
    app.quiet().await;
    problem(app.api_as(token, Method::GET, "/v1/assets").send().await.unwrap(), 401).await;
    assert_eq!(app.http.get(link).send().await.unwrap().text().await.unwrap(), "<h1>two</h1>");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_reads_dependencies_and_sets_none_back() {
    let app = TestApp::start().await;
    ok(add(&app, ADMIN, "dependencies", &json!({"path": "r/data.csv"}), &[("data.csv", b"1")]).await).await;
    let reads = "import io, contextlib\nsaid = io.StringIO()\nwith contextlib.redirect_stdout(said):\n    \
        added = dependency.add('data.csv')\n    copy = dependency.get('data.csv')\n\
        webhook.respond_json([added, said.getvalue(), open(copy).read(), len(dependency.list('data.csv')), \
        [row['path'] for row in dependency.currents()]])";
    let cells = notebook(&["from nbhook import dependency, webhook", reads]);
    let hook = app.deploy("r/a.ipynb", &cells, json!({})).await;
    let told = ok(app.call(&hook, &[]).await).await;
    let said = told[1].as_str().unwrap();
    assert!(said.starts_with("dependency.add() does nothing here"), "{told}");
    assert_eq!(
        (&told[0], &told[2], &told[3], &told[4]),
        (&Value::Null, &json!("1"), &json!(1), &json!(["r/data.csv"]))
    );
}

/// Waits for a file, and then answers with all that lies beside the notebook.
const WAITS_AND_READS: &str = "import os, time
if start: open(start, 'w').close()
while gate and not os.path.exists(gate): time.sleep(0.01)
found = {os.path.relpath(os.path.join(p, f)): open(os.path.join(p, f)).read() for p, _, fs in os.walk('.') for f in fs}";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_has_begun_keeps_the_version_that_it_began_with_in_whole() {
    // Of each, only the last version is kept: the one that the run began with is gone from the server.
    let app = TestApp::start_with(|settings| settings.files.versions = 1).await;
    let lib = async |text: &[u8]| {
        ok(add(&app, ADMIN, "dependencies", &json!({"path": "r/lib"}), &[("a/b.txt", text), ("c.txt", text)]).await)
            .await
    };
    let file = async |text: &[u8]| {
        ok(add(&app, ADMIN, "dependencies", &json!({"path": "r/d.txt"}), &[("d.txt", text)]).await).await
    };
    tokio::join!(lib(b"old"), file(b"old"));
    let cells = notebook(&[WAITS_AND_READS, &answer_with("respond_json(found)")]);
    let hook = app.deploy("r/a.ipynb", &cells, json!({})).await;
    let (start, gate) = (app.data.path().join("started"), app.data.path().join("gate"));
    let query = [("start", start.to_str().unwrap()), ("gate", gate.to_str().unwrap())];
    let began = tokio::spawn(app.http.get(url(&hook)).query(&query).send());
    eventually("the run has begun", async || start.exists()).await;
    tokio::join!(lib(b"new"), file(b"new"));
    write(&gate, b"");
    let found = |text: &str| json!({"lib/a/b.txt": text, "lib/c.txt": text, "d.txt": text});
    assert_eq!(ok(began.await.unwrap().unwrap()).await, found("old"));
    assert_eq!(ok(app.call(&hook, &[("start", ""), ("gate", "")]).await).await, found("new"));

    // While one version after the other takes the last one's place, every run has one of them in whole.
    let adding = async {
        for number in 0..40 {
            lib(format!("{number} ").repeat(50_000).as_bytes()).await;
        }
    };
    let answers = futures_util::future::join_all((0..8).map(|_| app.call(&hook, &[("start", ""), ("gate", "")])));
    for answer in tokio::join!(adding, answers).1 {
        let found = ok(answer).await;
        assert_eq!(found["lib/a/b.txt"], found["lib/c.txt"]);
        assert_eq!(found.as_object().unwrap().len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_and_a_folder_that_no_run_could_have_both_are_refused_when_they_are_added() {
    let app = TestApp::start().await;
    let bob = app.member("bob").await;
    let give = async |token: &str, path: &str, names: &[&str]| {
        let files: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, b"x".as_slice())).collect();
        add(&app, token, "dependencies", &json!({ "path": path }), &files).await
    };
    let refused = async |response: Response, field: &str, paths: [&str; 2]| {
        let told = problem(response, 422).await;
        assert_eq!(told["field"], field, "{told}");
        assert!(paths.iter().all(|path| told["detail"].as_str().unwrap().contains(&format!("`{path}`"))), "{told}");
    };
    ok(give(ADMIN, "r/data/x.csv", &["x.csv"]).await).await;
    ok(give(&bob, "r/data", &["data"]).await).await; // another owner's runs
    refused(give(ADMIN, "r/data", &["data"]).await, "path", ["r/data", "r/data/x.csv"]).await;
    refused(give(ADMIN, "r", &["r"]).await, "path", ["r", "r/data/x.csv"]).await;
    refused(give(ADMIN, "r/data/x.csv/y", &["y"]).await, "path", ["r/data/x.csv", "r/data/x.csv/y"]).await;
    refused(give(ADMIN, "r", &["a", "data"]).await, "path", ["r/data", "r/data/x.csv"]).await;
    refused(give(ADMIN, "r/data", &["x.csv/y"]).await, "path", ["r/data/x.csv", "r/data/x.csv/y"]).await;
    assert_eq!(app.get("/v1/dependencies?owner=admin").await["items"].as_array().unwrap().len(), 1, "nothing is left");
    assert_eq!(std::fs::read_dir(app.data.path().join(".nbhook/files")).unwrap().count(), 2);

    // A folder with the same file is fine, also in a run: what lies deeper wins.
    let folder = ok(give(ADMIN, "r/data", &["x.csv", "z.csv"]).await).await;
    let at = format!("/v1/dependencies/{}", folder["id"].as_str().unwrap());
    let file = app.get("/v1/dependencies?path=r/data/x.csv").await["items"][0].clone();
    ok(app.api(Method::DELETE, &format!("/v1/dependencies/{}", file["id"].as_str().unwrap())).send().await.unwrap())
        .await;
    let now_a_file = ok(give(ADMIN, "r/data", &["data"]).await).await;
    // Back to the folder, which a new file fits into; and then it cannot be the file again.
    let promote = async |histo: &Value| {
        let path = format!("{at}/versions/{}/promote", histo.as_str().unwrap());
        app.api(Method::POST, &path).send().await.unwrap()
    };
    assert_eq!(ok(promote(&folder["histo"]).await).await["histo"], folder["histo"]);
    ok(give(ADMIN, "r/data/y.csv", &["y.csv"]).await).await;
    refused(promote(&now_a_file["histo"]).await, "histo", ["r/data", "r/data/y.csv"]).await;
    problem(promote(&json!("20200101000000000000")).await, 404).await;
    let hook =
        app.deploy("r/a.ipynb", &notebook(&[WAITS_AND_READS, &answer_with("respond_json(found)")]), json!({})).await;
    let found = ok(app.call(&hook, &[("start", ""), ("gate", "")]).await).await;
    assert_eq!(found, json!({"data/x.csv": "x", "data/z.csv": "x", "data/y.csv": "x"}));
    // The next version comes behind the last one, not behind the live one.
    let next = ok(give(ADMIN, "r/data", &["./x.csv"]).await).await;
    assert!(next["histo"].as_str() > now_a_file["histo"].as_str(), "{next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persistent_folder_is_no_obstacle_to_a_file_that_became_a_folder() {
    let app = TestApp::start().await;
    let give =
        async |path: &str| ok(add(&app, ADMIN, "dependencies", &json!({ "path": path }), &[("f", b"x")]).await).await;
    let cells = notebook(&[WAITS_AND_READS, &answer_with("respond_json(found)")]);
    let hook = app.deploy("a.ipynb", &cells, json!({"workdir": "persistent"})).await;
    for path in ["data", "data/x.csv", "data"] {
        let given = give(path).await;
        assert_eq!(ok(app.call(&hook, &[("start", ""), ("gate", "")]).await).await, json!({ path: "x" }));
        let at = format!("/v1/dependencies/{}", given["id"].as_str().unwrap());
        let content = format!("{at}/versions/{}/content", given["histo"].as_str().unwrap());
        ok(app.api(Method::DELETE, &at).send().await.unwrap()).await;
        problem(app.api(Method::GET, &content).send().await.unwrap(), 404).await;
    }
}
