use chrono::DateTime;
use serde_json::{Value, json};

use super::{Described, Document};
use crate::model::{
    Answered, Contract, DeclaredCallbacks, Histo, Hook, HookId, HookParams, HookPath, HookToken, UserId,
};

fn hook(path: &str, params: Value) -> Hook {
    let now = DateTime::UNIX_EPOCH;
    Hook {
        id: HookId::new(),
        owner: UserId::new(),
        owner_name: "ann".parse().unwrap(),
        path: HookPath::parse(path).unwrap(),
        token: HookToken::from_random([7; 20]),
        histo: Histo::next(now, None),
        params: HookParams::from_stored(params).unwrap(),
        created_at: now,
        updated_at: now,
    }
}

fn contract(properties: &Value, required: &[&str]) -> Contract {
    Contract::new(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": required,
    }))
}

fn described<'a>(hook: &'a Hook, contract: Option<&'a Contract>, answered: &'a [Answered]) -> Described<'a> {
    Described { hook, contract, callbacks: None, title: None, text: None, answered }
}

fn document(described: &Described<'_>) -> Value {
    Document::of_hook(described).into_json("http://h.example")
}

/// The operation of a document's one path.
fn operation<'a>(document: &'a Value, method: &str) -> &'a Value {
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 1);
    &paths.values().next().unwrap()[method]
}

fn parameter<'a>(document: &'a Value, name: &str) -> &'a Value {
    let parameters = operation(document, "get")["parameters"].as_array().unwrap();
    parameters.iter().find(|one| one["name"] == name).unwrap()
}

fn statuses(document: &Value, method: &str) -> Vec<String> {
    operation(document, method)["responses"].as_object().unwrap().keys().cloned().collect()
}

fn answer(status: u16, media_type: &str) -> Answered {
    Answered { status, media_type: Some(media_type.to_owned()) }
}

/// Every `$ref` of a document.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
    let hook = hook("hook.ipynb", json!({"next_url": "https://x.org"}));
    let contract = contract(&json!({"n": {"type": "integer"}}), &[]);
    let one = described(&hook, Some(&contract), &[]);
    let mut api = Document::of_api();
    api.add(&one);
    for document in [api.into_json("http://h.example"), document(&one)] {
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 10, "{found:?}");
        for reference in found {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
        let items = document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
        let mut names: Vec<_> = items.filter_map(|operation| operation["operationId"].as_str()).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert!(all > 1 && names.len() == all, "{names:?}");
    }
}

#[test]
fn functions_and_types_are_called_after_the_notebook() {
    let mut api = Document::of_api();
    let contract = contract(&json!({}), &[]);
    let mut tokens = Vec::new();
    let paths = ["reports/Sales Report.ipynb", "reports/sales-report.ipynb", "2025.ipynb", "数据.ipynb", "hook.ipynb"];
    for (number, path) in paths.into_iter().enumerate() {
        let mut hook = hook(path, json!({}));
        hook.token = HookToken::from_random([u8::try_from(number).unwrap(); 20]);
        api.add(&described(&hook, Some(&contract), &[]));
        tokens.push(hook.token);
    }
    let api = api.into_json("http://h.example");
    let names = ["reports_sales_report", "reports_sales_report_2", "notebook_2025", "notebook", "hook_2"];
    for (token, name) in tokens.iter().zip(names) {
        let item = &api["paths"][format!("/hooks/{}", token.expose())];
        assert_eq!(item["get"]["operationId"], format!("call_{name}"));
        assert_eq!(item["post"]["operationId"], format!("post_{name}"));
    }
    for kind in ["ReportsSalesReportParameters", "ReportsSalesReport2Form", "Notebook2025Upload"] {
        assert!(api["components"]["schemas"][kind].is_object(), "{kind}");
    }
}

#[test]
fn a_query_says_what_text_can_say() {
    let contract = contract(
        &json!({
            "n": {"type": "integer", "default": 14, "description": "how many"},
            "price": {"type": "number"},
            "region": {"enum": ["North", "South", null], "default": null},
            "day": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}], "default": null},
            "kind": {"type": ["string", "null"], "x-nbhook-python": "Kind"},
            "sizes": {"type": "array", "items": {"type": "integer"}, "default": [1, 2]},
            "weights": {"type": "object", "additionalProperties": {"type": "number"}, "default": {"a": 1.5}},
            "matrix": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
        }),
        &["price"],
    );
    let hook = hook("a.ipynb", json!({}));
    let document = document(&described(&hook, Some(&contract), &[]));
    let expected = json!([
        {"name": "n", "in": "query", "required": false, "description": "how many", "example": 14,
         "schema": {"type": "integer", "default": 14}},
        {"name": "price", "in": "query", "required": true, "schema": {"type": "number"}},
        {"name": "region", "in": "query", "required": false, "schema": {"enum": ["North", "South"]}},
        {"name": "day", "in": "query", "required": false, "schema": {"type": "string", "format": "date"}},
        {"name": "kind", "in": "query", "required": false, "schema": {"type": "string"}},
        {"name": "sizes", "in": "query", "required": false, "style": "form", "explode": true, "example": [1, 2],
         "schema": {"type": "array", "items": {"type": "integer"}, "default": [1, 2]}},
        {"name": "weights", "in": "query", "required": false, "content": {"application/json": {
            "schema": {"type": "object", "additionalProperties": {"type": "number"}, "default": {"a": 1.5}},
            "example": {"a": 1.5}}}},
        {"name": "matrix", "in": "query", "required": false, "content": {"application/json": {
            "schema": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}}}},
    ]);
    for wanted in expected.as_array().unwrap() {
        assert_eq!(parameter(&document, wanted["name"].as_str().unwrap()), wanted);
    }
}

