//! Versions, outputs and run records: listing, getting, promoting, clearing, deleting.

use std::path::PathBuf;

use chrono::{TimeZone, Utc};
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{TestApp, eventually, notebook, ok, problem, url, write};

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

/// A notebook that answers `word`.
fn says(word: &str) -> Value {
    notebook(&["from nbhook import webhook", &format!("webhook.respond_text('{word}')")])
}

async fn deploy(app: &TestApp, word: &str) -> (Value, String) {
    let hook = app.deploy("v.ipynb", &says(word), json!({})).await;
    let histo = text(&hook["histo"]).to_owned();
    (hook, histo)
}

async fn said(app: &TestApp, url: &str) -> String {
    app.http.get(url).send().await.unwrap().text().await.unwrap()
}

fn histos(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| text(&item["histo"])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_listed_promoted_pinned_and_cleared() {
    let app = TestApp::start().await;
    let (hook, a) = deploy(&app, "a").await;
    let (_, b) = deploy(&app, "b").await;
    let (_, c) = deploy(&app, "c").await;
    let (_, d) = deploy(&app, "d").await;
    let at = format!("/v1/hooks/{}/versions", text(&hook["id"]));

    let list = app.get(&at).await;
    assert_eq!(histos(&list), [&d, &c, &b, &a]);
    assert_eq!((&list["limit"], &list["offset"], &list["filters"]), (&json!(25), &json!(0), &json!({})));
    assert!(list["sort"].is_object(), "{list}");
    let page = app.get(&format!("{at}?limit=2&offset=1")).await;
    assert_eq!((histos(&page), &page["limit"], &page["offset"]), (vec![c.as_str(), &b], &json!(2), &json!(1)));
    assert_eq!(histos(&app.get(&format!("{at}?offset=9")).await), Vec::<&str>::new());
    for (field, query) in [("limit", "limit=0"), ("limit", "limit=251"), ("limit", "limit=x"), ("offset", "offset=-1")]
    {
        let refused = app.api(Method::GET, &format!("{at}?{query}")).send().await.unwrap();
        assert_eq!(problem(refused, 422).await["field"], field);
    }
    let one = app.get(&format!("{at}/{a}")).await;
    assert_eq!(one["live"], false);
    assert_eq!(one["size"], says("a").to_string().len());
    let bytes = app.api(Method::GET, &format!("{at}/{b}/notebook")).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes, app.kept()[&format!("admin/v.ipynb/{b}/notebook.ipynb")]);

    let promoted = ok(app.api(Method::POST, &format!("{at}/{b}/promote")).send().await.unwrap()).await;
    assert_eq!((text(&promoted["histo"]), &promoted["url"]), (b.as_str(), &hook["url"]));
    let live: Vec<_> = app.get(&at).await["items"].as_array().unwrap().iter().map(|v| v["live"].clone()).collect();
    assert_eq!(live, [false, false, true, false]);
    assert_eq!(said(&app, url(&hook)).await, "b");
    let pinned = format!("{}/versions/{c}", url(&hook));
    assert_eq!(said(&app, &pinned).await, "c");

    problem(app.api(Method::DELETE, &format!("{at}/{b}")).send().await.unwrap(), 409).await;
    let removed = ok(app.api(Method::DELETE, &format!("{at}/{a}")).send().await.unwrap()).await;
    assert_eq!(removed, json!({"removed": [a]}));
    assert!(!app.data.path().join("admin/v.ipynb").join(&a).exists());
    let mut removed = ok(app.api(Method::DELETE, &at).send().await.unwrap()).await;
    removed["removed"].as_array_mut().unwrap().sort_by(|x, y| text(x).cmp(text(y)));
    assert_eq!(removed, json!({"removed": [c, d]}), "newer ones are previous versions too, the live one is not");
    assert_eq!(histos(&app.get(&at).await), [&b]);
    assert_eq!(said(&app, url(&hook)).await, "b");
    problem(app.http.get(&pinned).send().await.unwrap(), 404).await;
    for (method, path) in [
        (Method::GET, format!("{at}/{c}")),
        (Method::GET, format!("{at}/{c}/notebook")),
        (Method::POST, format!("{at}/{c}/promote")),
        (Method::DELETE, format!("{at}/{c}")),
        (Method::GET, format!("{at}/..%2f..%2fadmin.token/notebook")),
    ] {
        problem(app.api(method, &path).send().await.unwrap(), 404).await;
    }
    assert_eq!(ok(app.api(Method::DELETE, &at).send().await.unwrap()).await, json!({"removed": []}));
    let (again, latest) = deploy(&app, "e").await;
    assert_eq!(url(&again), url(&hook));
    assert!(latest > d, "a histo is never given twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_and_runs_are_kept_listed_and_cleared() {
    let app = TestApp::start().await;
    let cells = ["n = int(n)", "print('dividing')", "from nbhook import webhook; webhook.respond_json(6 / n)", "'end'"];
    let hook = app.deploy("runs.ipynb", &notebook(&cells), json!({})).await;
    let at = format!("/v1/hooks/{}/outputs", text(&hook["id"]));
    let mut runs = Vec::new();
    for (n, status) in [("2", 200), ("0", 500), ("3", 200)] {
        let answer = app.call(&hook, &[("n", n)]).await;
        assert_eq!(answer.status(), status);
        runs.push(answer.headers()["x-nbhook-run"].to_str().unwrap().to_owned());
    }

    let good = app.get(&format!("/v1/runs/{}", runs[0])).await;
    let expected = json!({"id": runs[0], "hook": hook["id"], "version": hook["histo"], "state": "succeeded", "trigger": "http",
        "method": "GET", "error": null, "warnings": [], "cells_total": 5, "cells_done": 5});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&good[name], value, "{name}");
    }
    let time = |name: &str| chrono::DateTime::parse_from_rfc3339(text(&good[name])).unwrap();
    assert!(time("created_at") <= time("started_at") && time("started_at") <= time("finished_at"), "{good}");
    assert_eq!(good["duration_ms"], (time("finished_at") - time("started_at")).num_milliseconds());
    let bad = app.get(&format!("/v1/runs/{}", runs[1])).await;
    assert_eq!((&bad["state"], &bad["cells_done"]), (&json!("failed"), &json!(4)), "{bad}");
    let error = &bad["error"];
    assert_eq!(
        (&error["kind"], &error["ename"], &error["cell"]),
        (&json!("cell-error"), &json!("ZeroDivisionError"), &json!(2))
    );

    let list = app.get(&at).await;
    assert_eq!(
        list["items"].as_array().unwrap().iter().map(|o| text(&o["run"])).collect::<Vec<_>>(),
        [&*runs[2], &runs[1], &runs[0]]
    );
    let newest = &list["items"][0];
    let file = format!("admin/runs.ipynb/outputs/{}.ipynb", text(&newest["histo"]));
    assert_eq!(
        (&newest["state"], newest["size"].as_u64()),
        (&json!("succeeded"), Some(app.kept()[&file].len() as u64))
    );
    let output = app.api(Method::GET, &format!("{at}/{}", text(&newest["histo"]))).send().await.unwrap();
    assert_eq!(output.headers()["content-type"], "application/x-ipynb+json");
    assert_eq!(output.bytes().await.unwrap(), app.kept()[&file]);
    let executed = app.get(&format!("/v1/runs/{}/output", runs[1])).await;
    assert_eq!(executed["cells"][2]["outputs"][0]["text"], "dividing\n");
    assert_eq!(executed["cells"][3]["outputs"][0]["ename"], "ZeroDivisionError", "a failed run leaves an output too");

    let count = async |query: &str| app.get(&format!("/v1/runs?{query}")).await["items"].as_array().unwrap().len();
    let id = text(&hook["id"]);
    assert_eq!(count(&format!("hook={id}&state=failed")).await, 1);
    assert_eq!(
        count(&format!("hook={id}&since={}", text(&app.get(&format!("/v1/runs/{}", runs[2])).await["created_at"])))
            .await,
        1
    );
    assert_eq!(count("since=2999-01-01T00:00:00Z").await, 0);
    let shown = app.get("/v1/runs?since=2999-01-01T01:00:00%2B01:00").await;
    assert_eq!(shown["filters"]["since"], "2999-01-01T00:00:00.000Z");
    for (field, query) in [("state", "state=done"), ("hook", "hook=x"), ("since", "since=yesterday")] {
        let refused = app.api(Method::GET, &format!("/v1/runs?{query}")).send().await.unwrap();
        assert_eq!(problem(refused, 422).await["field"], field);
    }

    let gone = text(&newest["histo"]);
    let removed = ok(app.api(Method::DELETE, &format!("{at}/{gone}")).send().await.unwrap()).await;
    assert_eq!(removed, json!({"removed": [gone]}));
    for (method, path) in [
        (Method::GET, format!("{at}/{gone}")),
        (Method::DELETE, format!("{at}/{gone}")),
        (Method::GET, format!("/v1/runs/{}/output", runs[2])),
    ] {
        problem(app.api(method, &path).send().await.unwrap(), 404).await;
    }
    assert_eq!(ok(app.api(Method::DELETE, &at).send().await.unwrap()).await["removed"].as_array().unwrap().len(), 2);
    assert_eq!(
        app.kept().into_keys().filter(|name| name.contains("outputs")).collect::<Vec<_>>(),
        Vec::<String>::new()
    );
    assert_eq!(count(&format!("hook={id}")).await, 3, "the runs stay on record");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_hook_is_gone_at_once_and_its_path_is_free() {
    // The clock stands: what a new hook leaves must not meet what an old one left.
    let app = TestApp::start_at(Utc.with_ymd_and_hms(2025, 3, 9, 12, 0, 0).unwrap(), |_| {}).await;
    let (first, histo) = deploy(&app, "first").await;
    assert_eq!(said(&app, url(&first)).await, "first");
    let delete = async |hook: &Value, query: &str| {
        let at = format!("/v1/hooks/{}{query}", text(&hook["id"]));
        app.api(Method::DELETE, &at).send().await.unwrap()
    };
    problem(delete(&first, "?all=maybe").await, 422).await;
    assert_eq!(ok(delete(&first, "?all=false").await).await, json!({"success": true}));
    problem(app.http.get(url(&first)).send().await.unwrap(), 404).await;
    problem(app.http.get(format!("{}/versions/{histo}", url(&first))).send().await.unwrap(), 404).await;
    problem(delete(&first, "").await, 404).await;
    let kept = app.kept();
    assert_eq!(kept.len(), 2, "a version and an output stay: {:?}", kept.keys());

    let (second, _) = deploy(&app, "second").await;
    assert_ne!(url(&second), url(&first));
    assert_eq!(said(&app, url(&second)).await, "second");
    app.quiet().await;
    let now = app.kept();
    assert!(kept.iter().all(|(name, content)| now.get(name) == Some(content)), "what was kept was overwritten");
    assert_eq!(now.len(), 4, "{:?}", now.keys());

    ok(delete(&second, "").await).await;
    assert_eq!(app.kept().len(), 0, "all means all: {:?}", app.kept().keys());
    assert!(!app.data.path().join("admin").exists(), "empty folders stay behind");
    assert_eq!(app.get("/v1/hooks").await["items"], json!([]));
    assert_eq!(app.get("/v1/runs").await["items"].as_array().unwrap().len(), 2, "runs stay on record");
    let (third, _) = deploy(&app, "third").await;
    assert_eq!(said(&app, url(&third)).await, "third");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_deleted_during_its_run_still_answers_and_leaves_nothing() {
    let app = TestApp::start().await;
    let signals = tempfile::tempdir().unwrap();
    let wait = format!(
        "import pathlib, time\nhere = pathlib.Path({:?})\n(here / 'started').touch()\nwhile not (here / 'go').exists():\n    time.sleep(0.02)",
        signals.path()
    );
    let cells = [&*wait, "from nbhook import webhook", "webhook.respond_text('answered')"];
    let hook = app.deploy("deep/er/w.ipynb", &notebook(&cells), json!({"workdir": "persistent"})).await;
    let (http, at) = (app.http.clone(), url(&hook).to_owned());
    let call = tokio::spawn(async move { http.get(at).send().await.unwrap() });
    eventually("the run starts", async || signals.path().join("started").exists()).await;
    let deleted = app.api(Method::DELETE, &format!("/v1/hooks/{}", text(&hook["id"]))).send().await.unwrap();
    assert_eq!(deleted.status(), StatusCode::OK);
    // Another hook takes the path while the old one's run goes on: what the run leaves is not the new hook's.
    let new = app.deploy("deep/er/w.ipynb", &says("new"), json!({})).await;
    let kept = app.kept();
    write(&signals.path().join("go"), b"");
    let answer = call.await.unwrap();
    let run = answer.headers()["x-nbhook-run"].to_str().unwrap().to_owned();
    assert_eq!((answer.status(), answer.text().await.unwrap().as_str()), (StatusCode::OK, "answered"));
    assert_eq!(app.get(&format!("/v1/runs/{run}")).await["state"], "succeeded");
    app.quiet().await;
    problem(app.api(Method::GET, &format!("/v1/runs/{run}/output")).send().await.unwrap(), 404).await;
    assert_eq!(app.kept(), kept);
    assert_eq!(app.get(&format!("/v1/hooks/{}/outputs", text(&new["id"]))).await["items"], json!([]));
    ok(app.api(Method::DELETE, &format!("/v1/hooks/{}", text(&new["id"]))).send().await.unwrap()).await;
    assert!(!app.data.path().join("admin").exists(), "the folder came back");
    assert_eq!(app.scratch(), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_and_deploying_at_once_never_loses_what_is_deployed() {
    let app = TestApp::start().await;
    for round in 0..10 {
        let (hook, _) = deploy(&app, &format!("old{round}")).await;
        let at = format!("/v1/hooks/{}", text(&hook["id"]));
        let delete = async {
            app.api(Method::DELETE, &at).send().await.unwrap();
        };
        let redeploy = async {
            join_all((0..3).map(|_| deploy(&app, "new"))).await;
        };
        tokio::join!(delete, redeploy);
        for hook in app.get("/v1/hooks").await["items"].as_array().unwrap() {
            let versions = format!("/v1/hooks/{}/versions", text(&hook["id"]));
            for histo in histos(&app.get(&versions).await) {
                let got = app.api(Method::GET, &format!("{versions}/{histo}/notebook")).send().await.unwrap();
                assert_eq!(got.status(), 200, "round {round}: the files of a deployed version are gone");
            }
            let at = format!("/v1/hooks/{}", text(&hook["id"]));
            ok(app.api(Method::DELETE, &at).send().await.unwrap()).await;
        }
    }
}
