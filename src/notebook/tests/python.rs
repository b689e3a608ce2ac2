//! Injected cells, evaluated by the real Python.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::identifier;
use super::{Language, ParamValue, Parameters, interpreter, source, strategies};

const CHECK: &str = include_str!("check.py");

/// Has Python evaluate each call's cell and compare; nothing may have been left in its folder.
fn evaluate(calls: &[Parameters]) {
    let folder = tempfile::tempdir().unwrap();
    let cases: Vec<Value> = calls.iter().map(case).collect();
    interpreter::write(folder.path(), "check.py", CHECK.as_bytes());
    interpreter::write(folder.path(), "cases.json", &serde_json::to_vec(&cases).unwrap());
    let output = interpreter::run("python3", &["-I", "check.py", "cases.json"], folder.path(), "C.UTF-8");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), calls.len().to_string());
    assert_eq!(interpreter::files(folder.path()), ["cases.json", "check.py"]);
}

/// JSON goes as text inside of JSON, so that Python reads the numbers by itself.
fn case(call: &Parameters) -> Value {
    let headers = call.headers().iter().map(|(name, value)| (name.clone(), ParamValue::Str(value.clone()))).collect();
    let mut case = json!({
        "source": source(Language::Python, call),
        "query": super::json(&ParamValue::Object(call.query().to_vec())).to_string(),
        "headers": super::json(&ParamValue::Object(headers)).to_string(),
    });
    match call.body() {
        ParamValue::Bytes(bytes) => case["bytes"] = STANDARD.encode(bytes).into(),
        body => case["body"] = super::json(body).to_string().into(),
    }
    case
}

#[test]
fn any_call_comes_back_exactly_and_runs_nothing() {
    evaluate(&strategies::calls(1500, true, true));
}

#[test]
fn what_only_a_contract_brings_comes_back_exactly_and_runs_nothing_else() {
    evaluate(&strategies::typed_calls(1500));
}

#[test]
fn every_byte_comes_back() {
    let body = ParamValue::Bytes((0..=255).chain([b'"', b'\\', b'x', b'4', b'1']).collect());
    evaluate(&[Parameters::new(Vec::new(), body, Vec::new())]);
}

#[test]
fn every_character_comes_back() {
    let call = |chunk: &[char]| super::params(json!({ "text": chunk.iter().collect::<String>() }));
    let all: Vec<char> = (0..=0x0010_ffff).filter_map(char::from_u32).collect();
    evaluate(&all.chunks(50_000).map(call).collect::<Vec<_>>());
}

#[test]
fn the_deepest_nesting_is_evaluated() {
    let nested = |depth: usize| (0..depth).fold(ParamValue::Null, |inner, _| ParamValue::List(vec![inner]));
    evaluate(&[super::params(json!({ "deep": super::json(&nested(63)) }))]);
}

#[test]
fn the_longest_integer_is_evaluated() {
    let digits: serde_json::Number = serde_json::from_str(&"9".repeat(4300)).unwrap();
    evaluate(&[super::params(json!({ "digits": digits }))]);
}

/// Every character in Rust's table must be an identifier character that no normalisation changes or joins, by Python's.
#[test]
fn letters_of_variables_are_pythons() {
    const SCRIPT: &str = "import sys, unicodedata\n\
        for c in map(chr, map(int, open(sys.argv[1]).read().split())):\n\
        \x20   assert c.isidentifier() and unicodedata.combining(c) == 0, ascii(c)\n\
        \x20   for name in (c, 'a' + c, c + c, '\\u1112' + c, '\\uac00' + c):\n\
        \x20       assert unicodedata.is_normalized('NFKC', name) or name[0] == '\\u1112', ascii(name)\n";
    let letters = (0x80..=0x0010_ffff).filter_map(char::from_u32);
    let letters = letters.filter(|&letter| identifier::is_variable(Language::Python, &letter.to_string()));
    let codes: Vec<String> = letters.map(|letter| u32::from(letter).to_string()).collect();
    assert!(codes.len() > 30_000);
    let folder = tempfile::tempdir().unwrap();
    interpreter::write(folder.path(), "codes", codes.join(" ").as_bytes());
    let output = interpreter::run("python3", &["-I", "-c", SCRIPT, "codes"], folder.path(), "C.UTF-8");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn keywords_are_pythons() {
    let folder = tempfile::tempdir().unwrap();
    let script = "import keyword; print(*keyword.kwlist)";
    let output = interpreter::run("python3", &["-I", "-c", script], folder.path(), "C.UTF-8");
    for keyword in String::from_utf8(output.stdout).unwrap().split_whitespace() {
        assert!(!identifier::is_variable(Language::Python, keyword), "{keyword}");
    }
}

/// The blank-cell rule is `str.strip`'s.
#[test]
fn blank_cells_are_pythons() {
    let folder = tempfile::tempdir().unwrap();
    let script = "print(*[n for n in range(0x110000) if not chr(n).strip()])";
    let output = interpreter::run("python3", &["-I", "-c", script], folder.path(), "C.UTF-8");
    let blank = |code: &u32| {
        char::from_u32(*code).is_some_and(|c| super::notebook(&[("code", &[], &c.to_string())]).code_cells().is_empty())
    };
    let ours: Vec<String> = (0..0x3100).filter(blank).map(|code| code.to_string()).collect();
    assert_eq!(ours.join(" "), String::from_utf8(output.stdout).unwrap().trim());
}
