//! What whoever operates the server sees: health, metrics, logs, tokens, settings, and starts that cannot work.

use std::collections::HashMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::app::{eventually, notebook, ok, problem, python, url};
use crate::binary::{Server, finished, nbhook};

/// The samples of Prometheus' text format, by what stands before the value. Every line must be one or a comment.
fn samples(text: &str) -> HashMap<String, f64> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with("# "));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let plain = name.split('{').next().unwrap();
            assert!(plain.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':'), "{line}");
            assert!(!name.contains('{') || name.ends_with("\"}"), "{line}");
            (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line}")))
        })
        .collect()
}

async fn metrics(server: &Server) -> HashMap<String, f64> {
    let answer = server.http.get(format!("{}/metrics", server.url)).send().await.unwrap();
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    samples(&answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn health_metrics_and_logs_tell_of_runs_and_never_of_tokens() {
    let data = TempDir::new().unwrap();
    let server = Server::start_with(data.path(), &[("NBHOOK_LOG__FORMAT", "json")]);
    for (path, status) in [("/healthz", "ok"), ("/readyz", "ready")] {
        let answer = server.http.get(format!("{}{path}", server.url)).send().await.unwrap();
        assert_eq!(ok(answer).await["status"], status);
    }
    let good = server.deploy("good.ipynb", &notebook(&["1"]), json!({})).await;
    let bad = server.deploy("bad.ipynb", &notebook(&["raise KeyError('hunter2')"]), json!({})).await;
    let before = metrics(&server).await;
    let answer = server.call(&good, &[("password", "hunter2")]).await;
    let run = answer.headers()["x-nbhook-run"].to_str().unwrap().to_owned();
    ok(answer).await;
    let failed = problem(server.call(&bad, &[]).await, 500).await;
    // Another way to write the same URL, a URL that is none, and a token that is wrong.
    let token = url(&good).rsplit('/').next().unwrap();
    ok(server.http.get(format!("{}//hooks//{token}/?password=hunter2", server.url)).send().await.unwrap()).await;
    problem(server.http.get(format!("{}/nothing/{token}", server.url)).send().await.unwrap(), 404).await;
    let wrong = server.http.get(format!("{}/v1/users/me", server.url)).bearer_auth("hunter2hunter2hunter2");
    problem(wrong.send().await.unwrap(), 401).await;

    eventually("no run is in progress", async || metrics(&server).await["nbhook_runs_in_progress"].abs() < 0.1).await;
    let after = metrics(&server).await;
    let moved = |name: &str| after.get(name).unwrap_or(&0.0) - before.get(name).unwrap_or(&0.0);
    assert!((moved("nbhook_runs_total{state=\"succeeded\"}") - 2.0).abs() < 0.1, "{after:?}");
    assert!((moved("nbhook_runs_total{state=\"failed\"}") - 1.0).abs() < 0.1, "{after:?}");
    let route = "nbhook_http_requests_total{route=\"/hooks/{token}\",status=\"200\"}";
    assert!((moved(route) - 2.0).abs() < 0.1, "{after:?}");
    assert!(after["nbhook_runs_in_progress"].abs() < 0.1, "{after:?}");

    let log = server.log();
    for secret in [token, &server.token, "hunter2"] {
        assert!(!log.contains(secret) && !format!("{after:?}").contains(secret), "{secret} is in\n{log}\n{after:?}");
    }
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let requests: Vec<_> = lines.iter().filter(|line| line["fields"]["message"] == "request").collect();
    let of = |route: &str| requests.iter().filter(|line| line["fields"]["route"] == route).count();
    assert_eq!((of("/hooks/{token}"), of("/healthz"), of("(none)")), (3, 1, 1), "{log}");
    assert!(requests.iter().any(|line| line["fields"]["run"] == run.as_str()), "{log}");
    for (run, state) in [(run.as_str(), "succeeded"), (failed["run"].as_str().unwrap(), "failed")] {
        let ended = lines.iter().find(|line| line["fields"]["message"] == "run ended" && line["span"]["run"] == run);
        assert_eq!(ended.unwrap_or_else(|| panic!("{run}: {log}"))["fields"]["state"], state);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admins_token_stays_and_a_setting_takes_its_place() {
    let data = TempDir::new().unwrap();
    let file = data.path().join("admin.token");
    let status = async |server: &Server, token: &str| {
        server.http.get(format!("{}/v1/users/me", server.url)).bearer_auth(token).send().await.unwrap().status()
    };
    let mut first = Server::start(data.path());
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let token = first.token.clone();
    assert_eq!(first.get("/v1/users/me").await, json!({"name": "admin", "role": "admin"}));
    first.kill();

    let second = Server::start(data.path());
    assert_eq!(second.token, token);
    assert_eq!(status(&second, &token).await, StatusCode::OK);
    drop(second);

    let set = "0123456789012345678901234567890";
    let third = Server::start_with(data.path(), &[("NBHOOK_ADMIN_TOKEN", set)]);
    assert_eq!(status(&third, set).await, StatusCode::OK);
    assert_eq!(status(&third, &token).await, StatusCode::UNAUTHORIZED);
    assert!(!third.log().contains(set), "{}", third.log());
    drop(third);

    let fourth = Server::start(data.path());
    assert_eq!(status(&fourth, &token).await, StatusCode::OK);
    assert_eq!(status(&fourth, set).await, StatusCode::UNAUTHORIZED);
}

fn put(path: &Path, text: &str) {
    std::fs::File::create_new(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_come_from_flags_then_the_environment_then_the_file() {
    let (home, flag) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let toml = format!(
        "listen = \"127.0.0.1:1\"\npublic_url = \"https://file.example\"\nbody_limit = 100\nadmin_token = \"{}\"\n\
         data = \"of-the-file\"\n[kernel]\npython = {:?}\nlimit = 2\n",
        "of-the-file-0123456789",
        python()
    );
    put(&home.path().join("nbhook.toml"), &toml);
    let mut command = nbhook(["serve", "--listen", "127.0.0.1:0", "--data"]);
    command.arg(flag.path()).current_dir(home.path());
    command
        .env("NBHOOK_PUBLIC_URL", "https://environment.example/")
        .env("NBHOOK_ADMIN_TOKEN", "of-the-environment-0123");
    command.env("NBHOOK_LOG__FORMAT", "json"); // whose log has the address to reach it at
    let server = Server::from_command(command, flag.path());
    assert!(flag.path().join(".nbhook").is_dir() && !home.path().join("of-the-file").exists());
    let much = server.api(Method::POST, "/v1/hooks").json(&json!({"path": "x".repeat(200)})).send().await.unwrap();
    assert_eq!(problem(much, 413).await["type"], "urn:nbhook:problem:body-too-large");
    let shown = server.get("/v1/users/me").await; // with the environment's token
    assert_eq!(shown["role"], "admin");
    drop(server);

    let token = std::fs::File::open(flag.path().join("admin.token"));
    assert!(token.is_err(), "a set token is not written down");
}

type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a [&'a str]);

#[test]
fn a_start_that_cannot_work_says_why_and_what_to_do() {
    let (used, file) = (TempDir::new().unwrap(), tempfile::NamedTempFile::new().unwrap());
    let running = Server::start(used.path());
    let port = running.url.strip_prefix("http://").unwrap();
    let python = python();
    let python = python.to_str().unwrap();
    let (in_use, no_folder) = (used.path().to_str().unwrap(), file.path().to_str().unwrap());
    let free = TempDir::new().unwrap();
    let data = free.path().to_str().unwrap();
    put(&free.path().join("misspelt.toml"), "[kernel]\nlimits = 3\n");
    put(&free.path().join("broken.toml"), "listen = \n");
    let misspelt = format!("--config={data}/misspelt.toml");
    let broken = format!("--config={data}/broken.toml");
    // Options, settings in the environment, and what the message must hold.
    let cases: [Case<'_>; 14] = [
        (&["--data", in_use, "--listen=127.0.0.1:0"], &[], &[in_use, "in use by another nbhook server", "--data"]),
        (&["--data", data, "--listen", port], &[], &[port, "another program uses this port", "--listen"]),
        (&["--data", no_folder, "--listen=127.0.0.1:0"], &[], &[no_folder, "data folder"]),
        (&["--data", "/proc/nbhook", "--listen=127.0.0.1:0"], &[], &["/proc/nbhook", "data folder", "--data"]),
        (&[&misspelt], &[], &["limits"]),
        (&[&broken], &[], &["broken.toml"]),
        (&["--config=/none.toml"], &[], &["/none.toml"]),
        (&[], &[("NBHOOK_KERNEL__LIMITS", "3")], &["limits"]),
        (&[], &[("NBHOOK_KERNEL__LIMIT", "many")], &["many", "limit"]),
        (&[], &[("NBHOOK_KERNEL__LIMIT", "0")], &["kernel.limit", "at least 1"]),
        (&[], &[("NBHOOK_ADMIN_TOKEN", "short")], &["admin_token", "16"]),
        (&["--data", data, "--public-url", "example.org", "--listen=127.0.0.1:0"], &[], &["public_url", "http"]),
        (
            &["--data", data, "--listen=127.0.0.1:0"],
            &[("NBHOOK_SMTP__URL", "smtp://u:hunter2@")],
            &["SMTP", "smtps://"],
        ),
        (&["--data", data, "--listen=127.0.0.1:0", "--python=/no/python"], &[], &["/no/python", "installed"]),
    ];
    for (options, settings, expected) in cases {
        let mut command = nbhook(["serve"]);
        if !options.iter().any(|option| option.starts_with("--python")) {
            command.args(["--python", python]);
        }
        command.args(options).envs(settings.iter().copied()).current_dir(free.path());
        let (status, _, errors) = finished(command);
        assert!(!status.success(), "{options:?} {settings:?}");
        for part in expected {
            assert!(errors.contains(part), "{options:?} {settings:?}: `{part}` is missing in {errors}");
        }
        assert!(!errors.contains("hunter2") && !errors.contains("panicked"), "{errors}");
        assert!(errors.contains("failed to serve: "), "{errors}");
    }
}
