//! The guide: every block of README.md and docs/ does what its page says, with the real server and real kernels.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::app::python;
use crate::binary::finished;

fn support(script: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guide").join(script)
}

#[expect(clippy::disallowed_methods, reason = "ends by itself: every wait in it has an end")]
fn follow(pages: &[&Path]) -> (bool, String) {
    let mut command = Command::new(python());
    command.arg(support("follow.py")).args([OsStr::new("--nbhook"), env!("CARGO_BIN_EXE_nbhook").as_ref()]).args(pages);
    let (status, out, err) = finished(command);
    (status.success(), format!("{out}\n{err}"))
}

#[test]
fn every_block_does_what_its_page_says() {
    let (good, said) = follow(&[]);
    assert!(good, "{said}");
}

/// The test of the pages can fail: each block of this page is wrong in a way of its own.
#[test]
fn a_wrong_page_is_found_out() {
    for (page, found) in [
        ("```\nx\n```\n", "a block without a language"),
        ("```cobol\nx\n```\n", "nothing checks a block of 'cobol'"),
        ("<!-- not run: -->\n```sh\ntrue\n```\n", "a comment that means nothing here"),
        ("```json\n{,}\n```\n", "no JSON"),
        ("```sh\nfalse\n```\n", "this failed: false"),
        ("```sh\necho 1\n```\n```text\n2\n```\n", "but it was\n1"),
        ("```sh\necho '{\"a\": 1, \"b\": 2}'\n```\n<!-- answer -->\n```json\n{\"a\": 1}\n```\n", "but it was"),
        ("```python\n1 + 1  # → 3\n```\n", "but it was\n2"),
        ("```python\n1 / 0\n```\n", "it raised an exception"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.md");
        crate::app::write(&path, page.as_bytes());
        let (good, said) = follow(&[&path]);
        assert!(!good && said.contains(found), "{page}\n{said}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "ends by itself")]
fn every_link_leads_somewhere() {
    let mut command = Command::new(python());
    command.arg(support("links.py"));
    let (status, out, err) = finished(command);
    assert!(status.success(), "{out}{err}");
}
