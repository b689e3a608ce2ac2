//! What `nbhook asset` and `nbhook dependency` have in common: the API has one kind of thing behind both names.

mod upload;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::api::Api;
use super::clear;
use super::context::Context;
use super::download::Target;
use super::error::CliError;
use super::hook_arg::server_path;
use super::table::Table;
use super::text;
use super::wire::{self, FileVersion, StoredFile};
use crate::model::{Histo, RelativePath, StoredId};

pub(super) use upload::Add;

/// One of the two.
#[derive(Debug)]
pub(super) struct Kind {
    /// In the API's paths.
    resource: &'static str,
    /// As it is told.
    one: &'static str,
    folders: bool,
}

pub(super) const ASSET: Kind = Kind { resource: "assets", one: "asset", folders: false };
pub(super) const DEPENDENCY: Kind = Kind { resource: "dependencies", one: "dependency", folders: true };

/// Names one of them.
#[derive(Debug, Args)]
pub(super) struct FileArg {
    /// Path under which it was added, e.g. reports/data.csv, or its id
    #[arg(value_name = "PATH")]
    path: String,
    /// Whose, if several users have one with this path (admins only)
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
}

/// What can be done with both.
#[derive(Debug, Subcommand)]
pub(super) enum Common {
    /// List them with their live versions
    List {
        /// Only those of this user (admins only)
        #[arg(long, value_name = "USER")]
        owner: Option<String>,
        /// Print the server's JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one
    Show {
        #[command(flatten)]
        file: FileArg,
        /// Print the server's JSON
        #[arg(long)]
        json: bool,
    },
    /// List the versions of one, newest first
    Versions {
        #[command(flatten)]
        file: FileArg,
        /// Print the server's JSON
        #[arg(long)]
        json: bool,
    },
    /// Save a file; a local file is never overwritten
    Get {
        #[command(flatten)]
        file: FileArg,
        /// Which version [default: the live one]
        #[arg(long)]
        histo: Option<Histo>,
        /// File or folder to save to, or - for standard output [default: NAME.HISTO.EXTENSION]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Make a version the live one
    Promote {
        #[command(flatten)]
        file: FileArg,
        /// Which version, as `versions` lists them
        histo: Histo,
    },
    /// Remove the previous versions, or one of them; never the live one
    Clear {
        #[command(flatten)]
        file: FileArg,
        /// Only this version
        #[arg(long)]
        histo: Option<Histo>,
    },
    /// Delete one with all its versions
    Delete {
        #[command(flatten)]
        file: FileArg,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

impl Common {
    pub(super) fn purpose(&self) -> &'static str {
        match self {
            Self::List { .. } => "list the files",
            Self::Show { .. } => "show the file",
            Self::Versions { .. } => "list the versions",
            Self::Get { .. } => "get the file",
            Self::Promote { .. } => "promote the version",
            Self::Clear { .. } => "clear the versions",
            Self::Delete { .. } => "delete the file",
        }
    }

    pub(super) async fn run(self, kind: &Kind, ctx: &Context) -> Result<(), CliError> {
        match self {
            Self::List { owner, json } => kind.list(ctx, owner.as_deref(), json).await,
            Self::Show { file, json } => kind.show(ctx, &file, json).await,
            Self::Versions { file, json } => kind.versions(ctx, &file, json).await,
            Self::Get { file, histo, output } => kind.get(ctx, &file, histo, output).await,
            Self::Promote { file, histo } => kind.promote(ctx, &file, &histo).await,
            Self::Clear { file, histo } => kind.clear(ctx, &file, histo.as_ref()).await,
            Self::Delete { file, yes } => kind.delete(ctx, &file, yes).await,
        }
    }
}

impl Kind {
    /// The one that is named, and the server's JSON for it.
    pub(super) async fn find(&self, api: &Api, file: &FileArg) -> Result<(StoredFile, Value), CliError> {
        if let Ok(id) = file.path.parse::<StoredId>() {
            let value = api.get(&[self.resource, &id.to_string()]).await?;
            return Ok((wire::read(&value)?, value));
        }
        for path in paths(&file.path)? {
            let mut filters = vec![("path", path.as_str())];
            filters.extend(file.owner.as_deref().map(|owner| ("owner", owner)));
            let found = api.list(&[self.resource], &filters, None).await?;
            match found.as_slice() {
                [] => {}
                [only] => return Ok((wire::read(only)?, only.clone())),
                several => return Err(self.ambiguous(&path, &wire::read_all(several)?)),
            }
        }
        let one = self.one;
        Err(CliError::NotFound(format!("there is no {one} {}; `nbhook {one} list` shows what there is", file.path)))
    }

    fn ambiguous(&self, path: &RelativePath, found: &[StoredFile]) -> CliError {
        let owners: Vec<&str> = found.iter().map(|file| file.owner.as_str()).collect();
        let (one, owners) = (self.one, owners.join(", "));
        CliError::Usage(format!("several users have the {one} {path}: {owners}; choose one with --owner"))
    }

    async fn list(&self, ctx: &Context, owner: Option<&str>, json: bool) -> Result<(), CliError> {
        let filters: Vec<_> = owner.map(|owner| ("owner", owner)).into_iter().collect();
        let files = ctx.api().await?.list(&[self.resource], &filters, None).await?;
        if json {
            return ctx.json(&Value::Array(files));
        }
        let last = if self.folders { "FILES" } else { "URL" };
        let mut table = Table::new(&["PATH", "OWNER", "VERSION", "SIZE", "UPDATED", last]);
        for file in wire::read_all::<StoredFile>(&files)? {
            let last = file.url.map_or_else(|| file.files.to_string(), |url| url.expose().to_owned());
            let (size, updated) = (text::size(file.size), text::time(&file.updated_at));
            table.row(vec![file.path, file.owner, file.histo, size, updated, last]);
        }
        ctx.table(&table)
    }

    async fn show(&self, ctx: &Context, file: &FileArg, json: bool) -> Result<(), CliError> {
        let (file, value) = self.find(&ctx.api().await?, file).await?;
        if json {
            return ctx.json(&value);
        }
        let (created, updated) = (text::time(&file.created_at), text::time(&file.updated_at));
        let (size, files) = (text::size(file.size), file.files.to_string());
        let mut fields = vec![("path", file.path.as_str()), ("id", &file.id), ("owner", &file.owner)];
        if let Some(url) = &file.url {
            fields.extend([("url", url.expose()), ("inline", if file.params.inline { "yes" } else { "no" })]);
        }
        fields.extend([("version", file.histo.as_str()), ("size", &size), ("files", &files), ("sha256", &file.sha256)]);
        fields.extend([("created", created.as_str()), ("updated", &updated)]);
        fields.iter().try_for_each(|(name, value)| ctx.line(&format!("{name:<10} {value}")))
    }

    async fn versions(&self, ctx: &Context, file: &FileArg, json: bool) -> Result<(), CliError> {
        let api = ctx.api().await?;
        let (file, _) = self.find(&api, file).await?;
        let versions = api.list(&[self.resource, &file.id, "versions"], &[], None).await?;
        if json {
            return ctx.json(&Value::Array(versions));
        }
        let mut table = Table::new(&["VERSION", "LIVE", "SIZE", "FILES", "SHA256", "CREATED"]);
        for version in wire::read_all::<FileVersion>(&versions)? {
            let live = if version.live { "live" } else { "" };
            let (size, created) = (text::size(version.size), text::time(&version.created_at));
            let sum = version.sha256.chars().take(12).collect(); // --json has the whole
            table.row(vec![version.histo, live.to_owned(), size, version.files.to_string(), sum, created]);
        }
        ctx.table(&table)
    }

    async fn get(
        &self,
        ctx: &Context,
        file: &FileArg,
        histo: Option<Histo>,
        output: Option<PathBuf>,
    ) -> Result<(), CliError> {
        let api = ctx.api().await?;
        let (file, _) = self.find(&api, file).await?;
        let histo = histo.as_ref().map_or(file.histo.as_str(), Histo::as_str);
        let name = name_of(&file, histo)?;
        let target = Target::new(&output.unwrap_or_else(|| PathBuf::from(&name)), &name)?;
        let content = api.download(&[self.resource, &file.id, "versions", histo, "content"]).await?;
        target.save(content, ctx).await?;
        super::get::tell(ctx, &target)
    }

    async fn promote(&self, ctx: &Context, file: &FileArg, histo: &Histo) -> Result<(), CliError> {
        let api = ctx.api().await?;
        let (file, _) = self.find(&api, file).await?;
        let answer = api.act(&[self.resource, &file.id, "versions", histo.as_str(), "promote"]).await?;
        let file: StoredFile = wire::read(&answer)?;
        ctx.line(&format!("{} is now version {}", file.path, file.histo))
    }

    async fn clear(&self, ctx: &Context, file: &FileArg, histo: Option<&Histo>) -> Result<(), CliError> {
        let api = ctx.api().await?;
        let (file, _) = self.find(&api, file).await?;
        let mut segments = vec![self.resource, file.id.as_str(), "versions"];
        segments.extend(histo.map(Histo::as_str));
        let answer = api.delete(&segments, &[]).await?;
        clear::tell(ctx, &answer, histo, &format!("{} versions", file.path))
    }

    async fn delete(&self, ctx: &Context, file: &FileArg, yes: bool) -> Result<(), CliError> {
        if !yes && !ctx.terminals.input {
            return Err(CliError::Usage("there is nobody to ask: confirm with --yes".to_owned()));
        }
        let api = ctx.api().await?;
        let (file, _) = self.find(&api, file).await?;
        let what = format!("{} of {} with all its versions", file.path, file.owner);
        if !yes {
            let answer = ctx.ask(&format!("Delete {what}? [y/N] ")).await?;
            if !matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes") {
                return Err(CliError::Failed("it was not confirmed; nothing was deleted".to_owned()));
            }
        }
        api.delete(&[self.resource, &file.id], &[]).await?;
        ctx.line(&format!("deleted {what}"))
    }
}

/// The paths that a typed one may stand for: that of a file on this machine, or just what it says.
fn paths(typed: &str) -> Result<Vec<RelativePath>, CliError> {
    let file = Path::new(typed);
    let mut paths = Vec::new();
    if file.is_absolute() || file.exists() {
        paths.push(server_path(file)?);
    }
    if !file.is_absolute() {
        let said = RelativePath::parse("path", typed).map_err(|error| CliError::Usage(format!("{typed}: {error}")))?;
        paths.extend(Some(said).filter(|said| !paths.contains(said)));
    }
    Ok(paths)
}

/// What a version is called here. It is parsed as the server's own paths are, so it names no other folder.
fn name_of(file: &StoredFile, histo: &str) -> Result<String, CliError> {
    let path = RelativePath::parse("path", &file.path).map_err(|error| CliError::Answer(error.to_string()))?;
    Ok(match path.file_name().rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => format!("{stem}.{histo}.{extension}"),
        _ => format!("{}.{histo}", path.file_name()),
    })
}
