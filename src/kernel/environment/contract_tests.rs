//! What a real Python reads in cells with parameters.

use serde_json::{Value, json};

use super::*;

async fn read(python: &Path, source: &str) -> Reading {
    let code = Code { parameters: Some(source), ..Code::default() };
    Inspector::default().inspect(python, code).await.unwrap().reading.unwrap()
}

/// The schemas and the required names of one cell.
async fn contract(source: &str) -> (Value, Vec<String>) {
    match read(&crate::testing::python(), source).await {
        Reading::Read { properties, required } => (Value::Object(properties), required),
        Reading::Unreadable { error } => panic!("{error}: {source}"),
    }
}

/// Each line is a cell of its own in meaning, but they are read together: a process for each would take minutes.
async fn each(head: &str, cases: &[(&str, Value)]) {
    let lines: Vec<String> =
        cases.iter().enumerate().map(|(at, (line, _))| line.replacen('x', &format!("x{at}"), 1)).collect();
    let (properties, required) = contract(&format!("{head}\n{}", lines.join("\n"))).await;
    for (at, (line, expected)) in cases.iter().enumerate() {
        assert_eq!(properties[format!("x{at}")], *expected, "{line}");
        let has_default = line.contains(" = ");
        assert_eq!(required.contains(&format!("x{at}")), !has_default, "{line}");
    }
}

