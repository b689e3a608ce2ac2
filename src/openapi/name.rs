//! What generators call a hook's functions and types: made of its notebook's path.

use std::collections::HashSet;

/// A name of lowercase letters, digits and `_` that no hook of the document has yet.
pub(super) fn unique(path: &str, taken: &mut HashSet<String>) -> String {
    let name = plain(path);
    let numbered = (2..).map(|number| format!("{name}_{number}"));
    let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name)).unwrap_or(name);
    taken.insert(free.clone());
    free
}

/// `reports/Sales Report.ipynb` → `reports_sales_report`.
fn plain(path: &str) -> String {
    let (stem, _extension) = path.rsplit_once('.').unwrap_or((path, ""));
    let words = stem.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("_").to_ascii_lowercase();
    match name.chars().next() {
        None => "notebook".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("notebook_{name}"),
        Some(_) => name,
    }
}

/// `sales_report` → `SalesReport`.
pub(super) fn type_name(name: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    name.split('_').map(capital).collect()
}
