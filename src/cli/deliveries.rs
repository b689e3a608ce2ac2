//! `nbhook deliveries`: events on their way to callbacks and URLs, and sending them again.

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};

use super::context::Context;
use super::error::CliError;
use super::listing::Listing;
use super::since::{self, Since};
use super::table::Table;
use super::{text, wire};
use crate::model::{DeliveryId, DeliveryStatus, EventId, SubscriptionId};

/// Look at deliveries: events on their way to callbacks and URLs, and send them again
#[derive(Debug, Args)]
pub(super) struct DeliveriesCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(List),
    Show(Show),
    Retry(Retry),
    Recover(Recover),
}

/// List deliveries, newest first
#[derive(Debug, Args)]
struct List {
    /// Only those of this status: pending, attempting, retrying, delivered, rejected, dead or cancelled
    #[arg(long)]
    status: Option<DeliveryStatus>,
    /// Only those that go to this callback
    #[arg(long, value_name = "ID")]
    callback: Option<u32>,
    /// Only those of this subscription
    #[arg(long, value_name = "UUID")]
    subscription: Option<SubscriptionId>,
    /// Only those of this event
    #[arg(long, value_name = "UUID")]
    event: Option<EventId>,
    /// Only those made since this time, as RFC 3339 or an age like 30m, 2h or 7d
    #[arg(long, value_name = "TIME", value_parser = since::parse)]
    since: Option<Since>,
    #[command(flatten)]
    listing: Listing,
}

/// Show one delivery with its attempts and what was answered last
#[derive(Debug, Args)]
struct Show {
    /// Its id, as `nbhook deliveries list` shows it
    id: DeliveryId,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// Send a delivery that has ended again
#[derive(Debug, Args)]
struct Retry {
    /// Its id, as `nbhook deliveries list` shows it
    id: DeliveryId,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// Send again all that failed of a callback since a time
#[derive(Debug, Args)]
struct Recover {
    /// The callback's id
    callback: u32,
    /// The time, as RFC 3339 or an age like 30m, 2h or 7d
    #[arg(long, value_name = "TIME", value_parser = since::parse)]
    since: Since,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Deserialize)]
struct Delivery {
    id: String,
    event: String,
    #[serde(rename = "type")]
    kind: String,
    subscription: String,
    callback_id: Option<i64>,
    fallback_of: Option<String>,
    status: String,
    next_attempt_at: Option<String>,
    created_at: String,
    finished_at: Option<String>,
    attempts: Vec<Attempt>,
}

#[derive(Debug, Deserialize)]
struct Attempt {
    at: String,
    status_code: Option<u16>,
    duration_ms: u64,
    error: Option<String>,
    #[serde(default)]
    response: String,
    response_valid: Option<bool>,
}

impl Attempt {
    /// How it ended, in a few words.
    fn summary(&self) -> String {
        let mut parts: Vec<String> = self.status_code.map(|status| status.to_string()).into_iter().collect();
        parts.extend(self.error.clone());
        parts.extend((self.response_valid == Some(false)).then(|| "not as declared".to_owned()));
        parts.join(": ")
    }
}

impl DeliveriesCommand {
    pub(super) fn purpose(&self) -> &'static str {
        match self.action {
            Action::List(_) => "list the deliveries",
            Action::Show(_) => "show the delivery",
            Action::Retry(_) => "send the delivery again",
            Action::Recover(_) => "send again what failed",
        }
    }

    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        match self.action {
            Action::List(list) => list.run(ctx).await,
            Action::Show(show) => show.run(ctx).await,
            Action::Retry(retry) => retry.run(ctx).await,
            Action::Recover(recover) => recover.run(ctx).await,
        }
    }
}

impl List {
    async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let filters = [
            ("status", self.status.map(|status| status.to_string())),
            ("callback", self.callback.map(|callback| callback.to_string())),
            ("subscription", self.subscription.map(|subscription| subscription.to_string())),
            ("event", self.event.map(|event| event.to_string())),
            ("since", self.since.map(|since| since.rfc3339(ctx))),
        ];
        let filters: Vec<_> = filters.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
        let deliveries = ctx.api().await?.list(&["deliveries"], &filters, self.listing.most()).await?;
        if self.listing.json {
            return ctx.json(&Value::Array(deliveries));
        }
        let mut table = Table::new(&["DELIVERY", "STATUS", "TYPE", "CALLBACK", "CREATED", "ATTEMPTS", "NEXT", "LAST"]);
        for delivery in wire::read_all::<Delivery>(&deliveries)? {
            table.row(vec![
                delivery.id,
                delivery.status,
                delivery.kind,
                delivery.callback_id.map(|callback| callback.to_string()).unwrap_or_default(),
                text::time(&delivery.created_at),
                delivery.attempts.len().to_string(),
                delivery.next_attempt_at.as_deref().map(text::time).unwrap_or_default(),
                delivery.attempts.last().map(Attempt::summary).unwrap_or_default(),
            ]);
        }
        ctx.table(&table)
    }
}

impl Show {
    async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let value = ctx.api().await?.get(&["deliveries", &self.id.to_string()]).await?;
        if self.json { ctx.json(&value) } else { print(ctx, &wire::read(&value)?) }
    }
}

impl Retry {
    async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let value = ctx.api().await?.act(&["deliveries", &self.id.to_string(), "retry"]).await?;
        if self.json { ctx.json(&value) } else { ctx.line(&format!("{} is sent again", self.id)) }
    }
}

