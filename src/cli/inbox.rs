//! `nbhook inbox`: makes, lists, reads and deletes public URLs that keep what is sent to them.

use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::context::Context;
use super::error::CliError;
use super::table::Table;
use super::text;
use super::wire::{self, Inbox};

/// The longest that the server is asked to wait at once, in seconds.
const AT_ONCE: u64 = 60;

/// Make, list, read and delete inboxes: public URLs that keep what is sent to them
#[derive(Debug, Args)]
pub(super) struct InboxCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Create(Create),
    List(List),
    Get(Get),
    Delete(Delete),
}

/// Make an inbox and print its URL
#[derive(Debug, Args)]
struct Create {
    /// What senders are answered, as JSON [default: {"status":"ok"}]
    #[arg(long, value_name = "JSON", value_parser = parse_json)]
    response: Option<Value>,
    /// A header of that answer, e.g. "X-Kind: test"; may be repeated
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = parse_header)]
    headers: Vec<(String, String)>,
    /// What it holds until something is sent, as JSON
    #[arg(long, value_name = "JSON", value_parser = parse_json)]
    default_result: Option<Value>,
    /// Keep it after its result was read
    #[arg(long)]
    keep: bool,
    /// Keep what is sent first, not what is sent last
    #[arg(long)]
    no_override: bool,
    /// Whose it is to be [default: yours] (admins only)
    #[arg(long)]
    user: Option<String>,
    /// Its uuid [default: a random one] (admins only)
    #[arg(long)]
    uuid: Option<String>,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// List inboxes; admins see everyone's
#[derive(Debug, Args)]
struct List {
    /// Only this user's
    #[arg(long)]
    user: Option<String>,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// Print what was sent to an inbox, as JSON; it is gone then, unless it was made with --keep
#[derive(Debug, Args)]
struct Get {
    /// Its uuid, as `nbhook inbox list` shows it
    uuid: String,
    /// Wait until something is sent, for so many seconds at most [default: 3000]
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "3000")]
    wait: Option<u64>,
    /// Only if it is this user's
    #[arg(long)]
    user: Option<String>,
    /// Print the whole inbox, with the headers that were sent
    #[arg(long)]
    json: bool,
}

/// Delete an inbox, with what was sent to it
#[derive(Debug, Args)]
struct Delete {
    /// Its uuid, as `nbhook inbox list` shows it
    uuid: String,
    /// Only if it is this user's
    #[arg(long)]
    user: Option<String>,
}

fn parse_json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("expected JSON, e.g. '{{\"a\": 1}}' or '\"text\"': {error}"))
}

fn parse_header(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once(':').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    parts.ok_or_else(|| "expected a name, a colon and a value".to_owned())
}

fn of_user(user: Option<&String>) -> Vec<(&'static str, &str)> {
    user.map(|user| ("user", user.as_str())).into_iter().collect()
}

impl InboxCommand {
    pub(super) fn purpose(&self) -> &'static str {
        match self.action {
            Action::Create(_) => "create the inbox",
            Action::List(_) => "list the inboxes",
            Action::Get(_) => "get from the inbox",
            Action::Delete(_) => "delete the inbox",
        }
    }

    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        match self.action {
            Action::Create(create) => create.run(ctx).await,
            Action::List(list) => list.run(ctx).await,
            Action::Get(get) => get.run(ctx).await,
            Action::Delete(Delete { uuid, user }) => {
                ctx.api().await?.delete(&["inboxes", &uuid], &of_user(user.as_ref())).await?;
                ctx.line(&format!("deleted {uuid}"))
            }
        }
    }
}

impl Create {
    async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let headers: Map<String, Value> = self.headers.into_iter().map(|(name, value)| (name, value.into())).collect();
        let mut body = json!({"auto_delete": !self.keep, "no_override": self.no_override});
        let more = [
            ("response", self.response),
            ("response_headers", (!headers.is_empty()).then(|| headers.into())),
            ("default_result", self.default_result),
            ("user", self.user.map(Value::from)),
            ("uuid", self.uuid.map(Value::from)),
        ];
        for (name, value) in more {
            if let Some(value) = value {
                body[name] = value;
            }
        }
        let answer = ctx.api().await?.post(&["inboxes"], &body).await?;
        if self.json {
            return ctx.json(&answer);
        }
        let inbox: Inbox = wire::read(&answer)?;
        ctx.note(&format!(
            "made inbox {}; `nbhook inbox get {} --wait` waits for what is sent",
            inbox.uuid, inbox.uuid
        ));
        ctx.line(&inbox.url)
    }
}

impl List {
    async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let inboxes = ctx.api().await?.list(&["inboxes"], &of_user(self.user.as_ref()), None).await?;
        if self.json {
            return ctx.json(&Value::Array(inboxes));
        }
        let mut table = Table::new(&["UUID", "USER", "RECEIVED", "LAST", "CREATED", "URL"]);
        for inbox in wire::read_all::<Inbox>(&inboxes)? {
            let last = inbox.received_at.as_deref().map(text::time).unwrap_or_default();
            let created = text::time(&inbox.created_at);
            table.row(vec![inbox.uuid, inbox.user, inbox.received.to_string(), last, created, inbox.url]);
        }
        ctx.table(&table)
    }
}

