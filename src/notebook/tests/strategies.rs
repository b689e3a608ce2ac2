//! Calls as an attacker, a form or a program could make them.

use chrono::{FixedOffset, NaiveDate, NaiveTime};
use proptest::prelude::*;
use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::TestRunner;

use super::super::{ParamValue, Parameters};

/// Texts that end literals, run commands or change a line, should they ever get out of their quotes.
const ATTACKS: [&str; 44] = [
    "\"",
    "'",
    "\\",
    "\n",
    "\r",
    "\r\n",
    "\0",
    "\t",
    "\u{1}",
    "\u{3}",
    "\u{4}",
    "\u{1a}",
    "\u{1b}[A",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{202e}",
    "\u{feff}",
    "\u{1f600}",
    "e\u{301}",
    "$(touch PWNED)",
    "`touch PWNED`",
    "${IFS}",
    "$((1+1))",
    "a[$(touch PWNED)]",
    "!touch PWNED",
    "!!",
    "^a^b",
    "%%bash\ntouch PWNED",
    "%run x",
    "?",
    "__import__('os').system('touch PWNED')",
    "\"\"\"",
    "'''",
    "\\\"",
    "\\'",
    "\\u0022",
    "\\N{BULLET}",
    "\\x41",
    "#",
    "; touch PWNED #",
    ")]} && touch PWNED",
    "{open('PWNED','w')}",
];

/// Names that are variables, must not become any, or are none.
const NAMES: [&str; 40] = [
    "region",
    "year",
    "id",
    "type",
    "_x",
    "x1",
    "REGION",
    "naïve",
    "größe",
    "имя",
    "名前",
    "カード",
    "params",
    "body",
    "headers",
    "class",
    "None",
    "lambda",
    "match",
    "get_ipython",
    "__builtins__",
    "__name__",
    "print",
    "PATH",
    "IFS",
    "PS1",
    "PROMPT_COMMAND",
    "BASH_ENV",
    "LD_PRELOAD",
    "http_proxy",
    "ｐarams",
    "ﬁ",
    "a b",
    "a-b",
    "1x",
    "",
    "x;touch PWNED",
    "x[$(touch PWNED)]",
    "@",
    "*",
];

