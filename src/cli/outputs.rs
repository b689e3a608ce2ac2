//! `nbhook outputs`: the executed notebooks of one hook.

use clap::Args;
use serde_json::Value;

use super::context::Context;
use super::error::CliError;
use super::hook_arg::HookArg;
use super::table::Table;
use super::text;
use super::wire::{self, Output};

/// List the executed notebooks that a hook's runs left, newest first
#[derive(Debug, Args)]
pub(super) struct Outputs {
    #[command(flatten)]
    hook: HookArg,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

impl Outputs {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let api = ctx.api().await?;
        let (hook, _) = self.hook.find(&api).await?;
        let outputs = api.list(&["hooks", &hook.id, "outputs"], &[], None).await?;
        if self.json {
            return ctx.json(&Value::Array(outputs));
        }
        let mut table = Table::new(&["HISTO", "STATE", "SIZE", "CREATED", "RUN"]);
        for output in wire::read_all::<Output>(&outputs)? {
            let (size, created) = (text::size(output.size), text::time(&output.created_at));
            table.row(vec![output.histo, output.state, size, created, output.run]);
        }
        ctx.table(&table)
    }
}
