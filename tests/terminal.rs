//! The binary at a real terminal: what must not be shown is asked for there.

use serde_json::Value;

use crate::app::{ADMIN, TestApp, run_python};
use crate::cli::User;

const TYPES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/types_an_answer.py");

/// Runs the binary at a terminal and types the answer to what it asks; gives what the terminal shows.
async fn typed(user: &User, answer: &str, args: &[&str]) -> String {
    let home = format!("HOME={}", user.home.path().display());
    let command = [TYPES, answer, "env", "-i", &home, env!("CARGO_BIN_EXE_nbhook")];
    let whole: Vec<String> = command.iter().chain(args).map(|word| (*word).to_owned()).collect();
    let told = tokio::task::spawn_blocking(move || {
        let words: Vec<&str> = whole.iter().map(String::as_str).collect();
        run_python(&words, "")
    });
    let told: Value = serde_json::from_str(&told.await.unwrap()).unwrap();
    let shown = told["shown"].as_str().unwrap();
    assert_eq!((&told["typed"], &told["code"], &told["echoes"]), (&true.into(), &0.into(), &true.into()), "{shown}");
    shown.replace('\r', "")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_and_a_token_are_typed_unseen() {
    let (app, user) = (TestApp::start().await, User::new());
    let shown = typed(&user, ADMIN, &["login", &app.url]).await;
    assert!(shown.starts_with("API token (not shown): ") && shown.contains("logged in to"), "{shown}");
    assert!(!shown.contains(ADMIN), "{shown}");

    let value = " Ünder the mat; it's \"hunter2\" ";
    let shown = typed(&user, value, &["secret", "add", "key"]).await;
    assert!(shown.starts_with("value of key (not shown): ") && shown.ends_with("kept key\n"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(user.run(&["secret", "get", "key"]).await.good(), format!("{value}\n"));
}
