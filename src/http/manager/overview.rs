//! The overview: what ran lately, how long it took, and what needs somebody's attention.

use actix_web::{HttpRequest, HttpResponse};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::load;
use super::page::Page;
use crate::http::error::ApiError;
use crate::http::{body, reply};
use crate::model::{Role, Run, RunFigures};
use crate::service::Overview;

/// Runs that go on which are shown.
const MOST_RUNS: u32 = 10;
/// The picture, in units of its own.
const STEP: i64 = 10;
const HEIGHT: u64 = 60;

/// Spans that can be chosen: name, label, slots, and how wide they are.
const SPANS: [(&str, &str, i32, TimeDelta); 2] =
    [("day", "Last 24 hours", 24, TimeDelta::hours(1)), ("week", "Last 7 days", 28, TimeDelta::hours(6))];

pub(super) async fn show(page: Page, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let query = body::query(&request);
    let asked = query.iter().find(|(name, _)| name == "span").map_or("day", |(_, value)| value.as_str());
    let (name, _, slots, width) = SPANS.into_iter().find(|(name, ..)| *name == asked).unwrap_or(SPANS[0]);
    let overview = page.service.overview(&page.caller, slots, width).await?;
    let (runs, going_on) = page.service.runs_going_on(&page.caller, MOST_RUNS).await?;
    let paths = page.service.hook_paths(&runs).await?;
    let row = |run: &Run| json!({"id": run.id, "path": paths.get(&run.hook), "state": run.state, "at": reply::time(run.created_at)});
    let since = page.service.now() - width * slots;
    let has_hooks =
        !page.service.hooks(&page.caller, None, None, crate::model::Page { limit: 1, offset: 0 }).await?.is_empty();
    let disk = match page.caller.role {
        Role::Admin => Some(load::disk(&page.service.disk_use(&page.caller).await?)),
        Role::Member => None,
    };
    page.render(
        "overview",
        json!({
            "span": name,
            "spans": SPANS.map(|(name, label, ..)| json!({"name": name, "label": label})),
            "has_hooks": has_hooks,
            "all": figures(&overview.all),
            "slots": bars(&overview, slots, |slot| reply::time(since + width * slot)),
            "times": times(&overview),
            "width": i64::from(slots) * STEP,
            "failing": overview.failing.iter().map(|hook| json!({
                "id": hook.hook, "path": hook.path, "ended": hook.ended, "failed": hook.failed,
                "last": reply::time(hook.last_failure),
            })).collect::<Vec<_>>(),
            "pending": overview.deliveries.pending,
            "dead": overview.deliveries.dead,
            "going_on": going_on,
            "load": load::chart(&page.service.load(), page.service.now(), page.service.kernel_limit()),
            "disk": disk,
            "runs": runs.iter().map(row).collect::<Vec<_>>(),
        }),
    )
}

fn figures(of: &RunFigures) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
    let share = (of.ended() > 0).then(|| of.succeeded as f64 / of.ended() as f64);
    json!({
        "ended": of.ended(), "succeeded": of.succeeded, "failed": of.failed, "cancelled": of.cancelled,
        "p50": of.p50, "p95": of.p95, "p99": of.p99, "share": share,
    })
}

/// A bar for each slot, those that failed on top of those that went well.
fn bars(overview: &Overview, slots: i32, at: impl Fn(i32) -> String) -> Vec<Value> {
    let most = overview.slots.iter().map(|(_, figures)| figures.ended()).max().unwrap_or(0).max(1);
    (0..slots)
        .map(|slot| {
            let found = overview.slots.iter().find(|(number, _)| *number == i64::from(slot));
            let of = found.map(|(_, figures)| *figures).unwrap_or_default();
            let good = of.succeeded * HEIGHT / most;
            let bad = (of.failed + of.cancelled) * HEIGHT / most;
            json!({
                "at": at(slot), "x": i64::from(slot) * STEP + 1, "good": good, "bad": bad,
                "good_y": HEIGHT - good, "bad_y": HEIGHT - good - bad, "figures": figures(&of),
            })
        })
        .collect()
}

/// How long runs took: a dash for each slot and percentile, at a height from nothing to the slowest.
fn times(overview: &Overview) -> Value {
    let most = overview.slots.iter().filter_map(|(_, of)| of.p99).max().unwrap_or(0);
    let height = |millis: i64| i64::try_from(HEIGHT).unwrap_or_default() * (most - millis) / most.max(1);
    let drawn = |name: &str, kind: &str, of: fn(&RunFigures) -> Option<i64>| -> Value {
        let dash =
            |(slot, figures): &(i64, RunFigures)| Some(format!("M{} {}h8", slot * STEP + 1, height(of(figures)?)));
        let dashes: Vec<_> = overview.slots.iter().filter_map(dash).collect();
        json!({"name": name, "kind": kind, "dashes": dashes.join(" "), "all": of(&overview.all)})
    };
    json!({
        "most": most,
        "lines": [
            drawn("Half took less than", "first", |of| of.p50),
            drawn("95 % took less than", "second", |of| of.p95),
            drawn("99 % took less than", "third", |of| of.p99),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_share_the_height_of_the_fullest_slot() {
        let of = |succeeded, failed| RunFigures { succeeded, failed, ..RunFigures::default() };
        let overview = Overview {
            all: of(0, 0),
            slots: vec![(1, of(3, 1)), (2, of(1, 0))],
            failing: Vec::new(),
            deliveries: crate::model::DeliveryFigures::default(),
        };
        let bars = bars(&overview, 3, |slot| slot.to_string());
        let heights: Vec<_> =
            bars.iter().map(|bar| (bar["good"].clone(), bar["bad"].clone(), bar["bad_y"].clone())).collect();
        assert_eq!(
            heights,
            [(json!(0), json!(0), json!(60)), (json!(45), json!(15), json!(0)), (json!(15), json!(0), json!(45))]
        );
    }

    #[test]
    fn dashes_are_as_high_as_the_percentiles_and_slots_without_any_have_none() {
        let of = |p50, p95, p99| RunFigures { p50, p95, p99, ..RunFigures::default() };
        let overview = Overview {
            all: of(Some(5), Some(9), Some(10)),
            slots: vec![
                (0, of(Some(0), Some(5), Some(10))),
                (1, of(None, None, None)),
                (3, of(Some(5), Some(5), Some(5))),
            ],
            failing: Vec::new(),
            deliveries: crate::model::DeliveryFigures::default(),
        };
        let told = times(&overview);
        let dashes: Vec<_> =
            told["lines"].as_array().unwrap().iter().map(|line| line["dashes"].as_str().unwrap()).collect();
        assert_eq!(dashes, ["M1 60h8 M31 30h8", "M1 30h8 M31 30h8", "M1 0h8 M31 30h8"]);
        assert_eq!((&told["most"], &told["lines"][1]["all"]), (&json!(10), &json!(9)));
        let nothing = Overview { all: of(None, None, None), slots: Vec::new(), ..overview };
        assert_eq!((&times(&nothing)["most"], &times(&nothing)["lines"][0]["dashes"]), (&json!(0), &json!("")));
    }
}
