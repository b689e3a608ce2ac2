//! The texts that nbhook sends: templates embedded in the binary, compiled when it starts.
//!
//! A mail of an event is the three files `templates/email/<event>/{subject.txt,body.txt,body.html}`. HTML is escaped
//! by default and a name that the context lacks is an error, so a template cannot quietly leave something out. The
//! manager's pages are `templates/manager/<page>.html`. This module renders; it sends nothing and reads no file at run time.

use include_dir::{Dir, File, include_dir};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

mod callback_mail;
mod manager;
mod run_mail;

pub use callback_mail::CallbackMail;
pub use run_mail::RunMail;

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// Longest subject, in characters; mail programs cut far earlier.
const SUBJECT_CHARS: usize = 200;

/// All templates, compiled.
#[derive(Debug)]
pub struct Templates(Environment<'static>);

/// A mail's parts, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line without control characters.
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// A template that does not compile, does not exist or lacks something in its context.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("cannot render a template: {0:#}")]
    Template(#[from] minijinja::Error),
    #[error("cannot give a template its values: {0}")]
    Context(#[from] serde_json::Error),
}

impl Templates {
    /// Compiles every embedded template.
    ///
    /// # Errors
    /// Names the first template that does not compile.
    pub fn load() -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(
            SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?,
        );
        manager::add_filters(&mut environment);
        for (name, source) in embedded(&FILES) {
            environment.add_template(name, source)?;
        }
        Ok(Self(environment))
    }

    /// Renders the mail of `event` (a folder under `templates/email`), for run events with a [`RunMail`],
    /// for those of callbacks with a [`CallbackMail`].
    ///
    /// # Errors
    /// When there is no such event, or `context` lacks a name that its templates use.
    pub fn email(&self, event: &str, context: impl Serialize) -> Result<Rendered, TemplateError> {
        let context = serde_json::to_value(context).map(value)?;
        let render = |part: &str| self.0.get_template(&format!("email/{event}/{part}"))?.render(&context);
        Ok(Rendered {
            subject: one_line(&render("subject.txt")?),
            text: render("body.txt")?,
            html: render("body.html")?,
        })
    }
}

impl Templates {
    /// Renders a page of the manager, `templates/manager/<name>.html`.
    ///
    /// # Errors
    /// When there is no such page, or `context` lacks a name that its template uses.
    pub fn page(&self, name: &str, context: impl Serialize) -> Result<String, TemplateError> {
        let context = serde_json::to_value(context).map(value)?;
        Ok(self.0.get_template(&format!("manager/{name}.html"))?.render(&context)?)
    }
}

/// Every template as (name, source), its name being its path under `templates/`.
fn embedded(dir: &'static Dir<'static>) -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut files: Vec<&'static File<'static>> = Vec::new();
    let mut dirs = vec![dir];
    while let Some(dir) = dirs.pop() {
        files.extend(dir.files());
        dirs.extend(dir.dirs());
    }
    files.into_iter().filter_map(|file| Some((file.path().to_str()?, file.contents_utf8()?)))
}

/// JSON as a template sees it. serde alone would show a number of `serde_json` as the map that stands for it inside
/// (feature `arbitrary_precision`).
fn value(json: serde_json::Value) -> minijinja::Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => minijinja::Value::from(()),
        Json::Bool(yes) => minijinja::Value::from(yes),
        Json::String(text) => minijinja::Value::from(text),
        Json::Array(items) => items.into_iter().map(value).collect(),
        Json::Object(map) => minijinja::Value::from_pairs(map.into_iter().map(|(name, item)| (name, value(item)))),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => minijinja::Value::from(whole),
            (None, Some(real)) => minijinja::Value::from(real),
            (None, None) => minijinja::Value::from(number.to_string()),
        },
    }
}

/// `text` on one line: a header must not hold a line break (RFC 5322, 2.2), whoever wrote the values in it.
fn one_line(text: &str) -> String {
    let visible: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    shorten(&visible.split_whitespace().collect::<Vec<_>>().join(" "), SUBJECT_CHARS)
}

