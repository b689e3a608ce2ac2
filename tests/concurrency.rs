//! Many calls at once: each gets its own answer, and no run sees another's files.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::app::{TestApp, eventually, fixture, header, notebook, ok, run_python, url};
use crate::responses::answer_with;

/// The ZIP that the fixture's pure cell makes for each name, made by plain Python.
fn bundles(names: &[String]) -> Vec<Vec<u8>> {
    let notebook = fixture("file_answer");
    let cell = notebook["cells"].as_array().unwrap().iter().find(|cell| cell["id"] == "make-zip").unwrap();
    let source: String = match &cell["source"] {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        text => text.as_str().unwrap().to_owned(),
    };
    let folder = tempfile::tempdir().unwrap();
    let write = "\nimport sys\nfor i, name in enumerate(sys.argv[2:]):\n    open(f'{sys.argv[1]}/{i}', 'wb').write(make_zip(name, 3, 5000))";
    let (source, folder_name) = (source + write, folder.path().to_str().unwrap());
    let args: Vec<&str> = ["-c", &source, folder_name].into_iter().chain(names.iter().map(String::as_str)).collect();
    run_python(&args, "");
    (0..names.len()).map(|i| std::fs::read(folder.path().join(i.to_string())).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_calls_at_once_get_each_its_own_file() {
    let app = TestApp::start().await;
    let hook = app.deploy_fixture("file_answer", json!({})).await;
    let names: Vec<String> = (0..50).map(|number| format!("bundle-{number}")).collect();
    let expected = bundles(&names);
    let (server, at) = (&app, &hook);
    let asked = names.iter().map(|name| async move {
        let response =
            server.http.get(url(at)).query(&[("name", name.as_str()), ("size", "5000")]).send().await.unwrap();
        assert_eq!(response.status(), 200, "{name}");
        assert_eq!(header(&response, "content-disposition"), format!("attachment; filename=\"{name}.zip\""));
        response.bytes().await.unwrap()
    });
    let answers = join_all(asked).await;
    for ((name, answer), expected) in names.iter().zip(&answers).zip(&expected) {
        assert!(answer == expected, "{name} got another's file");
    }
    let mut distinct = answers.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 50);
    app.quiet().await;
    assert!(app.scratch().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_do_not_see_one_anothers_files() {
    let app = TestApp::start().await;
    let meet = tempfile::tempdir().unwrap();
    // Each writes its file, waits until both have, and tells what is there.
    let cells = [
        "import os, time\nopen('mine', 'x').write(me)\nopen(f'{meet}/{me}', 'x').close()",
        "end = time.time() + 30\nwhile len(os.listdir(meet)) < 2 and time.time() < end: time.sleep(0.01)",
        &answer_with(
            "respond_json([os.listdir('.'), open('mine').read(), os.getcwd(), os.stat('../..').st_mode & 0o777, len(os.listdir(meet))])",
        ),
    ];
    let hook = app.deploy("a.ipynb", &notebook(&cells), json!({})).await;
    let meet = meet.path().to_str().unwrap();
    let asked = ["a", "b"].map(|me| app.http.get(url(&hook)).query(&[("me", me), ("meet", meet)]).send());
    let answers = join_all(asked).await;
    let mut folders = Vec::new();
    for (me, answer) in ["a", "b"].iter().zip(answers) {
        let answer = ok(answer.unwrap()).await;
        assert_eq!(answer, json!([["mine"], me, answer[2], 0o700, 2]));
        folders.push(answer[2].as_str().unwrap().to_owned());
    }
    assert_ne!(folders[0], folders[1]);
    app.quiet().await;
    assert!(folders.iter().all(|folder| !std::path::Path::new(folder).exists()), "removed with the run");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persistent_directory_is_kept_and_used_by_one_run_at_a_time() {
    let app = TestApp::start().await;
    let cells = [
        "import os, time\nopen('alone', 'x').close()\nseen = open('table.txt').read()\nopen('table.txt', 'a').write('changed')",
        "count = int(open('count').read()) if os.path.exists('count') else 0\ntime.sleep(0.05)\nopen('count', 'w').write(str(count + 1))",
        "open('answer.txt', 'w').write(f'{me} {count + 1} {seen} {open(\"table.txt\").read()}')\nos.remove('alone')",
        &answer_with("respond_file('answer.txt')"),
    ];
    let meta = json!({"path": "kept.ipynb", "params": {"workdir": "persistent", "concurrency": 8}});
    let notebook_bytes = notebook(&cells).to_string();
    let hook = ok(app.upload(&meta, notebook_bytes.as_bytes(), &[("table.txt", b"deployed")]).await).await;
    let (server, at) = (&app, &hook);
    let asked = (0..8).map(|me: u32| async move {
        let response = server.http.get(url(at)).query(&[("me", me)]).send().await.unwrap();
        assert_eq!(response.status(), 200);
        (me, response.text().await.unwrap())
    });
    let mut counts = Vec::new();
    for (me, answer) in join_all(asked).await {
        let words: Vec<&str> = answer.split(' ').collect();
        assert_eq!(
            (words[0], &words[2..]),
            (me.to_string().as_str(), ["deployed", "deployedchanged"].as_slice()),
            "its own: {answer}"
        );
        counts.push(words[1].parse::<u32>().unwrap());
    }
    counts.sort_unstable();
    assert_eq!(counts, (1..=8).collect::<Vec<_>>(), "each saw what the one before left");
    // A new version of the notebook finds the same directory.
    let cells = [answer_with("respond_text(open('count').read())")];
    let hook = app.deploy("kept.ipynb", &notebook(&[&cells[0]]), json!({"workdir": "persistent"})).await;
    assert_eq!(app.call(&hook, &[]).await.text().await.unwrap(), "8");
    // And another hook does not.
    let hook = app
        .deploy(
            "other.ipynb",
            &notebook(&["import os; assert os.listdir('.') == []"]),
            json!({"workdir": "persistent"}),
        )
        .await;
    ok(app.call(&hook, &[]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kernel_has_the_hooks_environment_and_not_the_servers_settings() {
    let app = TestApp::start().await;
    let answer = answer_with(
        "respond_json({k: v for k, v in os.environ.items() if k.startswith('NBHOOK_') or k in ('COLOUR', 'LANG_X')})",
    );
    let env = json!({"COLOUR": "grün = \"x\" $HOME", "LANG_X": ""});
    let hook = app.deploy("env.ipynb", &notebook(&["import os", &answer]), json!({"env": env})).await;
    let response = app.call(&hook, &[]).await;
    let run = crate::app::run_of(&response);
    let mut seen = ok(response).await;
    let token = seen.as_object_mut().unwrap().remove("NBHOOK_RUN_TOKEN");
    assert!(token.is_some_and(|token| token.as_str().is_some_and(|token| token.len() > 27)), "its own, while it runs");
    let folder = seen.as_object_mut().unwrap().remove("NBHOOK_RUN_FOLDER").unwrap();
    assert!(folder.as_str().unwrap().contains("/.nbhook/scratch/run-"), "{folder}");
    // The tests themselves were started with settings, NBHOOK_TEST_PYTHON among them.
    assert_eq!(
        seen,
        json!({"COLOUR": "grün = \"x\" $HOME", "LANG_X": "", "NBHOOK_RUN": run, "NBHOOK_HOOK": hook["id"], "NBHOOK_URL": app.url, "NBHOOK_RUN_URL": app.url, "NBHOOK_RUN_PATH": "env.ipynb"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_one_hook_does_not_hold_up_a_single_call_of_another() {
    // Of the flood, two run and eighteen wait when the single call arrives: the queue is full.
    let app = TestApp::start_with(|settings| {
        settings.kernel.limit = 2;
        settings.kernel.queue = 18;
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("gate");
    let waits = format!("import os, time\nwhile not os.path.exists({:?}): time.sleep(0.01)", gate.to_str().unwrap());
    let busy = app.deploy("busy.ipynb", &notebook(&[&waits]), json!({})).await;
    let single = app.deploy("single.ipynb", &notebook(&["1"]), json!({})).await;
    let done = Arc::new(AtomicUsize::new(0));
    let flood: Vec<_> = (0..20)
        .map(|_| {
            let (call, done) = (app.http.get(url(&busy)).send(), done.clone());
            tokio::spawn(async move {
                ok(call.await.unwrap()).await;
                done.fetch_add(1, Ordering::SeqCst);
            })
        })
        .collect();
    eventually("the flood is here", async || app.app().service().runs_in_progress() == 20).await;
    assert_eq!(app.call(&busy, &[]).await.status(), 429, "the flood has all places that it may have");
    let call = tokio::spawn(app.http.get(url(&single)).send());
    eventually("the single call is here", async || app.app().service().runs_in_progress() == 21).await;
    drop(std::fs::File::create_new(&gate).unwrap());
    ok(call.await.unwrap().unwrap()).await;
    let before = done.load(Ordering::SeqCst);
    assert!(before <= 6, "{before} calls of the flood went before the single one");
    for call in flood {
        call.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_together_take_no_more_memory_than_they_may() {
    let app = TestApp::start_with(|settings| settings.body_memory = 1 << 20).await;
    let gate = tempfile::tempdir().unwrap();
    let go = gate.path().join("go").to_str().unwrap().to_owned();
    let cells = [
        "import os, time\nopen(gate + '.here', 'w').close()\nwhile not os.path.exists(gate): time.sleep(0.01)",
        "from nbhook import webhook\nwebhook.respond_json(len(body))",
    ];
    let hook = app.deploy("large.ipynb", &notebook(&cells), json!({})).await;
    let send = |body: &Value| app.http.post(url(&hook)).query(&[("gate", &go)]).json(body).send();
    let (large, middling) = (json!(["x".repeat(900_000)]), json!("y".repeat(30_000)));
    let first = tokio::spawn(send(&large));
    eventually("the run waits", async || std::fs::exists(format!("{go}.here")).unwrap()).await;
    let refused = send(&middling).await.unwrap();
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (503, "1"));
    let small = app.http.get(format!("{}/healthz", app.url)).send().await.unwrap();
    assert_eq!(small.status(), 200);
    std::fs::OpenOptions::new().create_new(true).write(true).open(&go).unwrap();
    assert_eq!(ok(first.await.unwrap().unwrap()).await, json!(1), "a body that is alone may have all there is");
    app.quiet().await;
    assert_eq!(ok(send(&middling).await.unwrap()).await, json!(30_000), "it was given back");
}

/// A pipe that nobody reads would hold up who opens it for ever, and a link leads elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_left_in_the_place_of_a_dependency_is_replaced() {
    let app = TestApp::start().await;
    let elsewhere = tempfile::TempDir::new().unwrap();
    crate::app::write(&elsewhere.path().join("victim/x.csv"), b"untouched");
    let victim = elsewhere.path().join("victim");
    let cell = "\
        import os, shutil\nfrom nbhook import webhook\nfound = open('d/x.csv').read()\n\
        shutil.rmtree('d') if how == 'link' else os.remove('d/x.csv')\n\
        {'pipe': lambda: os.mkfifo('d/x.csv'), 'folder': lambda: os.mkdir('d/x.csv'), 'link': lambda: os.symlink(at, 'd'),\n\
         'file link': lambda: os.symlink(at + '/x.csv', 'd/x.csv'), 'end': lambda: None}[how]()\nwebhook.respond_text(found)";
    let deploy = serde_json::json!({"path": "a.ipynb", "params": {"workdir": "persistent", "timeout": 20}});
    let form = reqwest::multipart::Form::new()
        .part("meta", reqwest::multipart::Part::text(deploy.to_string()))
        .part(
            "notebook",
            reqwest::multipart::Part::bytes(notebook(&[cell]).to_string().into_bytes()).file_name("a.ipynb"),
        )
        .part("dependency", reqwest::multipart::Part::bytes(b"mine".to_vec()).file_name("d/x.csv"));
    let hook = ok(app.api(reqwest::Method::POST, "/v1/hooks").multipart(form).send().await.unwrap()).await;
    for how in ["pipe", "folder", "file link", "link", "end"] {
        let answer = app.call(&hook, &[("how", how), ("at", victim.to_str().unwrap())]).await;
        assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, "mine".to_owned()), "before {how}");
    }
    assert_eq!(std::fs::read(victim.join("x.csv")).unwrap(), b"untouched");
}
