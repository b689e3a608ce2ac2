//! `nbhook notify`: sends a mail through the server.

use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;
use serde_json::{Value, json};

use super::context::Context;
use super::error::CliError;
use super::wire;

/// Send a mail through the server's mail server
///
/// What it says is read from standard input, unless --text or --html is given.
#[derive(Debug, Args)]
pub(super) struct Notify {
    /// Whom it goes to; may be repeated
    #[arg(long, required = true, value_name = "ADDRESS")]
    to: Vec<String>,
    #[arg(long)]
    subject: String,
    /// What it says, as plain text
    #[arg(long)]
    text: Option<String>,
    /// A file with what it says, as HTML
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// A file that goes with it; may be repeated
    #[arg(long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Whom answers go to; the sender is the server's own address
    #[arg(long, value_name = "ADDRESS")]
    reply_to: Option<String>,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// A mail that is to be sent.
#[derive(Deserialize)]
struct Queued {
    id: String,
    state: String,
}

impl Notify {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let api = ctx.api().await?;
        let mut meta = json!({"email_to": self.to, "subject": self.subject});
        for (name, value) in [("text", &self.text), ("email_from", &self.reply_to)] {
            if let Some(value) = value {
                meta[name] = value.as_str().into();
            }
        }
        if let Some(file) = &self.html {
            let html = String::from_utf8(read(file).await?);
            meta["html"] = html.map_err(|_| CliError::Usage(format!("{} is not UTF-8", file.display())))?.into();
        } else if self.text.is_none() {
            meta["text"] = ctx.rest_of_input().await?.into();
        }
        let bar = ctx.progress(1, "sending");
        let answer = api.upload(&["notifications"], form(&meta, &self.files).await?).await;
        bar.finish_and_clear();
        let answer = answer?;
        if self.json {
            return ctx.json(&answer);
        }
        let Queued { id, state } = wire::read(&answer)?;
        ctx.line(&format!("{state} {id}"))
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    tokio::fs::read(path).await.map_err(|error| CliError::file(path, error))
}

async fn form(meta: &Value, files: &[PathBuf]) -> Result<Form, CliError> {
    let failed = |error: reqwest::Error| CliError::Failed(error.to_string());
    let meta = Part::bytes(meta.to_string().into_bytes()).mime_str("application/json").map_err(failed)?;
    let mut form = Form::new().percent_encode_noop().part("meta", meta);
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let media_type = mime_guess::from_path(path).first_or_octet_stream();
        let part = Part::bytes(read(path).await?).file_name(name).mime_str(media_type.essence_str());
        form = form.part("file", part.map_err(failed)?);
    }
    Ok(form)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wiremock::ResponseTemplate;
    use wiremock::matchers::body_string_contains;

    use crate::cli::context::Terminals;
    use crate::cli::testing::TestServer;

    #[tokio::test]
    async fn a_mail_says_what_comes_in_and_has_files() {
        let server = TestServer::start().await;
        let file = server.write("a b.csv", b"1,2");
        let meta = r#"{"email_to":["a@b.c","d@e.f"],"subject":"May","email_from":"me@b.c","text":"it is May\n"}"#;
        let send = server.mock("POST", "/v1/notifications");
        let send = [meta, "name=\"file\"; filename=\"a b.csv\"", "1,2"]
            .into_iter()
            .fold(send, |mock, part| mock.and(body_string_contains(part)));
        let queued = json!({"id": "n1", "state": "queued"});
        send.respond_with(ResponseTemplate::new(202).set_body_json(queued)).expect(1).mount(&server.http).await;
        let line = ["notify", "--to", "a@b.c", "--to", "d@e.f", "--subject", "May", "--file", &file];
        let line = [&line[..], &["--reply-to", "me@b.c"]].concat();
        let ran = server.run_as(&line, "it is May\n", Terminals::default()).await;
        assert_eq!((ran.code, ran.out.as_str()), (0, "queued n1\n"), "{}", ran.err);
        let missing = server.run(&["notify", "--to", "a@b.c", "--subject", "s", "--html", "none.html"]).await;
        assert_eq!(missing.code, 1, "{}", missing.err);
    }
}
