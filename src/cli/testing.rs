//! Runs the command line against a real HTTP server with prepared answers.

use std::io::{self, Cursor, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use clap::Parser;
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::context::{Context, Streams, Terminals};
use super::{Cli, execute};

pub(super) const TOKEN: &str = "nbh_0123456789abcdefghijklmnopq";

/// A server, and a home folder for the user who talks to it.
pub(super) struct TestServer {
    pub(super) http: MockServer,
    pub(super) home: tempfile::TempDir,
}

/// What a command left behind.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) code: u8,
    pub(super) out: String,
    pub(super) bytes: Vec<u8>,
    pub(super) err: String,
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl TestServer {
    pub(super) async fn start() -> Self {
        Self { http: MockServer::start().await, home: tempfile::tempdir().unwrap() }
    }

    /// Answers this request, if it comes with the token, with this JSON.
    pub(super) async fn json(&self, verb: &str, at: &str, status: u16, body: Value) {
        let answer = ResponseTemplate::new(status).set_body_json(body);
        self.mock(verb, at).respond_with(answer).mount(&self.http).await;
    }

    /// A request with the token, to be answered.
    #[expect(clippy::unused_self, reason = "reads as `server.mock(…)`, like its siblings")]
    pub(super) fn mock(&self, verb: &str, at: &str) -> wiremock::MockBuilder {
        Mock::given(method(verb)).and(path(at)).and(header("authorization", format!("Bearer {TOKEN}")))
    }

    /// Answers a list request that has these filters with one page.
    pub(super) async fn list(&self, at: &str, filters: &[(&str, &str)], items: &[Value]) {
        let page = json!({"filters": {}, "sort": "", "limit": 250, "offset": 0, "items": items});
        let mut mock = self.mock("GET", at);
        for (name, value) in filters {
            mock = mock.and(query_param(*name, *value));
        }
        mock.respond_with(ResponseTemplate::new(200).set_body_json(page)).mount(&self.http).await;
    }

    pub(super) async fn run(&self, args: &[&str]) -> Ran {
        self.run_as(args, "", Terminals::default()).await
    }

    /// As [`Self::run`], with this standard input, and with these streams being terminals.
    pub(super) async fn run_as(&self, args: &[&str], input: &str, terminals: Terminals) -> Ran {
        let uri = self.http.uri();
        let line = ["nbhook", "--server", &uri, "--token", TOKEN].into_iter().chain(args.iter().copied());
        let cli =
            Cli::try_parse_from(super::argv::joined(line.map(Into::into))).unwrap_or_else(|error| panic!("{error}"));
        let (out, err) = (Buffer::default(), Buffer::default());
        let streams = Streams {
            input: Box::new(Cursor::new(input.to_owned())),
            output: Box::new(out.clone()),
            errors: Box::new(err.clone()),
            terminals,
        };
        let mut ctx = Context::new(cli.connection, streams);
        ctx.credentials = Some(self.credentials());
        let code = execute(cli.command, &ctx).await;
        let bytes = out.take();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let ran = Ran { code, out: text(&bytes), bytes, err: text(&err.take()) };
        assert!(!format!("{}{}", ran.out, ran.err).contains(TOKEN), "the token was printed: {ran:?}");
        ran
    }

    pub(super) fn credentials(&self) -> PathBuf {
        self.home.path().join(".config/nbhook/credentials.json")
    }

    /// A path in the home folder, as an argument.
    pub(super) fn path(&self, name: &str) -> String {
        self.home.path().join(name).to_str().unwrap().to_owned()
    }

    pub(super) fn write(&self, name: &str, content: &[u8]) -> String {
        let target = self.home.path().join(name);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        let mut file = tempfile::NamedTempFile::new_in(self.home.path()).unwrap();
        file.write_all(content).unwrap();
        file.persist(&target).unwrap();
        self.path(name)
    }
}

/// A hook as the server shows it; its URL ends in `t-{owner}`.
pub(super) fn hook(id: &str, path: &str, owner: &str) -> Value {
    json!({"id": id, "path": path, "url": format!("http://hooks.test/hooks/t-{owner}"), "histo": "20260102030405678901",
        "owner": owner, "params": {"inline": true, "timeout": 600}, "python": null, "warnings": [],
        "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:06Z"})
}

/// A hook's id, for tests that need one only.
pub(super) const HOOK: &str = "0198c5f0-0000-7000-8000-000000000001";
