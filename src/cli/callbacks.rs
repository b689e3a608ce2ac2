//! `nbhook callbacks`: URLs that are called when something happens.

mod setup;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::context::Context;
use super::error::CliError;
use super::table::Table;
use super::text;
use super::wire::{self, Callback, NewSecret};
use setup::{Field, SetupArgs};

/// The longest that the server tries a URL out, in seconds.
const TEST: u64 = 30;

/// Make, list, change and delete callbacks: URLs that are called when something happens
#[derive(Debug, Args)]
pub(super) struct CallbacksCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(List),
    Show(Show),
    Create(Create),
    Set(Set),
    Delete(Delete),
    RotateSecret(RotateSecret),
}

/// List callbacks; admins see everyone's
#[derive(Debug, Args)]
struct List {
    /// Only those of this name
    #[arg(long)]
    name: Option<String>,
    /// Only those with this profile
    #[arg(long, value_name = "ID")]
    profile: Option<u32>,
    /// Only those with this fallback
    #[arg(long, value_name = "ID")]
    fallback: Option<u32>,
    /// Only this user's
    #[arg(long)]
    user: Option<String>,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// Show one callback; values of headers that are named like secrets are not shown
#[derive(Debug, Args)]
struct Show {
    /// Its id, as `nbhook callbacks list` shows it
    id: u32,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// Make a callback and print the secret that its requests are signed with; it is never shown again
#[derive(Debug, Args)]
struct Create {
    /// What is called; it has to answer a test request with 200 or 201
    url: String,
    #[command(flatten)]
    setup: SetupArgs,
    /// Do not send to it yet
    #[arg(long)]
    disabled: bool,
    /// Whose it is to be [default: yours] (admins only)
    #[arg(long)]
    user: Option<String>,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// Change what is named of a callback
#[derive(Debug, Args)]
struct Set {
    /// Its id, as `nbhook callbacks list` shows it
    id: u32,
    /// What is called instead; it has to answer a test request with 200 or 201
    #[arg(long)]
    url: Option<String>,
    #[command(flatten)]
    setup: SetupArgs,
    /// Remove a header; may be repeated
    #[arg(long, value_name = "NAME")]
    remove_header: Vec<String>,
    /// Go back to what is usual; may be repeated
    #[arg(long, value_name = "FIELD", value_enum)]
    clear: Vec<Field>,
    /// Send to it, again if the server has disabled it
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Do not send to it any more
    #[arg(long)]
    disable: bool,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// Delete a callback that nothing uses
#[derive(Debug, Args)]
struct Delete {
    /// Its id, as `nbhook callbacks list` shows it
    id: u32,
}

/// Give a callback a new secret and print it; the old one signs as well for some time
#[derive(Debug, Args)]
struct RotateSecret {
    /// Its id, as `nbhook callbacks list` shows it
    id: u32,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

impl CallbacksCommand {
    pub(super) fn purpose(&self) -> &'static str {
        match self.action {
            Action::List(_) => "list the callbacks",
            Action::Show(_) => "show the callback",
            Action::Create(_) => "create the callback",
            Action::Set(_) => "change the callback",
            Action::Delete(_) => "delete the callback",
            Action::RotateSecret(_) => "rotate the callback's secret",
        }
    }

    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        match self.action {
            Action::List(list) => list.run(ctx).await,
            Action::Show(Show { id, json }) => {
                let answer = ctx.api().await?.get(&["callbacks", &id.to_string()]).await?;
                if json { ctx.json(&answer) } else { print(ctx, &answer) }
            }
            Action::Create(create) => create.run(ctx).await,
            Action::Set(set) => set.run(ctx).await,
            Action::Delete(Delete { id }) => {
                ctx.api().await?.delete(&["callbacks", &id.to_string()], &[]).await?;
                ctx.line(&format!("deleted {id}"))
            }
            Action::RotateSecret(RotateSecret { id, json }) => {
                let answer = ctx.api().await?.act(&["callbacks", &id.to_string(), "rotate-secret"]).await?;
                ctx.note("the old secret signs as well for some time; keep the new one, it is never shown again");
                secret(ctx, &answer, json)
            }
        }
    }
}

/// Prints the secret alone, or the whole answer.
fn secret(ctx: &Context, answer: &Value, json: bool) -> Result<(), CliError> {
    if json { ctx.json(answer) } else { ctx.line(wire::read::<NewSecret>(answer)?.expose()) }
}

impl List {
    async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let filters = [
            ("filters[name]", self.name),
            ("filters[profile_id]", self.profile.map(|id| id.to_string())),
            ("filters[fallback_callback_id]", self.fallback.map(|id| id.to_string())),
            ("user", self.user),
        ];
        let filters: Vec<_> = filters.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
        let callbacks = ctx.api().await?.list(&["callbacks"], &filters, None).await?;
        if self.json {
            return ctx.json(&Value::Array(callbacks));
        }
        let mut table = Table::new(&["ID", "USER", "NAME", "STATE", "METHOD", "URL"]);
        for callback in wire::read_all::<Callback>(&callbacks)? {
            let state = if callback.enabled { "enabled" } else { "disabled" };
            let (user, name) = (callback.user.unwrap_or_default(), callback.name.unwrap_or_default());
            let config = callback.config;
            table.row(vec![callback.id.to_string(), user, name, state.to_owned(), config.method, config.url]);
        }
        ctx.table(&table)
    }
}

impl Create {
    async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let mut body = self.setup.body(Some(&self.url), &[]);
        if self.disabled {
            body["enabled"] = json!(false);
        }
        if let Some(user) = self.user {
            body["user"] = user.into();
        }
        let bar = ctx.progress(1, "waiting for the answer to a test request");
        let answer = ctx.api().await?.post_with(&["callbacks"], &body, TEST).await;
        bar.finish_and_clear();
        let answer = answer?;
        let made: Callback = wire::read(&answer)?;
        ctx.note(&format!("made callback {}; keep its secret, it is never shown again", made.id));
        secret(ctx, &answer, self.json)
    }
}

impl Set {
    async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let (api, id) = (ctx.api().await?, self.id.to_string());
        let at = ["callbacks", id.as_str()];
        let kept = if self.setup.headers.is_empty() && self.remove_header.is_empty() {
            Vec::new()
        } else {
            let stored: Callback = wire::read(&api.get(&at).await?)?;
            let names = stored.config.headers.unwrap_or_default().into_iter().map(|header| header.name);
            names.filter(|name| !self.remove_header.iter().any(|gone| gone.eq_ignore_ascii_case(name))).collect()
        };
        let mut body = self.setup.body(self.url.as_deref(), &kept);
        if !self.remove_header.is_empty() && body["config"]["headers"].is_null() {
            body["config"]["headers"] = json!([]);
        }
        for field in &self.clear {
            field.clear(&mut body);
        }
        if self.enable || self.disable {
            body["enabled"] = json!(self.enable);
        }
        let bar = ctx.progress(1, "changing the callback");
        let answer = api.patch_with(&at, &body, TEST).await;
        bar.finish_and_clear();
        let answer = answer?;
        if self.json { ctx.json(&answer) } else { print(ctx, &answer) }
    }
}

