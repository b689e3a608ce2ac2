//! The text of injected cells, for the languages whose interpreters are not at hand and, to be seen side by side, the others.

use serde_json::json;

use super::super::identifier;
use super::{Language, ParamValue, Parameters, params, source};

/// The cell of a call that has a bit of everything.
fn cell(language: Language) -> String {
    let numbers: serde_json::Value = serde_json::from_str(
        "[0, -0, -1, 2147483648, 9007199254740993, 9223372036854775808, 0.5, -0.0, 0.1, 1e-5, 1e16, 5e-324, 1e400, -1e400]",
    )
    .unwrap();
    // Bash has no empty keys.
    let empty = if language == Language::Bash { "e" } else { "" };
    let body = json!({
        "none": null, "yes": true, "numbers": numbers, "names": ["a", "b"], "nested": { empty: [], "k": {} },
        "text": "it's \"$x\" ${y} `z` \\u0022 é😀\u{2028}\u{85}\u{1}1\r\n\t",
    });
    let call =
        Parameters::new(vec![("q".to_owned(), "1".into())], body.into(), vec![("Accept".to_owned(), "*/*".to_owned())]);
    source(language, &call)
}

#[test]
fn python() {
    let expected = r#"# Parameters of this call, written by nbhook.
params = {"q": "1"}
headers = {"accept": "*/*"}
q = "1"
none = None
yes = True
numbers = [0, 0, -1, 2147483648, 9007199254740993, 9223372036854775808, 0.5, -0.0, 0.1, 1e-5, 1e16, 5e-324, 1e999, -1e999]
names = ["a", "b"]
nested = {"": [], "k": {}}
text = "it's \"$x\" ${y} `z` \\u0022 é\U0001f600\u2028\u0085\u00011\r\n\t""#;
    assert_cell(Language::Python, expected);
}

#[test]
fn r() {
    let expected = r#"# Parameters of this call, written by nbhook.
params <- structure(list("1"), names = c("q"))
headers <- structure(list("*/*"), names = c("accept"))
q <- "1"
none <- NULL
yes <- TRUE
numbers <- list(0, 0, -1, 2147483648, "9007199254740993", "9223372036854775808", 0.5, -0.0, 0.1, 0x14f8b588e368f1p-69, 0x2386f26fc1p16, 0x1p-1074, Inf, -Inf)
names <- list("a", "b")
nested <- structure(list(list(), structure(list(), names = character(0))), names = c("", "k"))
text <- "it's \"$x\" ${y} `z` \\u0022 \u00e9\U0001f600\u2028\u0085\u00011\r\n\t""#;
    assert_cell(Language::R, expected);
}

#[test]
fn julia() {
    let expected = r#"# Parameters of this call, written by nbhook.
params = Dict{String,Any}("q" => "1")
headers = Dict{String,Any}("accept" => "*/*")
q = "1"
none = nothing
yes = true
numbers = Any[0, 0, -1, 2147483648, 9007199254740993, big"9223372036854775808", 0.5, -0.0, 0.1, 1e-5, 1e16, 5e-324, Inf, -Inf]
names = Any["a", "b"]
nested = Dict{String,Any}("" => Any[], "k" => Dict{String,Any}())
text = "it's \"\$x\" \${y} `z` \\u0022 é\U0001f600\u2028\u0085\u00011\r\n\t""#;
    assert_cell(Language::Julia, expected);
}

#[test]
fn scala() {
    let expected = r#"// Parameters of this call, written by nbhook.
val params = Map[String, Any]("q" -> "1")
val headers = Map[String, Any]("accept" -> "*/*")
val q = "1"
val none : Any = null
val yes = true
val numbers = Seq[Any](0, 0, -1, 2147483648L, 9007199254740993L, BigInt("9223372036854775808"), 0.5, -0.0, 0.1, 1e-5, 1e16, 5e-324, Double.PositiveInfinity, Double.NegativeInfinity)
val names = Seq[String]("a", "b")
val nested = Map[String, Any]("" -> Seq[Any](), "k" -> Map[String, Any]())
val text = "it's \"$x\" ${y} `z` \\u0022 é\ud83d\ude00\u2028\u0085\u00011\r\n\t""#;
    assert_cell(Language::Scala, expected);
}

