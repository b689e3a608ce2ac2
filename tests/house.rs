//! The house rules: which module may know which (DESIGN.md, "The house"), how long a file may be, and that templates render.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the files of a module may use: modules of this crate, and crates that are somebody's own business.
struct Rule {
    module: &'static str,
    knows: &'static [&'static str],
    crates: &'static [&'static str],
}

/// Crates that only the named modules may use. Everything else is plain data or plumbing.
const OWNED: [&str; 14] = [
    "cron",
    "chrono_tz",
    "actix_web",
    "actix_files",
    "actix_multipart",
    "utoipa_swagger_ui",
    "sqlx",
    "zeromq",
    "lettre",
    "reqwest",
    "minijinja",
    "comrak",
    "clap",
    "ring::aead",
];

const RULES: [Rule; 21] = [
    Rule { module: "model", knows: &[], crates: &[] },
    Rule { module: "clock", knows: &[], crates: &[] },
    Rule { module: "random", knows: &[], crates: &[] },
    Rule { module: "expression", knows: &[], crates: &[] },
    Rule { module: "sealing", knows: &[], crates: &["ring::aead"] },
    Rule { module: "crontab", knows: &["model"], crates: &["cron", "chrono_tz"] },
    Rule { module: "config", knows: &["model"], crates: &[] },
    Rule { module: "notebook", knows: &["model"], crates: &[] },
    Rule { module: "response", knows: &[], crates: &["comrak"] },
    Rule { module: "openapi", knows: &["model"], crates: &[] },
    Rule { module: "kernel", knows: &["model", "clock"], crates: &["zeromq"] },
    Rule { module: "store", knows: &["model"], crates: &["sqlx"] },
    Rule { module: "mail", knows: &["model"], crates: &["lettre", "reqwest"] },
    Rule { module: "webhook", knows: &["model"], crates: &["reqwest"] },
    Rule { module: "templates", knows: &["model"], crates: &["minijinja"] },
    Rule {
        module: "service",
        knows: &[
            "model",
            "clock",
            "random",
            "config",
            "expression",
            "crontab",
            "notebook",
            "openapi",
            "response",
            "sealing",
            "kernel",
            "store",
            "mail",
            "templates",
            "webhook",
        ],
        crates: &[],
    },
    Rule { module: "worker", knows: &["service", "clock"], crates: &[] },
    Rule {
        module: "http",
        knows: &["service", "model", "clock"],
        crates: &["actix_web", "actix_files", "actix_multipart", "utoipa_swagger_ui"],
    },
    Rule {
        module: "app",
        knows: &[
            "clock",
            "config",
            "http",
            "kernel",
            "mail",
            "model",
            "random",
            "sealing",
            "service",
            "store",
            "templates",
            "webhook",
            "worker",
        ],
        crates: &[],
    },
    Rule {
        module: "cli",
        knows: &["app", "clock", "config", "kernel", "model", "store"],
        crates: &["clap", "reqwest"],
    },
    Rule { module: "main", knows: &["cli"], crates: &["clap"] },
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The code of a file without its comments and its tests.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The identifiers that follow `prefix` in `code`.
fn after<'a>(code: &'a str, prefix: &str) -> Vec<&'a str> {
    let name = |rest: &'a str| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    code.match_indices(prefix).map(|(at, _)| name(&code[at + prefix.len()..])).collect()
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn module_of(path: &Path) -> String {
    let first = path.strip_prefix(src()).unwrap().components().next().unwrap();
    Path::new(first.as_os_str()).file_stem().unwrap().to_str().unwrap().to_owned()
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests")
        || path
            .file_stem()
            .is_some_and(|stem| stem.to_str().is_some_and(|stem| stem.ends_with("tests") || stem == "testing"))
}

#[test]
fn modules_know_only_whom_they_may() {
    let rules: BTreeMap<_, _> = RULES.iter().map(|rule| (rule.module, rule)).collect();
    let mut broken = Vec::new();
    for path in sources(&src()).iter().filter(|path| !is_test(path)) {
        let module = module_of(path);
        if module == "lib" {
            continue;
        }
        let rule = rules.get(module.as_str()).unwrap_or_else(|| panic!("no rule for the module `{module}`"));
        let code = code(path);
        let mut used = after(&code, "crate::");
        used.extend(after(&code, "nbhook::"));
        for name in used.into_iter().filter(|name| rules.contains_key(name) && *name != module) {
            if !rule.knows.contains(&name) {
                broken.push(format!("{} uses {name}", path.display()));
            }
        }
        for name in OWNED {
            let present = code.contains(&format!("{name}::"));
            if present && !rule.crates.contains(&name) {
                broken.push(format!("{} uses the crate {name}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn pure_modules_do_no_io() {
    let forbidden = ["std::fs", "std::net", "std::process", "tokio::", "std::env", "Utc::now", "SystemTime"];
    for path in sources(&src()).iter().filter(|path| !is_test(path)) {
        if !["model", "expression", "notebook", "openapi", "response"].contains(&module_of(path).as_str()) {
            continue;
        }
        let code = code(path);
        for name in forbidden {
            assert!(!code.contains(name), "{} uses {name}", path.display());
        }
    }
}

#[test]
fn every_file_says_what_it_is_for_and_holds_one_thing() {
    for path in sources(&src()) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!") || is_test(&path), "{} has no module documentation", path.display());
        let lines = text.lines().count();
        assert!(lines <= 450, "{} has {lines} lines: does it still hold one thing?", path.display());
    }
}

#[test]
fn every_template_compiles() {
    nbhook::templates::Templates::load().expect("the templates of the binary");
}

/// SQLite would let whoever asks most often write most; `Database::write` has the turn, single statements ask for it.
#[test]
fn whoever_writes_to_the_database_asks_for_the_turn() {
    let writes = |body: &str| ["INSERT ", "UPDATE ", "DELETE "].iter().any(|word| body.contains(word));
    let mut functions = 0;
    for path in sources(&src().join("store/database")).iter().filter(|path| !is_test(path)) {
        for body in code(path).split("async fn ").skip(1).map(|rest| rest.split("\n    }\n").next().unwrap_or(rest)) {
            let name = body.split('(').next().unwrap_or_default();
            let alone = body.contains("&self.pool") && writes(body);
            functions += usize::from(alone);
            assert!(!alone || body.contains("self.turn()"), "{}: {name}", path.display());
        }
    }
    assert!(functions > 10, "it is still written like that");
}
