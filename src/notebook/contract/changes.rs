//! What callers lose when a new version takes something else than the one before.

use super::shape::Shape;
use crate::model::{Contract, Parameter, describe};

/// What callers rely on: a contract, and whether names that it does not have are refused.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    pub contract: &'a Contract,
    pub strict: bool,
}

/// A sentence for each way in which calls that the old terms allow may fail with the new ones.
#[must_use]
pub fn breaking(before: Terms<'_>, now: Terms<'_>) -> Vec<String> {
    let (old, new) = (before.contract, now.contract);
    let fate = if now.strict { "calls with it are refused" } else { "what callers pass for it has no effect" };
    let gone = old.parameters().filter(|was| !new.parameters().any(|is| is.name == was.name));
    let gone = gone.map(|was| format!("the parameter `{}` is gone: {fate}", was.name));
    let refused = (now.strict && !before.strict)
        .then(|| "`strict` is on now: calls with names that are no parameters of the notebook are refused".to_owned());
    let changed = new.parameters().filter_map(|is| {
        let was = old.parameters().find(|was| was.name == is.name);
        change(was, is)
    });
    changed.chain(gone).chain(refused).collect()
}

fn change(was: Option<Parameter<'_>>, is: Parameter<'_>) -> Option<String> {
    let name = is.name;
    let Some(was) = was else {
        return is.required.then(|| format!("the new parameter `{name}` is required: calls without it are refused"));
    };
    let mut changes = Vec::new();
    if is.required && !was.required {
        changes.push("is required now: calls without it are refused".to_owned());
    }
    if !takes_all(&Shape::of(is.schema), &Shape::of(was.schema)) {
        changes.push(format!("took {} and now takes {}", describe(was.schema), describe(is.schema)));
    }
    (!changes.is_empty()).then(|| format!("the parameter `{name}` {}", changes.join(", and ")))
}

/// Whether whatever fits `old` fits `new` too.
fn takes_all(new: &Shape, old: &Shape) -> bool {
    match (new, old) {
        (new, Shape::Union(parts)) => parts.iter().all(|part| takes_all(new, part)),
        (new, Shape::OneOf { values, .. }) => values.iter().all(|value| new.fits(&new.coerce(value.clone().into()))),
        (Shape::Union(parts), old) => parts.iter().any(|part| takes_all(part, old)),
        (Shape::List { item: new, .. }, Shape::List { item: old, .. }) | (Shape::Dict(new), Shape::Dict(old)) => {
            takes_all(new, old)
        }
        (Shape::Any, _)
        | (Shape::Float, Shape::Int)
        | (Shape::Str, Shape::Date | Shape::DateTime { .. })
        | (Shape::DateTime { .. }, Shape::DateTime { .. }) => true,
        (new, old) => new == old,
    }
}
