//! The manager's pages of hooks: what they show, and that whatever notebooks and people wrote is shown as text.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{ADMIN, TestApp, notebook, ok, url};
use crate::manager::Visitor;

/// Would run wherever it was not escaped: in text, in an attribute, in a script.
const EVIL: &str = "</textarea></title><script>alert(1)</script><img src=x onerror=alert(1)>\" onfocus=alert(1) x='";

fn page_of(hook: &Value) -> String {
    format!("/manager/hooks/{}", hook["id"].as_str().unwrap())
}

/// A notebook with a `parameters` cell.
fn with_parameters(source: &str, more: &[&str]) -> Value {
    let mut notebook = notebook(&[&[source], more].concat());
    notebook["cells"][0]["metadata"]["tags"] = json!(["parameters"]);
    notebook
}

/// Nothing on the page can run: it has the server's own scripts, and neither handlers nor styles in its tags.
fn assert_harmless(html: &str, of: &str) {
    let tags: Vec<&str> = html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()).collect();
    for tag in tags {
        let lower = tag.to_lowercase();
        let is_own = !lower.starts_with("script") || lower.contains(" src=\"/manager/static/");
        assert!(is_own && !lower.starts_with("img src=x"), "{of}: <{tag}>");
        // Outside of the values, which stand in quotes and have none in them.
        let outside: String = lower.split(['"', '\'']).step_by(2).collect();
        assert!(!outside.contains(" on") && !outside.contains(" style"), "{of}: <{tag}>");
    }
    assert!(!html.contains("<script>alert"), "{of}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_notebook_says_is_text_on_every_page() {
    let app = TestApp::start().await;
    let quoted = EVIL.replace('\\', "\\\\").replace('"', "\\\"");
    let source = format!(
        "from typing import Literal\nname: str = \"{quoted}\"  # {EVIL}\nkind: Literal[\"{quoted}\", \"b\"] = \"b\"  # {EVIL}\n\
         many: list[str] = [\"{quoted}\"]\nlines: str = \"a\\n{quoted}\""
    );
    let path = "<script>alert(1)<&script> \" onfocus=alert(1) x='.ipynb";
    let mut first = with_parameters(&source, &["1"]);
    let title = json!({"cell_type": "markdown", "metadata": {}, "source": format!("# {EVIL}\n\n{EVIL}")});
    first["cells"].as_array_mut().unwrap().insert(0, title);
    let callbacks = json!({"evil": {"{$callback_url}/paid": {"summary": EVIL, "body": {"enum": [EVIL]}}}});
    let params = json!({"env": {"EVIL": EVIL}, "sensitive": [EVIL]});
    let body = json!({"path": path, "notebook": first, "params": params, "callbacks": callbacks});
    let hook = ok(app.api(Method::POST, "/v1/hooks").json(&body).send().await.unwrap()).await;
    app.call(&hook, &[]).await;

    let visitor = Visitor::sign_in(&app, ADMIN).await;
    for tab in ["call", "runs", "versions", "callbacks", "settings", EVIL] {
        let query = serde_urlencoded::to_string([("tab", tab)]).unwrap();
        let html = visitor.page(&format!("{}?{query}", page_of(&hook))).await;
        assert_harmless(&html, tab);
        assert!(html.contains("&lt;script&gt;alert(1)"), "{tab} does not show it at all");
    }
    let search = serde_urlencoded::to_string([("q", "<script>alert(1)")]).unwrap();
    let html = visitor.page(&format!("/manager/hooks?{search}")).await;
    assert_harmless(&html, "the list");
    assert!(html.contains("value=\"&lt;script&gt;alert(1)\"") && html.contains(hook["id"].as_str().unwrap()));

    let mut second = first.clone();
    second["cells"][2]["source"] = json!(format!("{EVIL}\n1"));
    app.deploy(path, &second, json!({})).await;
    let html = visitor.page(&format!("{}/diff", page_of(&hook))).await;
    assert_harmless(&html, "the differences");
    assert!(html.contains("<ins>&lt;/textarea&gt;"), "{html}");
    let query = serde_urlencoded::to_string([("from", EVIL)]).unwrap();
    let wrong = visitor.get(&format!("{}/diff?{query}", page_of(&hook))).send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::NOT_FOUND);
    assert_harmless(&wrong.text().await.unwrap().replace("&#x2f;", "/"), "an error");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_on_no_page_of_a_hook() {
    let app = TestApp::start().await;
    let params = json!({"sensitive": ["pin"], "signature": {"scheme": "header", "secret": "hush-of-signing"}});
    let hook = app.deploy("s.ipynb", &with_parameters("pin: str = 'hush-of-pin'\nn: int = 1", &[]), params).await;
    let visitor = Visitor::sign_in(&app, ADMIN).await;
    for tab in ["call", "runs", "settings"] {
        let html = visitor.page(&format!("{}?tab={tab}", page_of(&hook))).await;
        assert!(!html.contains("hush-of"), "{tab}: {html}");
    }
    let html = visitor.page(&page_of(&hook)).await;
    assert!(html.contains("takes signed calls only") && !html.contains("id=\"try\""), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_is_on_its_owners_pages_only() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.member("alice").await, app.member("bob").await);
    let hook = app.deploy_as(&alice, "hers.ipynb", &notebook(&["1"]), json!({})).await;
    let histo = hook["histo"].as_str().unwrap();
    let bobs = Visitor::sign_in(&app, &bob).await;
    let place = page_of(&hook);
    for path in [place.clone(), format!("{place}?tab=settings"), format!("{place}/diff?from={histo}&to={histo}")] {
        let answer = bobs.get(&path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        let html = answer.text().await.unwrap();
        assert!(html.contains("<h1>Not Found</h1>") && !html.contains("hers.ipynb") && !html.contains(histo), "{html}");
    }
    assert!(!bobs.page("/manager/hooks?q=hers").await.contains("hers.ipynb"));
    let hers = Visitor::sign_in(&app, &alice).await;
    assert!(!hers.page("/manager/hooks").await.contains("Owner</th>"), "a member's hooks are all theirs");
    // A version of another hook is none of this one.
    let other = app.deploy_as(&alice, "other.ipynb", &notebook(&["2"]), json!({})).await;
    let mixed = format!("{place}/diff?from={}&to={histo}", other["histo"].as_str().unwrap());
    assert_eq!(hers.get(&mixed).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    let admins = Visitor::sign_in(&app, ADMIN).await;
    assert!(admins.page("/manager/hooks?q=alice").await.contains("hers.ipynb"), "an admin finds them by their owner");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_tells_how_the_last_runs_went() {
    let app = TestApp::start().await;
    let cells = with_parameters("n: int = 1", &["assert n > 0"]);
    let hook = app.deploy("reports/50%_off.ipynb", &cells, json!({})).await;
    let quiet = app.deploy("never.ipynb", &cells, json!({})).await;
    for n in ["1", "0", "2"].into_iter().chain(["3"; 20]) {
        app.call(&hook, &[("n", n)]).await;
    }
    let visitor = Visitor::sign_in(&app, ADMIN).await;
    let page = visitor.page("/manager/hooks").await;
    let row = |page: &str, id: &Value| {
        page.split("<tr").find(|row| row.contains(id.as_str().unwrap())).map(str::to_owned).unwrap()
    };
    assert!(row(&page, &quiet["id"]).contains("never run"));
    let busy = row(&page, &hook["id"]);
    // The first runs are too long ago to count.
    assert!(busy.contains("100 %") && busy.contains("20 of the last 20 runs"), "{busy}");
    assert_eq!(busy.matches("<rect").count(), 20);
    let last = app.get("/v1/runs?limit=1").await["items"][0]["id"].as_str().unwrap().to_owned();
    assert!(busy.contains(&format!("/manager/runs/{last}")) && busy.contains("succeeded"), "{busy}");
    app.call(&hook, &[("n", "0")]).await;
    let busy = row(&visitor.page("/manager/hooks").await, &hook["id"]);
    assert!(busy.contains("95 %") && busy.contains("failed"), "{busy}");
    for (search, found) in [("50%25_OFF", true), ("0_o", false), ("%25", true), ("nothing", false)] {
        let page = visitor.page(&format!("/manager/hooks?q={search}")).await;
        assert_eq!(page.contains(hook["id"].as_str().unwrap()), found, "{search}");
        assert!(!page.contains(quiet["id"].as_str().unwrap()), "{search}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hooks_page_calls_it_with_its_own_parameters_and_compares_its_versions() {
    let app = TestApp::start().await;
    let first = with_parameters("n: int = 5  # how many\nwho: str", &["print(n)"]);
    let hook = app.deploy("calls.ipynb", &first, json!({})).await;
    let visitor = Visitor::sign_in(&app, ADMIN).await;
    let html = visitor.page(&page_of(&hook)).await;
    assert!(html.contains(url(&hook)) && html.contains("name=\"params.n\"") && html.contains("how many"), "{html}");
    let place = url(&hook).strip_prefix(&app.url).unwrap();
    assert!(html.contains(&format!("data-place=\"{place}\"")), "{html}");
    assert!(html.contains("json={&quot;n&quot;: 5, &quot;who&quot;: &quot;text&quot;}"), "{html}");
    assert!(html.contains("-d &#x27;{&quot;n&quot;: 5, &quot;who&quot;: &quot;text&quot;}&#x27;"), "{html}");

    let second = with_parameters("n: int = 5  # how many\nwho: str", &["print(n + 1)"]);
    let second = app.deploy("calls.ipynb", &second, json!({})).await;
    let html = visitor.page(&format!("{}/diff", page_of(&hook))).await;
    assert!(html.contains("<del>print(n)</del>") && html.contains("<ins>print(n + 1)</ins>"), "{html}");
    assert!(html.contains("1 unchanged cell<"), "{html}");
    let (old, new) = (hook["histo"].as_str().unwrap(), second["histo"].as_str().unwrap());
    let html = visitor.page(&format!("{}/diff?from={new}&to={old}", page_of(&hook))).await;
    assert!(html.contains("<del>print(n + 1)</del>") && html.contains("<ins>print(n)</ins>"), "{html}");
    let versions = visitor.page(&format!("{}?tab=versions", page_of(&hook))).await;
    assert!(
        versions.contains(&format!("/versions/{old}/promote"))
            && !versions.contains(&format!("/versions/{new}/promote"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_those_of_the_hook_and_their_form_can_be_sent_back() {
    let app = TestApp::start().await;
    let params = json!({"timeout": 7, "mode": "async", "cors": ["https://a.example"], "notif_down": ["a@b.c"],
        "keep_runs": {"count": 3}, "strict": true});
    let hook = app.deploy("set.ipynb", &notebook(&["1"]), params).await;
    let visitor = Visitor::sign_in(&app, ADMIN).await;
    let html = visitor.page(&format!("{}?tab=settings", page_of(&hook))).await;
    for shown in [
        "value=\"7\"",
        "<option value=\"async\" selected>",
        "value=\"https://a.example\"",
        "value=\"a@b.c\"",
        "value=\"3\"",
    ] {
        assert!(html.contains(shown), "{shown} is missing: {html}");
    }
    // Every field of the form is a parameter of hooks: what a browser sends of them is taken.
    let names: Vec<&str> =
        html.split("name=\"params.").skip(1).map(|rest| rest.split(['"', '.']).next().unwrap()).collect();
    let shown = hook["params"].as_object().unwrap();
    for name in &names {
        assert!(shown.contains_key(*name), "{name}");
    }
    for name in shown.keys() {
        assert!(names.contains(&name.as_str()), "{name} cannot be set");
    }
}
