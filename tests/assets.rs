//! Assets and dependencies of owners: public URLs with validators, and what runs find beside them.

use reqwest::header::{ETAG, IF_NONE_MATCH, IF_RANGE, RANGE};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::app::{ADMIN, FormPart, TestApp, form, header, notebook, ok, problem, url};
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
    crate::app::eventually("nothing is left of what was sent", async || app.scratch().is_empty()).await;
}