fn optional(schema: &Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

#[tokio::test]
async fn annotations_are_types() {
    let (int, float, text) = (json!({"type": "integer"}), json!({"type": "number"}), json!({"type": "string"}));
    let (date, time) = (json!({"type": "string", "format": "date"}), json!({"type": "string", "format": "date-time"}));
    let list = |items: &Value| json!({"type": "array", "items": items});
    let color = json!({"enum": ["red", "blue"], "x-nbhook-python": "Color"});
    let head = "import datetime, typing as t\nfrom datetime import date as D\nfrom enum import Enum, IntEnum, auto\n\
        from typing import Annotated, Dict, List, Literal, Optional, Union\n\
        class Color(str, Enum):\n    'Colours'\n    RED = 'red'\n    BLUE = 'blue'\n    ALSO = 'blue'\n    def show(self): ...\n\
        class Level(IntEnum):\n    LOW = 1\nclass Auto(Enum):\n    A = auto()\nclass Plain: ...";
    let cases = [
        ("x: int", int.clone()),
        ("x: float", float.clone()),
        ("x: str", text.clone()),
        ("x: bool", json!({"type": "boolean"})),
        ("x: 'int'", int.clone()),
        ("x: list", json!({"type": "array"})),
        ("x: list[int]", list(&int)),
        ("x: List[List[str]]", list(&list(&text))),
        ("x: t.Sequence[float]", list(&float)),
        ("x: tuple[int, ...]", json!({"type": "array", "items": int, "x-nbhook-python": "tuple"})),
        ("x: tuple[int, str]", json!({"type": "array", "items": {"anyOf": [int, text]}, "x-nbhook-python": "tuple"})),
        ("x: set[str]", json!({"type": "array", "items": text, "x-nbhook-python": "set"})),
        ("x: dict", json!({"type": "object"})),
        ("x: dict[str, float]", json!({"type": "object", "additionalProperties": float})),
        ("x: Dict[str, t.Any]", json!({"type": "object"})),
        ("x: Literal['a', 1, None, True]", json!({"enum": ["a", 1, null, true]})),
        ("x: Literal[-1]", json!({"enum": [-1]})),
        ("x: Optional[int]", optional(&int)),
        ("x: int | None", optional(&int)),
        ("x: 'list[int] | None'", optional(&list(&int))),
        ("x: Union[int, str, None]", json!({"anyOf": [int, text, {"type": "null"}]})),
        ("x: Optional[t.Any]", json!({})),
        ("x: date", date.clone()),
        ("x: D", date.clone()),
        ("x: datetime.date", date),
        ("x: datetime", time.clone()),
        ("x: datetime.datetime", time),
        ("x: Color", color.clone()),
        ("x: Optional[Color]", optional(&color)),
        ("x: Level", json!({"enum": [1], "x-nbhook-python": "Level"})),
        ("x: Auto", json!({})),
        ("x: Plain", json!({})),
        ("x: pd.DataFrame", json!({})),
        ("x: Annotated[int, 'how many']", json!({"type": "integer", "description": "how many"})),
        (
            "x: Annotated[int, Field(gt=0, description='how many')]",
            json!({"type": "integer", "description": "how many"}),
        ),
        ("x: t.Final[int] = 5", json!({"type": "integer", "default": 5})),
        ("x: Color = Color.RED", json!({"enum": ["red", "blue"], "x-nbhook-python": "Color", "default": "red"})),
        ("x = Color('blue')", json!({"enum": ["red", "blue"], "x-nbhook-python": "Color", "default": "blue"})),
        ("x: str = None", json!({"anyOf": [text, {"type": "null"}], "default": null})),
        ("x: int = compute()", int),
    ];
    each(head, &cases).await;
}

#[tokio::test]
async fn defaults_are_types_where_there_is_no_annotation() {
    let date = |default: &str| json!({"type": "string", "format": "date", "default": default});
    let time = |default: &str| json!({"type": "string", "format": "date-time", "default": default});
    let head = "import datetime as dt\nfrom datetime import date, datetime, timezone";
    let cases = [
        ("x = 5", json!({"type": "integer", "default": 5})),
        ("x = -5", json!({"type": "integer", "default": -5})),
        ("x = 1_000.5", json!({"type": "number", "default": 1000.5})),
        ("x = True", json!({"type": "boolean", "default": true})),
        ("x = 'a' 'b'", json!({"type": "string", "default": "ab"})),
        ("x = None", json!({"default": null})),
        ("x = [1, 2]", json!({"type": "array", "items": {"type": "integer"}, "default": [1, 2]})),
        ("x = [1, 2.5]", json!({"type": "array", "items": {"type": "number"}, "default": [1, 2.5]})),
        ("x = [1, 'a']", json!({"type": "array", "default": [1, "a"]})),
        ("x = []", json!({"type": "array", "default": []})),
        ("x = list()", json!({"type": "array", "default": []})),
        (
            "x = (1, 2)",
            json!({"type": "array", "items": {"type": "integer"}, "x-nbhook-python": "tuple", "default": [1, 2]}),
        ),
        (
            "x = {'b', 'a'}",
            json!({"type": "array", "items": {"type": "string"}, "x-nbhook-python": "set", "default": ["a", "b"]}),
        ),
        ("x = {'a': [None]}", json!({"type": "object", "default": {"a": [null]}})),
        ("x = {1: 2}", json!({"type": "object"})),
        ("x = date(2024, 1, 31)", date("2024-01-31")),
        ("x = dt.date(year=2024, month=1, day=31)", date("2024-01-31")),
        ("x = date.fromisoformat('2024-01-31')", date("2024-01-31")),
        ("x = datetime(2024, 1, 31, 12, tzinfo=timezone.utc)", time("2024-01-31T12:00:00+00:00")),
        // What only running it would give.
        ("x = date.today()", json!({})),
        ("x: date = date.today()", json!({"type": "string", "format": "date"})),
        ("x = date(2024, 13, 1)", json!({})),
        ("x = 60 * 60", json!({})),
        ("x = f'{1}'", json!({})),
        ("x = open('/tmp/nbhook-was-run', 'w')", json!({})),
        ("x = 1e999", json!({"type": "number"})),
        ("x = '\\ud800'", json!({"type": "string"})),
        ("x = b'a'", json!({})),
        ("x = 9 ** 9 ** 9 ** 9", json!({})),
    ];
    each(head, &cases).await;
    assert!(!Path::new("/tmp/nbhook-was-run").exists());
    let naive =
        json!({"type": "string", "format": "date-time", "x-nbhook-naive": true, "default": "2024-01-31T12:00:00Z"});
    each(head, &[("x = datetime(2024, 1, 31, 12)", naive)]).await;
}

#[tokio::test]
async fn comments_are_descriptions_and_may_be_types() {
    let source = "%matplotlib inline\n# Parameters\nregion: str  # Where to look?\n\n# How many\n# rows\nrows = 10\n\
        a = 1; b = 2  # both\nids = [  # of customers\n    1,\n]\nshare = 1  # type: float  # from 0 to 1\n\
        ignored = 1  # type: ignore\nword = 1  # type: of thing\nform = 1  #@param {type: 'integer'}\n# -----\nlast = 'no # comment'\n\
        files = !ls\n";
    let (properties, required) = contract(source).await;
    let described: Vec<(&str, &str)> = properties
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, schema)| (name.as_str(), schema["description"].as_str().unwrap_or("-")))
        .collect();
    let expected = [
        ("region", "Where to look?"),
        ("rows", "How many rows"),
        ("a", "both"),
        ("b", "both"),
        ("ids", "of customers"),
        ("share", "from 0 to 1"),
        ("ignored", "-"),
        ("word", "type: of thing"),
        ("form", "-"),
        ("last", "-"),
    ];
    assert_eq!(described, expected);
    assert_eq!((&properties["share"]["type"], &properties["word"]["type"]), (&json!("number"), &json!("integer")));
    assert_eq!(required, ["region"]);
}

