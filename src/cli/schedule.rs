//! `nbhook schedule`: when hooks run by themselves.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::context::Context;
use super::error::CliError;
use super::hook_arg::HookArg;
use super::params::{self, Pair};
use super::table::Table;
use super::text;
use super::wire::{self, Schedule};

/// Let hooks run by themselves: make, list, change and delete schedules
#[derive(Debug, Args)]
pub(super) struct ScheduleCommand {
    #[command(subcommand)]
    action: Action,
}

/// What a schedule may be told; what is left out stays, or is as usual.
#[derive(Debug, Args)]
struct Wish {
    /// Time zone, e.g. Europe/Berlin [default: UTC]
    #[arg(long)]
    tz: Option<String>,
    /// A parameter of its runs, KEY=VALUE with VALUE as JSON if it is that; repeat for more
    #[arg(short, long = "param", value_name = "KEY=VALUE", value_parser = params::parse_pair)]
    params: Vec<Pair>,
    /// When it fires while the run before goes on: skip or allow [default: skip]
    #[arg(long, value_parser = ["skip", "allow"])]
    overlap: Option<String>,
    /// Times without a running server: `run_once` for all of them, or skip [default: `run_once`]
    #[arg(long, value_parser = ["run_once", "skip"])]
    missed: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Let a hook run by itself; replaces the schedule it has
    Add {
        #[command(flatten)]
        hook: HookArg,
        /// crontab's five fields in quotes, e.g. "0 9 * * mon-fri", or @daily
        cron: String,
        #[command(flatten)]
        wish: Wish,
        /// Print the server's JSON
        #[arg(long)]
        json: bool,
    },
    /// List schedules; admins see everyone's
    List {
        /// Only this user's
        #[arg(long)]
        owner: Option<String>,
        /// Print the server's JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a hook's schedule, with its next times
    Show {
        #[command(flatten)]
        hook: HookArg,
        /// Print the server's JSON
        #[arg(long)]
        json: bool,
    },
    /// Change a hook's schedule
    Set {
        #[command(flatten)]
        hook: HookArg,
        /// crontab's five fields in quotes
        #[arg(long)]
        cron: Option<String>,
        #[command(flatten)]
        wish: Wish,
        /// Print the server's JSON
        #[arg(long)]
        json: bool,
    },
    /// Let it fire no more until it is resumed
    Pause {
        #[command(flatten)]
        hook: HookArg,
    },
    /// Let it fire again
    Resume {
        #[command(flatten)]
        hook: HookArg,
    },
    /// Run it now, at no time of its own
    Run {
        #[command(flatten)]
        hook: HookArg,
    },
    /// Delete a hook's schedule; the hook stays
    Delete {
        #[command(flatten)]
        hook: HookArg,
    },
}

impl Wish {
    fn into_body(self) -> Map<String, Value> {
        let texts = [("tz", self.tz), ("overlap", self.overlap), ("missed", self.missed)].into_iter();
        let mut body: Map<String, Value> =
            texts.filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect();
        if !self.params.is_empty() {
            body.insert("params".to_owned(), params::object(self.params).into());
        }
        body
    }
}

impl ScheduleCommand {
    pub(super) fn purpose(&self) -> &'static str {
        match self.action {
            Action::Add { .. } => "schedule the hook",
            Action::List { .. } => "list the schedules",
            Action::Show { .. } => "show the schedule",
            Action::Set { .. } | Action::Pause { .. } | Action::Resume { .. } => "change the schedule",
            Action::Run { .. } => "run the schedule",
            Action::Delete { .. } => "delete the schedule",
        }
    }

    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let api = ctx.api().await?;
        match self.action {
            Action::Add { hook, cron, wish, json } => {
                let mut body = wish.into_body();
                body.insert("hook".to_owned(), hook.find(&api).await?.0.id.into());
                body.insert("cron".to_owned(), cron.into());
                print(ctx, &api.post(&["schedules"], &body.into()).await?, json)
            }
            Action::List { owner, json } => list(ctx, owner.as_deref(), json).await,
            Action::Show { hook, json } => print(ctx, &find(ctx, &hook).await?.1, json),
            Action::Set { hook, cron, wish, json } => {
                let mut body = wish.into_body();
                body.extend(cron.map(|cron| ("cron".to_owned(), cron.into())));
                print(ctx, &change(ctx, &hook, body.into()).await?, json)
            }
            Action::Pause { hook } => print(ctx, &change(ctx, &hook, json!({"enabled": false})).await?, false),
            Action::Resume { hook } => print(ctx, &change(ctx, &hook, json!({"enabled": true})).await?, false),
            Action::Run { hook } => {
                let id = find(ctx, &hook).await?.0;
                let task = api.post(&["schedules", &id, "run"], &json!({})).await?;
                ctx.line(&format!("started {}", task["UUID"].as_str().unwrap_or_default()))
            }
            Action::Delete { hook } => {
                let (id, _) = find(ctx, &hook).await?;
                api.delete(&["schedules", &id], &[]).await?;
                ctx.line(&format!("deleted the schedule of {}", hook.hook))
            }
        }
    }
}