/// `text`, or its first `most` characters with an ellipsis.
fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CallbackId, CallbackTrouble, DeliveryId, ErrorKind, HookPath, Run, RunError, RunState};
    use crate::testing::run;
    use chrono::DateTime;
    use serde_json::{Value, json};

    fn failed_run() -> Run {
        let error = RunError {
            kind: ErrorKind::CellError,
            detail: "cell 3 raised ValueError".to_owned(),
            cell: Some(2),
            ename: Some("ValueError".to_owned()),
            evalue: Some("no rows\nfor Zürich".to_owned()),
            traceback: vec!["secret = 'hunter2'".to_owned()],
        };
        run(RunState::Failed, Some(error))
    }

    fn mail(run: &Run, count: u64) -> RunMail {
        let path = HookPath::parse("reports/sales & more.ipynb").unwrap();
        RunMail::new(run, &path, "https://nb.example.org/", count, run.created_at)
    }

    fn callback_mail(count: u64) -> CallbackMail {
        let trouble = CallbackTrouble {
            callback: CallbackId::from_number(1776),
            name: Some("billing & co".to_owned()),
            receiver: "https://example.org".to_owned(),
            reason: "no answer within 15 s".to_owned(),
            delivery: DeliveryId::new(),
            at: DateTime::from_timestamp(1_790_000_060, 0).unwrap(),
        };
        CallbackMail::new(
            &trouble,
            "https://nb.example.org/",
            count,
            DateTime::from_timestamp(1_790_000_000, 0).unwrap(),
        )
    }

    /// A full context for every event; a new folder of templates needs one here.
    fn sample(event: &str) -> Value {
        match event {
            "run_failed" => serde_json::to_value(mail(&failed_run(), 7)).unwrap(),
            "run_succeeded" => serde_json::to_value(mail(&run(RunState::Succeeded, None), 1)).unwrap(),
            "callback_failed" | "callback_disabled" => serde_json::to_value(callback_mail(7)).unwrap(),
            _ => panic!("no sample context for the templates of `{event}`"),
        }
    }

    /// Every string in `value` replaced by `text`.
    fn fill(value: &Value, text: &str) -> Value {
        match value {
            Value::String(_) => json!(text),
            Value::Array(items) => items.iter().map(|item| fill(item, text)).collect(),
            Value::Object(map) => map.iter().map(|(name, item)| (name.clone(), fill(item, text))).collect(),
            other => other.clone(),
        }
    }

    #[test]
    fn every_embedded_template_renders() {
        let templates = Templates::load().unwrap();
        let mut count = 0;
        for (name, source) in embedded(&FILES) {
            assert!(!source.is_empty(), "{name} is empty");
            match name.split('/').collect::<Vec<_>>()[..] {
                ["email", event, _] => {
                    let text = templates.0.get_template(name).unwrap().render(value(sample(event))).unwrap();
                    assert!(!text.trim().is_empty() && !text.contains("{{"), "{name}: {text}");
                }
                // Pages are rendered by black-box tests, with what handlers give them.
                ["manager", _] => {}
                // A part is rendered by those that use it.
                _ => {
                    assert!(
                        embedded(&FILES).any(|(_, user)| user.contains(&format!("\"{name}\""))),
                        "{name} is unused"
                    );
                }
            }
            count += 1;
        }
        assert!(count >= 8, "only {count} templates are embedded");
    }

    #[test]
    fn whatever_stands_in_a_value_html_is_escaped_and_subjects_are_one_line() {
        let templates = Templates::load().unwrap();
        let evil = "<script>alert(1)</script>\" onclick='x'\r\nBcc: all@example.org\u{2028}\0";
        for event in ["run_failed", "run_succeeded", "callback_failed", "callback_disabled"] {
            for count in [1, 7] {
                let mut context = fill(&sample(event), evil);
                context["count"] = json!(count);
                let mail = templates.email(event, context).unwrap();
                let counted = mail.text.contains("7 runs") || mail.text.contains("7 attempts");
                assert_eq!(counted, count == 7 && event != "callback_disabled", "{}", mail.text);
                assert!(!mail.html.contains("<script") && !mail.html.contains("' onclick"), "{}", mail.html);
                assert!(mail.html.contains("&lt;script&gt;") && mail.text.contains("<script>"));
                assert!(!mail.subject.contains(['\r', '\n', '\0', '\u{2028}']), "{:?}", mail.subject);
                assert!(mail.subject.chars().count() <= SUBJECT_CHARS + 1);
            }
        }
    }

    #[test]
    fn a_failure_says_what_failed_where_and_how_often_but_not_the_traceback() {
        let templates = Templates::load().unwrap();
        let run = failed_run();
        let once = templates.email("run_failed", mail(&run, 1)).unwrap();
        assert_eq!(once.subject, "reports/sales & more.ipynb failed in cell 3: ValueError");
        let often = templates.email("run_failed", mail(&run, 7)).unwrap();
        assert_eq!(often.subject, "reports/sales & more.ipynb: 7 runs failed");
        let (id, hook) = (run.id.to_string(), run.hook.to_string());
        for body in [&once.text, &once.html, &often.text, &often.html] {
            for part in ["cell 3 raised ValueError", "no rows", "for Zürich", "cell-error", "3 min 5 s", &id, &hook] {
                assert!(body.contains(part), "{part} is missing in {body}");
            }
            assert!(!body.contains("hunter2"));
        }
        assert!(once.text.contains(&format!("\nhttps://nb.example.org/v1/runs/{id}\n")));
        assert!(often.text.contains("7 runs of reports/sales & more.ipynb have failed since 2026-09-21 14:13:20 UTC."));
        assert!(!once.text.contains("since") && !once.html.contains("since"));
    }

    #[test]
    fn trouble_with_a_callback_is_told_with_its_name_and_where_it_is() {
        let templates = Templates::load().unwrap();
        let once = templates.email("callback_failed", callback_mail(1)).unwrap();
        assert_eq!(once.subject, "billing & co did not answer in time");
        let often = templates.email("callback_failed", callback_mail(7)).unwrap();
        assert_eq!(often.subject, "billing & co: 7 attempts timed out");
        assert!(often.text.contains("since 2026-09-21 14:13:20 UTC") && often.text.contains("2026-09-21 14:14:20 UTC"));
        let disabled = templates.email("callback_disabled", callback_mail(1)).unwrap();
        assert_eq!(disabled.subject, "billing & co was disabled");
        for mail in [once, often, disabled] {
            for body in [mail.text.clone(), mail.html.replace("&#x2f;", "/")] {
                for part in
                    ["no answer within 15 s", "1776", "https://example.org", "https://nb.example.org/v1/callbacks/1776"]
                {
                    assert!(body.contains(part), "{part} is missing in {body}");
                }
            }
        }
    }

    #[test]
    fn a_failure_without_a_cell_or_an_error_is_told_too() {
        let templates = Templates::load().unwrap();
        let error = RunError {
            kind: ErrorKind::Timeout,
            detail: "the run took longer than 600 s".to_owned(),
            cell: None,
            ename: None,
            evalue: None,
            traceback: Vec::new(),
        };
        let late = templates.email("run_failed", mail(&run(RunState::TimedOut, Some(error)), 1)).unwrap();
        assert_eq!(late.subject, "reports/sales & more.ipynb timed out");
        assert!(late.text.contains("longer than 600 s") && late.html.contains("longer than 600 s"));
        let cut = templates.email("run_failed", mail(&run(RunState::Interrupted, None), 1)).unwrap();
        assert_eq!(cut.subject, "reports/sales & more.ipynb was interrupted");
    }

    #[test]
    fn an_unknown_event_and_an_incomplete_context_are_errors() {
        let templates = Templates::load().unwrap();
        assert!(templates.email("run_exploded", json!({})).is_err());
        let mut context = sample("run_failed");
        context.as_object_mut().unwrap().remove("run");
        assert!(templates.email("run_failed", context).is_err());
    }

    #[test]
    fn long_messages_are_cut() {
        let mut run = failed_run();
        run.error.as_mut().unwrap().evalue = Some("é".repeat(10_000));
        let mail = Templates::load().unwrap().email("run_failed", mail(&run, 1)).unwrap();
        assert!(mail.text.contains(&format!("{}…", "é".repeat(2_000))));
        assert!(!mail.text.contains(&"é".repeat(2_000 + 1)));
    }
}