#[tokio::test]
async fn other_statements_are_passed_over_and_the_last_assignment_counts() {
    let source = "import os\nfrom x import y\ndef f(z=1): return 2\nclass C:\n    inner = 1\nif True:\n    hidden = 1\n\
        _private = 1\nparams = {}\nbody = None\nheaders = {}\na, b = 1, 2\nos.environ['A'] = 'b'\nc = d = 5\n\
        n: int  # count\nn = 7\nn += 1\nlate = 'a'\nlate = late.upper()\nprint('hello')\n\"\"\"text\"\"\"";
    let (properties, required) = contract(source).await;
    let expected = json!({
        "c": {"type": "integer", "default": 5},
        "d": {"type": "integer", "default": 5},
        "n": {"type": "integer", "default": 7, "description": "count"},
        "late": {},
    });
    assert_eq!((properties, required), (expected, Vec::new()));
}

#[tokio::test]
async fn what_cannot_be_parsed_is_said_and_disturbs_nothing_else() {
    let python = crate::testing::python();
    let deep = format!("x = {}{}", "[".repeat(150), "]".repeat(150));
    for (source, said) in [("x = (", "line 1"), ("def f(:\n  pass", "line 1"), ("x = 1\0", "null"), (deep.as_str(), "")]
    {
        let code = Code { cells: &["import zzz"], beside: &[], parameters: Some(source) };
        let found = Inspector::default().inspect(&python, code).await.unwrap();
        assert_eq!(found.missing_imports, ["zzz"]);
        match found.reading {
            Some(Reading::Unreadable { error }) => assert!(error.contains(said), "{error}"),
            // An older parser gives up on what a newer one reads.
            other => assert!(said.is_empty() && other.is_some(), "{source}: {other:?}"),
        }
    }
    for source in ["", "\n# nothing\n", "%%bash\nx=1", "%%time\npass", "pass"] {
        assert_eq!(contract(source).await, (json!({}), Vec::new()), "{source}");
    }
    let long = format!("x = '{}'\ny = 10 ** 5000\nz = {}", "a".repeat(100_000), "9".repeat(4000));
    let (properties, _) = contract(&long).await;
    assert_eq!(properties, json!({"x": {"type": "string"}, "y": {}, "z": {"type": "integer"}}));
}