/// `count` different calls. A failing test prints the source that failed, so that it needs no shrinking.
pub(super) fn calls(count: usize, nul: bool, empty_names: bool) -> Vec<Parameters> {
    let mut runner = TestRunner::default();
    let strategy = call(nul, empty_names);
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// `count` different calls with values that only a contract can bring.
pub(super) fn typed_calls(count: usize) -> Vec<Parameters> {
    let mut runner = TestRunner::default();
    let pairs = prop::collection::vec((name(true, true), typed()), 1..4);
    let strategy = pairs.prop_map(|pairs| Parameters::new(pairs.clone(), ParamValue::merged(pairs), Vec::new()));
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

fn typed() -> impl Strategy<Value = ParamValue> {
    let date = (1..=9999i32, 1..=365u32).prop_map(|(year, day)| NaiveDate::from_yo_opt(year, day).unwrap());
    let time = (date.clone(), 0..86_400u32, prop_oneof![Just(0), Just(500_000_000), 0..1_000_000_000u32]);
    let offset =
        proptest::option::of((-1439..=1439i32).prop_map(|minutes| FixedOffset::east_opt(minutes * 60).unwrap()));
    let time = (time, offset).prop_map(|((date, seconds, nanos), offset)| {
        let time = NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanos / 1000 * 1000).unwrap();
        ParamValue::DateTime { local: date.and_time(time), offset }
    });
    let scalar = prop_oneof![
        Just(ParamValue::Null),
        any::<bool>().prop_map(ParamValue::Bool),
        number(),
        text(true).prop_map(ParamValue::Str),
        date.prop_map(ParamValue::Date),
        time,
    ];
    let made = |by: &str, of| ParamValue::Made { by: by.to_owned(), of: Box::new(of) };
    let list = prop::collection::vec(scalar.clone(), 0..4).prop_map(ParamValue::List);
    let pairs = prop::collection::vec((name(true, true), scalar.clone()), 0..4).prop_map(ParamValue::merged);
    prop_oneof![
        3 => scalar.clone(),
        2 => scalar.prop_map(move |value| made("Color", value)),
        1 => (prop::sample::select(vec!["tuple", "set", "frozenset"]), list.clone()).prop_map(move |(by, of)| made(by, of)),
        1 => list,
        1 => pairs,
    ]
}

fn call(nul: bool, empty_names: bool) -> impl Strategy<Value = Parameters> {
    let query = prop::collection::vec((name(nul, empty_names), text(nul).prop_map(ParamValue::Str)), 0..6);
    let headers = prop::collection::vec((name(nul, empty_names), text(nul)), 0..4);
    let object = prop::collection::vec((name(nul, empty_names), value(nul, empty_names)), 0..6);
    let body = prop_oneof![
        1 => Just(ParamValue::Null),
        2 => value(nul, empty_names),
        5 => object.prop_map(ParamValue::merged),
    ];
    (query, body, headers).prop_map(|(query, body, headers)| Parameters::new(query, body, headers))
}

fn value(nul: bool, empty_names: bool) -> impl Strategy<Value = ParamValue> {
    let scalar = prop_oneof![
        1 => Just(ParamValue::Null),
        1 => any::<bool>().prop_map(ParamValue::Bool),
        4 => number(),
        6 => text(nul).prop_map(ParamValue::Str),
    ];
    scalar.prop_recursive(5, 24, 5, move |inner| {
        let pairs = prop::collection::vec((name(nul, empty_names), inner.clone()), 0..5);
        prop_oneof![prop::collection::vec(inner, 0..5).prop_map(ParamValue::List), pairs.prop_map(ParamValue::merged),]
    })
}

fn number() -> impl Strategy<Value = ParamValue> {
    let edges = prop::sample::select(vec![
        "0",
        "-0",
        "-0.0",
        "0.1",
        "1e400",
        "-1e400",
        "5e-324",
        "1e-400",
        "1.7976931348623157e308",
        "9007199254740993",
        "-9223372036854775808",
        "9223372036854775808",
        "2147483648",
        "1E+2",
        "123456789012345678901234567890",
    ]);
    let text = prop_oneof![
        edges.prop_map(str::to_owned),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("JSON has no other", |number| number.is_finite())
            .prop_map(|number| format!("{number:?}")),
        "-?[1-9][0-9]{0,80}",
        "-?(0|[1-9][0-9]{0,20})\\.[0-9]{1,20}([eE][+-]?[0-9]{1,3})?",
    ];
    text.prop_map(|text| ParamValue::Number(serde_json::from_str(&text).unwrap()))
}

fn text(nul: bool) -> impl Strategy<Value = String> {
    let attack = prop::sample::select(ATTACKS.to_vec()).prop_map(str::to_owned);
    let part = prop_oneof![3 => attack, 1 => any::<String>(), 1 => "[ -~]{0,12}"];
    prop::collection::vec(part, 0..4).prop_map(move |parts| without_nul(parts.concat(), nul))
}

fn name(nul: bool, empty: bool) -> impl Strategy<Value = String> {
    let known = prop::sample::select(NAMES.to_vec()).prop_map(str::to_owned);
    let name = prop_oneof![4 => known, 2 => "[a-zA-Z_][a-zA-Z0-9_]{0,10}", 1 => text(true), 1 => "\\p{L}{1,3}"];
    name.prop_map(move |name| match without_nul(name, nul) {
        name if name.is_empty() && !empty => "empty".to_owned(),
        name => name,
    })
}

fn without_nul(text: String, nul: bool) -> String {
    if nul { text } else { text.replace('\0', "") }
}
