//! `nbhook cancel`: ends a run that is queued or goes on.

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::wire::{self, Run};
use crate::model::RunId;

/// End a run now, or take it out of the queue
///
/// Its kernel is killed, and whoever waits for its answer is told that it was cancelled.
#[derive(Debug, Args)]
pub(super) struct Cancel {
    /// The run's id, as `nbhook runs` shows it
    run: RunId,
}

impl Cancel {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let run = ctx.api().await?.act(&["runs", &self.run.to_string(), "cancel"]).await?;
        let run: Run = wire::read(&run)?;
        ctx.line(&format!("run {} is {}", run.id, run.state))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::cli::testing::{HOOK, TestServer};

    const RUN: &str = "0198c5f0-0000-7000-8000-00000000000a";

    #[tokio::test]
    async fn a_run_is_cancelled_unless_it_has_ended() {
        let server = TestServer::start().await;
        let run = json!({"id": RUN, "hook": HOOK, "version": "v", "histo": "h", "state": "cancelled", "trigger": "http",
            "method": "GET", "created_at": "2026-01-02T03:04:05Z", "started_at": null, "finished_at": null,
            "duration_ms": null, "cells_total": 4, "cells_done": 0, "error": null});
        server.json("POST", &format!("/v1/runs/{RUN}/cancel"), 200, run).await;
        let ran = server.run(&["cancel", RUN]).await;
        assert_eq!((ran.code, ran.out), (0, format!("run {RUN} is cancelled\n")), "{}", ran.err);

        let server = TestServer::start().await;
        server.json("POST", &format!("/v1/runs/{RUN}/cancel"), 409, json!({"detail": "the run has ended"})).await;
        let ran = server.run(&["cancel", RUN]).await;
        assert_eq!((ran.code, ran.err.as_str()), (1, "failed to cancel the run: the run has ended\n"));
    }
}
