//! `nbhook topics`: follows the events of a topic, and goes on where it was when the connection ends.

use std::time::Duration;

use clap::{Args, Subcommand};
use tokio::time::{sleep, timeout};

use super::api::Api;
use super::context::Context;
use super::error::CliError;
use super::sse::{Parser, Told};
use crate::model::{Owner, TopicName};

/// The server says something every 15 seconds; after so much silence it is gone.
const SILENCE: Duration = Duration::from_secs(45);
/// How long to wait before the next try, at first and at most.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Read the events of a topic
#[derive(Debug, Args)]
pub(super) struct TopicsCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Read(Read),
}

/// Print the events of a topic as they come, one line of JSON for each
#[derive(Debug, Args)]
struct Read {
    /// The topic of a subscription
    name: TopicName,
    /// Where to begin: start (the oldest that is kept), now, or after the event of this uuid
    #[arg(long, default_value = "start", value_name = "PLACE")]
    from: String,
    /// Stop after so many events
    #[arg(short = 'n', long, value_name = "NUMBER")]
    count: Option<usize>,
    /// Whose topic it is [default: yours] (admins only)
    #[arg(long)]
    user: Option<Owner>,
}

impl TopicsCommand {
    pub(super) fn purpose(&self) -> &'static str {
        match self.action {
            Action::Read(_) => "read the topic",
        }
    }

    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        match self.action {
            Action::Read(read) => read.run(ctx).await,
        }
    }
}

/// How a connection came to its end.
enum Ended {
    /// There were as many events as were wanted.
    Enough,
    /// It is to be made again.
    Broken,
}

impl Read {
    async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let api = ctx.api().await?;
        let (mut last, mut left, mut pause) = (None, self.count, PAUSE);
        let mut was_open = false;
        loop {
            let before = last.clone();
            match self.follow(ctx, &api, &mut last, &mut left).await {
                Ok(Ended::Enough) => return Ok(()),
                Ok(Ended::Broken) => was_open = true,
                // What has worked once may work again: the server is started anew.
                Err(error) if was_open && error.may_pass() => {}
                Err(error) => return Err(error),
            }
            pause = if last == before { (pause * 2).min(LONGEST_PAUSE) } else { PAUSE };
            sleep(pause).await;
        }
    }

    /// Reads one connection to its end.
    async fn follow(
        &self,
        ctx: &Context,
        api: &Api,
        last: &mut Option<String>,
        left: &mut Option<usize>,
    ) -> Result<Ended, CliError> {
        let mut query = vec![("from", last.as_deref().unwrap_or(&self.from))];
        query.extend(self.user.as_ref().map(|user| ("user", user.as_str())));
        let mut response = api.stream(&["topics", self.name.as_str(), "events"], &query).await?;
        let mut parser = Parser::default();
        while *left != Some(0) {
            let Ok(Ok(Some(chunk))) = timeout(SILENCE, response.chunk()).await else { return Ok(Ended::Broken) };
            for Told { id, data, .. } in parser.read(&chunk)? {
                if *left == Some(0) {
                    break;
                }
                ctx.line(&data)?;
                *last = Some(id);
                *left = left.map(|left| left - 1);
            }
        }
        Ok(Ended::Enough)
    }
}

#[cfg(test)]
mod tests {
    use wiremock::ResponseTemplate;
    use wiremock::matchers::query_param;

    use crate::cli::testing::TestServer;

    const PATH: &str = "/v1/topics/sales/events";

    fn stream(events: &[(&str, u32)]) -> ResponseTemplate {
        let one = |(id, n): &(&str, u32)| format!(": hello\n\nid: {id}\nevent: run.failed\ndata: {{\"n\":{n}}}\n\n");
        ResponseTemplate::new(200).set_body_raw(events.iter().map(one).collect::<String>(), "text/event-stream")
    }

    #[tokio::test]
    async fn a_topic_is_followed_over_connections() {
        let server = TestServer::start().await;
        let first = server.mock("GET", PATH).and(query_param("from", "start")).and(query_param("user", "bob"));
        first.respond_with(stream(&[("e1", 1), ("e2", 2)])).expect(1).mount(&server.http).await;
        let then = server.mock("GET", PATH).and(query_param("from", "e2"));
        then.respond_with(ResponseTemplate::new(503)).up_to_n_times(1).expect(1).mount(&server.http).await;
        let then = server.mock("GET", PATH).and(query_param("from", "e2"));
        then.respond_with(stream(&[("e3", 3), ("e4", 4)])).expect(1).mount(&server.http).await;
        let line = ["topics", "read", "sales", "--from", "start", "--user", "bob", "-n", "3"];
        let ran = server.run(&line).await;
        assert_eq!((ran.code, ran.out.as_str()), (0, "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n"), "{}", ran.err);
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_waited_for() {
        let server = TestServer::start().await;
        assert_eq!(server.run(&["topics", "read", "sales"]).await.code, 3);
    }
}