#[test]
fn bash() {
    let expected = r#"# Parameters of this call, written by nbhook.
declare -A params=(['q']='1')
declare -A headers=(['accept']='*/*')
q='1'
none=''
yes='true'
declare -a numbers=('0' '-0' '-1' '2147483648' '9007199254740993' '9223372036854775808' '0.5' '-0.0' '0.1' '1e-5' '1e+16' '5e-324' '1e+400' '-1e+400')
declare -a names=('a' 'b')
declare -A nested=(['e']='[]' ['k']='{}')
text=$'it\x27s "\x24x" \x24{y} \x60z\x60 \x5cu0022 \xc3\xa9\xf0\x9f\x98\x80\xe2\x80\xa8\xc2\x85\x011\x0d\x0a\x09'"#;
    assert_cell(Language::Bash, expected);
}

/// Compares but for the lines of `body`, which hold the same values once more.
fn assert_cell(language: Language, expected: &str) {
    let cell = cell(language);
    let lines: Vec<&str> = cell.lines().filter(|line| !line.contains("body")).collect();
    assert_eq!(lines.join("\n"), expected);
}

#[test]
fn bodies_of_bytes() {
    let line = |language| {
        let call = Parameters::new(Vec::new(), ParamValue::Bytes(b"a\"$\x00\xff".to_vec()), Vec::new());
        source(language, &call).lines().nth(2).unwrap().to_owned()
    };
    assert_eq!(line(Language::Python), r#"body = b"a\"$\x00\xff""#);
    assert_eq!(line(Language::R), "body <- as.raw(c(0x61, 0x22, 0x24, 0x00, 0xff))");
    assert_eq!(line(Language::Julia), r#"body = Vector{UInt8}(b"\x61\x22\x24\x00\xff")"#);
    assert_eq!(line(Language::Scala), r#"val body = java.util.Base64.getDecoder.decode("YSIkAP8=")"#);
}

/// R's parser takes no longer strings with Unicode escapes.
#[test]
fn long_strings_of_r_are_put_together() {
    let cell = source(Language::R, &params(json!({ "long": "é".repeat(9_001) })));
    let line = cell.lines().last().unwrap();
    assert_eq!(line, format!(r#"long <- paste0("{}", "\u00e9")"#, r"\u00e9".repeat(9_000)));
}

/// A class file holds no constant over 65,535 bytes.
#[test]
fn long_strings_of_scala_are_put_together() {
    let cell = source(Language::Scala, &params(json!({ "long": "x".repeat(20_001) })));
    let line = cell.lines().last().unwrap();
    let (x10000, x1) = ("x".repeat(10_000), "x");
    assert_eq!(line, format!(r#"val long = Seq[String]("{x10000}", "{x10000}", "{x1}").mkString"#));
}

#[test]
fn lists_of_one_type_have_it_in_scala() {
    let cell =
        source(Language::Scala, &params(json!({ "a": [1, 2], "b": [1, 2.5], "c": [1.5], "d": [true], "e": [[1]] })));
    let lines: Vec<&str> = cell.lines().skip(4).collect();
    assert_eq!(
        lines,
        [
            "val a = Seq[Int](1, 2)",
            "val b = Seq[Any](1, 2.5)",
            "val c = Seq[Double](1.5)",
            "val d = Seq[Boolean](true)",
            "val e = Seq[Any](Seq[Int](1))",
        ]
    );
}

#[test]
fn names_are_those_of_the_language() {
    let takes = |language, name: &str| identifier::is_variable(language, name);
    for language in Language::ALL {
        for name in ["region", "Region", "x1", "a_b", "id", "type_"] {
            assert!(takes(language, name), "{language:?} {name}");
        }
        let long = "x".repeat(256);
        for name in ["", "1x", "a b", "a-b", "a$b", "a;b", "a\n", "params", "body", "headers", "ｘ", &long] {
            assert!(!takes(language, name), "{language:?} {name}");
        }
    }
    let only = |name: &str| Language::ALL.into_iter().filter(|&language| takes(language, name)).collect::<Vec<_>>();
    assert_eq!(only("größe"), [Language::Python, Language::Julia, Language::Scala]);
    assert_eq!(only("while"), [Language::Bash]);
    assert_eq!(only("_x"), [Language::Python, Language::Julia, Language::Scala, Language::Bash]);
    assert_eq!(only("_"), [Language::Python]);
    assert_eq!(only("a.b"), [Language::R]);
    assert_eq!(only(".Last"), []);
    assert_eq!(only("__class__"), [Language::Julia, Language::Scala, Language::Bash]);
    assert_eq!(only("end"), [Language::Python, Language::R, Language::Scala, Language::Bash]);
    assert_eq!(only("val"), [Language::Python, Language::R, Language::Julia, Language::Bash]);
    assert_eq!(only("lambda"), [Language::R, Language::Julia, Language::Scala, Language::Bash]);
    assert_eq!(only("NULL"), [Language::Python, Language::Julia, Language::Scala, Language::Bash]);
}
