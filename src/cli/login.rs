//! `nbhook login`: checks a token and keeps it for later commands and for the Python client.

use clap::Args;

use super::api::Api;
use super::context::Context;
use super::credentials::{self, Credentials, TokenArg};
use super::error::CliError;
use super::wire::{self, Me};

/// Keep a server's URL and an API token for later commands
///
/// The token is taken from --token or `NBHOOK_TOKEN`, else read from standard input, e.g.
/// `nbhook login http://127.0.0.1:8000 < production/admin.token`. Both go to ~/.config/nbhook/credentials.json, which only
/// you can read; the Python client uses the same file.
#[derive(Debug, Args)]
pub(super) struct Login {
    /// URL of the server, e.g. `http://127.0.0.1:8000`
    url: String,
}

impl Login {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        let url = credentials::server_url(&self.url)?;
        let token = match &ctx.connection.token {
            Some(given) => given.token()?,
            None => asked(ctx).await?.token()?,
        };
        let path = ctx.credentials.as_deref();
        let path = path.ok_or_else(|| CliError::Failed("you have no home folder: set HOME".to_owned()))?;
        let me: Me = wire::read(&Api::new(url.clone(), token.clone())?.get(&["users", "me"]).await?)?;
        credentials::save(path, &Credentials { url, token }).await?;
        ctx.line(&format!("logged in to {} as {} ({}); kept in {}", self.url, me.name, me.role, path.display()))
    }
}

async fn asked(ctx: &Context) -> Result<TokenArg, CliError> {
    let text = if ctx.terminals.input { ctx.ask_hidden("API token (not shown): ").await? } else { ctx.ask("").await? };
    let Ok(token) = text.parse::<TokenArg>();
    Ok(token)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use crate::cli::context::{Context, Streams, Terminals};
    use crate::cli::testing::{TOKEN, TestServer};
    use crate::cli::{Cli, execute};

    async fn login(server: &TestServer, input: &str) -> u8 {
        let mut cli = Cli::try_parse_from(["nbhook", "login", &server.http.uri()]).unwrap();
        cli.connection.token = None;
        let streams = Streams {
            input: Box::new(std::io::Cursor::new(input.to_owned())),
            output: Box::new(std::io::sink()),
            errors: Box::new(std::io::sink()),
            terminals: Terminals::default(),
        };
        let mut ctx = Context::new(cli.connection, streams);
        ctx.credentials = Some(server.credentials());
        execute(cli.command, &ctx).await
    }

    #[tokio::test]
    async fn a_token_from_standard_input_is_checked_and_kept() {
        let server = TestServer::start().await;
        server.json("GET", "/v1/users/me", 200, json!({"name": "bob", "role": "member"})).await;
        assert_eq!(login(&server, &format!("{TOKEN}\n")).await, 0);
        let kept: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(server.credentials()).unwrap()).unwrap();
        assert_eq!(kept, json!({"url": server.http.uri(), "token": TOKEN}));
    }

    #[tokio::test]
    async fn a_token_that_the_server_refuses_is_not_kept() {
        let server = TestServer::start().await;
        let refusal = wiremock::ResponseTemplate::new(401).set_body_json(json!({"detail": "no such token"}));
        wiremock::Mock::given(wiremock::matchers::path("/v1/users/me")).respond_with(refusal).mount(&server.http).await;
        assert_eq!(login(&server, "another-token-0123456789").await, 4);
        assert_eq!(login(&server, "").await, 2);
        assert!(!server.credentials().exists());
    }

    #[tokio::test]
    async fn the_answer_names_the_user_and_not_the_token() {
        let server = TestServer::start().await;
        server.json("GET", "/v1/users/me", 200, json!({"name": "bob", "role": "member"})).await;
        let ran = server.run(&["login", &server.http.uri()]).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.out.contains("as bob (member)"), "{}", ran.out);
    }
}
