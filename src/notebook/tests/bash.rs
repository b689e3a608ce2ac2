//! Injected cells, evaluated by the real Bash.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::super::identifier;
use super::{Language, ParamValue, Parameters, interpreter, params, source, strategies};

/// What a Bash variable holds.
#[derive(Debug, Clone, PartialEq)]
enum Shell {
    Scalar(Vec<u8>),
    List(Vec<Vec<u8>>),
    Map(BTreeMap<Vec<u8>, Vec<u8>>),
}

fn shell(value: &ParamValue) -> Shell {
    match value {
        ParamValue::List(items) => Shell::List(items.iter().map(text).collect()),
        ParamValue::Object(pairs) => {
            Shell::Map(pairs.iter().map(|(key, value)| (key.clone().into_bytes(), text(value))).collect())
        }
        scalar => Shell::Scalar(text(scalar)),
    }
}

fn text(value: &ParamValue) -> Vec<u8> {
    match value {
        ParamValue::Null => Vec::new(),
        ParamValue::Str(text) => text.clone().into_bytes(),
        ParamValue::Bytes(bytes) => bytes.clone(),
        other => super::json(other).to_string().into_bytes(),
    }
}

/// The variables a call's cell must set.
fn expected(call: &Parameters) -> BTreeMap<String, Shell> {
    let headers = call.headers().iter().map(|(name, value)| (name.clone(), ParamValue::Str(value.clone()))).collect();
    let mut variables = BTreeMap::from([
        ("params".to_owned(), shell(&ParamValue::Object(call.query().to_vec()))),
        ("body".to_owned(), shell(call.body())),
        ("headers".to_owned(), shell(&ParamValue::Object(headers))),
    ]);
    for (name, value) in call.named() {
        if identifier::is_variable(Language::Bash, name) {
            variables.insert(name.to_owned(), shell(value));
        }
    }
    variables
}

/// Bash that prints a variable as fields that end with NUL.
fn dump(name: &str, variable: &Shell) -> String {
    match variable {
        Shell::Scalar(_) => format!("printf '%s\\0' \"${name}\"\n"),
        Shell::List(_) => {
            format!("printf '%s\\0' \"${{#{name}[@]}}\"; ((${{#{name}[@]}})) && printf '%s\\0' \"${{{name}[@]}}\"\n")
        }
        Shell::Map(_) => format!(
            "printf '%s\\0' \"${{#{name}[@]}}\"; ((${{#{name}[@]}})) && \
             printf '%s\\0' \"${{!{name}[@]}}\" \"${{{name}[@]}}\"\n"
        ),
    }
}

/// Reads back what [`dump`] printed.
fn read<'a>(fields: &mut impl Iterator<Item = &'a [u8]>, like: &Shell) -> Shell {
    let mut field = || fields.next().unwrap().to_vec();
    if let Shell::Scalar(_) = like {
        return Shell::Scalar(field());
    }
    let count: usize = String::from_utf8(field()).unwrap().parse().unwrap();
    let items: Vec<Vec<u8>> = (0..count).map(|_| field()).collect();
    if let Shell::List(_) = like {
        return Shell::List(items);
    }
    Shell::Map(items.into_iter().zip((0..count).map(|_| field()).collect::<Vec<_>>()).collect())
}

/// Has Bash evaluate each call's cell, in a subshell of its own behind `before`, and compares.
fn evaluate(calls: &[Parameters], before: &str, locale: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mut script = "compgen -v | tr '\\n' ' '; printf '\\0'\n".to_owned();
    for (index, call) in calls.iter().enumerate() {
        let cell = source(Language::Bash, call);
        assert!(cell.chars().all(|c| matches!(c, '\n' | ' '..='~') && c != '!'), "{cell:?}");
        interpreter::write(folder.path(), &format!("case{index}"), cell.as_bytes());
        let dumps: String = expected(call).iter().map(|(name, variable)| dump(name, variable)).collect();
        script.extend(["(\n", before, "\nsource ./case", &index.to_string(), "\n", &dumps]);
        script.push_str("compgen -v | tr '\\n' ' '; printf '\\0'\n)\n");
    }
    interpreter::write(folder.path(), "script", script.as_bytes());
    let files = interpreter::files(folder.path());
    let output = interpreter::run("bash", &["--norc", "--noprofile", "script"], folder.path(), locale);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(interpreter::files(folder.path()), files);
    let mut fields = output.stdout.split(|&byte| byte == 0);
    let names = |field: &[u8]| -> BTreeSet<String> {
        String::from_utf8(field.to_vec()).unwrap().split_whitespace().map(str::to_owned).collect()
    };
    let initial = names(fields.next().unwrap());
    for call in calls {
        let cell = source(Language::Bash, call);
        let variables = expected(call);
        for (name, variable) in &variables {
            assert_eq!(&read(&mut fields, variable), variable, "{name} of\n{cell}");
        }
        let set: BTreeSet<String> = names(fields.next().unwrap()).difference(&initial).cloned().collect();
        // `PIPESTATUS` and the like come with the first pipeline.
        let set: Vec<&String> = set.iter().filter(|name| name.as_str() != "PIPESTATUS").collect();
        assert_eq!(set, variables.keys().collect::<Vec<_>>(), "{cell}");
    }
    assert_eq!(fields.next(), Some(&b""[..]));
}

#[test]
fn any_call_comes_back_exactly_and_runs_nothing() {
    let calls = strategies::calls(300, false, false);
    evaluate(&calls, "", "C");
    evaluate(&calls, "", "C.UTF-8");
}

#[test]
fn every_byte_but_nul_comes_back() {
    let body = ParamValue::Bytes((1..=255).chain(*b"'41x").collect());
    evaluate(&[Parameters::new(Vec::new(), body, Vec::new())], "", "C.UTF-8");
}

/// Bash would evaluate what is assigned to an integer variable, and give what is assigned to a name reference to another.
#[test]
fn attributes_of_the_author_do_not_evaluate() {
    let call = params(
        json!({ "count": "a[$(touch PWNED)]", "target": "a[$(touch PWNED)]", "alias": "z", "list": "x", "map": ["y"] }),
    );
    let before =
        "declare -i count=5; declare -n target; declare -n alias=other; declare -a list=(1 2); declare -A map=([a]=b)";
    evaluate(&[call], before, "C.UTF-8");
}

#[test]
fn names_that_steer_the_shell_are_no_variables() {
    for name in
        ["PATH", "IFS", "PS1", "PS4", "PROMPT_COMMAND", "BASH_ENV", "BASHOPTS", "LD_PRELOAD", "HISTFILE", "UID", "_"]
    {
        assert!(!identifier::is_variable(Language::Bash, name), "{name}");
    }
    for name in ["region", "REGION", "COMPANY", "EPOCHS", "HISTORY", "PSA", "http_proxy", "_x"] {
        assert!(identifier::is_variable(Language::Bash, name), "{name}");
    }
}

/// All that this Bash itself knows as variables is kept from callers.
#[test]
fn variables_of_bash_are_no_variables() {
    let folder = tempfile::tempdir().unwrap();
    let output = interpreter::run("bash", &["--norc", "--noprofile", "-ic", "compgen -v"], folder.path(), "C");
    let names = String::from_utf8(output.stdout).unwrap();
    assert!(names.contains("BASH_VERSINFO"));
    for name in names.lines() {
        assert!(!identifier::is_variable(Language::Bash, name), "{name}");
    }
}
