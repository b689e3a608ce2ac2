//! The manager's pages of runs: whose they are, what they tell, and that what a notebook makes is never a part of them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{ADMIN, TestApp, allow_local, eventually, notebook, ok, run_of};
use crate::manager::Visitor;
use crate::receiver::Receiver;
use crate::responses::answer_with;
use crate::tasks::{Signs, WAITS, ended, start};

const TAG: &str = "<script>alert(1)</script>";
const ESCAPED: &str = "&lt;script&gt;alert(1)&lt;/script&gt;";
const SECRET: &str = "open-sesame-42";

/// What a run's page shows of a cell, by its number in the deployed notebook from 0; `null`: of the parameters.
fn cell<'a>(page: &'a str, key: &str) -> &'a str {
    let from = page.split(&format!("id=\"cell-{key}\"")).nth(1).unwrap_or_else(|| panic!("no cell {key}: {page}"));
    from.split("</li>").next().unwrap()
}

/// The cells that have this state.
fn in_state(page: &str, state: &str) -> Vec<String> {
    let cells = page.split("<li class=\"card step").skip(1).map(|rest| rest.split("</li>").next().unwrap());
    let cells = cells.filter(|cell| cell.contains(&format!(">{state}</span>")));
    cells.map(|cell| cell.split("id=\"cell-").nth(1).unwrap().split('"').next().unwrap().to_owned()).collect()
}

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
    assert!(html.contains("id=\"cell-id=2\""), "each cell can be linked to, the parameters included");

    let visitor = Visitor::sign_in(&app, &app.member("eve").await).await;
    assert!(!visitor.page("/manager/runs").await.contains(&run));
    for path in [format!("/manager/runs/{run}"), format!("/manager/runs/{run}/frame")] {
        assert_eq!(visitor.get(&path).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_shows_its_cells_and_which_one_is_to_blame() {
    let app = TestApp::start().await;
    let shows = format!("# {TAG}\nimport sys\nprint({TAG:?})\nprint('\\033[31mred\\033[0m', file=sys.stderr)");
    let raises = format!("class Odd(Exception): pass\nraise Odd({TAG:?} + password)");
    let mut source = notebook(&[&shows, "", &raises, "never = 1"]);
    let markdown = json!({"cell_type": "markdown", "metadata": {}, "source": format!("# {TAG}")});
    source["cells"].as_array_mut().unwrap().insert(1, markdown);
    let hook = app.deploy("<script>alert(1)<.ipynb", &source, json!({"sensitive": ["password"]})).await;
    let run = run_of(&app.call(&hook, &[("q", TAG), ("password", SECRET)]).await);
    let page = Visitor::sign_in(&app, ADMIN).await.page(&format!("/manager/runs/{run}")).await;
    assert!(!page.contains("<script>alert") && !page.contains(SECRET) && !page.contains('\u{1b}'));

    let ran = |state| in_state(&page, state);
    assert_eq!((ran("ok"), ran("failed")), (vec!["null".to_owned(), "0".to_owned()], vec!["3".to_owned()]));
    assert_eq!((ran("skipped"), ran("not reached")), (vec!["2".to_owned()], vec!["4".to_owned()]));
    assert!(page.matches("card step").count() == 6 && page.matches("card step blame").count() == 1);
    let parameters = cell(&page, "null");
    assert!(parameters.contains("password = &quot;***&quot;") && parameters.contains(ESCAPED), "{parameters}");
    let first = cell(&page, "0");
    assert!(first.contains("Cell 1") && first.matches(ESCAPED).count() == 3, "source twice, output once: {first}");
    assert!(first.contains(">red\n") && first.contains(&format!("/manager/runs/{run}/frame#cell-id=1")), "{first}");
    assert!(cell(&page, "1").contains(&format!("# {ESCAPED}")), "Markdown is shown as it is written");
    let blamed = cell(&page, "3");
    assert!(blamed.contains(">Odd</strong>") && blamed.contains(&format!("{ESCAPED}***")), "{blamed}");
    let traceback = blamed.split("class=\"traceback\"").nth(1).unwrap();
    assert!(traceback.contains("Traceback (most recent call last)") && !traceback.contains("[0m"), "{traceback}");
    assert!(!cell(&page, "4").contains("<pre class=\"left"), "it left nothing");

    assert!(page.contains("href=\"#cell-3\">In cell 4</a>"));
    assert!(
        page.contains("500 <span class=\"mono\">application/problem+json")
            && page.contains("It is not kept: its caller")
    );
    let version = hook["histo"].as_str().unwrap();
    assert!(page.contains(&format!("/manager/hooks/{}?tab=versions#{version}", hook["id"].as_str().unwrap())));
    for event in ["run.queued", "run.started", "run.failed"] {
        assert!(page.contains(&format!(">{event}</a>")), "{event}");
    }
    assert!(page.contains("Nothing was sent to anybody"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_goes_on_shows_how_far_it_is_and_where_it_was_stopped() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    let source = notebook(&["print(1)", WAITS, "print(2)"]);
    let hook = app.deploy("waits.ipynb", &source, json!({"sensitive": ["password"]})).await;
    let mut query = signs.query("started").to_vec();
    query.extend([("password", SECRET.to_owned()), ("tag", TAG.to_owned())]);
    let run = start(&app, &hook, &query).await.id;
    signs.seen("started").await;
    let visitor = Visitor::sign_in(&app, ADMIN).await;
    let path = format!("/manager/runs/{run}");
    let page = visitor.page(&path).await;
    assert_eq!(
        (in_state(&page, "ok"), in_state(&page, "running")),
        (vec!["null".into(), "0".into()], vec!["1".into()])
    );
    assert_eq!(in_state(&page, "waiting"), ["2"]);
    assert!(page.contains(">2 of 4 cells</p>") && !page.contains("<iframe") && page.contains("not yet"));
    let parameters = cell(&page, "null");
    assert!(parameters.contains("&quot;***&quot;") && parameters.contains(ESCAPED) && !page.contains(SECRET));

    ok(visitor.api(Method::POST, &format!("/v1/runs/{run}/cancel")).send().await.unwrap()).await;
    let page = visitor.page(&path).await;
    assert_eq!(
        (in_state(&page, "ok"), in_state(&page, "stopped")),
        (vec!["null".into(), "0".into()], vec!["1".into()])
    );
    assert_eq!(in_state(&page, "not reached"), ["2"]);
    let record = app.get(&format!("/v1/runs/{run}")).await;
    let cells: Vec<_> =
        record["cells"].as_array().unwrap().iter().map(|cell| [&cell["cell"], &cell["status"]]).collect();
    let expected = [[Value::Null, json!("ok")], [json!(0), json!("ok")], [json!(1), json!("error")]];
    assert!(cells.iter().flatten().copied().eq(expected.iter().flatten()), "{record}");
    assert_eq!(record["cells_done"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_kept_and_what_was_sent_are_found_from_the_run() {
    let app = TestApp::start_with(allow_local).await;
    let receiver = Receiver::start().await;
    let owner = app.member("olga").await;
    let hook = app
        .deploy_as(&owner, "answers.ipynb", &notebook(&[&answer_with("respond_text('the answer')")]), json!({}))
        .await;
    let task = start(&app, &hook, &[("callbackUrl", receiver.url())]).await;
    ended(&app, &task).await;
    receiver.wait_for(1).await;
    let visitor = Visitor::sign_in(&app, &owner).await;
    let path = format!("/manager/runs/{}", task.id);
    let mut page = String::new();
    eventually("the delivery has come", async || {
        page = visitor.page(&path).await;
        page.contains(">delivered</span>")
    })
    .await;
    let result = format!("/v1/runs/{}/result", task.id);
    assert!(page.contains(&format!("href=\"/manager{result}\" download")) && page.contains("kept until"), "{page}");
    let answer = visitor.api(Method::GET, &result).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "the answer");
    assert!(page.contains("run.succeeded") && !page.contains("Nothing was sent"));

    let again = visitor.api(Method::POST, &format!("/v1/runs/{}/rerun", task.id)).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::ACCEPTED);
    let again = format!("/manager/runs/{}", run_of(&again));
    assert!(visitor.page(&again).await.contains(&format!("href=\"{path}\"")), "whose parameters it has");

    let id = hook["id"].as_str().unwrap();
    app.quiet().await;
    ok(app.api(Method::DELETE, &format!("/v1/hooks/{id}/outputs")).send().await.unwrap()).await;
    let page = visitor.page(&path).await;
    assert!(page.contains("Its output is not kept") && cell(&page, "0").contains("respond_text"), "what was deployed");
    assert_eq!(in_state(&page, "ok"), ["null", "0"]);
    ok(app.api(Method::DELETE, &format!("/v1/hooks/{id}")).send().await.unwrap()).await;
    let page = visitor.page(&path).await;
    assert!(page.contains("the hook was deleted") && cell(&page, "0").contains("no longer there"), "{page}");
}
