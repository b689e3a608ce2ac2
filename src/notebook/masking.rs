//! Finds all of a run's secrets in a text at once, and puts `***` in their place; likewise in JSON, and in what cells have left.

mod outputs;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use serde_json::Value;

use super::redact::MASK;

/// So many bytes of a text are looked for all at once; only where these are found, the rest of a longer one is. What is built to
/// look for them grows with each byte.
const HEAD: usize = 64;

/// The texts that may not show. Looking for them takes time in proportion to what is looked through, however many they are.
#[derive(Default)]
pub struct Secrets {
    /// Sorted, none twice.
    texts: Vec<String>,
    /// Built when it is first looked for them.
    finder: OnceLock<Option<Finder>>,
}

/// Finds beginnings of texts.
struct Finder {
    automaton: AhoCorasick,
    heads: Vec<Head>,
}

/// The texts that begin alike.
struct Head {
    /// Whether one of them is no longer than this.
    is_whole: bool,
    /// Those that are.
    longer: Range<usize>,
}

impl Secrets {
    /// Knows these texts only as they are: for other ways of writing them see [`super::spellings`].
    pub fn new(texts: impl IntoIterator<Item = String>) -> Self {
        Self::default().with(texts).unwrap_or_default()
    }

    /// With more texts; none, if they are all known.
    #[must_use]
    pub fn with(&self, more: impl IntoIterator<Item = String>) -> Option<Self> {
        let mut texts = self.texts.clone();
        texts.extend(more.into_iter().filter(|text| !text.is_empty()));
        texts.sort_unstable();
        texts.dedup();
        (texts.len() > self.texts.len()).then(|| Self { texts, finder: OnceLock::new() })
    }

    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.texts.len()
    }

    fn has(&self, text: &str) -> bool {
        self.texts.binary_search_by(|known| known.as_str().cmp(text)).is_ok()
    }

    /// The text without secrets, if it has any.
    fn masked(&self, text: &str) -> Option<String> {
        let found = if self.texts.is_empty() { Vec::new() } else { self.find(text) };
        if found.is_empty() {
            return None;
        }
        let mut masked = String::with_capacity(text.len());
        let mut end = 0;
        for Range { start, end: next } in found {
            masked.push_str(&text[end..start]);
            masked.push_str(MASK);
            end = next;
        }
        masked.push_str(&text[end..]);
        Some(masked)
    }

    /// Where secrets stand, from the first to the last; those that overlap are one.
    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let (mut found, mut longer) = (Vec::new(), BTreeSet::new());
        if let Some(finder) = self.finder.get_or_init(|| Finder::of(&self.texts)) {
            for part in finder.automaton.find_overlapping_iter(text) {
                let head = &finder.heads[part.pattern().as_usize()];
                if head.is_whole {
                    add(&mut found, part.range());
                }
                longer.extend(head.longer.clone());
            }
        } else {
            longer.extend(0..self.texts.len()); // there are too many to be found at once
        }
        if longer.is_empty() {
            return found;
        }
        for text_of in longer.into_iter().map(|index| &self.texts[index]) {
            found.extend(text.match_indices(text_of).map(|(at, text)| at..at + text.len()));
        }
        found.sort_unstable_by_key(|part| part.end);
        found.into_iter().fold(Vec::new(), |mut all, part| {
            add(&mut all, part);
            all
        })
    }
}

/// Shows nothing.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(***)")
    }
}

impl Finder {
    fn of(texts: &[String]) -> Option<Self> {
        let head = |index: usize| &texts[index].as_bytes()[..texts[index].len().min(HEAD)];
        let (mut heads, mut begins) = (Vec::new(), Vec::new());
        let mut start = 0;
        while start < texts.len() {
            let alike = (start..texts.len()).take_while(|index| head(*index) == head(start)).count();
            let is_whole = texts[start].len() <= HEAD; // the shortest comes first
            heads.push(Head { is_whole, longer: start + usize::from(is_whole)..start + alike });
            begins.push(head(start));
            start += alike;
        }
        let automaton = AhoCorasick::builder().kind(Some(AhoCorasickKind::ContiguousNFA)).build(begins).ok()?;
        Some(Self { automaton, heads })
    }
}

/// Adds what ends last.
fn add(found: &mut Vec<Range<usize>>, mut part: Range<usize>) {
    while let Some(last) = found.pop_if(|last| last.end > part.start) {
        part.start = part.start.min(last.start);
    }
    found.push(part);
}

/// Masks every secret in a text.
pub fn mask(text: &mut String, secrets: &Secrets) {
    if let Some(masked) = secrets.masked(text) {
        *text = masked;
    }
}

/// Masks every secret in a JSON value: in its texts, numbers and keys.
pub fn mask_value(value: &mut Value, secrets: &Secrets) {
    mask_json(value, secrets, false);
}

/// `has_outputs`: outputs of cells may be within it.
fn mask_json(value: &mut Value, secrets: &Secrets, has_outputs: bool) {
    match value {
        Value::String(text) => mask(text, secrets),
        Value::Number(number) if secrets.has(&number.to_string()) => *value = MASK.into(),
        Value::Array(items) => items.iter_mut().for_each(|item| mask_json(item, secrets, has_outputs)),
        Value::Object(map) if has_outputs && map.contains_key("output_type") => outputs::mask_output(value, secrets),
        Value::Object(map) => {
            map.values_mut().for_each(|value| mask_json(value, secrets, has_outputs));
            mask_keys(value, secrets, |_| false);
        }
        _ => {}
    }
}

/// Masks the keys of an object, unless they are to stay. What would be under the same key gets a number.
fn mask_keys(object: &mut Value, secrets: &Secrets, stays: impl Fn(&str) -> bool) {
    let Value::Object(map) = object else { return };
    let masked = |key: &String| if stays(key) { None } else { secrets.masked(key) };
    let keys: Vec<_> = map.keys().map(masked).collect();
    if keys.iter().all(Option::is_none) {
        return;
    }
    let mut used: HashSet<String> =
        map.keys().zip(&keys).filter(|(_, masked)| masked.is_none()).map(|(key, _)| key.clone()).collect();
    let mut counts = HashMap::new();
    for ((key, value), masked) in std::mem::take(map).into_iter().zip(keys) {
        let key = masked.map_or(key, |masked| numbered(masked, &mut used, &mut counts));
        map.insert(key, value);
    }
}

/// The key, or the first of `key 2`, `key 3` … that is not used.
fn numbered(key: String, used: &mut HashSet<String>, counts: &mut HashMap<String, usize>) -> String {
    if used.insert(key.clone()) {
        return key;
    }
    let count = counts.entry(key.clone()).or_insert(1);
    loop {
        *count += 1;
        let next = format!("{key} {count}");
        if used.insert(next.clone()) {
            return next;
        }
    }
}

#[cfg(test)]
mod tests;
