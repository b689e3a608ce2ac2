//! `nbhook subscriptions`: makes, lists, shows and cancels what binds events to a URL, a callback or a topic.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::context::Context;
use super::error::CliError;
use super::table::Table;
use super::text;
use super::wire::{self, Subscription};
use crate::model::{SubscriptionId, SubscriptionKind, SubscriptionMode, SubscriptionStatus, TopicName};

/// Subscribe to events: have them sent to a URL or a callback, or read them from a topic
#[derive(Debug, Args)]
pub(super) struct SubscriptionsCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(List),
    /// Show a subscription
    Show {
        /// Its uuid, as `nbhook subscriptions list` shows it
        uuid: SubscriptionId,
    },
    Create(Create),
    /// Cancel a subscription: nothing is sent any more, also nothing that was tried before
    Cancel {
        /// Its uuid, as `nbhook subscriptions list` shows it
        uuid: SubscriptionId,
    },
}

/// List subscriptions, newest first; admins see everyone's
#[derive(Debug, Args)]
struct List {
    /// Only those: pending, active, completed, cancelled, expired or disabled
    #[arg(long)]
    status: Option<SubscriptionStatus>,
    /// Only those that publish to this topic
    #[arg(long)]
    topic: Option<TopicName>,
    /// Only those: events, task (the end of a run) or declared (a hook's declared callback)
    #[arg(long)]
    kind: Option<SubscriptionKind>,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// Subscribe to your events, and print the subscription's uuid
#[derive(Debug, Args)]
struct Create {
    #[command(flatten)]
    aim: Aim,
    /// once (one event) or continuous [default: once; for a topic continuous]
    #[arg(long)]
    mode: Option<SubscriptionMode>,
    /// Tags that an event has to have, all of them, e.g. "run,failed"; may be repeated: one of the sets has to fit
    #[arg(long = "tags", value_name = "TAG,TAG")]
    tags: Vec<String>,
    /// A rule that an event has to meet, e.g. "data.path=reports/*.ipynb", or "data.attempts!=1"; may be repeated
    #[arg(long = "filter", value_name = "FIELD=VALUE", value_parser = parse_filter)]
    filters: Vec<Value>,
    /// When it ends, as RFC 3339
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    /// Print the server's JSON, with the secret
    #[arg(long)]
    json: bool,
}

/// Where the events go.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Aim {
    /// URL that events are posted to; the secret that they are signed with is printed on standard error, this once
    #[arg(long)]
    url: Option<String>,
    /// Id of one of your callbacks, which events are sent to
    #[arg(long, value_name = "ID")]
    callback: Option<i64>,
    /// Topic that events are read from: `nbhook topics read NAME`
    #[arg(long, value_name = "NAME")]
    topic: Option<TopicName>,
}

/// A value with `*` or `?` is a pattern; one that is JSON is that value; anything else is text.
fn parse_filter(text: &str) -> Result<Value, String> {
    let (field, value) = text.split_once('=').ok_or("expected a field, = or !=, and a value")?;
    let (field, not) = field.strip_suffix('!').map_or((field, false), |field| (field, true));
    let mut filter = json!({"field": field.trim(), "not": not});
    if value.contains(['*', '?']) {
        filter["match"] = value.into();
    } else {
        filter["eq"] = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    }
    Ok(filter)
}

impl SubscriptionsCommand {
    pub(super) fn purpose(&self) -> &'static str {
        match self.action {
            Action::List(_) => "list the subscriptions",
            Action::Show { .. } => "show the subscription",
            Action::Create(_) => "subscribe",
            Action::Cancel { .. } => "cancel the subscription",
        }
    }

    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        match self.action {
            Action::List(list) => list.run(ctx).await,
            Action::Show { uuid } => ctx.json(&ctx.api().await?.get(&["subscriptions", &uuid.to_string()]).await?),
            Action::Create(create) => create.run(ctx).await,
            Action::Cancel { uuid } => {
                ctx.api().await?.put(&["subscriptions", &uuid.to_string()], &json!({"status": "cancelled"})).await?;
                ctx.line(&format!("cancelled {uuid}"))
            }
        }
    }
}

impl List {
    async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let filters = [
            ("status", self.status.map(SubscriptionStatus::as_str)),
            ("topic", self.topic.as_ref().map(TopicName::as_str)),
            ("kind", self.kind.map(SubscriptionKind::as_str)),
        ];
        let filters: Vec<_> = filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let found = ctx.api().await?.list(&["subscriptions"], &filters, None).await?;
        if self.json {
            return ctx.json(&Value::Array(found));
        }
        let mut table = Table::new(&["UUID", "KIND", "MODE", "STATUS", "EVENTS", "CREATED", "TO"]);
        for found in wire::read_all::<Subscription>(&found)? {
            let (to, created) = (found.to(), text::time(&found.created_at));
            table.row(vec![found.id, found.kind, found.mode, found.status, found.matched.to_string(), created, to]);
        }
        ctx.table(&table)
    }
}

