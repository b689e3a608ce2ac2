//! How the last runs of a hook went: a share, and a small picture with one bar for each.

use serde_json::{Value, json};

use crate::http::reply;
use crate::model::RunState;
use crate::service::RecentRun;

/// The picture's size, in units of its own: so many bars fit, each so wide; the highest is so high.
const BARS: usize = 20;
const STEP: usize = 5;
const HEIGHT: f64 = 22.0;
/// The lowest bar is to be seen.
const LEAST: f64 = 2.0;

/// What the list tells of a hook's last runs, the oldest first.
pub(super) fn of(runs: &[RecentRun]) -> Value {
    let ended = runs.iter().filter(|run| run.state.is_final() && run.state != RunState::Cancelled).count();
    let good = runs.iter().filter(|run| run.state == RunState::Succeeded).count();
    let last = runs.last().map(|run| {
        json!({
            "id": run.id,
            "state": run.state,
            "at": reply::time(run.created_at),
            "duration_ms": run.duration_ms,
        })
    });
    json!({"last": last, "ended": ended, "good": good, "share": share(good, ended), "bars": bars(runs), "longest": longest(runs)})
}

fn share(good: usize, ended: usize) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "at most as many as there are bars")]
    (ended > 0).then(|| good as f64 / ended as f64)
}

fn longest(runs: &[RecentRun]) -> Option<i64> {
    runs.iter().filter_map(|run| run.duration_ms).max()
}

/// A bar for each run that took time, the oldest at the left.
fn bars(runs: &[RecentRun]) -> Vec<Value> {
    let timed: Vec<_> = runs.iter().filter_map(|run| Some((run.state, run.duration_ms?))).collect();
    let longest = longest(runs).unwrap_or_default().max(1);
    let shown = &timed[timed.len().saturating_sub(BARS)..];
    let bar = |(index, (state, duration)): (usize, &(RunState, i64))| {
        #[expect(clippy::cast_precision_loss, reason = "a picture need not be exact")]
        let height = (HEIGHT * (*duration).max(0) as f64 / longest as f64).max(LEAST).round();
        let kind = if *state == RunState::Succeeded { "good" } else { "bad" };
        json!({"x": index * STEP, "y": HEIGHT - height, "height": height, "kind": kind})
    };
    shown.iter().enumerate().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RunId;

    fn run(state: RunState, duration_ms: Option<i64>) -> RecentRun {
        RecentRun { id: RunId::new(), state, created_at: chrono::DateTime::UNIX_EPOCH, duration_ms }
    }

    #[test]
    fn runs_that_go_on_or_were_cancelled_say_nothing_of_success() {
        let runs = [
            run(RunState::Succeeded, Some(500)),
            run(RunState::Failed, Some(1_000)),
            run(RunState::Cancelled, None),
            run(RunState::Running, None),
        ];
        let told = of(&runs);
        assert_eq!((&told["good"], &told["ended"], &told["share"]), (&json!(1), &json!(2), &json!(0.5)));
        assert_eq!(told["last"]["state"], "running");
        let bar = |x: usize, y: f64, kind: &str| json!({"x": x, "y": y, "height": HEIGHT - y, "kind": kind});
        assert_eq!(told["bars"], json!([bar(0, 11.0, "good"), bar(5, 0.0, "bad")]));
        assert_eq!((&of(&[])["share"], &of(&[])["last"]), (&json!(null), &json!(null)));
    }
}
