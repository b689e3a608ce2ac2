//! What a call of a hook is answered with.

use serde_json::{Map, Value, json};

use super::{Described, schema};

/// The responses of a call with this method, by status; of a hook that nothing is known of, all that may be.
pub(super) fn of(hook: Option<&Described<'_>>, method: &str) -> Map<String, Value> {
    let mut responses = Map::new();
    let leads_on = hook.map(|hook| hook.hook.params.next_url.is_some());
    if leads_on != Some(true) {
        learnt(hook, &mut responses);
    }
    if leads_on != Some(false) {
        add(&mut responses, "303", "The run succeeded; go on there.", &["Location"], None);
    }
    let task = Some(("application/hal+json", schema("Task")));
    add(&mut responses, "202", "The run goes on without its caller.", &["Location", "Retry-After"], task);
    let signed = hook.is_none_or(|hook| hook.hook.params.signature.is_some());
    for (status, kind, description, headers) in problems(signed, method == "post") {
        let problem = Some(("application/problem+json", schema("Problem")));
        add(&mut responses, status, description, headers, problem);
        responses[status]["content"]["application/problem+json"]["example"] = json!({
            "type": format!("urn:nbhook:problem:{kind}"),
            "title": kind.replace('-', " "),
            "status": status.parse::<u16>().unwrap_or_default(),
            "detail": description,
            "@error": {
                "@message": description,
                "@httpStatusCode": status.parse::<u16>().unwrap_or_default(),
                "@time": "2026-01-02T03:04:05.678Z",
            },
        });
    }
    for (_, response) in responses.iter_mut().filter(|(status, _)| is_of_a_run(status)) {
        refer(response, "X-Nbhook-Run");
        refer(response, "Preference-Applied");
        if method == "post" {
            refer(response, "Idempotent-Replayed");
        }
    }
    responses.sort_keys();
    responses
}

/// Says that a response may have a header.
fn refer(response: &mut Value, header: &str) {
    let component = header.replace('-', "");
    response["headers"][header] = json!({"$ref": format!("#/components/headers/{component}")});
}

/// Whether a run stands behind an answer with this status; the other problems come before one.
fn is_of_a_run(status: &str) -> bool {
    status.starts_with(['2', '3', '5'])
}

/// A problem of a call: status, kind, meaning, headers.
type ProblemRow = (&'static str, &'static str, &'static str, &'static [&'static str]);

/// What a caller is told when there is no answer of the notebook.
fn problems(signed: bool, keyed: bool) -> Vec<ProblemRow> {
    const KEYED: &str = "The run was cancelled, or the first call with this Idempotency-Key has not ended.";
    let mut problems: Vec<ProblemRow> = vec![
        ("403", "forbidden", "A URL that is to be told of the run leads where this server sends nothing.", &[]),
        ("404", "not-found", "There is no such hook, or not any more.", &[]),
        ("408", "request-timeout", "The body did not come in time.", &[]),
        (
            "409",
            "cancelled",
            if keyed { KEYED } else { "The run was cancelled." },
            if keyed { &["Retry-After"] } else { &[] },
        ),
        ("413", "body-too-large", "The body is larger than this server takes.", &[]),
        ("422", "parameters-invalid", "Parameters have values that the notebook does not take: see `errors`.", &[]),
        ("429", "queue-full", "Too many calls are waiting.", &["Retry-After"]),
        ("500", "cell-error", "The run failed: see `type` and `detail`.", &[]),
        ("503", "shutting-down", "The server is shutting down.", &["Retry-After"]),
        ("504", "timeout", "The run took too long.", &[]),
        ("507", "insufficient-storage", "The server's disk is full.", &[]),
        ("508", "loop-detected", "Too many deliveries, one behind another, led to the call.", &[]),
    ];
    if signed {
        problems.push(("401", "unauthorized", "The signature is missing, wrong, or was used before.", &[]));
    }
    problems
}

/// What the hook has answered so far; anything, if that is not known.
fn learnt(hook: Option<&Described<'_>>, responses: &mut Map<String, Value>) {
    let answered = hook.map(|hook| hook.answered).unwrap_or_default();
    if answered.is_empty() {
        let description = "What the notebook answers; if it answers nothing, when it was done.";
        add(responses, "200", description, &[], Some(("application/json", json!({}))));
        add(responses, "200", description, &[], Some(("*/*", json!({}))));
        return;
    }
    for answer in answered {
        let status = answer.status.to_string();
        let content = match answer.media_type.as_deref() {
            Some(media_type) => Some(content(media_type)),
            None if answer.status == 200 => Some(("application/json", schema("Done"))),
            None => None,
        };
        add(responses, &status, "What the notebook answers.", &[], content);
    }
}

/// A media type without its parameters, and what is of that type.
fn content(media_type: &str) -> (&str, Value) {
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let schema = match media_type {
        "application/problem+json" => schema("Problem"),
        json if json == "application/json" || json.ends_with("+json") => json!({}),
        text if text.starts_with("text/") || text.ends_with("xml") => json!({"type": "string"}),
        _ => json!({"type": "string", "format": "binary"}),
    };
    (media_type, schema)
}

/// Adds to what is answered with a status; the first description stays.
fn add(
    responses: &mut Map<String, Value>,
    status: &str,
    description: &str,
    headers: &[&str],
    content: Option<(&str, Value)>,
) {
    let response = responses.entry(status).or_insert_with(|| json!({"description": description}));
    for header in headers {
        refer(response, header);
    }
    if let Some((media_type, schema)) = content {
        let media = &mut response["content"][media_type];
        // Two kinds of answer with one media type: what holds for both is not known.
        *media = json!({"schema": if media.is_null() || media["schema"] == schema { schema } else { json!({}) }});
    }
}