impl Get {
    async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let answer = self.answer(ctx).await?;
        let inbox: Inbox = wire::read(&answer)?;
        if self.json { ctx.json(&answer) } else { ctx.json(&inbox.result) }
    }

    /// The inbox when something was sent, or as it is when that took too long.
    async fn answer(&self, ctx: &Context) -> Result<Value, CliError> {
        let (api, started) = (ctx.api().await?, Instant::now());
        let patience = Duration::from_secs(self.wait.unwrap_or_default());
        let bar = ctx.progress(1, "waiting until something is sent");
        let answer = loop {
            let left = patience.saturating_sub(started.elapsed());
            let wait = (left.as_secs() + u64::from(left.subsec_nanos() > 0)).min(AT_ONCE);
            let text = wait.to_string();
            let mut query = of_user(self.user.as_ref());
            query.push(("wait", &text));
            let asked = Instant::now();
            let answer = api.get_with(&["inboxes", &self.uuid], &query, Duration::from_secs(wait)).await;
            let Ok(inbox) = &answer else { break answer };
            let is_over = wire::read::<Inbox>(inbox)?.received > 0 || started.elapsed() >= patience;
            // A server that shuts down ends the wait early; the next one is asked again, but not in a rush.
            let early = Duration::from_secs(wait).min(Duration::from_secs(1)).saturating_sub(asked.elapsed());
            if is_over {
                break answer;
            }
            tokio::time::sleep(early).await;
        };
        bar.finish_and_clear();
        answer
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use clap::error::ErrorKind;
    use serde_json::{Value, json};
    use wiremock::ResponseTemplate;
    use wiremock::matchers::{body_json, query_param};

    use crate::cli::Cli;
    use crate::cli::testing::TestServer;

    fn inbox(received: u64, result: &Value) -> Value {
        json!({"uuid": "u1", "url": "http://h/inbox/u1", "user": "bob", "received": received, "received_at": null,
            "created_at": "2026-01-02T03:04:05Z", "result": result})
    }

    #[tokio::test]
    async fn an_inbox_is_made_as_it_is_wished_for() {
        let server = TestServer::start().await;
        let body = json!({"auto_delete": false, "no_override": true, "response": {"toto": "tata"},
            "response_headers": {"x-a": "b: c"}, "default_result": 0, "user": "bob", "uuid": "u1"});
        let create = server.mock("POST", "/v1/inboxes").and(body_json(body));
        let made = ResponseTemplate::new(201).set_body_json(inbox(0, &Value::Null));
        create.respond_with(made).expect(1).mount(&server.http).await;
        let options = ["--response", r#"{"toto": "tata"}"#, "--header", "x-a: b: c", "--default-result", "0", "--keep"];
        let more = ["--no-override", "--user", "bob", "--uuid", "u1"];
        let ran = server.run(&[&["inbox", "create"], &options[..], &more].concat()).await;
        assert_eq!((ran.code, ran.out.as_str()), (0, "http://h/inbox/u1\n"), "{}", ran.err);
    }

    #[test]
    fn a_wish_that_cannot_be_read_is_a_wrong_command_line() {
        for wrong in [["--response", "{"], ["--default-result", "a"], ["--header", "x"]] {
            let error = Cli::try_parse_from([&["nbhook", "inbox", "create"], &wrong[..]].concat()).unwrap_err();
            assert_eq!((error.exit_code(), error.kind()), (2, ErrorKind::ValueValidation), "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn inboxes_are_listed_and_deleted() {
        let server = TestServer::start().await;
        server.list("/v1/inboxes", &[("user", "bob")], &[inbox(3, &Value::Null)]).await;
        let ran = server.run(&["inbox", "list", "--user", "bob"]).await;
        let row = "u1\tbob\t3\t\t2026-01-02 03:04:05\thttp://h/inbox/u1\n";
        assert_eq!(ran.out, format!("UUID\tUSER\tRECEIVED\tLAST\tCREATED\tURL\n{row}"), "{}", ran.err);
        server.json("DELETE", "/v1/inboxes/u1", 200, json!({"success": true})).await;
        assert_eq!(server.run(&["inbox", "delete", "u1"]).await.out, "deleted u1\n");
        assert_eq!(server.run(&["inbox", "delete", "u2"]).await.code, 3);
    }

    #[tokio::test]
    async fn a_reader_waits_on_until_something_is_sent() {
        let server = TestServer::start().await;
        let answer = |received, result: &Value| ResponseTemplate::new(200).set_body_json(inbox(received, result));
        let first = server.mock("GET", "/v1/inboxes/u1").and(query_param("wait", "60"));
        first.respond_with(answer(0, &Value::Null)).up_to_n_times(1).mount(&server.http).await;
        let then = server.mock("GET", "/v1/inboxes/u1").and(query_param("wait", "60"));
        then.respond_with(answer(1, &json!({"a": 1}))).expect(1).mount(&server.http).await;
        let ran = server.run(&["inbox", "get", "u1", "--wait"]).await;
        assert_eq!((ran.code, ran.out.as_str()), (0, "{\n  \"a\": 1\n}\n"), "{}", ran.err);

        let at_once = server.mock("GET", "/v1/inboxes/u1").and(query_param("wait", "0"));
        at_once.respond_with(answer(0, &Value::Null)).expect(1).mount(&server.http).await;
        assert_eq!(server.run(&["inbox", "get", "u1"]).await.out, "null\n");
    }
}
