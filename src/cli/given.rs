//! The parameters of `nbhook run`: papermill's options for them, which hold against one another as papermill has it. Pure,
//! but for the files that `-f` names.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Number, Value};

use super::argv::BETWEEN;
use super::error::CliError;
use crate::app::Given;

/// In papermill's order: what comes later here replaces what came before.
#[derive(Debug, Args)]
#[command(next_help_heading = "Parameters")]
pub(super) struct ParameterArgs {
    /// Parameters as YAML or JSON in Base64
    #[arg(short = 'b', long = "parameters-base64", alias = "parameters_base64", value_name = "BASE64")]
    base64: Vec<String>,
    /// File of parameters, YAML or JSON
    #[arg(short = 'f', long = "parameters-file", alias = "parameters_file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Parameters as YAML or JSON
    #[arg(short = 'y', long = "parameters-yaml", alias = "parameters_yaml", value_name = "YAML")]
    yaml: Vec<String>,
    /// Parameter, also as two words: `-p NAME VALUE`. VALUE is a number, True, False, None or text, as papermill guesses it; after
    /// `=` it may be any JSON; the notebook's contract has the last word
    #[arg(short = 'p', long = "parameters", visible_alias = "param", value_name = "NAME=VALUE", value_parser = guessed, allow_hyphen_values = true)]
    typed: Vec<Given>,
    /// Parameter that is text whatever it looks like, also as two words: `-r NAME VALUE`
    #[arg(short = 'r', long = "parameters-raw", alias = "parameters_raw", value_name = "NAME=VALUE", value_parser = raw, allow_hyphen_values = true)]
    raw: Vec<Given>,
    /// Pass the notebook's own path as `PAPERMILL_INPUT_PATH`
    #[arg(long)]
    inject_input_path: bool,
    /// Pass the output's path as `PAPERMILL_OUTPUT_PATH`
    #[arg(long)]
    inject_output_path: bool,
    /// Pass both
    #[arg(long)]
    inject_paths: bool,
}

impl ParameterArgs {
    /// All of them, each name once.
    ///
    /// # Errors
    /// Names the option or the file that cannot be read.
    pub(super) async fn read(self, input: &Path, output: Option<&Path>) -> Result<Vec<Given>, CliError> {
        let mut all = Vec::new();
        let path = |path: &Path| Value::String(path.to_string_lossy().into_owned());
        if self.inject_paths || self.inject_input_path {
            set(&mut all, of("PAPERMILL_INPUT_PATH", path(input), None));
        }
        if self.inject_paths || self.inject_output_path {
            set(&mut all, of("PAPERMILL_OUTPUT_PATH", output.map_or(Value::Null, path), None));
        }
        let usage = |option: &str, why: String| CliError::Usage(format!("{option}: {why}"));
        for text in &self.base64 {
            let bytes = STANDARD.decode(text.trim()).map_err(|error| usage("-b", error.to_string()))?;
            let yaml = String::from_utf8(bytes).map_err(|_| usage("-b", "it is no text".to_owned()))?;
            set_all(&mut all, mapping(&yaml).map_err(|why| usage("-b", why))?);
        }
        for file in &self.files {
            let yaml = tokio::fs::read_to_string(file).await.map_err(|error| CliError::file(file, error))?;
            set_all(&mut all, mapping(&yaml).map_err(|why| usage(&file.display().to_string(), why))?);
        }
        for yaml in &self.yaml {
            set_all(&mut all, mapping(yaml).map_err(|why| usage("-y", why))?);
        }
        for given in self.typed.into_iter().chain(self.raw) {
            set(&mut all, given);
        }
        Ok(all)
    }
}

fn of(name: &str, value: Value, text: Option<&str>) -> Given {
    Given { name: name.to_owned(), value, text: text.map(str::to_owned) }
}

fn set_all(all: &mut Vec<Given>, mapping: Map<String, Value>) {
    for (name, value) in mapping {
        set(all, Given { name, value, text: None });
    }
}

fn set(all: &mut Vec<Given>, given: Given) {
    match all.iter_mut().find(|known| known.name == given.name) {
        Some(known) => *known = given,
        None => all.push(given),
    }
}

/// A name and a value, and whether they were two words.
fn pair(text: &str) -> Result<(&str, &str, bool), String> {
    let parts = text.split_once(BETWEEN).map(|(name, value)| (name, value, true));
    let parts = parts.or_else(|| text.split_once('=').map(|(name, value)| (name, value, false)));
    parts.filter(|(name, ..)| !name.is_empty()).ok_or_else(|| "expected NAME=VALUE or NAME VALUE".to_owned())
}

fn guessed(text: &str) -> Result<Given, String> {
    let (name, value, two_words) = pair(text)?;
    let json = || serde_json::from_str(value).ok().filter(|_| !two_words);
    Ok(of(name, json().unwrap_or_else(|| guess(value)), Some(value)))
}

fn raw(text: &str) -> Result<Given, String> {
    let (name, value, _) = pair(text)?;
    Ok(of(name, Value::String(value.to_owned()), Some(value)))
}