impl Create {
    async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let tags: Vec<Vec<&str>> = self.tags.iter().map(|set| set.split(',').map(str::trim).collect()).collect();
        let fields = [
            ("callbackUrl", self.aim.url.map(Value::from)),
            ("callback_id", self.aim.callback.map(Value::from)),
            ("topic", self.aim.topic.as_ref().map(|topic| topic.as_str().into())),
            ("mode", self.mode.map(|mode| mode.as_str().into())),
            ("tags", (!tags.is_empty()).then(|| json!(tags))),
            ("filters", (!self.filters.is_empty()).then(|| self.filters.into())),
            ("expires_at", self.expires_at.map(Value::from)),
        ];
        let present = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let body: Map<String, Value> = present.collect();
        let answer = ctx.api().await?.post(&["subscriptions"], &body.into()).await?;
        if self.json {
            return ctx.json(&answer);
        }
        let made: Subscription = wire::read(&answer)?;
        match (&answer["secret"], &self.aim.topic) {
            (Value::String(secret), _) => {
                ctx.note(&format!(
                    "what is sent is signed with {secret} (Standard Webhooks); keep it: it is not shown again"
                ));
            }
            (_, Some(topic)) => ctx.note(&format!("`nbhook topics read {topic}` reads what happens from now on")),
            _ => {}
        }
        ctx.line(&made.id)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use wiremock::ResponseTemplate;
    use wiremock::matchers::body_json;

    use super::parse_filter;
    use crate::cli::testing::TestServer;

    const ID: &str = "0198c5f0-0000-7000-8000-000000000001";

    fn subscription(more: &Value) -> Value {
        let mut view = json!({"UUID": ID, "kind": "events", "mode": "once", "status": "active", "callbackUrl": null,
            "callback_id": null, "topic": null, "matched": 2, "created_at": "2026-01-02T03:04:05Z"});
        view.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        view
    }

    #[tokio::test]
    async fn a_subscription_is_made_as_it_is_wished_for() {
        let server = TestServer::start().await;
        let body = json!({"callbackUrl": "https://x.example", "mode": "continuous", "tags": [["run", "failed"], ["inbox"]],
            "filters": [{"field": "data.attempts", "eq": 1, "not": true}], "expires_at": "2027-01-01T00:00:00Z"});
        let answer = ResponseTemplate::new(201).set_body_json(subscription(&json!({"secret": "whsec_x"})));
        server.mock("POST", "/v1/subscriptions").and(body_json(body)).respond_with(answer).mount(&server.http).await;
        let mut line = vec!["subscriptions", "create", "--url", "https://x.example", "--mode", "continuous"];
        line.extend(["--tags", "run, failed", "--tags", "inbox", "--filter", "data.attempts!=1"]);
        let ran = server.run(&[&line[..], &["--expires-at", "2027-01-01T00:00:00Z"]].concat()).await;
        assert_eq!((ran.code, ran.out), (0, format!("{ID}\n")), "{}", ran.err);
        assert!(ran.err.contains("whsec_x") && ran.err.contains("not shown again"), "{}", ran.err);
    }

    #[tokio::test]
    async fn subscriptions_are_listed_and_cancelled() {
        let server = TestServer::start().await;
        server.list("/v1/subscriptions", &[("status", "active")], &[subscription(&json!({"topic": "sales"}))]).await;
        let ran = server.run(&["subscriptions", "list", "--status", "active"]).await;
        let row = format!("{ID}\tevents\tonce\tactive\t2\t2026-01-02 03:04:05\ttopic sales\n");
        assert_eq!(ran.out, format!("UUID\tKIND\tMODE\tSTATUS\tEVENTS\tCREATED\tTO\n{row}"), "{}", ran.err);
        let cancel =
            server.mock("PUT", &format!("/v1/subscriptions/{ID}")).and(body_json(json!({"status": "cancelled"})));
        let answer = ResponseTemplate::new(202).set_body_json(subscription(&json!({"status": "cancelled"})));
        cancel.respond_with(answer).mount(&server.http).await;
        assert_eq!(server.run(&["subscriptions", "cancel", ID]).await.out, format!("cancelled {ID}\n"));
        let other = "0198c5f0-0000-7000-8000-000000000002";
        assert_eq!(server.run(&["subscriptions", "cancel", other]).await.code, 3);
    }

    #[test]
    fn a_filter_is_a_value_or_a_pattern() {
        for (text, filter) in [
            ("type=run.failed", json!({"field": "type", "eq": "run.failed", "not": false})),
            ("data.n=3", json!({"field": "data.n", "eq": 3, "not": false})),
            ("data.path=*.ipynb", json!({"field": "data.path", "match": "*.ipynb", "not": false})),
            ("data.a!=b=c", json!({"field": "data.a", "eq": "b=c", "not": true})),
        ] {
            assert_eq!(parse_filter(text).unwrap(), filter);
        }
        assert!(parse_filter("type").is_err());
    }
}
