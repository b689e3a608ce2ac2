//! Adding: what of a file or folder is sent.

use std::io;
use std::path::{Path, PathBuf};

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::Kind;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::hook_arg::server_path;
use crate::cli::text;
use crate::cli::wire::{self, StoredFile};
use crate::model::RelativePath;

/// What is to be added, and how.
#[derive(Debug)]
pub(in crate::cli) struct Add {
    pub(in crate::cli) files: Vec<PathBuf>,
    pub(in crate::cli) path: Option<String>,
    pub(in crate::cli) inline: bool,
    pub(in crate::cli) new_url: bool,
    pub(in crate::cli) owner: Option<String>,
    pub(in crate::cli) json: bool,
}

/// The files of one, by the names that they are sent with.
type Contents = Vec<(String, PathBuf)>;

impl Add {
    pub(in crate::cli) async fn run(self, kind: &Kind, ctx: &Context) -> Result<(), CliError> {
        if self.path.is_some() && self.files.len() > 1 {
            return Err(CliError::Usage("--path is for a single one".to_owned()));
        }
        // All of it is looked at before anything is sent.
        let mut uploads = Vec::new();
        for file in &self.files {
            uploads.push((self.place(file)?, contents(file, kind).await?));
        }
        let api = ctx.api().await?;
        let bar = ctx.progress(uploads.len(), "adding");
        let mut added = Vec::new();
        for (path, contents) in uploads {
            bar.set_message(path.to_string());
            let sent = match form(&self.meta(kind, &path), contents).await {
                Ok(form) => api.upload(&[kind.resource], form).await,
                Err(error) => Err(error),
            };
            let answer = sent.map_err(|error| {
                bar.finish_and_clear();
                error.about(path.as_str())
            })?;
            bar.inc(1);
            bar.suspend(|| self.tell(ctx, &answer))?;
            added.push(answer);
        }
        bar.finish_and_clear();
        if self.json { ctx.json(&Value::Array(added)) } else { Ok(()) }
    }

    fn place(&self, file: &Path) -> Result<RelativePath, CliError> {
        match &self.path {
            Some(path) => RelativePath::parse("--path", path).map_err(|error| CliError::Usage(error.to_string())),
            None => server_path(file),
        }
    }

    fn meta(&self, kind: &Kind, path: &RelativePath) -> Value {
        let mut meta = json!({ "path": path.as_str() });
        if !kind.folders {
            meta["params"] = json!({ "inline": self.inline });
            meta["force"] = json!(self.new_url);
        }
        if let Some(owner) = &self.owner {
            meta["owner"] = json!(owner);
        }
        meta
    }

    /// Prints the URL of an asset, or what runs get.
    fn tell(&self, ctx: &Context, answer: &Value) -> Result<(), CliError> {
        let file: StoredFile = wire::read(answer)?;
        let said = format!("added {} as version {}", file.path, file.histo);
        if let Some(url) = &file.url {
            ctx.note(&said);
            return if self.json { Ok(()) } else { ctx.line(url.expose()) };
        }
        let files = if file.files == 1 { "1 file".to_owned() } else { format!("{} files", file.files) };
        let said = format!("{said}: {files}, {}", text::size(file.size));
        if self.json {
            ctx.note(&said);
            return Ok(());
        }
        ctx.line(&said)
    }
}

async fn form(meta: &Value, contents: Contents) -> Result<Form, CliError> {
    let mime = |part: Part, media: &str| part.mime_str(media).map_err(|error| CliError::Failed(error.to_string()));
    let mut form = Form::new().part("meta", mime(Part::text(meta.to_string()), "application/json")?);
    for (name, path) in contents {
        let content = tokio::fs::read(&path).await.map_err(|error| CliError::file(&path, error))?;
        form = form.part("file", mime(Part::bytes(content).file_name(name), "application/octet-stream")?);
    }
    Ok(form)
}

/// The file; or what is in the folder, as far as it is not hidden.
async fn contents(path: &Path, kind: &Kind) -> Result<Contents, CliError> {
    let metadata = tokio::fs::metadata(path).await.map_err(|error| CliError::file(path, error))?;
    if !metadata.is_dir() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Ok(vec![(name, path.to_owned())]);
    }
    if !kind.folders {
        return Err(CliError::Usage(format!("{} is a folder: an asset is one file", path.display())));
    }
    let folder = path.to_owned();
    let walk = move || {
        let mut found = Vec::new();
        walk(&folder, Path::new("."), &folder.canonicalize()?, &mut found)?;
        Ok(found)
    };
    let found = tokio::task::spawn_blocking(walk).await.map_err(io::Error::other).and_then(|found| found);
    let found = found.map_err(|error| CliError::file(path, error))?;
    if found.is_empty() {
        return Err(CliError::file(path, io::Error::other("there is no file in it")));
    }
    Ok(found)
}

/// Finds what runs are to have of a folder: nothing hidden, and nothing that lies elsewhere.
fn walk(folder: &Path, place: &Path, root: &Path, found: &mut Contents) -> io::Result<()> {
    let mut entries = std::fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (name, path) = (entry.file_name(), entry.path());
        let wrong = |why: &str| Err(io::Error::other(format!("{} {why}", path.display())));
        let Some(text) = name.to_str() else { return wrong("has a name that is not UTF-8") };
        if text.starts_with('.') || text == "__pycache__" {
            continue;
        }
        let (is_link, is_folder) = (entry.file_type()?.is_symlink(), path.is_dir());
        if is_link && is_folder {
            return wrong("is a link to a folder: add that folder itself");
        }
        if is_link && !path.canonicalize()?.starts_with(root) {
            return wrong("is a link that leaves the folder");
        }
        let place = place.join(text);
        if is_folder {
            walk(&path, &place, root, found)?;
        } else if path.is_file() {
            found.push((place.to_string_lossy().into_owned(), path));
        }
    }
    Ok(())
}