/// What papermill takes a word of the command line for. Python's `nan` and `inf`, which JSON has not, stay text unless the
/// contract asks for a number.
fn guess(text: &str) -> Value {
    let number = || whole(text).or_else(|| text.parse().ok().and_then(Number::from_f64));
    match text {
        "True" => Value::Bool(true),
        "False" => Value::Bool(false),
        "None" => Value::Null,
        _ => number().map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

/// A whole number of any size; zeros before it go, as Python's `int` has it.
fn whole(text: &str) -> Option<Number> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = match digits.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    serde_json::from_str(&format!("{sign}{digits}")).ok()
}

/// The mapping that a YAML document is (YAML 1.2, of which JSON is a part).
fn mapping(text: &str) -> Result<Map<String, Value>, String> {
    // Keeps all digits of numbers, which YAML's parser does not.
    if let Ok(map) = serde_json::from_str(text) {
        return Ok(map);
    }
    let documents = Yaml::load_from_str(text).map_err(|error| format!("it is no YAML: {error}"))?;
    match documents.as_slice() {
        [] => Ok(Map::new()),
        [document] => match value(document)? {
            Value::Object(map) => Ok(map),
            Value::Null => Ok(Map::new()),
            _ => Err("it must be a mapping of names to values".to_owned()),
        },
        _ => Err("it holds more than one document".to_owned()),
    }
}

fn value(yaml: &Yaml<'_>) -> Result<Value, String> {
    Ok(match yaml {
        Yaml::Value(scalar) => match scalar {
            Scalar::Null => Value::Null,
            Scalar::Boolean(value) => Value::Bool(*value),
            Scalar::Integer(value) => Value::Number((*value).into()),
            Scalar::FloatingPoint(value) => {
                Number::from_f64(value.0).map_or_else(|| Value::String(value.0.to_string()), Value::Number)
            }
            Scalar::String(text) => Value::String(text.clone().into_owned()),
        },
        Yaml::Sequence(items) => items.iter().map(value).collect::<Result<_, _>>()?,
        Yaml::Mapping(pairs) => {
            let pair = |(key, item): (&Yaml<'_>, &Yaml<'_>)| {
                let key = match value(key)? {
                    Value::String(key) => key,
                    Value::Array(_) | Value::Object(_) => return Err("a name must be text".to_owned()),
                    key => key.to_string(),
                };
                Ok((key, value(item)?))
            };
            Value::Object(pairs.iter().map(pair).collect::<Result<_, _>>()?)
        }
        Yaml::Tagged(_, inner) => value(inner)?,
        Yaml::Representation(text, ..) => Value::String(text.clone().into_owned()),
        Yaml::Alias(_) | Yaml::BadValue => return Err("a value cannot be read".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_are_guessed_as_papermill_guesses_them() {
        for (text, value) in [
            ("n\u{1f}5", json!(5)),
            ("n\u{1f}-007", json!(-7)),
            ("n\u{1f}.5", json!(0.5)),
            ("n\u{1f}1e3", json!(1000.0)),
            ("n\u{1f}True", json!(true)),
            ("n\u{1f}true", json!("true")),
            ("n\u{1f}None", Value::Null),
            ("n\u{1f}[1]", json!("[1]")),
            ("n\u{1f}nan", json!("nan")),
            ("n\u{1f}", json!("")),
            ("n=[1]", json!([1])),
            ("n=True", json!(true)),
            ("n=a=b", json!("a=b")),
        ] {
            let given = guessed(text).unwrap();
            assert_eq!((given.name.as_str(), given.value), ("n", value), "{text}");
        }
        let digits = "123456789012345678901234567890";
        assert_eq!(guessed(&format!("n\u{1f}{digits}")).unwrap().value.to_string(), digits);
        assert_eq!(raw("n\u{1f}5").unwrap().value, json!("5"));
        assert!(guessed("n").is_err() && guessed("=5").is_err());
    }

    #[test]
    fn yaml_is_read_as_json_would_be() {
        let yaml = "# comment\nn: 5\nname: Zoë\nlist: [a, 2]\nday: 2026-01-02\nnested: {x: 1.5, y: ~}\ntext: |\n  a\n  b\nanchor: &a [1]\nsame: *a\n";
        let expected = json!({"n": 5, "name": "Zoë", "list": ["a", 2], "day": "2026-01-02", "nested": {"x": 1.5, "y": null},
            "text": "a\nb\n", "anchor": [1], "same": [1]});
        assert_eq!(Value::Object(mapping(yaml).unwrap()), expected);
        assert_eq!(mapping("{\"n\": 1}").unwrap()["n"], json!(1));
        assert!(mapping("").unwrap().is_empty());
        for bad in ["- a", "just text", "a: [", "a: 1\n---\nb: 2"] {
            assert!(mapping(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn what_comes_later_replaces_what_came_before() {
        let args = ParameterArgs {
            base64: vec![STANDARD.encode("a: 1\nb: 1\nc: 1\nd: 1")],
            files: Vec::new(),
            yaml: vec!["b: 2\nc: 2\nd: 2".to_owned()],
            typed: vec![guessed("c=3").unwrap(), guessed("d=3").unwrap()],
            raw: vec![raw("d=4").unwrap()],
            inject_input_path: true,
            inject_output_path: false,
            inject_paths: false,
        };
        let all = args.read(Path::new("in.ipynb"), None).await.unwrap();
        let all: Map<String, Value> = all.into_iter().map(|given| (given.name, given.value)).collect();
        let expected = json!({"PAPERMILL_INPUT_PATH": "in.ipynb", "a": 1, "b": 2, "c": 3, "d": "4"});
        assert_eq!(Value::Object(all), expected);
    }
}
