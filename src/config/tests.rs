//! Settings from files and environments.

use super::*;
use crate::model::Bounds;

fn read(toml: &str, variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nbhook.toml");
    std::io::Write::write_all(&mut std::fs::File::create_new(&path).unwrap(), toml.as_bytes()).unwrap();
    let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Settings::read(Some(&path), variables)
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let toml = "listen = \"127.0.0.1:9000\"\n[kernel]\nlimit = 3\nqueue = 5\n";
    let settings = read(
        toml,
        &[
            ("NBHOOK_KERNEL__LIMIT", "7"),
            ("NBHOOK_KERNEL__ALLOW_PYTHON", "/usr/bin,/opt/venv"),
            ("NBHOOK_ADMIN_TOKEN", "12345678901234567890"),
            ("NBHOOK_SECRET_KEY", &"0".repeat(64)),
            ("NBHOOK_RUN_TOKEN", "of a run"),
            ("NBHOOK_URL", "http://client"),
            ("NBHOOK_TOKEN", "of the client"),
        ],
    )
    .unwrap();
    assert_eq!((settings.listen.port(), settings.kernel.limit, settings.kernel.queue), (9000, 7, 5));
    assert_eq!(settings.kernel.allow_python, ["/usr/bin", "/opt/venv"]);
    assert_eq!(settings.admin_token.unwrap().expose(), "12345678901234567890");
    assert_eq!(settings.kernel.start_timeout, KernelSettings::default().start_timeout);
}

#[test]
fn what_is_kept_is_set_one_bound_at_a_time() {
    let toml = "[keep]\noutputs = { count = 5, days = 0 }\nversions = { bytes = 7 }\n";
    let settings = read(toml, &[("NBHOOK_KEEP__RUNS__DAYS", "3"), ("NBHOOK_KEEP__TOTAL", "0")]).unwrap();
    let retention = settings.keep.retention();
    let bounds = |count, days, bytes| Bounds { count, days, bytes };
    assert_eq!(retention.outputs, bounds(Some(5), None, None));
    assert_eq!(retention.runs, bounds(Some(10_000), Some(3), None));
    assert_eq!(retention.versions, bounds(None, None, Some(7)));
    assert_eq!((settings.keep.total_bytes(), retention.failed), (None, 2));
    assert!(read("[keep]\noutput = 5\n", &[]).is_err() && read("[keep.runs]\nyears = 5\n", &[]).is_err());
    let never = Settings { keep: KeepSettings { failed: 0, ..KeepSettings::default() }, ..Settings::default() };
    assert!(never.validate().unwrap_err().to_string().contains("keep.failed"));
}

#[test]
fn lists_are_lists_in_the_file_and_text_with_commas_in_the_environment() {
    let toml = "[outbound]\nallow = [\"10.0.0.0/8\", \"::1\"]\nretry_schedule = [1, 2]\n";
    let settings = read(toml, &[]).unwrap().outbound;
    let shown = |settings: &OutboundSettings| settings.allow.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        (shown(&settings), settings.retry_schedule),
        (vec!["10.0.0.0/8".to_owned(), "::1".to_owned()], vec![1, 2])
    );
    let variables = [
        ("NBHOOK_OUTBOUND__ALLOW", "127.0.0.1, fd00::/8"),
        ("NBHOOK_OUTBOUND__RETRY_SCHEDULE", "7"),
        ("NBHOOK_OUTBOUND__RATE_LIMIT", "30"),
        ("NBHOOK_OUTBOUND__ALLOW_HTTP", "true"),
    ];
    let settings = read(toml, &variables).unwrap().outbound;
    assert_eq!(
        (shown(&settings), &settings.retry_schedule[..]),
        (vec!["127.0.0.1".to_owned(), "fd00::/8".to_owned()], &[7][..])
    );
    assert_eq!((settings.rate_limit, settings.allow_http, settings.timeout), (Some(30), true, 15));
    assert_eq!(read("", &[("NBHOOK_OUTBOUND__RETRY_SCHEDULE", "")]).unwrap().outbound.retry_schedule, [0; 0]);
}

#[test]
fn what_cannot_work_is_named_with_what_would() {
    for (setting, value, advice) in [
        ("allow", "\"10.1.2.3/8\"", "write 10.0.0.0/8"),
        ("allow", "[\"localhost\"]", "must be an address"),
        ("retry_schedule", "[5, 0]", "1 to 2592000"),
        ("retry_schedule", "[5, -1]", "list"),
        ("retry_schedule", "\"5,soon\"", "`soon`"),
        ("timeout", "0", "1 to 60"),
        ("timeout", "61", "1 to 60"),
        ("concurrency", "0", "1 to 1000"),
        ("rate_limit", "0", "at least 1"),
        ("keep_days", "4000000000", "at most 36500"),
        ("longest_retry_after", "9000000000", "at most 2592000"),
    ] {
        let settings = read(&format!("[outbound]\n{setting} = {value}\n"), &[]);
        let error = settings.and_then(|settings| settings.validate()).unwrap_err().to_string();
        assert!(error.contains(&format!("outbound.{setting}")) && error.contains(advice), "{error}");
    }
    assert!(Settings::default().validate().is_ok());
    let error = read("secret_key = \"hush-hush\"\n", &[]).unwrap().validate().unwrap_err().to_string();
    assert!(error.contains("`secret_key` must be 32 bytes") && !error.contains("hush"), "{error}");
}

#[test]
fn a_misspelt_setting_is_named() {
    let error = read("[kernel]\nlimits = 3\n", &[]).unwrap_err().to_string();
    assert!(error.contains("limits"), "{error}");
    assert!(read("", &[("NBHOOK_KERNEL__LIMITS", "3")]).is_err());
}

#[test]
fn secrets_do_not_show() {
    let settings = Settings {
        admin_token: Some(Secret::new("hush-hush-hush-hush")),
        smtp: SmtpSettings { url: Some(Secret::new("smtp://u:hush@h")), from: None },
        ..Settings::default()
    };
    let shown = format!("{settings:?} {}", serde_json::to_string(&settings).unwrap());
    assert!(!shown.contains("hush"), "{shown}");
}
