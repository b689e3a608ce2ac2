//! Where the injected cell goes, what it assigns, and what it hides.

use serde_json::{Value, json};

use super::super::Secrets;
use super::{Language, Notebook, ParamValue, Parameters, inject_into, injected, notebook, params, source};

fn query(pairs: &[(&str, &str)]) -> Parameters {
    let pairs = pairs.iter().map(|&(name, value)| (name.to_owned(), value.into())).collect();
    Parameters::new(pairs, ParamValue::Null, Vec::new())
}

/// Injects and gives the sources of the new notebook, the injected one as `*`, and their original indexes.
fn placed(mut notebook: Notebook) -> (Vec<String>, Vec<Option<usize>>) {
    let injected = inject_into(&mut notebook, Some(Language::Python), &query(&[("a", "1")]), &[]).unwrap().unwrap();
    assert_eq!(notebook.cell_tags(injected.index()), ["injected-parameters"]);
    assert_eq!(notebook.cell_source(injected.index()).as_deref(), Some(injected.source()));
    notebook.set_cell_source(injected.index(), "*");
    Notebook::parse(&notebook.to_vec()).unwrap();
    let count = notebook.cell_count();
    let sources = (0..count).filter_map(|index| notebook.cell_source(index)).collect();
    (sources, (0..count).map(|index| injected.original_index(index)).collect())
}

#[test]
fn the_cell_goes_behind_the_first_parameters_cell_and_stale_ones_go() {
    let old = ["injected-parameters"];
    let (sources, origins) = placed(notebook(&[
        ("code", &old, "old 1"),
        ("markdown", &[], "m"),
        ("code", &["x", "parameters"], "p"),
        ("code", &old, "old 2"),
        ("code", &["parameters"], "q"),
    ]));
    assert_eq!(sources, ["m", "p", "*", "q"]);
    assert_eq!(origins, [Some(1), Some(2), None, Some(4)]);
    let (sources, origins) = placed(notebook(&[("code", &["parameters"], "p")]));
    assert_eq!((sources, origins), (vec!["p".to_owned(), "*".to_owned()], vec![Some(0), None]));
}

#[test]
fn else_it_replaces_an_injected_cell() {
    let old = ["injected-parameters"];
    let cells = [("code", &[][..], "a"), ("code", &old, "old 1"), ("code", &[], "b"), ("code", &old, "old 2")];
    let (sources, origins) = placed(notebook(&cells));
    assert_eq!(sources, ["a", "*", "b"]);
    assert_eq!(origins, [Some(0), None, Some(2)]);
}

#[test]
fn else_it_is_the_first_cell() {
    let (sources, origins) = placed(notebook(&[("markdown", &[], "m"), ("code", &[], "a")]));
    assert_eq!(sources, ["*", "m", "a"]);
    assert_eq!(origins, [None, Some(0), Some(1)]);
    assert_eq!(placed(notebook(&[])).0, ["*"]);
}

#[test]
fn the_cell_has_an_id_of_its_own_where_cells_have_ids() {
    let id = |value: Value| {
        let mut notebook = Notebook::from_value(value).unwrap();
        let injected = inject_into(&mut notebook, Some(Language::R), &query(&[]), &[]).unwrap().unwrap();
        notebook.as_value()["cells"][injected.index()].get("id").cloned()
    };
    let cell = |id: &str| json!({ "cell_type": "raw", "id": id, "metadata": {}, "source": "" });
    let document =
        |cells: Value, minor: u64| json!({ "cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": minor });
    assert_eq!(id(document(json!([]), 5)), Some("injected-parameters".into()));
    assert_eq!(id(document(json!([cell("injected-parameters")]), 5)), Some("injected-parameters-2".into()));
    assert_eq!(id(document(json!([]), 4)), None);
}

#[test]
fn names_become_variables_and_the_body_wins() {
    let pairs = [("year", "2023"), ("tag", "a"), ("tag", "b"), ("not a name", "1"), ("class", "2"), ("params", "3")];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.into())).to_vec();
    let body = json!({ "region": "EU", "year": 2024, "nested": { "x": [true, null] } });
    let headers = vec![("X-A".to_owned(), "1".to_owned()), ("x-a".to_owned(), "2".to_owned())];
    let call = Parameters::new(pairs, body.into(), headers);
    let expected = r#"# Parameters of this call, written by nbhook.
params = {"year": "2023", "tag": ["a", "b"], "not a name": "1", "class": "2", "params": "3"}
body = {"region": "EU", "year": 2024, "nested": {"x": [True, None]}}
headers = {"x-a": "1, 2"}
tag = ["a", "b"]
region = "EU"
year = 2024
nested = {"x": [True, None]}"#;
    assert_eq!(source(Language::Python, &call), expected);
}

