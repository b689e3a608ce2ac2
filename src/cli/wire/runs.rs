//! Runs and tasks, as the server shows them. Pure.

use std::fmt;

use serde::Deserialize;

/// Where a run is watched. Whoever knows it may see what the run answers, so it is printed only where it was asked for.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(in crate::cli) struct TaskHref(String);

impl TaskHref {
    pub(in crate::cli) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TaskHref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskHref(***)")
    }
}

/// A run that nobody waits for.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Task {
    #[serde(rename = "UUID")]
    pub(in crate::cli) id: String,
    pub(in crate::cli) state: String,
    #[serde(default)]
    pub(in crate::cli) progress: Option<Progress>,
    /// When to ask again, in seconds.
    #[serde(default, rename = "retryAfter")]
    pub(in crate::cli) retry_after: Option<u64>,
    #[serde(rename = "_links")]
    links: Links,
}

#[derive(Debug, Deserialize)]
struct Links {
    #[serde(rename = "self")]
    this: Link,
}

#[derive(Debug, Deserialize)]
struct Link {
    href: TaskHref,
}

impl Task {
    pub(in crate::cli) fn href(&self) -> &TaskHref {
        &self.links.this.href
    }
}

/// How far a run says it is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(in crate::cli) struct Progress {
    done: f64,
    #[serde(default)]
    total: Option<f64>,
    #[serde(default)]
    message: Option<String>,
}

impl Progress {
    /// The part that is done, from 0 to 1; none when the whole is not known.
    pub(in crate::cli) fn part(&self) -> Option<f64> {
        self.total.filter(|total| *total > 0.0).map(|total| (self.done / total).clamp(0.0, 1.0))
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.done)?;
        self.total.iter().try_for_each(|total| write!(f, "/{total}"))?;
        self.message.iter().try_for_each(|message| write!(f, " {message}"))
    }
}

/// Times are RFC 3339, in UTC.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Run {
    pub(in crate::cli) id: String,
    pub(in crate::cli) hook: String,
    pub(in crate::cli) version: String,
    pub(in crate::cli) histo: String,
    pub(in crate::cli) state: String,
    pub(in crate::cli) trigger: String,
    pub(in crate::cli) method: String,
    pub(in crate::cli) created_at: String,
    pub(in crate::cli) started_at: Option<String>,
    pub(in crate::cli) finished_at: Option<String>,
    pub(in crate::cli) duration_ms: Option<u64>,
    pub(in crate::cli) cells_total: u64,
    pub(in crate::cli) cells_done: u64,
    /// Whether its caller waits for it.
    #[serde(default)]
    pub(in crate::cli) mode: Option<String>,
    /// How often it was tried.
    #[serde(default)]
    pub(in crate::cli) attempts: Option<u64>,
    pub(in crate::cli) error: Option<RunError>,
    #[serde(default)]
    pub(in crate::cli) warnings: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(in crate::cli) struct RunError {
    pub(in crate::cli) kind: String,
    #[serde(default)]
    pub(in crate::cli) detail: Option<String>,
    /// Index of the cell in the deployed notebook, from 0.
    #[serde(default)]
    pub(in crate::cli) cell: Option<u64>,
    #[serde(default)]
    pub(in crate::cli) ename: Option<String>,
    #[serde(default)]
    pub(in crate::cli) evalue: Option<String>,
    #[serde(default)]
    pub(in crate::cli) traceback: Option<Vec<String>>,
}

impl RunError {
    /// The error in one line: the exception if there is one, else the server's sentence, else the kind.
    pub(in crate::cli) fn summary(&self) -> String {
        match (&self.ename, &self.evalue, &self.detail) {
            (Some(ename), Some(evalue), _) if !evalue.is_empty() => format!("{ename}: {evalue}"),
            (Some(ename), _, _) => ename.clone(),
            (None, _, Some(detail)) => format!("{}: {detail}", self.kind),
            (None, ..) => self.kind.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn an_error_in_one_line() {
        let summary = |value: Value| read::<RunError>(&value).unwrap().summary();
        let raised = json!({"kind": "cell-error", "cell": 3, "ename": "KeyError", "evalue": "'a'", "traceback": []});
        assert_eq!(summary(raised), "KeyError: 'a'");
        assert_eq!(
            summary(json!({"kind": "cell-error", "ename": "KeyboardInterrupt", "evalue": ""})),
            "KeyboardInterrupt"
        );
        assert_eq!(
            summary(json!({"kind": "timeout", "detail": "took more than 5 s", "ename": null})),
            "timeout: took more than 5 s"
        );
        assert_eq!(summary(json!({"kind": "kernel-died"})), "kernel-died");
    }

    #[test]
    fn progress_in_one_line_and_as_a_part() {
        let progress = |value: Value| {
            let progress: Progress = read(&value).unwrap();
            (progress.to_string(), progress.part())
        };
        assert_eq!(progress(json!({"done": 3, "total": 4, "message": "on it"})), ("3/4 on it".to_owned(), Some(0.75)));
        assert_eq!(progress(json!({"done": 0.5})), ("0.5".to_owned(), None));
        assert_eq!(progress(json!({"done": 9, "total": 4, "message": null})).1, Some(1.0));
        assert_eq!(progress(json!({"done": 0, "total": 0})).1, None);
    }

    #[test]
    fn debug_shows_no_secret() {
        let task = json!({"UUID": "1", "state": "queued", "_links": {"self": {"href": "/v1/tasks/1?key=secret"}}});
        let shown = format!("{:?}", read::<Task>(&task).unwrap());
        assert!(!shown.contains("secret"), "{shown}");
    }
}
