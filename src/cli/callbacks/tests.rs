use clap::Parser as _;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;
use wiremock::matchers::body_json;

use crate::cli::Cli;
use crate::cli::testing::TestServer;

fn callback(more: &Value) -> Value {
    let mut callback = json!({"id": 7, "user": "bob", "name": "ops", "profile_id": null, "fallback_callback_id": 6,
        "enabled": false, "disabled_reason": "it answered 410", "mode": "HTTPS", "config": {"url": "https://x.org/a",
            "method": "PUT", "headers": [{"name": "X-Api-Key", "value": true}, {"name": "X-Kind", "value": "k"}],
            "timeout": 5, "rate_limit": null},
        "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:06Z"});
    callback.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    callback
}

#[tokio::test]
async fn a_callback_is_made_and_its_secret_alone_goes_to_standard_output() {
    let server = TestServer::start().await;
    let body = json!({"config": {"url": "http://x.org", "method": "PUT", "timeout": 5, "rate_limit": 60,
            "headers": [{"name": "X-Api-Key", "value": "a: b"}]}, "mode": "HTTP", "name": "ops", "profile_id": 3,
        "fallback_callback_id": 6, "verify": false, "enabled": false, "user": "bob"});
    let made = ResponseTemplate::new(201).set_body_json(callback(&json!({"secret": "whsec_new"})));
    let create = server.mock("POST", "/v1/callbacks").and(body_json(body));
    create.respond_with(made).expect(2).mount(&server.http).await;
    let options = ["--method", "put", "--timeout", "5", "--rate-limit", "60", "--header", "X-Api-Key: a: b", "--name"];
    let more = ["ops", "--profile", "3", "--fallback", "6", "--no-verify", "--disabled", "--user", "bob"];
    let args = [&["callbacks", "create", "http://x.org"], &options[..], &more].concat();
    let ran = server.run(&args).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "whsec_new\n"), "{}", ran.err);
    assert!(ran.err.contains("made callback 7") && !ran.err.contains("whsec_new"), "{}", ran.err);
    let ran = server.run(&[&args[..], &["--json"]].concat()).await;
    assert!(ran.out.contains("\"secret\": \"whsec_new\""), "{}", ran.out);
    assert!(Cli::try_parse_from(["nbhook", "callbacks", "create", "x", "--header", "x"]).is_err());
}

#[tokio::test]
async fn callbacks_are_listed_shown_deleted_and_given_new_secrets() {
    let server = TestServer::start().await;
    let filters = [("filters[name]", "ops"), ("filters[profile_id]", "3"), ("filters[fallback_callback_id]", "6")];
    server.list("/v1/callbacks", &filters, &[callback(&Value::Null)]).await;
    let ran = server.run(&["callbacks", "list", "--name", "ops", "--profile", "3", "--fallback", "6"]).await;
    let row = "7\tbob\tops\tdisabled\tPUT\thttps://x.org/a\n";
    assert_eq!(ran.out, format!("ID\tUSER\tNAME\tSTATE\tMETHOD\tURL\n{row}"), "{}", ran.err);
    server.json("GET", "/v1/callbacks/7", 200, callback(&Value::Null)).await;
    let ran = server.run(&["callbacks", "show", "7"]).await;
    for line in [
        "id         7",
        "state      disabled: it answered 410",
        "timeout    5 s",
        "fallback   6",
        "header     X-Api-Key: (secret)",
        "header     X-Kind: k",
        "updated    2026-01-02 03:04:06",
    ] {
        assert!(ran.out.lines().any(|shown| shown == line), "{line}: {}{}", ran.out, ran.err);
    }
    assert!(!ran.out.contains("rate limit") && !ran.out.contains("profile"), "{}", ran.out);
    server.json("DELETE", "/v1/callbacks/7", 200, json!({"success": true})).await;
    assert_eq!(server.run(&["callbacks", "delete", "7"]).await.out, "deleted 7\n");
    assert_eq!(server.run(&["callbacks", "delete", "8"]).await.code, 3);
    let rotated = callback(&json!({"secret": "whsec_next"}));
    server.json("POST", "/v1/callbacks/7/rotate-secret", 200, rotated).await;
    let ran = server.run(&["callbacks", "rotate-secret", "7"]).await;
    assert_eq!(ran.out, "whsec_next\n", "{}", ran.err);
}

#[tokio::test]
async fn a_change_keeps_the_headers_that_it_does_not_name() {
    let server = TestServer::start().await;
    server.json("GET", "/v1/callbacks/7", 200, callback(&Value::Null)).await;
    let changes: [(&[&str], Value); 4] = [
        (
            &["--header", "x-kind: other", "--clear", "profile", "--clear", "timeout", "--enable"],
            json!({"config": {"headers": [{"name": "X-Api-Key", "value": true}, {"name": "x-kind", "value": "other"}],
                "timeout": null}, "profile_id": null, "enabled": true}),
        ),
        (&["--remove-header", "x-api-key"], json!({"config": {"headers": [{"name": "X-Kind", "value": true}]}})),
        (
            &["--remove-header", "x-api-key", "--remove-header", "x-kind", "--disable"],
            json!({"config": {"headers": []}, "enabled": false}),
        ),
        (&["--url", "https://y.org"], json!({"config": {"url": "https://y.org"}, "mode": "HTTPS"})),
    ];
    for (options, body) in changes {
        let patch = server.mock("PATCH", "/v1/callbacks/7").and(body_json(&body));
        let answer = ResponseTemplate::new(200).set_body_json(callback(&Value::Null));
        patch.respond_with(answer).expect(1).mount(&server.http).await;
        let ran = server.run(&[&["callbacks", "set", "7"], options].concat()).await;
        assert!(ran.code == 0 && ran.out.contains("url        https://x.org/a"), "{options:?}: {}", ran.err);
    }
}
