//! Programs with whatever an owner may choose in them, run by those who would run them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use super::{javascript, python, shell};

const CASES: usize = 400;

/// Texts that end a literal, run commands, or are keys of a terminal, should they ever get out of their quotes.
const ATTACKS: [&str; 26] = [
    "\"",
    "'",
    "\\",
    "\n",
    "\r\n",
    "\0",
    "\u{3}",
    "\u{4}",
    "\u{1b}[A",
    "\u{7f}\u{7f}\u{7f}",
    "\u{85}",
    "\u{9b}",
    "\u{2028}",
    "\u{202e}",
    "\u{1f600}",
    "$(echo PWNED)",
    "`echo PWNED`",
    "${SECRET}",
    "!!",
    "';echo PWNED;'",
    "\\'",
    "\\u0022",
    "\"+print('PWNED')+\"",
    "${console.log('PWNED')}",
    "*/",
    "#",
];

#[derive(Debug)]
struct Case {
    url: String,
    example: Map<String, Value>,
    header: Option<String>,
}

fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(&ATTACKS[..]).prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
        "[a-z@ ]{0,6}"
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![nasty(), Just("__proto__".to_owned()), Just("constructor".to_owned()), "[a-z_]{1,8}"]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        nasty().prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((name(), inner), 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect()))
        ]
    })
}

/// Names of headers of RFC 9110: those that are stored may be such.
fn case() -> impl Strategy<Value = Case> {
    let header = proptest::option::of("[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}");
    let path = "[A-Za-z0-9'\"$`!()\\\\ -]{0,12}";
    (path, prop::collection::vec((name(), value()), 0..4), header).prop_map(|(path, members, header)| Case {
        url: format!("http://h/{path}"),
        example: members.into_iter().collect(),
        header,
    })
}

/// What a program writes that is given `stdin`.
#[expect(clippy::disallowed_methods, reason = "ends by itself")]
fn run(program: &str, args: &[&str], stdin: &str) -> Vec<u8> {
    let mut command = Command::new(program);
    let mut child =
        command.args(args).env("SECRET", "s3cret").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stdout));
    output.stdout
}

/// What each request was made of: URL, body, and headers, which are named in lower case.
fn expected(case: &Case) -> Value {
    let mut headers = Map::new();
    if let Some(name) = &case.header {
        headers.insert(name.to_ascii_lowercase(), json!("s3cret"));
    }
    json!([case.url, (!case.example.is_empty()).then_some(&case.example), headers])
}

fn by_shell(cases: &[Case]) -> Vec<Value> {
    let codes =
        cases.iter().map(|case| format!("{}\nprintf '\\n'\n", shell(&case.url, &case.example, case.header.as_deref())));
    let program = format!("curl() {{ printf '%s\\0' \"$@\"; }}\n{}", codes.collect::<String>());
    let output = String::from_utf8(run("sh", &["-s"], &program)).unwrap();
    let requests = output.split_terminator("\0\n").map(|words| {
        let words: Vec<_> = words.split('\0').collect();
        let [_, _, url, rest @ ..] = words.as_slice() else { panic!("{words:?}") };
        let (mut headers, mut body) = (Map::new(), Value::Null);
        for pair in rest.chunks(2) {
            match pair {
                ["-d", text] => body = serde_json::from_str(text).unwrap(),
                ["-H", "Content-Type: application/json"] => {}
                ["-H", header] => {
                    let (name, value) = header.split_once(": ").unwrap();
                    headers.insert(name.to_ascii_lowercase(), value.into());
                }
                other => panic!("{other:?} in {words:?}"),
            }
        }
        json!([url, body, headers])
    });
    requests.collect()
}

const PYTHON_DRIVER: &str = r#"
import json, sys, types
seen = []
def post(url, *, timeout, json=None, headers={}):
    seen.append([url, json, {name.lower(): value for name, value in headers.items()}])
    return types.SimpleNamespace(raise_for_status=lambda: None, text="")
sys.modules["requests"] = types.SimpleNamespace(post=post)
for code in json.load(sys.stdin):
    exec(code, {"SECRET": "s3cret", "print": lambda text: None})
print(json.dumps(seen))
"#;

const NODE_DRIVER: &str = r#"
const Program = (async () => {}).constructor;
let given = "";
process.stdin.on("data", (text) => (given += text)).on("end", async () => {
  const seen = [];
  const fetch = async (url, { headers = {}, body = "null" }) => {
    const named = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
    seen.push(`[${JSON.stringify(url)}, ${body}, ${JSON.stringify(Object.fromEntries(named.filter(([name]) => name !== "content-type")))}]`);
    return { ok: true, text: async () => "" };
  };
  for (const code of JSON.parse(given)) await new Program("fetch", "SECRET", "console", code)(fetch, "s3cret", { log() {} });
  process.stdout.write(`[${seen}]`);
});
"#;

#[expect(clippy::needless_pass_by_value, reason = "called with what was just made")]
fn requests(program: &str, args: &[&str], codes: Vec<String>) -> Vec<Value> {
    serde_json::from_slice(&run(program, args, &json!(codes).to_string())).unwrap()
}

#[test]
fn whatever_an_owner_chose_is_a_value_and_no_program() {
    let mut runner = TestRunner::deterministic();
    let mut cases: Vec<Case> = (0..CASES).map(|_| case().new_tree(&mut runner).unwrap().current()).collect();
    let named =
        |header: &str| Case { url: "http://h".to_owned(), example: Map::new(), header: Some(header.to_owned()) };
    cases.extend(["X-`echo-PWNED`", "X-$SECRET", "'", "!!", "__proto__"].map(named));
    let asked = crate::testing::python();
    let in_python = cases.iter().map(|one| python(&one.url, &one.example, one.header.as_deref(), 5)).collect();
    let in_javascript = cases.iter().map(|one| javascript(&one.url, &one.example, one.header.as_deref())).collect();
    let all = [
        ("sh", by_shell(&cases)),
        ("Python", requests(asked.to_str().unwrap(), &["-c", PYTHON_DRIVER], in_python)),
        ("JavaScript", requests("node", &["-e", NODE_DRIVER], in_javascript)),
    ];
    for (language, made) in all {
        assert_eq!(made.len(), cases.len(), "{language}");
        for (case, made) in cases.iter().zip(made) {
            assert_eq!(made, expected(case), "{language}: {case:?}");
        }
    }
}

/// A terminal takes them as keys, and people see another program than they paste.
#[test]
fn no_key_of_a_terminal_is_in_a_program() {
    let example: Map<_, _> = ATTACKS.iter().map(|attack| ((*attack).to_owned(), json!(attack))).collect();
    for code in [shell("u", &example, None), python("u", &example, None, 5), javascript("u", &example, None)] {
        let bad = code.chars().find(|c| (c.is_control() && *c != '\n') || ('\u{2028}'..='\u{202e}').contains(c));
        assert_eq!(bad, None, "{code:?}");
    }
}
