//! Schedules: hooks that run by themselves, on a clock that the tests turn.

use chrono::{DateTime, TimeDelta, Utc};
use nbhook::model::{RunId, Schedule};
use nbhook::store::{Claim, Database};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{ADMIN, TestApp, allow_local, eventually, notebook, ok, problem, run_of, url};
use crate::manager::Visitor;
use crate::receiver::Receiver;

const ANSWERS: &str = "from nbhook import webhook\nwebhook.respond_json(globals().get('region'))";

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
}

/// What a server claims that is killed before it begins the run.
fn claim(due: &Schedule, now: DateTime<Utc>) -> Claim<'_> {
    Claim { schedule: due, at: now, next_at: Some(now + TimeDelta::days(1)), run: Ok(RunId::new()), now }
}

async fn schedule(app: &TestApp, body: Value) -> Value {
    ok(app.api(Method::POST, "/v1/schedules").json(&body).send().await.unwrap()).await
}

fn path(schedule: &Value) -> String {
    format!("/v1/schedules/{}", schedule["id"].as_str().unwrap())
}

/// The runs of all schedules, the first one first.
async fn runs(app: &TestApp) -> Vec<Value> {
    let runs = app.get("/v1/runs?limit=250").await["items"].as_array().unwrap().clone();
    runs.into_iter().rev().filter(|run| run["trigger"] == "schedule").collect()
}

