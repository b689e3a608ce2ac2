//! The server that commands talk to: whether it answers, takes the token, and has the same time.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Response, Url, header};

use super::super::api::{Api, connection_error, http_client};
use super::super::context::Context;
use super::super::credentials;
use super::super::error::CliError;
use super::super::wire::{self, Me};
use super::{Finding, bad, good, note};

const TIMEOUT: Duration = Duration::from_secs(10);
/// By how many seconds clocks may differ before one should know, and before signed calls are refused.
const ODD: i64 = 30;
const WRONG: i64 = 300;
/// Before this there was no nbhook.
const FIRST_YEAR: &str = "2026-01-01T00:00:00Z";

pub(super) async fn findings(ctx: &Context) -> Vec<Finding> {
    let credentials = match credentials::resolve(&ctx.connection, ctx.credentials.as_deref()).await {
        Ok(credentials) => credentials,
        Err(error @ CliError::NoToken { .. }) => {
            let fix = error.to_string();
            return vec![clock(ctx.clock.now(), None), note("login", "you are not logged in to a server", fix)];
        }
        Err(error) => return vec![bad("login", error.to_string(), "log in anew with `nbhook login URL`")],
    };
    let url = credentials.url.clone();
    let response = match health(&url).await {
        Ok(response) => response,
        Err(error) => return vec![clock(ctx.clock.now(), None), unreachable(&url, &error)],
    };
    let mut findings = vec![clock(ctx.clock.now(), date(&response))];
    if !response.status().is_success() {
        let fix = "give the URL of an nbhook server: `nbhook login URL`";
        findings.push(bad("server", format!("{url} answers {}", response.status()), fix));
        return findings;
    }
    findings.push(good("server", format!("{} answers", shown(&url))));
    findings.push(token(Api::new(credentials.url, credentials.token)).await);
    findings
}

async fn health(base: &Url) -> Result<Response, CliError> {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push("healthz");
    }
    http_client(&url, TIMEOUT)?.get(url.clone()).send().await.map_err(|error| connection_error(base, error))
}

fn shown(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

/// One on this machine may just not have been started.
fn unreachable(url: &Url, error: &CliError) -> Finding {
    let here = url.host_str().is_some_and(|host| ["127.0.0.1", "localhost", "[::1]"].contains(&host));
    if here {
        note("server", error.to_string(), "start it with `nbhook serve`, or log in to another with `nbhook login URL`")
    } else {
        bad("server", error.to_string(), "ask whoever runs it, or log in to another with `nbhook login URL`")
    }
}

async fn token(api: Result<Api, CliError>) -> Finding {
    let asked = match api {
        Ok(api) => api.get(&["users", "me"]).await,
        Err(error) => Err(error),
    };
    match asked.and_then(|me| wire::read::<Me>(&me)) {
        Ok(me) => good("token", format!("of {} ({})", me.name, me.role)),
        Err(error) if error.exit_code() == 4 => {
            bad("token", "the server does not take it", "get a new one (`nbhook token create`) and `nbhook login URL`")
        }
        Err(error) => bad("token", error.to_string(), "is this the URL of an nbhook server of this version?"),
    }
}

fn date(response: &Response) -> Option<DateTime<Utc>> {
    let date = response.headers().get(header::DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(date).ok().map(|date| date.with_timezone(&Utc))
}

fn clock(now: DateTime<Utc>, server: Option<DateTime<Utc>>) -> Finding {
    const SUBJECT: &str = "clock";
    const FIX: &str = "set the clock by the network: timedatectl set-ntp true";
    let first = FIRST_YEAR.parse::<DateTime<Utc>>().unwrap_or_default();
    if now < first {
        return bad(SUBJECT, format!("it is {} here, which cannot be", now.format("%Y-%m-%d")), FIX);
    }
    let Some(server) = server else { return good(SUBJECT, format!("{}", now.format("%Y-%m-%d %H:%M:%S UTC"))) };
    let seconds = (now - server).num_seconds();
    let found = format!("{} s {} the server's", seconds.abs(), if seconds < 0 { "behind" } else { "ahead of" });
    if seconds.abs() <= ODD {
        good(SUBJECT, "as the server's")
    } else if seconds.abs() <= WRONG {
        note(SUBJECT, found, FIX)
    } else {
        bad(SUBJECT, format!("{found}: signed calls are refused"), FIX)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wiremock::matchers::{method, path};
    use wiremock::{Mock, ResponseTemplate};

    use super::super::State;
    use super::*;
    use crate::cli::testing::TestServer;

    #[test]
    fn clocks_may_differ_a_little() {
        let now: DateTime<Utc> = "2026-06-01T00:00:00Z".parse().unwrap();
        let state = |seconds| clock(now, Some(now + chrono::Duration::seconds(seconds))).state;
        assert_eq!(
            [0, -30, 31, 300, -301].map(state),
            [State::Good, State::Good, State::Note, State::Note, State::Bad]
        );
        assert_eq!(clock("1970-01-01T00:00:09Z".parse().unwrap(), None).state, State::Bad);
    }

    #[tokio::test]
    async fn a_server_that_answers_may_still_refuse_the_token() {
        let server = TestServer::start().await;
        let healthy = Mock::given(method("GET")).and(path("/healthz")).respond_with(ResponseTemplate::new(200));
        healthy.mount(&server.http).await;
        let data = server.path("data");
        let python = crate::testing::python();
        let config = server.write("nbhook.toml", b"listen = '127.0.0.1:0'");
        let line = ["doctor", "--json", "--config", &config, "--data", &data, "--python", python.to_str().unwrap()];
        let state = |out: &str, subject: &str| {
            let findings: Vec<serde_json::Value> = serde_json::from_str(out).unwrap();
            findings.into_iter().find(|finding| finding["subject"] == subject).map(|finding| finding["state"].clone())
        };
        server.json("GET", "/v1/users/me", 200, json!({"name": "bob", "role": "member"})).await;
        let ran = server.run(&line).await;
        assert_eq!((state(&ran.out, "server"), state(&ran.out, "token")), (Some(json!("ok")), Some(json!("ok"))));
        server.http.reset().await;
        let healthy = Mock::given(method("GET")).and(path("/healthz")).respond_with(ResponseTemplate::new(200));
        healthy.mount(&server.http).await;
        server.json("GET", "/v1/users/me", 401, json!({"detail": "no"})).await;
        let ran = server.run(&line).await;
        assert_eq!((ran.code, state(&ran.out, "token")), (1, Some(json!("problem"))), "{}", ran.err);
    }
}