/// The schedule of a hook: its id, and the server's JSON for it.
async fn find(ctx: &Context, hook: &HookArg) -> Result<(String, Value), CliError> {
    let api = ctx.api().await?;
    let (found, _) = hook.find(&api).await?;
    let schedule = api.list(&["schedules"], &[("hook", &found.id)], None).await?.pop();
    let missing = || CliError::NotFound(format!("{} has no schedule; `nbhook schedule add` makes one", found.path));
    let schedule = schedule.ok_or_else(missing)?;
    Ok((wire::read::<Schedule>(&schedule)?.id, schedule))
}

async fn change(ctx: &Context, hook: &HookArg, body: Value) -> Result<Value, CliError> {
    let (id, _) = find(ctx, hook).await?;
    ctx.api().await?.patch(&["schedules", &id], &body).await
}

fn state(schedule: &Schedule) -> String {
    match (&schedule.problem, schedule.enabled) {
        (_, false) => "paused".to_owned(),
        (Some(problem), true) => problem.clone(),
        (None, true) => "on".to_owned(),
    }
}

fn print(ctx: &Context, answer: &Value, json: bool) -> Result<(), CliError> {
    if json {
        return ctx.json(answer);
    }
    let schedule: Schedule = wire::read(answer)?;
    let fields = [
        ("path", schedule.path.clone()),
        ("cron", format!("{} ({})", schedule.cron, schedule.tz)),
        ("params", schedule.params.to_string()),
        ("overlap", schedule.overlap.clone()),
        ("missed", schedule.missed.clone()),
        ("state", state(&schedule)),
        ("last", schedule.last_at.as_deref().map(text::time).unwrap_or_default()),
    ];
    fields.into_iter().try_for_each(|(name, value)| ctx.line(&format!("{name:<10} {value}")))?;
    schedule.next.iter().try_for_each(|next| ctx.line(&format!("{:<10} {next}", "next")))
}

async fn list(ctx: &Context, owner: Option<&str>, json: bool) -> Result<(), CliError> {
    let filters: Vec<_> = owner.map(|owner| ("owner", owner)).into_iter().collect();
    let schedules = ctx.api().await?.list(&["schedules"], &filters, None).await?;
    if json {
        return ctx.json(&Value::Array(schedules));
    }
    let mut table = Table::new(&["PATH", "OWNER", "CRON", "TZ", "NEXT", "LAST", "STATE"]);
    for schedule in wire::read_all::<Schedule>(&schedules)? {
        let state = state(&schedule);
        let next = schedule.next.into_iter().next().unwrap_or_default();
        let last = schedule.last_at.as_deref().map(text::time).unwrap_or_default();
        table.row(vec![schedule.path, schedule.owner, schedule.cron, schedule.tz, next, last, state]);
    }
    ctx.table(&table)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wiremock::ResponseTemplate;
    use wiremock::matchers::body_json;

    use crate::cli::testing::TestServer;

    const HOOK: &str = "0198c5f0-0000-7000-8000-000000000001";
    const ID: &str = "0198c5f0-0000-7000-8000-000000000002";

    #[tokio::test]
    async fn a_hook_is_scheduled_paused_and_let_alone() {
        let server = TestServer::start().await;
        let hook = json!({"id": HOOK, "path": "a.ipynb", "url": "http://h/hooks/x", "histo": "20260101000000000000", "owner": "bob",
            "params": {}, "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z"});
        server.json("GET", &format!("/v1/hooks/{HOOK}"), 200, hook).await;
        let schedule = json!({"id": ID, "hook": HOOK, "path": "a.ipynb", "owner": "bob", "cron": "0 9 * * *", "tz": "Europe/Berlin",
            "params": {"n": 5}, "overlap": "skip", "missed": "skip", "enabled": true, "last_at": null, "problem": null,
            "next": ["2026-01-02T09:00:00+01:00"]});
        let add = server.mock("POST", "/v1/schedules").and(body_json(
            json!({"tz": "Europe/Berlin", "missed": "skip", "params": {"n": 5}, "hook": HOOK, "cron": "0 9 * * *"}),
        ));
        add.respond_with(ResponseTemplate::new(201).set_body_json(&schedule)).expect(1).mount(&server.http).await;
        let args = ["schedule", "add", HOOK, "0 9 * * *", "--tz", "Europe/Berlin", "--missed", "skip", "-p", "n=5"];
        let ran = server.run(&args).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.out.contains("cron       0 9 * * * (Europe/Berlin)\n"), "{}", ran.out);
        assert!(ran.out.ends_with("next       2026-01-02T09:00:00+01:00\n"), "{}", ran.out);
        server.list("/v1/schedules", &[("hook", HOOK)], std::slice::from_ref(&schedule)).await;
        let pause = server.mock("PATCH", &format!("/v1/schedules/{ID}")).and(body_json(json!({"enabled": false})));
        pause.respond_with(ResponseTemplate::new(200).set_body_json(&schedule)).expect(1).mount(&server.http).await;
        assert_eq!(server.run(&["schedule", "pause", HOOK]).await.code, 0);
        server.json("DELETE", &format!("/v1/schedules/{ID}"), 200, json!({"success": true})).await;
        assert_eq!(server.run(&["schedule", "delete", HOOK]).await.out, format!("deleted the schedule of {HOOK}\n"));
    }
}