#[test]
fn a_form_that_repeats_a_name_gives_a_list() {
    let pairs = [("a", "1"), ("b", "2"), ("a", "3")].map(|(name, value)| (name.to_owned(), value.into()));
    let call = Parameters::new(Vec::new(), ParamValue::Object(pairs.to_vec()), Vec::new());
    assert!(source(Language::Python, &call).ends_with("\na = [\"1\", \"3\"]\nb = \"2\""));
}

#[test]
fn secrets_reach_the_kernel_only() {
    let headers = [("Authorization", "Bearer s3cr3t-1"), ("X-Api-Key", "s3cr3t-2"), ("Accept", "text/html")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let body = json!({ "PIN": 987_654, "user": { "pin": ["s3cr3t-3"], "name": "Ann" } });
    let call = Parameters::new(vec![("pin".to_owned(), "s3cr3t-4".into())], body.into(), headers);
    let (notebook, injected) = injected(Language::Python, &call, &["pin"]);
    let shown = String::from_utf8(notebook.to_vec()).unwrap();
    for secret in ["s3cr3t-1", "s3cr3t-2", "s3cr3t-3", "s3cr3t-4", "987654"] {
        assert!(injected.source().contains(secret), "{secret}");
        assert!(!shown.contains(secret), "{secret}");
        assert!(!format!("{injected:?} {call:?}").contains(secret), "{secret}");
    }
    assert_eq!(injected.secrets(), ["Bearer s3cr3t-1", "s3cr3t-1", "s3cr3t-2", "s3cr3t-3", "s3cr3t-4", "987654"]);
    let expected = r#"# Parameters of this call, written by nbhook.
params = {"pin": "***"}
body = {"PIN": "***", "user": {"pin": "***", "name": "Ann"}}
headers = {"authorization": "***", "x-api-key": "***", "accept": "text/html"}
pin = "***"
PIN = "***"
user = {"pin": "***", "name": "Ann"}"#;
    assert_eq!(notebook.cell_source(injected.index()).as_deref(), Some(expected));
}

#[test]
fn a_whole_body_can_be_a_secret() {
    let shown = |body: ParamValue| {
        let (notebook, injected) =
            injected(Language::Python, &Parameters::new(Vec::new(), body, Vec::new()), &["body"]);
        notebook.cell_source(injected.index()).unwrap()
    };
    assert!(!shown(ParamValue::Bytes(b"s3cr3t".to_vec())).contains("s3cr3t"));
    assert!(!shown(json!({ "a": ["s3cr3t"] }).into()).contains("s3cr3t"));
}

#[test]
fn an_unknown_language_takes_no_parameters() {
    let mut notebook = notebook(&[("code", &[], "1")]);
    let before = notebook.clone();
    let headers = vec![("accept".to_owned(), "*/*".to_owned())];
    let nothing = Parameters::new(Vec::new(), ParamValue::Null, headers);
    assert_eq!(inject_into(&mut notebook, None, &nothing, &[]), Ok(None));
    let error = inject_into(&mut notebook, None, &query(&[("a", "1")]), &[]).unwrap_err();
    assert_eq!(error.field, "parameters");
    assert!(error.message.contains("supported are python, r, julia, scala, bash"), "{error}");
    assert_eq!(notebook, before);
}

#[test]
fn what_a_language_cannot_hold_is_refused_by_name() {
    let refused = |language, call: &Parameters| {
        let mut notebook = notebook(&[]);
        let error = inject_into(&mut notebook, Some(language), call, &[]).unwrap_err();
        assert_eq!(notebook.cell_count(), 0);
        (error.field, error.message)
    };
    for language in [Language::R, Language::Bash] {
        let (field, message) = refused(language, &query(&[("a", "x\0s3cr3t")]));
        assert_eq!(field, "params.a");
        assert!(message.starts_with("must not contain a NUL character"), "{message}");
        assert_eq!(refused(language, &params(json!({ "b": { "x\0": 1 } }))).0, "body.b");
    }
    assert_eq!(refused(Language::Bash, &query(&[("", "x")])).0, "params.");
    let deep = |depth: usize| params(json!({ "d": (0..depth).fold(json!(1), |inner, _| json!([inner])) }));
    for (language, deepest) in [(Language::Python, 63), (Language::R, 19), (Language::Scala, 63)] {
        source(language, &deep(deepest));
        let (field, message) = refused(language, &deep(deepest + 1));
        assert_eq!(field, "body.d");
        assert!(message.contains("deep"), "{message}");
    }
    let digits: serde_json::Number = serde_json::from_str(&"9".repeat(4301)).unwrap();
    assert_eq!(refused(Language::Python, &params(json!({ "n": digits }))).0, "body.n");
    let forged = serde_json::Number::from_string_unchecked("1; import os".to_owned());
    let forged = Parameters::new(Vec::new(), ParamValue::Number(forged), Vec::new());
    assert_eq!(refused(Language::Python, &forged).0, "body");
}

#[test]
fn languages_are_known_by_the_names_kernels_give() {
    for (name, language) in [("Python", Language::Python), ("R", Language::R), ("julia", Language::Julia)] {
        assert_eq!(Language::from_name(name), Some(language));
    }
    for language in Language::ALL {
        assert_eq!(Language::from_name(language.name()), Some(language));
    }
    assert_eq!(Language::from_name("c++"), None);
}

#[test]
fn secrets_are_masked_in_outputs_but_not_in_pictures() {
    let outputs = json!([
        {"output_type": "stream", "name": "stdout", "text": ["it is s3cr3t-1\n", "stdout"]},
        {"output_type": "display_data", "metadata": {"s": "s3cr3t-1"},
            "data": {"image/png": "AA987654AAAA", "image/svg+xml": "<a>s3cr3t-1</a>", "application/json": {"a": [987_654, 9]}}},
        {"output_type": "error", "ename": "E", "evalue": "s3cr3t-1", "traceback": ["s3cr3t-1"]}
    ]);
    let cell =
        json!({"cell_type": "code", "execution_count": null, "metadata": {}, "source": "s3cr3t-1", "outputs": outputs});
    let markdown = json!({"cell_type": "markdown", "metadata": {}, "source": "# x"});
    let file = json!({"cells": [cell, markdown.clone()], "metadata": {}, "nbformat": 4, "nbformat_minor": 4});
    let mut notebook = Notebook::from_value(file).unwrap();
    notebook.mask_outputs(&Secrets::new(["s3cr3t-1", "987654", "stdout-"].map(str::to_owned)));
    let expected = json!([
        {"output_type": "stream", "name": "stdout", "text": ["it is ***\n", "stdout"]},
        {"output_type": "display_data", "metadata": {"s": "***"},
            "data": {"image/png": "AA987654AAAA", "image/svg+xml": "<a>***</a>", "application/json": {"a": ["***", 9]}}},
        {"output_type": "error", "ename": "E", "evalue": "***", "traceback": ["***"]}
    ]);
    assert_eq!(notebook.as_value()["cells"][0]["outputs"], expected);
    assert_eq!(notebook.as_value()["cells"][1], markdown);
}

#[test]
fn the_raw_body_is_a_variable_that_no_parameter_can_take_the_place_of() {
    let call = query(&[("raw_body", "forged")]);
    assert!(!source(Language::Python, &call).contains("\nraw_body ="));
    let sent = |raw: &[u8]| query(&[("raw_body", "forged")]).with_raw_body(Some(raw.to_vec()));
    for (language, raw, line) in [
        (Language::Python, b"{\"a\": 1}\n".as_slice(), "raw_body = b\"{\\\"a\\\": 1}\\n\""),
        (Language::Python, b"", "raw_body = b\"\""),
        (Language::Bash, b"a=1", "raw_body='a=1'"),
        (Language::Julia, b"a=1", "raw_body = \"a=1\""),
    ] {
        let source = source(language, &sent(raw));
        let found: Vec<_> = source.lines().filter(|line| line.starts_with("raw_body")).collect();
        assert_eq!(found.len(), 1, "{source}");
        assert_eq!(found, [line]);
    }
    // What no text can hold is bytes, where there are some.
    assert!(source(Language::R, &sent(b"a\0b")).contains("as.raw"));
    let mut notebook = notebook(&[]);
    let error = inject_into(&mut notebook, Some(Language::Bash), &sent(b"a\0b"), &[]).unwrap_err();
    assert_eq!(error.field, "raw_body");
    assert!(!sent(b"").is_empty() && Parameters::none().with_raw_body(Some(Vec::new())).is_empty());
}

#[test]
fn the_raw_body_is_masked_with_what_is_secret_in_it() {
    let pin = "sé\"cret";
    let raw = json!({ "pin": pin }).to_string();
    let sent = || params(json!({ "pin": pin })).with_raw_body(Some(raw.clone().into_bytes()));
    let (notebook, cell) = injected(Language::Python, &sent(), &["pin"]);
    let shown = notebook.cell_source(cell.index()).unwrap();
    assert!(shown.contains("raw_body = b\"***\"") && !shown.contains("cret"), "{shown}");
    assert!(cell.source().contains("raw_body = b\"{"), "{}", cell.source());
    for written in [pin, "sé\\\"cret", "s\\u00e9\\\"cret", "s%C3%A9%22cret"] {
        assert!(cell.secrets().iter().any(|secret| secret == written), "{written}: {:?}", cell.secrets());
    }
    let (notebook, cell) = injected(Language::Python, &sent(), &[]);
    assert!(notebook.cell_source(cell.index()).unwrap().contains("raw_body = b\"{"));
}
