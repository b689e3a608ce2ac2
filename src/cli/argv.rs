//! The command line before clap reads it: papermill's `-p NAME VALUE` takes two words, nbhook's `-p NAME=VALUE` one. Pure.

use std::ffi::OsString;

/// Stands between a name and a value that were two words; no terminal types it.
pub(super) const BETWEEN: char = '\u{1f}';

/// The options of `nbhook run` that take a name and a value.
const PAIRS: [&str; 5] = ["-p", "--parameters", "-r", "--parameters-raw", "--parameters_raw"];
/// Options that may stand before the command, and take a word.
const BEFORE: [&str; 2] = ["--server", "--token"];

/// The words with `-p NAME VALUE` after `run` put into one.
pub(super) fn joined(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words = words.into_iter();
    let mut joined: Vec<OsString> = words.by_ref().take(1).collect();
    while let Some(word) = words.next() {
        let text = word.to_str().unwrap_or_default();
        let (takes_word, goes_on) = (BEFORE.contains(&text), text.starts_with('-'));
        let is_run = text == "run";
        joined.push(word);
        if takes_word {
            joined.extend(words.next());
        } else if is_run {
            join(&mut words, &mut joined);
        } else if !goes_on {
            break; // another command
        }
    }
    joined.extend(words);
    joined
}

fn join(words: &mut impl Iterator<Item = OsString>, joined: &mut Vec<OsString>) {
    while let Some(word) = words.next() {
        let is_pair = word.to_str().is_some_and(|word| PAIRS.contains(&word));
        let is_end = word == "--";
        joined.push(word);
        if is_end {
            return;
        }
        let Some(mut pair) = is_pair.then(|| words.next()).flatten() else { continue };
        if !is_whole(&pair)
            && let Some(value) = words.next()
        {
            pair.push(BETWEEN.to_string());
            pair.push(value);
        }
        joined.push(pair);
    }
}

/// Whether a word is `NAME=VALUE`.
fn is_whole(word: &OsString) -> bool {
    let name = word.to_str().and_then(|word| word.split_once('=')).map(|(name, _)| name);
    name.is_some_and(|name| {
        name.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_words_become_one_where_papermill_takes_two() {
        let cases = [
            ("run a.ipynb -p n 5 out.ipynb", "run a.ipynb -p n\u{1f}5 out.ipynb"),
            ("run a.ipynb -p n=5 out.ipynb", "run a.ipynb -p n=5 out.ipynb"),
            ("--token run run -r n -5 -p x =", "--token run run -r n\u{1f}-5 -p x\u{1f}="),
            ("run a.ipynb --parameters n a=b", "run a.ipynb --parameters n\u{1f}a=b"),
            ("run -- -p n 5", "run -- -p n 5"),
            ("run a.ipynb -p n", "run a.ipynb -p n"),
            ("run a.ipynb -p", "run a.ipynb -p"),
            ("call run -p n 5", "call run -p n 5"),
        ];
        for (given, expected) in cases {
            let words = format!("nbhook {given}");
            let joined = joined(words.split(' ').map(OsString::from));
            let joined: Vec<_> = joined.iter().map(|word| word.to_str().unwrap()).collect();
            assert_eq!(joined.join(" "), format!("nbhook {expected}"));
        }
    }
}