#[test]
fn bodies_are_the_same_parameters_three_times() {
    let properties = json!({
        "n": {"type": "integer", "default": 14},
        "price": {"type": "number"},
        "day": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}], "default": null},
        "weights": {"type": "object", "default": {}},
    });
    let contract = contract(&properties, &["price"]);
    let hook = hook("a.ipynb", json!({"strict": true}));
    let document = document(&described(&hook, Some(&contract), &[]));
    let body = &operation(&document, "post")["requestBody"];
    assert_eq!(body["required"], true);
    let schemas = &document["components"]["schemas"];
    let json_body = &body["content"]["application/json"];
    assert_eq!(json_body["example"], json!({"n": 14, "price": 1.5, "day": null, "weights": {}}));
    let parameters =
        json!({"type": "object", "properties": properties, "required": ["price"], "additionalProperties": false});
    assert_eq!(schemas["AParameters"], parameters);
    for (media_type, kind) in [("application/x-www-form-urlencoded", "AForm"), ("multipart/form-data", "AUpload")] {
        let media = &body["content"][media_type];
        assert_eq!(media["schema"]["$ref"], format!("#/components/schemas/{kind}"));
        assert_eq!(media["example"], json!({"n": 14, "price": 1.5, "weights": {}}));
        assert_eq!(media["encoding"], json!({"weights": {"contentType": "application/json"}}));
        assert_eq!(schemas[kind]["properties"]["day"], json!({"type": "string", "format": "date"}));
        assert_eq!(schemas[kind]["additionalProperties"], false);
    }
    assert!(operation(&document, "get").get("requestBody").is_none());
    assert_eq!(operation(&document, "put"), &Value::Null);
}

#[test]
fn defaults_of_sensitive_parameters_are_not_told() {
    let contract = contract(
        &json!({
            "pin": {"type": "string", "default": "hunter2", "examples": ["hunter2"], "enum": ["hunter2"]},
            "key": {"type": "string", "const": "hunter2"},
            "account": {"type": "object", "default": {"bank": [{"PIN": "hunter2"}]}},
        }),
        &["key"],
    );
    let hook = hook("a.ipynb", json!({"sensitive": ["pin", "key"]}));
    let document = document(&described(&hook, Some(&contract), &[]));
    assert!(!document.to_string().contains("hunter2"), "{document}");
    assert_eq!(parameter(&document, "pin")["schema"]["format"], "password");
}

#[test]
fn what_was_answered_is_what_is_promised() {
    let hook = hook("a.ipynb", json!({}));
    let unknown = document(&described(&hook, None, &[]));
    let content = &operation(&unknown, "get")["responses"]["200"]["content"];
    assert!(content["*/*"].is_object() && content["application/json"].is_object(), "{content}");

    let answered = [
        Answered { status: 200, media_type: None },
        answer(200, "image/png"),
        answer(200, "text/html; charset=utf-8"),
        answer(201, "application/json"),
        answer(404, "application/problem+json"),
        answer(404, "text/plain; charset=utf-8"),
    ];
    let known = document(&described(&hook, None, &answered));
    let responses = &operation(&known, "get")["responses"];
    let content = responses["200"]["content"].as_object().unwrap();
    assert_eq!(content.keys().collect::<Vec<_>>(), ["application/json", "image/png", "text/html"]);
    assert_eq!(content["application/json"]["schema"]["$ref"], "#/components/schemas/Done");
    assert_eq!(content["image/png"]["schema"], json!({"type": "string", "format": "binary"}));
    assert_eq!(responses["201"]["content"]["application/json"]["schema"], json!({}));
    let not_found = responses["404"]["content"].as_object().unwrap();
    assert_eq!(not_found.keys().collect::<Vec<_>>(), ["application/problem+json", "text/plain"]);
    for status in ["200", "201", "202", "500", "504"] {
        assert!(responses[status]["headers"]["X-Nbhook-Run"].is_object(), "{status}");
    }
    let mixed = [Answered { status: 200, media_type: None }, answer(200, "application/json")];
    let mixed = document(&described(&hook, None, &mixed));
    assert_eq!(operation(&mixed, "get")["responses"]["200"]["content"]["application/json"]["schema"], json!({}));
}

