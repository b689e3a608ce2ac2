//! The manager's pages of runs: whose they are, and that what a notebook makes is never a part of them.

use reqwest::StatusCode;
use serde_json::json;

use crate::app::{ADMIN, TestApp, notebook, run_of};
use crate::manager::Visitor;

const TAG: &str = "<script>alert(1)</script>";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_notebook_makes_is_shown_as_text_or_in_a_frame_without_scripts() {
    let app = TestApp::start().await;
    let shows = format!("from IPython.display import HTML, display\nprint({TAG:?})\ndisplay(HTML({TAG:?}))");
    let raises = format!("raise ValueError({TAG:?})");
    let hook = app.deploy("<script>alert(1)<.ipynb", &notebook(&[&shows, &raises]), json!({})).await;
    let run = run_of(&app.call(&hook, &[("q", TAG)]).await);
    let visitor = Visitor::sign_in(&app, ADMIN).await;
    for path in ["/manager/runs".to_owned(), format!("/manager/runs/{run}")] {
        let page = visitor.page(&path).await;
        assert!(!page.contains("<script>alert"), "{path}");
        assert!(page.contains("&lt;script&gt;alert"), "{path}");
    }
    let frame = visitor.get(&format!("/manager/runs/{run}/frame")).send().await.unwrap();
    assert_eq!(frame.status(), StatusCode::OK);
    let policy = frame.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("sandbox; default-src 'none'") && !policy.contains("allow"), "{policy}");
    let html = frame.text().await.unwrap();
    assert!(html.contains("ValueError") && !html.contains("<script"));

    let visitor = Visitor::sign_in(&app, &app.member("eve").await).await;
    assert!(!visitor.page("/manager/runs").await.contains(&run));
    for path in [format!("/manager/runs/{run}"), format!("/manager/runs/{run}/frame")] {
        assert_eq!(visitor.get(&path).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    }
}
