//! `nbhook events`: what happened.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::context::Context;
use super::error::CliError;
use super::listing::Listing;
use super::since::{self, Since};
use super::table::Table;
use super::text;
use super::wire::{self, Event};
use crate::model::{EventId, EventType};

/// See what happened: deploys, runs, what was sent to inboxes
#[derive(Debug, Args)]
pub(super) struct EventsCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(List),
    Show(Show),
}

/// List events, newest first; admins see everyone's
#[derive(Debug, Args)]
struct List {
    /// Only those of this type, e.g. run.failed
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<EventType>,
    /// Only those since this time, as RFC 3339 or an age like 30m, 2h or 7d
    #[arg(long, value_name = "TIME", value_parser = since::parse)]
    since: Option<Since>,
    /// Only those with this tag, e.g. hook:ID
    #[arg(long)]
    tag: Option<String>,
    #[command(flatten)]
    listing: Listing,
}

/// Show one event, as JSON
#[derive(Debug, Args)]
struct Show {
    /// Its uuid, as `nbhook events list` or a delivery shows it
    uuid: EventId,
}

impl EventsCommand {
    pub(super) fn purpose(&self) -> &'static str {
        match self.action {
            Action::List(_) => "list the events",
            Action::Show(_) => "show the event",
        }
    }

    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        match self.action {
            Action::List(list) => list.run(ctx).await,
            Action::Show(Show { uuid }) => ctx.json(&ctx.api().await?.get(&["events", &uuid.to_string()]).await?),
        }
    }
}

impl List {
    async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let since = self.since.map(|since| since.rfc3339(ctx));
        let filters =
            [("type", self.kind.map(EventType::as_str)), ("since", since.as_deref()), ("tag", self.tag.as_deref())];
        let filters: Vec<_> = filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let found = ctx.api().await?.list(&["events"], &filters, self.listing.most()).await?;
        if self.listing.json {
            return ctx.json(&Value::Array(found));
        }
        let mut table = Table::new(&["UUID", "TIME", "TYPE", "ABOUT"]);
        for event in wire::read_all::<Event>(&found)? {
            // The first two say again what its type does.
            let about = event.tags.get(2..).unwrap_or_default().join(" ");
            table.row(vec![event.uuid, text::time(&event.timestamp), event.kind, about]);
        }
        ctx.table(&table)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::cli::testing::{HOOK, TestServer};

    #[tokio::test]
    async fn events_are_listed() {
        let server = TestServer::start().await;
        let event = json!({"uuid": "e1", "type": "run.failed", "timestamp": "2026-01-02T03:04:05.000Z",
            "tags": ["run", "failed", "hook:h1", "run:r1"], "data_type": "run", "data": {}});
        let filters =
            [("type", "run.failed"), ("since", "2026-01-01T23:00:00.000Z"), ("tag", "hook:h1"), ("limit", "7")];
        server.list("/v1/events", &filters, &[event]).await;
        let since = "2026-01-02T00:00:00+01:00";
        let line = ["events", "list", "--type", "run.failed", "--since", since, "--tag", "hook:h1", "--limit", "7"];
        let ran = server.run(&line).await;
        let row = "e1\t2026-01-02 03:04:05\trun.failed\thook:h1 run:r1\n";
        assert_eq!(ran.out, format!("UUID\tTIME\tTYPE\tABOUT\n{row}"), "{}", ran.err);
    }

    #[tokio::test]
    async fn an_event_is_shown_with_its_data() {
        let server = TestServer::start().await;
        let event = json!({"uuid": HOOK, "type": "inbox.received", "data": {"result": {"a": 1}}});
        server.json("GET", &format!("/v1/events/{HOOK}"), 200, event.clone()).await;
        let ran = server.run(&["events", "show", HOOK]).await;
        assert_eq!(ran.out, format!("{event:#}\n"), "{}", ran.err);
    }
}
