//! The contract: what a deploy reads in the `parameters` cell, and what calls may pass.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{FormPart, TestApp, eventually, fixture, form, notebook, ok, problem, url};
use crate::cli::User;

/// A notebook whose first cell is tagged `parameters` and whose last answers the `repr` of these names.
fn echoing(parameters: &str, names: &str) -> Value {
    let answer = format!(
        "from nbhook import webhook\nwebhook.respond_json({{name: repr(globals().get(name)) for name in {names:?}.split()}})"
    );
    let mut notebook = notebook(&[parameters, &answer]);
    notebook["cells"][0]["metadata"]["tags"] = json!(["parameters"]);
    notebook
}

/// The errors of a call that must be refused, as `in name: message`.
async fn refused(response: reqwest::Response) -> Vec<String> {
    let problem = problem(response, 422).await;
    assert_eq!(problem["type"], "urn:nbhook:problem:parameters-invalid");
    let errors = problem["errors"].as_array().unwrap().iter();
    let text = |error: &Value, key: &str| error[key].as_str().unwrap_or_default().to_owned();
    errors.map(|error| format!("{} {}: {}", text(error, "in"), text(error, "name"), text(error, "message"))).collect()
}

async fn no_run_yet(app: &TestApp) {
    assert_eq!(app.get("/v1/runs").await["items"], json!([]));
    app.quiet().await;
    assert!(app.scratch().is_empty(), "{:?}", app.scratch());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_tells_the_contract_and_what_it_breaks() {
    let app = TestApp::start().await;
    let typed = app.deploy_fixture("typed_parameters", json!({})).await;
    let contract = &typed["contract"];
    assert_eq!(contract["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(contract["required"], json!(["warehouse"]));
    let names: Vec<&String> = contract["properties"].as_object().unwrap().keys().collect();
    assert_eq!((names.len(), names[0].as_str(), names[14].as_str()), (15, "warehouse", "note"));
    let day = json!({"type": "string", "format": "date", "default": "2024-01-31", "description": "Day on which the orders leave"});
    assert_eq!(contract["properties"]["day"], day);
    assert_eq!((&typed["warnings"], &typed["breaking"]), (&json!([]), &json!([])));

    let hook = app.deploy("a.ipynb", &echoing("region: str = 'All'\nyear = 2025\nn = 1", ""), json!({})).await;
    let (id, first) = (hook["id"].as_str().unwrap(), hook["histo"].as_str().unwrap());
    let again = app.deploy("a.ipynb", &echoing("region: str\nyear = 2025.5\nshop: int", ""), json!({})).await;
    let breaking = json!([
        "the parameter `region` is required now: calls without it are refused",
        "the new parameter `shop` is required: calls without it are refused",
        "the parameter `n` is gone: what callers pass for it has no effect",
    ]);
    assert_eq!((&again["breaking"], &again["warnings"]), (&breaking, &breaking));
    // A strict hook refuses what one that is not ignores; going back breaks callers too.
    let strict = app.deploy("b.ipynb", &echoing("n = 1\nmonth = 2", ""), json!({})).await;
    let (at, two) =
        (format!("/v1/hooks/{}/versions", strict["id"].as_str().unwrap()), strict["histo"].as_str().unwrap());
    let strict = app.deploy("b.ipynb", &echoing("n: int", ""), json!({"strict": true})).await;
    let breaking = json!([
        "the parameter `n` is required now: calls without it are refused",
        "the parameter `month` is gone: calls with it are refused",
        "`strict` is on now: calls with names that are no parameters of the notebook are refused",
    ]);
    assert_eq!((&strict["breaking"], &strict["warnings"]), (&breaking, &breaking));
    assert_eq!(
        refused(app.call(&strict, &[("n", "1"), ("month", "2")]).await).await,
        ["query month: is not a parameter of this notebook"]
    );
    let promote =
        async |histo: &str| ok(app.api(Method::POST, &format!("{at}/{histo}/promote")).send().await.unwrap()).await;
    assert_eq!(promote(two).await["breaking"], json!([]));
    assert_eq!(promote(strict["histo"].as_str().unwrap()).await["breaking"], json!(breaking.as_array().unwrap()[..2]));
    // Each version keeps its own.
    let (second, shown) = (again["histo"].as_str().unwrap(), app.get(&format!("/v1/hooks/{id}")).await);
    assert_eq!(shown["contract"], again["contract"]);
    for (histo, contract) in [(first, &hook["contract"]), (second, &again["contract"])] {
        assert_eq!(app.get(&format!("/v1/hooks/{id}/versions/{histo}")).await["contract"], *contract);
    }
    let pinned = format!("{}/versions/{first}", url(&hook));
    assert_eq!(app.http.get(&pinned).send().await.unwrap().status(), 200, "it still has its own contract");
    assert_eq!(refused(app.call(&hook, &[]).await).await, ["query region: is missing", "query shop: is missing"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn notebooks_without_a_readable_cell_take_anything() {
    let app = TestApp::start().await;
    let plain = app.deploy_fixture("no_parameters_cell", json!({})).await;
    assert_eq!((&plain["contract"]["properties"], &plain["contract"]["required"]), (&json!({}), &json!([])));
    assert_eq!(app.call(&plain, &[("name", "Ada"), ("more", "1")]).await.status(), 200);
    let bash = app.deploy_fixture("bash_hello", json!({})).await;
    assert_eq!(bash["contract"], Value::Null);
    let broken = app.deploy("broken.ipynb", &echoing("n: int = (", "n"), json!({"strict": true})).await;
    assert_eq!(broken["contract"], Value::Null);
    let warnings = broken["warnings"].to_string();
    assert!(warnings.contains("the parameters cell cannot be read") && warnings.contains("line 1"), "{warnings}");
    let answer = problem(app.call(&broken, &[("n", "x")]).await, 500).await;
    assert_eq!(answer["ename"], "SyntaxError", "the run says what is wrong with it");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_value_arrives_with_its_type_by_every_way() {
    let app = TestApp::start().await;
    let hook = app.deploy_fixture("typed_parameters", json!({"strict": true})).await;
    let pairs: Vec<(&str, &str)> = vec![
        ("warehouse", "007"),
        ("day", "2025-12-24"),
        ("since", "2025-01-02T03:04:05.5+01:00"),
        ("priority", "high"),
        ("carrier", "rail"),
        ("most", "5"),
        ("weight", "5"),
        ("insured", "true"),
        ("skus", "1"),
        ("skus", "2"),
        ("prices", "{\"rail\": 7}"),
        ("country", "null"),
        ("discount", "10"),
        ("size", "[1, 2]"),
        ("banned", "b"),
        ("banned", "a"),
        ("note", "5"),
    ];
    let mut expected = json!({
        "warehouse": "'007'",
        "day": "datetime.date(2025, 12, 24)",
        "since": "datetime.datetime(2025, 1, 2, 3, 4, 5, 500000, tzinfo=datetime.timezone(datetime.timedelta(seconds=3600)))",
        "priority": "<Priority.HIGH: 'high'>",
        "carrier": "'rail'",
        "most": "5",
        "weight": "5.0",
        "insured": "True",
        "skus": "[1, 2]",
        "prices": "{'rail': 7.0}",
        "country": "'null'",
        "discount": "10",
        "size": "(1, 2)",
        "banned": "['a', 'b']",
        "note": "'5'",
    });
    let types = json!({
        "warehouse": "str", "day": "date", "since": "datetime", "priority": "Priority", "carrier": "str", "most": "int",
        "weight": "float", "insured": "bool", "skus": "list", "prices": "dict", "country": "str", "discount": "int",
        "size": "tuple", "banned": "set", "note": "str",
    });
    expected["types"] = types;
    let multipart: Vec<FormPart<'_>> = pairs.iter().map(|(name, value)| (*name, None, value.as_bytes())).collect();
    let (media_type, multipart) = form(&multipart);
    let by_query = app.call(&hook, &pairs).await;
    let encoded = serde_urlencoded::to_string(&pairs).unwrap();
    let urlencoded = app.http.post(url(&hook)).header("content-type", "application/x-www-form-urlencoded");
    let by_form = urlencoded.body(encoded).send().await.unwrap();
    let by_parts = app.http.post(url(&hook)).header("content-type", media_type).body(multipart).send().await.unwrap();
    for response in [by_query, by_form, by_parts] {
        assert_eq!(ok(response).await, expected);
    }
    let body = json!({
        "warehouse": "007", "day": "2025-12-24", "since": "2025-01-02T02:04:05Z", "priority": "high", "carrier": "rail",
        "most": 5.0, "weight": 5, "insured": "1", "skus": ["1", 2], "prices": {"rail": "7"}, "country": null, "discount": null,
        "size": [1, 2], "banned": ["b", "a"], "note": {"a": [1]},
    });
    for (name, value) in [
        ("since", "datetime.datetime(2025, 1, 2, 2, 4, 5, tzinfo=datetime.timezone.utc)"),
        ("country", "None"),
        ("discount", "None"),
        ("note", "{'a': [1]}"),
    ] {
        expected[name] = json!(value);
    }
    expected["types"]
        .as_object_mut()
        .unwrap()
        .extend(json!({"country": "NoneType", "discount": "NoneType", "note": "dict"}).as_object().unwrap().clone());
    assert_eq!(ok(app.http.post(url(&hook)).json(&body).send().await.unwrap()).await, expected);
    // What is not passed stays the notebook's.
    let defaults = ok(app.call(&hook, &[("warehouse", "w")]).await).await;
    assert_eq!((&defaults["day"], &defaults["size"]), (&json!("datetime.date(2024, 1, 31)"), &json!("(40, 30)")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dicts_have_the_values_of_the_variables() {
    let app = TestApp::start().await;
    let notebook = echoing("n = 1\nday: 'date' = None", "n day params body");
    let hook = app.deploy("a.ipynb", &notebook, json!({})).await;
    let call =
        app.http.post(url(&hook)).query(&[("n", "2"), ("other", "3")]).json(&json!({"day": "2024-01-31", "n": "4"}));
    let expected = json!({
        "n": "4", "day": "datetime.date(2024, 1, 31)", "params": "{'n': 2, 'other': '3'}",
        "body": "{'day': datetime.date(2024, 1, 31), 'n': 4}",
    });
    assert_eq!(ok(call.send().await.unwrap()).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_as_a_whole_before_a_kernel_is_spent() {
    let app = TestApp::start().await;
    let hook = app.deploy_fixture("typed_parameters", json!({"strict": true})).await;
    let call = app.http.post(url(&hook)).query(&[("dya", "2024-01-31"), ("insured", "maybe")]).json(&json!({
        "day": "31.1.2024", "carrier": "ship", "skus": [1, "x"], "prices": {"road": "free"}, "most": 5.5, "discount": [],
    }));
    let response = call.send().await.unwrap();
    let told = problem(response, 422).await;
    let mut errors = told["errors"].as_array().unwrap().clone();
    errors.sort_by_key(|error| error["name"].as_str().unwrap().to_owned());
    let error = |place: &str, name: &str, expected: &str, got: &str| json!({"in": place, "name": name, "message": format!("must be {expected}"), "expected": expected, "got": got});
    let expected = [
        error("body", "carrier", "one of \"road\", \"rail\", \"air\"", "\"ship\""),
        error("body", "day", "date (YYYY-MM-DD)", "\"31.1.2024\""),
        error("body", "discount", "integer or null", "[]"),
        json!({"in": "query", "name": "dya", "message": "is not a parameter of this notebook; did you mean `day`?",
            "expected": null, "got": null}),
        error("query", "insured", "boolean", "\"maybe\""),
        error("body", "most", "integer", "5.5"),
        error("body", "prices.road", "number", "\"free\""),
        error("body", "skus[1]", "integer", "\"x\""),
        json!({"in": "body", "name": "warehouse", "message": "is missing", "expected": "string", "got": null}),
    ];
    assert_eq!(errors, expected);
    assert!(told["detail"].as_str().unwrap().starts_with("9 parameters are not valid: "), "{told}");
    assert_eq!(refused(app.call(&hook, &[]).await).await, ["query warehouse: is missing"]);
    assert_eq!(
        refused(app.call(&hook, &[("warehouse", "a"), ("warehouse", "b")]).await).await,
        ["query warehouse: is there more than once, and must be string"]
    );
    let upload: &[FormPart<'_>] = &[("most", None, b"many"), ("file", Some("a.txt"), b"content")];
    let (media_type, parts) = form(upload);
    let response = app.http.post(url(&hook)).header("content-type", media_type).body(parts).send().await.unwrap();
    assert_eq!(refused(response).await.len(), 3, "the upload is unknown, too");
    let sets = app.deploy("sets.ipynb", &echoing("tags: set = {1}", "tags"), json!({})).await;
    let unhashable = app.http.post(url(&sets)).json(&json!({"tags": [1, [2]]})).send().await.unwrap();
    let expected = "body tags[1]: must be something that a set can hold, as no list and no object is";
    assert_eq!(refused(unhashable).await, [expected]);
    let misread = app.http.post(url(&sets)).json(&json!({"x": {"$serde_json::private::Number": "5"}}));
    assert_eq!(problem(misread.send().await.unwrap(), 422).await["field"], "body");
    no_run_yet(&app).await;
    // Without `strict` unknown names pass, as they always did.
    app.deploy_fixture("typed_parameters", json!({})).await;
    assert_eq!(app.call(&hook, &[("warehouse", "w"), ("dya", "x")]).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_shows_the_contract() {
    let app = TestApp::start().await;
    let user = User::new();
    user.log_in(&app, crate::app::ADMIN).await;
    let file = user.home.path().join("typed.ipynb");
    crate::app::write(&file, fixture("typed_parameters").to_string().as_bytes());
    let python = crate::app::python();
    let file = file.to_str().unwrap();
    let row = "day\tdate (YYYY-MM-DD)\t\"2024-01-31\"\tDay on which the orders leave";
    let inspected = user.run(&["inspect", file, "--python", python.to_str().unwrap()]).await.good();
    assert!(inspected.lines().any(|line| line == row), "{inspected}");
    user.run(&["deploy", file]).await.good();
    let shown = user.run(&["show", "typed.ipynb"]).await.good();
    assert!(shown.lines().any(|line| line == row), "{shown}");
    assert!(shown.contains("warehouse\tstring\t(required)\tName of the warehouse"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sensitive_value_shows_in_no_refusal_and_in_nothing_a_run_leaves() {
    let app = TestApp::start().await;
    let parameters = "from datetime import date\npin: int = 0\nborn: date = date(2000, 1, 1)\n\
        plan: str = 'basic'\nlogin: dict = {}";
    let mut notebook = notebook(&[
        parameters,
        "import sys\nprint(pin, born, repr(born), plan, login)\nsys.stderr.write(repr([params, body]))\n[params, body]",
        "raise ValueError([pin, born, plan, login, params, body])",
    ]);
    notebook["cells"][0]["metadata"]["tags"] = json!(["parameters"]);
    let params =
        json!({"strict": true, "sensitive": ["pin", "born", "plan", "password"], "notif_down": "down@example.org"});
    let hook = app.deploy("s.ipynb", &notebook, params).await;
    let mut told = String::new();
    for bad in [
        json!({"pin": "hush-47110815"}),
        json!({"born": "hush-47110815"}),
        json!({"plan": ["hush-47110815"], "pni": "hush-47110815"}),
        json!({"login": "{\"password\": \"hush-47110815\""}),
        json!({"login": [{"password": "hush-47110815"}]}),
    ] {
        told.push_str(&problem(app.http.post(url(&hook)).json(&bad).send().await.unwrap(), 422).await.to_string());
    }
    let secrets = ["47110815", "1987-06-05", "1987, 6, 5", "confidential-plan", "hush-"];
    let query = [
        ("pin", "47110815"),
        ("born", "1987-06-05"),
        ("plan", "confidential-plan"),
        ("login", "{\"password\": \"hush-1\"}"),
    ];
    let run = app.call(&hook, &query).await;
    let id = crate::app::run_of(&run);
    told.push_str(&problem(run, 500).await.to_string());
    told.push_str(&app.get(&format!("/v1/runs/{id}")).await.to_string());
    app.quiet().await;
    let mails = app.data.path().join(".nbhook/mail");
    let written = || std::fs::read_dir(&mails).is_ok_and(|files| files.count() > 0);
    eventually("the mail is written", async || written()).await;
    let mut files = vec![app.data.path().to_owned()];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            told.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap()));
        }
    }
    for secret in secrets {
        let at = told.find(secret).map(|at| told[at.saturating_sub(300)..].chars().take(600).collect::<String>());
        assert_eq!(at, None, "{secret}");
    }
    assert!(told.contains("***") && told.contains("(hidden)"));
}
