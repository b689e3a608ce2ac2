//! The command line: one file per command, and this list of them.
//!
//! A command is a clap struct with `async fn run(self, ctx: &Context) -> Result<(), CliError>`; it prints through the
//! context and talks to the server through [`api::Api`]. The rest are the parts commands share. Nothing here knows the
//! server's inside: what a command can do, any HTTP client can.

mod api;
mod argv;
mod context;
mod contract;
mod credentials;
mod download;
mod error;
mod examples;
mod files;
mod given;
mod hook_arg;
mod params;
mod polling;
mod since;
mod sse;
mod table;
#[cfg(test)]
mod testing;
mod text;
mod wire;

mod asset;
mod call;
mod callbacks;
mod cancel;
mod clear;
mod clear_output;
mod completions;
mod delete;
mod deliveries;
mod demo;
mod dependency;
mod deploy;
mod doctor;
mod events;
mod find;
mod get;
mod get_output;
mod inbox;
mod inspect;
mod list;
mod listing;
mod login;
mod logs;
mod notify;
mod outputs;
mod profiles;
mod promote;
mod prune;
mod rerun;
mod run;
mod runs;
mod schedule;
mod secret;
mod serve;
mod set;
mod show;
mod show_run;
mod subscriptions;
mod task;
mod token;
mod topics;
mod user;
mod versions;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub use crate::config::take_secrets;
use context::{Context, Streams};
use credentials::ConnectionArgs;
use error::CliError;

/// Turns a Jupyter notebook into a URL.
#[derive(Debug, Parser)]
#[command(name = "nbhook", version, about, after_help = error::EXIT_CODES, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(demo::Demo),
    Doctor(doctor::Doctor),
    Login(login::Login),
    Run(Box<run::RunLocally>),
    Inspect(inspect::Inspect),
    Deploy(deploy::Deploy),
    List(list::List),
    Show(show::Show),
    Find(find::Find),
    Call(call::Call),
    Set(set::Set),
    Versions(versions::Versions),
    Promote(promote::Promote),
    Get(get::Get),
    Clear(clear::Clear),
    Outputs(outputs::Outputs),
    GetOutput(get_output::GetOutput),
    ClearOutput(clear_output::ClearOutput),
    Delete(delete::Delete),
    Prune(prune::Prune),
    Runs(runs::Runs),
    ShowRun(show_run::ShowRun),
    Logs(logs::Logs),
    Task(task::Task),
    Cancel(cancel::Cancel),
    Rerun(rerun::Rerun),
    Schedule(schedule::ScheduleCommand),
    Inbox(inbox::InboxCommand),
    Callbacks(callbacks::CallbacksCommand),
    Profiles(profiles::ProfilesCommand),
    Deliveries(deliveries::DeliveriesCommand),
    Subscriptions(subscriptions::SubscriptionsCommand),
    Events(events::EventsCommand),
    Topics(topics::TopicsCommand),
    Asset(asset::AssetCommand),
    Dependency(dependency::DependencyCommand),
    Secret(secret::SecretCommand),
    Notify(notify::Notify),
    Token(token::TokenCommand),
    User(user::UserCommand),
    Completions(completions::Completions),
}