#[test]
fn statuses_follow_from_what_is_known() {
    let usual = ["202", "403", "404", "408", "409", "413", "422", "429", "500", "503", "504", "507", "508"];
    let plain = hook("a.ipynb", json!({}));
    let document_of = |described: &Described<'_>| document(described);
    let known = document_of(&described(&plain, None, &[answer(200, "text/plain")]));
    assert_eq!(statuses(&known, "get"), [&["200"][..], &usual].concat());
    assert_eq!(statuses(&known, "post"), statuses(&known, "get"));
    let leads_on = hook("a.ipynb", json!({"next_url": "https://x.org/done"}));
    let document = document_of(&described(&leads_on, None, &[answer(200, "text/plain")]));
    assert_eq!(statuses(&document, "get"), [&["202", "303"][..], &usual[1..]].concat());
    assert_eq!(
        operation(&known, "get")["responses"]["429"]["headers"]["Retry-After"]["$ref"],
        "#/components/headers/RetryAfter"
    );
}

#[test]
fn what_callers_have_to_prove_is_told() {
    let open = hook("a.ipynb", json!({}));
    let mut api = Document::of_api();
    api.add(&described(&open, None, &[]));
    let open = document(&described(&open, None, &[]));
    assert_eq!(operation(&open, "get")["security"], json!([]));
    assert!(!statuses(&open, "get").contains(&"401".to_owned()));
    for (scheme, header, name) in [
        (json!({"scheme": "github", "secret": "s3cret"}), "X-Hub-Signature-256", "signed-x-hub-signature-256"),
        (json!({"scheme": "header", "secret": "s3cret", "header": "X-Proof~"}), "x-proof~", "signed-x-proof_"),
    ] {
        let hook = hook("a.ipynb", json!({"signature": scheme}));
        let signed = described(&hook, None, &[]);
        api.add(&signed);
        let document = document(&signed);
        assert_eq!(operation(&document, "post")["security"], json!([{name: []}]));
        assert!(statuses(&document, "get").contains(&"401".to_owned()));
        let scheme = &document["components"]["securitySchemes"][name];
        assert_eq!(
            (&scheme["type"], &scheme["in"], &scheme["name"]),
            (&"apiKey".into(), &"header".into(), &header.into())
        );
        assert!(!document.to_string().contains("s3cret"));
    }
    let schemes = api.into_json("http://h.example")["components"]["securitySchemes"].clone();
    assert_eq!(schemes.as_object().unwrap().len(), 3, "{schemes}");
}

#[test]
fn headers_that_mean_something_are_told() {
    let hook = hook("a.ipynb", json!({}));
    let document = document(&described(&hook, None, &[]));
    let named = |method: &str| -> Vec<String> {
        let parameters = operation(&document, method)["parameters"].as_array().unwrap();
        let headers = parameters.iter().filter(|one| one["in"] == "header");
        headers.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(named("get"), ["Prefer"]);
    assert_eq!(named("post"), ["Prefer", "Idempotency-Key"]);
}

#[test]
fn callbacks_stand_under_both_operations_as_their_author_wrote_them() {
    let hook = hook("Invoice.ipynb", json!({}));
    let key = "{$callback_url}/invoices/{$request.body.id}";
    let body = json!({"$schema": "x", "$ref": "#/$defs/event", "$defs": {"event": {"type": "object"}}, "allOf": [{"$ref": "#"}]});
    let declared = DeclaredCallbacks::parse(json!({
        "invoice_event": {key: {"summary": "Paid", "body": body, "response": {"type": "object"}}, "$request.query.x": {}},
        "invoice-event": {"$url": {"method": "GET", "body": true}},
    }));
    let declared = declared.unwrap();
    let document = document(&Described { callbacks: declared.as_ref(), ..described(&hook, None, &[]) });
    let callbacks = &operation(&document, "get")["callbacks"];
    assert_eq!(callbacks, &operation(&document, "post")["callbacks"]);
    let sent = &callbacks["invoice_event"][key]["post"];
    assert_eq!((&sent["summary"], &sent["security"]), (&json!("Paid"), &json!([])));
    let body = "#/components/schemas/InvoiceInvoiceEventBody";
    assert_eq!(sent["requestBody"]["content"]["application/json"]["schema"], json!({ "$ref": body }));
    let schema = &document["components"]["schemas"]["InvoiceInvoiceEventBody"];
    assert_eq!(schema["$ref"], format!("{body}/$defs/event"));
    assert_eq!((&schema["allOf"][0]["$ref"], schema.get("$schema")), (&json!(body), None));
    let answer = &sent["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
    assert_eq!(answer, "#/components/schemas/InvoiceInvoiceEventResponse");
    assert!(callbacks["invoice_event"]["$request.query.x"]["post"]["responses"]["200"].get("content").is_none());
    assert!(callbacks["invoice-event"]["$url"]["get"].get("requestBody").is_none());
    let mut found = Vec::new();
    references(&document, &mut found);
    for reference in found {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
    }
}
