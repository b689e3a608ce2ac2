use std::time::Instant;

use serde_json::json;

use super::super::Notebook;
use super::super::spellings;
use super::*;

fn secrets(texts: &[&str]) -> Secrets {
    Secrets::new(texts.iter().map(|text| (*text).to_owned()))
}

fn masked(text: &str, texts: &[&str]) -> String {
    let mut text = text.to_owned();
    mask(&mut text, &secrets(texts));
    text
}

#[test]
fn texts_that_overlap_or_lie_in_one_another_are_masked_as_a_whole() {
    assert_eq!(masked("a hush-hush, hush", &["hush", "hush-hush"]), "a ***, ***");
    assert_eq!(masked("abcdefgh", &["abcd", "cdefgh", "def"]), "***");
    assert_eq!(masked("bcdabcd", &["abcd", "bcd"]), "******");
    assert_eq!(masked("aaaaa", &["aaaa"]), "***");
    assert_eq!(masked("nothing", &[]), "nothing");
    assert_eq!(masked("nothing", &["", "hush"]), "nothing");
    // Longer than what is looked for at once, and cut in the middle of a letter there.
    let (one, other) = (format!("a{}b", "ü".repeat(40)), format!("a{}c", "ü".repeat(40)));
    let head = format!("a{}", "ü".repeat(31));
    assert_eq!(masked(&format!("{one} {other} {head}"), &[&one]), format!("*** {other} {head}"));
    assert_eq!(masked(&format!("{one} {other} {head}ü"), &[&one, &other, &head]), "*** *** ***ü");
    assert_eq!(masked(&format!("{one}{one}-hush"), &[&one, "b-hush", "a\u{fc}"]), "******");
}

#[test]
fn what_is_masked_is_what_a_search_for_each_finds() {
    let texts = ["abab", "babba", "bbbb", "aab"];
    let secrets = secrets(&texts);
    for bits in 0..1_u32 << 12 {
        let text: String = (0..12).map(|bit| if bits >> bit & 1 == 1 { 'a' } else { 'b' }).collect();
        let mut shows = [true; 12];
        for known in texts {
            (0..12).filter(|at| text[*at..].starts_with(known)).for_each(|at| shows[at..at + known.len()].fill(false));
        }
        let left: String = text.chars().zip(shows).filter_map(|(c, shows)| shows.then_some(c)).collect();
        assert_eq!(secrets.masked(&text).unwrap_or(text.clone()).replace('*', ""), left, "{text}");
    }
}

#[test]
fn keys_are_masked_and_none_is_lost() {
    let mut value =
        json!({"*** 2": 0, "hush": 1, "image/png": "hush", "a": {"x-hush": [{"hush": 4711}]}, "HUSH": 4, "***": 5});
    mask_value(&mut value, &secrets(&["hush", "HUSH", "4711"]));
    let expected = r#"{"*** 2":0,"*** 3":1,"image/png":"***","a":{"x-***":[{"***":"***"}]},"*** 4":4,"***":5}"#;
    assert_eq!(value.to_string(), expected);
}

fn outputs(outputs: &Value, metadata: &Value, texts: &[&str]) -> Value {
    let cell = json!({"cell_type": "code", "execution_count": 1, "metadata": {}, "source": "hush", "outputs": outputs});
    let file = json!({"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 4});
    let mut notebook = Notebook::from_value(file).unwrap();
    notebook.mask_outputs(&secrets(texts));
    let mut notebook = notebook.as_value().clone();
    json!([notebook["cells"][0]["outputs"].take(), notebook["metadata"].take()])
}

#[test]
fn all_that_cells_have_left_is_masked_but_for_pictures() {
    let png = "iVBORhushAAA\n";
    let display = json!({"output_type": "display_data", "metadata": {"hush": {"hush": 1}},
        "data": {"text/plain": ["hush\n"], "image/png": png, "image/hush": "hush of none", "image/gif": "hush2", "application/json": {"image/png": png}}});
    let of_widget = json!({"output_type": "display_data", "metadata": {}, "data": {"image/png": png}});
    let state = |outputs: &Value| json!({"t": {"state": {"m": {"state": {"image/png": png, "outputs": [outputs]}}}}});
    let errors = json!({"output_type": "error", "ename": "E_hush", "evalue": "hush", "traceback": ["in hush"]});
    let found = outputs(&json!([display, errors]), &json!({"widgets": state(&of_widget)}), &["hush", "text"]);
    let display = json!({"output_type": "display_data", "metadata": {"***": {"***": 1}},
        "data": {"text/plain": ["***\n"], "image/png": png, "image/***": "*** of none", "image/gif": "***2",
            "application/json": {"image/png": "iVBOR***AAA\n"}}});
    let errors = json!({"output_type": "error", "ename": "E_***", "evalue": "***", "traceback": ["in ***"]});
    let widgets = json!({"t": {"state": {"m": {"state": {"image/png": "iVBOR***AAA\n", "outputs": [of_widget]}}}}});
    assert_eq!(found, json!([[display, errors], {"widgets": widgets}]));
}

#[test]
fn what_is_written_to_a_stream_in_two_pieces_is_masked_as_one() {
    let piece = |name: &str, text: Value| json!({"output_type": "stream", "name": name, "text": text});
    let display = json!({"output_type": "display_data", "metadata": {}, "data": {}});
    let found = outputs(
        &json!([
            piece("stdout", json!("a hu")),
            piece("stdout", json!(["sh\n", "hu"])),
            piece("stdout", json!("sh")),
            piece("stderr", json!(["sh"])),
            piece("stdout", json!(["hush"])),
            display,
            piece("hush", json!(""))
        ]),
        &json!({}),
        &["hush", "stdout"],
    );
    let expected = json!([
        piece("stdout", json!("a ***\n***")),
        piece("stderr", json!(["sh"])),
        piece("stdout", json!(["***"])),
        display,
        piece("***", json!(""))
    ]);
    assert_eq!(found[0], expected);
}

/// `cargo test --release --lib masking::tests::it_takes -- --nocapture` says how long.
#[test]
fn it_takes_time_in_proportion_to_the_text() {
    let keys: Vec<String> = (0..20).map(|key| format!("p\u{e4}ss\"word'{key} /&<{}", "x/y+".repeat(key))).collect();
    let known = Secrets::new(keys.iter().flat_map(|key| spellings(key)));
    let line = format!("a line of what a notebook prints, with p\u{e4}ss in it, and {}\n", keys[7]);
    let time = |megabytes: usize| {
        let mut text = line.repeat((megabytes << 20) / line.len());
        let started = Instant::now();
        mask(&mut text, &known);
        assert!(!text.contains("word'") && text.contains("***"));
        started.elapsed()
    };
    let (small, large) = (time(1), time(4));
    println!("{} texts: 1 MiB in {small:?}, 4 MiB in {large:?}", known.count());
    assert!(large < small * 16, "{small:?} {large:?}");
}