/// Turns the clock to a time, and waits until as many runs have ended.
async fn turn_to(app: &TestApp, time: &str, number: usize) -> Vec<Value> {
    let clock = app.clock.as_ref().unwrap();
    clock.advance(at(time) - nbhook::clock::Clock::now(&**clock));
    let is_due = async || {
        app.get("/v1/schedules").await["items"].as_array().unwrap().iter().all(|schedule| {
            schedule["next"].as_array().unwrap().first().is_none_or(|next| at(next.as_str().unwrap()) > at(time))
        })
    };
    eventually("what is due has fired", is_due).await;
    let have_ended = async || runs(app).await.iter().filter(|run| !run["finished_at"].is_null()).count() == number;
    eventually("the runs end", have_ended).await;
    runs(app).await
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_fire_across_both_changes_of_the_clock() {
    let app = TestApp::start_at(at("2026-03-28T12:00:00Z"), |_| {}).await;
    for (name, cron, tz) in [
        ("berlin", "30 2 * * *", "Europe/Berlin"),
        ("new-york", "30 1 * * *", "America/New_York"),
        ("utc", "0 0 1 1 *", "UTC"),
    ] {
        app.deploy(&format!("{name}.ipynb"), &notebook(&[ANSWERS]), json!({})).await;
        schedule(&app, json!({"path": format!("{name}.ipynb"), "cron": cron, "tz": tz})).await;
    }
    let started =
        |runs: &[Value]| runs.iter().map(|run| run["created_at"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    // 2:30 does not come on March 29 in Berlin: it fires at 3:00, which is 1:00 in UTC.
    turn_to(&app, "2026-03-29T00:59:59Z", 0).await;
    turn_to(&app, "2026-03-29T01:00:00Z", 1).await;
    turn_to(&app, "2026-03-29T05:30:00Z", 2).await;
    turn_to(&app, "2026-03-30T00:30:00Z", 3).await;
    // All that was missed until October is one run each.
    turn_to(&app, "2026-10-24T12:00:00Z", 5).await;
    // 2:30 comes twice on October 25 in Berlin: it fires the first time only.
    turn_to(&app, "2026-10-25T00:30:00Z", 6).await;
    turn_to(&app, "2026-10-25T01:30:00Z", 6).await;
    turn_to(&app, "2026-10-25T05:30:00Z", 7).await;
    turn_to(&app, "2026-10-26T01:30:00Z", 8).await;
    turn_to(&app, "2026-11-01T04:00:00Z", 10).await;
    // 1:30 comes twice on November 1 in New York.
    turn_to(&app, "2026-11-01T05:30:00Z", 11).await;
    turn_to(&app, "2026-11-01T06:30:00Z", 11).await;
    let all = turn_to(&app, "2026-11-02T06:30:00Z", 13).await;
    assert_eq!(started(&all)[..3], ["2026-03-29T01:00:00Z", "2026-03-29T05:30:00Z", "2026-03-30T00:30:00Z"]);
    assert!(all.iter().all(|run| run["state"] == "succeeded" && run["mode"] == "async"), "{all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_is_made_shown_changed_and_deleted() {
    let app = TestApp::start_at(at("2026-01-01T07:30:00Z"), |_| {}).await;
    let cells = ["region: str = 'North'\npin = 'x'", ANSWERS];
    let mut notebook = notebook(&cells);
    notebook["cells"][0]["metadata"] = json!({"tags": ["parameters"]});
    let hook = app.deploy("report.ipynb", &notebook, json!({"sensitive": ["pin"]})).await;
    let wish = json!({"path": "report.ipynb", "cron": "0 9 * * mon-fri", "tz": "Europe/Berlin", "params": {"region": "South", "pin": "1234"}});
    let made = app.api(Method::POST, "/v1/schedules").json(&wish).send().await.unwrap();
    assert_eq!(made.status(), 201);
    let made = ok(made).await;
    assert_eq!(
        made["next"],
        json!([
            "2026-01-01T09:00:00+01:00",
            "2026-01-02T09:00:00+01:00",
            "2026-01-05T09:00:00+01:00",
            "2026-01-06T09:00:00+01:00",
            "2026-01-07T09:00:00+01:00"
        ])
    );
    assert_eq!(made["params"], json!({"region": "South", "pin": "***"}), "what is sensitive is not shown");
    assert_eq!((&made["overlap"], &made["missed"], &made["hook"]), (&json!("skip"), &json!("run_once"), &hook["id"]));

    // What was read and is sent back keeps what was not shown.
    let caller = app.app().service().authenticate(&ADMIN.parse().unwrap()).await.unwrap();
    let id = made["id"].as_str().unwrap().parse().unwrap();
    for (method, to) in [(Method::PATCH, path(&made)), (Method::POST, "/v1/schedules".to_owned())] {
        let mut body = wish.clone();
        body["params"] = json!({"region": "West", "pin": "***"});
        if method == Method::PATCH {
            body.as_object_mut().unwrap().remove("path");
        }
        let kept = ok(app.api(method, &to).json(&body).send().await.unwrap()).await;
        assert_eq!(kept["params"], body["params"]);
        let stored = app.app().service().schedule(&caller, id).await.unwrap();
        assert_eq!(json!(stored.params), json!({"region": "West", "pin": "1234"}));
    }

    let again = app
        .api(Method::POST, "/v1/schedules")
        .json(&json!({"hook": hook["id"], "cron": "@hourly"}))
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), 200, "a hook has one schedule");
    let again = ok(again).await;
    assert_eq!((&again["id"], &again["tz"], &again["params"]), (&made["id"], &json!("UTC"), &json!({})));
    let change = app.api(Method::PATCH, &path(&made)).json(&json!({"enabled": false, "tz": "Asia/Kolkata"}));
    let changed = ok(change.send().await.unwrap()).await;
    assert_eq!(
        (&changed["cron"], &changed["next"], &changed["enabled"]),
        (&json!("@hourly"), &json!([]), &json!(false))
    );
    let same = app.api(Method::PATCH, &path(&made)).json(&changed);
    ok(same.send().await.unwrap()).await;

    for (body, field, word) in [
        (json!({"cron": "61 * * * *"}), "cron", "the minute"),
        (json!({"cron": "0 0 31 2 *"}), "cron", "never fires"),
        (json!({"tz": "Moon/Base"}), "tz", "IANA"),
        (json!({"params": [1]}), "params", "object"),
        (json!({"params": {"region": ["a"]}}), "region", ""),
        (json!({"params": {"pin": "***"}}), "params", "stands for"),
        (json!({"overlap": "queue"}), "overlap", "skip or allow"),
        (json!({"missed": "all"}), "missed", "run_once or skip"),
        (json!({"every": "day"}), "every", "not known"),
    ] {
        let refused = problem(app.api(Method::PATCH, &path(&made)).json(&body).send().await.unwrap(), 422).await;
        assert!(refused["field"] == field && refused["detail"].as_str().unwrap().contains(word), "{refused}");
    }
    let lost = app.api(Method::POST, "/v1/schedules").json(&json!({"path": "no.ipynb", "cron": "@daily"}));
    assert_eq!(problem(lost.send().await.unwrap(), 422).await["field"], "path");

    ok(app.api(Method::DELETE, &path(&made)).send().await.unwrap()).await;
    assert_eq!(app.get("/v1/schedules").await["items"], json!([]));
    // It goes with its hook.
    schedule(&app, json!({"path": "report.ipynb", "cron": "@daily"})).await;
    ok(app.api(Method::DELETE, &format!("/v1/hooks/{}", hook["id"].as_str().unwrap())).send().await.unwrap()).await;
    assert_eq!(app.get("/v1/schedules").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_goes_on_is_not_overtaken_unless_it_may_be() {
    let app = TestApp::start_at(at("2026-01-01T00:00:30Z"), |_| {}).await;
    let gate = tempfile::tempdir().unwrap();
    let go = gate.path().join("go").to_str().unwrap().to_owned();
    let cells = ["import os, time\nwhile not os.path.exists(gate): time.sleep(0.01)"];
    let hook = app.deploy("slow.ipynb", &notebook(&cells), json!({})).await;
    let made = schedule(&app, json!({"hook": hook["id"], "cron": "* * * * *", "params": {"gate": go}})).await;
    turn_to(&app, "2026-01-01T00:01:00Z", 0).await;
    eventually("the first run is there", async || runs(&app).await.len() == 1).await;
    turn_to(&app, "2026-01-01T00:02:00Z", 0).await;
    let skipped = app.get(&path(&made)).await;
    assert_eq!((&skipped["problem"], runs(&app).await.len()), (&json!("the run before had not ended"), 1));
    ok(app.api(Method::PATCH, &path(&made)).json(&json!({"overlap": "allow"})).send().await.unwrap()).await;
    turn_to(&app, "2026-01-01T00:03:00Z", 0).await;
    eventually("a second run is there", async || runs(&app).await.len() == 2).await;
    crate::app::write(std::path::Path::new(&go), b"");
    let all = turn_to(&app, "2026-01-01T00:03:01Z", 2).await;
    assert_eq!(app.get(&path(&made)).await["last_run"], all[1]["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_without_a_server_is_made_up_for_once_or_not_at_all() {
    let app = TestApp::start_at(at("2026-01-01T08:00:00Z"), |_| {}).await;
    for (name, missed) in [("once", "run_once"), ("never", "skip")] {
        app.deploy(&format!("{name}.ipynb"), &notebook(&[ANSWERS]), json!({})).await;
        schedule(&app, json!({"path": format!("{name}.ipynb"), "cron": "0 9 * * *", "missed": missed})).await;
    }
    let data = app.stop().await;
    let app = TestApp::start_again(data, at("2026-01-04T12:00:00Z"), |_| {}).await;
    let all = turn_to(&app, "2026-01-04T12:00:01Z", 1).await;
    let schedules = app.get("/v1/schedules").await["items"].clone();
    assert_eq!((&schedules[1]["path"], &schedules[1]["last_run"]), (&json!("once.ipynb"), &all[0]["id"]));
    assert_eq!(schedules[0]["problem"], "the server was not running at that time");
    assert!(schedules.as_array().unwrap().iter().all(|one| one["next"][0] == "2026-01-05T09:00:00Z"), "{schedules}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_firing_is_taken_once_however_many_look_at_it_and_begun_by_the_next_server() {
    let app = TestApp::start_at(at("2026-01-01T08:00:00Z"), |_| {}).await;
    app.deploy("a.ipynb", &notebook(&[ANSWERS]), json!({})).await;
    schedule(&app, json!({"path": "a.ipynb", "cron": "0 9 * * *"})).await;
    let data = app.stop().await;
    // Two processes on the same data, as if the lock had failed; and then they are killed.
    let file = data.path().join(".nbhook/nbhook.db");
    let (one, other) = (Database::open(&file).await.unwrap(), Database::open(&file).await.unwrap());
    let now = at("2026-01-01T09:00:00Z");
    let due = one.due_schedules(now, 10).await.unwrap().pop().unwrap();
    let (first, second) = (claim(&due, now), claim(&due, now));
    let (a, b) = tokio::join!(one.claim_firing(&first), other.claim_firing(&second));
    assert_eq!(usize::from(a.unwrap()) + usize::from(b.unwrap()), 1);
    one.close().await;
    other.close().await;
    let app = TestApp::start_again(data, at("2026-01-01T09:05:00Z"), |_| {}).await;
    let all = turn_to(&app, "2026-01-01T09:05:01Z", 1).await;
    assert_eq!(all[0]["state"], "succeeded");
    assert_eq!(turn_to(&app, "2026-01-01T23:00:00Z", 1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_run_that_succeeds_goes_to_next_url_itself() {
    let app = TestApp::start_at(at("2026-01-01T08:00:00Z"), allow_local).await;
    let receiver = Receiver::start().await;
    receiver.answers([503, 200]);
    let next = format!("{}/then?a=1", receiver.url());
    let cells = ["assert region != 'bad'"];
    let hook = app.deploy("a.ipynb", &notebook(&cells), json!({"next_url": next})).await;
    let made = schedule(&app, json!({"hook": hook["id"], "cron": "0 * * * *", "params": {"region": "bad"}})).await;
    turn_to(&app, "2026-01-01T09:00:00Z", 1).await;
    ok(app.api(Method::PATCH, &path(&made)).json(&json!({"params": {"region": "good"}})).send().await.unwrap()).await;
    turn_to(&app, "2026-01-01T10:00:00Z", 2).await;
    receiver.wait_for(1).await;
    let is_on_record =
        async || app.get("/v1/deliveries").await["items"][0]["attempts"].as_array().is_some_and(|all| all.len() == 1);
    eventually("what came of it is on record", is_on_record).await;
    app.clock.as_ref().unwrap().advance(TimeDelta::minutes(10));
    let visits = receiver.wait_for(2).await;
    assert!(
        visits
            .iter()
            .all(|one| (one.method.as_str(), one.path.as_str(), one.query.as_str()) == ("GET", "/then", "a=1"))
    );
    assert!(visits[0].body.is_empty() && visits[0].header("webhook-signature").is_none(), "{visits:?}");
    // A caller is sent on, and nothing is fetched for them.
    let called = app.http.post(url(&hook)).json(&json!({"region": "good"})).send().await.unwrap();
    assert_eq!(called.headers()["location"], next.as_str());
    app.quiet().await;
    assert_eq!(receiver.received().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_finds_no_place_or_is_refused_is_told_of() {
    let app = TestApp::start_at(at("2026-01-01T08:00:00Z"), |_| {}).await;
    let gate = tempfile::tempdir().unwrap();
    let go = gate.path().join("go").to_str().unwrap().to_owned();
    let mut notebook =
        notebook(&["gate: str = ''", "import os, time\nwhile gate and not os.path.exists(gate): time.sleep(0.01)"]);
    notebook["cells"][0]["metadata"] = json!({"tags": ["parameters"]});
    let hook = app.deploy("full.ipynb", &notebook, json!({"concurrency": 1, "queue": 0})).await;
    let made = schedule(&app, json!({"hook": hook["id"], "cron": "0 9 * * *"})).await;
    let busy = tokio::spawn(app.http.get(url(&hook)).query(&[("gate", &go)]).send());
    eventually("a run is there", async || app.app().service().runs_in_progress() == 1).await;
    turn_to(&app, "2026-01-01T09:00:00Z", 0).await;
    crate::app::write(std::path::Path::new(&go), b"");
    busy.await.unwrap().unwrap();
    app.quiet().await;
    let all = turn_to(&app, "2026-01-01T09:00:20Z", 1).await;
    assert_eq!(all[0]["state"], "succeeded", "it was tried again");

    let mut stricter = notebook.clone();
    stricter["cells"][0]["source"] = json!("gate: str\nyear: int");
    app.deploy("full.ipynb", &stricter, json!({})).await;
    turn_to(&app, "2026-01-02T09:00:00Z", 1).await;
    let refused = async || app.get(&path(&made)).await["problem"].as_str().is_some_and(|why| why.contains("year"));
    eventually("it says what is missing", refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_claimed_and_not_begun_is_left_out_when_nothing_is_made_up_for() {
    let app = TestApp::start_at(at("2026-01-01T08:00:00Z"), |_| {}).await;
    for (name, missed) in [("once", "run_once"), ("never", "skip")] {
        app.deploy(&format!("{name}.ipynb"), &notebook(&[ANSWERS]), json!({})).await;
        schedule(&app, json!({"path": format!("{name}.ipynb"), "cron": "0 9 * * *", "missed": missed})).await;
    }
    let killed = async |app: TestApp, time: &str| {
        let data = app.stop().await;
        let database = Database::open(&data.path().join(".nbhook/nbhook.db")).await.unwrap();
        let due = database.due_schedules(at(time), 10).await.unwrap();
        for due in &due {
            assert!(database.claim_firing(&claim(due, at(time))).await.unwrap());
        }
        database.close().await;
        assert_eq!(due.len(), 2);
        data
    };
    let of = |runs: &[Value], schedule: &Value| runs.iter().filter(|run| run["schedule"] == schedule["id"]).count();
    let data = killed(app, "2026-01-01T09:00:00Z").await;
    let app = TestApp::start_again(data, at("2026-01-01T09:01:01Z"), |_| {}).await;
    let all = turn_to(&app, "2026-01-01T09:01:02Z", 1).await;
    let schedules = app.get("/v1/schedules").await["items"].clone();
    let (never, once) = (&schedules[0], &schedules[1]);
    assert_eq!((of(&all, once), &once["problem"]), (1, &Value::Null));
    assert_eq!(
        (&never["problem"], &never["last_run"]),
        (&json!("the server was not running at that time"), &Value::Null)
    );

    // Two days later one is on time: neither what was claimed nor what was missed is in its way.
    let data = killed(app, "2026-01-02T09:00:00Z").await;
    let app = TestApp::start_again(data, at("2026-01-04T09:00:40Z"), |_| {}).await;
    let all = turn_to(&app, "2026-01-04T09:00:41Z", 3).await;
    let shown = app.get(&path(never)).await;
    assert_eq!((of(&all, never), of(&all, once), &shown["problem"]), (1, 2, &Value::Null));
    assert_eq!(
        (&shown["last_at"], &shown["next"][0]),
        (&json!("2026-01-04T09:00:00.000Z"), &json!("2026-01-05T09:00:00Z"))
    );

    // A minute is not late.
    let data = killed(app, "2026-01-05T09:00:00Z").await;
    let app = TestApp::start_again(data, at("2026-01-05T09:01:00Z"), |_| {}).await;
    turn_to(&app, "2026-01-05T09:01:01Z", 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_of_the_server_is_waited_for_and_then_told() {
    let app = TestApp::start_at(at("2026-01-01T08:00:00Z"), |_| {}).await;
    let hook = app.deploy("a.ipynb", &notebook(&[ANSWERS]), json!({})).await;
    let made = schedule(&app, json!({"hook": hook["id"], "cron": "0 9 * * *"})).await;
    let (scratch, away) = (app.data.path().join(".nbhook/scratch"), app.data.path().join(".nbhook/away"));
    let waits = async |is_so: bool| {
        let told = async || app.get(&path(&made)).await["problem"].as_str().unwrap_or_default().to_owned();
        let waits =
            |told: &str| told.starts_with("the server could not begin the run") && told.ends_with("tried again");
        eventually("it says whether it waits", async || waits(&told().await) == is_so).await;
        told().await
    };
    std::fs::rename(&scratch, &away).unwrap();
    turn_to(&app, "2026-01-01T09:00:00Z", 0).await;
    waits(true).await;
    std::fs::rename(&away, &scratch).unwrap();
    turn_to(&app, "2026-01-01T09:00:14Z", 0).await;
    turn_to(&app, "2026-01-01T09:00:15Z", 1).await;
    assert_eq!(waits(false).await, "");

    std::fs::rename(&scratch, &away).unwrap();
    turn_to(&app, "2026-01-02T09:00:00Z", 1).await;
    waits(true).await;
    app.clock.as_ref().unwrap().advance(TimeDelta::minutes(61));
    assert_eq!(waits(false).await, "the server could not begin the run: its log says why");
    std::fs::rename(&away, &scratch).unwrap();
    turn_to(&app, "2026-01-03T09:00:00Z", 2).await;
    assert_eq!(waits(false).await, "");

    // What waits is not begun when the schedule is paused.
    std::fs::rename(&scratch, &away).unwrap();
    turn_to(&app, "2026-01-04T09:00:00Z", 2).await;
    waits(true).await;
    let off = app.api(Method::PATCH, &path(&made)).json(&json!({"enabled": false}));
    assert_eq!(ok(off.send().await.unwrap()).await["problem"], Value::Null);
    std::fs::rename(&away, &scratch).unwrap();
    turn_to(&app, "2026-01-04T09:10:00Z", 2).await;
    let service = app.app().service();
    assert_eq!((service.fire_due().await.unwrap(), runs(&app).await.len()), (None, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_know_the_schedule_that_began_them_also_by_hand() {
    let app = TestApp::start_at(at("2026-01-01T08:00:00Z"), |_| {}).await;
    let hook = app.deploy("a.ipynb", &notebook(&[ANSWERS]), json!({})).await;
    let made = schedule(&app, json!({"hook": hook["id"], "cron": "0 9 * * *"})).await;
    let called = run_of(&app.call(&hook, &[]).await);
    let fired = turn_to(&app, "2026-01-01T09:00:00Z", 1).await.remove(0);
    app.clock.as_ref().unwrap().advance(TimeDelta::minutes(30));
    let by_hand = run_of(&app.api(Method::POST, &format!("{}/run", path(&made))).send().await.unwrap());
    app.quiet().await;
    let shown = app.get(&path(&made)).await;
    assert_eq!((&shown["last_run"], &shown["last_at"]), (&json!(by_hand), &json!("2026-01-01T09:30:00.000Z")));

    let of_it = format!("/v1/runs?schedule={}", made["id"].as_str().unwrap());
    let listed = app.get(&of_it).await;
    assert_eq!(listed["filters"], json!({"schedule": made["id"]}));
    let ids: Vec<_> = listed["items"].as_array().unwrap().iter().map(|run| run["id"].clone()).collect();
    assert_eq!(ids, [json!(by_hand), fired["id"].clone()]);
    assert!(
        listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|run| run["schedule"] == made["id"] && run["trigger"] == "schedule")
    );
    assert_eq!(app.get(&format!("/v1/runs/{called}")).await["schedule"], Value::Null);
    let refused = app.api(Method::GET, "/v1/runs?schedule=daily").send().await.unwrap();
    assert_eq!(problem(refused, 422).await["field"], "schedule");
    let stranger = app.member("eve").await;
    assert_eq!(ok(app.api_as(&stranger, Method::GET, &of_it).send().await.unwrap()).await["items"], json!([]));

    let visitor = Visitor::sign_in(&app, ADMIN).await;
    let link = format!("/manager/runs?schedule={}", made["id"].as_str().unwrap());
    let page = visitor.page("/manager/schedules").await;
    assert!(page.contains(&link) && page.contains(&format!("/manager/runs/{by_hand}")), "{page}");
    assert!(visitor.page(&format!("/manager/runs/{by_hand}")).await.contains(&link));
    assert!(visitor.page("/manager/runs").await.contains(&called));
    let page = visitor.page(&link).await;
    assert!(page.contains(&by_hand) && !page.contains(&called), "{page}");
    // They know it when it is gone.
    ok(app.api(Method::DELETE, &path(&made)).send().await.unwrap()).await;
    assert_eq!(app.get(&of_it).await["items"].as_array().unwrap().len(), 2);
}