impl Recover {
    async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let since = json!({"since": self.since.rfc3339(ctx)});
        let value = ctx.api().await?.post(&["callbacks", &self.callback.to_string(), "recover"], &since).await?;
        if self.json {
            return ctx.json(&value);
        }
        match value["recovered"].as_u64() {
            Some(1) => ctx.line("1 delivery is sent again"),
            number => ctx.line(&format!("{} deliveries are sent again", number.unwrap_or_default())),
        }
    }
}

fn print(ctx: &Context, delivery: &Delivery) -> Result<(), CliError> {
    let time = |time: &Option<String>| time.as_deref().map(text::time).unwrap_or_default();
    let fields = [
        ("delivery", delivery.id.clone()),
        ("status", delivery.status.clone()),
        ("event", format!("{} {}", delivery.kind, delivery.event)),
        ("for", delivery.subscription.clone()),
        ("callback", delivery.callback_id.map(|callback| callback.to_string()).unwrap_or_default()),
        ("fallback of", delivery.fallback_of.clone().unwrap_or_default()),
        ("created", text::time(&delivery.created_at)),
        ("next", time(&delivery.next_attempt_at)),
        ("finished", time(&delivery.finished_at)),
    ];
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        ctx.line(&format!("{name:<11} {value}"))?;
    }
    for attempt in &delivery.attempts {
        let took = text::duration(attempt.duration_ms);
        ctx.line(&format!("{:<11} {}  {took}  {}", "attempt", text::time(&attempt.at), attempt.summary()))?;
    }
    let answer = delivery.attempts.last().map(|attempt| text::plain(&attempt.response)).unwrap_or_default();
    if answer.is_empty() { Ok(()) } else { ctx.bytes(format!("\n{}\n", answer.trim_end()).as_bytes()) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use wiremock::ResponseTemplate;
    use wiremock::matchers::body_json;

    use crate::cli::testing::TestServer;

    const ID: &str = "0198c5f0-0000-7000-8000-00000000000a";

    fn delivery(response: Option<&str>) -> Value {
        let mut delivery = json!({"id": ID, "event": "e", "type": "run.failed", "subscription": "s", "callback_id": 1776,
            "fallback_of": null, "status": "retrying", "next_attempt_at": "2026-01-02T03:09:05Z",
            "created_at": "2026-01-02T03:04:05Z", "finished_at": null, "attempts": [
                {"at": "2026-01-02T03:04:05Z", "status_code": null, "duration_ms": 15_000, "error": "no answer within 15 s",
                    "response_valid": null},
                {"at": "2026-01-02T03:04:10Z", "status_code": 500, "duration_ms": 12, "error": null, "response_valid": null}]});
        if let Some(response) = response {
            delivery["attempts"][1]["response"] = json!(response);
        }
        delivery
    }

    #[tokio::test]
    async fn deliveries_are_listed_with_how_the_last_attempt_ended() {
        let server = TestServer::start().await;
        let filters = [("status", "retrying"), ("callback", "1776"), ("since", "2026-01-02T03:04:05.000Z")];
        server.list("/v1/deliveries", &filters, &[delivery(None)]).await;
        let options = ["--status", "retrying", "--callback", "1776", "--since", "2026-01-02T03:04:05Z"];
        let ran = server.run(&[&["deliveries", "list"], &options[..]].concat()).await;
        let row = "retrying\trun.failed\t1776\t2026-01-02 03:04:05\t2\t2026-01-02 03:09:05\t500";
        assert_eq!(ran.out.lines().nth(1), Some(format!("{ID}\t{row}").as_str()), "{}", ran.err);
    }

    #[tokio::test]
    async fn a_delivery_is_shown_with_its_attempts_and_the_last_answer() {
        let server = TestServer::start().await;
        let answer = delivery(Some("oops\u{1b}[2J\n"));
        server.json("GET", &format!("/v1/deliveries/{ID}"), 200, answer.clone()).await;
        let ran = server.run(&["deliveries", "show", ID]).await;
        let end = "attempt     2026-01-02 03:04:05  15.0 s  no answer within 15 s\n\
                   attempt     2026-01-02 03:04:10  12 ms  500\n\noops\n";
        assert!(ran.out.ends_with(end), "{}{}", ran.out, ran.err);
        let ran = server.run(&["deliveries", "show", ID, "--json"]).await;
        assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), answer);
    }

    #[tokio::test]
    async fn what_failed_is_sent_again() {
        let server = TestServer::start().await;
        server.json("POST", &format!("/v1/deliveries/{ID}/retry"), 200, delivery(None)).await;
        let ran = server.run(&["deliveries", "retry", ID]).await;
        assert_eq!(ran.out, format!("{ID} is sent again\n"), "{}", ran.err);
        let since = body_json(json!({"since": "2026-01-02T03:04:05.000Z"}));
        let answer = ResponseTemplate::new(200).set_body_json(json!({"recovered": 7}));
        server.mock("POST", "/v1/callbacks/1776/recover").and(since).respond_with(answer).mount(&server.http).await;
        let ran = server.run(&["deliveries", "recover", "1776", "--since", "2026-01-02T03:04:05Z"]).await;
        assert_eq!(ran.out, "7 deliveries are sent again\n", "{}", ran.err);
    }
}
