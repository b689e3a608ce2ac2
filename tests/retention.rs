//! What is kept and what goes: by bounds of hooks and of the server, by `nbhook prune` and by itself, and after a crash.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::app::{ADMIN, TestApp, eventually, notebook, ok, problem, run_of, run_python, write};
use crate::binary::Server;
use crate::cli::User;

fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn answers() -> Value {
    notebook(&["from nbhook import webhook", "webhook.respond_text('done')"])
}

fn fails_if_told() -> Value {
    notebook(&["assert params.get('fail') != '1'"])
}

fn id(hook: &Value) -> &str {
    hook["id"].as_str().unwrap()
}

/// Calls a hook some times; gives the runs, the oldest first.
async fn call(app: &TestApp, hook: &Value, times: usize) -> Vec<String> {
    let mut runs = Vec::new();
    for _ in 0..times {
        runs.push(run_of(&app.call(hook, &[]).await));
    }
    runs
}

async fn prune(app: &TestApp, query: &str) -> Value {
    ok(app.api(Method::POST, &format!("/v1/prune{query}")).send().await.unwrap()).await
}

/// The runs of a hook that are on record.
async fn runs(app: &TestApp, hook: &Value) -> BTreeSet<String> {
    let list = app.get(&format!("/v1/runs?limit=250&hook={}", id(hook))).await;
    list["items"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect()
}

/// The runs whose outputs are listed.
async fn listed(app: &TestApp, hook: &Value) -> BTreeSet<String> {
    let list = app.get(&format!("/v1/hooks/{}/outputs?limit=250", id(hook))).await;
    list["items"].as_array().unwrap().iter().map(|output| output["run"].as_str().unwrap().to_owned()).collect()
}

/// The same, where each of them can be had.
async fn outputs(app: &TestApp, hook: &Value) -> BTreeSet<String> {
    let runs = listed(app, hook).await;
    for run in &runs {
        assert_eq!(app.get(&format!("/v1/runs/{run}/output")).await["nbformat"], 4);
    }
    runs
}

fn output_files(app: &TestApp) -> usize {
    app.kept().keys().filter(|name| name.contains("/outputs/")).count()
}

fn set(runs: &[String]) -> BTreeSet<String> {
    runs.iter().cloned().collect()
}

/// Changes or reads the database behind the server's back; gives the rows that a single SELECT has.
pub(crate) fn sql(data: &Path, script: &str) -> String {
    let database = data.join(".nbhook/nbhook.db");
    let program = "import sqlite3, sys\n\
                   db = sqlite3.connect(sys.argv[1], timeout=30)\n\
                   script = sys.stdin.read()\n\
                   rows = db.execute(script) if script.startswith('SELECT') else db.executescript(script)\n\
                   print('\\n'.join(row[0] for row in rows))\n\
                   db.close()";
    run_python(&["-c", program, database.to_str().unwrap()], script)
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_and_outputs_beyond_their_bounds_go_whole() {
    let app = TestApp::start().await;
    let params = json!({"keep_outputs": 2, "keep_runs": {"count": 4}});
    let hook = app.deploy("a.ipynb", &answers(), params).await;
    let other = app.deploy("b.ipynb", &answers(), json!({})).await;
    let (made, others) = (call(&app, &hook, 6).await, call(&app, &other, 3).await);

    let dry = prune(&app, "?dry_run=true").await;
    let expected = json!({"versions": 0, "runs": 2, "outputs": 4, "bytes": dry["total"]["bytes"]});
    assert_eq!((&dry["dry_run"], &dry["total"]), (&json!(true), &expected));
    assert!(dry["total"]["bytes"].as_u64().unwrap() > 1000, "{dry}");
    assert_eq!((runs(&app, &hook).await.len(), outputs(&app, &hook).await.len(), output_files(&app)), (6, 6, 9));

    let pruned = prune(&app, "").await;
    assert_eq!((&pruned["dry_run"], &pruned["total"]), (&json!(false), &expected), "as was foretold");
    let of = &pruned["hooks"][0];
    assert_eq!((of["hook"].as_str(), &of["path"], &of["owner"]), (Some(id(&hook)), &json!("a.ipynb"), &json!("admin")));
    assert_eq!((&of["runs"], &of["outputs"], pruned["hooks"].as_array().unwrap().len()), (&json!(2), &json!(4), 1));
    assert_eq!((runs(&app, &hook).await, outputs(&app, &hook).await), (set(&made[2..]), set(&made[4..])));
    assert_eq!((runs(&app, &other).await, output_files(&app)), (set(&others), 5));
    for gone in [format!("/v1/runs/{}", made[0]), format!("/v1/runs/{}/output", made[3])] {
        problem(app.api(Method::GET, &gone).send().await.unwrap(), 404).await;
    }
    let kept = app.get(&format!("/v1/hooks/{}", id(&hook))).await["kept"].clone();
    assert_eq!((&kept["versions"], &kept["runs"], &kept["outputs"]), (&json!(1), &json!(4), &json!(2)));
    assert_eq!(prune(&app, "").await["total"], json!({"versions": 0, "runs": 0, "outputs": 0, "bytes": 0}));
    assert_eq!(call(&app, &hook, 1).await.len(), 1, "and it goes on");
    let refused = app.api(Method::POST, "/v1/prune?dry_run=maybe").send().await.unwrap();
    assert_eq!(problem(refused, 422).await["field"], "dry_run");
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_go_by_themselves_when_they_are_old_and_failed_ones_later() {
    let change = |settings: &mut nbhook::config::Settings| settings.keep.outputs.days = Some(10);
    let app = TestApp::start_at(noon(), change).await;
    let hook = app.deploy("a.ipynb", &fails_if_told(), json!({})).await;
    let good = run_of(&app.call(&hook, &[]).await);
    let bad = run_of(&app.call(&hook, &[("fail", "1")]).await);
    let clock = app.clock.clone().unwrap();
    assert_eq!(outputs(&app, &hook).await, set(&[good.clone(), bad.clone()]));
    clock.advance(chrono::Duration::days(11));
    eventually("the old output goes", async || listed(&app, &hook).await == set(std::slice::from_ref(&bad))).await;
    eventually("and its file", async || output_files(&app) == 1).await;
    assert_eq!(outputs(&app, &hook).await, set(std::slice::from_ref(&bad)));
    clock.advance(chrono::Duration::days(10));
    eventually("the failed one goes", async || listed(&app, &hook).await.is_empty()).await;
    eventually("and its file", async || output_files(&app) == 0).await;
    assert_eq!(runs(&app, &hook).await, set(&[good, bad]), "the records stay for a year");
    let counted = async || {
        let metrics = app.http.get(format!("{}/metrics", app.url)).send().await.unwrap().text().await.unwrap();
        let line = metrics.lines().find_map(|line| line.strip_prefix("nbhook_pruned_total{what=\"outputs\"} "));
        line.is_some_and(|count| count.parse::<u64>().unwrap() >= 2)
    };
    eventually("the metrics tell of both", counted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_bound_is_for_all_outputs_together() {
    let app = TestApp::start_with(|settings| settings.keep.total = 1).await;
    let wide = notebook(&["print('x' * 300_000)"]);
    let (one, two) = (app.deploy("a.ipynb", &wide, json!({})).await, app.deploy("b.ipynb", &wide, json!({})).await);
    let first = call(&app, &one, 2).await;
    let second = call(&app, &two, 2).await;
    let last = call(&app, &one, 1).await;
    let pruned = prune(&app, "").await;
    assert_eq!((&pruned["total"]["outputs"], &pruned["total"]["runs"]), (&json!(2), &json!(0)), "{pruned}");
    assert_eq!((outputs(&app, &one).await, outputs(&app, &two).await), (set(&last), set(&second)));
    assert_eq!(runs(&app, &one).await, set(&[first, last].concat()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_version_and_those_that_runs_need_stay() {
    let app = TestApp::start().await;
    let waits = notebook(&[
        "import pathlib, time\nwhile not pathlib.Path(gate).exists(): time.sleep(0.01)",
        "from nbhook import webhook",
        "webhook.respond_text('done')",
    ]);
    let mut histos = Vec::new();
    for _ in 0..5 {
        let hook = app.deploy("a.ipynb", &waits, json!({"keep_versions": 2})).await;
        histos.push(hook["histo"].as_str().unwrap().to_owned());
    }
    let hook = app.get("/v1/hooks").await["items"][0].clone();
    let at = format!("/v1/hooks/{}/versions", id(&hook));
    ok(app.api(Method::POST, &format!("{at}/{}/promote", histos[0])).send().await.unwrap()).await;
    let gate = app.data.path().join("gate");
    let pinned = format!("{}/versions/{}", crate::app::url(&hook), histos[1]);
    let call = tokio::spawn(app.http.get(pinned).query(&[("gate", gate.to_str().unwrap())]).send());
    let running = format!("/v1/runs?state=running&hook={}", id(&hook));
    eventually("the run runs", async || app.get(&running).await["items"] != json!([])).await;

    let versions = async || -> Vec<String> {
        let list = app.get(&at).await;
        list["items"].as_array().unwrap().iter().map(|item| item["histo"].as_str().unwrap().to_owned()).collect()
    };
    // A call is here and the hook was changed just now: it may be one that is not on record yet.
    assert_eq!(prune(&app, "").await["total"]["versions"], 0);
    write(&gate, b"");
    assert_eq!(call.await.unwrap().unwrap().text().await.unwrap(), "done");
    app.quiet().await;
    assert_eq!(prune(&app, "?dry_run=1").await["total"]["versions"], 3);
    sql(app.data.path(), &format!("UPDATE runs SET state = 'queued' WHERE version = '{}'", histos[1]));
    assert_eq!(prune(&app, "").await["total"]["versions"], 3);
    assert_eq!(versions().await, [histos[1].clone(), histos[0].clone()], "the live one, and that of a queued run");
    sql(app.data.path(), "UPDATE runs SET state = 'succeeded'");
    let folders = app.kept().keys().filter(|name| name.ends_with("notebook.ipynb")).count();
    assert_eq!(folders, 2, "{:?}", app.kept().keys());
    ok(app.api(Method::POST, &format!("{at}/{}/promote", histos[1])).send().await.unwrap()).await;
    assert_eq!(app.call(&hook, &[("gate", gate.to_str().unwrap())]).await.text().await.unwrap(), "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_stays_until_its_mail_is_sent_and_its_answer_has_expired() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("smtp://{closed}");
    let app = TestApp::start_at(noon(), |settings| settings.smtp.url = Some(nbhook::config::Secret::new(url))).await;
    let params = json!({"keep_runs": 1, "notif_down": "bob@example.org"});
    let hook = app.deploy("a.ipynb", &fails_if_told(), params).await;
    let mailed = run_of(&app.call(&hook, &[("fail", "1")]).await);
    let made = call(&app, &hook, 4).await;
    let (task, keyed, newest) = (&made[0], &made[1], &made[3]);
    app.quiet().await;
    let soon = (noon() + chrono::Duration::hours(24)).timestamp_millis();
    sql(
        app.data.path(),
        &format!(
            "INSERT INTO answers VALUES ('{task}', '{{}}', 0, {soon});
             INSERT OR REPLACE INTO calls VALUES ('{task}', '{{}}');
             INSERT INTO idempotency_keys VALUES ('{}', 'k', 'f', '{keyed}', {soon});",
            id(&hook)
        ),
    );
    let answer = app.data.path().join(".nbhook/answers").join(task);
    write(&answer, b"its body");
    let pruned = prune(&app, "").await;
    assert_eq!((&pruned["total"]["runs"], &pruned["leftovers"]), (&json!(1), &json!(0)), "{pruned}");
    assert_eq!(runs(&app, &hook).await, set(&[mailed.clone(), task.clone(), keyed.clone(), newest.clone()]));

    app.clock.as_ref().unwrap().advance(chrono::Duration::hours(24));
    eventually("what has expired goes", async || !answer.exists()).await;
    eventually("and its runs", async || runs(&app, &hook).await == set(&[mailed.clone(), newest.clone()])).await;
    sql(app.data.path(), "UPDATE notices SET finished_at = 1, claimed_at = 1");
    let pruned = prune(&app, "").await;
    assert_eq!((&pruned["total"]["runs"], &pruned["total"]["outputs"]), (&json!(1), &json!(1)), "{pruned}");
    assert_eq!((runs(&app, &hook).await, output_files(&app)), (set(std::slice::from_ref(newest)), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn members_prune_what_is_theirs_and_deleted_hooks_keep_what_they_were_told_to() {
    let app = TestApp::start().await;
    let bob = app.member("bob").await;
    let params = json!({"keep_outputs": 1, "keep_runs": 1});
    let theirs = app.deploy_as(&bob, "a.ipynb", &answers(), params.clone()).await;
    let mine = app.deploy("a.ipynb", &answers(), params.clone()).await;
    let left = app.deploy("left.ipynb", &answers(), params).await;
    for hook in [&theirs, &mine, &left] {
        call(&app, hook, 3).await;
    }
    ok(app.api(Method::DELETE, &format!("/v1/hooks/{}?all=false", id(&left))).send().await.unwrap()).await;
    let files =
        |owner: &str| app.kept().keys().filter(|name| name.starts_with(owner) && name.contains("/outputs/")).count();
    let pruned = ok(app.api_as(&bob, Method::POST, "/v1/prune").send().await.unwrap()).await;
    assert_eq!((&pruned["total"]["runs"], pruned["hooks"].as_array().unwrap().len()), (&json!(2), 1));
    assert_eq!((files("bob/"), files("admin/")), (1, 6));

    let user = User::new();
    user.log_in(&app, ADMIN).await;
    let dry = user.run(&["prune", "--dry-run"]).await.good();
    let rows: Vec<Vec<&str>> = dry.lines().skip(1).map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows.len(), 1, "{dry}");
    assert_eq!((&rows[0][..3], &rows[0][4..]), (&["0", "2", "2"][..], &["admin", "a.ipynb"][..]));
    let done: Value = serde_json::from_str(&user.run(&["prune", "--json"]).await.good()).unwrap();
    assert_eq!((&done["total"]["runs"], &done["leftovers"]), (&json!(2), &json!(0)));
    assert_eq!((files("bob/"), files("admin/a.ipynb/"), files("admin/left.ipynb/")), (1, 1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_on_record_refers_to_is_found_and_nothing_else() {
    let app = TestApp::start_at(noon(), |_| {}).await;
    let hook = app.deploy("dir/a.ipynb", &answers(), json!({})).await;
    let gone = app.deploy("gone.ipynb", &answers(), json!({"workdir": "persistent"})).await;
    call(&app, &hook, 2).await;
    call(&app, &gone, 1).await;
    app.quiet().await;
    let data = app.stop().await;
    let at = |name: &str| data.path().join(name);
    let histo = "20250101000000000000";
    // As servers leave them that are killed between the record and the files.
    let leftovers = [
        format!("admin/dir/a.ipynb/outputs/{histo}.ipynb"),
        format!("admin/dir/a.ipynb/{histo}/notebook.ipynb"),
        ".nbhook/answers/0198c5f0-0000-7000-8000-000000000001".to_owned(),
    ];
    let others = [
        "admin/dir/a.ipynb/outputs/notes.txt".to_owned(),
        format!("admin/dir/a.ipynb/{histo}1/notebook.ipynb"),
        "admin/dir/a.ipynb/20240101000000000000/mine.txt".to_owned(),
        format!("admin/own/{histo}/notebook.ipynb"),
        ".nbhook/answers/readme".to_owned(),
    ];
    for name in leftovers.iter().chain(&others) {
        write(&at(name), b"{}");
    }
    sql(
        data.path(),
        &format!(
            "UPDATE hooks SET deleted_at = 1 WHERE id = '{0}'; DELETE FROM versions WHERE hook_id = '{0}';
             UPDATE runs SET output_size = NULL WHERE hook_id = '{0}';",
            id(&gone)
        ),
    );
    assert!(at("admin/gone.ipynb/workdir").is_dir());
    let app = TestApp::start_again(data, noon(), |_| {}).await;
    let at = |name: &str| app.data.path().join(name);
    eventually("leftovers go", async || leftovers.iter().all(|name| !at(name).exists())).await;
    eventually("a deleted hook's too", async || !at("admin/gone.ipynb").exists()).await;
    assert!(others.iter().all(|name| at(name).exists()), "what is not nbhook's is left alone");
    assert_eq!(outputs(&app, &hook).await.len(), 2);
    assert_eq!(prune(&app, "").await["leftovers"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_while_it_removes_leaves_nothing_wrong() {
    const RUNS: usize = 4000;
    let data = TempDir::new().unwrap();
    let mut server = Server::start(data.path());
    let hook = server.deploy("a.ipynb", &answers(), json!({})).await;
    ok(server.call(&hook, &[]).await).await;
    let outputs = format!("/v1/hooks/{}/outputs", id(&hook));
    assert_eq!(server.get(&outputs).await["items"].as_array().unwrap().len(), 1);
    server.kill();
    let folder = data.path().join("admin/a.ipynb/outputs");
    sql(
        data.path(),
        &format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {RUNS})
             INSERT INTO runs (id, hook_id, owner_id, version, histo, state, origin, method, created_at, cells_total,
             cells_done, warnings, output_size)
             SELECT printf('0198c5f0-0000-7000-8000-%012d', i), r.hook_id, r.owner_id, r.version,
             printf('20250101%012d', i), 'succeeded', 'http', 'GET', r.created_at - 1, 1, 1, '[]', 2
             FROM runs r, n WHERE r.output_size IS NOT NULL;
             UPDATE runs SET finished_at = created_at;"
        ),
    );
    for number in 1..=RUNS {
        write(&folder.join(format!("20250101{number:012}.ipynb")), b"{}");
    }
    let bounds = [("NBHOOK_KEEP__OUTPUTS__COUNT", "10"), ("NBHOOK_KEEP__RUNS__COUNT", "2000")];
    let files = || std::fs::read_dir(&folder).unwrap().count();
    let mut in_the_middle = 0;
    for _ in 0..4 {
        let before = files();
        let mut server = Server::start_with(data.path(), &bounds);
        eventually("it has begun", async || files() < before || before == 10).await;
        server.kill();
        in_the_middle += usize::from((11..before).contains(&files()));
        let on_record = sql(data.path(), "SELECT histo FROM runs WHERE output_size IS NOT NULL");
        for histo in on_record.lines() {
            assert!(folder.join(format!("{histo}.ipynb")).exists(), "{histo} is on record and gone");
        }
    }
    assert!(in_the_middle > 0, "no server was killed in the middle: the test tests nothing");
    let server = Server::start_with(data.path(), &bounds);
    eventually("the last server goes on to the end", async || files() == 10).await;
    let kept = server.get(&format!("/v1/hooks/{}", id(&hook))).await["kept"].clone();
    assert_eq!((&kept["runs"], &kept["outputs"]), (&json!(2000), &json!(10)));
}
