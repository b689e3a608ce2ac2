//! What goes on in a run: its progress, and all of it as Server-Sent Events (`GET /v1/runs/{id}/events`).

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::app::{TestApp, eventually, header, notebook, ok, problem, run_of};
use crate::responses::answer_with;
use crate::tasks::{Signs, WAITS, at, ended, result, start, state};

/// One event.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    id: u64,
    kind: String,
    data: Value,
}

/// A stream of events that is being read.
struct Events {
    response: Response,
    /// What has come and is not read yet.
    bytes: Vec<u8>,
}

impl Events {
    async fn open(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
        assert_eq!(header(&response, "content-type"), "text/event-stream");
        assert!(header(&response, "cache-control").contains("no-"), "nobody in between may keep it");
        Self { response, bytes: Vec::new() }
    }

    /// The next event, none when the stream has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some(end) = self.bytes.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.bytes.drain(..end + 2).collect();
                if let Some(event) = parse(std::str::from_utf8(&block).unwrap()) {
                    return Some(event);
                }
            }
            self.bytes.extend(self.response.chunk().await.unwrap()?);
        }
    }

    /// All up to one that is wanted.
    async fn until(&mut self, mut wanted: impl FnMut(&Event) -> bool) -> Vec<Event> {
        let mut events = Vec::new();
        while !events.last().is_some_and(&mut wanted) {
            events.push(self.next().await.unwrap_or_else(|| panic!("the stream ended: {events:?}")));
        }
        events
    }

    async fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        assert_eq!(self.bytes, b"", "it ends with a whole event");
        events
    }
}

/// An event; none for a comment, which keeps the connection alive.
fn parse(block: &str) -> Option<Event> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim_start);
    let data = field("data:")?;
    let event = Event {
        id: field("id:").expect(block).parse().unwrap(),
        kind: field("event:").expect(block).to_owned(),
        data: serde_json::from_str(data).expect(block),
    };
    assert!(["state", "cell", "stream", "progress"].contains(&event.kind.as_str()), "{event:?}");
    Some(event)
}

fn events(app: &TestApp, run: &str) -> RequestBuilder {
    app.api(Method::GET, &format!("/v1/runs/{run}/events"))
}

fn states(events: &[Event]) -> Vec<&str> {
    let states = events.iter().filter(|event| event.kind == "state");
    states.map(|event| event.data["state"].as_str().unwrap()).collect()
}

fn cells(events: &[Event]) -> Vec<(Option<u64>, &str)> {
    let cells = events.iter().filter(|event| event.kind == "cell");
    cells.map(|event| (event.data["cell"].as_u64(), event.data["status"].as_str().unwrap())).collect()
}

