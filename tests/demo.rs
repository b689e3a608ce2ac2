//! `nbhook demo`, as a newcomer runs it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::app::{client, python};
use crate::binary::{eventually, finished, nbhook, signal};

fn demo(data: &Path) -> Command {
    let mut command = nbhook(["demo", "--data"]);
    command.arg(data).arg("--python").arg(python()).current_dir(data);
    command
}

/// What follows a word at the beginning of a line.
fn field<'a>(text: &'a str, word: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(word)).unwrap_or_else(|| panic!("no {word} in {text}")).trim()
}

/// A whole PNG (RFC 2083, section 3), with pixels.
fn is_png(bytes: &[u8]) -> bool {
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    bytes.starts_with(b"\x89PNG\r\n\x1a\n")
        && number(16) > 100
        && number(20) > 100
        && bytes[bytes.len() - 8..].starts_with(b"IEND")
}

#[test]
fn it_shows_an_answer_saves_it_and_ends_and_does_so_again() {
    assert!(include_str!("../README.md").contains("\ncargo run --release -- demo\n"), "the README says something else");
    let data = TempDir::new().unwrap();
    let mut urls = Vec::new();
    for _ in 0..2 {
        let (status, output, errors) = finished(demo(data.path()));
        assert!(status.success(), "{output}{errors}");
        let url = field(&output, "calling");
        assert!(
            url.starts_with("http://127.0.0.1:") && url.contains("/hooks/") && url.contains("region=North"),
            "{output}"
        );
        assert!(field(&output, "answer").starts_with("200 OK image/png, "), "{output}");
        let saved = std::fs::read(field(&output, "saved")).unwrap();
        assert!(is_png(&saved), "{} bytes", saved.len());
        assert!(errors.contains("--keep"), "{errors}");
        std::fs::remove_file(field(&output, "saved")).unwrap();
        urls.push(url.rsplit('/').next().unwrap().to_owned());
    }
    assert_eq!(urls[0], urls[1], "the hook keeps its URL");
}

#[tokio::test(flavor = "multi_thread")]
async fn kept_it_serves_until_it_is_told_to_end() {
    let data = TempDir::new().unwrap();
    let mut command = demo(data.path());
    let mut child = command.arg("--keep").spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let url = lines.find_map(|line| line.strip_prefix("calling").map(|url| url.trim().to_owned())).unwrap();
    let mut notes = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(notes.any(|line| line.contains("Ctrl-C")), "it says how to stop it");
    let answer = client().get(url.replace("North", "South")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(is_png(&answer.bytes().await.unwrap()));
    signal(child.id(), "TERM");
    let started = std::time::Instant::now();
    let status = eventually("it ends", || child.try_wait().unwrap());
    assert!(status.success() && started.elapsed() < Duration::from_secs(10), "{status} after {:?}", started.elapsed());
}
