//! `/healthz`, `/readyz`, `/metrics`: for whoever operates the server.

use std::sync::OnceLock;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, web};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::json;

use crate::service::Service;

/// The process answers.
pub(super) async fn health() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// Calls can be served.
pub(super) async fn ready(service: web::Data<Service>) -> HttpResponse {
    if service.is_ready().await {
        HttpResponse::Ok().json(json!({"status": "ready"}))
    } else {
        HttpResponse::ServiceUnavailable().json(json!({"status": "not ready"}))
    }
}

/// Prometheus' text format.
pub(super) async fn metrics(service: web::Data<Service>) -> HttpResponse {
    #[expect(clippy::cast_precision_loss, reason = "a count of calls is far below 2^52")]
    metrics::gauge!("nbhook_runs_in_progress").set(service.runs_in_progress() as f64);
    let text = recorder().map(PrometheusHandle::render).unwrap_or_default();
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/plain; version=0.0.4")).body(text)
}

/// The process' one recorder; set up at the first use.
pub(super) fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let begin = || {
        let handle = PrometheusBuilder::new().install_recorder().ok()?;
        begin_at_zero();
        Some(handle)
    };
    RECORDER.get_or_init(begin).as_ref()
}

/// What alerts look at is there from the start: Prometheus sees no increase in what begins with 1.
fn begin_at_zero() {
    const COUNTERS: [(&str, &str, &[&str]); 5] = [
        ("nbhook_runs_total", "state", &["succeeded", "failed", "timed_out", "cancelled", "interrupted"]),
        ("nbhook_mails_total", "result", &["sent", "failed"]),
        ("nbhook_delivery_attempts_total", "result", &["delivered", "rejected", "failed", "dead"]),
        ("nbhook_schedules_fired_total", "skipped", &["false", "true"]),
        ("nbhook_calls_unsigned_total", "reason", &["missing", "wrong", "too-old", "replayed"]),
    ];
    for (name, label, values) in COUNTERS {
        for &value in values {
            metrics::counter!(name, label => value).absolute(0);
        }
    }
    for name in ["nbhook_calls_rejected_total", "nbhook_internal_errors_total", "nbhook_captures_total"] {
        metrics::counter!(name).absolute(0);
    }
}