/// Tells of everything that there are events for, and waits in the middle.
fn talks() -> Value {
    let mut talks = notebook(&[
        "n = 0",
        "import sys, nbhook\nprint('hello ü')\nsys.stderr.write('careful\\n')\nnbhook.progress(3, 9, 'loading')",
        WAITS,
        "nbhook.progress(9, 9)\nprint('done')",
        &answer_with("respond_text('x')"),
    ]);
    talks["cells"][0]["metadata"]["tags"] = json!(["parameters"]);
    talks
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_watched_from_the_start_to_the_end() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    let hook = app.deploy("talks.ipynb", &talks(), json!({})).await;
    let task = start(&app, &hook, &signs.query("started")).await;
    let mut early = Events::open(events(&app, &task.id)).await;
    let mut first = early.until(|event| event.kind == "progress").await;
    signs.seen("started").await;
    // Whoever comes later sees the same, from the start.
    let mut late = Events::open(events(&app, &task.id)).await;
    let mut gone = Events::open(events(&app, &task.id)).await;
    gone.next().await.unwrap();
    drop(gone);
    let middle = late.until(|event| event.kind == "progress").await;
    assert_eq!(middle, first);
    signs.give("gate");
    first.extend(early.rest().await);
    let all = late.rest().await;
    assert_eq!(all, first[middle.len()..]);

    assert!(first.windows(2).all(|pair| pair[0].id < pair[1].id), "{first:?}");
    assert_eq!(states(&first).last(), Some(&"succeeded"));
    assert_eq!(first.last().unwrap().kind, "state", "the last word is the state: {first:?}");
    assert!(first.iter().any(|event| event.kind == "state" && event.data == json!({"state": "running", "attempt": 1})));
    let expected: Vec<_> = [Some(0), None, Some(1), Some(2), Some(3), Some(4)]
        .into_iter()
        .flat_map(|cell| [(cell, "started"), (cell, "ok")])
        .collect();
    assert_eq!(cells(&first), expected);
    for event in first.iter().filter(|event| event.kind == "cell") {
        assert!(chrono::DateTime::parse_from_rfc3339(event.data["at"].as_str().unwrap()).is_ok(), "{event:?}");
    }
    let said = |name: &str, cell: u64| -> String {
        let streams = first.iter().filter(|event| event.kind == "stream");
        let streams = streams.filter(|event| event.data["name"] == name && event.data["cell"] == cell);
        streams.map(|event| event.data["text"].as_str().unwrap()).collect()
    };
    assert_eq!((said("stdout", 1), said("stderr", 1)), ("hello ü\n".to_owned(), "careful\n".to_owned()));
    assert_eq!(said("stdout", 3), "done\n");
    let progress: Vec<_> = first.iter().filter(|event| event.kind == "progress").map(|event| &event.data).collect();
    let told = [json!({"done": 3, "total": 9, "message": "loading"}), json!({"done": 9, "total": 9, "message": null})];
    assert_eq!(progress, told.iter().collect::<Vec<_>>());
    assert_eq!(result(&app, &task).await.text().await.unwrap(), "x", "readers that come and go harm nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_goes_on_where_it_was() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    let hook = app.deploy("talks.ipynb", &talks(), json!({})).await;
    let task = start(&app, &hook, &signs.query("started")).await;
    let mut reader = Events::open(events(&app, &task.id)).await;
    let seen = reader.until(|event| event.kind == "progress").await;
    drop(reader);
    let known = seen[seen.len() - 3].id;
    let mut again = Events::open(events(&app, &task.id).header("last-event-id", known.to_string())).await;
    assert_eq!(again.until(|event| event.kind == "progress").await, seen[seen.len() - 2..]);
    signs.give("gate");
    let rest = again.rest().await;
    assert!(rest.iter().all(|event| event.id > seen.last().unwrap().id), "{rest:?}");
    assert_eq!(states(&rest), ["succeeded"]);

    app.quiet().await;
    for known in [&seen[0], seen.last().unwrap(), rest.last().unwrap()] {
        let late = events(&app, &task.id).header("last-event-id", known.id.to_string());
        let end = Events::open(late).await.rest().await;
        assert_eq!((end.len(), states(&end)), (1, vec!["succeeded"]), "who lost the run on its way hears how it ended");
        let known = events(&app, &task.id).header("last-event-id", end[0].id.to_string());
        assert_eq!(Events::open(known).await.rest().await, [], "once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_run_that_has_ended_states_and_cells_are_told() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    signs.give("gate");
    let hook = app.deploy("talks.ipynb", &talks(), json!({})).await;
    let task = start(&app, &hook, &signs.query("started")).await;
    let _ = ended(&app, &task).await;
    app.quiet().await;
    let told = Events::open(events(&app, &task.id)).await.rest().await;
    assert_eq!(states(&told).last(), Some(&"succeeded"), "{told:?}");
    assert!(states(&told).contains(&"running"), "{told:?}");
    for cell in [Some(0), None, Some(1), Some(2), Some(3), Some(4)] {
        assert!(cells(&told).contains(&(cell, "ok")), "{cell:?}: {told:?}");
    }
    let last = told.last().unwrap().id;
    let nothing = Events::open(events(&app, &task.id).header("last-event-id", last.to_string())).await.rest().await;
    assert_eq!(nothing, []);

    let fails = app.deploy("fails.ipynb", &notebook(&["1", "raise ValueError", "2"]), json!({})).await;
    let run = run_of(&app.call(&fails, &[]).await);
    app.quiet().await;
    let told = Events::open(events(&app, &run)).await.rest().await;
    assert_eq!(states(&told).last(), Some(&"failed"), "a run that was waited for has events too");
    assert!(cells(&told).contains(&(Some(0), "ok")) && cells(&told).contains(&(Some(1), "error")), "{told:?}");
    assert!(!cells(&told).iter().any(|(cell, _)| *cell == Some(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_cancelling_and_floods_are_seen() {
    let (app, signs) = (TestApp::start_with(|settings| settings.kernel.limit = 4).await, Signs::new());
    let fails = "import os\nif not os.path.exists(tried):\n    open(tried, 'x').close()\n    raise ValueError";
    let hook = app.deploy("again.ipynb", &notebook(&[fails, WAITS]), json!({"retries": 1})).await;
    let query = [signs.query("second").as_slice(), &[("tried", signs.text("tried"))]].concat();
    let task = start(&app, &hook, &query).await;
    let mut reader = Events::open(events(&app, &task.id)).await;
    let second = json!({"state": "running", "attempt": 2});
    let seen = reader.until(|event| event.data == second).await;
    assert!(cells(&seen).contains(&(Some(0), "error")), "{seen:?}");
    signs.seen("second").await;
    ok(app.api(Method::POST, &format!("/v1/runs/{}/cancel", task.id)).send().await.unwrap()).await;
    assert_eq!(states(&reader.rest().await), ["cancelled"]);

    // More than is kept: a reader who comes late has the end, and the server its memory.
    let flood = "for n in range(20_000): print(n, 'x' * 1000)";
    let hook = app.deploy("flood.ipynb", &notebook(&[flood, WAITS]), json!({})).await;
    let task = start(&app, &hook, &signs.query("flood")).await;
    signs.seen("flood").await;
    let slow = Events::open(events(&app, &task.id)).await;
    signs.give("gate");
    let _ = ended(&app, &task).await;
    assert_eq!(state(&app, &task.id).await, "succeeded", "a reader that does not read holds nothing up");
    drop(slow);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_for_the_owner_and_who_has_the_key() {
    let (app, signs) = (TestApp::start().await, Signs::new());
    let (owner, other) = (app.member("olga").await, app.member("mallory").await);
    let printing = notebook(&["print('for my owner')", WAITS]);
    let hook = app.deploy_as(&owner, "waits.ipynb", &printing, json!({})).await;
    let task = start(&app, &hook, &signs.query("started")).await;
    signs.seen("started").await;
    let path = format!("/v1/runs/{}/events", task.id);
    for request in [
        at(&app, &format!("{path}?key=wrong")),
        app.api_as(&other, Method::GET, &path),
        app.api(Method::GET, &format!("/v1/runs/{}/events", uuid::Uuid::now_v7())),
    ] {
        problem(request.send().await.unwrap(), 404).await;
    }
    problem(at(&app, &path).send().await.unwrap(), 401).await;
    let mut owners = Events::open(app.api_as(&owner, Method::GET, &path)).await;
    let mut callers = Events::open(at(&app, &format!("{path}{}", task.key()))).await;
    assert!(owners.next().await.is_some() && callers.next().await.is_some());
    signs.give("gate");
    let _ = ended(&app, &task).await;
    let (owners, callers) = (owners.rest().await, callers.rest().await);
    let text = |events: &[Event]| events.iter().any(|event| event.data.to_string().contains("for my owner"));
    assert_eq!(states(&callers).last(), states(&owners).last());
    assert!(text(&owners) && !text(&callers), "what a run prints is its owner's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_says_how_far_it_is() {
    let (app, signs) = (TestApp::start_with(|settings| settings.kernel.limit = 4).await, Signs::new());
    let bar = "import sys\nfor n in (1, 45): print(f'\\rrows:  {n}%|####      | {n}/100 [00:01<00:01, 40.00it/s]', end='', file=sys.stderr, flush=True)";
    let told = "import nbhook\nfor n in range(1001): nbhook.progress(n * 9 / 1000, 9, 'loading')";
    for (name, cell, expected) in [
        ("told", told, json!({"done": 9, "total": 9, "message": "loading"})),
        ("printed", bar, json!({"done": 45, "total": 100, "message": "rows"})),
        ("silent", "print('nothing')", Value::Null),
    ] {
        let hook = app.deploy(&format!("{name}.ipynb"), &notebook(&[cell, WAITS]), json!({})).await;
        let task = start(&app, &hook, &signs.query(name)).await;
        signs.seen(name).await;
        let progress = async || ok(at(&app, &task.location).send().await.unwrap()).await["progress"].clone();
        eventually("the progress is known", async || progress().await == expected).await;
        assert_eq!(app.get(&format!("/v1/runs/{}", task.id)).await["progress"], expected);
    }
    signs.give("gate");
    app.quiet().await;
}