/// Prints a callback as `name value` lines.
fn print(ctx: &Context, value: &Value) -> Result<(), CliError> {
    let callback: Callback = wire::read(value)?;
    let config = callback.config;
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    let state = match (callback.enabled, callback.disabled_reason) {
        (true, _) => "enabled".to_owned(),
        (false, None) => "disabled".to_owned(),
        (false, Some(reason)) => format!("disabled: {reason}"),
    };
    let fields = [
        ("id", Some(callback.id.to_string())),
        ("name", callback.name),
        ("user", callback.user),
        ("state", Some(state)),
        ("url", Some(config.url)),
        ("method", Some(config.method)),
        ("timeout", number(config.timeout).map(|seconds| format!("{seconds} s"))),
        ("rate limit", number(config.rate_limit).map(|attempts| format!("{attempts} per minute"))),
        ("profile", number(callback.profile_id)),
        ("fallback", number(callback.fallback_callback_id)),
        ("created", Some(text::time(&callback.created_at))),
        ("updated", Some(text::time(&callback.updated_at))),
    ];
    let headers = config.headers.unwrap_or_default().into_iter().map(|header| ("header", Some(header.to_string())));
    for (name, value) in fields.into_iter().chain(headers) {
        if let Some(value) = value {
            ctx.line(&format!("{name:<10} {value}"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