impl Command {
    /// What the command is for, as it follows "failed to".
    fn purpose(&self) -> &'static str {
        match self {
            Self::Serve(_) => "serve",
            Self::Demo(_) => "show the demo",
            Self::Doctor(_) => "find all that runs need",
            Self::Login(_) => "log in",
            Self::Run(_) => "run the notebook",
            Self::Inspect(_) => "inspect the notebook",
            Self::Deploy(_) => "deploy",
            Self::List(_) => "list the hooks",
            Self::Show(_) => "show the hook",
            Self::Find(_) => "find the URL",
            Self::Call(_) => "call the hook",
            Self::Set(_) => "set the hook's parameters",
            Self::Versions(_) => "list the versions",
            Self::Promote(_) => "promote the version",
            Self::Get(_) => "get the notebook",
            Self::Clear(_) => "clear the versions",
            Self::Outputs(_) => "list the outputs",
            Self::GetOutput(_) => "get the output",
            Self::ClearOutput(_) => "clear the outputs",
            Self::Delete(_) => "delete the hook",
            Self::Prune(_) => "prune",
            Self::Runs(_) => "list the runs",
            Self::ShowRun(_) => "show the run",
            Self::Logs(_) => "show what the run printed",
            Self::Task(_) => "show the task",
            Self::Cancel(_) => "cancel the run",
            Self::Rerun(_) => "run it again",
            Self::Schedule(command) => command.purpose(),
            Self::Inbox(inbox) => inbox.purpose(),
            Self::Callbacks(callbacks) => callbacks.purpose(),
            Self::Profiles(profiles) => profiles.purpose(),
            Self::Deliveries(deliveries) => deliveries.purpose(),
            Self::Subscriptions(subscriptions) => subscriptions.purpose(),
            Self::Events(events) => events.purpose(),
            Self::Topics(topics) => topics.purpose(),
            Self::Asset(asset) => asset.purpose(),
            Self::Dependency(dependency) => dependency.purpose(),
            Self::Secret(secret) => secret.purpose(),
            Self::Notify(_) => "send the mail",
            Self::Token(token) => token.purpose(),
            Self::User(user) => user.purpose(),
            Self::Completions(_) => "print the completions",
        }
    }

    async fn run(self, ctx: &Context) -> Result<(), CliError> {
        match self {
            Self::Serve(command) => command.run(ctx).await,
            Self::Demo(command) => command.run(ctx).await,
            Self::Doctor(command) => command.run(ctx).await,
            Self::Login(command) => command.run(ctx).await,
            Self::Run(command) => command.run(ctx).await,
            Self::Inspect(command) => command.run(ctx).await,
            Self::Deploy(command) => command.run(ctx).await,
            Self::List(command) => command.run(ctx).await,
            Self::Show(command) => command.run(ctx).await,
            Self::Find(command) => command.run(ctx).await,
            Self::Call(command) => command.run(ctx).await,
            Self::Set(command) => command.run(ctx).await,
            Self::Versions(command) => command.run(ctx).await,
            Self::Promote(command) => command.run(ctx).await,
            Self::Get(command) => command.run(ctx).await,
            Self::Clear(command) => command.run(ctx).await,
            Self::Outputs(command) => command.run(ctx).await,
            Self::GetOutput(command) => command.run(ctx).await,
            Self::ClearOutput(command) => command.run(ctx).await,
            Self::Delete(command) => command.run(ctx).await,
            Self::Prune(command) => command.run(ctx).await,
            Self::Runs(command) => command.run(ctx).await,
            Self::ShowRun(command) => command.run(ctx).await,
            Self::Logs(command) => command.run(ctx).await,
            Self::Task(command) => command.run(ctx).await,
            Self::Cancel(command) => command.run(ctx).await,
            Self::Rerun(command) => command.run(ctx).await,
            Self::Schedule(command) => command.run(ctx).await,
            Self::Inbox(command) => command.run(ctx).await,
            Self::Callbacks(command) => command.run(ctx).await,
            Self::Profiles(command) => command.run(ctx).await,
            Self::Deliveries(command) => command.run(ctx).await,
            Self::Subscriptions(command) => command.run(ctx).await,
            Self::Events(command) => command.run(ctx).await,
            Self::Topics(command) => command.run(ctx).await,
            Self::Asset(command) => command.run(ctx).await,
            Self::Dependency(command) => command.run(ctx).await,
            Self::Secret(command) => command.run(ctx).await,
            Self::Notify(command) => command.run(ctx).await,
            Self::Token(command) => command.run(ctx).await,
            Self::User(command) => command.run(ctx).await,
            Self::Completions(command) => command.run(ctx).await,
        }
    }
}

impl Cli {
    /// Reads the command line of the process; tells what is wrong with it, and ends.
    #[must_use]
    pub fn of_process() -> Self {
        let mut matches = examples::with_examples(Self::command()).get_matches_from(argv::joined(std::env::args_os()));
        Self::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.exit())
    }

    /// Runs the command with the process's own streams. Give the result back from `main`.
    pub async fn run(self) -> ExitCode {
        let ctx = Context::new(self.connection, Streams::standard());
        ExitCode::from(execute(self.command, &ctx).await)
    }
}

/// Runs a command, tells of its failure on standard error, and gives the exit code.
async fn execute(command: Command, ctx: &Context) -> u8 {
    let purpose = command.purpose();
    match command.run(ctx).await {
        Ok(()) => 0,
        Err(error) => {
            if let Some(report) = error.report(purpose) {
                ctx.note(&report);
            }
            error.exit_code()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_documents_the_exit_codes_and_shows_no_value_of_the_environment() {
        let help = Cli::command().render_long_help().to_string();
        assert!(help.contains("Exit codes:") && help.contains("6  the notebook failed"), "{help}");
        assert!(help.contains("[env: NBHOOK_TOKEN]") && help.contains("[env: NBHOOK_URL]"), "{help}");
    }

    #[test]
    fn a_refused_command_line_does_not_repeat_the_token() {
        let error = Cli::try_parse_from(["nbhook", "--token", "secret", "--token", "secret", "list", "--nonsense"]);
        assert!(!error.unwrap_err().to_string().contains("secret"));
    }
}
