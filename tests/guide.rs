//! The guide: every block of README.md and docs/ does what its page says, with the real server and real kernels.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

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
        (
            "```sh\ntrue\n```\n<!-- alerts -->\n```yaml\ngroups: [{rules: [{alert: A, expr: nbhook_nothing > 0}]}]\n```\n",
            "there is no nbhook_nothing",
        ),
        ("<!-- tested by: guide/links.py -->\n```nginx\nx\n```\n", "guide/links.py does not test it"),
        ("<!-- given: false -->\n```sh\ntrue\n```\n", "this failed: false"),
        ("```python\n1 / 0\n```\n", "it raised an exception"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.md");
        crate::app::write(&path, page.as_bytes());
        let (good, said) = follow(&[&path]);
        assert!(!good && said.contains(found), "{page}\n{said}");
    }
}

/// TLS, who calls, the cookie, events as they happen, and what is too large, behind the proxies as the page has them.
#[test]
#[expect(clippy::disallowed_methods, reason = "ends by itself: every wait in it has an end")]
fn behind_the_proxies_of_the_guide_all_goes_as_without_them() {
    for program in ["nginx", "caddy"] {
        let mut command = Command::new(python());
        command.arg(support("proxied.py")).args(["--nbhook", env!("CARGO_BIN_EXE_nbhook"), program]);
        let (status, out, err) = finished(command);
        assert!(status.success(), "{out}\n{err}");
    }
}

/// Installed as the page says, by root, in a mount namespace; elsewhere it says that it is skipped.
#[test]
#[expect(clippy::disallowed_methods, reason = "ends by itself: every wait in it has an end")]
fn the_service_is_installed_and_upgraded() {
    let mut command = Command::new(python());
    command.arg(support("service.py")).args(["--nbhook", env!("CARGO_BIN_EXE_nbhook")]);
    let (status, out, err) = finished(command);
    assert!(status.success(), "{out}\n{err}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "ends by itself")]
fn every_link_leads_somewhere() {
    let mut command = Command::new(python());
    command.arg(support("links.py"));
    let (status, out, err) = finished(command);
    assert!(status.success(), "{out}{err}");
}

/// Each call that the table for those who come from naas names is made further down.
#[test]
fn every_call_of_naas_is_made() {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/migrating-from-naas.md")).unwrap();
    let (table, blocks) = page.split_once("\n## ").unwrap();
    let is_call = |name: &&str| name.starts_with("naas.") && name.matches('.').count() == 2;
    let named: Vec<_> = table.split('`').filter(is_call).collect();
    assert!(named.len() > 40, "{named:?}");
    for name in named {
        assert!(blocks.contains(&format!("{name}(")), "{name} is not called");
    }
}

#[test]
fn every_type_of_response_has_a_small_picture() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let page = std::fs::read_to_string(docs.join("responses.md")).unwrap();
    for kind in ["html", "json", "image", "svg", "text", "markdown", "csv", "file", "notebook", "error"] {
        let picture = format!("images/{kind}.png");
        assert!(page.contains(&format!("]({picture})")), "{picture} is not shown");
        assert!(std::fs::metadata(docs.join(&picture)).unwrap().len() < 60_000, "{picture} is too large");
    }
}

/// The settings that are examples and no defaults, as their defaults would say nothing.
const EXAMPLES: [&str; 7] =
    ["public_url", "behind_proxy", "kernel.pool", "kernel.limit", "outbound.rate_limit", "smtp.url", "smtp.from"];

/// The last block of TOML on the page, with the one setting in it that is commented out.
fn documented() -> Value {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md")).unwrap();
    let block = page.rsplit_once("```toml\n").unwrap().1.split_once("\n```").unwrap().0;
    let toml = block.replace("\n# rate_limit", "\nrate_limit");
    let read = config::Config::builder().add_source(config::File::from_str(&toml, config::FileFormat::Toml)).build();
    read.unwrap().try_deserialize().unwrap()
}

/// Every setting by its full name; what is kept counts as one.
fn flat(settings: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for (name, value) in settings.as_object().unwrap() {
        match value.as_object() {
            Some(group) => found.extend(group.iter().map(|(inner, value)| (format!("{name}.{inner}"), value.clone()))),
            None => drop(found.insert(name.clone(), value.clone())),
        }
    }
    found
}

#[test]
fn every_setting_is_documented_with_its_default() {
    let defaults = flat(&serde_json::to_value(nbhook::config::Settings::default()).unwrap());
    let told = flat(&documented());
    let names = |settings: &BTreeMap<String, Value>| {
        settings
            .keys()
            .filter(|name| !["admin_token", "secret_key"].contains(&name.as_str()))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&told), names(&defaults), "docs/operations.md and `Settings` do not have the same settings");
    for (name, value) in &told {
        let shown = EXAMPLES.contains(&name.as_str()) || value.is_object() || name == "admin_token";
        assert!(shown || *value == defaults[name], "`{name}` is {} by default, not {value}", defaults[name]);
    }
}

/// Each one can be set by the environment too, as the page says.
#[test]
fn every_setting_is_read_from_the_environment() {
    let told = documented();
    for (name, value) in flat(&told).iter().filter(|(name, _)| !name.starts_with("keep.")) {
        if !value.is_number() && !value.is_boolean() {
            continue;
        }
        // A value of the wrong type is refused only by a server that reads it.
        let variable = format!("NBHOOK_{}", name.replace('.', "__").to_uppercase());
        let mut command = crate::binary::nbhook(["doctor"]);
        command.env(&variable, "no number");
        let (status, _, err) = finished(command);
        assert_eq!(status.code(), Some(2), "{variable} is not read: {err}");
    }
}
