//! The manager's pages of assets and dependencies.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{ADMIN, FormPart, TestApp, form, header, ok};
use crate::manager::Visitor;

/// Adds as a page's script does.
async fn add(visitor: &Visitor<'_>, kind: &str, path: &str, files: &[(&str, &[u8])]) -> Value {
    let meta = json!({ "path": path }).to_string();
    let mut parts: Vec<FormPart<'_>> = vec![("meta", None, meta.as_bytes())];
    parts.extend(files.iter().map(|(name, content)| ("file", Some(*name), *content)));
    let (media_type, body) = form(&parts);
    let request = visitor.api(Method::POST, &format!("/v1/{kind}")).header("content-type", media_type);
    ok(request.body(body).send().await.unwrap()).await
}

fn place<'a>(stored: &'a Value, name: &str) -> &'a str {
    stored[name].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_files_page_has_its_versions_and_what_can_be_done_with_them() {
    let app = TestApp::start().await;
    let alice = app.member("alice").await;
    let visitor = Visitor::sign_in(&app, &alice).await;
    for (kind, next) in [("assets", "asset.add("), ("dependencies", "nbhook dependency add")] {
        let page = visitor.page(&format!("/manager/{kind}")).await;
        assert!(page.contains("Drop ") && page.contains(next) && page.contains("data-choose=\"files\""), "{page}");
    }
    let old = add(&visitor, "assets", "charts/<b>.html", &[("b.html", b"<p>old")]).await;
    let new = add(&visitor, "assets", "charts/<b>.html", &[("b.html", b"<p>new, and longer")]).await;
    let list = visitor.page("/manager/assets").await;
    let at = format!("/manager/assets/{}", place(&new, "id"));
    assert!(list.contains(&format!("href=\"{at}\"")) && list.contains("charts/&lt;b&gt;.html"), "{list}");
    assert!(!list.contains("Owner</th>") && list.contains(&format!("data-copy=\"{}\"", place(&new, "url"))), "{list}");

    let page = visitor.page(&at).await;
    let (first, live) = (place(&old, "histo"), place(&new, "histo"));
    for shown in [first, live, place(&new, "url"), place(&new, "sha256"), "6 B", "18 B", "not <code>inline</code>"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("<b>") && page.contains("data-fixed=\"charts/&lt;b&gt;.html\""), "{page}");
    let actions = |page: &str, histo: &str| {
        let row = page.split("<tr>").skip(1).find(|row| row.contains(&format!("mono\">{histo}<"))).unwrap();
        ["/promote\"", "\" data-confirm=\"Remove", "/content\""].map(|rest| row.contains(&format!("{histo}{rest}")))
    };
    assert_eq!(actions(&page, live), [false, false, true]);
    assert_eq!(actions(&page, first), [true, true, true]);
    let promote = format!("/v1/assets/{}/versions/{first}/promote", place(&new, "id"));
    assert_eq!(ok(visitor.api(Method::POST, &promote).send().await.unwrap()).await["histo"], first);
    assert_eq!(actions(&visitor.page(&at).await, live), [true, true, true]);
    let content = visitor.get(&format!("/manager/v1/assets/{}/versions/{first}/content", place(&new, "id")));
    let content = content.send().await.unwrap();
    assert!(header(&content, "content-disposition").starts_with("attachment"));
    assert_eq!(content.text().await.unwrap(), "<p>old");

    let bob = app.member("bob").await;
    let bobs = Visitor::sign_in(&app, &bob).await;
    for path in [at.clone(), at.replace("assets", "dependencies"), "/manager/assets/none".to_owned()] {
        assert_eq!(bobs.get(&path).send().await.unwrap().status(), StatusCode::NOT_FOUND, "{path}");
    }
    let admins = Visitor::sign_in(&app, ADMIN).await;
    let page = admins.page(&at).await;
    assert!(page.contains("data-owner=\"alice\" data-user=\"admin\""), "a version is added for its owner: {page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folders_page_tells_what_is_in_it_and_offers_no_download_of_it() {
    let app = TestApp::start().await;
    let visitor = Visitor::sign_in(&app, ADMIN).await;
    let file = add(&visitor, "dependencies", "r/lib", &[("lib", b"a file")]).await;
    let folder = add(&visitor, "dependencies", "r/lib", &[("./a<i>.py", b"a"), ("./sub/b.py", b"b")]).await;
    let at = format!("/manager/dependencies/{}", place(&folder, "id"));
    let page = visitor.page(&at).await;
    assert!(page.contains("<code>r</code> and in the folders above it") && page.contains("in 2 files"), "{page}");
    assert!(page.contains("<li class=\"mono\">a&lt;i&gt;.py</li><li class=\"mono\">sub/b.py</li>"), "{page}");
    assert!(page.contains("webkitdirectory") && page.contains("data-choose=\"folder\""), "{page}");
    assert!(page.contains(&format!("{}/content", place(&file, "histo"))), "{page}");
    assert!(!page.contains(&format!("{}/content", place(&folder, "histo"))), "{page}");
    let promote = format!("/v1/dependencies/{}/versions/{}/promote", place(&folder, "id"), place(&file, "histo"));
    ok(visitor.api(Method::POST, &promote).send().await.unwrap()).await;
    assert!(!visitor.page(&at).await.contains("What is in it"));
    for number in 0..26 {
        add(&visitor, "dependencies", &format!("many/{number}"), &[("x", b"x")]).await;
    }
    let list = visitor.page("/manager/dependencies").await;
    assert!(list.contains("?offset=25") && list.contains("many/25") && !list.contains("many/0<"), "{list}");
    assert!(visitor.page("/manager/dependencies?offset=25").await.contains("many/0<"));
}
